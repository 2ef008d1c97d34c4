# Everything installs itself into .venv first: a machine with Python and make needs nothing else.
PYTEST = .venv/bin/python -m pytest
DEV = .venv/.installed-dev

MACHINE = attach-disk dmidecode entrypoint systemd-detect-virt

# On every core, each file as a whole on one: what a file sets up it sets up once.
SPREAD = -n logical --dist loadfile

MINUTES = 10
CLOUD = sim
TRACES = ../shared/data/spot-traces
TIMES = 50

.PHONY: help demo test test-system test-aws check bench bench-policy soak mutants fuzz docs pictures wheel clean

help: ## these lines
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

demo: .venv/.installed-demo ## train a small racing car whose machines are taken away, and prove that nothing is lost
	.venv/bin/fleet demo

test: $(DEV) ## the tests that need nothing but Python
	$(PYTEST) $(SPREAD) -m "not system and not real"

test-system: $(DEV) ## whole runs, kills, real traces, containers, the built wheel: some minutes; installs docker if missing
	sh scripts/system-programs.sh $(PYTEST) -m system --durations=10

test-aws: $(DEV) ## one real machine in your AWS account, for less than $$0.05; what it makes is removed again
	$(PYTEST) -m real tests/real -s

# The trainings that the documentation shows are tested with the frameworks that they are written for.
test-system: .venv/.installed-test-frameworks

check: $(DEV) ## linters, types, import directions, shell scripts, the documentation's links
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/shellcheck scripts/*.sh userdata/*.sh ami/*.sh .ci/run examples/resumable/shell/*.sh $(addprefix tests/ec2/image/,$(MACHINE)) tests/gce/image/dmidecode
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

bench: $(DEV) ## figures: benchmarks/README.md says what they mean
	.venv/bin/python benchmarks/journal.py
	.venv/bin/python -m benchmarks.startup
	.venv/bin/python -m benchmarks.launching
	.venv/bin/python -m benchmarks.function
	.venv/bin/python -m benchmarks.money
	.venv/bin/python -m benchmarks.money_report
	.venv/bin/python -m benchmarks.peers
	.venv/bin/python -m benchmarks.deepracer_stats
	.venv/bin/python -m benchmarks.recovery
	.venv/bin/python -m benchmarks.scale
	.venv/bin/python -m benchmarks.at_rest
	.venv/bin/python -m benchmarks.transfer
	.venv/bin/python -m benchmarks.backtest

bench-policy: $(DEV) ## placement and deadlines against others' policies and the optimum: make bench-policy TRACES=../shared/data/spot-traces
	.venv/bin/python -m benchmarks.policy $(TRACES) $(PLOTS:%=--plots %)

soak: $(DEV) ## search for broken laws in simulated storms of faults: make soak MINUTES=60, and CLOUD=gcp
	.venv/bin/python -m tests.simulation.chaos soak $(MINUTES) --cloud $(CLOUD)

mutants: $(DEV) ## break the code on purpose, in every named way, and show that the laws notice each
	.venv/bin/python -m tests.simulation.chaos mutants

fuzz: $(DEV) ## the tests of strange input with many more examples: make fuzz TIMES=100
	FLEET_FUZZ_EXAMPLES=$(TIMES) $(PYTEST) tests/fuzz --timeout 0

docs: $(DEV) ## the documentation as a site: site/index.html
	.venv/bin/python scripts/embed.py
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

pictures: $(DEV) ## the pictures of the terminal in docs/pictures, from real commands
	.venv/bin/python scripts/pictures.py

wheel: $(DEV) ## dist/fleet-*.whl
	.venv/bin/python -m build --wheel

clean: ## everything that the other targets made
	rm -rf .venv .bench dist build site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.installed-test-frameworks: tests/requirements-frameworks.txt $(DEV)
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

.venv/.installed-%: pyproject.toml scripts/bootstrap.sh
	sh scripts/bootstrap.sh $*
