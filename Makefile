# The commands of this project. Each works on a fresh clone: it installs its requirements first.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

VENV := .venv
BIN := $(VENV)/bin
LOGS ?= /var/log/nginx
LAKE ?= lake
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable
# Pip does this only for packages that it copies. Without it, a tail that may not write here compiles all modules at each start.
BYTECODE := $(BIN)/python -m compileall -q logagg
BENCH_WRITES = $(if $(JSON),--json $(JSON)) $(if $(DOCS),--docs)
BENCH_READS = $(if $(LINES),--lines $(LINES)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(KINDS),--kinds $(KINDS))
BENCH_LAKES = $(if $(ROWS),--rows $(ROWS)) $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(COMMITS),--commits $(COMMITS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(KEEP),--keep $(KEEP))
BENCH_FOLLOWS = $(if $(RATE),--rate $(RATE)) $(if $(DURATION),--seconds $(DURATION)) $(if $(FILES),--files $(FILES))
COMPILED := setup.py $(shell find logagg -name '*.p[xy][dx]')
SANITIZED := tests/units/columnar/test_dictionary.py tests/units/parse tests/units/rollup tests/laws/test_parsers_agree.py tests/laws/test_fuzz.py tests/cases
WORKERS ?= $(shell echo $$(( 2 * $$(nproc) ))) # tests mostly wait: for a flush, for an idle log, for a process
# Node's packages, to build the page and to test it; the built page is in the repository, so that a user needs no Node.
PAGE_PACKAGES = if command -v npm >/dev/null; then cd web && { [ -e node_modules/.package-lock.json ] || npm ci --silent; }; fi
DEMO := build/demo-lake
DEMO_LOGAGG := LOGAGG_LAKE=$(DEMO) $(BIN)/logagg

.PHONY: help setup demo notebook tail test unit soak sanitize check format page picture golden bench bench-stages bench-formats bench-follow bench-lake bench-serve bench-commits bench-scale bench-journeys fuzz wheels deb clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## make .venv with the logagg command in it
	@echo "done: $(BIN)/logagg is ready, and make clean removes all of it; next: make demo, or . $(BIN)/activate"

demo: $(VENV)/.ready ## read the demo logs into build/demo-lake and query it
	@rm -rf $(DEMO)
	$(DEMO_LOGAGG) tail --once --config fixtures/demo/logagg.toml fixtures/demo
	$(DEMO_LOGAGG) report overview
	$(DEMO_LOGAGG) report ads
	$(DEMO_LOGAGG) report attribution --limit 5
	$(DEMO_LOGAGG) sql "SELECT order_id, value_micros / 1e6 AS value, via, reason, invalid, array_to_string(list_transform(path, lambda t: concat_ws(' ', t.kind, nullif(t.campaign, ''), nullif(t.channel, ''))), ' > ') AS path FROM paths WHERE order_id <> '' ORDER BY order_id, ts"
	$(DEMO_LOGAGG) sql "SELECT path, sum(views) AS views, uniques(visitors) AS visitors FROM pages WHERE NOT is_bot GROUP BY path ORDER BY views DESC LIMIT 5"
	$(DEMO_LOGAGG) sql "SELECT path, sum(hits) AS hits FROM errors WHERE status = 500 GROUP BY path ORDER BY hits DESC, path LIMIT 2"
	$(DEMO_LOGAGG) sql "SELECT ts, browser, bytes, seconds FROM requests WHERE status = 500 AND path = '/articles/tea.html' ORDER BY ts"
	$(DEMO_LOGAGG) lines --where "status = 500 AND path = '/articles/tea.html'"
	@echo
	@echo "To see it in a browser: $(BIN)/logagg serve --lake $(DEMO), then open"
	@echo "http://127.0.0.1:8080/?since=2026-03-03&until=2026-03-05&compare=previous"

