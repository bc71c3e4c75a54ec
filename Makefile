# `make` lists what can be asked. Everything runs from .venv, made when requirements-dev.txt changes.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLASK := $(BIN)/flask --app wsgi
ADDRESS ?= 127.0.0.1:8000
WORKERS ?= 2
JOBS ?= 2
POSTGRES ?= postgresql://postgres@127.0.0.1:5432/test

.DEFAULT_GOAL := help
.PHONY: help run test test-sqlite test-postgres lint types format translate migration lock shots readme-shots bench bench-billing bench-search bench-dashboard bench-reminders kills browser audit

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/stamp: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: $(VENV)/stamp ## Start the portal on http://127.0.0.1:8000 with the demo accounts
	$(FLASK) db upgrade
	$(FLASK) seed demo
	$(FLASK) bill
	$(FLASK) send-documents
	@$(FLASK) demo-logins
	@echo "Portal on http://$(ADDRESS) (Ctrl+C stops it)"
	@echo "In this demo the team signs in without a second step; elsewhere it needs one (PORTAL_STAFF_TWO_FACTOR)"
	PAYMENT_PROVIDER=$${PAYMENT_PROVIDER:-demo} PORTAL_STAFF_TWO_FACTOR=$${PORTAL_STAFF_TWO_FACTOR:-optional} \
	  $(BIN)/gunicorn --bind $(ADDRESS) --workers $(WORKERS) wsgi:app

test: $(VENV)/stamp test-sqlite test-postgres ## Run every test on SQLite, then those of the database on PostgreSQL

test-sqlite: $(VENV)/stamp ## Run every test on SQLite
	TEST_DATABASE=sqlite $(BIN)/pytest -n $(JOBS) $(ARGS)

test-postgres: $(VENV)/stamp ## Run the tests that touch the database on PostgreSQL, when it is there
	@if $(BIN)/python -m tests.support.postgres $(POSTGRES); then \
	  TEST_DATABASE=postgres TEST_POSTGRES=$(POSTGRES) $(BIN)/pytest -n $(JOBS) -m database $(ARGS); \
	elif [ "$$ALLOW_SKIPS" = 0 ]; then \
	  echo "PostgreSQL not found at $(POSTGRES), and ALLOW_SKIPS=0"; exit 1; \
	else \
	  echo "PostgreSQL not found at $(POSTGRES): the same suite on PostgreSQL is skipped"; \
	fi

lint: $(VENV)/stamp ## Check style, layers and translations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m webapp.translating check

types: $(VENV)/stamp ## Check types, strictly in the domain
	$(BIN)/mypy

format: $(VENV)/stamp ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

translate: $(VENV)/stamp ## Collect the sentences, update the three catalogues and check them
	$(BIN)/python -m webapp.translating extract
	$(BIN)/python -m webapp.translating update
	$(BIN)/python -m webapp.translating check

migration: $(VENV)/stamp ## Write a migration from the models: make migration m="what changes"
	$(FLASK) db upgrade
	$(FLASK) db migrate -m "$(m)"

lock: ## Lock the dependencies again, with their hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --extra oidc -c requirements.txt pyproject.toml -o requirements-oidc.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --extra dev -c requirements-oidc.txt pyproject.toml -o requirements-dev.txt

browser: ## Install Chromium from the Debian packages, if absent
	@command -v chromium >/dev/null || { \
	  as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$as_root apt-get update -q && $$as_root apt-get install -qy --no-install-recommends chromium fonts-dejavu-core; }

shots: $(VENV)/stamp browser ## Picture every page of the demo into shots/
	$(BIN)/python -m tests.browser.shots $(ARGS)

readme-shots: $(VENV)/stamp browser ## Take the four pictures of the README again, into docs/shots/
	$(BIN)/python -m tests.browser.readme_shots

bench: $(VENV)/stamp ## Measure the pages and the documents, each against its floor
	$(BIN)/python -m bench.overview $(ARGS)
	$(BIN)/python -m bench.pages
	$(BIN)/python -m bench.documents

bench-reminders: $(VENV)/stamp ## Measure a night of reminders against the plain read of the same rows
	$(BIN)/python -m bench.reminders $(ARGS)

bench-search: $(VENV)/stamp ## Measure the team's search and desk among 200 000 accounts, on PostgreSQL
	$(BIN)/python -m bench.staff_search --server $(POSTGRES) $(ARGS)

bench-dashboard: $(VENV)/stamp ## Measure the dashboard and the requests among 200 000 accounts, on PostgreSQL
	$(BIN)/python -m bench.dashboard --server $(POSTGRES) $(ARGS)

bench-billing: $(VENV)/stamp ## Measure the billing run against a raw insert of the same rows
	$(BIN)/python -m bench.billing_run $(ARGS)

kills: $(VENV)/stamp ## Kill the billing run at each named point, fifty rounds on each database
	$(BIN)/python -m bench.kills $(ARGS)

audit: $(VENV)/stamp ## Look for known flaws in the dependencies and in the code
	@bash .ci/audit $(BIN)
	$(BIN)/bandit --quiet --severity-level medium --recursive --configfile pyproject.toml webapp wsgi.py
