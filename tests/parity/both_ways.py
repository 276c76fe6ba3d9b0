"""Expressions on T, evaluated with PyTorch and with Dovetail: one answer, or one kind of error."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

import dovetail as dv
from tests.parity.both import category, raw

__all__ = ["same"]


def _answer(T: Any, text: str) -> tuple[Any, BaseException | None]:
    T.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return eval(text, {"T": T, "F": T.nn.functional, "np": np}), None  # noqa: S307 - an expression of our own tables
    except Exception as error:
        return None, error


def _alike(mine: Any, other: Any, tol: float) -> None:
    if isinstance(other, torch.Tensor):
        assert isinstance(mine, dv.Tensor), f"{type(mine).__name__} instead of a tensor"
        assert tuple(mine.shape) == tuple(other.shape) and str(mine.dtype)[9:] == str(other.dtype)[6:]
        assert mine.requires_grad == other.requires_grad and (mine.numel() == 0 or mine.stride() == other.stride())
        np.testing.assert_allclose(raw(mine.detach()), raw(other), rtol=tol, atol=tol)
    elif isinstance(other, tuple | list):
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            _alike(a, b, tol)
    elif isinstance(other, np.ndarray | np.generic):
        assert type(mine) is type(other) and mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, rtol=tol, atol=tol)
    else:
        assert type(mine) is type(other) and str(mine) == str(other).replace("torch.", "dovetail.")


def same(text: str, tol: float = 1e-6) -> None:
    """Assert one answer, or errors that one `except` catches."""
    (mine, error), (other, expected) = _answer(dv, text), _answer(torch, text)
    if error is not None or expected is not None:
        assert expected is not None, f"we raise {error!r}; PyTorch answers {other}"
        assert error is not None, f"PyTorch raises {expected!r}; we answer {mine}"
        assert isinstance(error, category(expected)), f"we raise {error!r}; PyTorch {expected!r}"
        return
    _alike(mine, other, tol)
