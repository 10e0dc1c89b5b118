# Everything that a person types here. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help up down status test test-fast check format generated bench lock images compose-up compose-down clean

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/common cli $(patsubst %/pyproject.toml,%,$(wildcard services/*/pyproject.toml))
PROJECTS := $(addsuffix /pyproject.toml,$(PACKAGES))

# What is installed is remembered by stamps: a second `make` has nothing to do.
MADE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime-installed
DEVELOPMENT := $(VENV)/.development-installed

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

# What infra/.env says, unless the command line or the environment says otherwise.
IMAGE ?= carillon
TAG ?= latest
BASE_IMAGE ?= $(shell sed -n 's/^BASE_IMAGE=//p' infra/.env)
BUILD_NETWORK ?= default
COMPOSE := cd infra && CARILLON_IMAGE=$(IMAGE) CARILLON_TAG=$(TAG) \
	$(if $(OBSERVE),CARILLON_OTLP_ENDPOINT=http://otel-collector:4318) \
	$(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose) \
	$(if $(OBSERVE),--profile observability)

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make up takes DETACH=1 (return when all is ready), PROCESSES=1 (one process per service)"
	@echo "  and CARILLON_PORT=8080; CARILLON_HOME moves the data folder (.carillon)."
	@echo "  make images takes IMAGE=carillon (what names begin with), TAG=latest, BASE_IMAGE=$(BASE_IMAGE)"
	@echo "  and BUILD_NETWORK=default; make compose-up takes them too, and OBSERVE=1 (traces, metrics, dashboards)."

up: $(RUNTIME)  ## start everything: RabbitMQ, mongod, all services and a demo account (Ctrl-C stops it)
	@$(BIN)/carillon up $(if $(DETACH),--detach) $(if $(PROCESSES),--processes) $(if $(CARILLON_PORT),--port $(CARILLON_PORT))

down: $(RUNTIME)  ## stop everything that `make up DETACH=1` started
	@$(BIN)/carillon down

status: $(RUNTIME)  ## say what runs and where
	@$(BIN)/carillon status

test: $(DEVELOPMENT)  ## run all tests, unit to integration, against a real RabbitMQ and mongod
	@$(BIN)/carillon prepare
	@$(BIN)/python -m pytest $(ARGS)

test-fast: $(DEVELOPMENT)  ## run the tests that need no server
	@$(BIN)/python -m pytest -m "not integration" $(ARGS)

check: $(DEVELOPMENT)  ## formatting, lint, types and architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/mypy services/simulator/tests
	$(BIN)/lint-imports

format: $(DEVELOPMENT)  ## format the code and repair what lint can repair
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

generated: $(RUNTIME)  ## write anew what is made from the code: API documents, metrics page, routers' tables
	@$(BIN)/python -m carillon.telemetry.document docs/metrics.md
	@$(BIN)/python -m carillon_cli.documents docs/api
	@$(BIN)/carillon compose router >infra/router/haproxy.cfg
	@$(BIN)/python -m carillon_cli.kubernetes

bench: $(DEVELOPMENT)  ## measure push, batch, latency and campaign against the simulator
	@$(BIN)/python -m bench.run $(ARGS)

lock: $(DEVELOPMENT)  ## pin and hash the newest versions of requirements/*.in
	$(LOCK) requirements/runtime.in --output-file requirements/runtime.txt
	$(LOCK) requirements/dev.in --constraint requirements/runtime.txt --output-file requirements/dev.txt

images:  ## build every service's container image, and the carillon command's
	@for service in $(notdir $(wildcard services/*)) cli; do \
		echo "building $(IMAGE)/$$service:$(TAG)"; \
		docker build --quiet --network $(BUILD_NETWORK) --file infra/docker/service.Dockerfile \
			--build-arg BASE_IMAGE=$(BASE_IMAGE) --build-arg SERVICE=$$service \
			$$(case $$service in cli|receipt) echo --build-arg LEAVE_OUT= ;; esac) --tag $(IMAGE)/$$service:$(TAG) . >/dev/null || exit 1; \
	done

compose-up: images  ## start everything in containers and say what to try first (the first time it takes minutes)
	@$(COMPOSE) up --detach --no-build $(if $(OBSERVE),,--remove-orphans)
	@docker wait $$($(COMPOSE) ps --all --quiet demo) | grep -q '^0$$' || { $(COMPOSE) logs --tail 20 demo; exit 1; }
	@docker logs --tail 8 $$($(COMPOSE) ps --all --quiet demo)

compose-down:  ## stop the containers; their data stays in volumes
	@$(COMPOSE) down

clean:  ## remove the environment and all caches (data in .carillon stays)
	@if [ -x $(BIN)/carillon ]; then $(BIN)/carillon down; fi
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.carillon/*' -prune -exec rm -rf {} +

$(MADE): infra/make/venv
	@bash infra/make/venv $(VENV)
	@touch $@

$(RUNTIME): $(MADE) requirements/runtime.txt $(PROJECTS)
	@echo "installing what Carillon runs on (a minute at most)"
	@$(PIP) --require-hashes --requirement requirements/runtime.txt
	@$(PIP) --no-deps --no-build-isolation $(addprefix --editable ./,$(PACKAGES))
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements/dev.txt
	@echo "installing what tests and checks need"
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@touch $@
