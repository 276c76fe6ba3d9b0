"""The masks of Mask R-CNN: true ones cut out by boxes for the loss, predicted ones pasted back into the image."""

from __future__ import annotations

from collections.abc import Sequence

import dovetail
from dovetail import Tensor
from dovetail.nn import functional as F

from ...ops import roi_align

__all__ = [
    "expand_boxes", "expand_masks", "maskrcnn_inference", "maskrcnn_loss", "paste_mask_in_image", "paste_masks_in_image",
    "project_masks_on_boxes",
]  # fmt: skip


def maskrcnn_inference(x: Tensor, labels: Sequence[Tensor]) -> Sequence[Tensor]:
    """Of mask logits (N, classes, M, M) the probabilities for each one's own label, by image: (L, 1, M, M)."""
    own = dovetail.cat(list(labels))
    chosen = x.sigmoid()[dovetail.arange(len(x), device=own.device), own][:, None]
    return chosen.split([len(one) for one in labels])


def project_masks_on_boxes(gt_masks: Tensor, boxes: Tensor, matched_idxs: Tensor, M: int) -> Tensor:
    """The masks (T, H, W) of the numbers ``matched_idxs`` (N,), each as its box (N, 4) shows it, in M × M cells: (N, M, M)."""
    rois = dovetail.cat((matched_idxs.to(boxes.dtype)[:, None], boxes), 1)
    return roi_align(gt_masks[:, None].to(rois.dtype), rois, (M, M), 1.0)[:, 0]


def maskrcnn_loss(
    mask_logits: Tensor,
    proposals: Sequence[Tensor],
    gt_masks: Sequence[Tensor],
    gt_labels: Sequence[Tensor],
    mask_matched_idxs: Sequence[Tensor],
) -> Tensor:
    """Cross-entropy, cell by cell, of the masks predicted for the true labels."""
    size = mask_logits.shape[-1]
    labels = dovetail.cat([one[at] for one, at in zip(gt_labels, mask_matched_idxs, strict=True)])
    parts = zip(gt_masks, proposals, mask_matched_idxs, strict=True)
    targets = dovetail.cat([project_masks_on_boxes(masks, boxes, at, size) for masks, boxes, at in parts])
    if targets.numel() == 0:
        return mask_logits.sum() * 0
    return F.binary_cross_entropy_with_logits(mask_logits[dovetail.arange(len(labels), device=labels.device), labels], targets)


def expand_boxes(boxes: Tensor, scale: float) -> Tensor:
    """Boxes (N, 4), xyxy, made larger around their centres."""
    half, centre = (boxes[:, 2:] - boxes[:, :2]) * 0.5 * scale, (boxes[:, 2:] + boxes[:, :2]) * 0.5
    return dovetail.cat((centre - half, centre + half), 1)


def expand_masks(mask: Tensor, padding: int) -> tuple[Tensor, float]:
    """Masks with so many zeros around, and how much larger they are."""
    return F.pad(mask, (padding,) * 4), (mask.shape[-1] + 2 * padding) / mask.shape[-1]


def paste_masks_in_image(masks: Tensor, boxes: Tensor, img_shape: Sequence[int], padding: int = 1) -> Tensor:
    """Masks (N, 1, M, M) where their boxes (N, 4) are in an image of ``img_shape``: (N, 1, H, W).

    A mask is resized bilinearly to its box; that is a product of two matrices with it, and so all are pasted at once.

    >>> paste_masks_in_image(dovetail.ones(1, 1, 2, 2), dovetail.tensor([[1., 1, 2, 2]]), (4, 4))[0, 0, 1]
    tensor([0.1667, 1.0000, 0.1667, 0.0000])
    """
    masks, scale = expand_masks(masks, padding)
    return _pasted(masks[:, 0], expand_boxes(boxes, scale).long(), img_shape)[:, None]


def paste_mask_in_image(mask: Tensor, box: Tensor, im_h: int, im_w: int) -> Tensor:
    """One mask (M, M), with the zeros around it, where its box (4,) of whole pixels is: (im_h, im_w).

    >>> paste_mask_in_image(dovetail.ones(2, 2), dovetail.tensor([1, 1, 2, 2]), 3, 4)
    tensor([[0., 0., 0., 0.],
            [0., 1., 1., 0.],
            [0., 1., 1., 0.]])
    """
    return _pasted(mask[None], box[None].long(), (im_h, im_w))[0]


def _pasted(masks: Tensor, corners: Tensor, img_shape: Sequence[int]) -> Tensor:
    across, down = (_resizing(corners[:, d], corners[:, d + 2], img_shape[1 - d], masks) for d in (0, 1))
    return dovetail.matmul(dovetail.matmul(down, masks), across.transpose(1, 2))


def _resizing(low: Tensor, high: Tensor, length: int, masks: Tensor) -> Tensor:
    """How much of each of a mask's cells a pixel shows, along one side: (N, length, M)."""
    cells = masks.shape[-1]
    size = (high - low + 1).clamp(min=1)[:, None]
    pixel = dovetail.arange(length, device=masks.device)
    inside = (pixel >= low[:, None]) & (pixel <= high[:, None])
    at = ((pixel - low[:, None] + 0.5) * (cells / size.to(masks.dtype)) - 0.5).clamp(0, cells - 1)
    shown = (1 - (at[:, :, None] - dovetail.arange(cells, device=masks.device)).abs()).clamp(min=0)
    return shown * inside[:, :, None]
