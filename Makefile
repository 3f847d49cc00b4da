# make demo   install everything and run the demo
# make test   install everything and run all checks
# Both need only Python (3.10 or newer) and make.

PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/ready-$(shell $(PYTHON) -c "import hashlib, pathlib, sys; print(hashlib.sha256(b''.join(pathlib.Path(p).read_bytes() for p in ('pyproject.toml', 'constraints.txt')) + sys.version.encode()).hexdigest()[:12])")

.PHONY: setup demo test lint browser web-runtime clean
.DEFAULT_GOAL := setup

setup: $(READY)

# uv installs the same versions much faster than pip; pip is the fallback if uv is not available or finds no index.
WANTED := --quiet --constraint constraints.txt
$(READY):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(WANTED) uv \
		&& $(BIN)/uv pip install $(WANTED) --python $(BIN)/python --editable ".[dev]" \
		|| $(BIN)/python -m pip install --disable-pip-version-check $(WANTED) --editable ".[dev]"
	$(BIN)/python -c "import pathlib; pathlib.Path('$(READY)').touch()"

demo: $(READY)
	$(BIN)/corolla demo

# Two tests run at a time, with one compute thread each: threads that compete for cores are slower.
# Every run has a random order; `pytest --randomly-seed=N`, with the printed number, repeats it.
test: lint browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The tests open pages in a real browser: an installed one, or else Debian's or Playwright's, downloaded once.
browser: $(READY)
	$(BIN)/python tests/browser.py

# ONNX Runtime Web for the page of `corolla serve`, from npm, in the version of page/ort/README.md.
ORT := src/corolla/server/page/ort
web-runtime:
	rm -rf build/ort && mkdir -p build/ort
	cd build/ort && npm pack --silent onnxruntime-web@$$(sed -n 's/^# ONNX Runtime Web //p' ../../$(ORT)/README.md) && tar -xzf *.tgz
	for name in ort.wasm.min ort-wasm-simd-threaded; do sed '/sourceMappingURL/d' build/ort/package/dist/$$name.mjs > $(ORT)/$$name.mjs; done
	gzip -9 -n -c build/ort/package/dist/ort-wasm-simd-threaded.wasm > $(ORT)/ort-wasm-simd-threaded.wasm.gz

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
