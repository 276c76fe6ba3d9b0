"""Everything that dovetail-cpu's manifest lists is checked: each kernel against the core's reference on the rows of its op."""

import pytest

pytest.importorskip("dovetail_cpu._native", reason="dovetail-cpu is not built here (no C++ compiler?)")

from dovetail.testing import conformance  # noqa: E402

test_conformance = conformance.tests("cpu")
