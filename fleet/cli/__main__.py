"""``python -m fleet.cli``."""

from fleet.cli.main import main

main()
