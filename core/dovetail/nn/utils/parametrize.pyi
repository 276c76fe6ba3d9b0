"""What dovetail_science.parametrize brings; written by `python -m tools.stubs`, held by tests/contracts/test_stubs.py."""

from dovetail_science.parametrize import *
