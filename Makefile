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
PORT ?= 5001
JOBS ?= 2

# The embedded default: Airflow and MLflow in SQLite, everything under var/.
export RETRAINING_VAR := $(abspath $(VAR))
export AIRFLOW_HOME ?= $(RETRAINING_VAR)/airflow
export AIRFLOW__CORE__DAGS_FOLDER ?= $(CURDIR)/dags
export AIRFLOW__CORE__PLUGINS_FOLDER ?= $(CURDIR)/plugins
export MLFLOW_TRACKING_URI ?= sqlite:///$(RETRAINING_VAR)/mlflow/mlflow.db
export KEDRO_LOGGING_CONFIG := $(CURDIR)/kedro_project/conf/logging.yml
export PATH := $(VENV)/bin:$(PATH)

# What runs make under var/ is for its owner alone: files 0600, folders 0700. Each recipe that writes there begins with this.
PRIVATE := umask 077 &&
# What starts servers takes the shell's place (`exec`): make is its parent then, whose end it is told of.

INSTALLED := $(VENV)/.installed
# Its number goes up when there is more to prepare than before.
PREPARED := $(RETRAINING_VAR)/.prepared-2

##@ Use

# Variables that a person gave to make. A DAG's block in airflow.yml says which of them it takes (`make:`); their values
# travel in the environment, where no shell reads them.
OURS := DAG VAR PYTHON JOBS PORT MODEL MONTHS
GIVEN = $(filter-out $(OURS),$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))

# The registered model that a person names, else the one that the DAG's block names.
NAMED = $(if $(MODEL),--model "$(MODEL)",--pipeline "$(DAG)")

.PHONY: retrain
retrain: $(PREPARED) ## Run a DAG once, by default the flagship (DAG=, and the variables that its block names: SERIES= CUTOFF= …)
	@$(PRIVATE) exec python -m tracked_kedro retrain --dag "$(DAG)" $(addprefix --variable ,$(GIVEN))

.PHONY: replay
replay: $(PREPARED) ## Retrain consecutive months one after the other, without Airflow (MONTHS=3 DAG=, and what the DAG takes)
	@$(PRIVATE) python -m tracked_kedro replay --pipeline "$(DAG)" --months "$(or $(MONTHS),3)" $(addprefix --variable ,$(GIVEN))

.PHONY: ui
ui: $(PREPARED) ## Show the runs: Airflow's and MLflow's web pages on loopback, Ctrl-C ends both
	@$(PRIVATE) exec python -m operations ui

.PHONY: serve
serve: $(PREPARED) ## Serve a DAG's champion on loopback, Ctrl-C ends it (DAG=, or MODEL=<name>/7: that version; PORT=5001)
	@$(PRIVATE) python -m tracked_kedro serve $(NAMED) --port "$(PORT)"

.PHONY: forecast
forecast: $(PREPARED) ## Write the champion's forecasts as Parquet (MODEL=<name>/7: that version's)
	@$(PRIVATE) python -m tracked_kedro run-part --pipeline "$(DAG)" --part forecast $(if $(MODEL),--set "$(DAG).forecast_with=$(MODEL)")

.PHONY: models
models: $(PREPARED) ## Show the versions, aliases and history of a registered model (DAG= or MODEL=)
	@$(PRIVATE) python -m tracked_kedro models $(NAMED)

.PHONY: rollback
rollback: $(PREPARED) ## Make the previous champion champion again (DAG= or MODEL=, TO=<version> WHY=)
	@$(PRIVATE) python -m tracked_kedro rollback $(NAMED) $(if $(TO),--to "$(TO)") $(if $(WHY),--why "$(WHY)")

.PHONY: sign-models
sign-models: $(PREPARED) ## Sign a version that you vouch for, so that it is served (VERSION=<name>/7)
	@$(PRIVATE) python -m operations in-native-stack python -m tracked_kedro sign-models $(if $(VERSION),--version "$(VERSION)")

.PHONY: native
native: $(INSTALLED) ## Run the production stack without Docker: Postgres, S3, MLflow, Airflow as processes, until Ctrl-C (WORKERS=2: Celery)
	@$(PRIVATE) exec python -m operations native $(if $(WORKERS),--workers "$(WORKERS)")

