# make demo   set everything up and run the main job
# make test   set everything up and run every check
# Both need Python (3.10 or newer) and make, and nothing else.

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

# uv installs the same versions in a fraction of pip's time; where it cannot be had, or knows no index, pip does it.
WANTED := --quiet --constraint constraints.txt
$(READY):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check $(WANTED) uv \
		&& $(BIN)/uv pip install $(WANTED) --python $(BIN)/python --editable ".[dev]" \
		|| $(BIN)/python -m pip install --disable-pip-version-check $(WANTED) --editable ".[dev]"
	$(BIN)/python -c "import pathlib; pathlib.Path('$(READY)').touch()"

demo: $(READY)
	$(BIN)/corolla demo

# The tests run two at a time with one computing thread each: threads that fight for cores are slower than either.
# Every run has another order; `pytest --randomly-seed=N`, with the number it prints, has the same again.
test: lint browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The tests open pages in a real browser: one that is installed, or else Debian's or Playwright's, fetched once.
browser: $(READY)
	$(BIN)/python tests/browser.py

# ONNX Runtime Web for the page of `corolla serve`, from npm; its version is the one that page/ort/README.md names.
ORT := src/corolla/server/page/ort
web-runtime:
	rm -rf build/ort && mkdir -p build/ort
	cd build/ort && npm pack --silent onnxruntime-web@$$(sed -n 's/^# ONNX Runtime Web //p' ../../$(ORT)/README.md) && tar -xzf *.tgz
	for name in ort.wasm.min ort-wasm-simd-threaded; do sed '/sourceMappingURL/d' build/ort/package/dist/$$name.mjs > $(ORT)/$$name.mjs; done
	gzip -9 -n -c build/ort/package/dist/ort-wasm-simd-threaded.wasm > $(ORT)/ort-wasm-simd-threaded.wasm.gz

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
