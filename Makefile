# Every task of the project: `make` lists them. Each installs what it needs, once.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
DIST := dist
# Test processes: more than processors, since tests wait for servers more than they compute.
JOBS ?= 4
CODE := $(sort $(dir $(wildcard receiver/*.py migrations/*.py tests/*.py bench/*.py docs/hooks/*.py))) $(wildcard hatch_build.py wsgi.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- use

.PHONY: install
install: .venv/.runtime ## install the receiver into .venv, from hashed pins

.PHONY: run
run: .venv/.runtime ## serve: callback, console and worker
	@exec $(BIN)/receiver serve

.PHONY: demo
demo: .venv/.runtime ## look around: the console and all the rest over invented data
	@exec $(BIN)/receiver demo $(ARGS)

.PHONY: wheel
wheel: .venv/.runtime ## build the wheel into dist/
	@rm -rf $(DIST) && mkdir -p build && $(BIN)/receiver manual >build/receiver.1.$$$$ && mv build/receiver.1.$$$$ build/receiver.1
	@$(BIN)/python -m hatchling build -t wheel -d $(DIST)

# --- develop

.PHONY: test
test: .venv/.dev ## run the tests (ARGS="-k unsubscribe" to choose)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: chaos
chaos: .venv/.dev ## inject faults under load, and account for every reply (ARGS="--seconds 600 --database sqlite", "--each 5" for the table of docs/reliability.md)
	@$(BIN)/python -m tests.faults.chaos $(ARGS)

.PHONY: soak
soak: .venv/.dev ## an hour of make chaos, sends to ten thousand killed at each step, ten thousand idle connections, and each property with forty times as many examples as the tests try (two hours or more)
	@$(BIN)/python -m tests.faults.chaos --seconds 1800
	@KILLED_SENDS_TO=10000 IDLE_CONNECTIONS=10000 $(BIN)/python -m pytest -n $(JOBS) --dist load tests/faults/test_send_killed.py tests/faults/test_overload.py
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --timeout=0 --hypothesis-profile=soak \
		$(shell grep -lrE "^(from|import) (hypothesis|schemathesis)" --include="test_*.py" tests) $(ARGS)

.PHONY: test-system
test-system: .venv/.dev ## the five that follow at once: all tests that need Debian packages, but that of the image
	@$(BIN)/python -m pytest -n $(JOBS) --dist load -m "kannel or deploy or host or docs or browser" $(ARGS)

.PHONY: test-kannel
test-kannel: .venv/.dev ## have a real gateway push (needs the Debian packages kannel and kannel-extras)
	@$(BIN)/python -m pytest -m kannel tests/kannel $(ARGS)

.PHONY: test-deploy
test-deploy: .venv/.dev ## run what deploy/ has: a real nginx, Caddy and Prometheus, systemd's own checks (needs the Debian packages nginx, caddy, openssl, prometheus and systemd)
	@$(BIN)/python -m pytest -n 2 --dist load -m deploy tests/deploy $(ARGS)

.PHONY: test-host
test-host: .venv/.dev ## real full disks, a clock that jumps, and whether what is answered is on disk (needs the Debian packages strace, gcc and libc6-dev, and root)
	@$(BIN)/python -m pytest -n 2 --dist load -m host tests/faults $(ARGS)

.PHONY: test-docs
test-docs: .venv/.dev ## type every command of the documentation (needs the Debian packages curl and jq)
	@$(BIN)/python -m pytest -n 2 --dist load -m docs tests/docs $(ARGS)

.PHONY: test-browser
test-browser: .venv/.dev ## use the console in a browser (needs the Debian packages chromium and fonts-noto-cjk)
	@$(BIN)/python -m pytest -n 2 --dist load -m browser tests/admin/console $(ARGS)

.PHONY: test-image
test-image: .venv/.dev ## build the image and run it (needs the Debian packages buildah, debootstrap and docker-compose, a network, and root)
	@$(BIN)/python -m pytest -m image --timeout 900 tests/deploy $(ARGS)

.PHONY: screenshots
screenshots: .venv/.dev ## take pictures of every page into screenshots/ (needs chromium and fonts-noto-cjk; ARGS="overview --locale zh" to choose)
	@$(BIN)/python -m tests.admin.console.screenshots $(ARGS)

.PHONY: fuzz
fuzz: .venv/.fuzz ## look for an hour for bytes from strangers that break a rule (ARGS="--seconds 600 parse" to choose)
	@nice -n 19 $(BIN)/python -m tests.fuzzing $(ARGS)

.PHONY: docs
docs: .venv/.docs ## build the documentation's site into build/site/, with every link checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean $(ARGS)

.PHONY: audit
audit: .venv/.audit ## ask for known faults of every pinned package (needs a network that reaches the databases of them)
	@status=0; for name in $(LOCKS); do echo "requirements/$$name.txt"; \
		$(BIN)/pip-audit --requirement requirements/$$name.txt --require-hashes --disable-pip --strict --progress-spinner off $(ARGS) || status=$$?; \
	done; exit $$status

.PHONY: lint
lint: .venv/.dev ## check style, format, which package imports which, and for careless code
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml receiver migrations wsgi.py

.PHONY: format
format: .venv/.dev ## mend style and format
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: types
types: .venv/.bench ## check types, strictly
	@$(BIN)/mypy $(CODE)

.PHONY: bench
bench: .venv/.bench ## measure the receive path and the register against their budgets (ARGS=--quick; ARGS="search --help" for the search, "console --help" for the console)
	@$(BIN)/python -m bench$(if $(filter search console,$(firstword $(ARGS))),.$(firstword $(ARGS)) $(wordlist 2,$(words $(ARGS)),$(ARGS)), $(ARGS))

.PHONY: accuracy
accuracy: .venv/.bench ## measure how often the charset is decided rightly
	@$(BIN)/python -m bench.accuracy

.PHONY: lock
lock: .venv/.uv ## pin every dependency anew (ARGS=--upgrade for newer versions)
	@$(foreach name,$(LOCKS),$(COMPILE) $(or $(wildcard requirements/$(name).in),pyproject.toml) -o requirements/$(name).txt &&) true

.PHONY: strings
strings: .venv/.dev ## collect the console's strings into the catalogue, to be translated there
	@$(BIN)/python -m tests.admin.console.strings

.PHONY: notices
notices: .venv/.dev ## write THIRD-PARTY-NOTICES.md anew, after a change of the pins
	@$(BIN)/python -m tests.notices

.PHONY: vendor
vendor: .venv/.dev ## fetch the scripts and styles of others anew, as the manifests name them (needs npm)
	@$(BIN)/python -m tests.vendored

.PHONY: clean
clean: ## remove .venv, caches and builds; var/ stays
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz
	find receiver migrations tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- how it gets there: each stamp is as new as the pins that it stands for

LOCKS := uv build runtime dev bench docs fuzz audit
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(ARGS)

.venv/.uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "The receiver needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.runtime: .venv/.uv requirements/build.txt requirements/runtime.txt pyproject.toml
	@$(INSTALL) --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

.venv/.fuzz: .venv/.dev requirements/fuzz.txt
	@$(INSTALL) --require-hashes -r requirements/fuzz.txt
	@touch $@

.venv/.docs: .venv/.dev requirements/docs.txt
	@$(INSTALL) --require-hashes --no-build-isolation-package jieba -r requirements/docs.txt
	@touch $@

.venv/.audit: .venv/.dev requirements/audit.txt
	@$(INSTALL) --require-hashes -r requirements/audit.txt
	@touch $@

.venv/.bench: .venv/.dev requirements/bench.txt
	@$(INSTALL) --require-hashes --no-build-isolation-package snownlp -r requirements/bench.txt
	@touch $@
