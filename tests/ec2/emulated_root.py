"""The disk and the kernel of the machine that QEMU emulates: the same root as the containers', with nothing stood in for."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.ec2.root import IMAGE, alone, archive, cache, recipe
from tests.system.engine import asked

KERNEL = "linux-image-cloud-amd64"
"""Debian's for clouds: NVMe and ext4 are built in, so that it boots without an initrd."""
FETCH = f"""
cd /var/tmp
apt-get update -q
apt-get download "$(apt-cache depends {KERNEL} | grep -o 'linux-image-[0-9][^ ]*')"
dpkg-deb -x linux-image-*.deb kernel
mv kernel/boot/vmlinuz-* /boot/vmlinuz
mkdir -p /usr/lib/modules
mv kernel/lib/modules/* /usr/lib/modules/
depmod "$(ls /usr/lib/modules)"
rm -rf kernel linux-image-*.deb /var/lib/apt/lists/* /var/cache/apt/*
systemctl enable systemd-networkd
systemctl mask apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online.service
systemctl disable docker.service docker.socket containerd.service
echo "169.254.169.254 metadata.google.internal metadata" >>/etc/hosts
rm -f /etc/ssh/ssh_host_*_key* /etc/resolv.conf
: >/etc/machine-id
"""
CLOUD = """
datasource_list: [Ec2, GCE]
locale: C.UTF-8
apt_preserve_sources_list: true
system_info:
  default_user:
    name: admin
"""
LINKS = (
    'KERNEL=="nvme[0-9]*n[0-9]*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="vol*",'
    ' SYMLINK+="disk/by-id/nvme-Amazon_Elastic_Block_Store_$attr{serial}"\n'
    'KERNEL=="sd*", ENV{DEVTYPE}=="disk", ENV{ID_SERIAL}=="0Google_PersistentDisk_*", ENV{ID_SERIAL_SHORT}=="?*",'
    ' SYMLINK+="disk/by-id/google-$env{ID_SERIAL_SHORT}"\n'
)
"""EBS says its own model; QEMU's says QEMU's. Images for Compute Engine bring such a rule."""
SIZE = "6G"
MASKED = re.compile(r"[\w-]+\.(?:service|socket|timer|target)")


@dataclass(frozen=True)
class Bootable:
    """What a machine starts from. The disk is never written: each machine has an overlay of its own."""

    kernel: Path
    disk: Path


def bootable() -> Bootable:
    """Made once, and kept beside the root that it is made from."""
    text = "\n".join((recipe(), FETCH, CLOUD, LINKS, SIZE))
    folder = cache() / f"emulated-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    with alone():
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache(), prefix="making-") as name:
                _make(Path(name), _unpacked(Path(name), archive()))
                shutil.move(Path(name) / "made", folder)
    return Bootable(folder / "vmlinuz", folder / "disk.raw")


def bootable_of(image: str, folder: Path) -> Bootable:
    """From the disk of a container that played a machine, without what it had only because it was a container."""
    container, packed = f"{image.replace(':', '-')}-disk", folder / "root.tar"
    asked("docker", "create", "--name", container, image)
    try:
        asked("docker", "export", "--output", str(packed), container, seconds=300)
    finally:
        asked("docker", "rm", "--volumes", container)
    root = _unpacked(folder, packed)
    packed.unlink()
    for unit in MASKED.findall((IMAGE / "Dockerfile").read_text()):
        link = root / "etc" / "systemd" / "system" / unit
        if link.is_symlink() and link.readlink() == Path("/dev/null"):
            link.unlink()
    for name in ("attach-disk", "dmidecode", "entrypoint", "systemd-detect-virt"):
        (root / "usr" / "local" / "bin" / name).unlink()
    (root / ".dockerenv").unlink()  # by which systemd knows a container
    asked("tar", "--numeric-owner", "-xpf", str(archive()), "-C", str(root), "./usr/sbin/dhclient")
    _make(folder, root)
    shutil.rmtree(root)
    return Bootable(folder / "made" / "vmlinuz", folder / "made" / "disk.raw")


def _unpacked(folder: Path, packed: Path) -> Path:
    root = folder / "root"
    root.mkdir()
    asked("tar", "--numeric-owner", "-xpf", str(packed), "-C", str(root), seconds=300)
    return root


def _make(folder: Path, root: Path) -> None:
    made = folder / "made"
    made.mkdir()
    (root / "etc" / "resolv.conf").unlink(missing_ok=True)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    asked("chroot", str(root), "sh", "-ec", FETCH, seconds=600)
    (root / "etc" / "cloud" / "cloud.cfg.d" / "99_machine.cfg").write_text(CLOUD)
    (root / "etc" / "udev" / "rules.d" / "99-volumes.rules").write_text(LINKS)
    shutil.copy(root / "boot" / "vmlinuz", made / "vmlinuz")
    words = ("mke2fs", "-q", "-t", "ext4", "-d", str(root), "-E", "root_owner=0:0", str(made / "disk.raw"), SIZE)
    asked(*words, seconds=600)
