"""Single expressions with odd arguments: value, type, shape, strides, name of the node and class of error are PyTorch's.

expressions.txt has one a line, with statements before it where there are semicolons. `T`, `nn` and `F` are the library; both sides begin
with the same seed.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv

pytestmark = pytest.mark.parity
ROWS = Path(__file__).with_name("expressions.txt").read_text(encoding="utf-8").splitlines()


def described(library: ModuleType, value: Any) -> Any:
    """A result in plain Python: tensors with all that one can see of them, other objects by their class and repr."""
    if isinstance(value, library.Tensor):
        node = None if value.grad_fn is None else value.grad_fn.name()
        told = (str(value.dtype).rpartition(".")[2], tuple(value.shape), value.stride(), value.requires_grad, node)
        return (*told, np.array(value.detach().tolist()))
    if isinstance(value, tuple | list):
        return (type(value).__name__, *(described(library, v) for v in value))
    if isinstance(value, int | float | complex | None):
        return (type(value).__name__, np.array(value if value is not None else 0))
    return (type(value).__name__, str(value).replace("dovetail", "torch"))


def outcome(library: ModuleType, row: str) -> Any:
    """What a row gives, or the error that it raises."""
    names = {"T": library, "nn": library.nn, "F": library.nn.functional, "np": np, "math": math, "inf": math.inf, "nan": math.nan}
    *before, last = row.split("; ")
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for statement in before:
                exec(statement, names)  # noqa: S102 - the lines of our own table
            return described(library, eval(last, names))  # noqa: S307 - the lines of our own table
        except Exception as error:
            return error


def alike(mine: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return mine.shape == expected.shape and bool(np.allclose(mine, expected, rtol=1e-5, atol=1e-6, equal_nan=True))
    if isinstance(expected, tuple):
        return type(mine) is tuple and len(mine) == len(expected) and all(map(alike, mine, expected))
    return type(mine) is type(expected) and bool(mine == expected)


def differs(row: str) -> str:
    """What is not PyTorch's in a row, or nothing."""
    mine, expected = outcome(dv, row), outcome(torch, row)
    if isinstance(expected, Exception):
        builtin = next(c for c in type(expected).__mro__ if c.__module__ == "builtins")
        return "" if isinstance(mine, builtin) else f"{row}: {mine!r} where PyTorch raises {expected!r}"
    return "" if alike(mine, expected) else f"{row}: {mine!r} where PyTorch has {expected!r}"


@pytest.mark.parametrize("first", range(0, len(ROWS), 40))
def test_expressions_give_what_pytorch_gives(first: int) -> None:
    assert not [said for row in ROWS[first : first + 40] if (said := differs(row))]
