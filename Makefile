# Modelyard. `make` alone lists what there is. The two commands to know: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export MODELYARD_CACHE ?= /var/cache/modelyard
export UV_CACHE_DIR ?= $(MODELYARD_CACHE)/uv
export UV_LINK_MODE ?= hardlink
# A fresh clone need not check again what another has checked: 46 s of one core.
export MYPY_CACHE_DIR ?= $(MODELYARD_CACHE)/mypy
# Each training of a test is a process of its own: without its bytecode torch is compiled anew in each, 12 s of one core.
unexport PYTHONDONTWRITEBYTECODE
# Two at once on two cores: threads that spin for long while they wait take the CPU from those that they wait for. For a
# moment only, as in the trainer's image.
ifndef OMP_WAIT_POLICY
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 2000
endif

PYTHON ?= python3
UV := $(MODELYARD_CACHE)/uv-tool/bin/uv
VENV := .venv
RUN := $(VENV)/bin
CLUSTER := PYTHONPATH=cluster $(PYTHON) -m modelyard_cluster
SOURCES := crds operator trainer_image cli cluster tests bench examples docs

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | column -ts $$'\t'

##  For everyone

.PHONY: demo demo-clean cache-clean
demo: ## From nothing to a trained, verified model on a Kubernetes of your own
	@$(CLUSTER) demo

demo-clean: ## Remove the demo's cluster, engine and files; what was downloaded and built stays cached
	@$(CLUSTER) demo-clean

cache-clean: ## Remove what was downloaded and built, too
	@$(CLUSTER) cache-clean

##  For those who work on it

.PHONY: test test-fast test-api test-e2e test-long setup lint unit api training e2e training-and-e2e
test: setup lint unit api training-and-e2e ## Everything that has to hold: style, types, units, API server, training, cluster

test-fast: setup lint unit ## What needs no Kubernetes: style, types, unit tests

test-api: setup api ## What needs an API server

test-e2e: setup e2e ## What needs a whole cluster

test-long: setup ## The whole of what `make test` runs a rotating share of
	$(RUN)/pytest tests -m 'long or in_turn'

setup: $(VENV)/.synced ## Make the Python environment from the locks

$(UV): locks/uv.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get install -qqy --no-install-recommends python3-venv; }
	@$(PYTHON) -m venv $(MODELYARD_CACHE)/uv-tool
	@$(MODELYARD_CACHE)/uv-tool/bin/pip install -q --require-hashes -r locks/uv.txt
	@touch $@

$(VENV)/.synced: locks/dev.txt pyproject.toml $(UV)
	@echo "Python environment: installing what locks/dev.txt names (6 GB with torch; a few seconds when cached) ..."
	@test -x $(RUN)/python || $(UV) venv -q --python $(PYTHON) $(VENV)
	@$(UV) pip sync -q --require-hashes locks/dev.txt
	@$(UV) pip install -q --no-deps -e .
	@touch $@

lint: setup ## Style, types, layers
	$(RUN)/ruff check $(SOURCES)
	$(RUN)/ruff format --check $(SOURCES)
	$(RUN)/mypy $(SOURCES)
	$(RUN)/lint-imports

# Three processes on two cores: a third of their time they wait, for stores and API servers.
unit: setup
	@$(CLUSTER) tools versitygw
	$(RUN)/pytest tests/unit tests/cluster tests/fuzz -m 'not marathon' --numprocesses 3

api: setup
	@$(CLUSTER) tools
	$(RUN)/pytest tests/chaos tests/integration tests/api -m 'not marathon' --long-share 32 \
		--numprocesses 3 --dist loadfile --no-loadscope-reorder

training: setup
	OMP_NUM_THREADS=1 $(RUN)/pytest tests/training -m 'not marathon' --long-share 4 --numprocesses 2 --dist loadfile

# One in so many of the long tests of the cluster, another each day.
LONG_SHARE := 8
e2e: setup
	$(RUN)/pytest tests/e2e --long-share $(LONG_SHARE)

# The cluster's first stories spend most of their time waiting for it. What trains without one computes meanwhile, and
# gives way where cluster and shell share a scheduling group, as with an engine of ours and cgroup v1.
training-and-e2e: setup
	@echo "tests/training runs beside the cluster's stories, writes build/training.log, and is shown after them"
	@mkdir -p build; ended=0; nice -n 19 $(MAKE) training &> build/training.log & training=$$!; \
	trap 'kill $$training 2> /dev/null || true' EXIT; \
	$(MAKE) e2e || ended=$$?; wait $$training || ended=$$?; cat build/training.log; exit $$ended

