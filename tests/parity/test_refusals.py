"""What PyTorch refuses is refused, by an error that the same `except` catches: the calls of refused.txt on both sides."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

import dovetail as dv

from .both import caught_alike

pytestmark = pytest.mark.parity

CALLS = [c for c in (Path(__file__).parent / "refused.txt").read_text().splitlines() if c and not c.startswith("#")]


def error_of(library: Any, call: str) -> BaseException | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(call, {"T": library, "nn": library.nn, "F": library.nn.functional})  # noqa: S102 - the lines of our own file
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("call", CALLS)
def test_refused_alike(call: str) -> None:
    other, mine = error_of(torch, call), error_of(dv, call)
    assert other is not None, "PyTorch answers: this is no refusal"
    assert mine is not None, f"PyTorch raises {type(other).__name__}: {other}"
    assert caught_alike(mine, other), f"PyTorch raises {type(other).__name__}: {other}; we raise {type(mine).__name__}: {mine}"
