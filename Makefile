# Every target makes .venv by itself. Another interpreter: make PYTHON=python3.13 ...

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The soak takes an hour: python -m benchmarks.soak
BENCHMARKS := $(filter-out soak,$(sort $(basename $(notdir $(wildcard benchmarks/[a-z]*.py)))))

.PHONY: demo test lint docs bench experiments experiments-quick

demo: $(INSTALLED)
	$(BIN)/python -m sender --bandwidth 50kbps

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A warning is an error: a link that leads nowhere, a page that no other names.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx -W --keep-going --quiet docs docs/_build

bench: $(INSTALLED)
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

experiments: $(INSTALLED)
	$(BIN)/python -m channel_sim experiments --workers 2

experiments-quick: $(INSTALLED)
	$(BIN)/python -m channel_sim experiments --workers 2 --quick --output out --keep out/experiments-quick

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[webrtc,mqtt,jxl,mozjpeg,video,dask,view,metrics,docs,dev]'
	touch $@
