# Every verb a person uses; `make` alone prints them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

include defaults.env
export $(shell sed -n 's/^\([A-Z_]*\)=.*/\1/p' defaults.env)

PYTHON ?= python3
VENV := $(CURDIR)/.venv
VAR ?= $(CURDIR)/var
DAG ?= climate_brazil
MODEL ?= $(subst _,-,$(DAG))
PORT ?= 5001
JOBS ?= 2

# The embedded default: Airflow and MLflow in SQLite, everything under var/.
export RETRAINING_VAR := $(abspath $(VAR))
export AIRFLOW_HOME ?= $(RETRAINING_VAR)/airflow
export AIRFLOW__CORE__DAGS_FOLDER ?= $(CURDIR)/dags
export AIRFLOW__CORE__PLUGINS_FOLDER ?= $(CURDIR)/plugins
export MLFLOW_TRACKING_URI ?= sqlite:///$(RETRAINING_VAR)/mlflow/mlflow.db
export KEDRO_LOGGING_CONFIG := $(CURDIR)/kedro_project/conf/logging.yml
export PYTHONPATH := $(CURDIR)/plugins:$(CURDIR)/kedro_project/src
export PATH := $(VENV)/bin:$(PATH)

INSTALLED := $(VENV)/.installed
PREPARED := $(RETRAINING_VAR)/.prepared

##@ Use

.PHONY: retrain
retrain: $(PREPARED) ## Run the monthly retraining once (DAG= SERIES= CUTOFF= STATIONS= MOVIES= METHOD= AUDIT=)
	@python -m retraining retrain --dag "$(DAG)" $(if $(SERIES),--set "series=$(SERIES)") \
	  $(if $(filter climate_brazil,$(DAG)),--set "audit_series=$(or $(AUDIT),0)") \
	  $(if $(CUTOFF),--set "cutoff=$(CUTOFF)") $(if $(METHOD),--set "method=$(METHOD)") \
	  $(if $(MOVIES),--set "movies=$(if $(findstring ://,$(MOVIES)),$(MOVIES),$(abspath $(MOVIES)))") \
	  $(if $(STATIONS),--set "stations=$(if $(findstring ://,$(STATIONS)),$(STATIONS),$(abspath $(STATIONS)))")

.PHONY: replay
replay: $(PREPARED) ## Retrain consecutive months one after the other, without Airflow (MONTHS=3 CUTOFF= STATIONS=)
	@python -m retraining replay --pipeline "$(DAG)" --months "$(or $(MONTHS),3)" $(if $(CUTOFF),--set "cutoff=$(CUTOFF)") \
	  $(if $(STATIONS),--set "stations=$(if $(findstring ://,$(STATIONS)),$(STATIONS),$(abspath $(STATIONS)))")

.PHONY: ui
ui: $(PREPARED) ## Show the runs: Airflow's and MLflow's web pages on loopback, Ctrl-C ends both
	@python -m retraining ui

.PHONY: serve
serve: $(PREPARED) ## Serve the champion on loopback, Ctrl-C ends it (MODEL=climate-brazil/7: that version; PORT=5001)
	@python -m retraining serve --model "$(MODEL)" --port "$(PORT)"

.PHONY: forecast
forecast: $(PREPARED) ## Write the champion's forecasts as Parquet (MODEL=climate-brazil/7: that version's)
	@cd kedro_project && kedro run --pipelines forecast --params "climate_brazil.forecast_with=$(MODEL)"

.PHONY: models
models: $(PREPARED) ## Show the versions, aliases and history of a registered model (MODEL=)
	@python -m retraining models --model "$(MODEL)"

.PHONY: rollback
rollback: $(PREPARED) ## Make the previous champion champion again (TO=<version> MODEL= WHY=)
	@python -m retraining rollback --model "$(MODEL)" $(if $(TO),--to "$(TO)") $(if $(WHY),--why "$(WHY)")

