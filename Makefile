# The commands of the project. `run` and `test` set everything up first: scripts/bootstrap.py, instant once it is done.
PYTHON ?= python3
VENV_PYTHON = .venv/bin/python
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-window run test test-isa check bench soak clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup:  ## make .venv and install what is missing (`run`, `test`, `check` and `bench` do it too)
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON) here; rnnstudio needs Python 3.11 to 3.13" >&2; exit 1; }
	@$(PYTHON) scripts/bootstrap.py

setup-window:
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON) here; rnnstudio needs Python 3.11 to 3.13" >&2; exit 1; }
	@$(PYTHON) scripts/bootstrap.py --window

run: setup-window  ## open the studio on the language model example; without a display, train and export it here
	@$(VENV_PYTHON) -m rnnstudio demo

test: setup  ## all tests, without a display (ARGS="-k name" passes options to pytest)
	@QT_QPA_PLATFORM=offscreen $(VENV_PYTHON) -m pytest -n 2 --dist loadfile $(ARGS)

test-isa: setup  ## what depends on the processor, with code limited to SSE2, AVX2 and AVX-512
	@$(VENV_PYTHON) -m tests.limits -n 2 --dist loadfile $(ARGS)

check: setup  ## lint, types, and who may import whom
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: setup  ## measure speed (ARGS="name ..." picks some)
	@$(VENV_PYTHON) -m tests.bench $(ARGS)

soak: setup  ## kills, full disks, damaged and hostile files by the thousand; takes minutes (ARGS="name ... --scale 0.1")
	@QT_QPA_PLATFORM=offscreen $(VENV_PYTHON) -m tests.soak $(ARGS)

clean:  ## remove .venv, caches and what the tools left
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
