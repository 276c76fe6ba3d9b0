"""Pictures of tensors: grids, and files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

import dovetail
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError

__all__ = ["make_grid", "save_image"]


def _as_batch(tensor: Any) -> Tensor:
    """Images as (N, C, H, W), grey ones in three channels."""
    if isinstance(tensor, list) and all(isinstance(item, Tensor) for item in tensor):
        tensor = dovetail.stack(tensor)
    if not isinstance(tensor, Tensor):
        raise TypeMismatch("make_grid", f"tensor is {type(tensor).__name__}", "expected a tensor or a list of tensors")
    if tensor.ndim == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.ndim == 3:
        tensor = (dovetail.cat([tensor] * 3) if tensor.shape[0] == 1 else tensor).unsqueeze(0)
    if tensor.ndim != 4:
        raise ValueRangeError("make_grid", f"tensor has shape {tuple(tensor.shape)}", "expected (N, C, H, W), (C, H, W) or (H, W)")
    return dovetail.cat([tensor] * 3, 1) if tensor.shape[1] == 1 else tensor


def _normalised(tensor: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = (tensor.min().item(), tensor.max().item()) if value_range is None else value_range
    return (tensor.clamp(low, high) - low) / max(high - low, 1e-5)


@dovetail.no_grad()
def make_grid(
    tensor: Tensor | list[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Put images ``(N, C, H, W)``, or a list of ``(C, H, W)``, side by side: ``nrow`` in a row, ``padding`` pixels around each.

    With ``normalize`` the values are brought to 0..1, from ``value_range`` or from the smallest and largest, of each image with
    ``scale_each``. One image alone comes back as it is, with three channels.

    >>> make_grid(dovetail.zeros(6, 1, 4, 4), nrow=3).shape
    dovetail.Size([3, 14, 20])
    """
    images = _as_batch(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeMismatch("make_grid", f"value_range is {value_range!r}", "expected a tuple (smallest, largest)")
        each = [_normalised(image, value_range) for image in images] if scale_each else None
        images = dovetail.stack(each) if each else _normalised(images, value_range)
    count, channels, height, width = images.shape
    if count == 1:
        return images.squeeze(0)
    across = min(nrow, count)
    down = math.ceil(count / across)
    height, width = height + padding, width + padding
    grid = images.new_full((channels, height * down + padding, width * across + padding), pad_value)
    for i in range(count):
        top, left = (i // across) * height + padding, (i % across) * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = images[i]
    return grid


@dovetail.no_grad()
def save_image(tensor: Tensor | list[Tensor], fp: str | Path | BinaryIO, format: str | None = None, **kwargs: Any) -> None:
    """Write images with values in 0..1 to a picture file, as ``make_grid(tensor, **kwargs)`` lays them out.

    >>> import io
    >>> file = io.BytesIO()
    >>> save_image(dovetail.rand(4, 3, 8, 8), file, "png", nrow=2)
    >>> Image.open(file).size
    (22, 22)
    """
    grid = make_grid(tensor, **kwargs)
    pixels = grid.mul(255).add_(0.5).clamp_(0, 255).permute(1, 2, 0).to("cpu", dovetail.uint8).numpy()
    Image.fromarray(pixels).save(fp, format=format)
