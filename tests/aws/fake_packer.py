"""A program that is called packer: writes down what it is asked, and answers as the real one would.

In its folder: ``version`` (what it says it is), ``does`` (``builds``, ``fails``, ``hangs``, ``forgets``), ``image`` (the
artifact's id). Its arguments go to ``calls``, the variables to ``variables``, the signals that it hears to ``heard``.

As the real one it runs itself once more: the process that was started ignores SIGINT and hands on SIGTERM alone.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

PROGRAM = """#!{python} -I
import json, os, signal, subprocess, sys, time
from pathlib import Path

here = Path({folder!r})
words = sys.argv[1:]
if "PANICWRAP" not in os.environ:
    children = []
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: children[0].send_signal(number))
    children.append(subprocess.Popen([sys.executable, "-I", *sys.argv], env=dict(os.environ, PANICWRAP="1")))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    sys.exit(children[0].wait())
del os.environ["PANICWRAP"]
with (here / "calls").open("a") as file:
    file.write(json.dumps(words) + chr(10))
does = (here / "does").read_text()
if words[0] == "version":
    print((here / "version").read_text())
    sys.exit(0)
if words[0] == "init":
    sys.exit(3 if does == "cannot init" else 0)
chosen = next(word for word in words if word.startswith("-var-file="))
known = json.loads(Path(chosen.partition("=")[2]).read_text())
(here / "variables").write_text(json.dumps(known))
(here / "archives").write_text(json.dumps(sorted(os.listdir(known["archives"]))))
(here / "template").write_text(json.dumps(sorted(os.listdir(words[-1]))))
(here / "env").write_text(json.dumps(dict(os.environ)))

def hear(number, frame):
    with (here / "heard").open("a") as file:
        file.write(str(number) + chr(10))

signal.signal(signal.SIGINT, hear)
signal.signal(signal.SIGTERM, hear)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
print("==> amazon-ebs.fleet: Launching a source AWS instance...", flush=True)
if does == "hangs":
    until = time.monotonic() + 20
    while not (here / "heard").exists():
        if time.monotonic() > until:
            sys.exit("nobody ended it")
        time.sleep(0.01)
    print("Cancelling build after receiving interrupt", flush=True)
    time.sleep(0.3)
    print("==> amazon-ebs.fleet: Terminating the source AWS instance...", flush=True)
    (here / "cleaned").write_text("")
    sys.exit(1)
if does == "fails":
    print("Build 'amazon-ebs.fleet' errored: bake: gpu failed", flush=True)
    print("==> Some builds didn't complete successfully and had errors:", flush=True)
    print("--> amazon-ebs.fleet: Script exited with non-zero exit status: 100", flush=True)
    print("==> Builds finished but no artifacts were created.", flush=True)
    sys.exit(1)
if does != "forgets":
    image = (here / "image").read_text()
    made = {{"artifact_id": known["region"] + ":" + image, "builder_type": "amazon-ebs", "name": "fleet"}}
    Path(known["manifest"]).write_text(json.dumps({{"builds": [made], "last_run_uuid": "u"}}))
    Path(known["facts"]).write_text((here / "facts").read_text())
print("==> Builds finished.", flush=True)
"""


class FakePacker:
    """The one in ``folder/bin``."""

    def __init__(self, folder: Path, version: str = "Packer v1.6.6") -> None:
        self.folder, self.bin = folder / "packer", folder / "bin"
        self.folder.mkdir()
        self.bin.mkdir()
        program = self.bin / "packer"
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(self.folder)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.says(version=version, does="builds", image="ami-1", facts="{}")

    def says(self, **words: str) -> None:
        """What it is, does, and builds."""
        for name, text in words.items():
            (self.folder / name).write_text(text)

    @property
    def path(self) -> str:
        """PATH with it in front."""
        return f"{self.bin}{os.pathsep}{os.environ['PATH']}"

    def calls(self) -> list[list[str]]:
        """Its arguments, call by call."""
        lines = (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []
        return [json.loads(line) for line in lines]

    def told(self, name: str) -> object:
        """What it wrote down: ``variables``, ``archives``, ``template``, ``env``."""
        return json.loads((self.folder / name).read_text())

    def heard(self) -> list[str]:
        """Signals."""
        return (self.folder / "heard").read_text().split() if (self.folder / "heard").exists() else []
