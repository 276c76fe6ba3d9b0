"""The tests of native kernels need the compiled module; where it could not be built they are skipped, loudly."""

import pytest

pytest.importorskip("dovetail_cpu._native", reason="dovetail-cpu is not built here (no C++20 compiler?)")
