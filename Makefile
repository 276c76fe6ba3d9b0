# Every target sets itself up in .venv; all of them live in tools/. Without make: python3 -m tools TARGET
# Arguments: make test ARGS="-k conv". Another Python: make test PYTHON=python3.12.
PYTHON ?= python3

TARGETS := demo test lint docs look bench parity size wheels test-gpu soak sanitize kernels ecosystem clean
.PHONY: help $(TARGETS)

help:
	@$(PYTHON) -m tools help

$(TARGETS):
	@$(PYTHON) -m tools $@ $(ARGS)
