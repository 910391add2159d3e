# Each target sets itself up: all it needs is make and Python 3.11 or newer, with venv.
# What is installed, to the byte, stands in requirements/: `make lock` writes those files.

VENV := .venv
BIN := $(VENV)/bin
# many tests wait for a process or a clock: more workers than cores keep both cores of a small machine busy
WORKERS ?= 5
FOR ?=
PYTHONS := $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# else every process of the tests compiles all modules anew, where the environment says so
export PYTHONDONTWRITEBYTECODE :=
# the stores of tests lie in memory where there is room (4 GB): each commit would wait for the disk
export PYTEST_DEBUG_TEMPROOT := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')

.DEFAULT_GOAL := help
# the tests of a package stand in the folder of its name
THEIRS = $(sort $(foreach file,$(FOR),$(wildcard tests/$(word 2,$(subst /, ,$(file))))))

.PHONY: help demo play test lint types imports docs pytest quick torture bench coverage wheel man pictures audit hooks lock clean

help:  ## Say what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

demo: $(VENV)/demo  ## Play a service desk's day on two simulated servers
	$(BIN)/itopsync demo

play: $(VENV)/play  ## Keep two simulated servers up, with a page to play on
	$(BIN)/itopsync demo --serve

test: $(VENV)/dev  ## Everything that a change must pass
	@$(MAKE) --no-print-directory --jobs=2 lint types imports docs
	@$(MAKE) --no-print-directory pytest

lint: $(VENV)/dev  ## Style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/dev  ## Types, strictly
	$(BIN)/mypy

imports: $(VENV)/dev  ## The layers
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/dev  ## The documentation, into site/
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs site

pytest: $(VENV)/dev  ## The tests alone
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal --quiet

quick: $(VENV)/dev  ## The tests that take no time, to run while you write; FOR="itopsync/store/links.py" for all of its package's
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal --quiet -m "not torture$(if $(THEIRS),, and not slow)" $(THEIRS)

torture: $(VENV)/dev  ## The long and deep tests
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal --quiet --hypothesis-profile=deep tests/reconcile tests/itop/test_any_answer.py tests/config/test_fuzz.py
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal --quiet -m torture

bench: $(VENV)/dev  ## The measurements, into docs/performance.md; PARTS="idle backfill" for some
	$(BIN)/python -m tests.bench --keep $(PARTS)

coverage: $(VENV)/dev  ## The tests, and which lines they reach
	$(BIN)/pytest --numprocesses=$(WORKERS) --dist=worksteal --quiet --cov --cov-report=term
	$(BIN)/coverage report --include='itopsync/reconcile/*' --fail-under=100

wheel: $(VENV)/dev  ## The wheel and the source archive, into dist/
	$(BIN)/hatchling build

man: $(VENV)/dev  ## The manual page, itopsync.1, from the commands, and the console's runbook from the documents
	$(BIN)/python -m itopsync.cli.manual > itopsync.1.new
	mv itopsync.1.new itopsync.1
	$(BIN)/python -m itopsync.web.runbook > runbook.json.new
	mv runbook.json.new itopsync/web/runbook.json

pictures: $(VENV)/dev  ## The pictures of the console, into docs/web, from the real pages in Chromium
	$(BIN)/python -m tests.web.pictures

audit: $(VENV)/dev  ## Compare what is installed with published advisories (needs the network)
	$(INSTALL) pip-audit
	$(BIN)/pip-audit --disable-pip --require-hashes --requirement requirements/dev.txt

hooks: $(VENV)/dev  ## Let git run style, format and types before each commit
	$(INSTALL) pre-commit
	$(BIN)/pre-commit install

clean:  ## Remove what the other targets made
	rm -rf $(VENV) site dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*

# Setting up. Hashes are checked for all that comes from elsewhere; itopsync itself is installed from here, editable.

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $$python -m venv $(VENV) && exit; \
	    rm -rf $(VENV); echo "$$python cannot make a virtual environment (on Debian: install python3-venv)" >&2; exit 1; \
	  fi; \
	done; echo "Python 3.11 or newer is needed; name it as in: make PYTHON=/path/to/python3" >&2; exit 1

$(VENV)/demo: requirements/demo.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements/demo.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/play: requirements/play.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements/play.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/demo

$(VENV)/dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/play $(VENV)/demo

COMPILE := $(BIN)/uv pip compile --quiet --universal --no-strip-extras --python-version 3.11 --upgrade --generate-hashes --custom-compile-command "make lock"

lock: $(VENV)/dev  ## Take the newest releases that pyproject.toml allows
	$(INSTALL) uv
	$(COMPILE) --extra demo --group build --output-file requirements/demo.txt pyproject.toml
	$(COMPILE) --extra demo --extra web --group build --constraint requirements/demo.txt --output-file requirements/play.txt pyproject.toml
	$(COMPILE) --all-extras --group dev --constraint requirements/play.txt --output-file requirements/dev.txt pyproject.toml
