"""Dropout: of elements, of whole channels, and the forms that keep mean and variance."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..autograd.node import wrap
from ..device import device_of
from ..errors import ShapeError, ValueRangeError
from ._layout import order_of
from ._op import Array, Fixed, op, xp
from ._prepare import told
from ._random import source
from ._refuse import refuse_types
from .inplace import inplace

__all__: list[str] = []
FUNCTIONAL = ("alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout")

_ALPHA = 1.7580993408473766  # what SELU sends minus infinity to, negated (Klambauer et al., 2017)


def _mask(x: Any, p: float, lead: int | None = None) -> Any:
    """What is kept of an array, laid out as it: a draw for each element, or for each place in its first `lead` dimensions."""
    streams, generator = source(device_of(x))
    shape = x.shape if lead is None else (*x.shape[:lead], *(1,) * (x.ndim - lead))
    if x.flags.c_contiguous:
        return streams.dropout_mask(generator, p, shape)
    order = order_of(x)
    back = sorted(range(x.ndim), key=order.__getitem__)
    if lead is None:  # elements are drawn in the order of the memory, channels in that of the dimensions
        return streams.dropout_mask(generator, p, tuple(shape[d] for d in order)).transpose(back)
    return streams.dropout_mask(generator, p, shape).transpose(order).copy().transpose(back)


@op(dtypes="floating", saves=("mask",), name="dropout")
def _dropout(input: Array, p: float) -> Array:
    """Zero each element with probability p, and divide the others by 1 - p."""
    mask = _mask(input, p)
    return scaled(input, mask, 1 / (1 - p)), mask


_dropout.vjp(lambda g, mask, p: masked_scale(g, mask, 1 / (1 - p)))


@op(dtypes="floating")
def masked_scale(input: Array, mask: Fixed, scale: float) -> Array:
    """``input · mask · scale`` with a bool mask."""
    return scaled(input, mask, scale)


def scaled(input: Array, mask: Array, scale: float) -> Array:
    """The same, of arrays."""
    out = input * mask
    out *= scale
    return out


masked_scale.vjp(lambda g, mask, scale: masked_scale(g, mask, scale))


_dropout_, _masked_scale_ = inplace(_dropout), inplace(masked_scale)


class Improbable(ValueRangeError, RuntimeError):
    """A probability outside [0, 1]: PyTorch raises a ValueError in nn.functional and a RuntimeError in its native functions."""


def _idle(where: str, input: Any, p: float, training: bool) -> bool:
    """Whether there is nothing to drop; a ValueError for a p outside [0, 1]."""
    if not 0 <= float(p) <= 1:
        raise Improbable(where, f"dropout probability has to be between 0 and 1, but got {p}")
    return input._a.size == 0 or not training or p == 0


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """In training zero each element with probability p and scale the rest by 1/(1 - p) (Srivastava et al., 2014).

    Raises a ValueError for a p outside [0, 1].

    >>> import dovetail as dv
    >>> dv.nn.functional.dropout(dv.ones(3), p=0.)
    tensor([1., 1., 1.])
    """
    if _idle("dropout", input, p, training):
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    refuse_types("dropout", input._a, "c")
    return _dropout_(input, float(p)) if inplace else _dropout(input, float(p))


def _features(input: Any, p: float, inplace: bool) -> Any:
    """Zero whole channels: all that lies behind the first two dimensions."""
    if input._a.ndim < 2:
        raise ShapeError("dropout", f"Feature dropout requires at least 2 dimensions in the input, got {input._a.ndim}")
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    mask = wrap(_mask(input._a, p, 2))
    told("drawn", mask, _mask, input, p, 2)
    return (_masked_scale_ if inplace else masked_scale)(input, mask, 1 / (1 - p))


def dropout1d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """In training zero whole channels of (N, C, L) or (C, L). Raises a RuntimeError for other dimensions.

    >>> import dovetail as dv
    >>> dv.nn.functional.dropout1d(dv.ones(1, 2, 3), training=False).sum()
    tensor(6.)
    """
    idle = _idle("dropout1d", input, p, training)
    n = input._a.ndim
    if n not in (2, 3):
        raise ShapeError("dropout1d", f"dropout1d: Expected 2D or 3D input, but received a {n}D input", "expected (N, C, L) or (C, L)")
    return _unbatched(input, 3, idle, p, inplace)


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """In training zero whole channels of (N, C, H, W). Warns for other dimensions; (N, C, L) is taken as such.

    >>> import dovetail as dv
    >>> dv.nn.functional.dropout2d(dv.ones(1, 2, 3, 3), training=False).sum()
    tensor(18.)
    """
    idle = _idle("dropout2d", input, p, training)
    n = input._a.ndim
    if n == 3:
        text = "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired"
        warnings.warn(text, stacklevel=2)
    elif n != 4:
        warnings.warn(f"dropout2d: Received a {n}-D input to dropout2d, which is deprecated; use dropout instead", stacklevel=2)
    return input if idle else _features(input, p, inplace)


def dropout3d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """In training zero whole channels of (N, C, D, H, W) or (C, D, H, W). Warns for other dimensions.

    >>> import dovetail as dv
    >>> dv.nn.functional.dropout3d(dv.ones(1, 2, 1, 1, 1), training=False).sum()
    tensor(2.)
    """
    idle = _idle("dropout3d", input, p, training)
    n = input._a.ndim
    if n not in (4, 5):
        warnings.warn(f"dropout3d: Received a {n}-D input to dropout3d, which is deprecated; use dropout instead", stacklevel=2)
    return _unbatched(input, 5, idle, p, inplace)


def _unbatched(input: Any, n: int, idle: bool, p: float, inplace: bool) -> Any:
    """:func:`_features` of a batch in `n` dimensions; what has other than these is one sample."""
    batch = input if input._a.ndim == n else input.unsqueeze(0)
    out = batch if idle else _features(batch, p, inplace)
    return out if batch is input else out.squeeze(0)


def _alpha(input: Any, p: float, lead: int | None, inplace: bool) -> Any:
    """Set dropped elements to SELU's lowest value, then restore mean and variance."""
    if p == 1:
        return input.mul_(0) if inplace else input * 0
    a = 1 / math.sqrt((_ALPHA * _ALPHA * p + 1) * (1 - p))
    shift = _ALPHA * a * p
    mask = _mask(input._a, p, lead)
    out = (_masked_scale_ if inplace else masked_scale)(input, wrap(mask), a)
    offset = wrap(xp(mask).where(mask, shift, shift - _ALPHA * a).astype(out._a.dtype))
    return out.add_(offset) if inplace else out + offset


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout for SELU networks: keeps mean 0 and variance 1 (Klambauer et al., 2017).

    >>> import dovetail as dv
    >>> dv.nn.functional.alpha_dropout(dv.ones(2))
    tensor([1., 1.])
    """
    return input if _idle("alpha_dropout", input, p, training) else _alpha(input, p, None, inplace)


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """:func:`alpha_dropout` of whole channels (dimension 1).

    >>> import dovetail as dv
    >>> dv.nn.functional.feature_alpha_dropout(dv.ones(1, 2, 3)).sum()
    tensor(6.)
    """
    return input if _idle("feature_alpha_dropout", input, p, training) else _alpha(input, p, 2, inplace)
