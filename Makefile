# What CI runs is what you run. python3 (>= 3.11, with venv) and make are all that has to be there.
PYTHON ?= python3
# Where it is set, every process of the tests would compile what it imports again.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
RUN := $(VENV)/.run-stamp
REPORT := $(VENV)/.report-stamp
DEV := $(VENV)/.dev-stamp
CLOUD := $(VENV)/.cloud-stamp
ENV ?= dev
PLATFORMS := linux_amd64 linux_arm64 darwin_amd64 darwin_arm64 windows_amd64
DBT_DIR := jobs/dbt-runner/dbt
# A data directory other than the default, for every target that uses one.
DATA_DIR ?=
OF_DATA = $(if $(DATA_DIR),--data-dir "$(DATA_DIR)")
# What `make docs` and `make dbt-slim` read: as millrace itself, the rows of data, else of the demo.
SHOWN = $(or $(DATA_DIR),$(CURDIR)/data$(if $(wildcard data/published.duckdb),,/demo))
UPGRADE ?= --upgrade
LINT = $(BIN)/python -m ruff format --check . && $(BIN)/python -m ruff check .
PYTEST = $(BIN)/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder
PROOFS := tests faults usage-faults mutants killing processes parity api-calls emulators image coverage effects github

.DEFAULT_GOAL := help
.PHONY: help run demo serve status collect report usage prices check test prove $(addprefix prove-,$(PROOFS)) test-emulators test-image bench parity verify-snowflake verify-github api-calls faults usage-faults faults-mutants faults-kill format lock docs dbt-slim preflight deploy smoke lock-providers destroy clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN)  ## the whole pipeline on this machine, over a simulated company; ARGS="--source-url URL" over a real one
	@$(BIN)/python local/run_all.py --next "make serve" $(OF_DATA) $(ARGS)

demo: $(RUN)  ## a simulated company in a data directory of its own (ARGS="--developers 30 --serve", "--help")
	@$(BIN)/python -m millrace demo $(OF_DATA) $(ARGS)

serve: $(RUN)  ## show the marts as a page, and answer the read API, on this machine (ARGS="--port N", "--help"; DATA_DIR=folder)
	@$(BIN)/python -m millrace serve $(OF_DATA) $(ARGS)

status: $(RUN)  ## show whether the numbers can be trusted, and what to do if not (ARGS="--json")
	@$(BIN)/python -m millrace status $(OF_DATA) $(ARGS)

report: $(REPORT)  ## show what this machine's coding agents used and cost, without a set-up (ARGS="monthly", "--help")
	@PYTHONPATH=src $(BIN)/python -m millrace report $(OF_DATA) $(ARGS)

collect: $(RUN)  ## read this machine's coding agents into the usage marts (ARGS="--watch", "--dry-run", "--help")
	@$(BIN)/python -m millrace collect $(OF_DATA) $(ARGS)

usage: $(RUN)  ## check usage data (ARGS=doctor) or count it again (ARGS="backfill --force")
	@$(BIN)/python -m millrace usage $(ARGS)

prices: $(RUN)  ## compare the rate card with LiteLLM's price table (ARGS=--write takes over what the card lacks; ARGS=FILE reads a wheel or its JSON)
	@$(BIN)/python jobs/dbt-runner/write_prices.py $(ARGS)

check: $(DEV)  ## the quick lane: format, lint, types, layers, fast tests (two minutes)
	@$(LINT)
	@$(PYTEST) -m fast $(ARGS)

test: $(DEV)  ## everything that must hold: the checks, SQL, processes, dbt, the page, a fixed sample of the proofs
	@$(LINT)
	@$(PYTEST) -m "fast or slow" $(ARGS)

prove: $(DEV)  ## what takes long: WHAT="tests faults usage-faults mutants killing processes parity api-calls emulators image coverage effects github" (default: all)
	@for proof in $(or $(WHAT),$(PROOFS)); do $(MAKE) --no-print-directory prove-$$proof || exit 1; done

