"""What a command on a machine says, taken instead of shown: the doctor looks at a machine so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.boot import session
from fleet.boot.reach import SshError
from fleet.boot.ssh import connect
from fleet.workloads.deepracer.doctor import command, understood
from tests.ssh.sshd import Sshd

pytestmark = pytest.mark.system
MakeSshd = Callable[..., Sshd]


def test_code_output_and_error_come_apart_and_nothing_is_shown(
    sshd: MakeSshd, key: Path, script: Path, training: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = sshd()
    with connect(server.reach, identity=key) as connection:
        words = ["sh", "-c", "cat; echo $MARK $PWD; printf '\\000\\377'; echo why >&2; exit 7"]
        code, out, err = session.captured(connection, server.reach, words, silent=30, script=str(script))
    assert (code, out, err) == (7, f"the mark {training}\n".encode() + b"\0\xff", b"why\n")
    assert capfd.readouterr() == ("", "")


def test_a_machine_is_looked_at_beside_its_training(sshd: MakeSshd, key: Path, script: Path, training: Path) -> None:
    (training / "model_metadata.json").write_text('{"action_space": [{}, {}]}')
    server = sshd()
    with connect(server.reach, identity=key) as connection:
        _, out, err = session.captured(connection, server.reach, command(), silent=120, script=str(script))
    found = understood(out, err)
    assert found.actions == 2
    assert found.total > 0


def test_one_that_says_nothing_is_given_up(sshd: MakeSshd, key: Path, script: Path, training: Path) -> None:
    server = sshd()
    with connect(server.reach, identity=key) as connection, pytest.raises(SshError, match="says nothing"):
        session.captured(connection, server.reach, ["sleep", "60"], silent=1, script=str(script))
