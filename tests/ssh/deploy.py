"""``fleet controller deploy ssh`` as a process of its own, to be killed: python -m tests.ssh.deploy HOST KEY"""

from __future__ import annotations

import sys
from pathlib import Path

from fleet.boot import dependencies, packing
from fleet.cli.deploy_host import deploy_ssh
from tests.ssh.host import installed, quickly

if __name__ == "__main__":
    dependencies.pip_download = installed  # type: ignore[assignment]
    packing.gzipped = quickly
    sys.exit(deploy_ssh(sys.argv[1], (), None, Path(sys.argv[2]), cron=False, yes=True, as_json=False))
