# Every command that a developer needs; `make help` lists them.
PYTHON ?= python
FUZZ_SECONDS ?= 60
LONG ?= tests/long

.PHONY: help test test-long test-all kills fuzz check format pictures notebook bench growth
.DEFAULT_GOAL := help

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test:  ## run the quick tests (LOGREG_DATA names the folder of the MNIST files)
	$(PYTHON) -m pytest

test-long:  ## run all the other tests
	$(PYTHON) -m pytest $(LONG)

test-all: test test-long  ## run both

kills:  ## kill 100 runs of each script with SIGKILL, and compare the resumed with the unbroken
	$(PYTHON) tests/kill_and_resume.py 100 --dataset mnist.pkl.gz

fuzz:  ## feed each reader of files FUZZ_SECONDS (60) of damaged ones (pip install '.[fuzz]')
	for reader in idx gzip pickle npz model checkpoint; do \
		$(PYTHON) tests/fuzz_readers.py $$reader -max_total_time=$(FUZZ_SECONDS) || exit; \
	done

check:  ## style, format, imports between the rooms, types, and that every file compiles
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	lint-imports --no-cache --no-logo
	$(PYTHON) -m mypy --no-incremental
	$(PYTHON) -W error -m compileall -q -f logistic_sgd.py logistic_cg.py utils tests benchmarks docs

pictures:  ## draw docs/*.png again, from runs on MNIST, and graphs (pip install '.[plot,graph]')
	$(PYTHON) docs/pictures.py
	$(PYTHON) docs/graphs.py

notebook:  ## make docs/lesson.ipynb again from docs/lesson.md, run on MNIST (pip install '.[docs]')
	$(PYTHON) docs/notebook.py

bench:  ## this program beside NumPy, PyTorch, JAX, scikit-learn and C (pip install '.[bench]')
	$(PYTHON) benchmarks/compare.py
	$(PYTHON) benchmarks/density.py
	$(PYTHON) benchmarks/hidden_layer.py

growth:  ## how the cost of a step grows, fused against plain
	$(PYTHON) benchmarks/growth.py --figure growth.svg

format:  ## format every file
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
