# Everything a person or a CI does here. Needs Python 3.11 or newer and make; a bare `make` lists the targets.

.DEFAULT_GOAL := help
.NOTPARALLEL:

ENVIRONMENT := .venv
TOOLS := .venv-tools
BIN := $(ENVIRONMENT)/bin

# `make test ARGS="tests/users -k address"` narrows a run; a narrowed run is not held to the coverage.
ARGS ?=
COVERAGE := 95
CLIENTS := tests/clients
# Each worker keeps to its half, and so starts fewer servers and browsers that neighbours share, until the other is idle.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal
INSTALL := -m pip install --disable-pip-version-check -qq --no-deps --require-hashes -r
LOCK := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-header $(ARGS)

heading = @printf '\n==> %s\n' "$(1)"

##@ Use

# What is given on make's command line is in the environment of what it starts; nothing else is set here.
.PHONY: run
run: $(ENVIRONMENT)/base.stamp ## Start the service; PORT, HOST, WORKERS, DATABASE_URL may follow: make run PORT=9000
	@exec $(BIN)/python -m userapi.cli.run

.PHONY: stack
stack: $(ENVIRONMENT)/dev.stamp ## Start two app hosts, Celery, PostgreSQL, Redis and nginx on this machine; PORT may follow
	@exec $(BIN)/python deploy/stack.py

##@ Check

.PHONY: test
test: $(ENVIRONMENT)/dev.stamp $(CLIENTS)/node_modules/.stamp ## Run the whole suite with branch coverage; ARGS="tests/users -x" narrows it
	$(call heading,Tests)
	@$(PYTEST) -m "not stack" $(if $(strip $(ARGS)),$(ARGS),--cov --cov-report=term --cov-fail-under=$(COVERAGE))

.PHONY: faults
faults: $(ENVIRONMENT)/dev.stamp ## Kill the parts of a whole stack under load, and count what is left
	$(call heading,Faults)
	@$(BIN)/python -m pytest -q -m stack tests/faults $(ARGS)

.PHONY: newcomer
newcomer: $(ENVIRONMENT)/dev.stamp ## Do what the README says in a fresh checkout, packages and all, and say how long it took
	$(call heading,A newcomer (needs the network))
	@NEWCOMER_INSTALLS=yes $(BIN)/python -m pytest -q -s tests/journeys/test_newcomer.py

.PHONY: lint
lint: $(ENVIRONMENT)/dev.stamp ## Look for mistakes and untidy layout
	$(call heading,Lint)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(ENVIRONMENT)/dev.stamp ## Check the types
	$(call heading,Types)
	@$(BIN)/mypy

.PHONY: imports
imports: $(ENVIRONMENT)/dev.stamp ## Check that folders import only downwards
	$(call heading,Imports)
	@$(BIN)/lint-imports

.PHONY: migrations-check
migrations-check: $(ENVIRONMENT)/dev.stamp ## Check that the migrations make exactly the models
	$(call heading,Migrations)
	@$(BIN)/python -m pytest tests/house/test_migrations.py

.PHONY: translations-check
translations-check: $(ENVIRONMENT)/dev.stamp ## Check that every text is marked, and in every language
	$(call heading,Translations)
	@$(BIN)/python -m pytest -q tests/house/test_translations.py tests/house/test_texts.py

# The banner of mkdocs-material tells of a successor; the lock file holds us to what works.
.PHONY: docs
docs: $(ENVIRONMENT)/dev.stamp ## Make a site of docs/ in build/site; a link to nothing fails
	$(call heading,Documentation)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

.PHONY: pictures
pictures: $(ENVIRONMENT)/dev.stamp ## Take the pictures of the documents again, from a database with made-up users
	$(call heading,Pictures)
	@WRITE_PICTURES=yes $(BIN)/python -m pytest -q -n 0 tests/journeys/test_pictures.py

# A private key, a token with a well-known prefix, a package host, somebody's own folder.
LEAKS := -e '-----BEGIN [A-Z ]*PRIVATE KEY' \
	-e '(AKIA|ghp_|gho_|glpat-|xox[bp]-|pypi-Ag)[0-9A-Za-z_-]{16}' \
	-e '(pypi|pythonhosted|npmjs|yarnpkg|debian|ubuntu)[.](org|com)' \
	-e '(^|[^[:alnum:]_.~-])/(home|Users|root|work)/[[:alnum:].]'

# git grep answers 1 when it has looked and found nothing; whatever it shows must go.
.PHONY: leaks
leaks: ## Look for secrets, package hosts and private paths in what git tracks
	$(call heading,Leaks)
	@git grep -nIE $(LEAKS) -- . ':!*/vendor/*'; test $$? -eq 1
	@git grep -nIE 'https?://' -- requirements; test $$? -eq 1

.PHONY: check
check: lint types imports leaks docs test faults ## Do all that CI does

# `make bench BENCH="--rounds 3 --operations me,list"` narrows it; without --write nothing in docs/ changes.
BENCH ?= --write

.PHONY: bench
bench: $(ENVIRONMENT)/base.stamp ## Measure the service beside its peers, and write docs/performance.md
	$(call heading,Benchmarks (the first time: some minutes more))
	@$(BIN)/python benchmarks/bench.py $(BENCH)

##@ Change

