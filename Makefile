# The commands of the project; `make help` lists them. Each creates .venv and installs what is
# missing first: see scripts/setup_env.sh.

CONFIG ?= configs/quickstart.yaml
CHECKPOINT ?= champion
ARGS ?=
# One more than two cores can serve: tests wait for processes, too.
TEST_WORKERS ?= 3
BENCHMARKS := benchmarks.simulator benchmarks.search benchmarks.trainer

# Tests are exact on the CPU; `make test JAX_PLATFORMS=cuda` runs them on a GPU.
JAX_PLATFORMS ?= cpu

PYTHON_IN_VENV := .venv/bin/python
ENVIRONMENT := .venv/.installed
SIMULATOR := build/.simulator
# Beside .venv, whose packages it uses: what compiles for GPUs that are not there.
GPU_PYTHON := .venv-gpu/bin/python
GPU_CONFIGS ?= quickstart champion iter600_to_1000
GPU_TARGET ?= h100,1,8
# The order of files is that of tests/conftest.py.
PYTEST = $(PYTHON_IN_VENV) -m pytest -q --numprocesses=$(TEST_WORKERS) --dist=loadfile \
	--no-loadscope-reorder

# Files below the folder $1, at any depth, whose names match one of the patterns $2.
files_below = $(foreach entry,$(wildcard $1/*),$(call files_below,$(entry),$2) $(filter $2,$(entry)))

.DEFAULT_GOAL := help
.PHONY: help train play test test-all test-browser test-gpu-compile lint format bench sanitize attack wheel clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-23s %s\n", $$1, $$2}'
	@echo
	@echo "Variables: CONFIG (the run's YAML file), CHECKPOINT (RUN or RUN@STEP to play against),"
	@echo "  ARGS (passed on to the command or to pytest),"
	@echo "  TEST_WORKERS (processes for the tests); for a new .venv: PYTHON (3.11 or newer) and"
	@echo "  ACCELERATOR (auto, cpu, cuda12, cuda13)."

train: $(SIMULATOR) ## train with CONFIG=configs/quickstart.yaml, or go on where that run stopped
	@exec $(PYTHON_IN_VENV) -m train.main --config "$(CONFIG)" $(ARGS)

play: $(SIMULATOR) ## play and analyse in the browser, against CHECKPOINT=champion
	@exec $(PYTHON_IN_VENV) -m eval.web --checkpoint "$(CHECKPOINT)" $(ARGS)

test test-all test-browser: export JAX_PLATFORMS := $(JAX_PLATFORMS)
# Several test processes share a GPU.
test test-all test-browser: export XLA_PYTHON_CLIENT_PREALLOCATE := false

# `make test` compiles quickly, without optimizing (tests/compiling.py).
test-all: export XLA_FLAGS := $(XLA_FLAGS) --xla_backend_optimization_level=3

test: $(SIMULATOR) ## run the fast tests
	@$(PYTEST) $(ARGS)

test-all: $(SIMULATOR) ## run all tests, the slow ones too
	@$(PYTEST) -m "" --timeout=1800 $(ARGS)

# They are slow tests, and so a part of test-all. Without Chromium they say so and are skipped.
test-browser: $(SIMULATOR) ## test the page in a headless Chromium, where one is installed
	@$(PYTEST) -m "" -rs --timeout=1800 tests/eval/web/browser $(ARGS)

test-gpu-compile: $(SIMULATOR) .venv-gpu/.installed ## compile for GPUs on a machine without one
	@TF_CPP_MIN_LOG_LEVEL=2 $(GPU_PYTHON) -m pytest -q -m "" tests/test_gpu_compile.py $(ARGS)
	@set -e; for config in $(GPU_CONFIGS); do TF_CPP_MIN_LOG_LEVEL=2 $(GPU_PYTHON) \
		-m benchmarks.gpu --config configs/$$config.yaml --compile-only $(GPU_TARGET); done

lint: $(ENVIRONMENT) ## check format, style and types
	@$(PYTHON_IN_VENV) -m ruff format --check .
	@$(PYTHON_IN_VENV) -m ruff check .
	@$(PYTHON_IN_VENV) -m mypy
	@find bb_sim bb_jax eval train benchmarks attack tests scripts setup.py -name '*.p[yx]*' ! -name '*.pyc' \
		-exec awk 'END { if (FNR > 400) print "note: " FILENAME " has " FNR " lines, more than 400" }' {} \;

format: $(ENVIRONMENT) ## put the sources into the project's format
	@$(PYTHON_IN_VENV) -m ruff format .
	@$(PYTHON_IN_VENV) -m ruff check --fix .

bench: $(SIMULATOR) ## measure the simulator and the trainer
	@set -e; for module in $(BENCHMARKS); do $(PYTHON_IN_VENV) -m $$module; done

sanitize: $(SIMULATOR) ## run the simulator's tests under the address and undefined-behaviour sanitizers
	@$(SHELL) scripts/sanitize.sh $(ARGS)

attack: $(SIMULATOR) ## attack the program for an hour, or MINUTES=... as long as you like
	@$(PYTHON_IN_VENV) -m attack $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

wheel: $(ENVIRONMENT) ## build the wheel into dist/ and try it on every Python there is
	@$(PYTHON_IN_VENV) scripts/try_wheel.py --out dist $(ARGS)

clean: ## remove what was built and cached, but neither .venv nor checkpoints
	rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bb_sim -name '*.so' -delete

# No recipe: a missing interpreter, or one that was replaced, makes the environment anew.
$(PYTHON_IN_VENV):

$(ENVIRONMENT): pyproject.toml scripts/setup_env.sh $(PYTHON_IN_VENV)
	@PYTHON="$(PYTHON)" ACCELERATOR="$(ACCELERATOR)" $(SHELL) scripts/setup_env.sh install
	@touch $@

.venv-gpu/.installed: $(ENVIRONMENT) scripts/setup_gpu_compile.sh
	@$(SHELL) scripts/setup_gpu_compile.sh
	@touch $@

$(SIMULATOR): setup.py $(call files_below,bb_sim,%.pyx %.pxd) $(ENVIRONMENT)
	@$(PYTHON_IN_VENV) setup.py -q build_ext --inplace
	@mkdir -p $(@D)
	@touch $@
