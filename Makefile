# What people and CI call. `make help` explains. The environment makes itself (deploy/bootstrap).
# Paths are relative to this file's folder, so a checkout may live anywhere, spaces included.

PORT ?= 8080
DATA ?= ./data
DEMO ?= 1
VENV ?= .venv
ARGS ?=
SCALE ?= 1
# By the environment, not by text: a DATA with spaces or quotes arrives as it is.
export PORT DATA DEMO VENV

python = "$$VENV/bin/python"
sources = shared services tests deploy clients

.DEFAULT_GOAL := help
.PHONY: help env run demo test chaos edge load containers lint format types imports check lock client bench clean

help: ## this list
	@echo "Landline: make TARGET [VARIABLE=value ...]"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1\t\2/p' Makefile | expand -t 12
	@echo "Variables: PORT ($(PORT)), DATA ($(DATA)), DEMO (1; 0: no demo brand), ARGS (passed on), VENV, PYTHON"

env: ## make or update the environment; the other targets do it by themselves
	@deploy/bootstrap

run: env ## the whole platform in the foreground, on PORT, with its data in DATA; Ctrl-C stops it
	@[ "$$DEMO" = 0 ] && demo=--no-demo || demo=--demo; \
	exec $(python) -P -m landline.chassis.embedded.cli run --stop-with-parent --port "$$PORT" --data "$$DATA" $$demo $(ARGS)

demo: env ## play a minute of traffic against a running `make run` (same PORT)
	@exec $(python) deploy/demo/play.py --url "http://127.0.0.1:$$PORT" --data "$$DATA" $(ARGS)

test: env ## all tests but those of `make edge` and `make containers`; ARGS="tests/unit -k money" picks
	@$(python) -m pytest $(if $(ARGS),$(ARGS),--ignore=tests/edge --ignore=tests/containers)

chaos: env ## the long form of tests/chaos: everything is killed at random moments over 10,000 calls
	@LANDLINE_HEAVY=1 $(python) -m pytest tests/chaos $(ARGS)

edge: env ## real SIP: installs Kamailio, rtpengine and SIPp (Debian packages), then tells stories through them
	@deploy/edge/install
	@$(python) -m pytest tests/edge $(ARGS)

load: env ## calls per second over real SIP, into build/edge.json; ARGS="50 100 200" picks the rates
	@deploy/edge/install
	@$(python) -m tests.edge.load $(ARGS)

containers: env ## images and compose.yaml for real: linted, started, called through; gets an engine where it is root
	@$(python) -m pytest tests/containers $(ARGS)

lint: env ## style and formatting, changes nothing
	@$(python) -m ruff check $(sources)
	@$(python) -m ruff format --check $(sources)

format: env ## mend what lint can mend by itself
	@$(python) -m ruff check --fix $(sources)
	@$(python) -m ruff format $(sources)

types: env ## mypy, strict
	@$(python) -m mypy shared/src services/*/src tests deploy/demo deploy/kamailio/edge_agent

imports: env ## who may import whom
	@"$$VENV/bin/lint-imports"

check: lint types imports test ## everything CI asks first

lock: env ## resolve the dependencies anew into requirements.lock (hashes, no hosts, no paths)
	@uv=$$(command -v uv || echo "$$VENV/bin/uv"); \
	"$$uv" pip compile --quiet --universal --python-version 3.11 --group dev pyproject.toml \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --no-emit-package landline --no-emit-package landline-provisioning --no-emit-package landline-call-control \
	  --no-emit-package landline-billing --no-emit-package landline-notifier --output-file requirements.lock

client: env ## renew the typed Python client (clients/python) from the OpenAPI documents
	@$(python) clients/python/generate.py

bench: env ## admissions per second, then provisioning at scale (SCALE=0: not), into build/bench.json
	@$(python) -m tests.bench.admission $(ARGS)
	@[ "$(SCALE)" = 0 ] || $(python) -m tests.bench.provisioning

clean: ## remove the environment and caches; never the data
	rm -rf "$$VENV" build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +
