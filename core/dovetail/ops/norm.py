"""Normalisation: batch and instance norms with running statistics; layer, group, RMS and local response norms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd.node import changed, titled
from ..dtypes import HALF
from ..errors import DtypeError, ShapeError, TypeMismatch, ValueRangeError
from ._dims import sizes_of
from ._layout import afresh
from ._op import Array, Fixed, op, xp
from ._prepare import told
from ._refuse import listing, refuse_scalar, refuse_types
from ._rows import back, dots, means, standardise
from .memory import as_images
from .pad import pad
from .pool import avg_pool2d

__all__: list[str] = []
FUNCTIONAL = ("batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm")


def _as(input: Any, out: Any) -> Any:
    """The result in the type of a float16 or bfloat16 input, whose parameters may be float32."""
    return out.to(input.dtype) if out._a.dtype != input._a.dtype and input._a.dtype in HALF else out


@op(outputs=("out", "mean", "var"), nondiff=("mean", "var"), dtypes="floating", autocast="float32", name="batch_norm")
def _batch_norm(input: Array, weight: Array | None, bias: Array | None, eps: float) -> Any:
    """Standardise each channel of (N, C, *) over the batch: (result, mean (C,), biased variance (C,))."""
    x = afresh(input, "or channels last").reshape(*input.shape[:2], math.prod(input.shape[2:]))
    short = x.shape[2] == 1
    mean = x.mean(axis=(0, 2)) if short else means(x).mean(axis=0)
    out = x - mean[:, None]
    var = xp(x).einsum("ncl,ncl->c", out, out) if short else dots(out, out).sum(axis=0)
    var = var / (x.shape[0] * x.shape[2])
    scale = 1 / xp(x).sqrt(var + eps)
    out *= (scale if weight is None else scale * weight)[:, None]
    if bias is not None:
        out += bias[:, None]
    return out.reshape(input.shape), mean, var


@_batch_norm.vjp
def _(g: Any, input: Any, weight: Any, eps: Any, mean: Any, var: Any, needs: Any) -> Any:
    found = batch_norm_grad(g[0], input, weight, mean, var, eps, needs)
    return tuple(f if n else None for f, n in zip(found, needs, strict=True))


@_batch_norm.composite
def _(input: Any, weight: Any, bias: Any, eps: float) -> Any:
    dims = (0, *range(2, input._a.ndim))
    mean = input.mean(dims, keepdim=True)
    centred = input - mean
    var = (centred * centred).mean(dims, keepdim=True)
    return _affine(centred * (var + eps).rsqrt(), weight, bias), mean, var


def _channel(t: Any, ndim: int) -> Any:
    """(C,) shaped to meet (N, C, *)."""
    return t.reshape((-1, *(1,) * (ndim - 2)))


def _affine(out: Any, weight: Any, bias: Any) -> Any:
    out = out if weight is None else out * _channel(weight, out._a.ndim)
    return out if bias is None else out + _channel(bias, out._a.ndim)


@op(outputs=("by_input", "by_weight", "by_bias"))
def batch_norm_grad(grad: Array, input: Array, weight: Array | None, mean: Array, var: Array, eps: float, needs: Any) -> Any:
    """The gradients of batch norm by input, weight and bias; empty where `needs` says no."""
    m, shape = xp(grad), input.shape
    g = grad.reshape(*shape[:2], math.prod(shape[2:]))
    count = max(shape[0] * g.shape[2], 1)
    rstd = 1 / m.sqrt(var + eps)
    nothing = m.zeros(0, grad.dtype)
    by_bias = means(g).sum(axis=0) * g.shape[2] if g.shape[2] > 1 else g.sum(axis=(0, 2))
    if not (needs[0] or needs[1]):
        return nothing, nothing, by_bias
    x = input.reshape(g.shape) - mean[:, None]
    by_weight = dots(g, x).sum(axis=0) if g.shape[2] > 1 else m.einsum("ncl,ncl->c", g, x)
    by_weight = by_weight * rstd if g.size else by_weight
    if needs[0]:
        x *= (by_weight * rstd / -count)[:, None]
        x += g
        x -= (by_bias / count)[:, None]
        x *= (rstd if weight is None else rstd * weight)[:, None]
    return x.reshape(shape), by_weight, by_bias


@op(dtypes="floating", autocast="float32")
def batch_norm_infer(input: Array, weight: Array | None, bias: Array | None, mean: Fixed, var: Fixed, eps: float) -> Array:
    """Standardise each channel of (N, C, *) by given statistics."""
    scale = (1 / xp(input).sqrt(var + eps)).astype(input.dtype)
    shift = -mean * scale if weight is None else -mean * scale * weight
    shape = (-1, *(1,) * (input.ndim - 2))
    out = afresh(input, "or channels last") * (scale if weight is None else scale * weight).reshape(shape)
    out += (shift if bias is None else shift + bias).reshape(shape)
    return out


@batch_norm_infer.vjp
def _(g: Any, input: Any, weight: Any, mean: Any, var: Any, eps: Any, needs: Any) -> Any:
    n = input._a.ndim
    dims = (0, *range(2, n))
    rstd = _channel((var + eps).rsqrt(), n)
    by_weight = (g * (input - _channel(mean, n)) * rstd).sum(dims) if needs[1] else None
    by_input = (g * (rstd if weight is None else rstd * _channel(weight, n))) if needs[0] else None
    return by_input, by_weight, g.sum(dims) if needs[2] else None


def batch_norm(
    input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """Normalise each channel of (N, C, *) over the batch (training) or by the running statistics (Ioffe and Szegedy, 2015).

    In training ``running = (1 - momentum) · running + momentum · batch`` is updated in place, with the unbiased variance.
    Raises a ValueError for a single value per channel in training, a RuntimeError for shapes that do not fit.

    >>> import dovetail as dv
    >>> mean, var = dv.zeros(1), dv.ones(1)
    >>> dv.nn.functional.batch_norm(dv.tensor([[1.], [3.]]), mean, var, training=True, eps=0.)
    tensor([[-1.],
            [ 1.]])
    >>> mean, var
    (tensor([0.2000]), tensor([1.1000]))
    """
    shape = input._a.shape
    refuse_scalar("batch_norm", input._a)
    if shape == (0,):
        return input.clone()
    if len(shape) < 2:
        raise ShapeError("batch_norm", f"Expected at least 2 dimensions (N, C, *), got input size {listing(shape)}")
    _check_statistics("batch_norm", shape[1], running_mean, running_var, weight, bias, training)
    refuse_types("batch_norm", input._a, "iub")
    if not training:
        return _as(input, batch_norm_infer(input, weight, bias, running_mean, running_var, eps))
    count = shape[0] * math.prod(shape[2:])
    if count == 1:
        text = f"Expected more than 1 value per channel when training, got input size {listing(shape)}"
        raise ValueRangeError("batch_norm", text, "", "use a larger batch, or .eval()")
    out, mean, var = _batch_norm(input, weight, bias, eps)
    _update(running_mean if count else None, mean, momentum, 1)
    _update(running_var if count else None, var, momentum, count / max(count - 1, 1))
    return _as(input, out)


def _update(running: Any, value: Any, momentum: float, scale: float) -> None:
    """Move a running statistic towards a new value, in place."""
    if running is not None:
        _move(running._a, value._a, momentum, scale)
        changed(running._v, "batch_norm")
        told("effect", _move, running, value, momentum, scale)


def _move(a: Any, value: Any, momentum: float, scale: float) -> None:
    """On arrays, where the new values of several samples are meant."""
    value = value if value.size == a.size else value.reshape(-1, a.size).mean(axis=0)
    a *= 1 - momentum
    a += (momentum * (value * scale if scale != 1 else value)).astype(a.dtype, copy=False)


def _check_statistics(where: str, c: int, mean: Any, var: Any, weight: Any, bias: Any, training: bool) -> None:
    for name, t in (("running_mean", mean), ("running_var", var)):
        if t is None and not training:
            raise ShapeError(where, f"Expected {name} to be defined when training=False")
    for name, t in (("running_mean", mean), ("running_var", var), ("weight", weight), ("bias", bias)):
        if t is not None and t._a.size != c:
            raise ShapeError(where, f"{name} should contain {c} elements not {t._a.size}")


def instance_norm(
    input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Any:  # fmt: skip
    """Normalise each channel of each sample of (N, C, *) (Ulyanov et al., 2016), or by the running statistics.

    Running statistics are updated by the mean over the batch. Raises a ValueError for a single spatial element.

    >>> import dovetail as dv
    >>> dv.nn.functional.instance_norm(dv.tensor([[[1., 3.]]]), eps=0.)
    tensor([[[-1.,  1.]]])
    """
    shape = input._a.shape
    if len(shape) < 2:
        raise ValueRangeError("instance_norm", f"Expected at least 2 dimensions (N, C, *), got input size {listing(shape)}")
    n, c = shape[:2]
    _check_statistics("instance_norm", c, running_mean, running_var, weight, bias, use_input_stats)
    if not use_input_stats:
        return _as(input, batch_norm_infer(input, weight, bias, running_mean, running_var, eps))
    count = math.prod(shape[2:])
    if count == 1:
        raise ValueRangeError("instance_norm", f"Expected more than 1 spatial element when training, got input size {listing(shape)}")
    if running_mean is None and running_var is None:
        return titled("View0", group_norm(input.contiguous(), c, weight, bias, eps))
    out, mean, var = _batch_norm(input.reshape((1, n * c, *shape[2:])), None, None, eps)
    _update(running_mean, mean, momentum, 1)
    _update(running_var, var, momentum, count / max(count - 1, 1))
    return _as(input, _affine(out.reshape(shape), weight, bias))


@op(saves=("mean", "rstd"), dtypes="floating", autocast="float32", name="layer_norm", contiguous=True)
def _layer_norm(input: Array, normalized_shape: Any, weight: Array | None, bias: Array | None, eps: float, centre: bool = True) -> Array:
    """``(input - mean) / sqrt(var + eps) · weight + bias`` over the last dimensions; without `centre` the mean counts as zero.

    The weight has the normalized shape, or that of a channel's place, (groups, channels, 1) for (N, groups, channels, L); so has the bias.
    """
    rows = input.reshape(math.prod(input.shape[: input.ndim - len(normalized_shape)]), math.prod(normalized_shape))
    out, mean, rstd = standardise(rows, eps, centre)
    out = out.reshape(input.shape)
    if weight is not None:
        out *= weight
    if bias is not None:
        out += bias
    return out, mean, rstd


@_layer_norm.vjp
def _(g: Any, input: Any, normalized_shape: Any, weight: Any, bias: Any, mean: Any, rstd: Any, needs: Any) -> Any:
    shape = next((t._a.shape for t in (weight, bias) if t is not None), normalized_shape)
    found = layer_norm_grad(g, input, shape, weight, mean, rstd, needs)
    return tuple(f if n else None for f, n in zip(found, needs, strict=True))


def _normed_by_ops(input: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float, centre: bool = True) -> Any:
    dims = tuple(range(-len(normalized_shape), 0))
    centred = input - input.mean(dims, keepdim=True) if centre else input
    out = centred * ((centred * centred).mean(dims, keepdim=True) + eps).rsqrt()
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


_layer_norm.composite(_normed_by_ops)


@op(outputs=("by_input", "by_weight", "by_bias"))
def layer_norm_grad(grad: Array, input: Array, shape: Any, weight: Array | None, mean: Array | None, rstd: Array, needs: Any) -> Any:
    """The gradients of layer norm by input, weight and bias, which are of `shape`; empty where `needs` says no."""
    apart = (math.prod(input.shape[: input.ndim - len(shape)]), math.prod(shape), input.shape[-1] // max(shape[-1], 1))
    by_input = by_weight = by_bias = xp(grad).zeros(0, grad.dtype)
    if needs[2]:
        by_bias = grad.reshape(apart).sum(axis=(0, 2)).reshape(shape)
    if needs[0] or needs[1]:
        x = input.reshape(len(rstd), math.prod(apart) // max(len(rstd), 1))
        x = x.copy() if mean is None else x - mean
        x *= rstd
        if needs[1]:
            by_weight = xp(grad).einsum("mkl,mkl->k", grad.reshape(apart), x.reshape(apart)).reshape(shape)
        if needs[0]:
            g = grad * weight if weight is not None else grad.copy()
            by_input = back(g.reshape(x.shape), x, rstd, mean is not None).reshape(input.shape)
    return by_input, by_weight, by_bias


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Normalise the last dimensions, of shape `normalized_shape`, of each sample: ``(x - mean) / sqrt(var + eps) · weight + bias``.

    Raises a RuntimeError where the shapes do not fit (Ba et al., 2016).

    >>> import dovetail as dv
    >>> dv.nn.functional.layer_norm(dv.tensor([[1., 3.]]), (2,), eps=0.)
    tensor([[-1.,  1.]])
    """
    shape = _normalized("layer_norm", input, normalized_shape, weight, bias)
    refuse_types("layer_norm", input._a, "c")
    kinds = {t._a.dtype for t in (weight, bias) if t is not None}
    if kinds and input._a.dtype not in HALF and kinds != {input._a.dtype}:
        raise DtypeError("layer_norm", "mixed dtype (CPU): all inputs must share same datatype.", f"got {input.dtype} and {kinds}")
    return _as(input, _layer_norm(input, shape, weight, bias, eps))


