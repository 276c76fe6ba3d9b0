"""Rows of pooling and unpooling."""

import itertools

import numpy as np

from .row import I, Row, T
from .rows_conv import per_dim


def windows(size, k, s, p, d, ceil):
    """(first, last + 1, step) of each window along one dimension, before clipping."""
    out = (size + 2 * p - d * (k - 1) - 1) / s
    out = int(np.ceil(out) if ceil else np.floor(out)) + 1
    if ceil and (out - 1) * s >= size + p:
        out -= 1
    return [(i * s - p, i * s - p + d * (k - 1) + 1) for i in range(out)]


def pool(x, kernel, stride, padding, dilation, ceil, reduce):
    n = x.ndim - 2
    kernel = per_dim(kernel, n)
    stride, padding, dilation = per_dim(stride or kernel, n), per_dim(padding, n), per_dim(dilation, n)
    spans = [windows(*a, ceil) for a in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)]
    out = np.empty((*x.shape[:2], *map(len, spans)), x.dtype)
    for at in np.ndindex(*out.shape[2:]):
        axes = [np.arange(*spans[k][a], dilation[k]) for k, a in enumerate(at)]
        ends = [(a, b) for a, b in ((spans[k][i]) for k, i in enumerate(at))]
        inside = [a[(a >= 0) & (a < m)] for a, m in zip(axes, x.shape[2:], strict=True)]
        part = x[(slice(None), slice(None), *np.ix_(*inside))].reshape(*x.shape[:2], -1)
        full = np.prod([min(b, m + p) - a for (a, b), m, p in zip(ends, x.shape[2:], padding, strict=True)])
        out[(slice(None), slice(None), *at)] = reduce(part, full)
    return out


def max_pool(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False):
    return pool(x, kernel, stride, padding, dilation, ceil_mode, lambda part, full: part.max(-1))


