"""NCCL on a real GPU, among one rank: each call with each type of elements, and a world of one process."""

from __future__ import annotations

from typing import Any

import pytest

from dovetail_mpi.nccl import available
from tests.mpi.test_nccl import each_call_of_one_rank, world_of_one

pytestmark = pytest.mark.gpu


def test_each_call(cupy: Any) -> None:
    assert available(), "CuPy has no NCCL: pip install nvidia-nccl-cu13 (or -cu12)"
    each_call_of_one_rank()


def test_world(cupy: Any) -> None:
    world_of_one()