notebook: $(VENV)/.ready-dev ## run the notebook on the lake of make demo, all plots into build/tour.ipynb
	@test -e $(DEMO)/logagg.duckdb || $(MAKE) demo
	LOGAGG_LAKE=$(CURDIR)/$(DEMO) $(BIN)/jupyter execute --output=../build/tour.ipynb notebooks/tour.ipynb

tail: $(VENV)/.ready ## follow the logs in LOGS (/var/log/nginx) into LAKE (lake)
	$(BIN)/logagg tail --lake $(LAKE) $(LOGS)

test: $(VENV)/.ready-dev ## run all tests, with a real nginx and a real load
	@scripts/system-packages nginx wrk logrotate gearmand=gearman-job-server ip=iproute2 systemd-analyze=systemd faketime rsync mkfs.ext4=e2fsprogs chromium caddy promtool=prometheus prometheus-alertmanager mandoc apache2=apache2-bin node=nodejs npm tmux
	@$(PAGE_PACKAGES)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

unit: $(VENV)/.ready-dev ## run the tests of single modules, without those that take a second or more
	$(BIN)/pytest -q -n auto -m "not slow" tests/units tests/test_imports.py

soak: $(VENV)/.ready-dev ## kill a tail 200 times under load, read for minutes, repeat the laws many times, install the packages; prints its figures
	@scripts/system-packages debootstrap
	$(BIN)/pytest -m soak -n 1 -rP tests/soak tests/packages tests/deploy tests/cluster tests/accidents tests/bench tests/e2e/test_readers.py tests/e2e/test_backfill.py tests/e2e/test_memory.py tests/laws/test_digests.py tests/laws/test_crashes.py
	LAWS_TIMES=20 $(BIN)/pytest -n auto --timeout 3600 tests/laws/test_totals.py tests/laws/test_crashes.py

sanitize: $(VENV)/.ready-dev ## test the compiled loops under AddressSanitizer and UBSan, with array bounds checked
	LOGAGG_CHECKED=1 CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined" $(INSTALL) .
	LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
		ARROW_DEFAULT_MEMORY_POOL=system $(BIN)/pytest -n auto --timeout 900 $(SANITIZED); status=$$?; $(INSTALL) . && exit $$status

check: $(VENV)/.ready-dev ## lint, format, types, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet . || { echo "make check: the format differs; run make format" >&2; exit 1; }
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_imports.py

format: $(VENV)/.ready-dev ## format the code, and fix what the linter can
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format .

picture: $(VENV)/.ready-dev ## take the picture of the page in README.md
	@scripts/system-packages chromium
	@test -e $(DEMO)/logagg.duckdb || $(MAKE) demo
	$(BIN)/python scripts/picture.py $(DEMO) docs/pictures/page.png

page: ## build the page of logagg serve from web/, which needs Node
	@scripts/system-packages node=nodejs npm
	@$(PAGE_PACKAGES)
	cd web && npm run --silent build

golden: $(VENV)/.ready-dev ## rewrite the expected output in fixtures, docs and the notebook; review the diff
	LOGAGG_GOLDEN=1 $(BIN)/pytest -q tests/cases tests/test_docs.py tests/test_notebook.py
	git diff --stat -- README.md docs fixtures notebooks

bench: $(VENV)/.ready-bench ## logagg and its peers on the same log; GOACCESS= (a newer one than the system's) LINES= ROUNDS= KINDS= SIZES= BEFORE=dir (an earlier checkout, to compare with) JSON=file, DOCS=1: into docs/performance.md
	@scripts/system-packages goaccess gearmand=gearman-job-server
	@$(BYTECODE) # of modules edited since
	$(BIN)/python -m bench.run $(BENCH_READS) $(if $(SIZES),--sizes $(SIZES)) $(if $(BEFORE),--before $(BEFORE)) $(BENCH_WRITES)

bench-stages: $(VENV)/.ready ## each stage of the pipeline alone; LINES= ROUNDS= KINDS=
	$(BIN)/python -m bench.stages $(BENCH_READS) $(BENCH_WRITES)

