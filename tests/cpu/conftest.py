"""The tests of native kernels need the compiled module; where it could not be built they are skipped, loudly.

DOVETAIL_CPU_NATIVE names another build of the module that is to be tested instead: `make sanitize` sets it.
"""

import importlib.util
import os
import sys

import pytest

if other := os.environ.get("DOVETAIL_CPU_NATIVE"):
    spec = importlib.util.spec_from_file_location("dovetail_cpu._native", other)
    sys.modules["dovetail_cpu._native"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

pytest.importorskip("dovetail_cpu._native", reason="dovetail-cpu is not built here (no C++20 compiler?)")
