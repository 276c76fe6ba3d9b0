"""Every optimizer row on a real GPU: the stored results of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.core.optim.test_algorithms import GOLDEN, IDS, START, run

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("row", GOLDEN, ids=IDS)
def test_stored_results(row: tuple[str, dict[str, Any], list[float]], cupy: Any) -> None:
    name, settings, expected = row
    out = run(name, settings, cupy.array(START))
    assert isinstance(out, cupy.ndarray)
    np.testing.assert_allclose(cupy.asnumpy(out).ravel(), expected, rtol=0, atol=1e-8)
