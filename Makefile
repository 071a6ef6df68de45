# Each target builds its own .venv from a bare Python; nothing else is assumed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SPREAD := --numprocesses auto --maxprocesses 4 --dist loadfile
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test test-engines lint bench shots clean

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Cashtrail needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Cashtrail and its dependencies into $(VENV) (a minute or two the first time) ..."
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/cashtrail demo

# quick and slow tests on every core, a file's tests in one process; the browser's alone, for they watch what takes how long
test: $(READY)
	@$(BIN)/python -m pytest -m "not slow and not browser" $(SPREAD)
	@$(BIN)/python -m pytest -m "slow and not browser" $(SPREAD)
	@$(BIN)/python -m pytest -m browser

# every test against a real engine; those that are not installed are, where that can be done
test-engines: $(READY)
	@test -x /usr/lib/rabbitmq/bin/rabbitmq-server || apt-get install -y -qq --no-install-recommends rabbitmq-server || true
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || apt-get install -y -qq --no-install-recommends postgresql || true
	@tests/console/replay/engines/install_n8n.sh || true
	@test -x .engines/prefect/bin/prefect || { $(PYTHON) -m venv .engines/prefect && .engines/prefect/bin/pip install --quiet prefect; } || true
	@$(BIN)/python -m pytest tests/console/replay/engines

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY)
	@$(BIN)/python -m bench

shots: $(READY)
	@$(BIN)/python -m tests.journeys.shots

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache demo-data
