"""What dovetail_train.swa_utils brings; written by `python -m tools.stubs`, held by tests/contracts/test_stubs.py."""

from dovetail_train.swa_utils import *