def avg_pool(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    def mean(part, full):
        return part.sum(-1) / (divisor_override or (full if count_include_pad else part.shape[-1]))

    return pool(x, kernel, stride, padding, 1, ceil_mode, mean)


def max_indices(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=True):
    values = max_pool(x, kernel, stride, padding, dilation, ceil_mode)
    flat = x.reshape(*x.shape[:2], -1)
    at = np.empty(values.shape, np.int64)
    for i in np.ndindex(*values.shape):
        at[i] = np.flatnonzero(flat[i[:2]] == values[i])[0]
    return values, at


def adaptive(reduce):
    def run(x, size, return_indices=False):
        n = x.ndim - 2
        size = [m if o is None else o for o, m in zip(per_dim(size, n), x.shape[2:], strict=True)]
        out = np.empty((*x.shape[:2], *size), x.dtype)
        for at in itertools.product(*map(range, size)):
            spans = (slice(i * m // o, -((-(i + 1) * m) // o)) for i, m, o in zip(at, x.shape[2:], size, strict=True))
            out[(slice(None), slice(None), *at)] = reduce(x[(..., *spans)].reshape(*x.shape[:2], -1), -1)
        if not return_indices:
            return out
        flat = x.reshape(*x.shape[:2], -1)
        return out, np.array([np.flatnonzero(flat[i[:2]] == out[i])[0] for i in np.ndindex(*out.shape)]).reshape(out.shape)

    return run


def unpool(x, at, kernel):
    out = np.zeros((*x.shape[:2], x.shape[2] * kernel))
    for i in np.ndindex(*x.shape):
        out[(*i[:2], at[i])] = x[i]
    return out


_EM = [
    ([T(4, 4), 2], {}, RuntimeError, "Expected 3D or 4D (batch mode) tensor"),
    ([T(1, 1, 4, 4), 2], dict(padding=2), RuntimeError, "pad should be at most half of effective kernel size"),
    ([T(1, 1, 4, 4), 6], {}, RuntimeError, "Output size is too small"),
    ([T(1, 1, 4, 4), 2, 0], {}, RuntimeError, "stride should be greater than zero"),
    ([T(1, 1, 4, 4), (2, 2, 2)], {}, RuntimeError, "kernel_size must be a single int or a tuple of 2 ints"),
]
_E1 = [([T(1, 1, 4), 6], {}, RuntimeError, "Output size is too small")]
_E3 = [([T(1, 1, 4, 4, 4), 6], {}, RuntimeError, "Output size is too small")]
_EA = [([T(4), 2], {}, RuntimeError, "tensor, but got [4]")]
_F = "nn.functional."
_W = "PyTorch is the oracle in tests/parity: the windows are drawn at random"

ROWS = [
    Row("max_pool1d", [T(2, 3, 9), 3], dict(stride=2, padding=1), ref=max_pool, errors=_E1, promote=None),
    Row("max_pool2d", [T(2, 2, 6, 5), 2], ref=max_pool, errors=_EM, promote=None,
        covers=("max_pool", "max_pool_indices")),
    Row("max_pool2d", [T(2, 2, 7, 7), 3], dict(stride=2, padding=1, ceil_mode=True), ref=max_pool, promote=None, name="overlapping"),
    Row("max_pool2d", [T(2, 2, 7, 7), 2], dict(stride=1, dilation=2), ref=max_pool, promote=None, name="dilated"),
    Row("max_pool2d", [T(2, 6, 5), 2], ref=lambda x, k: max_pool(x[None], k)[0], promote=None, name="one sample"),
    Row("max_pool2d", [T(2, 2, 6, 6), 3], dict(stride=2, padding=1, return_indices=True), ref=max_indices, promote=None, name="indices",
        call=f"{_F}max_pool2d"),
    Row("max_pool3d", [T(1, 2, 4, 4, 4), 2], ref=max_pool, errors=_E3, promote=None),
    *[Row(f"max_pool{n}d_with_indices", [T(1, 2, *(4,) * n), 2], call=f"{_F}max_pool{n}d_with_indices", ref=max_indices, promote=None,
          errors=[([T(1, 1, *(4,) * n), 6], {}, RuntimeError, "Output size is too small")]) for n in (1, 2, 3)],
    Row("avg_pool1d", [T(2, 3, 9), 3], dict(stride=2, padding=1), ref=avg_pool, errors=_E1, promote=None),
    Row("avg_pool2d", [T(2, 2, 6, 5), 2], call=f"{_F}avg_pool2d", ref=avg_pool, covers=("avg_pool", "avg_pool_grad"), promote=None,
        errors=[([T(1, 1, 4, 4), 2], dict(divisor_override=0), RuntimeError, "divisor must be not zero")]),
    Row("avg_pool2d", [T(2, 2, 7, 6), 3], dict(stride=2, padding=1, ceil_mode=True), call=f"{_F}avg_pool2d", ref=avg_pool, promote=None,
        name="ceil"),
    Row("avg_pool2d", [T(2, 2, 7, 6), 3], dict(stride=2, padding=1, count_include_pad=False), call=f"{_F}avg_pool2d", ref=avg_pool,
        promote=None, name="without padding"),
    Row("avg_pool2d", [T(2, 2, 6, 6), 2], dict(divisor_override=3), call=f"{_F}avg_pool2d", ref=avg_pool, promote=None, name="divisor"),
    Row("avg_pool3d", [T(1, 2, 4, 4, 4), 2], call=f"{_F}avg_pool3d", ref=avg_pool, errors=_E3, promote=None),
    Row("adaptive_avg_pool1d", [T(2, 3, 8), 3], ref=adaptive(np.mean), errors=_EA, promote=None),
    Row("adaptive_avg_pool2d", [T(2, 2, 6, 5), (4, 3)], call=f"{_F}adaptive_avg_pool2d", ref=adaptive(np.mean), promote=None,
        covers=("resample",),
        errors=[([T(4, 4), 2], {}, RuntimeError, "Expected 3D or 4D tensor, but got"),
                ([T(1, 1, 4, 4), (2, 2, 2)], {}, RuntimeError, "output_size must be 2"),
                ([T(1, 1, 0, 4), 2], {}, RuntimeError, "non-zero size for non-batch dimensions"),
                ([T(1, 1, 4, 4), -1], {}, RuntimeError, "must be greater than or equal to 0")]),
    Row("adaptive_avg_pool2d", [T(2, 2, 6, 4), (3, 2)], call=f"{_F}adaptive_avg_pool2d", ref=adaptive(np.mean), promote=None, name="even"),
    Row("adaptive_avg_pool2d", [T(2, 2, 6, 4), 1], call=f"{_F}adaptive_avg_pool2d", ref=adaptive(np.mean), promote=None, name="global"),
    Row("adaptive_avg_pool3d", [T(1, 2, 3, 4, 5), (2, None, 3)], call=f"{_F}adaptive_avg_pool3d", ref=adaptive(np.mean), promote=None,
        errors=_EA),
    Row("adaptive_max_pool1d", [T(2, 3, 8), 3], call=f"{_F}adaptive_max_pool1d", ref=adaptive(np.max), errors=_EA, promote=None,
        covers=("max_of_ranges",)),
    Row("adaptive_max_pool2d", [T(2, 2, 6, 5), (4, 3)], dict(return_indices=True), call=f"{_F}adaptive_max_pool2d", ref=adaptive(np.max),
        promote=None, errors=_EA, covers=("plane_gather", "plane_scatter")),
    Row("adaptive_max_pool2d", [T(2, 2, 6, 4), (3, 2)], dict(return_indices=True), call=f"{_F}adaptive_max_pool2d", ref=adaptive(np.max),
        promote=None, name="even"),
    Row("adaptive_max_pool3d", [T(1, 2, 3, 4, 5), 2], call=f"{_F}adaptive_max_pool3d", ref=adaptive(np.max), promote=None, errors=_EA),
    *[Row(f"adaptive_max_pool{n}d_with_indices", [T(1, 2, *(5,) * n), 2], call=f"{_F}adaptive_max_pool{n}d_with_indices", promote=None,
          ref=lambda x, size: adaptive(np.max)(x, size, True), errors=_EA) for n in (1, 2, 3)],
    *[Row(f"fractional_max_pool{n}d{more}", [T(1, 2, *(6,) * n), 2],
          dict(output_size=(3,) * n, _random_samples=T(1, 2, n, low=0.1, high=0.9, grad=False)), promote=None,
          call=f"{_F}fractional_max_pool{n}d{more}", why=_W,
          errors=[([T(1, 2, *(6,) * n), 2], {}, ValueError, "requires specifying either an output_size or an output_ratio")])
      for n in (2, 3) for more in ("", "_with_indices")],
    Row("max_unpool1d", [T(2, 3, 3), I(2, 3, 3, high=1), 2], call=f"{_F}max_unpool1d", covers=("plane_put",), promote=None,
        ref=unpool, grad2=False, why="linear; positions that collide keep the last, and have no inverse",
        grad=False, errors=[([T(1, 1, 2), T(1, 1, 2), 2], {}, RuntimeError, "elements in indices should be type int64")]),
    Row("lp_pool1d", [T(2, 3, 8, positive=True), 2, 2], call=f"{_F}lp_pool1d", promote=None,
        ref=lambda x, p, k: (x.reshape(2, 3, 4, 2) ** 2).sum(-1) ** 0.5, errors=[([T(1, 1, 4), 2, 6], {}, RuntimeError, "too small")]),
    Row("lp_pool2d", [T(2, 3, 4, 4, positive=True), 3, 2], call=f"{_F}lp_pool2d", promote=None,
        ref=lambda x, p, k: (avg_pool(x**3, 2) * 4) ** (1 / 3), errors=[([T(1, 1, 4, 4), 2, 6], {}, RuntimeError, "too small")]),
    Row("lp_pool3d", [T(1, 2, 2, 4, 4, positive=True), 2, 2], call=f"{_F}lp_pool3d", promote=None,
        ref=lambda x, p, k: (avg_pool(x**2, 2) * 8) ** 0.5, errors=[([T(1, 1, 4, 4, 4), 2, 6], {}, RuntimeError, "too small")]),
]  # fmt: skip
