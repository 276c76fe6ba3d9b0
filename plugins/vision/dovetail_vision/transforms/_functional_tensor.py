"""What torchvision's own file of functions on tensors has besides those of ``transforms.functional``: programs import it by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch
from dovetail.nn import functional as F

from . import _color, _tensor, _warp, functional
from ._interpolation import interpolation_mode
from ._values import max_value

__all__ = ["affine", "perspective", "resize", "rotate"]

_max_value = max_value
_WHOLE = (dovetail.uint8, dovetail.int8, dovetail.int16, dovetail.int32, dovetail.int64)


def affine(img: Tensor, matrix: Sequence[float], interpolation: str = "nearest", fill: Any = None) -> Tensor:
    """``transforms.functional.affine`` by the six numbers of its matrix, row by row, from the result to the image.

    >>> affine(dovetail.tensor([[[1.0, 2.0]]]), [-1, 0, 0, 0, 1, 0])
    tensor([[[2., 1.]]])
    """
    return _warp.affine(img, matrix, interpolation_mode("affine", interpolation, names=True), fill)


def rotate(img: Tensor, matrix: Sequence[float], interpolation: str = "nearest", expand: bool = False, fill: Any = None) -> Tensor:
    """``transforms.functional.rotate`` by the six numbers of its matrix; with ``expand`` all of the image is in the result.

    >>> rotate(dovetail.zeros(1, 2, 4), [0, 1, 0, -1, 0, 0], expand=True).shape
    dovetail.Size([1, 4, 2])
    """
    size = _warp.room_for(matrix, img.shape[-1], img.shape[-2]) if expand else None
    return _warp.affine(img, matrix, interpolation_mode("rotate", interpolation, names=True), fill, size)


def perspective(img: Tensor, perspective_coeffs: Sequence[float], interpolation: str = "bilinear", fill: Any = None) -> Tensor:
    """``transforms.functional.perspective`` by its eight numbers.

    >>> perspective(dovetail.tensor([[[1.0, 2.0]]]), [1, 0, 0, 0, 1, 0, 0, 0])
    tensor([[[1., 2.]]])
    """
    return _warp.perspective(img, perspective_coeffs, interpolation_mode("perspective", interpolation, names=True), fill)


def resize(img: Tensor, size: Sequence[int], interpolation: str = "bilinear", antialias: bool | None = True) -> Tensor:
    """``transforms.functional.resize``, whose interpolation has its name here.

    >>> resize(dovetail.zeros(1, 4, 4), [2, 3], "bicubic").shape
    dovetail.Size([1, 2, 3])
    """
    return functional.resize(img, size, interpolation_mode("resize", interpolation, names=True), antialias=antialias)


def _is_tensor_a_torch_image(x: Tensor) -> bool:
    return x.ndim >= 2


def _assert_image_tensor(img: Tensor) -> None:
    if not _is_tensor_a_torch_image(img):
        raise TypeMismatch("_assert_image_tensor", f"img has {img.ndim} dimensions", "expected a tensor image (..., H, W)")


def _blend(img1: Tensor, img2: Any, ratio: float) -> Tensor:
    return _color.blend(img1, img2, ratio)


def _rgb2hsv(img: Tensor) -> Tensor:
    return dovetail.stack(_color._to_hsv(img, False), -3)


def _hsv2rgb(img: Tensor) -> Tensor:
    return _color._to_rgb(*img.unbind(-3), False)


def _pad_symmetric(img: Tensor, padding: Sequence[int]) -> Tensor:
    left, right, top, bottom = padding
    return _tensor._mirror(img, left, top, right, bottom)


def _get_gaussian_kernel1d(kernel_size: int, sigma: float, dtype: Any = None, device: Any = None) -> Tensor:
    return _color._bell(kernel_size, sigma, dovetail.empty(0, dtype=dtype, device=device), False)


def _get_gaussian_kernel2d(kernel_size: Sequence[int], sigma: Sequence[float], dtype: Any = None, device: Any = None) -> Tensor:
    across, down = (_get_gaussian_kernel1d(size, spread, dtype, device) for size, spread in zip(kernel_size, sigma, strict=True))
    return down[:, None] * across


def _cast_squeeze_in(img: Tensor, req_dtypes: Sequence[Any]) -> tuple[Tensor, bool, bool, Any]:
    """The image as a batch in one of the types, whether that changed its type and its dimensions, and the type that it had."""
    return _tensor.enter(img, req_dtypes), img.dtype not in req_dtypes, img.ndim < 4, img.dtype


def _cast_squeeze_out(img: Tensor, need_cast: bool, need_squeeze: bool, out_dtype: Any) -> Tensor:
    img = img.squeeze(0) if need_squeeze else img
    return (img.round() if out_dtype in _WHOLE else img).to(out_dtype) if need_cast else img


def _gen_affine_grid(theta: Tensor, w: int, h: int, ow: int, oh: int) -> Tensor:
    """``(1, oh, ow, 2)``: where `grid_sample` reads each pixel of the result in an image of ``w`` and ``h``."""
    x, y = (dovetail.arange(n, dtype=theta.dtype, device=theta.device) - (n - 1) / 2 for n in (ow, oh))
    rows = theta[0] / dovetail.tensor([0.5 * w, 0.5 * h], dtype=theta.dtype, device=theta.device)[:, None]
    return dovetail.stack([_warp._mapped(row, x, y) for row in rows], -1)[None]


def _apply_grid_transform(img: Tensor, grid: Tensor, mode: str, fill: Any) -> Tensor:
    """`grid_sample` of an image or a batch, and ``fill`` where it reads outside."""
    batch, *how = _cast_squeeze_in(img, [grid.dtype])
    grid = grid.expand(len(batch), *grid.shape[1:])
    out = F.grid_sample(batch, grid, mode=mode, padding_mode="zeros", align_corners=False)
    if fill is not None:
        colour = dovetail.tensor(fill if isinstance(fill, (tuple, list)) else [fill], dtype=out.dtype, device=out.device).view(1, -1, 1, 1)
        colour = colour.expand_as(out)  # several colours do not make channels of one
        cover = F.grid_sample(dovetail.ones_like(batch[:, :1]), grid, mode=mode, padding_mode="zeros", align_corners=False)
        out = dovetail.where(cover < 0.5, colour, out) if mode == "nearest" else out * cover + (1.0 - cover) * colour
    return _cast_squeeze_out(out, *how)


def _compute_affine_output_size(matrix: Sequence[float], w: int, h: int) -> tuple[int, int]:
    height, width = _warp.room_for(matrix, w, h)
    return width, height


def __getattr__(name: str) -> Any:
    if name.startswith("__"):  # as __path__, by which this would be a package
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(functional, name)
