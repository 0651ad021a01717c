# Every command that a developer needs; `make help` lists them.
PYTHON ?= python

.PHONY: help test check format
.DEFAULT_GOAL := help

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test:  ## run the tests (set LOGREG_DATA to a folder of MNIST files for all of them)
	$(PYTHON) -m pytest

check:  ## style, format, and that every file compiles without a warning
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -W error -m compileall -q -f logistic_sgd.py logistic_cg.py utils tests

format:  ## put the files into the house's format
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
