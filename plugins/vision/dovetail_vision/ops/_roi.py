"""What pooling regions of a feature map has in common: regions as rows, bins as weighted cells, and the sum over those cells.

Every kind of average pooling is separable: a bin of the result is a sum of rows of the map times a sum of columns. `Taps` hold, for
each region and each bin along one side, which cells count and by how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import AssertedError, DtypeError
from dovetail.extend import Array, Fixed, op, xp

__all__ = ["PoolLayer", "Taps", "as_rois", "box_taps", "pooled", "rounded", "sampled_taps"]


class Taps(NamedTuple):
    """Cells (K, bins, J) that count along one side, and their weights."""

    index: Tensor
    weight: Tensor


def as_rois(where: str, boxes: Tensor | Sequence[Tensor], input: Tensor) -> Tensor:
    """Boxes as (K, 5), the number of the image first: from a list of (L, 4), one an image, or as they are."""
    if isinstance(boxes, Tensor):
        if boxes.ndim != 2 or boxes.shape[1] != 5:
            raise AssertedError(where, f"boxes has shape {tuple(boxes.shape)}", "expected (K, 5) or a list of (L, 4)")
        rois = boxes
    elif not isinstance(boxes, (list, tuple)):
        raise AssertedError(where, f"boxes is {type(boxes).__name__}", "expected a Tensor (K, 5) or a list of (L, 4)")
    else:
        for one in boxes:
            if one.ndim != 2 or one.shape[1] != 4:
                raise AssertedError(where, f"boxes holds a tensor of shape {tuple(one.shape)}", "expected (L, 4)")
        numbers = [dovetail.full_like(one[:, :1], i) for i, one in enumerate(boxes)]
        rois = dovetail.cat((dovetail.cat(numbers), dovetail.cat(list(boxes))), 1)
    if rois.dtype != input.dtype:
        raise DtypeError(where, f"input is {input.dtype} and boxes {rois.dtype}", "expected one type")
    return rois.detach()


def rounded(values: Tensor) -> Tensor:
    """To the next integer, halves away from zero."""
    return (values.abs() + 0.5).floor() * values.sign()


def sampled_taps(start: Tensor, size: Tensor, bins: int, ratio: int, length: int) -> Taps:
    """Averages of points between cells: ``ratio`` points a bin, evenly spaced, or as many as the bin is wide."""
    step = (size / bins)[:, None, None]
    grid = dovetail.full_like(step, ratio) if ratio > 0 else step.ceil()
    most = ratio if ratio > 0 else int(grid.max().item()) if grid.numel() else 0
    i, bin = (dovetail.arange(max(n, 0), device=start.device) for n in (most, bins))
    at = start[:, None, None] + bin[:, None] * step + (i + 0.5) * step / grid
    live = (at >= -1) & (at <= length) & (i < grid)
    at = dovetail.where(live, at, 0).clamp(min=0)
    low = at.long().clamp(max=length - 1)
    share = dovetail.where(low >= length - 1, 0, at - low)
    scale = dovetail.where(live, 1 / grid, 0)
    index, weight = dovetail.cat((low, (low + 1).clamp(max=length - 1)), -1), dovetail.cat(((1 - share) * scale, share * scale), -1)
    return Taps(index, weight) if ratio > 0 else _merged(index, weight, dovetail.cat((live, live), -1), length)


def _merged(index: Tensor, weight: Tensor, live: Tensor, length: int) -> Taps:
    """Points so dense that they share cells: as many taps as there are cells in the widest bin."""
    if index.numel() == 0 or not live.any():
        return Taps(index[..., :0], weight[..., :0])
    first = dovetail.where(live, index, length).min(-1, keepdim=True).values
    offset = dovetail.where(live, index - first, 0)
    width = int(offset.max().item()) + 1
    weight = dovetail.zeros((*weight.shape[:2], width), dtype=weight.dtype, device=weight.device).scatter_add_(-1, offset, weight)
    return Taps((first + dovetail.arange(width, device=index.device)).clamp(max=length - 1), weight)


def box_taps(low: Tensor, high: Tensor) -> Taps:
    """Averages of the whole cells from ``low`` to ``high`` - 1, of integers (K, bins); of none the result is 0."""
    count = (high - low).clamp(min=0)[..., None]
    i = dovetail.arange(int(count.max().item()) if count.numel() else 0, device=low.device)
    inside = i < count
    return Taps(dovetail.where(inside, low[..., None] + i, 0), inside / count.clamp(min=1))


def pooled(input: Tensor, image: Tensor, y: Taps, x: Taps, sensitive: bool = False) -> Tensor:
    """The map (N, C, H, W) summed by the taps of each region: (K, C, PH, PW).

    ``sensitive`` to the position: bin (i, j) has channels of its own, and C / (PH · PW) of them are left.
    """
    (n, _, height, width), (ph, pw) = input.shape, (y.index.shape[1], x.index.shape[1])
    image = image.long()
    if sensitive:
        maps = input.reshape(n, -1, ph, pw, height, width).permute(0, 2, 3, 4, 5, 1)
        shift = dovetail.arange(ph * pw, device=input.device).reshape(ph, pw) * (height * width)
        first = image * (ph * pw * height)
    else:
        maps, shift, first = input.permute(0, 2, 3, 1), dovetail.zeros((1, 1), dtype=dovetail.int64, device=input.device), image * height
    rows = (first[:, None, None] + y.index) * width
    table = maps.reshape(-1, maps.shape[-1]).contiguous()  # of strided rows every read would copy the whole table
    out = pool_rows(table, rows, x.index, shift, y.weight.to(input.dtype), x.weight.to(input.dtype))
    return out.permute(0, 3, 1, 2).clone(memory_format=dovetail.contiguous_format)  # also of no region: an export is to see it


@op(dtypes="float", name="vision/pool_rows")
def pool_rows(table: Array, rows: Fixed, columns: Fixed, shift: Fixed, row_weights: Fixed, column_weights: Fixed) -> Array:
    """Rows of a table (R, C), summed for each region and bin by the weights of its taps: (K, PH, PW, C)."""
    module = xp(table)
    out = module.empty((rows.shape[0], rows.shape[1], columns.shape[1], table.shape[1]), table.dtype)
    for part in _parts(rows, columns, table.shape[1]):
        at, weight = _cells(rows[part], columns[part], shift, row_weights[part], column_weights[part])
        read = module.take(table, at.reshape(-1), axis=0).reshape(*at.shape, table.shape[1])
        out[part] = module.matmul(weight[..., None, :], read)[..., 0, :]
    return out


@pool_rows.vjp
def _(g: Any, table_shape: Any, rows: Any, columns: Any, shift: Any, row_weights: Any, column_weights: Any) -> Any:
    out = dovetail.zeros(table_shape, dtype=g.dtype, device=g.device)
    for part in _parts(rows, columns, table_shape[1]):
        at, weight = _cells(rows[part], columns[part], shift, row_weights[part], column_weights[part])
        out.index_add_(0, at.reshape(-1), (g[part][..., None, :] * weight[..., None]).reshape(-1, table_shape[1]))
    return out


def _parts(rows: Any, columns: Any, channels: int) -> Iterator[slice]:
    """Regions together whose cells stay in the processor's cache."""
    cells = rows.shape[1] * rows.shape[2] * columns.shape[1] * columns.shape[2] * channels
    step = max(1, 2**19 // max(1, cells))
    return (slice(start, start + step) for start in range(0, rows.shape[0], step))


def _cells(rows: Any, columns: Any, shift: Any, row_weights: Any, column_weights: Any) -> tuple[Any, Any]:
    """Where each bin reads, and the weights of what it reads there: (k, PH, PW, taps)."""
    at = rows[:, :, None, :, None] + columns[:, None, :, None, :] + shift[:, :, None, None]
    weight = row_weights[:, :, None, :, None] * column_weights[:, None, :, None, :]
    shape = (*at.shape[:3], at.shape[3] * at.shape[4])
    return at.reshape(shape), weight.reshape(shape)


class PoolLayer(nn.Module):
    """What the layers of RoI pooling share: the size of the result, the scale of the map, and how they are printed."""

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale

    def __repr__(self) -> str:
        settings = {name: value for name, value in vars(self).items() if name[0] != "_" and name != "training"}
        return f"{type(self).__name__}({', '.join(f'{name}={value}' for name, value in settings.items())})"
