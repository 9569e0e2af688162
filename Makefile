# Every target makes .venv by itself. Another interpreter: make PYTHON=python3.13 ...

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The soak takes an hour: python -m benchmarks.soak
BENCHMARKS := $(filter-out soak,$(sort $(basename $(notdir $(wildcard benchmarks/[a-z]*.py)))))

CLANG ?= clang-14
WASM := progressive/browser/codec/decoder.wasm
WASM_FLAGS := --target=wasm32 -std=c17 -O3 -msimd128 -mbulk-memory -mmutable-globals -nostdlib -Wall -Wextra -Werror \
	-Wl,--no-entry -Wl,--strip-all -Wl,--export=__stack_pointer -Wl,-z,stack-size=65536 -Wl,--max-memory=1073741824

.PHONY: demo test lint docs bench experiments experiments-quick wasm

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

# The decoder in browsers. What is committed is what clang 14 makes of the source, to the byte.
wasm: $(WASM)

$(WASM): $(wildcard progressive/browser/codec/source/*)
	$(CLANG) $(WASM_FLAGS) -o $@ progressive/browser/codec/source/decoder.c
	chmod -x $@

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
