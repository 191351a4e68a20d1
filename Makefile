# From nothing but python3: `make run` does the main job, `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCENARIO ?= experiments/scenarios/giant-pacific-octopus.toml
# Test files are shared out over so many processes; what one file computes is kept in its process.
WORKERS ?= 2
OUT ?= out/$(basename $(notdir $(SCENARIO))).h5

.PHONY: run test test-long lint types pytest clean

run: $(STAMP)
	@mkdir -p $(dir $(OUT))
	$(BIN)/jaxbreed run $(SCENARIO) -o $(OUT) --force

test: lint types pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Type checkers do not follow the editable install's import hook: show them the package as it is installed.
types: $(STAMP)
	@rm -rf build/types && mkdir -p build/types/jaxbreed
	@ln -s $(CURDIR)/jaxbreed/* build/types/jaxbreed/ && ln -s $(CURDIR)/kernels build/types/jaxbreed/kernels
	cd build/types && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p jaxbreed

pytest: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-long: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m long

$(STAMP): pyproject.toml CMakeLists.txt $(wildcard kernels/cpp/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group test --group lint --editable .
	@touch $@

clean:
	rm -rf $(VENV) build dist out .pytest_cache .ruff_cache .mypy_cache
