"""Batch and instance normalisation, with running statistics."""

from __future__ import annotations

import math
from typing import Any

from ..autograd.node import changed
from ..errors import ShapeError, ValueRangeError
from ._op import Array, Fixed, op, xp
from ._rows import dots, means
from ._windows import listing, refuse_scalar

__all__: list[str] = []
FUNCTIONAL = ("batch_norm", "instance_norm")


@op(outputs=("out", "mean", "var"), nondiff=("mean", "var"), dtypes="floating", autocast="float32", name="batch_norm")
def _batch_norm(input: Array, weight: Array | None, bias: Array | None, eps: float) -> Any:
    """Standardise each channel of (N, C, *) over the batch: (result, mean (C,), biased variance (C,))."""
    x = input.reshape(*input.shape[:2], math.prod(input.shape[2:]))
    if x.shape[2] == 1:
        mean = x.mean(axis=(0, 2))
        out = x - mean[:, None]
        var = xp(x).einsum("ncl,ncl->c", out, out) / x.shape[0]
    else:
        mean = means(x).mean(axis=0)
        out = x - mean[:, None]
        var = dots(out, out).sum(axis=0) / (x.shape[0] * x.shape[2])
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
    return affine(centred * (var + eps).rsqrt(), weight, bias), mean, var


def _channel(t: Any, ndim: int) -> Any:
    """(C,) shaped to meet (N, C, *)."""
    return t.reshape((-1, *(1,) * (ndim - 2)))


def affine(out: Any, weight: Any, bias: Any) -> Any:
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
    out = input * (scale if weight is None else scale * weight).reshape(shape)
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
    if len(shape) < 2:
        raise ShapeError("batch_norm", f"Expected at least 2 dimensions (N, C, *), got input size {listing(shape)}")
    _check_statistics("batch_norm", shape[1], running_mean, running_var, weight, bias, training)
    if not training:
        return batch_norm_infer(input, weight, bias, running_mean, running_var, eps)
    count = shape[0] * math.prod(shape[2:])
    if count == 1:
        text = f"Expected more than 1 value per channel when training, got input size {listing(shape)}"
        raise ValueRangeError("batch_norm", text, "", "use a larger batch, or .eval()")
    out, mean, var = _batch_norm(input, weight, bias, eps)
    _update(running_mean, mean._a, momentum)
    _update(running_var, var._a * (count / max(count - 1, 1)), momentum)
    return out


def _update(running: Any, value: Any, momentum: float) -> None:
    """Move a running statistic towards a new value, in place."""
    if running is not None:
        a = running._a
        a *= 1 - momentum
        a += (momentum * value).astype(a.dtype, copy=False)
        changed(running._v, "batch_norm")


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
        raise ShapeError("instance_norm", f"Expected at least 2 dimensions (N, C, *), got input size {listing(shape)}")
    n, c = shape[:2]
    _check_statistics("instance_norm", c, running_mean, running_var, weight, bias, use_input_stats)
    if not use_input_stats:
        return batch_norm_infer(input, weight, bias, running_mean, running_var, eps)
    count = math.prod(shape[2:])
    if count == 1:
        raise ValueRangeError("instance_norm", f"Expected more than 1 spatial element when training, got input size {listing(shape)}")
    out, mean, var = _batch_norm(input.reshape((1, n * c, *shape[2:])), None, None, eps)
    _update(running_mean, mean._a.reshape(n, c).mean(axis=0), momentum)
    _update(running_var, var._a.reshape(n, c).mean(axis=0) * (count / max(count - 1, 1)), momentum)
    return affine(out.reshape(shape), weight, bias)
