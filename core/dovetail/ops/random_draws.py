"""Draws whose parameters are tensors: normal around means, Bernoulli, multinomial."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numerics.errors import DistributionError

from ..autograd.modes import GRAD, STATE
from ..autograd.node import CLASSES, Tensor
from ..device import device_of
from ..dtypes import from_numpy_dtype
from ..errors import DtypeError, ShapeError, TypeMismatch
from ._op import xp
from ._prepare import _mismatch
from ._random import deliver, demand, demand_floating, drawn, made, normals, shape_of, source, tensor_argument, whole
from ._refuse import type_name

__all__ = ["bernoulli", "multinomial", "normal"]
METHODS = ("bernoulli", "multinomial")


def depends(values: Any, out: Any, *parameters: Any) -> Tensor:
    """The result of a draw whose parameters are tensors: it requires a gradient (zero) where they do."""
    if out is None and STATE.word & GRAD:
        tracked = [p for p in parameters if p.__class__ in CLASSES and p._n is not None]
        if tracked:
            return drawn(tracked[0], values, *tracked[1:])
    return deliver(values, out)


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers around ``mean`` with deviation ``std``: one for each element of these tensors, or ``size`` of them.

    Raises a RuntimeError for a negative std, an integer type, or shapes that do not broadcast.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.normal(dv.tensor([0., 10.]), 1.0)
    tensor([1.5410, 9.7066])
    """
    given = [x for x in (mean, std) if x.__class__ in CLASSES]
    if given and size is not None:
        raise TypeMismatch("normal()", "received an invalid combination of arguments: tensors and a size")
    if not given and size is None:
        what = "received an invalid combination of arguments: numbers without a size"
        raise TypeMismatch("normal()", what, "", "normal(0.0, 1.0, (2, 3))")
    if given:  # whose type the numbers have
        demand_floating("normal", given[0]._a.dtype)
    if len(given) == 2:
        check_broadcast("normal", [t._a for t in given])
    centre, spread = (x._a if x.__class__ in CLASSES else x for x in (mean, std))
    if std.__class__ not in CLASSES:
        demand(std >= 0, "normal", f"normal expects std >= 0.0, but found std {std}")
    elif spread.__class__ is np.ndarray and spread.size:
        demand(spread.min() >= 0, "normal", "normal expects all elements of std >= 0.0")
    if not given:
        return made("normal", normals(mean, std), shape_of("normal", (size,)), generator, out, dtype, device, requires_grad)
    streams, gen = source(device_of(given[0]._a), generator)
    return depends(streams.normal_around(gen, centre, spread), out, mean, std)


def check_broadcast(where: str, arrays: list[Any]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(a.shape for a in arrays))
    except ValueError:
        shapes = " and ".join(str(tuple(a.shape)) for a in arrays)
        raise ShapeError(where, _mismatch(arrays), f"the shapes are {shapes}") from None


def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None, out: Any = None) -> Tensor:
    """Ones with the probabilities in ``input``, else zeros; with ``p`` that one probability in the shape of ``input``.

    Raises a RuntimeError for a probability outside [0, 1] or, without p, an integer type.

    >>> import dovetail as dv
    >>> dv.bernoulli(dv.tensor([0., 1.]))
    tensor([0., 1.])
    """
    a = tensor_argument("bernoulli", "input", input)
    streams, gen = source(device_of(a), generator)
    if p is not None:
        demand(0 <= p <= 1, "bernoulli", f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    else:
        _check_probabilities(a)
    return depends(streams.bernoulli(gen, a if p is None else p, a.shape, a.dtype), out, input)


def _check_probabilities(a: Any) -> None:
    demand_floating("bernoulli", a.dtype)
    if a.__class__ is np.ndarray and a.size:
        sane = bool((a >= 0).all()) and bool((a <= 1).all())
        demand(sane, "bernoulli", f"Expected p_in >= 0 && p_in <= 1 to be true (p lies in [{a.min()}, {a.max()}])")


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None) -> Tensor:
    """Category numbers with the probabilities of each row: (C,) gives (S,), (N, C) gives (N, S); rows need not sum to one.

    Raises a RuntimeError for weights that are negative or not finite, a row without any, or more samples than categories.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.multinomial(dv.tensor([0., 0., 1.]), 2, replacement=True)
    tensor([2, 2])
    """
    a = tensor_argument("multinomial", "input", input)
    count = whole("multinomial", "num_samples", num_samples)
    demand(a.ndim in (1, 2), "multinomial", f"prob_dist must be 1 or 2 dim (input has shape {tuple(a.shape)})")
    kind = from_numpy_dtype(a.dtype)
    if not kind.is_floating_point:
        raise DtypeError("multinomial", f"multinomial only supports floating-point dtypes for input, got: {type_name(kind.np)}")
    demand(count > 0, "multinomial", f"cannot sample n_sample <= 0 samples (num_samples is {count})")
    if not replacement and count > a.shape[-1]:
        what = "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        raise DistributionError("multinomial", f"{what} (num_samples is {count}, input {tuple(a.shape)})")
    if out is not None and out._a.dtype != np.int64:
        raise DtypeError("multinomial", f"multinomial expects Long tensor out, got: {type_name(out._a.dtype)}")
    streams, gen = source(device_of(a), generator)
    return deliver(xp(a).ascontiguousarray(streams.multinomial(gen, a, count, replacement)), out)
