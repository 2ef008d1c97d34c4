"""``fleet controller deploy ssh`` on a real sshd: the controller really runs there, from its own files alone."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleet.boot import dependencies, packing
from fleet.boot.known_hosts import UnknownHostError
from fleet.boot.reach import ImpostorError
from fleet.cli.deploy_host import deploy_ssh, remove_ssh
from fleet.cli.output import CHOSEN
from fleet.control.controller import Controller
from fleet.control.fleets import open_fleet
from fleet.control.home import Home, open_home
from fleet.model.errors import FleetError
from fleet.model.events import RunCreated, StopRequested
from fleet.model.job import Job
from fleet.providers.aws.session import aws_client, forget_clients
from fleet.store import probe
from tests.aws.moto import STRANGE, Moto, moto_server
from tests.ssh.host import SmallHost, installed, quickly
from tests.ssh.sshd import make_key, public
from tests.unit.cli.test_json import check

pytestmark = pytest.mark.system
URL = "s3://the-fleets"
SECRET = "the-laptops-own-secret"


@pytest.fixture(scope="module")
def server() -> Iterator[Moto]:
    with moto_server() as made:
        yield made


@pytest.fixture
def laptop(server: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """One whose fleet is in a bucket of an empty cloud."""
    for name in STRANGE:
        monkeypatch.delenv(name, raising=False)
    own = {"FLEET_HOME": str(tmp_path / "fleet"), "AWS_SECRET_ACCESS_KEY": SECRET}
    for name, value in {**server.env, **own}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(CHOSEN, "as_json", False)
    monkeypatch.setattr(probe, "KEYS", 1)
    monkeypatch.setattr(probe, "WRITERS", 1)
    monkeypatch.setattr(dependencies, "pip_download", installed)
    monkeypatch.setattr(packing, "gzipped", quickly)
    server.forget()
    forget_clients()
    aws_client("s3", "us-east-1").create_bucket(Bucket=URL.removeprefix("s3://"))
    home = open_home()
    open_fleet(home, URL, create=True)
    home.remember_bucket(URL)
    return home


def stopped_run(home: Home) -> Controller:
    """A run that was to be stopped: ending it is a round's work."""
    controller = open_fleet(home, URL)
    job, now = Job.model_validate({"name": "racer", "run": "true", "resources": {"infra": "aws"}}), controller.objects.now()
    created = RunCreated(at=now, run_id="racer-1", name="racer", job=job, mounts={})
    assert controller.record([created])
    assert controller.record([StopRequested(at=now, run_id="racer-1", how="down")])
    return controller


def deploy(host: SmallHost, key: Path, **more: Any) -> int:
    CHOSEN.as_json = more.get("as_json", False)
    options: dict[str, Any] = {"cron": False, "yes": True, "as_json": False, **more}
    buckets, profile = options.pop("buckets", ()), options.pop("profile", None)
    return deploy_ssh(host.target, buckets, profile, key, **options)


def remove(host: SmallHost, key: Path, *, as_json: bool = False) -> int:
    CHOSEN.as_json = as_json
    return remove_ssh(host.target, key, yes=True, as_json=as_json)


