"""Random numbers into an existing tensor (``normal_`` and its kin), and the leaky rectifier with a random slope."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor, wrap
from ..device import device_of
from ..dtypes import from_numpy_dtype
from ..errors import DtypeError
from ._op import xp
from ._random import demand, demand_floating, fill, normals, plain, source, tensor_argument, whole
from ._refuse import type_name
from .arithmetic import mul
from .inplace import write
from .memory import contiguous
from .random_draws import _check_probabilities
from .select import where

__all__ = ["rrelu", "rrelu_"]
METHODS = ("bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_")
FUNCTIONAL = ("rrelu", "rrelu_")


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None, **more: Any) -> Tensor:
    """Fill with uniform numbers of [from, to). Raises a RuntimeError where from > to, or for an integer type.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.zeros(3).uniform_(0, 1)
    tensor([0.4963, 0.7682, 0.0885])
    """
    low = more.pop("from", from_)
    demand_floating("uniform_", tensor_argument("uniform_", "self", self).dtype, complex_too=True)
    demand(low <= to, "uniform_", f"uniform_ expects to return a [from, to) range, but found from={low} > to={to}")
    return fill("uniform", self, generator, plain("uniform", low, to))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with normal numbers. Raises a RuntimeError for a negative std or an integer type.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.zeros(3).normal_()
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    demand_floating("normal_", tensor_argument("normal_", "self", self).dtype, complex_too=True)
    demand(std >= 0, "normal_", f"normal expects std >= 0.0, but found std {std}")
    return fill("normal", self, generator, normals(mean, std))


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Tensor:
    """Fill with exp of normal numbers. Raises a RuntimeError unless std > 0, or for an integer type.

    >>> import dovetail as dv
    >>> bool((dv.zeros(3).log_normal_() > 0).all())
    True
    """
    demand_floating("log_normal_", tensor_argument("log_normal_", "self", self).dtype)
    demand(std > 0, "log_normal_", f"log_normal_ expects std > 0.0, but found std={std}")
    return fill("log_normal", self, generator, plain("log_normal", mean, std))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill from the exponential distribution λ·exp(-λx). Raises a RuntimeError unless lambd > 0, or for an integer type.

    >>> import dovetail as dv
    >>> bool((dv.zeros(3).exponential_() >= 0).all())
    True
    """
    _demand_continuous("exponential", self)
    demand(lambd > 0, "exponential_", f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    return fill("exponential", self, generator, plain("exponential", lambd))


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill from the Cauchy distribution. Raises a RuntimeError unless sigma > 0, or for an integer type.

    >>> import dovetail as dv
    >>> dv.zeros(2, 3).cauchy_().shape
    dovetail.Size([2, 3])
    """
    _demand_continuous("cauchy", self)
    demand(sigma > 0, "cauchy_", f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    return fill("cauchy", self, generator, plain("cauchy", median, sigma))


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with numbers of trials up to the first success. Raises a RuntimeError unless 0 < p < 1.

    >>> import dovetail as dv
    >>> bool((dv.zeros(3).geometric_(0.5) >= 1).all())
    True
    """
    demand(0 < p < 1, "geometric_", f"geometric_ expects p to be in (0, 1), but got p={p}")
    return fill("geometric", self, generator, plain("geometric", p))


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with ones of probability p (a number, or a tensor that broadcasts to this one), else zeros.

    Raises a RuntimeError for a probability outside [0, 1].

    >>> import dovetail as dv
    >>> dv.zeros(2).bernoulli_(dv.tensor([0., 1.]))
    tensor([0., 1.])
    """
    chances: Any = p
    if p.__class__ in CLASSES:
        _check_probabilities(p._a)
        chances = xp(p._a).broadcast_to(p._a, tensor_argument("bernoulli_", "self", self).shape)
    else:
        demand(0 <= p <= 1, "bernoulli_", f"bernoulli_ expects p to be in [0, 1], but got p={p}")

    def draw(streams: Any, gen: Any, shape: Any, kind: Any, order: Any) -> Any:
        return streams.bernoulli(gen, chances.transpose(order) if order and chances is not p else chances, shape, kind)

    return fill("bernoulli", self, generator, draw)


def random_(self: Tensor, *args: Any, generator: Any = None, **more: Any) -> Tensor:
    """Fill with integers: ``random_()`` over the type's range, ``random_(to)`` of [0, to), ``random_(from, to)`` of [from, to).

    Raises a RuntimeError where from >= to, or the type cannot hold the bounds.

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0); dv.zeros(4).random_(10)
    tensor([4., 9., 3., 0.])
    """
    values = [0, *args] if len(args) == 1 and "to" not in more else [*args]
    low = whole("random_", "from", more.pop("from", values[0] if values else 0))
    high = more.pop("to", values[1] if len(values) > 1 else None)
    if high is not None:
        high = whole("random_", "to", high)
        demand(low < high, "random_", f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    return fill("random", self, generator, plain("random_", low, high))


def _demand_continuous(name: str, target: Any) -> None:
    known = from_numpy_dtype(tensor_argument(f"{name}_", "self", target).dtype)
    if not known.is_floating_point:
        what = f"{name.capitalize()} distribution is a continuous probability distribution"
        raise DtypeError(f"{name}_", f"{what}. dtype must be a floating point but you specified {type_name(known.np)}")


def rrelu(input: Tensor, lower: float = 0.125, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Tensor:
    """Leaky rectifier with a slope drawn from [lower, upper) for each element ≤ 0 in training, their mean otherwise.

    Source: Xu et al., "Empirical evaluation of rectified activations", 2015. Raises a RuntimeError for an integer type.

    >>> import dovetail as dv
    >>> dv.nn.functional.rrelu(dv.tensor([-2., 4.]), 0.25, 0.75)
    tensor([-1.,  4.])
    """
    a = tensor_argument("rrelu", "input", input)
    demand_floating("rrelu", a.dtype)
    demand(lower <= upper, "rrelu", f"Lower bound should be less than or equal to the upper bound (got {lower} and {upper})")
    if training:
        slope, places = xp(a).ones(a.shape, a.dtype), (a <= 0).reshape(-1).nonzero()
        streams, gen = source(device_of(a))
        slope.reshape(-1)[places] = streams.uniform(gen, places[0].shape, np.dtype("f8"), lower, upper).astype(a.dtype)
        factor = wrap(slope)
    else:
        factor = where(input.detach() <= 0, *(wrap(xp(a).asarray(v, a.dtype)) for v in ((lower + upper) / 2, 1)))
    return write(mul.op, [input, factor]) if inplace else mul(contiguous(input), factor)  # PyTorch's result is


def rrelu_(input: Tensor, lower: float = 0.125, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """In-place form of :func:`rrelu`."""
    return rrelu(input, lower, upper, training, True)
