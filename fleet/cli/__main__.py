"""``python -m fleet.cli``."""

from fleet.cli.entry import main

main()
