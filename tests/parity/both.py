"""The same call on both sides: translation of arguments, and comparison of results and errors."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import torch

import dovetail as dv
from dovetail.autograd.node import Tensor
from dovetail.errors import DovetailError, UnsupportedError
from dovetail.testing.samples.calls import Made, fill, flat, public, tensor, walk, wants_grad
from dovetail.testing.samples.row import Row
from tests.core.ops.checks import alike

__all__ = [
    "Answer",
    "attempt",
    "category",
    "caught_alike",
    "compare",
    "of_torch",
    "ours",
    "raw",
    "theirs",
    "torch_function",
    "torch_tensor",
]

_GAPS = ("not implemented for 'Half'", "not implemented for 'BFloat16'", "not implemented for 'ComplexHalf'", "Got Half")
_BUILTIN = (IndexError, TypeError, ValueError, RuntimeError, AttributeError, AssertionError)


def torch_function(row: Row) -> Callable[..., Any] | None:
    """PyTorch's function at the path that the row calls, or at the one it names; None where there is none."""
    found = public(row)
    if row.torch == "" or (row.torch is None and found is None):
        return None
    path = row.torch or found[0]  # type: ignore[index]
    call = walk(torch, path)
    if call is None:
        raise LookupError(f"{row.id}: PyTorch has no {path}; name its path in the row (torch=...), or torch='' if it has none")
    if path.endswith("_") and not path.endswith("__"):
        return lambda first, *args, **kwargs: call(first.clone(), *args, **kwargs)
    return call


def theirs(value: Any) -> Any:
    """Our plain arguments as PyTorch's: types, devices, memory formats."""
    if isinstance(value, dv.dtype):
        return getattr(torch, value.name)
    if isinstance(value, dv.device):
        return torch.device(str(value))
    if isinstance(value, dv.Size):
        return torch.Size(value)
    if isinstance(value, str) and value.startswith("dovetail."):
        return getattr(torch, value.removeprefix("dovetail."))
    return value


def torch_tensor(array: Any, grad: bool = False) -> Any:
    """PyTorch's tensor with the values of an array."""
    a = np.array(array, copy=True)  # negative strides are not PyTorch's
    if a.dtype == ml_dtypes.bfloat16:
        t = torch.from_numpy(a.view(np.int16)).view(torch.bfloat16)
    else:
        t = torch.from_numpy(a) if a.ndim else torch.from_numpy(a.reshape(1)).reshape(())
    return t.requires_grad_() if grad else t


def raw(t: Any) -> Any:
    """The array of a result of either side."""
    if isinstance(t, Tensor):
        return t._a
    if isinstance(t, torch.Tensor):
        t = t.to(torch.complex64) if t.dtype == torch.complex32 else t  # a type that we do not have: complex64 stands for it
        t = t.detach().resolve_conj().resolve_neg()
        return t.view(torch.int16).numpy().view(ml_dtypes.bfloat16) if t.dtype == torch.bfloat16 else t.numpy(force=True)
    return np.asarray(t)


class Answer:
    """What a call gave: results, or the error it raised; and its leaves."""

    def __init__(self, outs: list[Any], leaves: list[Any], error: BaseException | None = None) -> None:
        self.outs, self.leaves, self.error = outs, leaves, error


def attempt(call: Callable[..., Any], given: Any, make: Callable[[Made], Any], kind: type, change: Any = None) -> Answer:
    """Call and keep results or error."""
    if change is not None:
        given = _plain(given, change)
    args, kwargs, made = fill(given, make)
    leaves = [t for t in made if t.requires_grad]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Answer(flat(call(*args, **kwargs), kind), leaves)
    except Exception as error:
        return Answer([], leaves, error)


def _plain(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, Made):
        return value
    if value.__class__ in (list, tuple):
        return value.__class__(_plain(v, change) for v in value)
    if value.__class__ is dict:
        return {k: _plain(v, change) for k, v in value.items()}
    return change(value)


def ours(row: Row, call: Any, given: Any, grad: bool) -> Answer:
    """Our answer."""
    ask = grad and wants_grad(row)
    return attempt(call, given, lambda m: tensor(np.array(m.array), ask and m.spec.grad and m.array.dtype.kind in "fc"), Tensor)


def of_torch(row: Row, call: Any, given: Any, grad: bool) -> Answer:
    """PyTorch's answer."""
    ask = grad and wants_grad(row)
    return attempt(call, given, lambda m: torch_tensor(m.array, ask and m.spec.grad and m.array.dtype.kind in "fc"), torch.Tensor, theirs)


def category(error: BaseException) -> type:
    """The builtin that a program would catch."""
    return next((c for c in _BUILTIN if isinstance(error, c)), type(error))


def caught_alike(mine: BaseException, other: BaseException) -> bool:
    """Whether what catches PyTorch's error catches ours; ours may derive from a second builtin that PyTorch raises elsewhere."""
    return isinstance(mine, category(other))


def compare(mine: Answer, other: Answer, tol: float | None = None) -> None:
    """Assert the same results (shape, type, values), or errors of one category."""
    if mine.error is not None or other.error is not None:
        if other.error is None:
            if isinstance(mine.error, UnsupportedError):
                return  # PyTorch has it, we do not, and say so
            shapes = [(tuple(o.shape), str(o.dtype)) for o in other.outs]
            raise AssertionError(f"we raise {type(mine.error).__name__}: {mine.error}; PyTorch answers {shapes}") from mine.error
        if mine.error is None:
            if any(gap in str(other.error) for gap in _GAPS):
                return  # a type that PyTorch's CPU kernels lack
            raise AssertionError(f"PyTorch raises {type(other.error).__name__}: {other.error}; we answer {mine.outs}")
        assert caught_alike(mine.error, other.error), (
            f"we raise {type(mine.error).__name__}: {mine.error}; PyTorch {type(other.error).__name__}: {other.error}"
        )
        assert isinstance(mine.error, DovetailError), f"{type(mine.error).__name__} is not one of ours: {mine.error}"
        return
    assert len(mine.outs) == len(other.outs), f"{len(mine.outs)} results, PyTorch has {len(other.outs)}"
    for k, (a, b) in enumerate(zip(mine.outs, other.outs, strict=True)):
        a, b = raw(a), raw(b)
        assert a.dtype == b.dtype, f"result {k} is {a.dtype}, PyTorch's {b.dtype}"
        alike(a, b, f"result {k}", tol)
