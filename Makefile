# graphscan: every task of a developer, and of someone who just wants to look.
# `make` alone lists them. Nothing but Python 3.11 or newer, make and the package registries is needed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check format docs bench soak system-deps clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.graphscan-setup
UV := $(shell command -v uv 2>/dev/null)
# The first that runs and is new enough; a name on the PATH may be a shim for a version that is not installed.
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python3.14 python; do \
	$$p -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
endif

TEST_WORKERS ?= 2
TESTS ?= tests
# The benchmarks that `make bench` runs.
ONLY ?= network sweep truth
# Two workers that each start as many threads as there are cores only wait for one another.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 ARROW_NUM_THREADS=1

# command:package (Debian's name) of each program that the tests in this tree start.
SYSTEM_TOOLS := \
	$(if $(wildcard tests/neo4j/*.py),javac:openjdk-17-jdk-headless mvn:maven) \
	$(if $(shell grep -ls 'mark.browser' tests/*/*.py 2>/dev/null),chromium:chromium)

help: ## Show this list
	@echo "graphscan: make TARGET, one of"
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 16

setup: $(STAMP) ## Make the virtual environment .venv with everything in it

# The versions of uv.lock hold on both ways; pip cannot read that file, so they are handed to it as constraints.
$(STAMP): pyproject.toml uv.lock
ifneq ($(UV),)
	$(UV) sync --frozen --inexact $(if $(PYTHON),--python $(PYTHON))
else
	@test -n "$(PYTHON)" || { echo "graphscan needs Python 3.11 or newer; none was found (looked for python3.11 to python3.14, python3, python)" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -c "$$CONSTRAINTS" < uv.lock > $(VENV)/constraints.txt
	$(BIN)/python -m pip install --quiet -c $(VENV)/constraints.txt --editable . --group dev
endif
	@touch $@

define CONSTRAINTS
import collections, sys, tomllib
found = collections.defaultdict(set)
for package in tomllib.load(sys.stdin.buffer)["package"]:
    if "registry" in package["source"]:
        found[package["name"]].add(package["version"])
for name, versions in sorted(found.items()):
    if len(versions) == 1:
        print(f"{name}=={versions.pop()}")
endef
export CONSTRAINTS

demo: setup ## Simulate a small platform, sweep it, and show what was found
	$(BIN)/graphscan demo

test: setup system-deps ## Run every test
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup $(TESTS)

check: setup ## Lint, formatting, types and import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Put the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Write the reference pages and the output shown in the README anew
	$(BIN)/python -m graphscan.cli.reference docs/reference
	$(BIN)/python -m graphscan.verdicts.pages docs
	$(BIN)/python docs/console.py README.md

bench: setup ## Print the tables of benchmarks/README.md (an hour or more; ONLY=network for one)
ifneq ($(UV),)
	$(UV) sync --frozen --inexact --group bench $(if $(PYTHON),--python $(PYTHON))
else
	$(BIN)/python -m pip install --quiet -c $(VENV)/constraints.txt --group bench
endif
	@for name in $(ONLY); do echo "## $$name" && $(BIN)/python -m benchmarks.$$name || exit 1; done

system-deps:
	@missing=""; for tool in $(SYSTEM_TOOLS); do \
		command -v "$${tool%%:*}" >/dev/null 2>&1 || missing="$$missing $${tool##*:}"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
		echo "installing$$missing" >&2; \
		apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing >/dev/null; \
	else echo "the tests need these system packages, please install them:$$missing" >&2; exit 1; fi

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist

include deploy/neo4j/neo4j.mk
