"""What a model says of one image: its classes, its boxes or its segmentation, in words and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import dovetail
from dovetail import Tensor
from dovetail.errors import UnsupportedError
from dovetail.nn import functional as F

from .. import utils

__all__ = ["Answer", "answer"]

_WIDTH = 2


@dataclass
class Answer:
    """The kind of answer, its rows (what was found, and how sure), and the picture of it where there is one."""

    task: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    picture: Tensor | None = None


def _name(classes: list[str] | None, index: int) -> str:
    return classes[index] if classes is not None and index < len(classes) else str(index)


def _classified(scores: Tensor, classes: list[str] | None, top: int) -> Answer:
    shares = F.softmax(scores.float(), 0)
    best = dovetail.topk(shares, min(top, len(shares)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    rows = [{"class": _name(classes, index), "index": index, "probability": round(share, 6)} for index, share in pairs]
    return Answer("classification", ("class", "index", "probability"), rows)


def _detected(found: dict[str, Tensor], image: Tensor, classes: list[str] | None, threshold: float) -> Answer:
    scores = found["scores"]
    kept = dovetail.nonzero(scores >= threshold).flatten()
    boxes, labels, sure = found["boxes"][kept], found["labels"][kept].tolist(), scores[kept].tolist()
    rows = [
        {"class": _name(classes, index), "index": index, "score": round(score, 6), "box": [round(x, 2) for x in box]}
        for index, score, box in zip(labels, sure, boxes.tolist(), strict=True)
    ]
    picture = image
    if rows:
        colours = _colours(labels)
        if "masks" in found:
            picture = utils.draw_segmentation_masks(picture, found["masks"][kept].squeeze(1) > 0.5, 0.5, colours)
        texts = [f"{row['class']} {row['score']:.2f}" for row in rows]
        picture = utils.draw_bounding_boxes(picture, boxes, texts, colours, width=_WIDTH, fill_labels=True)
        if "keypoints" in found:
            points = found["keypoints"][kept]
            picture = utils.draw_keypoints(picture, points[..., :2], colors="red", radius=_WIDTH, visibility=points[..., 2] > 0)
    return Answer("detection", ("class", "index", "score", "box"), rows, picture)


def _segmented(scores: Tensor, image: Tensor, classes: list[str] | None) -> Answer:
    size = tuple(image.shape[-2:])
    if tuple(scores.shape[-2:]) != size:
        scores = F.interpolate(scores.unsqueeze(0), size=size, mode="bilinear", align_corners=False).squeeze(0)
    of_pixel = scores.argmax(0)
    counts = dovetail.bincount(of_pixel.flatten(), minlength=len(scores)).tolist()
    found = [index for index, count in enumerate(counts) if count]
    rows = [
        {"class": _name(classes, index), "index": index, "pixels": counts[index], "share": round(counts[index] / of_pixel.numel(), 6)}
        for index in sorted(found, key=lambda index: -counts[index])
    ]
    things = [index for index in found if index]  # 0 is the background
    picture = image
    if things:
        masks = dovetail.stack([of_pixel == index for index in things])
        picture = utils.draw_segmentation_masks(image, masks, 0.6, _colours(things))
    return Answer("segmentation", ("class", "index", "pixels", "share"), rows, picture)


def _colours(labels: list[int]) -> list[Any]:
    """A colour for each class, the same on every picture."""
    wheel = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#f032e6", "#9a6324", "#800000", "#808000"]
    return [wheel[label % len(wheel)] for label in labels]


def answer(model: Any, prepare: Any, image: Tensor, classes: list[str] | None, threshold: float, top: int, listed: bool = False) -> Answer:
    """Ask a model in ``eval`` mode of an image, uint8 ``(3, H, W)``; which kind of model it is shows in what it gives.

    Detectors take lists of images (``listed``), all others batches.
    """
    prepared = prepare(image)
    with dovetail.no_grad():
        out = model([prepared] if listed else prepared.unsqueeze(0))
    if isinstance(out, (list, tuple)) and out and isinstance(out[0], dict) and "boxes" in out[0]:
        return _detected(out[0], image, classes, threshold)
    out = out.get("out") if isinstance(out, dict) else out[0] if isinstance(out, tuple) else out
    if isinstance(out, Tensor) and out.ndim == 2:
        return _classified(out[0], classes, top)
    if isinstance(out, Tensor) and out.ndim == 4:
        return _segmented(out[0], image, classes)
    raise UnsupportedError("predict", f"the model gave {type(out).__name__}", "expected scores (N, C) or (N, C, H, W), or a list of boxes")
