# A small, fixed set of verbs. Each does its own set-up, in .venv; uv is used if it is there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check bench clean

help:
	@echo "make demo   a six-hour migration, waited for by polling and by an event"
	@echo "make test   everything that this repository claims, tested"
	@echo "make check  lint, format, types, template"
	@echo "make bench  how fast it is, against the official runner (some minutes)"
	@echo "make clean  remove what the others made"

demo: $(VENV)/run.done
	@$(BIN)/python -m scenarios.demo

test: $(VENV)/dev.done
	$(BIN)/pytest --numprocesses 2 --quiet
	$(BIN)/pytest --numprocesses 6 --quiet --engine sdk tests/scenarios

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.lint_template
	$(BIN)/python -m tools.lengths

bench: $(VENV)/bench.done
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .aws-sam build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The run set is what `dacapo run` and the scenarios need; dev and bench add to it.
$(VENV)/run.done: EXTRAS := scenarios
$(VENV)/dev.done: EXTRAS := dev
$(VENV)/bench.done: EXTRAS := scenarios,bench

$(VENV)/%.done: pyproject.toml constraints.txt src/requirements.txt | $(VENV)
	@echo "installing $(EXTRAS) into $(VENV) ..."
	@if command -v uv >/dev/null; then \
		uv pip install --quiet --python $(BIN)/python $(PINS) --editable ".[$(EXTRAS)]"; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINS) --editable ".[$(EXTRAS)]"; \
	fi
	@touch $@

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than 3.11: install a newer Python, or name one: make PYTHON=python3.13"; \
		exit 1; \
	}
	@if command -v uv >/dev/null; then \
		uv venv --quiet --python $(PYTHON) $(VENV); \
	else \
		$(PYTHON) -m venv $(VENV) || { \
			rm -rf $(VENV); \
			echo "$(PYTHON) can't make virtual environments: on Debian, install python3-venv"; \
			exit 1; \
		}; \
	fi
