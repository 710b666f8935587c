# `make demo` and `make test` do everything; `make test-all` adds large models and many more random cases (hours). All make
# .venv and build the extension first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Another PyTorch, in an environment of its own: make python-test VENV=.venv-2.6 TORCH='torch==2.6.*'
TORCH ?= torch>=2.6
# What an older PyTorch cannot import.
OF_NEW_PYTORCH := $(if $(filter torch>=2.6,$(TORCH)),torchao)
# Rust tests call the same Python and find the same libraries as the Python tests.
export PYO3_PYTHON := $(abspath $(BIN)/python)

# nextest runs the Rust tests in half the time; cargo's own runner does where it is not installed.
RUST_TEST := $(if $(shell cargo nextest --version 2>/dev/null),\
	cargo nextest run --workspace --no-fail-fast --status-level fail --final-status-level fail,\
	cargo test --workspace --no-fail-fast -q)

.PHONY: demo test test-all develop bench chart docs lint lint-files deny advisories rust-test python-test clean
.DEFAULT_GOAL := demo

demo: develop
	$(BIN)/python examples/demo.py

test: lint rust-test python-test

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q --group lint
	$(BIN)/pip install -q '$(TORCH)' torchvision numpy onnxruntime transformers onnx onnxscript pytest pytest-xdist scikit-learn xxhash $(OF_NEW_PYTORCH) 'maturin>=1.9,<2' tensorrt-rtx-cu13-libs
	# A second TensorRT-RTX, of another family of interfaces, for the tests of the binding.
	$(BIN)/pip install -q --no-deps --target $(VENV)/rtx-1.4 tensorrt-rtx-cu13-libs==1.4.0.76
	touch $@

develop: $(VENV)/.installed
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop -q --release

lint: $(VENV)/.installed lint-files
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -q -- -D warnings
	cargo run -q -p xtask -- check

# Everything that needs no compiler: Python, spelling, TOML, workflows. Seconds.
lint-files: $(VENV)/.installed
	$(BIN)/ruff check -q
	$(BIN)/ruff format -q --check
	$(BIN)/mypy --no-error-summary
	$(BIN)/typos
	RUST_LOG=warn $(BIN)/taplo fmt --check
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/check-jsonschema -q --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor -q --offline .github

# Licences, sources and known vulnerabilities of crates. `cargo install --locked cargo-deny` brings the tool; the database
# of vulnerabilities is downloaded, so that CI alone runs `make advisories`.
deny:
	cargo deny --all-features check bans licenses sources
advisories:
	cargo deny check advisories

# With both TensorRT-RTX families, by which every layer is built for real. Tests that were skipped are listed at the end.
SKIPPED := $(abspath target/skipped-tests.txt)
rust-test: $(VENV)/.installed
	mkdir -p target && rm -f $(SKIPPED)
	TORCH2TRT_TEST_RTX_1_7=$$(echo $(abspath $(VENV))/lib/python*/site-packages/tensorrt_rtx_libs) \
	TORCH2TRT_TEST_RTX_1_4=$(abspath $(VENV))/rtx-1.4/tensorrt_rtx_libs \
	TORCH2TRT_SKIPPED=$(SKIPPED) $(RUST_TEST)
	@if [ -e $(SKIPPED) ]; then sort -u $(SKIPPED); fi

# A thread for each of two processes: with more, they wait for each other on two cores.
python-test: develop
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

# The documentation site, in target/site. Links and the structure of the navigation are checked.
docs: develop $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install -q 'mkdocs-material>=9.5,<10' 'mkdocstrings[python]>=0.27'
	touch $@

# The speed chart of the README, from the rows of a benchmark on a GPU.
chart: $(VENV)/.installed
	$(BIN)/pip install -q --group bench
	$(BIN)/python benchmarks/chart.py benchmarks/rows/h200-tensorrt-8.6-float16.jsonl docs/images/speed.svg

# Models of other packages, which are installed outside .venv, and the tests that draw cases with many of them.
CASES ?= 20
DRAWN := $(shell grep -l TORCH2TRT_TEST_CASES tests/python/test_*.py)
ALL := target/test-all

$(ALL)/.installed: Makefile $(VENV)/.installed
	$(BIN)/pip install -q --upgrade --no-deps --target $(ALL) ultralytics ultralytics-thop timm diffusers opencv-python-headless py-cpuinfo
	touch $@

test-all: develop $(ALL)/.installed
	$(BIN)/pytest -n 2 tests/all
	TORCH2TRT_TEST_CASES=$(CASES) $(BIN)/pytest -n 2 $(DRAWN)

