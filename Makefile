# Everything runs in .venv, which is made and filled when it is missing or pyproject.toml has changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

BROWSER_STAMP := $(VENV)/.browser-installed
NODE_STAMP := node_modules/.installed

.PHONY: help demo up test test-browser load soak lint format clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; try: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): PyTorch is large, this takes some minutes the first time"
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --progress-bar on --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(BROWSER_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,browser]'
	@touch $@

$(NODE_STAMP): package.json package-lock.json
	@command -v npm > /dev/null || { echo 'Node.js 20 or newer with npm is needed, to check the JavaScript: https://nodejs.org'; exit 1; }
	npm ci
	@touch $@

demo: $(STAMP) ## Paint the sample pair through the whole service: demo.png
	$(BIN)/nst demo --out demo.png

up: $(STAMP) ## Run the service on http://127.0.0.1:8000
	exec $(BIN)/nst up

test: lint ## All checks and tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-browser: $(BROWSER_STAMP) $(NODE_STAMP) ## The web page: its JavaScript, and its tests in an installed Chromium
	@$(BIN)/python -m tests.browser.chromium
	$(BIN)/mypy --explicit-package-bases tests/browser benchmarks/page.py
	npm run --silent check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/browser

load: $(STAMP) ## Put the service under load and report; LOAD='--jobs 10000' for other options
	$(BIN)/python benchmarks/load.py $(LOAD)

soak: $(STAMP) ## Kill, stop and restart everything while it paints, and count; SOAK='--minutes 60' for other options
	$(BIN)/python -m tests.soak $(SOAK)

lint: $(STAMP) ## Style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info build
