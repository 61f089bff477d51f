# Two commands do all set-up: `make demo` (the main job) and `make test` (the tests).
# They need Python >= 3.11, make and git; everything else is installed into .tools and .venv, from the lock file.

SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin
PARTS := prometheus kubernetes etcd kwok victoria-metrics keda helm alertmanager
WORLD := prometheus promtool kubernetes etcd kwok keda helm
JOBS ?= 2
SPREAD := -n $(JOBS) --dist loadfile --no-loadscope-reorder
SOAK_MINUTES ?= 20
SOAK_SEED ?= 20261126
IMAGE ?= foresail:$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
PLATFORM ?= linux/$(shell uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
export UV_PYTHON_DOWNLOADS := never
# where it is set, as in many images, every start of a process compiles all that it imports once more
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-metrics demo-real parts test e2e check lint types unit format bench bench-decisions bench-forecast bench-anomalies bench-gates bench-fleet bench-operator soak chart image sbom clean lock

help: ## Say what can be done here
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Foresail needs Python >= 3.11; $(PYTHON) is $$($(PYTHON) -V 2>&1). Point to another: make PYTHON=python3.12 ..."; exit 2; }
	@echo "installing uv $(UV_VERSION) into .tools"
	@$(PYTHON) -m venv .tools || { echo "python's venv module is missing; on Debian: apt-get install python3-venv"; exit 2; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

.venv/.synced: $(UV) uv.lock pyproject.toml
	@echo "installing Foresail and what it needs into .venv (about a minute when nothing is cached)"
	@$(UV) sync --quiet --locked --all-extras --python $(PYTHON)
	@touch $@

setup: .venv/.synced ## Install everything into .venv

demo: .venv/.synced ## Watch an accelerated week: forecast, decide, hold, compare (DEMO_ARGS="--trace FILE")
	@$(BIN)/foresail demo $(DEMO_ARGS)

demo-metrics: .venv/.synced ## The demo's week in a real Prometheus, decided at past instants, beside the file
	@$(PYTHON) hack/parts ensure prometheus promtool
	@$(BIN)/python hack/demo_metrics.py $(DEMO_ARGS)

demo-real: .venv/.synced ## HPA, our floor, KEDA and we alone, side by side on a real control plane (about 6 minutes)
	@$(PYTHON) hack/parts ensure $(WORLD)
	@$(BIN)/python hack/demo_real.py $(DEMO_ARGS)

parts: ## Have the real servers the tests use: built once into a cache outside (about 15 minutes), then instant
	@$(PYTHON) hack/parts ensure $(PARTS)
	@! command -v apt-get > /dev/null || $(PYTHON) hack/parts ensure --debian prometheus || \
		echo "going on without Debian's Prometheus: its test is skipped"
	@$(PYTHON) hack/parts ensure chromium || echo "going on without a browser: the tests of the report's page are skipped"

test: .venv/.synced ## All tests, as CI runs them
	@$(MAKE) --no-print-directory --output-sync -j $(JOBS) lint types parts
	@$(BIN)/pytest $(SPREAD)

e2e: .venv/.synced ## The proof on a match day: four hours of it on real servers (about 20 minutes; leaves out/e2e)
	@$(PYTHON) hack/parts ensure $(WORLD)
	@$(BIN)/pytest -s tests/e2e

check: lint types unit ## The quick part of the tests; run it before each commit

lint: .venv/.synced
	@$(BIN)/ruff format --check --quiet . || { echo "run: make format"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo > .venv/imports.log 2>&1 || { cat .venv/imports.log; exit 1; }

types: .venv/.synced
	@$(BIN)/mypy --no-error-summary

unit: .venv/.synced
	@$(BIN)/pytest -q $(SPREAD) -m "not slow" --ignore tests/integration --ignore tests/real

format: .venv/.synced ## Format the code and mend what can be mended
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/python hack/strip_notebooks.py

bench: .venv/.synced ## Measure what the docs claim (minutes)
	@$(BIN)/python tests/bench/bench_pipeline.py
	@$(BIN)/python tests/bench/bench_decode.py
	@$(BIN)/python tests/bench/bench_simulate.py
	@$(BIN)/python tests/bench/bench_global_model.py
	@$(BIN)/python -m tests.bench.bench_policies

bench-decisions: .venv/.synced ## The scoreboard over recorded loads, docs/benchmarks (about an hour; BENCH_ARGS="--data DIR")
	@$(BIN)/python -m tests.bench.decisions $(BENCH_ARGS)

bench-forecast: .venv/.synced ## Forecasts beside seasonal-naive, ETS, Theta and Prophet, docs/benchmarks (about 20 minutes)
	@$(UV) sync --quiet --locked --inexact --all-extras --group bench --python $(PYTHON) || \
		echo "going on without Prophet: the benchmark says so"
	@$(BIN)/python -m tests.bench.bench_forecast $(BENCH_ARGS)

bench-anomalies: .venv/.synced ## Anomalies beside seven other ways on labelled recordings, docs/benchmarks (an hour at first)
	@$(UV) sync --quiet --locked --inexact --all-extras --group bench --python $(PYTHON) || \
		echo "going on without Prophet: the benchmark says so"
	@$(BIN)/python -m tests.bench.anomalies $(BENCH_ARGS)

bench-gates: .venv/.synced ## What gates of anomalies are worth on injected incidents, docs/benchmarks (about ten minutes)
	@$(BIN)/python -m tests.bench.bench_gates $(BENCH_ARGS)

bench-fleet: .venv/.synced ## Forecasts of 10,000 workloads: seconds and memory, docs/benchmarks (about two minutes)
	@$(BIN)/python -m tests.bench.bench_fleet $(BENCH_ARGS)

soak: .venv/.synced parts ## The leader killed twenty times, then faults by chance (SOAK_MINUTES=20, SOAK_SEED)
	@FORESAIL_KILLS=20 $(BIN)/pytest -q -s tests/real/test_operator_leading.py -k K11
	@SOAK_MINUTES=$(SOAK_MINUTES) SOAK_SEED=$(SOAK_SEED) $(BIN)/pytest -q -s tests/real/test_operator_soak.py

bench-operator: .venv/.synced parts ## A thousand objects on real servers, and KEDA beside them (about an hour; BENCH_ARGS)
	@$(BIN)/python -m tests.bench.bench_operator $(BENCH_ARGS)

chart: .venv/.synced ## Write what is generated of the chart: values, schema, roles, table, plain manifests
	@$(PYTHON) hack/parts ensure helm
	@$(BIN)/python -m hack.chart

image: ## Build the container image IMAGE (default foresail:VERSION) for PLATFORM; needs a docker daemon
	@if docker info > /dev/null 2>&1; then \
		docker buildx build --pull --platform $(PLATFORM) --tag $(IMAGE) $(IMAGE_ARGS) . ; \
	else echo "SKIPPED: no image was built, for no docker daemon answers here"; fi

sbom: $(UV) ## List what the image is made of, as CycloneDX 1.5, into out/sbom
	@$(PYTHON) hack/sbom.py out/sbom/foresail.cdx.json

lock: $(UV) ## Renew uv.lock after a change of dependencies
	@$(UV) lock --python $(PYTHON)

clean: ## Remove everything that was installed or made here
	@rm -rf .venv .tools out .mypy_cache .ruff_cache .pytest_cache .hypothesis
