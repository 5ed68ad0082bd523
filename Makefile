# make demo, make test and make dev each work as the first command on a fresh machine: they make .venv themselves.
.PHONY: demo test coverage test-fast check dev store-on-2 lock proofs backfill browser guides fuzz \
  bench-delivery bench-landing bench-formats bench-landing-pairs bench-llm bench-planted bench-insights bench-report bench-quotes bench-corrected bench-topics bench-issues \
  bench-landing-postgres
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
UV := $(shell command -v uv)
# uv where it is there; pip shows what it does, for it takes long
INSTALL = $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on)
PORT ?= 3000
STORES ?= tests/landing/test_landing.py tests/landing/test_building.py tests/label/test_tagging.py tests/label/test_judging.py \
  tests/delivery/test_delivery.py tests/insights/test_summing.py tests/insights/test_insights_in_pandas.py
# compiled modules are kept, also where a container's environment says otherwise: else each process compiles its own
export PYTHONDONTWRITEBYTECODE :=

.venv/ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is %d.%d: make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "installing into .venv ($(if $(UV),uv: some seconds,pip: one to two minutes))"
	@$(if $(UV),$(UV) venv --quiet --allow-existing --seed --python $(PYTHON) .venv,$(PYTHON) -m venv .venv)
	@$(INSTALL) -r requirements.lock
	@$(INSTALL) --no-deps --editable .
	@touch .venv/ready

demo: .venv/ready            ## the examples end to end, without key or account
	$(BIN)/cpa demo

test: .venv/ready            ## every test
	$(BIN)/python -m pytest -q --numprocesses 3 --dist worksteal

coverage: .venv/ready        ## slow: every test at twice the processor time, and how much of cpa_core they reach
	$(BIN)/python -m pytest -q --numprocesses 3 --dist worksteal --cov --cov-report=term:skip-covered --cov-fail-under=90

test-fast: .venv/ready       ## the tests that start no server, no process and no Dagster, without the long simulations and whole homes
	$(BIN)/python -m pytest -q --numprocesses 2 --dist worksteal -m "not slow"

check: .venv/ready           ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

dev: .venv/ready             ## the Dagster UI on http://127.0.0.1:3000, with the demo unless CPA_SOURCE is set
	@mkdir -p .dagster
	@test -f .dagster/dagster.yaml || { cp cpa_dagster/dagster.yaml .dagster/ && \
	  DAGSTER_HOME=$(CURDIR)/.dagster $(BIN)/dagster instance info > /dev/null; }
	@export DAGSTER_HOME=$(CURDIR)/.dagster DAGSTER_EVENT_BATCH_SIZE=500; \
	  exec $(BIN)/python -m tools.interruptible $(BIN)/dg dev --host 127.0.0.1 --port $(PORT)

.PHONY: test-browser test-docs smoke-browser
test-browser: browser        ## slow: what is seen in Chromium

test-docs: docs .venv/ready  ## the site built strictly; pages, commands, links, words and guides held to the code
	$(BIN)/python -m pytest -q tests/repository tests/cli/test_terminal_output.py tests/formats/test_formats_page.py

smoke-browser: .venv/ready   ## one report, opened in Chromium
	$(BIN)/python -m proofs.report_in_browser --only therapist

store-on-2: .venv/ready      ## the store's tests on DuckDB 2.0, in an environment of its own
	$(PYTHON) -m venv .venv-duckdb2
	grep -v '^duckdb' requirements.lock > .venv-duckdb2/requirements.txt
	.venv-duckdb2/bin/python -m pip install --quiet --disable-pip-version-check -r .venv-duckdb2/requirements.txt 'duckdb==2.0.0'
	.venv-duckdb2/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	.venv-duckdb2/bin/python -m pytest -q tests/store/test_store.py tests/landing/test_landing.py tests/landing/test_building.py tests/llm/test_answers.py tests/insights/test_summing.py tests/insights/test_insights_in_pandas.py

.PHONY: two-workers
two-workers: .venv/ready     ## slow: two workers on one lake, from a bucket to receipts, killed with their folders for five minutes; the examples on both stores
	$(BIN)/python -m proofs.two_workers --seconds 300
	$(BIN)/python -m proofs.same_rows

.PHONY: test-stores
test-stores: store-on-2      ## slow: the store on DuckDB 2.0; the tests of the stages on a lake, DuckLake and a real Postgres
	$(BIN)/python -m pytest -q tests/sources/test_postgres.py tests/sources/test_databases.py
	CPA_TEST_STORE=lake $(BIN)/python -m pytest -q -o timeout=900 --numprocesses 2 --dist loadfile $(STORES)

lock:                        ## resolve the versions anew (needs uv)
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --no-header --annotation-style line -q -o requirements.lock

bench-delivery: .venv/ready  ## 8,000 events through faults and kills, and 100,000 in bulk
	$(BIN)/python -m benchmarks.delivery
	$(BIN)/python -m benchmarks.redaction

proofs: .venv/ready          ## slow: two days of a real file, a bucket to PostHog, many runs at once, a month's backfill
	$(BIN)/python -m proofs.dagster_two_days
	$(BIN)/python -m proofs.s3_to_posthog
	$(BIN)/python -m proofs.postgres_to_receipts
	$(BIN)/python -m proofs.at_once
	$(BIN)/python -m proofs.backfill
	$(BIN)/python -m proofs.first_hour

backfill: .venv/ready        ## slow: a year's backfill in Dagster, killed twice: seconds a day, event log, memory; and empty years
	$(BIN)/python -m proofs.backfill 365 --ways killed empty