prove-tests: $(DEV)
	@$(PYTEST) -m proof $(ARGS)

prove-faults: $(DEV)
	@$(BIN)/python -m tests.proofs.faults --seeds 0:2000 --jobs 2 $(ARGS)
	@$(BIN)/python -m tests.proofs.faults --seeds 0:200 --jobs 2 --short-deliveries

prove-usage-faults: $(DEV)
	@$(BIN)/python -m tests.proofs.usage_faults --seeds 0:300 --jobs 2 $(ARGS)

prove-mutants: $(DEV)
	@$(BIN)/python -m tests.proofs.faults --mutants $(ARGS)
	@$(BIN)/python -m pytest -q tests/proofs/usage_faults/noticed.py

prove-killing: $(DEV)
	@$(BIN)/python -m tests.proofs.killing $(ARGS)

prove-processes: $(DEV)
	@$(BIN)/python -m tests.proofs.processes --seeds 0:200 $(ARGS)

prove-parity: $(DEV)
	@$(BIN)/python -m tests.proofs.parity $(ARGS)

prove-api-calls: $(DEV)
	@$(BIN)/python -m tests.api $(ARGS)

prove-emulators: $(DEV)
	@$(BIN)/python -m pytest tests/emulators tests/contract $(ARGS)

prove-image: $(DEV)
	@$(BIN)/python -m pytest -rs -s tests/deploy/image/built.py tests/deploy/image/built_functions.py $(ARGS)
	@$(BIN)/python -m tests.deploy.image

prove-coverage: $(DEV)
	@$(PYTEST) -m "fast or slow" --cov --cov-report=term $(ARGS)

prove-effects: $(DEV)
	@$(BIN)/python -m tests.proofs.effects $(ARGS)

prove-github: $(DEV)
	@$(BIN)/python -m tests.proofs.github $(ARGS)

# The names that the proofs had before.
faults: prove-faults  ## 2,000 seeded schedules of duplicates, losses, crashes and races, each compared with a clean run
usage-faults: prove-usage-faults  ## every event of usage duplicated, reordered, updated, crashed between any two steps
faults-mutants: prove-mutants  ## remove one guard after the other, and see which schedule notices
faults-kill: prove-killing  ## kill -9 a real run at every step (ARGS=10: every tenth, ARGS="--chains 9")
parity: prove-parity  ## the same objects through DuckDB and Snowflake (ARGS="--help"), every cell compared
api-calls: prove-api-calls  ## call every route of the read API with made-up parameters (ARGS="--examples N")
test-emulators: prove-emulators  ## contract suites over emulators, the whole pipeline over sockets
test-image: prove-image  ## build the images of functions and job, run each as it is deployed (where ocirig is: OCIRIG=folder)

verify-snowflake: $(DEV)  ## load, build, publish and read in a Snowflake account, and write a report (ARGS="--help")
	@$(BIN)/python -m tests.verify_snowflake $(ARGS)

verify-github: $(DEV)  ## read one repository of GitHub whole, compare with its own totals (ARGS="--account acme --repository shop")
	@$(BIN)/python -m tests.verify_github $(ARGS)

bench: $(DEV)  ## measure against floors taken in the same run (ARGS="start crowd worst")
	@$(BIN)/python -m bench $(ARGS)

format: $(DEV)  ## put Python in order
	@$(BIN)/python -m ruff check --fix . && $(BIN)/python -m ruff format .

docs: $(RUN)  ## generate the dbt documentation as one page (after a run)
	@MILLRACE_DUCKDB_PATH="$(SHOWN)/millrace.duckdb" $(BIN)/dbt --quiet docs generate --static \
	  --project-dir jobs/dbt-runner/dbt --profiles-dir jobs/dbt-runner/dbt \
	  --target-path "$(SHOWN)/dbt" --log-path "$(SHOWN)/dbt"
	@echo "open $(SHOWN)/dbt/static_index.html"

