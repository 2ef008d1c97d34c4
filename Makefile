# Everything installs itself into .venv first: a machine with Python and make needs nothing else.
PYTEST = .venv/bin/python -m pytest
DEV = .venv/.installed-dev

.PHONY: help demo test test-system check bench wheel clean

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

demo: .venv/.installed-demo ## train a small racing car whose machines are taken away, and prove that nothing is lost
	.venv/bin/fleet demo

test: $(DEV) ## the tests that need nothing but Python
	$(PYTEST) -m "not system"

test-system: $(DEV) ## whole runs, kills, real traces, the built wheel: some minutes
	$(PYTEST) -m system --durations=10

check: $(DEV) ## linters, types, import directions, shell scripts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/shellcheck scripts/*.sh .ci/run

bench: $(DEV) ## figures: benchmarks/README.md says what they mean
	.venv/bin/python benchmarks/journal.py
	.venv/bin/python benchmarks/startup.py
	.venv/bin/python benchmarks/peers.py
	.venv/bin/python benchmarks/recovery.py
	.venv/bin/python benchmarks/at_rest.py
	.venv/bin/python benchmarks/transfer.py

wheel: $(DEV) ## dist/fleet-*.whl
	.venv/bin/python -m build --wheel

clean: ## everything that the other targets made
	rm -rf .venv .bench dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.installed-%: pyproject.toml scripts/bootstrap.sh
	sh scripts/bootstrap.sh $*
