"""What dovetail_science.fusion brings; written by `python -m tools.stubs`, held by tests/contracts/test_stubs.py."""

from dovetail_science.fusion import *