.PHONY: reconcile
reconcile: $(PREPARED) ## End MLflow runs that were left open by a DAG run that is over or gone
	@$(PRIVATE) python -W ignore -m tracked_kedro reconcile

.PHONY: backup
backup: ## Back the stack up into one file, while it works (FILE= STACK=compose|native)
	@stack="$$($(PYTHON) -m operations.which_stack "$(STACK)")"; $(MAKE) "backup-$$stack"

.PHONY: restore
restore: ## Restore an empty, stopped stack from a backup (FILE= STACK=, FORCE=1 replaces what is there, UNSIGNED=1 takes one of another key)
	@: "$(or $(FILE),$(error name the backup with FILE=))"
	@stack="$$($(PYTHON) -m operations.which_stack "$(STACK)")"; $(MAKE) "restore-$$stack"

.PHONY: backup-native restore-native backup-compose restore-compose
backup-native restore-native: %-native: $(INSTALLED)
	@$(PRIVATE) exec python -m operations $* $(if $(FILE),--file "$(FILE)") $(if $(filter restore,$*),$(if $(FORCE),--force) $(if $(filter 1,$(UNSIGNED)),--unsigned))

backup-compose restore-compose: %-compose:
	@$(PYTHON) -m operations.compose.backup $* $(if $(FILE),--file "$(FILE)") $(if $(FORCE),--force) $(if $(filter 1,$(UNSIGNED)),--unsigned)

.PHONY: reproduce
reproduce: $(INSTALLED) ## Run a past run again beside the present: equal, or the first difference (RUN=<parent run id> BRANCH=)
	@$(PRIVATE) python -m operations in-native-stack python -m tracked_kedro reproduce --run "$(or $(RUN),$(error name the parent run with RUN=))" $(if $(FORCE),--force) $(if $(BRANCH),--branch "$(BRANCH)")

.PHONY: data
data: $(PREPARED) ## Fetch a pipeline's input files from the configured source (DAG=)
	@$(PRIVATE) python -m tracked_kedro run-part --pipeline "$(DAG)" --part refresh

.PHONY: shell
shell: $(PREPARED) ## Open a shell with this deployment's environment (airflow, kedro, mlflow)
	@$(PRIVATE) cd kedro_project && $(SHELL)

.PHONY: viz
viz: $(INSTALLED) ## Draw the pipelines in the browser (kedro viz)
	@cd kedro_project && kedro viz run --no-browser

##@ Production stack (Docker; docs/operations.md)

.PHONY: secrets
secrets: ## Write strong random secrets once, as files only you can read
	@$(PYTHON) -m operations.compose.secrets

.PHONY: up
up: ## Build and start the whole stack, wait until it is healthy, print the addresses
	@$(PYTHON) -m operations.compose.up

.PHONY: pin-images
pin-images: ## Write each upstream image's digest beside its tag, where its registry answers
	@$(PYTHON) -m operations.compose.pin

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
	@$(PYTHON) -m operations.doctor.report

.PHONY: upgrade
upgrade: ## Back up, migrate to the code in this folder, verify, and tell how to go back
	@$(PYTHON) -m operations.compose.upgrade

KEEP ?= 12

.PHONY: prune
prune: ## Count old runs, versions, objects, rows and logs (KEEP=12 runs stay); APPLY=1 removes them
	@$(PYTHON) -m operations.compose.prune --keep "$(KEEP)" $(if $(filter 1,$(APPLY)),--apply)

##@ Develop

.PHONY: dags
dags: $(PREPARED) ## Render dags/ from the Kedro pipelines and conf/base/airflow.yml
	@python -m tracked_kedro render-dags --target "$(CURDIR)/dags"

.PHONY: add-project
add-project: $(PREPARED) ## Host a Kedro project as it is (FROM=<folder, git address or wheel> NAME=)
	@python -W ignore -m tracked_kedro add-project --from "$(FROM)" --name "$(NAME)"

.PHONY: remove-project
remove-project: $(PREPARED) ## Remove a hosted project: its block, environment and DAG (NAME=)
	@python -W ignore -m tracked_kedro remove-project "$(NAME)"
	@$(MAKE) dags

