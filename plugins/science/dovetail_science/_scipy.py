"""SciPy's functions as ops: the float types they take, and numbers beside tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch, UnsupportedError
from dovetail.extend import Array, op

__all__ = ["demand", "pair", "scipy_function", "single", "unary"]


def demand(name: str, dtype: Any) -> None:
    """Refuse float16, bfloat16 and complex numbers, for which PyTorch has no such function."""
    if dtype in (dv.float16, dv.bfloat16, dv.complex64, dv.complex128):
        raise UnsupportedError(f"{name}()", f'"{name}_cpu" not implemented for {dtype}', "expected float32 or float64")


def single(name: str, compute: Any) -> Any:
    """An op of one array as a function that refuses half precision; its gradient is the op's."""

    def function(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if isinstance(input, Tensor):
            demand(name, input.dtype)
        return compute(input) if out is None else compute(input, out=out)

    function.__name__ = function.__qualname__ = name
    function.__doc__, function.vjp = compute.__doc__, compute.vjp  # type: ignore[attr-defined]
    return function


def scipy_function(name: str) -> Callable[..., Any]:
    """A function of SciPy on NumPy arrays: computed in float64, the result in the type of the arguments."""

    def call(first: Any, *rest: Any) -> Any:
        from scipy import special

        if first.dtype.kind == "c":
            raise UnsupportedError(f"{name}()", f'"{name}_cpu" not implemented for {first.dtype}', "expected real numbers")
        wide = [np.asarray(a, np.float64) for a in (first, *rest)]
        return np.asarray(getattr(special, name)(*wide)).astype(np.result_type(first, *rest))

    return call


def unary(name: str, scipy_name: str, summary: str, formula: str, half: bool = False) -> Any:
    """An op of one argument that SciPy computes, for float16 and bfloat16 too if ``half``."""
    compute = scipy_function(scipy_name)

    def forward(input: Array) -> Array:
        return compute(input)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"{summary}, ``{formula}``."
    made = op(dtypes="float", name=f"science/{name}")(forward)
    return made if half else single(name, made)


def pair(where: str, compute: Any, input: Any, other: Any, out: Tensor | None, half: bool = False) -> Tensor:
    """Call an op of two arrays, one of which may be a number: it takes the other's type, or the default one beside integers."""
    model = next((v for v in (input, other) if isinstance(v, Tensor)), None)
    if model is None:
        raise TypeMismatch(
            f"{where}()", f"got {type(input).__name__} and {type(other).__name__}", "expected a Tensor, and a Tensor or number"
        )
    kind = model.dtype if model.is_floating_point() or model.is_complex() else dv.get_default_dtype()
    both = [v if isinstance(v, Tensor) else dv.tensor(v, dtype=kind, device=model.device) for v in (input, other)]
    if not half:
        demand(where, dv.result_type(*both))
    return compute(*both) if out is None else compute(*both, out=out)
