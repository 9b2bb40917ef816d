# Two commands set everything up on a fresh clone: `make demo` and `make test`.
# They need Python 3.11-3.13 with venv, make and git, on Linux (x86-64, arm64) or macOS (Apple silicon); packages come
# from wherever pip is set up to look.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
NODE := svg-captcha ppfun-captcha trek-captcha
PEERS := ddddocr rapidocr
SETS ?=
COMPILE := PATH="$(BIN):$$PATH" uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
# `make lock UPGRADE=` adds what is new to requirements.lock, and leaves the versions of the rest as they are.
UPGRADE ?= --upgrade
# The images get the versions that the tests ran with.
AS_TESTED := --upgrade --constraint requirements.lock

# The interpreter that .venv is made with; without one given, the first of these that will do.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
WILL_DO := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

.PHONY: help setup demo serve test coverage lint bench-peers bench-speed bench-locate bench-gpu bench-service chaos docs lock fonts swagger external leaderboard wheel clean

help: ## list these tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv from requirements.lock (the other tasks do it by themselves)

demo: $(READY) ## draw a few designs, have a service read them by both routes, print a table and save a picture
	@$(BIN)/python -m api.demo

serve: $(READY) ## the REST service on this machine: Redis, WORKERS=2 and the API on PORT=8000, until Ctrl-C
	@exec $(BIN)/python -m api.serve --data .service

test: lint ## ruff, mypy --strict and pytest in random order, one process a core
	$(BIN)/pytest -n auto --dist loadfile --randomly-seed 1

coverage: $(READY) ## the tests, and which lines they run
	$(BIN)/pytest -n auto --dist loadfile --cov --cov-report=term:skip-covered

lint: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

bench-peers: $(READY) $(PEERS:%=.bench/%/.ready) ## compare with other readers: make bench-peers SETS="folder folder" (else draws a few)
	$(BIN)/python -m benchmarks.peers $(SETS)

bench-speed: $(READY) ## time the stages, the network and the drawer: make bench-speed SETS=folder (else draws)
	$(BIN)/python -m benchmarks.speed $(SETS)

bench-locate: $(READY) ## where the text of drawn images is found, against where it was drawn: make bench-locate SETS="design design"
	$(BIN)/python -m benchmarks.locate $(SETS)

bench-gpu: $(READY) ## training and solving images/s on a GPU, where there is one (KERAS_BACKEND=jax|torch|tensorflow)
	$(BIN)/python -m benchmarks.gpu

bench-service: $(READY) ## throughput and latency of the service against the same solver in memory
	$(BIN)/python -m benchmarks.service

chaos: $(READY) ## kill workers, Redis and the API during jobs of 20,000 images; count lost and doubled answers
	$(BIN)/python -m benchmarks.chaos

.bench/%/.ready: benchmarks/peers/%.lock | $(READY)
	@echo "Installing $* into .bench/$* (once)"
	@rm -rf .bench/$* && $(BIN)/python -m venv .bench/$*
	@.bench/$*/bin/python -m pip --disable-pip-version-check install -qq --require-hashes -r $< || \
		{ rm -rf .bench/$*; mkdir -p .bench/$*; echo "$* cannot be installed with this Python: left out" >&2; }
	@touch $@

lock: $(READY) ## resolve pyproject.toml again into the locks (needs uv: pip install uv)
	@command -v uv >/dev/null || PATH="$(BIN):$$PATH" command -v uv >/dev/null || \
		{ echo "make lock needs uv: $(BIN)/pip install uv" >&2; exit 3; }
	$(COMPILE) $(UPGRADE) --extra dev --output-file requirements.lock pyproject.toml
	$(COMPILE) $(AS_TESTED) --extra service --output-file requirements-service.lock pyproject.toml
	$(COMPILE) $(AS_TESTED) --extra service --output-file deploy/gpu.lock pyproject.toml deploy/gpu.in
	$(COMPILE) $(AS_TESTED) --extra service --extra train --output-file deploy/audits.lock pyproject.toml
	$(COMPILE) $(AS_TESTED) --output-file deploy/dashboard.lock deploy/dashboard.in
	for peer in $(PEERS); do \
		$(COMPILE) $(UPGRADE) --output-file benchmarks/peers/$$peer.lock benchmarks/peers/$$peer.in; done
	$(COMPILE) $(AS_TESTED) --output-file datasets/external/generators.lock datasets/external/generators.in
	$(COMPILE) $(UPGRADE) --output-file docs/requirements.lock docs/requirements.in

