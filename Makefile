# All tasks of developers and CI. Needs Python 3.11 or newer and make; `make` without a target lists the targets.

.DEFAULT_GOAL := help
.NOTPARALLEL:

ENVIRONMENT := .venv
TOOLS := .venv-tools
ORIGINAL := .venv-original
BIN := $(ENVIRONMENT)/bin

# Options of pytest, as in `make test ARGS="tests/users -k address"`.
ARGS ?=
COVERAGE := 95
MEASURE :=
CLIENTS := tests/clients
TYPESCRIPT := clients/typescript
NODE_PACKAGES := $(CLIENTS)/node_modules/.stamp $(TYPESCRIPT)/node_modules/.stamp
# Tests start many processes, which compile all modules each time if Python may not keep what it compiled.
PYTHON_WITH_CACHE := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python
# Each worker gets an equal part of the tests in order, so that neighbouring tests share a server or browser; an idle worker steals.
PYTEST := $(PYTHON_WITH_CACHE) -m pytest -n 2 --dist worksteal
# Tests with browsers, and those that start processes, wait for part of their time, so two cores have time for a third.
PYTEST_OF_WAITING := $(PYTHON_WITH_CACHE) -m pytest -n 3 --dist worksteal
INSTALL := -m pip install --disable-pip-version-check -qq --no-deps --require-hashes -r
LOCK := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--no-emit-index-url --no-header $(ARGS)

heading = @printf '\n==> %s\n' "$(1)"

##@ Use

# make exports variables from its command line to the programs it starts; nothing else is set here.
.PHONY: run
run: $(ENVIRONMENT)/base.stamp ## Start the service; options: PORT, HOST, WORKERS, DATABASE_URL, as in make run PORT=9000
	@exec $(BIN)/python -m userapi.cli.run

.PHONY: stack
stack: $(ENVIRONMENT)/dev.stamp ## Start two app hosts, Celery, PostgreSQL, Redis and nginx on this machine; HA=1 with failover; option: PORT
	@exec $(BIN)/python deploy/$(if $(HA),high_availability,stack).py

.PHONY: drill
drill: $(ENVIRONMENT)/dev.stamp ## Restore a PostgreSQL to a moment as the guide says, and check the result; option: USERS
	@exec $(PYTHON_WITH_CACHE) deploy/drill.py

##@ Check

.PHONY: test
test: $(ENVIRONMENT)/dev.stamp $(NODE_PACKAGES) ## Run all tests but the four kinds below, in a few minutes; ARGS="tests/users -x" runs some of them
	$(call heading,Tests)
	@$(PYTEST) -m "not browser and not fuzz and not slow and not stack" $(MEASURE) $(ARGS)

.PHONY: browsers
browsers: $(ENVIRONMENT)/dev.stamp ## Test the pages in a real browser, with axe-core
	$(call heading,Browsers)
	@$(PYTEST_OF_WAITING) -m browser $(MEASURE) $(ARGS)

.PHONY: fuzz
fuzz: $(ENVIRONMENT)/dev.stamp ## Send generated requests to every operation of the API
	$(call heading,Fuzz)
	@$(PYTEST) -m fuzz $(MEASURE) $(ARGS)

.PHONY: slow
slow: $(ENVIRONMENT)/dev.stamp $(NODE_PACKAGES) $(ORIGINAL)/original.stamp ## Start the service in many ways, and move thousands of users
	$(call heading,Slow tests)
	@$(PYTEST_OF_WAITING) -m "slow and not browser" $(MEASURE) $(ARGS)

.PHONY: faults
faults: $(ENVIRONMENT)/dev.stamp ## Kill parts of a whole stack under load, and check the data
	$(call heading,Faults)
	@$(PYTHON_WITH_CACHE) -m pytest -q -m stack tests/faults $(ARGS)

.PHONY: both
both: $(ENVIRONMENT)/dev.stamp $(NODE_PACKAGES) $(ORIGINAL)/original.stamp ## Run every test but faults on both databases, even where SQL does not matter
	$(call heading,Tests on both databases)
	@$(PYTEST) -m "not stack" --database=both $(ARGS)

.PHONY: newcomer
newcomer: $(ENVIRONMENT)/dev.stamp ## Follow the README in a fresh checkout, and report how long it took
	$(call heading,A newcomer (needs the network))
	@NEWCOMER_INSTALLS=yes $(BIN)/python -m pytest -q -s tests/journeys/test_newcomer.py

.PHONY: products
products: $(ENVIRONMENT)/dev.stamp ## Sign in to JupyterHub and pgAdmin, which it installs in a temporary folder
	$(call heading,Products (needs the network))
	@PYTHONPATH=.:deploy $(BIN)/python -m tests.products.try_products

