"""A CUDA device for the tests marked `gpu`, or a plain sentence that there is none."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def cupy() -> Any:
    """The real CuPy with a usable GPU; the tests are skipped, with the reason, where there is none."""
    from dovetail.device import cupy as find
    from dovetail.errors import DeviceError

    try:
        return find()
    except DeviceError as error:
        pytest.skip(f"NOT RUN on a GPU: {error}")
