"""Boxes as rows of regions, and other small steps that programs import from torchvision's ``ops._utils``."""

from __future__ import annotations

from collections.abc import Sequence

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import AssertedError, ValueRangeError

from ._checks import upcast as _upcast  # noqa: F401 (programs import it from here)

__all__ = ["check_roi_boxes_shape", "convert_boxes_to_roi_format", "split_normalization_params"]

_NORMS = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.LayerNorm, nn.GroupNorm,
    nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.LocalResponseNorm,
)  # fmt: skip


def _cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    return tensors[0] if len(tensors) == 1 else dovetail.cat(list(tensors), dim)


def _upcast_non_float(t: Tensor) -> Tensor:
    return t if t.dtype in (dovetail.float32, dovetail.float64) else t.float()


def _loss_inter_union(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Areas of intersection and union of boxes (N, 4), xyxy, in pairs."""
    sides = dovetail.min(boxes1[..., 2:], boxes2[..., 2:]) - dovetail.max(boxes1[..., :2], boxes2[..., :2])
    inter = dovetail.where((sides > 0).all(-1), sides[..., 0] * sides[..., 1], 0)
    one, two = ((b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1]) for b in (boxes1, boxes2))
    return inter, one + two - inter


def convert_boxes_to_roi_format(boxes: Sequence[Tensor]) -> Tensor:
    """Boxes (L, 4) of each image as rows (K, 5), the number of the image first.

    >>> convert_boxes_to_roi_format([dovetail.zeros(1, 4), dovetail.ones(1, 4)])
    tensor([[0., 0., 0., 0., 0.],
            [1., 1., 1., 1., 1.]])
    """
    return dovetail.cat([_cat([dovetail.full_like(one[:, :1], i) for i, one in enumerate(boxes)]), _cat(boxes)], 1)


def check_roi_boxes_shape(boxes: Tensor | Sequence[Tensor]) -> None:
    """An AssertionError for regions that are neither rows (K, 5) nor boxes (L, 4) of each image.

    >>> check_roi_boxes_shape([dovetail.zeros(2, 4)])
    """
    where = "check_roi_boxes_shape"
    if not isinstance(boxes, Tensor | list | tuple):
        raise AssertedError(where, f"boxes is {type(boxes).__name__}", "expected a Tensor (K, 5) or a list of (L, 4)")
    columns = 5 if isinstance(boxes, Tensor) else 4
    for one in [boxes] if isinstance(boxes, Tensor) else boxes:
        if one.shape[1] != columns:
            raise AssertedError(where, f"boxes has shape {tuple(one.shape)}", "expected (K, 5) or a list of (L, 4)")


def split_normalization_params(
    model: nn.Module, norm_classes: Sequence[type] | None = None
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters that learn of the normalizing layers, and all others, so that weight decay can leave the first out.

    Raises a ValueError for a class that is no module.

    >>> norms, others = split_normalization_params(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    >>> len(norms), len(others)
    (2, 2)
    """
    classes = tuple(norm_classes or _NORMS)
    for one in classes:
        if not issubclass(one, nn.Module):
            raise ValueRangeError("split_normalization_params", f"Class {one} is not a subclass of nn.Module.")
    norms: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for module in model.modules():
        leaf = next(module.children(), None) is None
        own = [p for p in module.parameters(recurse=leaf) if p.requires_grad]
        (norms if leaf and isinstance(module, classes) else others).extend(own)
    return norms, others
