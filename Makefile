# A small, fixed set of verbs. Each does its own set-up, in .venv; uv is used if it is there.
# What needs the SAM CLI takes it from PATH, or sets it up in .venv-sam: it pins an older boto3.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := -c constraints.txt

# A function can't be moved to a capacity provider or back, so those have a stack of their own.
STACK ?= $(if $(CAPACITY_PROVIDER),dacapo-managed,dacapo)
TEMPLATE := $(if $(CAPACITY_PROVIDER),managed.yaml,template.yaml)
SAM_VENV := .venv-sam
SAM_CLI := 1.170.0
SAM := $(or $(shell command -v sam 2>/dev/null),$(SAM_VENV)/bin/sam)
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test prove check compare bench build deploy logs destroy clean interpreter sam-cli

help:
	@echo "make demo     a six-hour migration, waited for by polling and by an event"
	@echo "make test     everything that this repository claims, tested"
	@echo "make prove    the verifier and the patterns, at full depth (some minutes)"
	@echo "make check    lint, format, types, template"
	@echo "make compare  what each way of waiting costs, beside Step Functions (a minute)"
	@echo "make bench    how fast it is, against the official runner (some minutes)"
	@echo "make build    what Lambda gets, with the versions that were tested"
	@echo "make deploy   the patterns into an AWS account:"
	@echo "              PARTNER_URL=https://… [STACK=$(STACK)] [MAIL_SENDER=…] [ALARM_MAIL=…]"
	@echo "              [HAND_MADE=yes] [CAPACITY_PROVIDER=arn:…]"
	@echo "make logs     what the deployed functions log, as they do: [STACK=$(STACK)]"
	@echo "make destroy  all that deploy made, and what it holds, for ever: [STACK=$(STACK)]"
	@echo "make clean    remove what the others made on this machine"

demo: $(VENV)/run.done
	@$(BIN)/python -m scenarios.demo

test: $(VENV)/dev.done
	@mkdir -p build
	@# The other engine mostly waits, in real time: it does so beside all the rest.
	@$(BIN)/pytest --numprocesses 4 --quiet --engine sdk tests/scenarios > build/sdk.txt 2>&1 & \
	other=$$!; \
	echo "$(BIN)/pytest"; \
	$(BIN)/pytest --numprocesses 3 --dist worksteal --quiet; here=$$?; \
	wait $$other; there=$$?; \
	echo; echo "the scenarios once more, on AWS's own local runner: pytest --engine sdk tests/scenarios"; \
	cat build/sdk.txt; \
	exit $$((here || there))

prove: $(VENV)/dev.done
	$(BIN)/pytest --numprocesses 3 --quiet --thorough tests/verify tests/gotchas/test_verifier.py

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.lint_template
	$(BIN)/python -m tools.lengths

compare: $(VENV)/compare.done
	@$(BIN)/python -m compare

bench: $(VENV)/bench.done
	$(BIN)/python -m bench

# The constraints reach pip inside sam build, so that Lambda gets no version that was not tested.
build: interpreter sam-cli $(filter managed.yaml,$(TEMPLATE))
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(SAM) build --template-file $(TEMPLATE)
	@$(PYTHON) -m tools.deploying built

# Deploying what is deployed already changes nothing and succeeds. What is left away stays as it was.
deploy:
	@test -n '$(PARTNER_URL)' || { \
		echo "make deploy needs PARTNER_URL=https://…, where the API of the transcribing agency is"; \
		exit 1; \
	}
	@$(MAKE) --no-print-directory build
	$(SAM) deploy --stack-name '$(STACK)' --resolve-s3 --capabilities CAPABILITY_IAM \
		--no-confirm-changeset --no-fail-on-empty-changeset \
		--parameter-overrides 'PartnerUrl=$(PARTNER_URL)' \
		$(if $(MAIL_SENDER),'MailSender=$(MAIL_SENDER)') $(if $(ALARM_MAIL),'AlarmMail=$(ALARM_MAIL)') \
		$(if $(HAND_MADE),'HandMade=$(HAND_MADE)') \
		$(if $(CAPACITY_PROVIDER),'CapacityProvider=$(CAPACITY_PROVIDER)')

# SAM takes no condition around a capacity provider, so a template is made with one.
managed.yaml: template.yaml tools/managed_template.py $(VENV)/dev.done
	$(BIN)/python -m tools.managed_template > $@

logs: sam-cli
	$(SAM) logs --stack-name '$(STACK)' --tail

destroy: sam-cli
	$(SAM) delete --stack-name '$(STACK)' --no-prompts

clean:
	rm -rf $(VENV) $(SAM_VENV) .aws-sam build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis managed.yaml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The run set is what `dacapo run` and the scenarios need; dev and bench add to it.
$(VENV)/run.done: EXTRAS := scenarios
$(VENV)/dev.done: EXTRAS := dev
$(VENV)/compare.done: EXTRAS := scenarios,compare
$(VENV)/bench.done: EXTRAS := scenarios,bench

$(VENV)/%.done: pyproject.toml constraints.txt src/requirements.txt | $(VENV)
	@echo "installing $(EXTRAS) into $(VENV) ..."
	@if command -v uv >/dev/null; then \
		uv pip install --quiet --python $(BIN)/python $(PINS) --editable ".[$(EXTRAS)]"; \
	else \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINS) --editable ".[$(EXTRAS)]"; \
	fi
	@touch $@

interpreter:
	@$(PYTHON) -m tools.deploying interpreter

sam-cli: $(if $(filter $(SAM_VENV)/%,$(SAM)),$(SAM_VENV)/$(SAM_CLI).done)

$(SAM_VENV)/%.done: | $(SAM_VENV)
	@echo "installing aws-sam-cli $* into $(SAM_VENV) ..."
	@if command -v uv >/dev/null; then \
		uv pip install --quiet --python $(SAM_VENV)/bin/python aws-sam-cli==$*; \
	else \
		$(SAM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check aws-sam-cli==$*; \
	fi
	@touch $@

$(VENV) $(SAM_VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than 3.11: install a newer Python, or name one: make PYTHON=python3.13"; \
		exit 1; \
	}
	@if command -v uv >/dev/null; then \
		uv venv --quiet --python $(PYTHON) $@; \
	else \
		$(PYTHON) -m venv $@ || { \
			rm -rf $@; \
			echo "$(PYTHON) can't make virtual environments: on Debian, install python3-venv"; \
			exit 1; \
		}; \
	fi