.PHONY: format
format: $(ENVIRONMENT)/dev.stamp ## Lay the code out and mend what can be mended safely
	$(call heading,Format)
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: openapi
openapi: $(ENVIRONMENT)/dev.stamp ## Write docs/openapi.json anew
	$(call heading,OpenAPI)
	@mkdir -p docs
	@$(BIN)/python -m userapi.cli.openapi > docs/openapi.json.new
	@mv docs/openapi.json.new docs/openapi.json

CATALOGUES := userapi/translations
BABEL := $(BIN)/pybabel -q
EXTRACT := --mapping=babel.cfg --keywords="lazy_gettext lazy_ngettext:1,2" --add-location=file --sort-output \
	--project=userapi --version=v1 --header-comment="\# The texts of userapi. Translate here; make translations does the rest."

.PHONY: translations
translations: $(ENVIRONMENT)/dev.stamp ## Bring the catalogues up to the texts; ADD=it begins another language
	$(call heading,Translations)
	@mkdir -p build
	@$(BABEL) extract $(EXTRACT) --output=build/messages.pot userapi
	@$(if $(ADD),$(BABEL) init --input-file=build/messages.pot --output-dir=$(CATALOGUES) --locale=$(ADD))
	@$(BABEL) update --input-file=build/messages.pot --output-dir=$(CATALOGUES) \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(BABEL) compile --directory=$(CATALOGUES)
	@$(BIN)/python -m pytest -q tests/house/test_translations.py

.PHONY: lock
lock: $(TOOLS)/tools.stamp ## Pin the requirements anew; ARGS=--upgrade takes the newest of everything
	$(call heading,Lock files)
	@$(LOCK) setup.cfg -o requirements/base.txt
	@$(LOCK) setup.cfg --extra worker --extra tracing -c requirements/base.txt -o requirements/scale.txt
	@$(LOCK) setup.cfg --extra dev --extra worker --extra tracing -c requirements/scale.txt -o requirements/dev.txt
	@$(LOCK) requirements/tools.in -o requirements/tools.txt

.PHONY: audit
audit: $(TOOLS)/tools.stamp ## Ask whether a pinned package has a known weakness (needs the network)
	$(call heading,Audit)
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

.PHONY: sbom
sbom: $(TOOLS)/tools.stamp ## Write the bill of materials of what is deployed to build/sbom.json (CycloneDX; needs the network)
	$(call heading,Bill of materials)
	@mkdir -p build
	@$(TOOLS)/bin/pip-audit --disable-pip --require-hashes -r requirements/scale.txt -f cyclonedx-json -o build/sbom.json

.PHONY: hooks
hooks: $(ENVIRONMENT)/dev.stamp $(TOOLS)/tools.stamp ## Let git check each commit with .pre-commit-config.yaml
	$(call heading,Git hooks)
	@$(TOOLS)/bin/pre-commit install

.PHONY: clean
clean: ## Remove the environments and everything else that can be made again
	$(call heading,Clean)
	@rm -rf $(ENVIRONMENT) $(TOOLS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
		.schemathesis htmlcov build dist userapi.egg-info test-results docs/openapi.json.new $(CLIENTS)/node_modules
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

# --- The environments -------------------------------------------------------------------------------------

# The first of these that is new enough makes the environments; `make PYTHON=/path/to/python3.12 …` overrides.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)

define make_environment
@python=; for candidate in $(CANDIDATES); do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python="$$candidate"; break; \
	fi; \
done; \
if [ -z "$$python" ]; then \
	echo "Python 3.11 or newer is needed; none among: $(CANDIDATES). Name another: make PYTHON=/path/to/python" >&2; \
	exit 1; \
elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	echo "$$python cannot make an environment: on Debian and Ubuntu, apt install python3-venv" >&2; \
	exit 1; \
fi; \
"$$python" -m venv --clear $(1)
endef

$(BIN)/python:
	$(call heading,Python environment)
	$(call make_environment,$(ENVIRONMENT))

$(TOOLS)/bin/python:
	$(call heading,Environment for tools)
	$(call make_environment,$(TOOLS))

$(ENVIRONMENT)/base.stamp: $(BIN)/python requirements/base.txt
	$(call heading,Packages (the first time: a minute or so))
	@$(BIN)/python $(INSTALL) requirements/base.txt
	@touch $@

$(ENVIRONMENT)/dev.stamp: $(BIN)/python requirements/base.txt requirements/dev.txt
	$(call heading,Packages for development (the first time: a minute or two))
	@$(BIN)/python $(INSTALL) requirements/dev.txt
	@touch $(ENVIRONMENT)/base.stamp $@

$(TOOLS)/tools.stamp: $(TOOLS)/bin/python requirements/tools.txt
	$(call heading,Packages for tools)
	@$(TOOLS)/bin/python $(INSTALL) requirements/tools.txt
	@touch $@

# A linter and a generator of clients. Without them the tests that need them are skipped; in CI that is a failure.
$(CLIENTS)/node_modules/.stamp: $(CLIENTS)/package.json $(CLIENTS)/package-lock.json
	$(call heading,JavaScript packages for the tests)
	@if command -v npm >/dev/null; then \
		(cd $(CLIENTS) && npm ci --ignore-scripts --no-audit --no-fund -q >/dev/null) && touch $@; \
	else \
		echo "npm is not installed: on Debian and Ubuntu, apt install nodejs npm" >&2; false; \
	fi || test -z "$$CI"
