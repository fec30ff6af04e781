# `make help` says what there is. Every command sets up what it needs, on a machine with Python, pip, make and apt.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test coverage check bench soak

BIN := .venv/bin
DEMO := .venv/.ready-for-demo
TESTS := .venv/.ready-for-tests
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check -c requirements.lock

# Settings as in production, for what `make check` asks of them; the keys are for nothing else.
check: export ENV_FILE = /dev/null
check: export DATABASE_URL = sqlite://:memory:
check: export SECRET_KEY = only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM
check: export MAILACCOUNTS_SECRET_KEYS = b25seS1mb3ItY2hlY2tzLTMyLWJ5dGVzLWluLWFsbCE=

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: $(DEMO) ## open the product on an embedded world; HEADLESS=1 plays the whole story and exits
	@$(BIN)/python manage.py demo $(if $(filter-out 0,$(HEADLESS)),--headless)

test: servers check ## run every check and every test
	@$(BIN)/pytest -n 3 --dist worksteal

coverage: servers $(TESTS) ## run every test and say what none of them reaches; fails below 90 % of branches
	@$(BIN)/pytest -n 3 --dist worksteal --cov --cov-report=term:skip-covered

check: $(TESTS) ## lint, format, types, import rules, templates, migrations, deployment settings
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@find mailaccounts crm templates -name '*.html' -exec $(BIN)/djade --check {} +
	@$(BIN)/mypy --no-error-summary
	@PYTHONPATH=. $(BIN)/lint-imports --no-logo
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check --deploy --fail-level WARNING

bench: servers $(TESTS) ## measure against the limits and peers
	@$(BIN)/pytest tests/benchmarks -m benchmark -s

soak: servers $(TESTS) ## run the long forms of the tests
	@$(BIN)/pytest -m soak

.PHONY: servers
servers:
	@.ci/servers

.venv/bin/python:
	@.ci/venv

$(DEMO): pyproject.toml requirements.lock | .venv/bin/python
	@echo "Installing the product (a minute the first time) …"
	@$(INSTALL) -e '.[postgres,redis,sandbox]'
	@touch $@

$(TESTS): pyproject.toml requirements.lock | .venv/bin/python
	@echo "Installing the product and its test tools (a minute or two the first time) …"
	@$(INSTALL) -e '.[postgres,redis,metrics,tracing,sandbox,dev]'
	@touch $@ $(DEMO)