def _normalized(where: str, input: Any, normalized_shape: Any, weight: Any, bias: Any = None) -> tuple[int, ...]:
    if not isinstance(normalized_shape, tuple | list):
        kind = type(normalized_shape).__name__
        raise TypeMismatch(f"{where}()", f"argument 'normalized_shape' (position 2) must be tuple of ints, not {kind}")
    shape = sizes_of(where, (normalized_shape,), "normalized_shape")
    if not shape:
        raise ShapeError(where, "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element")
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and t._a.shape != shape:
            text = f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape {listing(t._a.shape)}"
            raise ShapeError(where, f"{text} and normalized_shape = {listing(shape)}")
    if input._a.shape[-len(shape) :] != shape:
        text = f"Given normalized_shape={listing(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but got input of "
        raise ShapeError(where, f"{text}size{listing(input._a.shape)}")
    return shape


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Divide by the root of the mean square of the last dimensions: ``x / sqrt(mean(x²) + eps) · weight`` (Zhang and Sennrich, 2019).

    `eps` is the input type's machine epsilon where it is not given. Raises a RuntimeError where the shapes do not fit.

    >>> import dovetail as dv
    >>> dv.nn.functional.rms_norm(dv.tensor([[3., 3.]]), (2,))
    tensor([[1., 1.]])
    """
    shape = _normalized("rms_norm", input, normalized_shape, weight)
    if eps is None:
        eps = float(np.finfo(np.float32 if input._a.dtype in HALF else input._a.dtype).eps) if input._a.dtype.kind in "fcV" else 0.0
    refuse_types("rms_norm", input._a, "iub")
    if input._a.dtype.kind == "c":
        return _normed_by_ops(input, shape, weight, None, eps, False)
    return _layer_norm(input, shape, weight, None, eps, False).to(input.dtype)  # whatever the type of the weight


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Normalise each of `num_groups` groups of channels of each sample of (N, C, *) (Wu and He, 2018).

    Raises a RuntimeError where the channels cannot be grouped, a ValueError for a single value a group.

    >>> import dovetail as dv
    >>> dv.nn.functional.group_norm(dv.tensor([[[1.], [3.], [5.], [9.]]]), 2, eps=0.).flatten()
    tensor([-1.,  1., -1.,  1.])
    """
    shape = input._a.shape
    if len(shape) < 2:
        raise ShapeError("group_norm", f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if num_groups < 0 or shape[1] % num_groups:
        text = "Expected number of channels in input to be divisible by num_groups, but got input of shape "
        raise ShapeError("group_norm", f"{text}{listing(shape)} and num_groups={num_groups}")
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and t._a.shape != (shape[1],):
            text = f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape "
            raise ShapeError("group_norm", f"{text}{listing(t._a.shape)} and input of shape {listing(shape)}")
    if shape[0] * math.prod(shape[2:]) * (shape[1] // num_groups) == 1:
        raise ValueRangeError("group_norm", f"Expected more than 1 value per channel when training, got input size {listing(shape)}")
    refuse_types("group_norm", input._a, "iub")
    sizes = (num_groups, shape[1] // num_groups, math.prod(shape[2:]))
    weight, bias = (t if t is None else t.reshape((*sizes[:2], 1)) for t in (weight, bias))
    out = _layer_norm(input.reshape((shape[0], *sizes)), sizes[1:], weight, bias, eps)
    return titled("NativeGroupNorm0", as_images(_as(input, out.reshape(shape)), input))


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """Divide each channel of (N, C, *) by ``(k + alpha · mean of squares of the `size` channels around it)^beta``.

    Raises a ValueError for fewer than three dimensions (Krizhevsky et al., 2012).

    >>> import dovetail as dv
    >>> dv.nn.functional.local_response_norm(dv.ones(1, 2, 1), 2, alpha=1., beta=1.).flatten()
    tensor([0.6667, 0.5000])
    """
    shape = input._a.shape
    if len(shape) < 3:
        raise ValueRangeError("local_response_norm", f"Expected 3D or higher dimensionality input (got {len(shape)} dimensions)")
    refuse_types("local_response_norm", input._a, "" if input._a.dtype.name == "int64" else "iub")
    if input._a.size == 0:
        return input
    squares = pad((input * input).reshape((shape[0], 1, shape[1], -1)), (0, 0, size // 2, (size - 1) // 2))
    mean = avg_pool2d(squares, (size, 1), 1).reshape(shape)
    return input / (mean * alpha + k) ** beta
