# Two commands do everything: `make demo` and `make test`. Both make .venv and build the extension first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Rust tests call the same Python and find the same libraries as the Python tests.
export PYO3_PYTHON := $(abspath $(BIN)/python)

# nextest runs the Rust tests in half the time; cargo's own runner does where it is not installed.
RUST_TEST := $(if $(shell cargo nextest --version 2>/dev/null),\
	cargo nextest run --workspace --no-fail-fast --status-level fail --final-status-level fail,\
	cargo test --workspace --no-fail-fast -q)

.PHONY: demo test develop bench chart docs lint rust-test python-test clean
.DEFAULT_GOAL := demo

demo: develop
	$(BIN)/python examples/demo.py

test: lint rust-test python-test

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q 'torch>=2.6' torchvision numpy onnxruntime transformers onnx onnxscript pytest pytest-xdist xxhash 'maturin>=1.9,<2' tensorrt-rtx-cu13-libs
	# A second TensorRT-RTX, of another family of interfaces, for the tests of the binding.
	$(BIN)/pip install -q --no-deps --target $(VENV)/rtx-1.4 tensorrt-rtx-cu13-libs==1.4.0.76
	touch $@

develop: $(VENV)/.installed
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop -q --release

lint: $(VENV)/.installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -q -- -D warnings
	cargo run -q -p xtask -- check

# With both TensorRT-RTX families, by which every layer is built for real.
rust-test: $(VENV)/.installed
	TORCH2TRT_TEST_RTX_1_7=$$(echo $(abspath $(VENV))/lib/python*/site-packages/tensorrt_rtx_libs) \
	TORCH2TRT_TEST_RTX_1_4=$(abspath $(VENV))/rtx-1.4/tensorrt_rtx_libs \
	$(RUST_TEST)

python-test: develop
	$(BIN)/pytest -n 2

# The documentation site, in target/site. Links and the structure of the navigation are checked.
docs: develop $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install -q 'mkdocs-material>=9.5,<10' 'mkdocstrings[python]>=0.27'
	touch $@

# The speed chart of the README, from the rows of a benchmark on a GPU.
chart:
	$(PYTHON) benchmarks/chart.py benchmarks/rows/h200-tensorrt-8.6-float16.jsonl docs/images/speed.svg

bench: develop
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf target $(VENV)