.PHONY: format generate lock bench bench-train bench-images
format: setup ## Bring the code into shape
	$(RUN)/ruff check --fix-only -q $(SOURCES)
	$(RUN)/ruff format $(SOURCES)

generate: setup ## Write again what is generated: the CRDs and the reference pages
	$(RUN)/python -m modelyard_api.crd
	cp crds/*.yaml helm/modelyard/files/
	$(RUN)/python -m modelyard_api.reference

LOCK := $(UV) pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock"
lock: $(UV) ## Resolve the dependencies anew (`make lock UPGRADE=--upgrade` for newer ones)
	$(LOCK) $(UPGRADE) pyproject.toml --all-extras --group dev -o locks/dev.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra operator -c locks/dev.txt -o locks/operator.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra trainer -c locks/dev.txt -o locks/trainer.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra reid -c locks/dev.txt -o locks/classification.txt
	$(LOCK) $(UPGRADE) pyproject.toml --extra detection -c locks/dev.txt -o locks/detection.txt
	$(LOCK) $(UPGRADE) --group audit -o locks/audit.txt
	$(LOCK) $(UPGRADE) --group checkov -o locks/checkov.txt
	$(LOCK) $(UPGRADE) --no-config --override examples/digits/overrides.txt -c locks/dev.txt \
		examples/digits/requirements.in -o locks/digits.txt

##  What others know of what we depend on, and what scanners say of ours

.PHONY: audit audit-sources audit-manifests audit-packages sbom
audit: audit-sources audit-manifests audit-packages ## Scan our sources, the chart, the Dockerfiles and the locks

audit-sources: .audit/audit/.synced
	.audit/audit/bin/bandit -q -c pyproject.toml -r $(filter-out tests,$(SOURCES))

# cluster/node is kind's node as kind makes it, systemd as root, for demos and tests only.
audit-manifests: .audit/checkov/.synced
	@$(CLUSTER) tools
	$(MODELYARD_CACHE)/bin/helm template modelyard helm/modelyard --namespace modelyard --set imageAllowList={a/} \
		--set trainerNetworkPolicy.enabled=true --set trainerNetworkPolicy.namespaces={vision} > .audit/chart.yaml
	.audit/checkov/bin/checkov --config-file .checkov.yaml --framework kubernetes --file .audit/chart.yaml
	.audit/checkov/bin/checkov --config-file .checkov.yaml --framework dockerfile \
		$(addprefix --file ,$(shell git ls-files '*Dockerfile' ':!cluster/node'))

# What the service does not know was not audited, and must not pass for sound: a mirror may lack its answers.
audit-packages: .audit/audit/.synced
	for lock in locks/*.txt; do echo "$$lock"; \
		.audit/audit/bin/pip-audit --strict --disable-pip --require-hashes -r $$lock; done

sbom: .audit/audit/.synced ## Write what the images hold to sbom/, as CycloneDX
	@mkdir -p sbom
	@export PYTHONWARNINGS=ignore; for image in $(IMAGES); do .audit/audit/bin/cyclonedx-py requirements locks/$$image.txt --pyproject pyproject.toml \
		--mc-type application --output-reproducible --output-file sbom/$$image.cdx.json; done
	@ls -l sbom

IMAGES := operator trainer detection digits

.audit/%/.synced: locks/%.txt $(UV)
	@echo "Environment for $*: installing what $< names ..."
	@$(UV) venv -q --clear --python $(PYTHON) .audit/$*
	@$(UV) pip sync -q --python .audit/$* --require-hashes $<
	@touch $@

bench: setup ## Measure against the peers: latency, throughput, memory
	$(RUN)/python -m bench

bench-train: setup ## Measure each task beside the library that one would use instead: metric, seconds, pictures a second
	@# As on a computer of one's own: both sides with libgomp's own policy.
	env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT $(RUN)/python -m bench.training

bench-images: setup ## Measure the images: size, what a change of the code costs, how long a container takes to start
	$(RUN)/python -m bench.images
