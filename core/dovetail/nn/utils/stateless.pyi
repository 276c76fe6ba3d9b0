"""What dovetail_science.stateless brings; written by `python -m tools.stubs`, held by tests/contracts/test_stubs.py."""

from dovetail_science.stateless import *