.PHONY: native
native: $(INSTALLED) ## Run the production stack without Docker: Postgres, S3, MLflow, Airflow as processes, until Ctrl-C (WORKERS=2: Celery)
	@python -m retraining native $(if $(WORKERS),--workers "$(WORKERS)")

.PHONY: reconcile
reconcile: $(PREPARED) ## End MLflow runs that were left open by a DAG run that is over or gone
	@python -W ignore -m tracked_kedro.reconciliation

.PHONY: backup
backup: ## Back the stack up into one file, while it works (FILE= STACK=compose|native)
	@stack="$$($(PYTHON) -m retraining.commands.which_stack "$(STACK)")"; $(MAKE) "backup-$$stack"

.PHONY: restore
restore: ## Restore an empty, stopped stack from a backup (FILE= STACK=, FORCE=1 replaces what is there)
	@: "$(or $(FILE),$(error name the backup with FILE=))"
	@stack="$$($(PYTHON) -m retraining.commands.which_stack "$(STACK)")"; $(MAKE) "restore-$$stack"

.PHONY: backup-native restore-native backup-compose restore-compose
backup-native restore-native: %-native: $(INSTALLED)
	@python -m retraining $* $(if $(FILE),--file "$(FILE)") $(if $(filter restore,$*),$(if $(FORCE),--force))

backup-compose restore-compose: %-compose:
	@$(PYTHON) -m retraining.commands.backup_compose $* $(if $(FILE),--file "$(FILE)") $(if $(FORCE),--force)

.PHONY: reproduce
reproduce: $(INSTALLED) ## Run a past run again beside the present: equal, or the first difference (RUN=<parent run id>)
	@python -m retraining reproduce --run "$(or $(RUN),$(error name the parent run with RUN=))" $(if $(FORCE),--force)

.PHONY: data
data: $(PREPARED) ## Fetch the station files from the configured source (STATIONS=<address>)
	@cd kedro_project && kedro run --pipelines refresh \
	  $(if $(STATIONS),--params "climate_brazil.stations=$(STATIONS)")

.PHONY: shell
shell: $(PREPARED) ## Open a shell with this deployment's environment (airflow, kedro, mlflow)
	@cd kedro_project && $(SHELL)

.PHONY: viz
viz: $(INSTALLED) ## Draw the pipelines in the browser (kedro viz)
	@cd kedro_project && kedro viz run --no-browser

##@ Production stack (Docker; docs/operations.md)

.PHONY: secrets
secrets: ## Write strong random secrets once, as files only you can read
	@$(PYTHON) -m retraining.commands.secrets

.PHONY: up
up: ## Build and start the whole stack, wait until it is healthy, print the addresses
	@$(PYTHON) -m retraining.commands.up

.PHONY: down
down: ## Stop the stack; its data stays
	@docker compose --profile "*" down --remove-orphans

.PHONY: ps
ps: ## What runs, and how healthy it is
	@docker compose --profile "*" ps --all

.PHONY: logs
logs: ## Follow the logs of all services (SERVICE=mlflow: of one)
	@docker compose --profile "*" logs --follow --tail 100 $(SERVICE)

.PHONY: doctor
doctor: ## Check ports, secrets, stores, versions, clocks and disk, and name the remedy
	@$(PYTHON) -m retraining.commands.doctor

.PHONY: upgrade
upgrade: ## Back up, migrate to the code in this folder, verify, and tell how to go back
	@$(PYTHON) -m retraining.commands.upgrade

KEEP ?= 12

.PHONY: prune
prune: ## Count old runs, versions, objects, rows and logs (KEEP=12 runs stay); APPLY=1 removes them
	@$(PYTHON) -m retraining.commands.prune_stack --keep "$(KEEP)" $(if $(filter 1,$(APPLY)),--apply)

##@ Develop

.PHONY: dags
dags: $(PREPARED) ## Render dags/ from the Kedro pipelines and conf/base/airflow.yml
	@python -m retraining render-dags --target "$(CURDIR)/dags"

