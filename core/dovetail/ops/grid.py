"""Sampling an image at arbitrary places: affine grids and grid_sample."""

from __future__ import annotations

import itertools
import warnings
from functools import reduce
from operator import add, mul
from typing import Any

from dovetail_numerics.taps import far, near

from ..autograd.functional import grad
from ..autograd.modes import STATE, enable_grad, no_grad
from ..autograd.node import titled, wrap
from ..errors import DtypeError, ShapeError, UnsupportedError, ValueRangeError
from ._op import Array, op, xp
from ._refuse import listing, refuse_types
from .pool import plane_gather
from .ranges import linspace
from .select import where

__all__: list[str] = []
FUNCTIONAL = ("affine_grid", "grid_sample")


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The places in [-1, 1] that affine maps send each pixel of an image to: theta (N, 2, 3) and size (N, C, H, W) to (N, H, W, 2).

    In three dimensions theta is (N, 3, 4), size (N, C, D, H, W). Raises a ValueError for any other shape, or an integer theta.

    >>> import dovetail as dv
    >>> dv.nn.functional.affine_grid(dv.tensor([[[1., 0., 0.], [0., 1., 0.]]]), (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    align_corners = _corners("affine_grid", align_corners)
    t, n = theta._a, len(size) - 2
    if t.dtype.kind not in "fV":
        raise ValueRangeError("affine_grid", f"Expected theta to have floating point type, but got {t.dtype}")
    if n not in (2, 3):
        text = "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
        raise UnsupportedError("affine_grid", f"{text}{tuple(size)}.")
    if t.ndim != 3 or t.shape[1:] != (n, n + 1):
        text = f"Expected a batch of {n}D affine matrices of shape Nx{n}x{n + 1} for size {tuple(size)}. Got {listing(t.shape)}"
        raise ValueRangeError("affine_grid", text)
    if min(size) <= 0:
        raise ValueRangeError("affine_grid", f"Expected non-zero, positive output size. Got {tuple(size)}")
    if t.shape[0] != size[0]:
        what = f"Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, {n + 1}] but got: [{t.shape[0]}, {n + 1}]."
        raise ShapeError("affine_grid", what, "theta holds one matrix for each image of `size`")
    m = xp(t)
    axes = [linspace(-1, 1, k, dtype=theta.dtype, device=theta.device)._a if k > 1 else m.zeros(1, t.dtype) for k in size[2:]]
    axes = axes if align_corners else [line * (len(line) - 1) / len(line) for line in axes]
    places = m.stack([*m.meshgrid(*axes, indexing="ij")[::-1], m.ones(tuple(size[2:]), t.dtype)], axis=-1)
    return wrap(places.reshape(1, -1, n + 1)).matmul(theta.transpose(1, 2)).reshape((t.shape[0], *size[2:], n))


def _corners(where: str, align_corners: bool | None) -> bool:
    if align_corners is None:
        text = f"Default {where} behavior is align_corners=False since 1.3.0. Please specify align_corners=True if the old behavior is "
        warnings.warn(text + "desired.", stacklevel=3)
    return bool(align_corners)


def grid_sample(input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None) -> Any:
    """Read `input` (N, C, H, W) at the places `grid` (N, H', W', 2), given as (x, y) in [-1, 1]: (N, C, H', W').

    `mode` is "bilinear", "nearest" or "bicubic"; outside lie zeros, the "border" or a "reflection". In three dimensions input is
    (N, C, D, H, W), grid (N, D', H', W', 3). Raises a ValueError for other modes, a RuntimeError for shapes that do not fit.

    >>> import dovetail as dv
    >>> image = dv.tensor([[[[0., 1.], [2., 3.]]]])
    >>> dv.nn.functional.grid_sample(image, dv.zeros(1, 1, 1, 2), align_corners=False)
    tensor([[[[1.5000]]]])
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueRangeError("nn.functional.grid_sample()", f"expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'")
    if padding_mode not in ("zeros", "border", "reflection"):
        text = f"expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{padding_mode}'"
        raise ValueRangeError("nn.functional.grid_sample()", text)
    align_corners = _corners("grid_sample", align_corners)
    _check(input._a, grid._a, mode)
    run = _by_ops if any(getattr(one, "expands", False) for one in STATE.observers) else grid_sampler
    return titled(f"GridSampler{grid._a.shape[-1]}D0", run(input, grid, mode, padding_mode, align_corners))


@op(dtypes=None)
def grid_sampler(input: Array, grid: Array, mode: str, padding_mode: str, align_corners: bool) -> Array:
    """What `grid_sample` gives for arguments that fit."""
    with no_grad():
        return _by_ops(wrap(input), wrap(grid), mode, padding_mode, align_corners)._a


@grid_sampler.vjp
def _(g: Any, input: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool, needs: Any) -> Any:
    with enable_grad():
        wanted = [t.requires_grad_() for t, need in zip((input, grid), needs, strict=True) if need]
        found = iter(grad(_by_ops(input, grid, mode, padding_mode, align_corners), wanted, g))
    return [next(found) if need else None for need in needs]


def _by_ops(input: Any, grid: Any, mode: str, padding_mode: str, align_corners: bool) -> Any:
    """The sum of the elements around each place, each times its weight, which is a product of one for each dimension."""
    axes = []  # for each the places of elements and their weights
    for axis, size in enumerate(input._a.shape[2:]):
        x = grid.select(-1, -1 - axis) + 1
        if align_corners:
            x = x * ((size - 1) / 2)
        elif input._a.ndim == 5 or grid.element_size() == 2:
            x = (x * size - 1) * 0.5
        else:  # product and difference are one instruction of PyTorch's, which rounds once; the product of so few digits as head's is exact
            head = x.detach().clamp(-3e38, 3e38).float().double()
            x = ((head * (size / 2) - 0.5) + (x.double() - head) * (size / 2)).to(grid.dtype)
        x = x if mode == "bicubic" else _inside(x, size, padding_mode, align_corners)
        part = x - (low := x.detach().floor())
        if mode == "bicubic":
            weights = (far(part + 1), near(part), near(1 - part), far(2 - part))
            axes.append(list(zip((low - 1, low, low + 1, low + 2), weights, strict=True)))
        elif mode == "bilinear":
            axes.append([(low, 1 - part), (low + 1, part)])
        else:
            axes.append([(x.detach().round(), x.masked_fill(x.isnan() | True, 1))])  # the gradient for the grid is zero
    parts = [
        _read(input, list(at), padding_mode, align_corners) * reduce(mul, weights).unsqueeze(1)
        for at, weights in (zip(*taps, strict=True) for taps in itertools.product(*axes))
    ]
    return reduce(add, parts)


grid_sampler.composite(_by_ops)


def _check(x: Any, grid: Any, mode: str) -> None:
    where = "grid_sampler()"
    if x.ndim not in (4, 5) or x.ndim != grid.ndim:
        text = "expected 4D or 5D input and grid with same number of dimensions, but got input with sizes "
        raise ShapeError(where, f"{text}{listing(x.shape)} and grid with sizes {listing(grid.shape)}")
    if x.shape[0] != grid.shape[0]:
        text = f"expected grid and input to have same batch size, but got input with sizes {listing(x.shape)} and grid with sizes "
        raise ShapeError(where, text + listing(grid.shape))
    if grid.shape[-1] != x.ndim - 2:
        raise ShapeError(where, f"expected grid to have size {x.ndim - 2} in last dimension, but got grid with sizes {listing(grid.shape)}")
    if 0 in x.shape[2:]:
        raise ShapeError(where, f"expected input to have non-empty spatial dimensions, but input has sizes {listing(x.shape)}")
    if x.ndim == 5 and mode == "bicubic":
        raise ShapeError(where, "bicubic interpolation only supports 4D input")
    refuse_types(where, x, "iub")
    if x.dtype != grid.dtype:
        raise DtypeError(where, f"expected input and grid to have same dtype, but input has {x.dtype} and grid has {grid.dtype}")


def _inside(x: Any, size: int, padding_mode: str, align_corners: bool) -> Any:
    """Bring coordinates into the image as the padding mode says."""
    if padding_mode == "reflection":
        low, span = (0.0, size - 1.0) if align_corners else (-0.5, float(size))
        away = (x - low).abs()
        away = away - (away.detach() / (2 * span)).floor() * (2 * span)
        x = where(away > span, 2 * span - away, away) + low
    # At the border itself the gradient is zero already, as in PyTorch; what is no number counts as the first pixel, of volumes the last.
    missing = size - 1.0 if x.ndim == 4 else 0.0
    return x if padding_mode == "zeros" else where((x > 0) & (x < size - 1), x, x.detach().clamp(0, size - 1).nan_to_num(missing))


def _read(input: Any, places: list[Any], padding_mode: str, align_corners: bool) -> Any:
    """The elements at whole coordinates, (N, C, *out); zeros outside where the padding mode says so."""
    index, valid = 0, True  # type: Any, Any
    for place, size in zip(places, input._a.shape[2:], strict=True):
        x = _inside(place.detach(), size, padding_mode, align_corners)
        good = (x >= 0) & (x <= size - 1)
        index, valid = where(good, x, 0).long() + index * size, good & valid
    values = plane_gather(input, index.unsqueeze(1).expand((*input._a.shape[:2], *index._a.shape[1:])))
    return where(valid.unsqueeze(1), values, 0) if padding_mode == "zeros" else values  # whatever the image, or a weight, holds
