"""torchvision beside a PyTorch that it was not built for: its compiled operators get their names, which is all that importing it needs."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

__all__ = ["plain_nms", "prepare", "torchvision", "with_operators"]

_NAMES = """nms qnms roi_align _roi_align_backward roi_pool _roi_pool_backward ps_roi_align _ps_roi_align_backward
ps_roi_pool _ps_roi_pool_backward deform_conv2d _deform_conv2d_backward""".split()
_kept: list[Any] = []


def prepare() -> None:
    """Give PyTorch the names of the operators, once, where torchvision was built for another build of it."""
    import torch

    if not _kept and metadata.version("torchvision").partition("+")[2] != torch.__version__.partition("+")[2]:
        library = torch.library.Library("torchvision", "FRAGMENT")
        _kept.append(library)  # the names are gone with it
        for name in _NAMES:
            library.define(f"{name}(Tensor x) -> Tensor")


def torchvision() -> Any:
    """Import torchvision; where it is not installed the module of the caller is skipped."""
    if "torchvision" not in sys.modules:
        import pytest

        pytest.importorskip("torch")
        try:
            prepare()
        except metadata.PackageNotFoundError:
            pytest.skip("torchvision is not installed", allow_module_level=True)
    import torchvision

    return torchvision


def plain_nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Non-maximum suppression as it is defined, box by box."""
    import torch

    kept: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        ious = torchvision().ops.box_iou(boxes[i : i + 1].detach(), boxes[kept].detach())
        if not (ious.double() > iou_threshold).any():
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


def with_operators() -> Any:
    """torchvision whose detection models run: RoIAlign by its own Python code, uncompiled, and `plain_nms`."""
    found = torchvision()
    align = sys.modules["torchvision.ops.roi_align"]
    align._roi_align = getattr(align._roi_align, "__wrapped__", align._roi_align)
    between = getattr(align._bilinear_interpolate, "plain", align._bilinear_interpolate)

    def bilinear(input: Any, images: Any, y: Any, x: Any, *masks: Any) -> Any:
        """As the compiled code does, and the Python code forgets: what is more than a cell outside counts as 0."""
        down, across = ((at >= -1) & (at <= size) for at, size in zip((y, x), input.shape[2:], strict=True))
        return between(input, images, y, x, *masks) * (down[:, None, :, None, :, None] & across[:, None, None, :, None, :])

    bilinear.plain = between  # type: ignore[attr-defined]
    align._bilinear_interpolate = bilinear
    found.ops.nms = found.ops.boxes.nms = plain_nms
    return found
