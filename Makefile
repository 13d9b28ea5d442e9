# Everything here builds its own .venv first; `make` alone prints this list.
PYTHON ?= python3
STUDY  ?= demo
VENV   := .venv
PY     := $(VENV)/bin/python
# What the environment was installed with, so that `make demo` after `make install EXTRA=gpu` installs nothing else.
EXTRA  ?= $(or $(patsubst $(VENV)/.ready-%,%,$(lastword $(wildcard $(VENV)/.ready-*))),cpu)
READY  := $(VENV)/.ready-$(EXTRA)
TWO    := -n 2 --dist loadfile  # workers, each of which takes whole files: what their tests share is made once

unexport PYTHONDONTWRITEBYTECODE  # every stage and test starts Python anew: compile once

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-fast check bench bench-gpu rehearse-gpu report base doctor clean

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Each command has --help: $(PY) -m src.train, src.evaluate, src.report, src.trace, src.store"

install: $(READY)  ## Build .venv (EXTRA=cpu; EXTRA=gpu with an NVIDIA card; EXTRA=cpu,scale adds Ray and launchers)

$(READY): pyproject.toml
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m src.install $(EXTRA)
	@$(PY) -m src.doctor --brief
	@rm -f $(VENV)/.ready-* && touch $@

# Where nothing isolates the programs that a model writes (macOS), none is run: the rest of the demo needs none.
demo: $(READY)  ## The whole method on this machine, in minutes: writes outputs/reports/demo/index.html
	@$(PY) -m src.train $$($(PY) -m src.doctor --programs)

test: test-fast  ## The tests, with a real vLLM engine, within twenty minutes on two cores
	@$(PY) -m pytest -q -m "(slow or vllm) and not long" $(TWO)

test-all: $(READY)  ## Every test: whole studies, every arm at every scale, a bad line and twenty kills
	@$(PY) -m pytest -q

test-fast: $(READY)  ## The tests that need no engine, within two minutes on two cores
	@$(PY) -m pytest -q -m "not slow and not long and not vllm" $(TWO)

check: $(READY)  ## Format, lint and types
	@$(PY) -m ruff format --check src tests
	@$(PY) -m ruff check src tests
	@$(PY) -m mypy

bench: $(READY)  ## Speed and memory, as ratios measured in one run
	@$(PY) -m tests.perf

bench-gpu: $(READY)  ## What only a card can show: its tests, then speed and memory, with a record
	@$(PY) -m pytest -q -m gpu; passed=$$?; \
		$(PY) -m tests.gpu.bench --out experiments/performance/gpu.json && exit $$passed

rehearse-gpu: $(READY)  ## On a torch built for cards, but without one: forward passes on fake tensors
	@$(PY) -m pytest -q tests/gpu/test_rehearsal.py

report: $(READY)  ## The page of a study again: make report STUDY=demo
	@$(PY) -m src.report study=$(STUDY)

base: $(READY)  ## Train the shipped base model again: six minutes on a card, a day on a CPU; stopped, it goes on
	@$(PY) -m src.train method=base study=base tracker=none
	@$(PY) -m src.modeling.shipping outputs/runs/base/main-s0 base_1m

doctor: $(READY)  ## What this machine has, and what would be missing for what
	@$(PY) -m src.doctor

clean:  ## Remove the environment and caches; outputs/ stays (it may have cost money)
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