# Without --defer: the state is that of this very file, where all that is not built again lies already.
dbt-slim: $(RUN)  ## build only the models that differ from those of the last run, and what depends on them (after a run)
	@MILLRACE_DUCKDB_PATH="$(SHOWN)/millrace.duckdb" $(BIN)/dbt --quiet build \
	  --select state:modified+ --state "$(SHOWN)/dbt" \
	  --project-dir "$(DBT_DIR)" --profiles-dir "$(DBT_DIR)" \
	  --target-path "$(SHOWN)/dbt-slim" --log-path "$(SHOWN)/dbt-slim" $(ARGS)

lock: $(UV)  ## resolve pyproject.toml into requirements/*.txt, hashed and without addresses (UPGRADE= keeps versions)
	@for lock in dev local collect functions dbt-runner tracing build report sbom; do \
	  case $$lock in \
	    dev) set -- pyproject.toml --extra dev ;; \
	    build|report|sbom) set -- --group $$lock --constraint requirements/dev.txt ;; \
	    functions) set -- pyproject.toml --extra extract --extra load --extra api --constraint requirements/dev.txt ;; \
	    *) set -- pyproject.toml --extra $$lock --constraint requirements/dev.txt ;; esac; \
	  $(UV) pip compile -q "$$@" --universal --python-version 3.11 --override requirements/overrides.in $(UPGRADE) \
	    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	    -o requirements/$$lock.txt || exit 1; done

preflight: $(CLOUD)  ## check what a deployment needs, without changing anything (ENV=dev or prod; ARGS="--help"): docs/before-you-deploy.md
	@$(BIN)/python terraform/preflight.py $(ENV) $(ARGS)

deploy:  ## make everything on Google Cloud, or bring it up to date (ENV=dev or prod; ARGS="-var=…"): docs/deploy.md
	@terraform -chdir=terraform init -input=false
	@terraform -chdir=terraform workspace select -or-create $(ENV)
	@terraform -chdir=terraform apply -var-file=envs/$(ENV).tfvars $(ARGS)

smoke: $(CLOUD)  ## start a run of the deployment, wait for its end, compare it with the source (ENV=dev or prod; ARGS="--help")
	@$(BIN)/python terraform/smoke.py $(ENV) $(ARGS)

# Needs a network: terraform compares what it downloads with the signatures of the providers.
lock-providers:  ## record the checksums of Terraform's providers for all platforms, in terraform/.terraform.lock.hcl
	@terraform -chdir=terraform providers lock $(PLATFORMS:%=-platform=%)

destroy:  ## remove the deployment and keep its data (ENV=dev or prod); with DATA=delete, and delete_data=true applied before, all of it
	@sh terraform/destroy.sh $(ENV) $(if $(filter delete,$(DATA)),delete,keep) $(ARGS)

# data may hold the only copy of usage: coding agents delete their logs.
clean:  ## remove the environment and the demo; with DATA=delete, your own numbers in data too
	rm -rf $(VENV) data/demo dist .pytest_cache .mypy_cache .ruff_cache .coverage*
	@$(if $(filter delete,$(DATA)),rm -rf data,rmdir data 2>/dev/null || true)
	@test ! -e data || echo "data is kept; to remove it too: make clean DATA=delete"

$(UV): requirements/build.txt
	@echo "making the environment in $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "millrace needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
	@touch $@

# Two small libraries: the first number comes before the rest is installed. A larger environment has them already.
$(REPORT): requirements/report.txt
	@test -e $(RUN) || $(PYTHON) -m venv $(VENV)
	@test -e $(RUN) || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

# An editable install; millrace.pth is what an environment of before 0.2.0 had instead.
$(RUN): $(UV) requirements/local.txt pyproject.toml
	@$(UV) pip install -q --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements/local.txt
	@rm -f $(VENV)/lib/python3*/site-packages/millrace.pth
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# The clients of Google Cloud and Snowflake beside what a run on this machine needs.
$(CLOUD): $(RUN) requirements/dbt-runner.txt
	@$(UV) pip install -q --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements/dbt-runner.txt
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	@$(UV) pip install -q --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements/dev.txt
	@touch $@