# Tables as results.json and results.md, and the speed table as a chart. `cargo bench` times the passes over a network.
bench: develop
	$(BIN)/pip install -q --group bench
	$(BIN)/python benchmarks/run.py --output target/bench

clean:
	rm -rf target dist $(VENV)

# Packages: wheels, an sdist and the command line alone, in dist/. zig links for other systems and against an old glibc.
# Rust's libraries for the targets come from `rustup target add`.
GLIBC := 2.17
WHEEL_TARGETS ?= x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
STATIC_TARGETS ?= x86_64-unknown-linux-musl aarch64-unknown-linux-musl
# Panics and backtraces name source files: not by their paths on this machine.
REMAP := --remap-path-prefix=$(CURDIR)=torch2trt --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo
PACKAGE := PATH=$(abspath $(BIN)):$$PATH RUSTFLAGS="$(REMAP)" CARGO_TARGET_DIR=target/package
LICENSES := LICENSE-MIT LICENSE-APACHE THIRD-PARTY-LICENSES.txt
X86_WHEEL := dist/torch2trt-*-manylinux*_x86_64.whl

.PHONY: wheels sdist static package-test wheel-test check-version

$(VENV)/.packaging: $(VENV)/.installed
	$(BIN)/pip install -q --group package
	touch $@

wheels: $(WHEEL_TARGETS:%=wheel-%) sdist static
	$(BIN)/python packaging/check_wheel.py dist/*.whl

# A wheel, and the command line in an archive: linked to glibc, since it loads TensorRT and ONNX Runtime at run time.
wheel-%: $(VENV)/.packaging
	$(PACKAGE) maturin build --release --locked --zig --target $* --compatibility manylinux_$(subst .,_,$(GLIBC)) --out dist
	$(PACKAGE) cargo zigbuild --release --locked -q -p torch2trt-cli --target $*.$(GLIBC)
	tar czf dist/torch2trt-$*.tar.gz -C target/package/$*/release torch2trt -C $(CURDIR) $(LICENSES)

# Without any library: converts, inspects and writes ONNX on every Linux, but cannot load TensorRT or ONNX Runtime.
static: $(STATIC_TARGETS:%=binary-%)
binary-%: $(VENV)/.packaging
	$(PACKAGE) cargo zigbuild --release --locked -q -p torch2trt-cli --target $*
	tar czf dist/torch2trt-$*.tar.gz -C target/package/$*/release torch2trt -C $(CURDIR) $(LICENSES)

# A release's tag is the version in Cargo.toml.
check-version:
	@test "$(TAG)" = "v$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)" || { echo "tag $(TAG) is not Cargo.toml's version"; exit 1; }

sdist: $(VENV)/.installed
	$(BIN)/maturin sdist --out dist

# A wheel that was built elsewhere, for this machine. aarch64 under qemu-user: packaging/test_aarch64.sh.
wheel-test:
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/pip install -q --upgrade pip
	.venv-wheel/bin/pip install -q '$(TORCH)' numpy onnxruntime
	.venv-wheel/bin/python packaging/test_wheel.py dist/torch2trt-*_$$(uname -m).whl

# The wheel of this machine in a clean environment, and the sdist built from an empty folder.
package-test: wheel-x86_64-unknown-linux-gnu sdist
	$(BIN)/python packaging/check_wheel.py $(X86_WHEEL)
	$(BIN)/python packaging/test_wheel.py $(X86_WHEEL)
	CARGO_TARGET_DIR=$(abspath target/sdist) $(BIN)/python packaging/test_sdist.py dist/torch2trt-*.*.*.tar.gz

# Every parser of outside bytes, SECONDS each: with cargo-fuzz on a nightly toolchain, else by random changes on stable.
SECONDS ?= 60
FUZZ_TARGETS ?= archive model engine_file network_text program_text sizes
CARGO_FUZZ := $(shell rustup toolchain list 2>/dev/null | grep -q nightly && cargo fuzz --version 2>/dev/null)

.PHONY: fuzz fuzz-seeds
ifneq ($(CARGO_FUZZ),)
fuzz: $(FUZZ_TARGETS:%=fuzz-%)
fuzz-%:
	mkdir -p fuzz/corpus/$*
	cargo +nightly fuzz run --sanitizer none --features libfuzzer $* fuzz/corpus/$* fuzz/seeds/$* -- \
		-max_total_time=$(SECONDS) -timeout=20 -rss_limit_mb=4096 -max_len=65536
else
fuzz:
	cargo run --release -q --manifest-path fuzz/Cargo.toml --bin mutate -- $(SECONDS) 1 $(FUZZ_TARGETS)
endif

fuzz-seeds: develop
	$(BIN)/python fuzz/seeds.py
