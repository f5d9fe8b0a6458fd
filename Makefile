# What CI runs is what you run. python3 (>= 3.11, with venv) and make are all that has to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
RUN := $(VENV)/.run-stamp
DEV := $(VENV)/.dev-stamp
ENV ?= dev
DBT_DIR := jobs/dbt-runner/dbt
DATA_DIR := $(CURDIR)/data
UPGRADE ?= --upgrade

.DEFAULT_GOAL := help
.PHONY: help run serve collect usage test test-emulators test-image bench parity api-calls faults usage-faults faults-mutants faults-kill lint format lock docs dbt-slim deploy destroy clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN)  ## the whole road on this machine: simulator, extract, load, dbt, marts (ARGS="--help" for options)
	@$(BIN)/python local/run_all.py $(ARGS)

serve: $(RUN)  ## show the marts of the last run as a page, and answer the read API, on this machine (ARGS="--port N", "--help")
	@$(BIN)/python -m millrace serve $(ARGS)

collect: $(RUN)  ## read this machine's coding agents into the usage marts (ARGS="--watch", "--dry-run", "--help")
	@$(BIN)/python -m millrace collect $(ARGS)

usage: $(RUN)  ## look after usage: ARGS=doctor says what to look at, ARGS="backfill --force" counts everything anew
	@$(BIN)/python -m millrace usage $(ARGS)

test: $(DEV)  ## everything that must hold: format, lint, types, SQL, tests, coverage
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term $(ARGS)

test-emulators: $(DEV)  ## the road over Google's own clients: contract suites over emulators, the whole pipeline over sockets
	@$(BIN)/python -m pytest tests/emulators tests/contract $(ARGS)

test-image: $(DEV)  ## build the image of the build job and run it as it is deployed (where ocirig is: OCIRIG=folder)
	@$(BIN)/python -m pytest -rs tests/deploy/image/built.py $(ARGS)
	@$(BIN)/python -m tests.deploy.image

faults: $(DEV)  ## 2,000 seeded schedules of duplicates, losses, crashes and races, each compared with a clean run
	@$(BIN)/python -m tests.proofs.faults --seeds 0:2000 --jobs 2 $(ARGS)

usage-faults: $(DEV)  ## every event of usage duplicated, reordered, updated, crashed between any two steps
	@$(BIN)/python -m tests.proofs.usage_faults --seeds 0:300 --jobs 2 $(ARGS)
	@$(BIN)/python -m pytest -q tests/proofs/usage_faults/noticed.py

faults-mutants: $(DEV)  ## take away one guard after the other, and see which schedule notices
	@$(BIN)/python -m tests.proofs.faults --mutants $(ARGS)

faults-kill: $(DEV)  ## kill -9 a real run at every step; the next run has to finish the job (ARGS=10: every tenth, ARGS="--chains 9")
	@$(BIN)/python -m tests.proofs.killing $(ARGS)

bench: $(DEV)  ## measure against floors taken in the same run
	@$(BIN)/python -m bench $(ARGS)

parity: $(DEV)  ## the same objects through DuckDB and Snowflake (its stand-in, or an account: ARGS="--help"), every cell compared
	@$(BIN)/python -m tests.proofs.parity $(ARGS)
	@$(BIN)/python -m pytest -q tests/contract/refreshing_snowflake.py

api-calls: $(DEV)  ## call every route of the read API with very many made-up parameters (ARGS="--examples N")
	@$(BIN)/python -m tests.api $(ARGS)

format: $(DEV)  ## put Python and SQL in order
	@$(BIN)/python -m ruff check --fix . && $(BIN)/python -m ruff format .

docs: $(RUN)  ## generate the dbt documentation as one page (after a run)
	@MILLRACE_DUCKDB_PATH="$(CURDIR)/data/millrace.duckdb" $(BIN)/dbt --quiet docs generate --static \
	  --project-dir jobs/dbt-runner/dbt --profiles-dir jobs/dbt-runner/dbt \
	  --target-path "$(CURDIR)/data/dbt" --log-path "$(CURDIR)/data/dbt"
	@echo "open data/dbt/static_index.html"

# Without --defer: the state is that of this very file, where all that is not built again lies already.
dbt-slim: $(RUN)  ## build only the models that differ from those of the last run, and what depends on them (after a run)
	@MILLRACE_DUCKDB_PATH="$(DATA_DIR)/millrace.duckdb" $(BIN)/dbt --quiet build \
	  --select state:modified+ --state "$(DATA_DIR)/dbt" \
	  --project-dir "$(DBT_DIR)" --profiles-dir "$(DBT_DIR)" \
	  --target-path "$(DATA_DIR)/dbt-slim" --log-path "$(DATA_DIR)/dbt-slim" $(ARGS)

lock: $(UV)  ## resolve pyproject.toml into requirements/*.txt, hashed and without addresses (UPGRADE= keeps versions)
	@for lock in dev local collect extract load dbt-runner api tracing build; do \
	  case $$lock in \
	    dev) set -- pyproject.toml --extra dev ;; \
	    build) set -- --group build --constraint requirements/dev.txt ;; \
	    *) set -- pyproject.toml --extra $$lock --constraint requirements/dev.txt ;; esac; \
	  $(UV) pip compile -q "$$@" --universal --python-version 3.11 --override requirements/overrides.in $(UPGRADE) \
	    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	    -o requirements/$$lock.txt || exit 1; done

deploy:  ## make everything on Google Cloud, or bring it up to date (ENV=dev or prod; ARGS="-var=…"): docs/operations.md
	@terraform -chdir=terraform init -input=false
	@terraform -chdir=terraform workspace select -or-create $(ENV)
	@terraform -chdir=terraform apply -var-file=envs/$(ENV).tfvars $(ARGS)

destroy:  ## remove from Google Cloud what can be made again (ENV=dev or prod); with DATA=delete, told twice, all of it
	@sh terraform/destroy.sh $(ENV) $(if $(filter delete,$(DATA)),delete,keep) $(ARGS)

clean:  ## remove the environment and everything that runs leave behind
	rm -rf $(VENV) data dist .pytest_cache .mypy_cache .ruff_cache .coverage*

$(UV): requirements/build.txt
	@echo "making the environment in $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "millrace needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/build.txt
	@touch $@

# An editable install; millrace.pth is what an environment of before 0.2.0 had instead.
$(RUN): $(UV) requirements/local.txt pyproject.toml
	@$(UV) pip install -q --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements/local.txt
	@rm -f $(VENV)/lib/python3*/site-packages/millrace.pth
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	@$(UV) pip install -q --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements/dev.txt
	@touch $@