.PHONY: lint
lint: $(ENVIRONMENT)/dev.stamp ## Check code style and common mistakes
	$(call heading,Lint)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(ENVIRONMENT)/dev.stamp $(TYPESCRIPT)/node_modules/.stamp ## Check the types, also those of the TypeScript client
	$(call heading,Types)
	@$(BIN)/mypy
	@test ! -e $(TYPESCRIPT)/node_modules/.stamp || node $(TYPESCRIPT)/node_modules/typescript/bin/tsc --project $(TYPESCRIPT) --noEmit

.PHONY: imports
imports: $(ENVIRONMENT)/dev.stamp ## Check that folders import only downwards
	$(call heading,Imports)
	@$(BIN)/lint-imports

.PHONY: migrations-check
migrations-check: $(ENVIRONMENT)/dev.stamp ## Check that the migrations create exactly the models
	$(call heading,Migrations)
	@$(BIN)/python -m pytest tests/house/test_migrations.py

.PHONY: translations-check
translations-check: $(ENVIRONMENT)/dev.stamp ## Check that every text is marked and translated
	$(call heading,Translations)
	@$(BIN)/python -m pytest -q tests/house/test_translations.py tests/house/test_texts.py tests/house/test_marked_texts.py

# This hides the banner of mkdocs-material about its successor; the lock file pins the version that works.
.PHONY: docs
docs: $(ENVIRONMENT)/dev.stamp ## Build docs/ as a site in build/site; a broken link is an error
	$(call heading,Documentation)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

.PHONY: pictures
pictures: $(ENVIRONMENT)/dev.stamp ## Take new screenshots for the README and docs, with sample users
	$(call heading,Screenshots)
	@WRITE_PICTURES=yes $(BIN)/python -m pytest -q -n 0 tests/journeys/test_documentation_pictures.py

# Private keys, tokens with a well-known prefix, package hosts, home folders.
LEAKS := -e '-----BEGIN [A-Z ]*PRIVATE KEY' \
	-e '(AKIA|ghp_|gho_|glpat-|xox[bp]-|pypi-Ag)[0-9A-Za-z_-]{16}' \
	-e '(pypi|pythonhosted|npmjs|yarnpkg|debian|ubuntu)[.](org|com)' \
	-e '(^|[^[:alnum:]_.~-])/(home|Users|root|work)/[[:alnum:].]'

# git grep exits with 1 when it finds nothing. Everything that it shows must be removed.
.PHONY: leaks
leaks: ## Search the tracked files for secrets, package hosts and private paths
	$(call heading,Leaks)
	@git grep -nIE $(LEAKS) -- . ':!*/vendor/*'; test $$? -eq 1
	@git grep -nIE 'https?://' -- requirements; test $$? -eq 1

.PHONY: no-coverage
no-coverage: $(ENVIRONMENT)/dev.stamp
	@$(BIN)/coverage erase

# Coverage is taken of the four kinds of tests together, and only here.
.PHONY: check
check: MEASURE := --cov --cov-append --cov-report=
check: no-coverage lint types imports leaks docs test browsers fuzz slow faults ## Run everything that CI runs, and require the branch coverage
	$(call heading,Coverage)
	@$(BIN)/coverage report --fail-under=$(COVERAGE)

# `make bench BENCH="--rounds 3 --operations me,list"` runs a part of it; without --write nothing in docs/ changes.
BENCH ?= --write

.PHONY: bench
bench: $(ENVIRONMENT)/base.stamp ## Measure the service and its alternatives, and write docs/performance.md
	$(call heading,Benchmarks (some minutes longer the first time))
	@$(BIN)/python benchmarks/bench.py $(BENCH)

##@ Change


styles/node_modules/.stamp: styles/package.json styles/package-lock.json
	@cd styles && npm ci --no-audit --no-fund --silent
	@touch $@

.PHONY: typescript
typescript: $(TYPESCRIPT)/node_modules/.stamp ## Build the TypeScript client as build/userapi-client-….tgz, which npm can install
	$(call heading,TypeScript client)
	@mkdir -p build
	@cd $(TYPESCRIPT) && npm pack --silent --pack-destination ../../build

.PHONY: styles
styles: styles/node_modules/.stamp ## Build userapi/static/vendor from Tabler's sources, after a template uses a new class or icon
	@cd styles && node build.mjs

.PHONY: format
format: $(ENVIRONMENT)/dev.stamp ## Format the code and apply safe fixes
	$(call heading,Format)
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

.PHONY: openapi
openapi: $(ENVIRONMENT)/dev.stamp ## Update docs/openapi.json
	$(call heading,OpenAPI)
	@mkdir -p docs
	@$(BIN)/python -m userapi.cli.openapi > docs/openapi.json.new
	@mv docs/openapi.json.new docs/openapi.json