bench-formats: $(VENV)/.ready ## reading each format beside combined; LINES= ROUNDS= KINDS=, DOCS=1
	$(BIN)/python -m bench.formats $(BENCH_READS) $(BENCH_WRITES)

bench-follow: $(VENV)/.ready ## freshness at RATE= lines/s for DURATION= seconds, and the cost of following FILES= idle files
	$(BIN)/python -m bench.follow $(BENCH_FOLLOWS) $(BENCH_WRITES)

bench-lake: $(VENV)/.ready ## a year's lake of ROWS= rows, COMMITS= commits, REQUESTS= requests: times of commits, queries and retention; KEEP=folder: keep it there
	$(BIN)/python -m bench.year $(BENCH_LAKES) $(BENCH_WRITES)

bench-serve: $(VENV)/.ready-dev ## the page in Chromium on a year's lake, and 200 open pages; ROWS= COMMITS= REQUESTS= KEEP= as bench-lake, ROUNDS=, DOCS=1
	@scripts/system-packages chromium
	$(BIN)/python -m bench.page $(BENCH_LAKES) $(BENCH_WRITES)

bench-commits: $(VENV)/.ready ## commits a second by many writers of one lake; DOCS=1: into docs/cluster.md
	$(BIN)/python -m bench.commits $(BENCH_WRITES)

bench-scale: $(VENV)/.ready ## many simulated tailers through a real gearmand; TAILERS= SHARDS= JOBS= (a second), DOCS=1: into docs/cluster.md
	@scripts/system-packages gearmand=gearman-job-server
	$(BIN)/python -m bench.scale $(if $(TAILERS),--tailers $(TAILERS)) $(if $(SHARDS),--shards $(SHARDS)) $(if $(JOBS),--jobs $(JOBS)) $(BENCH_WRITES)

bench-journeys: $(VENV)/.ready ## a month of visitors whose journeys are known: every figure of logagg beside the truth; EVENTS= (1000000)
	$(BIN)/python -m bench.journeys $(if $(EVENTS),--events $(EVENTS))

fuzz: $(VENV)/.ready-dev ## coverage-guided fuzzing of both parsers and the rollups, for SECONDS= seconds (300)
	@$(INSTALL) '.[fuzz]'
	@mkdir -p build/fuzz
	$(BIN)/python -m tests.fuzz.lines build/fuzz -artifact_prefix=build/fuzz- -max_len=4096 -rss_limit_mb=4096 -max_total_time=$(or $(SECONDS),300)

wheels: $(VENV)/.ready-package ## build dist/: the source distribution, and its wheel for every Python from 3.11 on
	@scripts/wheels $(BIN)/python dist

deb: wheels $(VENV)/.ready-dev ## build dist/*.deb from the wheel: with units, manual pages, and completion; DEB_COMPRESSION=zstd is quicker
	@scripts/system-packages dpkg-deb=dpkg python3-venv
	@scripts/deb "$$(ls -t dist/logagg-*.whl | head -n 1)" dist

clean: ## remove everything that the targets above created
	rm -rf $(VENV) web/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.ready: pyproject.toml scripts/make-venv $(COMPILED)
	@echo "1 of 3: a virtual environment in $(VENV), with the first Python that is 3.11 or newer"
	@scripts/make-venv $(VENV)
	@echo "2 of 3: a C compiler, which apt installs if it is missing"
	@scripts/compiler $(BIN)/python
	@echo "3 of 3: logagg and its libraries in $(VENV): pip downloads them and compiles the parsers, which takes a minute or two"
	@$(INSTALL) .
	@$(BYTECODE)
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(INSTALL) '.[dev]'
	@touch $@

$(VENV)/.ready-package: $(VENV)/.ready
	@scripts/system-packages strip=binutils
	@$(INSTALL) '.[package]'
	@touch $@

# The bench lists a peer that cannot be installed as missing, and continues without it.
$(VENV)/.ready-bench: $(VENV)/.ready
	@$(INSTALL) '.[bench]' && touch $@ || true