def test_the_controller_runs_on_the_host_from_its_own_files_and_keeps_the_journal(
    laptop: Home, host: SmallHost, key: Path, server: Moto, capsys: pytest.CaptureFixture[str]
) -> None:
    host.has_credentials(server.url)
    (host.home / "fleet").mkdir()
    (host.home / "fleet" / "__init__.py").write_text("raise SystemExit('another fleet')")
    controller = stopped_run(laptop)
    assert deploy(host, key) == 0
    out = capsys.readouterr().out
    controller.catch_up()
    assert controller.state.runs["racer-1"].outcome is not None
    (version,) = host.versions()
    assert host.current == version
    assert f'ExecStart="{host.base}/current/fleet" "controller" "run"' in host.unit.read_text()
    assert 'Environment="FLEET_CONTROLLER=service"' in host.unit.read_text()
    assert [line.split(" ", 1)[1] for line in host.commands][1:] == [
        "--user daemon-reload",
        "--user enable --now fleet-controller.service",
    ]
    assert host.commands[0].startswith("loginctl enable-linger ")
    assert json.loads((host.base / "home" / "buckets.json").read_text()) == [URL]
    assert json.loads((host.base / "home" / "aws.json").read_text())["profiles"] == {URL: None}
    assert not (host.base / "trial").exists()
    assert not [path for path in host.home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    for shown in (
        str(host.unit),
        "loginctl enable-linger",
        f"try     {URL}",
        "credentials of AWS that the host has by itself",
    ):
        assert shown in out
    assert deploy(host, key) == 0  # again
    assert "Nothing to do" in capsys.readouterr().out
    assert len(host.commands) == 3
    told = subprocess.run([host.base / "current/fleet", "ps"], env={"HOME": str(host.home)}, capture_output=True, check=True)
    assert b"racer" in told.stdout


def test_another_version_is_started_anew_the_one_before_stays_and_older_ones_go(
    laptop: Home, host: SmallHost, key: Path, server: Moto
) -> None:
    host.has_credentials(server.url)
    for old in ("0.0.1-aaaaaaaaaaaa", "0.0.2-bbbbbbbbbbbb"):
        (host.base / old).mkdir(parents=True)
    (host.base / "current").symlink_to("0.0.2-bbbbbbbbbbbb")
    host.unit.parent.mkdir(parents=True)
    host.unit.write_text(f'[Service]\nEnvironment="FLEET_HOME={host.base}/home"\nExecStart="an older fleet\'s"\n')
    assert deploy(host, key) == 0
    assert host.versions() == ["0.0.2-bbbbbbbbbbbb", host.current]
    assert "current/fleet" in host.unit.read_text()
    assert host.commands[-1] == "systemctl --user restart fleet-controller.service"


def test_cron_runs_it_where_there_is_no_systemd_and_the_users_lines_stay(
    laptop: Home, host: SmallHost, key: Path, server: Moto, capsys: pytest.CaptureFixture[str]
) -> None:
    host.has_credentials(server.url)
    theirs = b"MAILTO=me\n*/5 * * * * caf\xe9 100\\%\n"
    (host.state / "crontab").write_bytes(theirs)
    for name in ("systemctl", "loginctl"):
        host.shims.remove(name)
    with pytest.raises(FleetError, match="no systemctl") as told:
        deploy(host, key)
    assert "--cron" in told.value.hint
    capsys.readouterr()
    assert deploy(host, key, cron=True, as_json=True) == 0
    found = check("deployed", json.loads(capsys.readouterr().out))
    assert (found["how"], found["steps"][-1]["action"]) == ("cron", "line")
    crontab = host.crontab
    assert crontab is not None
    line, _, rest = crontab.partition(b"\n")
    assert rest == theirs
    stopped_run(laptop)
    command = line.removeprefix(b"* * * * * ").decode().replace(r"\%", "%")
    env = {"HOME": str(host.home), "PATH": "/usr/bin:/bin"}
    for _ in range(2):  # what happens, then nothing
        cron = subprocess.run(["/bin/sh", "-c", command], env=env, capture_output=True, cwd=host.home, check=True)
        assert (cron.stdout, cron.stderr) == (b"", b"")
    log = (host.base / "home" / "controller.log").read_text().splitlines()
    assert log
    assert all("Z " in entry for entry in log)
    assert len([entry for entry in log if "ended" in entry or "stopped" in entry]) == 1
    assert remove(host, key) == 0
    assert host.crontab == theirs
    assert not host.base.exists()


def test_without_credentials_of_its_own_nothing_is_enabled_and_it_is_said_plainly(
    laptop: Home, host: SmallHost, key: Path, server: Moto
) -> None:
    host.reaches(server.url)
    with pytest.raises(FleetError, match="there are no AWS credentials") as told:
        deploy(host, key)
    assert "fleet never copies credentials" in told.value.hint
    assert "stays for the next try" in told.value.hint
    assert host.commands == []
    assert not host.unit.exists()
    assert not (host.base / "current").exists()
    assert len(host.versions()) == 1
    host.has_credentials(server.url)
    put = host.base / host.versions()[0] / "start.py"
    before = put.stat().st_mtime_ns, put.stat().st_ino
    assert deploy(host, key) == 0
    assert (put.stat().st_mtime_ns, put.stat().st_ino) == before  # not put there again
    assert host.unit.exists()


def test_killed_between_the_upload_and_the_switch_the_same_command_completes_it(
    laptop: Home, host: SmallHost, key: Path, server: Moto, tmp_path: Path
) -> None:
    host.has_credentials(server.url)
    words = [sys.executable, "-m", "tests.ssh.deploy", host.target, str(key)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("  done: put"))
        process.send_signal(signal.SIGKILL)
    version = line.strip().rpartition("/")[2]
    assert host.versions() == [version]
    assert not (host.base / "current").exists()
    shutil.copytree(host.base / version, host.base / "0.0.1-aaaaaaaaaaaa.part")  # of one that was killed earlier
    (host.base / version).rename(host.base / f"{version}.part")
    assert deploy(host, key) == 0
    assert host.versions() == [version]
    assert host.current == version


def test_what_was_put_there_is_taken_away_and_runs_are_left_alone(
    laptop: Home, host: SmallHost, key: Path, server: Moto, capsys: pytest.CaptureFixture[str]
) -> None:
    host.has_credentials(server.url)
    assert remove(host, key) == 0
    assert "Nothing to remove" in capsys.readouterr().out
    assert deploy(host, key) == 0
    capsys.readouterr()
    with pytest.raises(FleetError, match="Nobody is there to answer"):
        remove_ssh(host.target, key, yes=False, as_json=False)
    assert host.base.exists()
    host.shims.remove("python3")  # taking away needs none
    assert remove(host, key) == 0
    assert "nobody looks after them" in capsys.readouterr().out
    assert not host.base.exists()
    assert not host.unit.exists()
    assert host.commands[-2:] == [
        "systemctl --user disable --now fleet-controller.service",
        "systemctl --user daemon-reload",
    ]
    assert remove(host, key, as_json=True) == 0
    assert check("deployed", json.loads(capsys.readouterr().out))["steps"] == []
    assert open_fleet(laptop, URL).state.fleet_id


def test_lingering_that_is_refused_is_told_with_what_allows_it(
    laptop: Home, host: SmallHost, key: Path, server: Moto
) -> None:
    host.has_credentials(server.url)
    host.shims.add("loginctl", "echo 'Could not enable linger: Access denied' >&2; exit 1")
    with pytest.raises(FleetError, match="Access denied") as told:
        deploy(host, key)
    assert "sudo" in told.value.hint
    assert "--cron" in told.value.hint


def test_buckets_on_this_computer_are_refused_and_one_without_a_fleet_is_noticed_before_anything_is_touched(
    laptop: Home, host: SmallHost, key: Path
) -> None:
    with pytest.raises(FleetError, match="is on this computer"):
        deploy(host, key, buckets=["file:///tmp/bucket"])
    aws_client("s3", "us-east-1").create_bucket(Bucket="empty")
    with pytest.raises(FleetError, match="no fleet in s3://empty"):
        deploy(host, key, buckets=["s3://empty"])
    laptop.forget_bucket(URL)
    with pytest.raises(FleetError, match="no bucket in a cloud is known here"):
        deploy(host, key)
    assert not host.base.exists()


def test_a_host_whose_key_nobody_knows_is_refused_with_what_shows_and_accepts_it(
    laptop: Home, host: SmallHost, key: Path, tmp_path: Path
) -> None:
    known = tmp_path / "home" / ".ssh" / "known_hosts"
    known.write_text("")
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", f"{host.sshd.host_key}.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    with pytest.raises(UnknownHostError) as told:
        deploy(host, key)
    assert fingerprint in told.value.message
    assert f"ssh -p {host.sshd.port} 127.0.0.1" in told.value.hint
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in told.value.hint
    assert known.read_text() == ""
    (tmp_path / "home" / ".ssh" / "config").write_text("Host *\n  StrictHostKeyChecking no\n")
    with pytest.raises(UnknownHostError):
        deploy(host, key)
    assert "publickey" not in host.sshd.log
    known.write_text(f"[127.0.0.1]:{host.sshd.port} {public(make_key(tmp_path / 'another'))}\n")
    with pytest.raises(ImpostorError, match="another host key than the one that you know") as changed:
        deploy(host, key)
    assert f"ssh-keygen -R '[127.0.0.1]:{host.sshd.port}'" in changed.value.hint
