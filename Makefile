# The two commands: `make demo` runs the main job, `make test` runs the tests.
# Both set up .venv first; what is done already is not done again.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Processes that share the tests; 0 runs them in one.
WORKERS ?= 2

.PHONY: help setup demo test test-slow benchmark-quality benchmark-speed benchmark-int8 check format clean

help:
	@echo "make setup      create $(VENV) with the tested versions"
	@echo "make demo       drawn faces -> pre-train -> evaluate -> export -> search -> demo/report.html"
	@echo "make test       the tests, some minutes on two cores"
	@echo "make test-slow  those that take long: examples, benchmarks, kills, browsers"
	@echo "make benchmark-quality DATA=FER2013  write benchmarks/quality/RESULTS.md (hours)"
	@echo "make benchmark-speed [DATA=JPEGS]    write benchmarks/speed/RESULTS.md (half an hour)"
	@echo "make benchmark-int8 DATA=FER2013     write benchmarks/int8/RESULTS.md (half an hour)"
	@echo "make check      ruff and mypy"
	@echo "make format     let ruff rewrite the code"
	@echo "make clean      remove $(VENV) and demo/"

setup: $(READY)

$(READY): pyproject.toml export/pyproject.toml constraints.txt
	@echo "== Setting up $(VENV) (about 6 GB, some minutes)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable export --editable '.[dev]'
	@touch $@

demo: $(READY)
	@echo "== Demo: results go to demo/"
	$(BIN)/contrawarp demo --out demo

test: $(READY)
	@echo "== Tests"
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m "not slow"

test-slow: $(READY)
	@echo "== Tests that take long"
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope -m slow

benchmark-quality: $(READY)
	$(BIN)/python -m benchmarks.quality --data "$(DATA)"

benchmark-speed: $(READY)
	$(BIN)/python -m benchmarks.speed $(if $(DATA),--data "$(DATA)")

benchmark-int8: $(READY)
	$(BIN)/python -m benchmarks.int8 --data "$(DATA)"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo
