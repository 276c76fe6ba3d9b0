"""Distances and directions of vectors, and Gumbel-softmax."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..autograd.node import wrap
from ..device import device_of
from ..dtypes import promote_types
from ..errors import DtypeError, ShapeError
from ._op import xp
from ._out import into
from ._random import source
from ._refuse import tensors, type_name
from .arithmetic import true_divide
from .softmax import softmax
from .views import broadcast_tensors

__all__ = ["cosine_similarity", "pairwise_distance", "pdist"]
METHODS = ()
FUNCTIONAL = (*__all__, "gumbel_softmax", "normalize")


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """``x1·x2 / (max(|x1|, eps) max(|x2|, eps))`` along `dim`, broadcast. Raises a RuntimeError for integers.

    >>> import dovetail as dv
    >>> dv.cosine_similarity(dv.tensor([[1., 0.]]), dv.tensor([[1., 1.]]))
    tensor([0.7071])
    """
    kind = promote_types(x1.dtype, x2.dtype)
    if not kind.is_floating_point:
        text = f"expected common dtype to be floating point, yet common dtype is {type_name(kind.np)}"
        raise DtypeError("cosine_similarity", text, "", "convert with .float()")
    (a, b), lengths = broadcast_tensors(x1.to(kind), x2.to(kind)), []
    for x in (a, b):
        n = x.norm(2, dim, True)
        lengths.append(n + (n.clamp(min=eps) - n).detach())  # the bound does not count in the gradient
    return (a / lengths[0] * (b / lengths[1])).sum(dim)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """``|x1 - x2 + eps|_p`` along the last dimension, broadcast.

    >>> import dovetail as dv
    >>> dv.pairwise_distance(dv.tensor([[0., 0.]]), dv.tensor([[3., 4.]]))
    tensor([5.0000])
    """
    tensors("pairwise_distance", x1=x1, x2=x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim)


def pdist(input: Any, p: float = 2.0) -> Any:
    """The p-norm distances of all pairs of rows of (N, D), i < j: (N(N - 1)/2,). Raises a RuntimeError for another shape or p < 0.

    >>> import dovetail as dv
    >>> dv.pdist(dv.tensor([[0.], [1.], [3.]]))
    tensor([1., 3., 2.])
    """
    x = input._a
    if x.ndim != 2:
        raise ShapeError("pdist", f"pdist only supports 2D tensors, got: {x.ndim}D")
    if p < 0:
        raise ShapeError("pdist", f"pdist only supports non-negative p values (p={p})")
    rows, others = (wrap(xp(x).asarray(i)) for i in np.triu_indices(x.shape[0], 1))
    return (input[rows] - input[others]).norm(p, -1)


def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Any:
    """Divide by the p-norm along `dim`, no less than eps: ``x / max(|x|_p, eps)``.

    >>> import dovetail as dv
    >>> dv.nn.functional.normalize(dv.tensor([[3., 4.]]))
    tensor([[0.6000, 0.8000]])
    """
    if input._a.dtype.kind in "iub":
        text = f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {type_name(input._a.dtype)}"
        raise DtypeError("normalize", text, "", "convert with .float()")
    return into(true_divide, (input, input.norm(p, dim, True).clamp(min=eps)), {"out": out})


def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """A sample of a relaxed categorical distribution: ``softmax((logits + Gumbel noise) / tau)``; one-hot with `hard`.

    With `hard` the gradient is that of the soft sample (Jang et al., 2017).

    >>> import dovetail as dv
    >>> dv.nn.functional.gumbel_softmax(dv.zeros(2, 3), hard=True).sum(-1)
    tensor([1., 1.])
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    x = logits._a
    streams, generator = source(device_of(x))
    noise = streams.exponential(generator, x.shape, x.dtype)
    soft = softmax((logits - wrap(xp(x).log(noise).astype(x.dtype, copy=False))) / tau, dim)
    if not hard:
        return soft
    y = soft._a
    m, picked = xp(y), xp(y).zeros(y.shape, y.dtype)
    m.put_along_axis(picked, m.expand_dims(y.argmax(axis=dim), dim), m.ones((), y.dtype), axis=dim)
    return wrap(picked - y) + soft
