"""``fleet exec`` against a test's sshd, as a process of its own: python -m tests.ssh.drive FILE COMMAND…"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fleet.boot.reach import Patience, Reach
from fleet.boot.session import run, shell
from fleet.boot.ssh import connect


def main() -> int:
    told = json.loads(Path(sys.argv[1]).read_text())
    reach = Reach(told["address"], told["user"], tuple(told["keys"]), told["port"])
    patience = Patience(connect=5, login=10, ask=0.5, silent=1.5)
    with connect(reach, identity=Path(told["identity"]), patience=patience) as connection:
        if sys.argv[2:] == ["--shell"]:
            return shell(connection, reach)
        return run(connection, reach, sys.argv[2:], script=told["script"])


if __name__ == "__main__":
    sys.exit(main())
