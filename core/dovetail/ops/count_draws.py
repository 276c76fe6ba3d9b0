"""Draws of Poisson's and the binomial distribution whose parameters are tensors: ``dovetail.poisson`` and ``dovetail.binomial``."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numerics.streams.draws import demand

from ..autograd.node import Tensor
from ..device import device_of, xp
from ..errors import ValueRangeError
from ._guard import public_function
from ._random import demand_floating, source, tensor_argument
from ._refuse import type_name
from .random_draws import check_broadcast, depends

__all__ = ["binomial", "poisson"]


@public_function
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Counts with the rates in ``input``. Raises a RuntimeError for a negative rate or an integer type.

    >>> import dovetail as dv
    >>> dv.poisson(dv.zeros(2))
    tensor([0., 0.])
    """
    a = tensor_argument("poisson", "input", input)
    demand_floating("poisson", a.dtype)
    if a.__class__ is np.ndarray and a.size:
        demand(a.min() >= 0, "poisson", f"invalid Poisson rate, expected rate to be non-negative (the smallest is {a.min()})")
    streams, gen = source(device_of(a), generator)
    return depends(streams.poisson(gen, a), None, input)


@public_function
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """Numbers of successes in ``count`` trials of probability ``prob``, broadcast.

    Raises a ValueError for a type that is not floating, a RuntimeError for shapes that do not broadcast.

    >>> import dovetail as dv
    >>> dv.binomial(dv.tensor([3., 4.]), dv.tensor([0., 1.]))
    tensor([0., 4.])
    """
    arrays = [tensor_argument("binomial", "count", count), tensor_argument("binomial", "prob", prob)]
    for name, given in (("count", count), ("prob", prob)):
        if not given.is_floating_point():
            raise ValueRangeError("binomial", f"binomial only supports floating-point dtypes for {name}, got: {type_name(given._a.dtype)}")
    shape = check_broadcast("binomial", arrays)
    streams, gen = source(device_of(arrays[0]), generator)
    wide = [xp(a).broadcast_to(a, shape) for a in arrays]
    return depends(streams.binomial(gen, *wide), None, count, prob)
