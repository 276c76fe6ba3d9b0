"""The tests of native kernels need the compiled module; where it could not be built they are skipped, loudly.

DOVETAIL_CPU_NATIVE names another build of the module that is to be tested instead: `make sanitize` sets it.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator

import pytest

if other := os.environ.get("DOVETAIL_CPU_NATIVE"):
    spec = importlib.util.spec_from_file_location("dovetail_cpu._native", other)
    sys.modules["dovetail_cpu._native"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

pytest.importorskip("dovetail_cpu._native", reason="dovetail-cpu is not built here (no C++20 compiler?)")


@pytest.fixture(params=[1, 2, 4], ids=lambda n: f"{n} threads")
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """So many threads for kernels, one after the other."""
    from dovetail_cpu import _native

    before = _native.get_num_threads()
    _native.set_num_threads(request.param)
    yield request.param
    _native.set_num_threads(before)
