# Each target does its own set-up, in .venv. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test check unit bench cluster demo-cluster clean

VENV := .venv
BIN := $(VENV)/bin
SETUP := pyproject.toml requirements.lock reconciler/__init__.py

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: $(VENV)/.runtime ## run the main job: push, diff, sync, break, report (git and Python only)
	@PATH="$(CURDIR)/$(BIN):$$PATH" docs/demo/demo.sh

test: check unit ## set up, lint, and run every test that this machine can run

check: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.dev ## the tests alone, on as many processes as there are cores, four at most
	$(BIN)/python tests/controlplane/build.py || true
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

cluster: $(VENV)/.dev ## a Kubernetes control plane with GPU nodes on loopback, until Ctrl-C
	$(BIN)/python tests/controlplane/cluster.py

demo-cluster: $(VENV)/.dev ## the demo on that cluster, to Ready pods
	$(BIN)/python tests/controlplane/demo.py

bench: $(VENV)/.dev ## time the command line on a generated fleet of a thousand services
	$(BIN)/python benchmarks/run.py

clean: ## remove what the other targets made here
	rm -rf .demo $(VENV) .mypy_cache .pytest_cache .ruff_cache build dist

$(VENV)/bin/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "setting up $(VENV) with $$("$$python" --version)"; exec "$$python" -m venv $(VENV); \
	  fi; \
	done; \
	echo "no Python 3.11 or later with venv here (on Debian: apt install python3-venv); name one with PYTHON=..." >&2; exit 1

$(VENV)/.runtime: $(VENV)/bin/python $(SETUP)
	@echo "installing llmkube and what it needs into $(VENV) (once, about half a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python $(SETUP)
	@echo "installing llmkube, its tests and their tools into $(VENV) (once, about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@ $(VENV)/.runtime
