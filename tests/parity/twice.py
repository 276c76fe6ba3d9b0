"""Small programs run with PyTorch and with Dovetail: what they return, print, warn of or raise is the same."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import dovetail as dv
from tests.parity.both import category, raw

__all__ = ["cases", "error", "run_twice"]


def error(call: Callable[[], Any], text: bool = False) -> Any:
    """What a call raises: the builtin that a program would catch, and its text where it counts; or its answer."""
    try:
        return "answered", call()
    except Exception as found:
        return ("raised", _Raised(found), str(found) if text else "")


class _Raised:
    def __init__(self, found: BaseException) -> None:
        self.found = found


def _plain(text: str) -> str:
    return re.sub(r"\b(torch|dovetail)(\.|::| (?=Tensor))", "", text)


def _alike(mine: Any, other: Any, at: str, tol: float) -> None:
    if isinstance(other, torch.Tensor):
        assert isinstance(mine, dv.Tensor), f"{at}: {type(mine).__name__} instead of a tensor"
        assert type(mine).__name__ == type(other).__name__, at
        what = [(tuple(t.shape), _plain(str(t.dtype)), t.requires_grad, t.is_leaf) for t in (mine, other)]
        assert what[0] == what[1], f"{at}: {what[0]}, PyTorch {what[1]}"
        np.testing.assert_allclose(raw(mine.detach()), raw(other), rtol=tol, atol=tol, err_msg=at)
    elif isinstance(other, _Raised):
        assert isinstance(mine, _Raised), f"{at}: answered; PyTorch raises {other.found!r}"
        assert isinstance(mine.found, category(other.found)), f"{at}: {mine.found!r}; PyTorch {other.found!r}"
    elif isinstance(other, dict):
        assert list(map(str, mine)) == list(map(str, other)), f"{at}: {list(mine)}; PyTorch {list(other)}"
        for a, b in zip(mine, other, strict=True):
            _alike(mine[a], other[b], f"{at}[{a!r}]", tol)
    elif isinstance(other, tuple | list):
        assert isinstance(mine, tuple | list) and len(mine) == len(other), f"{at}: {mine}; PyTorch {other}"
        for k, (a, b) in enumerate(zip(mine, other, strict=True)):
            _alike(a, b, f"{at}[{k}]", tol)
    elif isinstance(other, float):
        np.testing.assert_allclose(mine, other, rtol=tol, atol=tol, err_msg=at)
    else:
        mine, other = (_plain(repr(x) if not isinstance(x, str) else x) for x in (mine, other))
        assert mine == other, f"{at}: {mine}; PyTorch: {other}"


def run_twice(case: Callable[[Any], Any], tol: float = 1e-6) -> None:
    """Assert that a program gives the same on both sides; `case(T)` is given the library."""
    found = []
    for library in (dv, torch):
        library.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(error(lambda T=library: case(T)))
    (how, mine, *_), (how_, other, *_) = found
    if how != how_ and how == "raised":
        raise AssertionError(f"we raise {mine.found!r}; PyTorch answers {other}") from mine.found
    assert how == how_, f"we answer {mine}; PyTorch raises {other.found!r}"
    _alike(mine, other, "result", tol)


def cases(space: dict[str, Any]) -> Any:
    """The functions of a test file whose only parameter is `T`, as rows of a parametrized test."""
    return [
        pytest.param(f, id=name)
        for name, f in space.items()
        if inspect.isfunction(f) and not name.startswith("test_") and list(inspect.signature(f).parameters) == ["T"]
    ]
