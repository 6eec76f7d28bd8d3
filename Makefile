# A small, fixed set of verbs. Each one sets up .venv first, with uv if it is installed.
# The SAM CLI comes from PATH, or is installed into .venv-sam, because it pins an older boto3.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PINS := -c constraints.txt

# All patterns are one stack with a nested stack each, or a stack of its own for one PATTERN.
# A function can't move to a capacity provider or back, so managed functions get a separate stack.
STACK ?= dacapo$(if $(PATTERN),-$(subst _,-,$(PATTERN)))$(if $(CAPACITY_PROVIDER),-managed)
PATTERNS := $(patsubst src/patterns/%/handler.py,%,$(wildcard src/patterns/*/handler.py))
$(if $(filter-out $(PATTERNS),$(PATTERN)),$(error PATTERN is one of: $(PATTERNS)))
$(if $(and $(CAPACITY_PROVIDER),$(filter versioned,$(PATTERN))),$(error versioned runs as $$LATEST, \
	and a managed function runs published versions only))
UNMANAGED := $(if $(PATTERN),src/patterns/$(PATTERN)/template.yaml,template.yaml)
TEMPLATE := $(if $(CAPACITY_PROVIDER),managed/$(or $(PATTERN),template).yaml,$(UNMANAGED))
SAM_VENV := .venv-sam
SAM_CLI := 1.170.0
SAM := $(or $(shell command -v sam 2>/dev/null),$(SAM_VENV)/bin/sam)
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test prove check docs browser lessons compare bench copy build deploy logs destroy clean
.PHONY: interpreter sam-cli managed

help:
	@echo "make demo     wait for a six-hour migration, by polling and by event"
	@echo "make test     run the tests behind everything that this repository claims"
	@echo "make prove    the tests that take longer: more depth, the wheel, AWS's runner;"
	@echo "              with ALL=yes everything, for an hour: before a release"
	@echo "make check    run lint, format, type and template checks; print the rooms of the lab"
	@echo "make docs     regenerate every generated page"
	@echo "make browser  fetch what the tests of pages in a browser need"
	@echo "make lessons  write a page for each gotcha, and an index: build/lessons/index.html"
	@echo "make compare  compute cost and delay of each way of waiting, Step Functions included (2 minutes)"
	@echo "make bench    measure speed against the official runner (several minutes)"
	@echo "make copy     copy a pattern with all it needs, and test the copy: PATTERN=approval TO=../my-app"
	@echo "make build    build the deployment package, with the tested versions"
	@echo "make deploy   deploy all patterns to an AWS account, or one: [PATTERN=approval]"
	@echo "              PARTNER_URL=https://… [STACK=$(STACK)] [MAIL_SENDER=…] [KEEP_DATA=no]"
	@echo "              [ALARM_MAIL=… for all, ALARM_TOPIC=arn:… for one] [BASELINES=yes]"
	@echo "              [CAPACITY_PROVIDER=arn:…]"
	@echo "make logs     tail the logs of the deployed functions: [PATTERN=…] [STACK=$(STACK)]"
	@echo "make destroy  delete the stack, but keep its data: [PATTERN=…] [STACK=$(STACK)]"
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
	echo "$(BIN)/pytest --thorough $(if $(ALL),--exhaustive)"; \
	$(BIN)/pytest --numprocesses 3 --dist worksteal --quiet --thorough $(if $(ALL),--exhaustive); here=$$?; \
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
	$(BIN)/python -m tools.agents
	$(BIN)/python -m tools.gotchas
	-$(BIN)/python -m tools.pictures
	$(BIN)/python -m tools.managed_instances
	$(BIN)/python -m tests.patterns.callback_outcomes
	$(BIN)/python -m tests.patterns.outages
	$(BIN)/python -m tests.baselines.page
	$(BIN)/python -m tests.cloud.costs
	$(BIN)/python -m compare.readme
	$(BIN)/python -m compare.patterns

# The tests of pages are skipped, with the reason, without these. Chromium is Debian's.
browser: $(VENV)/dev.done
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	$(BIN)/python -m pip install --quiet $(PINS) playwright
	@mkdir -p build/axe-core
	cd build && npm pack --silent axe-core@4 >axe.txt && tar xzf "$$(cat axe.txt)" && \
		cp package/axe.min.js axe-core/ && rm -rf package
	@command -v chromium >/dev/null || { apt-get update -qq && \
		apt-get install -qq -y --no-install-recommends chromium >/dev/null; }

lessons: $(VENV)/dev.done
	@$(BIN)/python -m gotchas --site build/lessons

compare: $(VENV)/compare.done
	@$(BIN)/python -m compare

bench: $(VENV)/bench.done
	$(BIN)/python -m bench

copy:
	@$(PYTHON) -m tools.copying '$(PATTERN)' '$(TO)'

# The constraints reach pip inside sam build, so that only tested versions are deployed.
build: interpreter sam-cli $(if $(CAPACITY_PROVIDER),managed)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(SAM) build --template-file $(TEMPLATE)
	@$(PYTHON) -m tools.deploying built

OVERRIDES := $(strip \
	$(if $(PARTNER_URL),'PartnerUrl=$(PARTNER_URL)') $(if $(MAIL_SENDER),'MailSender=$(MAIL_SENDER)') \
	$(if $(KEEP_DATA),'KeepData=$(KEEP_DATA)') $(if $(BASELINES),'Baselines=$(BASELINES)') \
	$(if $(ALARM_MAIL),'AlarmMail=$(ALARM_MAIL)') $(if $(ALARM_TOPIC),'AlarmTopic=$(ALARM_TOPIC)') \
	$(if $(CAPACITY_PROVIDER),'CapacityProvider=$(CAPACITY_PROVIDER)'))

# Deploying an unchanged stack succeeds and changes nothing. Omitted parameters keep their values, and
# those that a template doesn't have are ignored. The tag finds what is kept when the stack is deleted.
deploy:
	@test -n '$(PARTNER_URL)$(filter-out webhook_callback,$(PATTERN))' || { \
		echo "make deploy needs PARTNER_URL=https://…, the base URL of the transcription vendor's API"; \
		exit 1; \
	}
	@$(MAKE) --no-print-directory build
	$(SAM) deploy --stack-name '$(STACK)' --resolve-s3 --tags 'stack=$(STACK)' \
		--capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
		--no-confirm-changeset --no-fail-on-empty-changeset \
		$(if $(OVERRIDES),--parameter-overrides $(OVERRIDES))

# SAM rejects a condition around a capacity provider, so we generate templates with one.
managed: $(VENV)/dev.done
	$(BIN)/python -m tools.managed_template

logs: sam-cli
	$(SAM) logs --stack-name '$(STACK)' --tail

destroy: sam-cli
	$(SAM) delete --stack-name '$(STACK)' --no-prompts
	@$(PYTHON) -m tools.deploying kept '$(STACK)'

clean:
	rm -rf $(VENV) $(SAM_VENV) .aws-sam build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis managed
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