CATALOGUES := userapi/translations
BABEL := $(BIN)/pybabel -q
EXTRACT := --mapping=babel.cfg --keywords="lazy_gettext lazy_ngettext:1,2" --add-location=file --sort-output \
	--project=userapi --version=v1 --header-comment="\# The texts of userapi. Translate here; make translations does the rest."

.PHONY: translations
translations: $(ENVIRONMENT)/dev.stamp ## Update the catalogues with the current texts; ADD=it adds a language
	$(call heading,Translations)
	@mkdir -p build
	@$(BABEL) extract $(EXTRACT) --output=build/messages.pot userapi
	@$(if $(ADD),$(BABEL) init --input-file=build/messages.pot --output-dir=$(CATALOGUES) --locale=$(ADD))
	@$(BABEL) update --input-file=build/messages.pot --output-dir=$(CATALOGUES) \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(BABEL) compile --directory=$(CATALOGUES)
	@$(BIN)/python -m pytest -q tests/house/test_translations.py

.PHONY: lock
lock: $(TOOLS)/tools.stamp ## Pin the requirements; ARGS=--upgrade upgrades everything
	$(call heading,Lock files)
	@$(LOCK) setup.cfg -o requirements/base.txt
	@$(LOCK) setup.cfg --extra worker --extra tracing --extra phone -c requirements/base.txt -o requirements/scale.txt
	@$(LOCK) setup.cfg --extra dev --extra worker --extra tracing --extra phone -c requirements/scale.txt -o requirements/dev.txt
	@$(LOCK) requirements/tools.in -o requirements/tools.txt
	@$(LOCK) requirements/original.in -o requirements/original.txt

.PHONY: audit
audit: $(TOOLS)/tools.stamp ## Check pinned packages for known vulnerabilities (needs the network)
	$(call heading,Audit)
	@$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

.PHONY: sbom
sbom: $(TOOLS)/tools.stamp ## Write a bill of materials (CycloneDX) to build/sbom.json (needs the network)
	$(call heading,Bill of materials)
	@mkdir -p build
	@$(TOOLS)/bin/pip-audit --disable-pip --require-hashes -r requirements/scale.txt -f cyclonedx-json -o build/sbom.json

.PHONY: hooks
hooks: $(ENVIRONMENT)/dev.stamp $(TOOLS)/tools.stamp ## Install git hooks that check each commit (.pre-commit-config.yaml)
	$(call heading,Git hooks)
	@$(TOOLS)/bin/pre-commit install

.PHONY: clean
clean: ## Remove the environments and all other generated files
	$(call heading,Clean)
	@rm -rf $(ENVIRONMENT) $(TOOLS) $(ORIGINAL) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
		.schemathesis htmlcov build dist userapi.egg-info test-results docs/openapi.json.new $(CLIENTS)/node_modules \
		$(TYPESCRIPT)/node_modules $(TYPESCRIPT)/dist
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

# --- The environments -------------------------------------------------------------------------------------

# The first of these that is new enough creates the environments; `make PYTHON=/path/to/python3.12 …` overrides it.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)

define create_environment
@python=; for candidate in $(CANDIDATES); do \
	if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		python="$$candidate"; break; \
	fi; \
done; \
if [ -z "$$python" ]; then \
	echo "Python 3.11 or newer is required, and none of these is: $(CANDIDATES). Name another one: make PYTHON=/path/to/python" >&2; \
	exit 1; \
elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	echo "$$python cannot create an environment: on Debian and Ubuntu, apt install python3-venv" >&2; \
	exit 1; \
fi; \
"$$python" -m venv --clear $(1)
endef

$(BIN)/python:
	$(call heading,Python environment)
	$(call create_environment,$(ENVIRONMENT))

$(TOOLS)/bin/python:
	$(call heading,Environment for tools)
	$(call create_environment,$(TOOLS))

$(ORIGINAL)/bin/python:
	$(call heading,Environment for the Django service that tests compare with)
	$(call create_environment,$(ORIGINAL))

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

$(ORIGINAL)/original.stamp: $(ORIGINAL)/bin/python requirements/original.txt
	$(call heading,Packages of the Django service that tests compare with)
	@$(ORIGINAL)/bin/python $(INSTALL) requirements/original.txt
	@touch $@

# A linter, a client generator, and the packages of the TypeScript client. Without npm the tests that need them are
# skipped; in CI that is a failure.
$(NODE_PACKAGES): %/node_modules/.stamp: %/package.json %/package-lock.json
	$(call heading,JavaScript packages of $*)
	@if command -v npm >/dev/null; then \
		(cd $* && npm ci --ignore-scripts --no-audit --no-fund -q >/dev/null) && touch $@; \
	else \
		echo "npm is not installed: on Debian and Ubuntu, apt install nodejs npm" >&2; false; \
	fi || test -z "$$CI"
