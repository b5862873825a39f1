# make build   all from the checkpoints of config/config.yaml to bundles, then hello.wav
# make quick   the tests that most changes touch           make test    all tests but the longest
# make lint    all that is checked without running        make js      what examples/js needs, for its tests
# make fleet   engines on the nodes of SLURM
# CORES=4                           jobs at a time (all cores)
# TORCH_INDEX=URL                   index to take torch from, for one without CUDA
# VENV=folder                       where Python and its packages are installed (.venv)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VENV ?= .venv
CORES ?= all
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/ready
READY_TO_TEST := $(VENV)/ready-to-test
TESTS_ALONE := ^tensorrt
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0
QUICK := tests/bundle tests/runtime/text/test_frontend.py tests/runtime/text/test_goldens.py \
	$(addprefix tests/runtime/test_,$(addsuffix .py,acoustic cache decode manifest noise sampler \
	settings sound stream tts voice)) \
	$(addprefix tests/workflow/test_,$(addsuffix .py,digests plan rules settings)) \
	$(addprefix tests/proof/test_,$(addsuffix .py,metrics verdict))

.PHONY: build quick test lint js fleet

build: $(READY)
	@$(BIN)/snakemake --cores $(CORES) --no-hooks
	@$(BIN)/python -m workflow_scripts.bundle.hear artifacts/bundles --speak hello.wav

quick: $(READY_TO_TEST)
	@$(PYTEST) $(QUICK)

test: $(READY_TO_TEST)
	@$(PYTEST)

lint: $(READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python .ci/sizes.py
	@$(BIN)/python .ci/words.py
	@$(BIN)/snakemake --lint

fleet: $(READY)
	@$(BIN)/python -c 'import snakemake_executor_plugin_slurm' 2>/dev/null || { echo "error: profiles/slurm: \
	its plug-in is not installed; $(BIN)/pip install snakemake-executor-plugin-slurm" >&2; exit 5; }
	@$(BIN)/snakemake engines --profile profiles/slurm

js: examples/js/node_modules

# without install scripts: the packages hold their libraries, a script would fetch those for CUDA
examples/js/node_modules: examples/js/package-lock.json
	npm ci --prefix examples/js --ignore-scripts --no-audit --no-fund
	@touch $@

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "installing $$(grep -vc '^#\|$(TESTS_ALONE)' requirements.lock) packages into $(VENV), about 2 GB: some minutes"
	$(if $(TORCH_INDEX),$(BIN)/pip install --quiet --no-deps --index-url $(TORCH_INDEX) $$(grep '^torch==' requirements.lock))
	$(BIN)/pip install --quiet --requirement <(grep -v '$(TESTS_ALONE)' requirements.lock)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(READY_TO_TEST): $(READY)
	$(BIN)/pip install --quiet --requirement requirements.lock
	@touch $@
