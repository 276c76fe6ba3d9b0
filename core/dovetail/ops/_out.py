"""`out=`: a function's result written into tensors that the caller brings, under PyTorch's conditions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..autograd.modes import GRAD, STATE
from ..autograd.node import CLASSES, Tensor, changed
from ..device import device_of
from ..dtypes import can_cast, from_numpy_dtype
from ..errors import DeviceError, DtypeError, GradError, TypeMismatch
from ._refuse import type_name

__all__ = ["into"]

_CASTS = frozenset(  # what computes in its arguments' type and converts on writing; all others ask for the type of the result
    """
    acos acosh add addcdiv addcmul angle asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift
    bitwise_xor cat column_stack cond copysign cos cosh deg2rad diff digamma div dstack eq erf erfc erfinv exp exp2 expm1 floor_divide
    fmax fmin fmod gcd ge gt hfft hstack hypot i0 irfft kron lcm ldexp le lerp lgamma log log10 log1p log2 logaddexp logaddexp2 logical_and
    logical_not logical_or logical_xor logit logsumexp lt matrix_rank maximum minimum mul mvlgamma nanmean nansum ne nextafter outer pinv
    pow rad2deg reciprocal remainder rsqrt sigmoid sin sinc sinh sqrt square stack std sub tan tanh true_divide var vstack xlogy
    """.split()
)
_PLAIN = frozenset("eq ge gt isneginf isposinf le lt ne logical_and logical_not logical_or logical_xor floor_divide".split())  # no gradient
_BY_OUT = {"cumprod", "cumsum", "mean", "prod", "sum"}  # these compute in the type of `out`


def into(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function without its `out`, write what it returns there, and return `out` itself (several in the result's tuple).

    Raises a GradError (RuntimeError) where a gradient would be lost, a DtypeError (RuntimeError) for a type that cannot hold the result.
    """
    name, out = function.op.name if hasattr(function, "op") else function.__name__, kwargs.pop("out")
    if out is None:
        return function(*args, **kwargs)
    targets = tuple(out) if isinstance(out, tuple | list) else (out,)
    for target in targets:
        if target.__class__ not in CLASSES:
            raise TypeMismatch(f"{name}()", f"argument 'out' must be Tensor, not {type(target).__name__}")
    if STATE.word & GRAD and name not in _PLAIN and _tracked((targets, args, tuple(kwargs.values()))):
        what = "functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad."
        raise GradError(f"{name}()", what, "", "leave out= away, or call it inside no_grad()")
    if name in _BY_OUT:
        kwargs.setdefault("dtype", out.dtype)
    result = function(*args, **kwargs)
    several = isinstance(result, tuple)
    values = result if several else (result,)
    if len(values) != len(targets) or several != isinstance(out, tuple | list):
        raise TypeMismatch(f"{name}()", f"argument 'out' has {len(targets)} tensors", f"expected {len(values)}")
    for target, value in zip(targets, values, strict=True):
        _store(name, target, value)
    return out if not several else result._make(targets) if hasattr(result, "_make") else targets


def _tracked(x: Any) -> bool:
    return any(map(_tracked, x)) if isinstance(x, tuple | list) else x.__class__ in CLASSES and x._n is not None


def _store(name: str, target: Tensor, value: Tensor) -> None:
    """Write a result into a tensor, which takes its shape."""
    from .inplace import check_writable
    from .memory import resize_

    a, new = target._a, value._a
    if device_of(a) != device_of(new):
        what = f"Expected all tensors to be on the same device, but out is on {device_of(a)}"
        raise DeviceError(name, what, f"expected {device_of(new)}")
    if a.dtype != new.dtype and name not in _CASTS:
        raise DtypeError(name, f"Expected out tensor to have dtype {type_name(new.dtype)}, but got {type_name(a.dtype)} instead")
    if a.dtype != new.dtype and not can_cast(from_numpy_dtype(new.dtype), from_numpy_dtype(a.dtype)):
        kind = TypeMismatch if name == "cat" or name.endswith("stack") else DtypeError
        raise kind(name, f"result type {type_name(new.dtype)} can't be cast to the desired output type {type_name(a.dtype)}")
    if a.shape != new.shape:
        if a.size:
            text = f"An output with one or more elements was resized since it had shape {list(a.shape)}, which does not match the "
            text += f"required output shape {list(new.shape)}. This behavior is deprecated: resize it to zero elements with t.resize_(0)"
            warnings.warn(text, stacklevel=4)
        resize_(target, new.shape)
    check_writable(name, target, 0, STATE.word)
    target._a[...] = new
    changed(target._v, f"{name}(out=)")