docs: .bench/docs/.ready ## build the documentation as a site, in site/
	.bench/docs/bin/zensical build --clean --strict

.bench/docs/.ready: docs/requirements.lock | $(READY)
	@echo "Installing the generator of the site into .bench/docs (once)"
	@rm -rf .bench/docs && $(BIN)/python -m venv .bench/docs
	@.bench/docs/bin/python -m pip --disable-pip-version-check install -qq --require-hashes -r $<
	@touch $@

fonts: .bench/fonts/.ready ## fetch the fonts again from their packages and check their hashes (needs npm)
	.bench/fonts/bin/python datasets/fonts/fetch.py

# The versions that the faces were cut down with: others may write the same glyphs as other bytes.
.bench/fonts/.ready: | $(READY)
	@rm -rf .bench/fonts && $(BIN)/python -m venv .bench/fonts
	@.bench/fonts/bin/python -m pip --disable-pip-version-check install -qq fonttools==4.68.0 brotli==1.2.1
	@touch $@

swagger: ## fetch Swagger UI, which draws /docs, again from its package and check its hashes (needs npm)
	python3 api/swagger/fetch.py

external: .bench/generators/.ready ## install other people's generators, of PyPI and npm, and say what the PHP one needs
	for generator in $(NODE); do (cd datasets/external/$$generator && npm ci --no-fund --no-audit); done
	@php -r 'require "Gregwar/Captcha/autoload.php";' 2>/dev/null && echo "php-gregwar-captcha: installed" || \
		echo "for external-gregwar: apt-get install php-cli php-gregwar-captcha"

.bench/generators/.ready: datasets/external/generators.lock | $(READY)
	@echo "Installing generators into .bench/generators (once)"
	@rm -rf .bench/generators && $(BIN)/python -m venv .bench/generators
	@.bench/generators/bin/python -m pip --disable-pip-version-check install -qq --require-hashes -r $<
	@touch $@

leaderboard: $(READY) ## attack the designs of leaderboard/panel.toml that have no result yet, and write leaderboard/index.html
	$(BIN)/captcha-solver leaderboard --out leaderboard

wheel: $(READY) ## build the wheel into dist/
	$(PIP) wheel -qq --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what the tasks made (.venv too)
	rm -rf $(VENV) .bench .service build dist demo site .mypy_cache .ruff_cache .pytest_cache *.egg-info \
		$(NODE:%=datasets/external/%/node_modules)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@if [ ! -x $(BIN)/python ]; then \
		for candidate in $(PYTHONS); do \
			if "$$candidate" -c '$(WILL_DO)' 2>/dev/null; then found=$$candidate; break; fi; \
		done; \
		if [ -z "$${found:-}" ]; then \
			echo "captcha-solver needs Python 3.11, 3.12 or 3.13 with venv; tried: $(PYTHONS)." >&2; \
			echo "Install one (Debian, Ubuntu: apt-get install python3-venv), or say which: make PYTHON=/path/to/python" >&2; \
			exit 3; \
		fi; \
		echo "Creating $(VENV) with $$("$$found" --version)"; \
		"$$found" -m venv $(VENV); \
	fi
	@echo "Installing the locked packages into $(VENV) (once; TensorFlow is among them, so this takes a few minutes)"
	@$(PIP) install -qq --require-hashes -r requirements.lock
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@touch $@
