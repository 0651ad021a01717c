# Every command that a developer needs; `make help` lists them.
PYTHON ?= python
FUZZ_SECONDS ?= 60

.PHONY: help test kills fuzz check format pictures bench growth
.DEFAULT_GOAL := help

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test:  ## run the tests (set LOGREG_DATA to a folder of MNIST files for all of them)
	$(PYTHON) -m pytest

kills:  ## kill 100 runs of each script with SIGKILL, and compare the resumed with the unbroken
	$(PYTHON) tests/kill_and_resume.py 100 --dataset mnist.pkl.gz

fuzz:  ## feed each reader of files FUZZ_SECONDS (60) of damaged ones (pip install '.[fuzz]')
	$(PYTHON) tests/fuzz_readers.py --seconds $(FUZZ_SECONDS)

check:  ## style, format, and that every file compiles without a warning
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -W error -m compileall -q -f logistic_sgd.py logistic_cg.py utils tests benchmarks docs

pictures:  ## draw docs/*.png anew, from runs on MNIST (pip install '.[plot]')
	$(PYTHON) docs/pictures.py

bench:  ## this program beside NumPy, PyTorch, JAX, scikit-learn and C (pip install '.[bench]')
	$(PYTHON) benchmarks/compare.py

growth:  ## how the cost of a step grows, fused against plain
	$(PYTHON) benchmarks/growth.py --figure growth.svg

format:  ## put the files into the house's format
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
