# Two commands do everything: `make atlas` and `make test`. Both set up .venv first where it is missing.
PYTHON ?= python3
BIN = .venv/bin
SNAKEMAKE = $(BIN)/snakemake --workflow-profile config/profiles/local

.PHONY: atlas atlas-now test lint format plan progress verify stale

atlas: .venv/ready
	@started=$$(date +%s); $(SNAKEMAKE) $(ARGS) && \
	echo "konvolut: open $(CURDIR)/results/atlas/index.html ($$(( $$(date +%s) - started )) s)"

# What a sweep will take; how far it is (from another terminal); whether its results are whole; what belongs to none.
plan: .venv/ready
	@$(SNAKEMAKE) $(ARGS) -- plan_report

progress verify stale: .venv/ready
	@PYTHONPATH=workflow $(BIN)/python -m konvolut $@ $(ARGS)

# What a sweep that runs meanwhile has finished; it holds the lock of the folder and goes on.
atlas-now: .venv/ready
	@$(SNAKEMAKE) --nolock --forcerun atlas_now $(ARGS) -- atlas_now && \
	echo "konvolut: open $(CURDIR)/results/atlas-now/index.html"

# Three at a time on two cores: tests of Slurm wait most of their time.
test: .venv/ready-dev lint
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# Without a cache: ruff keys it by file, and a module that moved changes the order of imports in files that did not.
lint: .venv/ready-dev
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --check .
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint

format: .venv/ready-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/snakefmt Snakefile workflow

.venv/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "konvolut needs Python 3.11 or newer: make PYTHON=python3.11")'
	@echo "konvolut: installing into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
