"""Every layer of the parity table on a real GPU: the results, gradients and buffers of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.core.nn.test_on_gpu import ROWS, build, run
from tests.parity.layer_table import Case

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_as_on_the_cpu(case: Case, cupy: Any) -> None:
    here = run(case, build(case), "cpu")
    there = run(case, build(case).to("cuda"), "cuda")
    assert len(here) == len(there) and all(isinstance(t._a, cupy.ndarray) for t in there)
    for a, b in zip(here, there, strict=True):
        np.testing.assert_allclose(b.detach().cpu().numpy(), a.detach().numpy(), rtol=1e-7, atol=1e-7)