.PHONY: kills component
kills: .venv/ready           ## slow: killed runs and daemon, a held store, an empty volume: what Dagster shows, and how the work ends
	$(BIN)/python -m proofs.kills_in_dagster

component: .venv/ready       ## slow: the component in a project of Dagster's own scaffold, two assistants
	$(BIN)/python -m proofs.component

.PHONY: year
year: .venv/ready            ## slow: a home after a simulated year: its sizes, what cpa doctor says, what cpa compact gives back
	$(BIN)/python -m proofs.year

.PHONY: forget-large
forget-large: .venv/ready    ## slow: a person and what is old, forgotten in a home of 100,000 conversations, killed at random moments
	$(BIN)/python -m proofs.forget_large

.PHONY: upgrades
upgrades: .venv/ready        ## slow: homes of an earlier revision, REVISION=eed8f36, under this one: nothing asked, nothing sent, sums equal
	$(BIN)/python -m proofs.upgrade $(or $(REVISION),eed8f36)

.PHONY: prefixes
prefixes: .venv/ready        ## slow: prefixes in S3 as ChatGPT's and Langfuse's exports have them, with the sensor
	$(BIN)/python -m proofs.prefixes

.PHONY: docs
docs: .venv/ready            ## docs/ as a site in .site, built strictly
	$(BIN)/zensical build --strict --clean --config-file mkdocs.yml

.PHONY: dist
dist:                        ## wheel and sdist in dist/, checked by twine, in an environment of their own
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/python -m pip install --quiet --disable-pip-version-check build twine
	rm -rf dist
	.venv-dist/bin/python -m build
	.venv-dist/bin/python -m twine check --strict dist/*

browser: .venv/ready         ## slow: the demo in Dagster's UI, and the reports, clicked in Chromium
	$(BIN)/python -m proofs.demo_in_browser
	$(BIN)/python -m proofs.report_in_browser
	$(BIN)/python -m proofs.workbench_in_browser

terminal: .venv/ready        ## the first commands on the demo, recorded as the pictures of docs/start
	$(BIN)/python -m proofs.terminal --pictures docs/start

guides: .venv/ready          ## slow: docs/dagster.md followed in Chromium, and its pictures taken
	$(BIN)/python -m proofs.guides --pictures docs/dagster
	$(BIN)/python -m proofs.launchpad

bench-landing: .venv/ready   ## landing beside DuckDB's bare read; a bucket of 5,000 objects; hostile files in bounded memory
	$(BIN)/python -m benchmarks.landing
	$(BIN)/python -m benchmarks.landing_s3
	$(BIN)/python -m benchmarks.landing_hostile

bench-formats: .venv/ready   ## slow: a million messages in each format, beside plain JSON Lines of the same talks
	$(BIN)/python -m benchmarks.landing_formats

bench-landing-pairs: .venv/ready   ## slow: landing by this revision beside another one, REVISION=eed8f36, in interleaved pairs
	$(BIN)/python -m benchmarks.landing_pairs $(REVISION)

.PHONY: bench-run-pairs
bench-run-pairs: .venv/ready   ## slow: landing, asking and delivery of a run beside another revision, REVISION=439c63c, in interleaved pairs
	$(BIN)/python -m benchmarks.run_pairs $(REVISION)

fuzz: .venv/ready            ## mutated real files for five minutes
	$(BIN)/python -m benchmarks.fuzz_landing --minutes 5

.PHONY: properties figures
properties: .venv/ready      ## slow: what holds of generated cases, with 20 times as many of them as in `make test`, and the whole of its tables
	CPA_TEST_EXAMPLES=20 $(BIN)/python -m pytest -q --numprocesses 3 --dist worksteal -o timeout=3600 $$(grep -rlE "^from (hypothesis|tests.support.examples)" --include="test_*.py" tests)

figures: .venv/ready         ## files, lines, long functions, SQL in Python and more, beside those of REVISION
	$(BIN)/python -m tools.figures $(REVISION)

bench-llm: .venv/ready       ## the language-model engine under load: tokens, rate, limits, kills, faults, memory
	$(BIN)/python -m benchmarks.llm

bench-topics: .venv/ready  ## topics on transcripts of known sources (FILE): purity, day two, twenty quiet days, seconds and memory
	$(BIN)/python -m benchmarks.topics $(FILE)

bench-issues: .venv/ready  ## issues planted, fixed and back in 200 simulations: is each state told on its day, each alert once?
	$(BIN)/python -m benchmarks.issues

bench-corrected: .venv/ready  ## rates corrected by people's labels: coverage and widths of their intervals, 1,000 draws a row
	$(BIN)/python -m benchmarks.corrected

bench-quotes: .venv/ready     ## quotes altered in 20 ways, found in the conversations of FOLDERS, beside the time before
	$(BIN)/python -m benchmarks.quotes $(FOLDERS)

.PHONY: bench-languages
bench-languages: .venv/ready  ## 200 conversations in Japanese, Arabic and Hindi, made from templates: quotes, redaction, report, topics
	$(BIN)/python -m benchmarks.languages

bench-planted: .venv/ready   ## slow: 200 simulations of each of four crowds of users: found, covered, what else was found; SEED=7
	$(BIN)/python -m benchmarks.planted --seed $(or $(SEED),0)

bench-insights: .venv/ready  ## one million messages, 60 event types, 365 days: every question, its seconds, the peak memory
	$(BIN)/python -m benchmarks.insights

bench-report: .venv/ready    ## the report on the same: its bytes, seconds and peak memory, by privacy
	$(BIN)/python -m benchmarks.report

bench-landing-postgres: .venv/ready  ## a million rows of a real Postgres beside the same rows as CSV: seconds and memory
	$(BIN)/python -m benchmarks.landing_postgres