.PHONY: new-pipeline
new-pipeline: $(INSTALLED) ## Scaffold a pipeline, its configuration and a first test (NAME=rents)
	@python -m retraining new-pipeline "$(NAME)"

.PHONY: test
test: $(PREPARED) ## Run the test suite (JOBS=2 processes)
	@pytest --numprocesses "$(JOBS)" --dist loadfile

.PHONY: test-compose
test-compose: $(INSTALLED) ## Run the production stack for real, on an engine of its own (root on Debian)
	@pytest --no-cov tests/compose

# These take half an hour on two cores; the others run by name, or with FULL=1.
BENCHMARKS := inference accuracy agreement tracked dagrun fleet
MORE_BENCHMARKS := workers dag_import forecasts_page kafka_stream recommender
BENCH ?= $(BENCHMARKS) $(if $(FULL),$(MORE_BENCHMARKS))

.PHONY: bench
bench: $(PREPARED) ## Measure, one benchmark after the other (BENCH=inference: one; FULL=1: full size)
	@uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r benchmarks/requirements.lock
	@RETRAINING_TEST_DATA="$${RETRAINING_TEST_DATA:-$(abspath ../shared/data)}" python benchmarks/run.py $(BENCH)

.PHONY: lint
lint: $(INSTALLED) ## Style, types and import arrows
	@ruff check . && ruff format --check . && mypy && lint-imports

.PHONY: format
format: $(INSTALLED) ## Put the code into shape
	@ruff check --fix . && ruff format .

.PHONY: lock
lock: $(INSTALLED) ## Resolve pyproject.toml into requirements.lock
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --group dev --quiet --output-file requirements.lock pyproject.toml
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	  --constraint requirements.lock --quiet --output-file docker/requirements.lock pyproject.toml
	@echo "requirements.lock and, without the development group, docker/requirements.lock are made; 'make retrain' or 'make test' installs it."

##@ Set up

.PHONY: setup
setup: $(PREPARED) ## Build the environment and the embedded stores (other targets do it by themselves)

.PHONY: system-deps
system-deps: ## Install the Debian packages this project uses (needs root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  python3-venv git graphviz chromium fonts-dejavu-core redis-server

.PHONY: clean
clean: ## Remove what runs have made (var/); the environment stays
	rm -rf "$(RETRAINING_VAR)"

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## "; print "Monthly retraining: Kedro pipelines as Airflow DAGs, tracked in MLflow" } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; choose one with PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "The Debian package python3-venv is missing:" >&2; \
	    echo "    apt-get install python3-venv     # or, as root: make system-deps" >&2; exit 1; }
	@echo "Building .venv from requirements.lock (a minute or two, once) ..."
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@test -x $(VENV)/bin/uv || \
	  { grep -A20 '^uv==' requirements.lock | awk 'NR == 1 || /^    --hash/ { print } NR > 1 && !/^    --hash/ { exit }' \
	      > $(VENV)/uv.lock && $(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock; }
	@$(VENV)/bin/uv pip sync --quiet --python $(VENV)/bin/python --require-hashes --compile-bytecode requirements.lock
	@touch $@

$(PREPARED): $(INSTALLED)
	@echo "Preparing the embedded stores under $(RETRAINING_VAR) ..."
	@mkdir -p $(RETRAINING_VAR)/mlflow $(RETRAINING_VAR)/logs $(AIRFLOW_HOME) 2>/dev/null && test -w $(RETRAINING_VAR) || \
	  { echo "$(RETRAINING_VAR) cannot be written to; choose another folder with VAR=<folder>" >&2; exit 1; }
	@airflow db migrate > $(RETRAINING_VAR)/logs/migrate.log 2>&1 || \
	  { tail -20 $(RETRAINING_VAR)/logs/migrate.log >&2; exit 1; }
	@python -m retraining prepare > $(RETRAINING_VAR)/logs/prepare.log 2>&1 || \
	  { tail -20 $(RETRAINING_VAR)/logs/prepare.log >&2; exit 1; }
	@touch $@