.PHONY: environments
environments: $(PREPARED) ## Build the environments of hosted projects that want their own (NAME=: that one anew)
	@$(PRIVATE) python -W ignore -m tracked_kedro environments --name "$(NAME)"

.PHONY: new-pipeline
new-pipeline: $(INSTALLED) ## Scaffold a pipeline, its configuration and a first test (NAME=rents)
	@python -m tracked_kedro new-pipeline "$(NAME)"

.PHONY: delete-pipeline
delete-pipeline: $(INSTALLED) ## Delete a pipeline: its code, configuration and tests, and its DAG (NAME=rents)
	@python -m tracked_kedro delete-pipeline "$(NAME)"
	@$(MAKE) dags

# Tests of a file run in one process, and so do all that need the native stack (tests/conftest.py says which).
PYTEST = pytest --numprocesses "$(JOBS)" --dist loadfile --no-loadscope-reorder $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

.PHONY: test
test: $(PREPARED) ## Run the test suite (JOBS=2 processes, TESTS=tests/library: a part of it, COVERAGE=1)
	@$(PYTEST) -m "not full" $(TESTS)

.PHONY: test-full
test-full: $(PREPARED) ## Run the rest: what `make test` leaves out because it takes long (JOBS=, TESTS=, COVERAGE=1)
	@$(PYTEST) -m full $(TESTS)

# The backfill of 24 months takes ten minutes of its own: test-full has it.
.PHONY: test-faults
test-faults: $(PREPARED) ## Cut wires, kill servers and fill disks during runs, on loopback; half an hour at most (JOBS=)
	@timeout --signal=INT 1800 pytest --numprocesses "$(JOBS)" --dist loadfile --no-loadscope-reorder \
		--ignore tests/faults/test_backfill.py tests/faults

.PHONY: test-compose
test-compose: $(INSTALLED) ## Run the production stack for real, on an engine of its own (root on Debian; DAG=, FULL=1: an upgrade and the way back, too)
	@DAG="$(DAG)" pytest $(if $(FULL),,-m "not full") tests/compose

# These take half an hour on two cores; the others run by name, or with FULL=1.
BENCHMARKS := inference accuracy agreement tracked dagrun fleet
MORE_BENCHMARKS := workers dag_import forecasts_page kafka_stream recommender
BENCH ?= $(BENCHMARKS) $(if $(FULL),$(MORE_BENCHMARKS))

.PHONY: bench
bench: $(PREPARED) ## Measure, one benchmark after the other (BENCH=inference: one; FULL=1: full size)
	@uv pip install --quiet --python $(VENV)/bin/python --require-hashes -r benchmarks/requirements.lock
	@RETRAINING_TEST_DATA="$${RETRAINING_TEST_DATA:-$(abspath ../shared/data)}" python benchmarks/run.py $(BENCH)

.PHONY: docs
docs: $(INSTALLED) ## Build the docs site into var/docs/site, with the reference made from the code
	@$(PRIVATE) python docs/site/build.py "$(RETRAINING_VAR)/docs"

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
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	  --quiet --output-file docs/site/requirements.lock docs/site/requirements.in
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

$(INSTALLED): requirements.lock plugins/pyproject.toml kedro_project/pyproject.toml
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
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --offline \
	  --editable plugins --editable kedro_project
	@touch $@

$(PREPARED): $(INSTALLED)
	@echo "Preparing the embedded stores under $(RETRAINING_VAR) ..."
	@$(PRIVATE) mkdir -p $(RETRAINING_VAR)/mlflow $(RETRAINING_VAR)/logs $(AIRFLOW_HOME) 2>/dev/null && test -w $(RETRAINING_VAR) || \
	  { echo "$(RETRAINING_VAR) cannot be written to; choose another folder with VAR=<folder>" >&2; exit 1; }
	@$(PRIVATE) airflow db migrate > $(RETRAINING_VAR)/logs/migrate.log 2>&1 || \
	  { tail -20 $(RETRAINING_VAR)/logs/migrate.log >&2; exit 1; }
	@$(PRIVATE) python -m operations prepare > $(RETRAINING_VAR)/logs/prepare.log 2>&1 || \
	  { tail -20 $(RETRAINING_VAR)/logs/prepare.log >&2; exit 1; }
	@$(PRIVATE) touch $@
