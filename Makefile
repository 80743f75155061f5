# What people and CI type. `make up` and `make test` do their own set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup up test check bench lock

setup: $(VENV)/.run-installed
up: setup
	@exec $(BIN)/softlanding up
test: $(VENV)/.test-installed
	@sh .ci/browser
	$(BIN)/python -m pytest -n 2 --dist worksteal tests
check: $(VENV)/.test-installed
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/vulture
bench: $(VENV)/.test-installed
	$(BIN)/python -m bench $(or $(NAME),all)

$(VENV)/.run-installed: requirements/run.txt pyproject.toml
	@PYTHON=$(PYTHON) sh .ci/install run
$(VENV)/.test-installed: requirements/test.txt $(VENV)/.run-installed
	@PYTHON=$(PYTHON) sh .ci/install test

# Pins every dependency with its hashes. Needs uv; names no package index.
lock:
	cd requirements && uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o run.txt run.in
	cd requirements && uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -c run.txt -o test.txt test.in
	cd requirements && for file in bench-*.in; do uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o $${file%.in}.txt $$file; done
