PYTHON ?= python3
VENV ?= .venv
OUT ?= runs/quickstart
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: quickstart test test-accessibility test-aarch64 test-versions lint format bench docs clean

quickstart: $(VENV)/.quickstart ## Profile this machine, train, search, verify, report
	$(BIN)/hwnas quickstart --out $(OUT)

test: $(VENV)/.dev ## Run all tests
	$(BIN)/python -m pytest -n auto

test-aarch64: $(VENV)/.dev ## Try the kit on emulated 64-bit Arm (needs qemu-user-static and mmdebstrap; downloads 110 MB once)
	HWNAS_AARCH64=1 $(BIN)/python -m pytest tests/aarch64

test-versions: $(VENV)/.dev ## Try device.json under other versions of scikit-learn, xgboost and Python (makes environments)
	HWNAS_VERSIONS=1 $(BIN)/python -m pytest tests/predictors/test_versions.py

test-accessibility: $(VENV)/.dev ## Check the report with axe-core (needs npm and Chromium; fetches axe-core)
	HWNAS_AXE=1 $(BIN)/python -m pytest tests/hwnas/report/test_accessibility.py

lint: $(VENV)/.dev ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure what the documents claim (slow; nothing else should run)
	$(BIN)/python benchmarks/run_all.py

docs: $(VENV)/.docs ## Build the documents into docs/_build
	$(BIN)/sphinx-build -q -W -b html docs docs/_build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: $(VENV)/bin/python setup.cfg constraints.txt
	$(PIP) -e '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info
