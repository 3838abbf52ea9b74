# S4: `make serve` runs it, `make test` proves it, `make check` reads it with a critical eye.
# Each target makes its own virtual environment from requirements.lock when there is none;
# only Python 3.11 or newer, pip and make are needed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
CRASH_SUITES := $(addprefix tests/storage_engine/test_,power_cut.py crash.py races.py model.py lifecycle_crash.py lifecycle_model.py) tests/e2e/test_server_key.py

.PHONY: test-postgresql screenshots messages serve test test-long test-clients clients test-console test-package test-crash test-scale conformance fuzz pages docs coverage check format lock bench growth figures soak help clean

help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

$(STAMP): requirements.lock s3api/_md5.c
	@command -v $(PYTHON) >/dev/null || { echo "S4 needs Python 3.11 or newer ($(PYTHON) not found)"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "S4 needs Python 3.11 or newer"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what S4 needs into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes --disable-pip-version-check -r requirements.lock
	@rm -f s3api/_md5.*so
	@$(BIN)/python -W ignore -c 'import setuptools; setuptools.setup()' --quiet build_ext --force --inplace --build-temp $(VENV)/build --build-lib $(VENV)/build 2>$(VENV)/compiled.log || true
	@ls s3api/_md5.*so >/dev/null 2>&1 || echo "S4 does without its compiled part, at a third more CPU for large uploads (Debian: apt install gcc python3-dev; then make clean)"
	@touch $(STAMP)

#: make serve     run S4 here: S3 on 127.0.0.1:9000, console on 127.0.0.1:9001 (S4_* settings from the environment)
serve: $(STAMP)
	@exec $(BIN)/python manage.py serve

#: make test      unit, property and end-to-end tests with real servers and clients
test: $(STAMP)
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

#: make test-long the same with the long conformance, crash and soak runs
test-long: $(STAMP)
	@S4_TEST_LONG=1 $(BIN)/python -m pytest

#: make test-postgresql the tests of users, buckets, console, REST, jobs and tasks with PostgreSQL instead of SQLite (half an hour)
ON_POSTGRESQL := tests/iam tests/buckets $(wildcard tests/s4project/test_*.py) tests/s4project/api tests/s4project/management tests/s4project/sql tests/s4project/trace
test-postgresql: $(STAMP)
	@$(BIN)/python -m tests.on_postgresql -q -n 2 --dist loadfile $(ON_POSTGRESQL)

#: make clients   put the clients that the tests drive into .clients (a minute, 800 MB); make test then uses them
clients:
	@PYTHON=$(PYTHON) tests/e2e/clients/install

#: make test-clients real clients of all kinds and ages against S4, in all their tests
test-clients: $(STAMP) clients
	@S4_TEST_LONG=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e/clients

#: make test-console every page and action of the console in Chromium: both themes, desktop and phone, axe-core
test-console: $(STAMP) clients
	@S4_TEST_LONG=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests/e2e/clients/test_console*.py

#: make test-scale ten million objects: what they cost, and that it stays within bounds (half an hour, 20 GB)
test-scale: $(STAMP)
	@$(BIN)/python benchmarks/scale.py --check

#: make test-crash hundreds of power cuts and kills, thousands of random steps against the storage engine, counted at the end
test-crash: $(STAMP)
	@S4_TEST_LONG=1 nice $(BIN)/python -m pytest -q --timeout 1800 $(CRASH_SUITES)

#: make test-package the image and the unit: the Dockerfile carried out over Debian's files, then run (minutes; root; needs debootstrap)
test-package: $(STAMP)
	@S4_TEST_LONG=1 $(BIN)/python -m pytest -q --timeout 1800 tests/packaging

#: make conformance RUNNER=... SUITE=...  a public suite against a fresh server (docs/conformance.md; ARGS: more for the runner)
conformance: $(STAMP)
	@$(BIN)/python -m tests.conformance.run $(RUNNER) $(SUITE) $(ARGS)

#: make fuzz      random requests against every room of the S3 side and against all of it, for SECONDS=3600
SECONDS ?= 3600
fuzz: $(STAMP)
	@S4_TEST_FUZZ_SECONDS=$(SECONDS) nice $(BIN)/python -m pytest -q -s --timeout 0 tests/fuzz

#: make pages     write the pages of docs/ that are made from tables in the code
pages: $(STAMP)
	@S4_WRITE_DOCS=1 $(BIN)/python -m pytest -q tests/s3api/operations/test_needs.py tests/e2e/matrix/test_page.py

#: make docs      the documentation as a site: docs/_build/html/index.html (warnings and broken links fail it)
DOCS := .venv-docs
$(DOCS)/.installed: docs/requirements.lock
	@test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip install --quiet --require-hashes --disable-pip-version-check -r docs/requirements.lock
	@touch $@

docs: $(DOCS)/.installed
	@$(DOCS)/bin/sphinx-build --quiet --fail-on-warning --builder html --conf-dir docs --doctree-dir docs/_build/doctrees . docs/_build/html
	@echo "docs/_build/html/index.html"

#: make screenshots take the pictures of docs/images anew, of a furnished store (NAMES="browse trace": those alone)
screenshots: $(STAMP) clients
	@$(BIN)/python -m tests.e2e.clients.pictures $(NAMES)

#: make messages  gather what the console says, for LANGUAGE=de, in s4project/locale, and compile it (needs gettext)
LANGUAGE ?= en
SAID := --locale $(LANGUAGE) --no-location --ignore '.*' --ignore data --ignore tests --ignore benchmarks
messages: $(STAMP)
	@mkdir -p s4project/locale
	@$(BIN)/python manage.py makemessages $(SAID)
	@$(BIN)/python manage.py makemessages $(SAID) --domain djangojs --ignore '*/unfold/*'
	@$(BIN)/python manage.py compilemessages --locale $(LANGUAGE) --ignore '.*'

#: make coverage  tests with branch coverage, report in the terminal
coverage: $(STAMP)
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term

#: make check     formatting, lint, types, layers, migrations, lock file
check: $(STAMP)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check

#: make format    format the code and mend what can be mended
format: $(STAMP)
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

#: make lock      pin every dependency again, with hashes; then those the server runs on, those that build its wheel, then the clients'
# With extras: older pips look for the newest release of one that is pinned without, and refuse it.
LOCK := $(BIN)/pip-compile --quiet --no-strip-extras --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock: $(STAMP)
	@$(LOCK) --extra dev --output-file requirements.lock pyproject.toml
	@sed 's/\[[^]]*]==/==/' requirements.lock > $(VENV)/constraints.txt  # which may name no extras
	@$(LOCK) --constraint $(VENV)/constraints.txt --output-file requirements-runtime.lock pyproject.toml
	@$(LOCK) --only-build-deps --build-deps-for wheel --output-file deploy/build.lock pyproject.toml
	@cd tests/e2e/clients/requirements && for each in *.in; do $(CURDIR)/$(LOCK) --output-file=$${each%.in}.lock $$each || exit; done
	@cd docs && $(CURDIR)/$(LOCK) --output-file=requirements.lock requirements.in

#: make bench     how fast S4 is and what that costs: table, bench.json, pictures (ARGS="--against main", --rival NAME=PATH, --quick, ...)
bench: $(STAMP)
	@$(BIN)/python benchmarks/bench.py --json bench.json --plots bench-plots $(ARGS)

#: make growth    what grows with the number of objects, buckets, users, statements, connections: table, growth.json (OBJECTS=10000000)
OBJECTS ?= 10000000
growth: $(STAMP)
	@$(BIN)/python benchmarks/growth.py --objects $(OBJECTS) --json growth.json --plots bench-plots $(ARGS)

#: make figures   write bench.json, growth.json and rivals.json, those that there are, into docs/performance.md and docs/images
figures: $(STAMP)
	@$(BIN)/python benchmarks/page.py

#: make soak      mixed load for MINUTES=30, watched: memory, files, failures, and what S4 costs at rest after
MINUTES ?= 30
soak: $(STAMP)
	@$(BIN)/python benchmarks/soak.py --minutes $(MINUTES) $(ARGS)

#: make clean     remove the virtual environment, the clients and caches (never the data)
clean:
	@rm -rf $(VENV) s3api/_md5.*so $(DOCS) docs/_build .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
