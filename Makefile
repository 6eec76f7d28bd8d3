# A small, fixed set of verbs. Each one sets up .venv first, with uv if it is installed.
# The SAM CLI comes from PATH, or is installed into .venv-sam, because it pins an older boto3.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := -c constraints.txt

# A function can't move to a capacity provider or back, so managed functions get a separate stack.
STACK ?= $(if $(CAPACITY_PROVIDER),dacapo-managed,dacapo)
TEMPLATE := $(if $(CAPACITY_PROVIDER),managed.yaml,template.yaml)
SAM_VENV := .venv-sam
SAM_CLI := 1.170.0
SAM := $(or $(shell command -v sam 2>/dev/null),$(SAM_VENV)/bin/sam)
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test prove check docs compare bench copy build deploy logs destroy clean interpreter sam-cli

help:
	@echo "make demo     wait for a six-hour migration, by polling and by event"
	@echo "make test     run the tests behind everything that this repository claims"
	@echo "make prove    the tests that take longer: full depth, the wheel, AWS's runner"
	@echo "make check    run lint, format, type and template checks; print the rooms of the lab"
	@echo "make docs     regenerate every generated page"
	@echo "make compare  compute cost and delay of each way of waiting, Step Functions included (a minute)"
	@echo "make bench    measure speed against the official runner (several minutes)"
	@echo "make copy     copy a pattern with all it needs, and test the copy: PATTERN=approval TO=../my-app"
	@echo "make build    build the deployment package, with the tested versions"
	@echo "make deploy   deploy the patterns to an AWS account:"
	@echo "              PARTNER_URL=https://… [STACK=$(STACK)] [MAIL_SENDER=…] [ALARM_MAIL=…]"
	@echo "              [BASELINES=yes] [CAPACITY_PROVIDER=arn:…]"
	@echo "make logs     tail the logs of the deployed functions: [STACK=$(STACK)]"
	@echo "make destroy  delete the stack and all its data, for good: [STACK=$(STACK)]"
	@echo "make clean    remove everything the other targets created on this machine"

demo: $(VENV)/run.done
	@$(BIN)/python -m scenarios.demo

test: $(VENV)/dev.done
	$(BIN)/pytest --numprocesses 3 --dist worksteal --quiet

# The longer tests: those marked so, and those that go deeper when they are asked to. The other engine
# mostly waits in real time, so it runs alongside.
prove: $(VENV)/dev.done
	@mkdir -p build
	@$(BIN)/pytest --numprocesses 4 --quiet --dacapo-engine sdk tests/scenarios > build/sdk.txt 2>&1 & \
	other=$$!; \
	echo "$(BIN)/pytest --thorough"; \
	$(BIN)/pytest --numprocesses 3 --dist worksteal --quiet --thorough; here=$$?; \
	wait $$other; there=$$?; \
	echo; echo "the same scenarios on AWS's local runner: pytest --dacapo-engine sdk tests/scenarios"; \
	cat build/sdk.txt; \
	exit $$((here || there))

check: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.lint_template
	$(BIN)/python -m tools.lengths
	$(BIN)/python -m tools.rooms

docs: $(VENV)/dev.done
	$(BIN)/python -m tools.gotchas
	$(BIN)/python -m tools.managed_instances
	$(BIN)/python -m tests.patterns.callback_outcomes
	$(BIN)/python -m tests.baselines.page
	$(BIN)/python -m tests.cloud.costs
	$(BIN)/python -m compare.readme
	$(BIN)/python -m compare.patterns

compare: $(VENV)/compare.done
	@$(BIN)/python -m compare

bench: $(VENV)/bench.done
	$(BIN)/python -m bench

copy:
	@$(PYTHON) -m tools.copying '$(PATTERN)' '$(TO)'

# The constraints reach pip inside sam build, so that only tested versions are deployed.
build: interpreter sam-cli $(filter managed.yaml,$(TEMPLATE))
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(SAM) build --template-file $(TEMPLATE)
	@$(PYTHON) -m tools.deploying built

# Deploying an unchanged stack succeeds and changes nothing. Omitted parameters keep their values.
deploy:
	@test -n '$(PARTNER_URL)' || { \
		echo "make deploy needs PARTNER_URL=https://…, the base URL of the transcription vendor's API"; \
		exit 1; \
	}
	@$(MAKE) --no-print-directory build
	$(SAM) deploy --stack-name '$(STACK)' --resolve-s3 --capabilities CAPABILITY_IAM \
		--no-confirm-changeset --no-fail-on-empty-changeset \
		--parameter-overrides 'PartnerUrl=$(PARTNER_URL)' \
		$(if $(MAIL_SENDER),'MailSender=$(MAIL_SENDER)') $(if $(ALARM_MAIL),'AlarmMail=$(ALARM_MAIL)') \
		$(if $(BASELINES),'Baselines=$(BASELINES)') \
		$(if $(CAPACITY_PROVIDER),'CapacityProvider=$(CAPACITY_PROVIDER)')

# SAM rejects a condition around a capacity provider, so we generate a template with one.
managed.yaml: template.yaml tools/managed_template.py $(VENV)/dev.done
	$(BIN)/python -m tools.managed_template > $@

logs: sam-cli
	$(SAM) logs --stack-name '$(STACK)' --tail

destroy: sam-cli
	$(SAM) delete --stack-name '$(STACK)' --no-prompts

clean:
	rm -rf $(VENV) $(SAM_VENV) .aws-sam build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis managed.yaml
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The run set has what `dacapo run` and the scenarios need; dev and bench add to it.
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
		echo "$(PYTHON) is older than 3.11: install a newer Python, or choose one: make PYTHON=python3.13"; \
		exit 1; \
	}
	@if command -v uv >/dev/null; then \
		uv venv --quiet --python $(PYTHON) $@; \
	else \
		$(PYTHON) -m venv $@ || { \
			rm -rf $@; \
			echo "$(PYTHON) can't create virtual environments: on Debian, install python3-venv"; \
			exit 1; \
		}; \
	fi
