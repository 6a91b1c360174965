# Plumbline's tasks: `make` lists them. Plain enough for the GNU make 3.81 that macOS ships.

PYTHON ?= python3
PORT ?= 8080
IMAGE ?= plumbline
TARGET ?= server
BASE_IMAGE ?=
DOCKER_BUILD_FLAGS ?=
LOCK_FLAGS ?=
GROUPS ?=

PY := .venv/bin/python
# Made last, so that an environment whose installation broke off counts as none.
VENV := .venv/complete
DEMO := build/demo/model.tar.gz
DEMO_SOURCES := $(wildcard model/examples/digits.py model/examples/digits/*) \
	$(shell find container/plumbline/packing -name '*.py')

TYPED := container/plumbline benchmarks requirements/install.py $(wildcard images/*.py) tests/run.py $(wildcard deploy.py deployment local_test/*.py model/examples/*.py)
SCRIPTS := container/serve $(wildcard .ci/run .ci/*.sh images/*.sh benchmarks/peers/*/serve.sh local_test/*.sh *.sh)

.DELETE_ON_ERROR:
.PHONY: help venv demo test bench bench-full bench-preprocess bench-training parity lint format image lock clean

help:  ## show this list
	@echo 'Plumbline serves a Keras or TensorFlow image model as Amazon SageMaker wants it served.'
	@echo
	@echo 'Start here:  make demo     a trained model, served, and a picture sent to it'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1:\2/p' Makefile | awk -F: '{ printf "  make %-16s %s\n", $$1, $$2 }'
	@echo
	@echo 'PYTHON=python3.12 chooses another Python; it counts when .venv is made.'

venv: $(VENV)  ## make .venv from the lock; again only when the lock has changed

$(VENV): requirements/dev.txt requirements/install.py pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo "$(PYTHON) was not found; Plumbline needs Python 3.11, 3.12 or 3.13 (make PYTHON=python3.12 names one)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); Plumbline and TensorFlow need Python 3.11, 3.12 or 3.13 (make PYTHON=python3.12 names one)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks the venv module; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@test -w . || { \
		echo "$(CURDIR) can't be written to, and .venv belongs into it. Clone it where you may write." >&2; exit 1; }
	@$(PYTHON) requirements/install.py
	@touch $@

demo: $(DEMO) $(if $(DOCKER),image)  ## train, pack and serve the demo model (PORT=8080; DOCKER=1 serves it in the container)
	@$(PY) local_test/demo.py --port $(PORT) $(if $(DOCKER),--docker)

# Trained once: a new environment alone is no reason to do it again.
$(DEMO): $(DEMO_SOURCES) | $(VENV)
	@$(PY) model/examples/digits.py

test: $(VENV)  ## run every test that this machine can run, and say what was skipped and why (GROUPS="unit http" runs some)
	@$(PY) tests/run.py $(GROUPS)

bench: $(VENV)  ## measure the server beside the AWS sample stack, and what each layer costs, in four minutes (benchmarks/README.md)
	@$(PY) benchmarks/servers.py
	@$(PY) benchmarks/ladder.py

bench-full: $(VENV)  ## the same with all peers, models and pictures, for two hours; write docs/performance.md
	@$(PY) benchmarks/servers.py --full --page

bench-preprocess: $(VENV)  ## time preprocessing beside the libraries that it equals
	@$(PY) benchmarks/preprocess.py

bench-training: $(VENV)  ## train beside plain Keras with the same networks, three seeds each (benchmarks/README.md measures parts)
	@$(PY) benchmarks/training.py

parity: $(VENV)  ## measure how far preprocessing is from those libraries, and write docs/parity.md
	@$(PY) benchmarks/parity.py

lint: $(VENV)  ## check style, types and shell scripts
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy $(TYPED)
	.venv/bin/hadolint --no-color Dockerfile
	@if command -v shellcheck >/dev/null; then echo shellcheck $(SCRIPTS); shellcheck $(SCRIPTS); \
	else echo 'shellcheck is not installed; the shell scripts were not checked.'; fi

format: $(VENV)  ## put the code into the style that lint asks for
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

image:  ## build the container (IMAGE=plumbline, TARGET=slim, BASE_IMAGE=, DOCKER_BUILD_FLAGS=)
	docker build $(DOCKER_BUILD_FLAGS) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --target $(TARGET) --tag $(IMAGE) .

# The image's lock is held to the developers' one, so that what is tested is what is shipped.
COMPILE = $(PY) -m uv pip compile pyproject.toml --quiet --no-config --no-emit-index-url --universal \
	--python-version 3.11 --override requirements/overrides.txt --generate-hashes --custom-compile-command 'make lock' $(LOCK_FLAGS)

# TensorFlow under its own name, for the one platform that SageMaker has GPUs on, so without the
# overrides, which are about others.
COMPILE_GPU = $(PY) -m uv pip compile pyproject.toml --quiet --no-config --no-emit-index-url \
	--python-platform $(call GLIBC,x86_64) --python-version $(IMAGE_PYTHON) --only-binary :all: --generate-hashes \
	--custom-compile-command 'make lock' $(LOCK_FLAGS)

# What the image has: Debian 13's Python and glibc.
IMAGE_PYTHON := 3.13
GLIBC = $(1)-manylinux_2_40

# The image takes nothing but wheels: each lock must have one of each package for each processor.
define HAS_WHEELS
	$(PY) -m uv pip install --quiet --dry-run --target build/none --python-platform $(call GLIBC,$(1)) --python-version $(IMAGE_PYTHON) \
		--only-binary :all: --require-hashes --no-deps --requirement requirements/$(2).txt

endef

lock: $(VENV)  ## pin the dependencies anew (LOCK_FLAGS=--upgrade takes the newest)
	$(COMPILE) --all-extras --output-file requirements/dev.txt
	$(COMPILE) --extra tensorflow --constraint requirements/dev.txt --output-file requirements/server.txt
	$(COMPILE) --constraint requirements/dev.txt --output-file requirements/slim.txt
	$(COMPILE_GPU) --group gpu --constraint requirements/dev.txt --output-file requirements/gpu.txt
	$(foreach machine,x86_64 aarch64,$(foreach lock,server slim,$(call HAS_WHEELS,$(machine),$(lock))))
	$(call HAS_WHEELS,x86_64,gpu)

clean:  ## remove what was made here: .venv, build and caches
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find container benchmarks tests local_test model -name __pycache__ -type d -prune -exec rm -rf {} +
