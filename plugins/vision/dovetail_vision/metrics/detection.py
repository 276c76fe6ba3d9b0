"""COCO's mean average precision and recall of boxes, masks and key points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dovetail import Tensor, from_numpy
from dovetail.errors import RangeError, ShapeError, ValueRangeError

from . import _coco
from ._base import Metric

__all__ = ["MeanAveragePrecision", "mean_average_precision"]

Found = Mapping[str, Any]


def _array(where: str, one: Found, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A column of a dict as an array; a dimension of −1 may be any."""
    if name not in one:
        raise ValueRangeError("MeanAveragePrecision", f"{where} has no {name!r}, but {', '.join(one) or 'nothing'}")
    value = one[name]
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.ndim != len(shape) or any(want not in (-1, have) for want, have in zip(shape, array.shape, strict=True)):
        expected = "(" + ", ".join("N" if n == -1 else str(n) for n in shape) + ")"
        raise ShapeError("MeanAveragePrecision", f"{name} of {where} has shape {array.shape}", f"expected {expected}")
    return array.astype(dtype)


def _masks(where: str, one: Found, count: int) -> np.ndarray:
    """Masks (N, H, W) as bools; (N, 1, H, W) of probabilities, as Mask R-CNN gives them, above one half."""
    masks = one.get("masks")
    shape = (count, 1, -1, -1) if getattr(masks, "ndim", 3) == 4 else (count, -1, -1)
    array = _array(where, one, "masks", shape, None)
    array = array.reshape(count, *array.shape[-2:])
    return array > 0.5 if array.dtype.kind == "f" else array != 0


class MeanAveragePrecision(Metric):
    """COCO's average precision and recall, of ``iou_type`` ``"bbox"``, ``"segm"`` or ``"keypoints"``; it agrees with pycocotools.

    ``update`` takes what torchvision's detection models give and are given: of each image a dict with ``boxes`` ``(N, 4)`` of
    ``(xmin, ymin, xmax, ymax)``, ``labels`` ``(N,)``, the output also ``scores`` ``(N,)``, and ``masks`` ``(N, H, W)`` for ``"segm"``;
    a target may have ``iscrowd`` and ``area``. ``compute()`` gives the mean over IoU 0.50, 0.55 … 0.95 and the classes, ``summary()``
    all figures. ``max_detections`` says how many of a class in an image count at most, for each recall: 1, 10 and 100; of key points 20.

    For ``"keypoints"`` both dicts have ``keypoints`` ``(N, K, 3)``: x, y and, in the target, above 0 where a point is marked. ``sigmas``
    says how exactly each can be marked, in shares of the object's size; left out, they are those of COCO's 17 points of persons. Objects
    without a marked point do not count. ``area`` is the object's, not its box's, where the target has it.

    Lin et al., Microsoft COCO: Common Objects in Context, https://arxiv.org/abs/1405.0312.

    >>> from dovetail import tensor
    >>> there = {"boxes": tensor([[2.0, 2, 12, 12], [20, 20, 30, 40]]), "labels": tensor([1, 2])}
    >>> found = {"boxes": tensor([[2.0, 2, 12, 11], [20, 20, 30, 30]]), "labels": tensor([1, 2]), "scores": tensor([0.9, 0.8])}
    >>> metric = MeanAveragePrecision()
    >>> metric.update([found], [there])
    >>> figures = metric.summary()
    >>> round(metric.compute(), 4), round(figures["map_50"], 4), round(figures["map_75"], 4), figures["map_large"]
    (0.5, 1.0, 0.5, -1.0)
    """

    def __init__(
        self,
        iou_type: str = "bbox",
        iou_thresholds: Sequence[float] | None = None,
        max_detections: Sequence[int] | None = None,
        sigmas: Sequence[float] | None = None,
    ) -> None:
        if iou_type not in ("bbox", "segm", "keypoints"):
            raise ValueRangeError("MeanAveragePrecision", f"iou_type is {iou_type!r}", 'expected "bbox", "segm" or "keypoints"')
        if max_detections is None:
            max_detections = (20, 20, 20) if iou_type == "keypoints" else (1, 10, 100)
        if len(max_detections) != 3 or not 0 < max_detections[0] <= max_detections[1] <= max_detections[2]:
            raise ValueRangeError("MeanAveragePrecision", f"max_detections is {max_detections}", "expected three rising numbers")
        self.iou_type, self.max_detections = iou_type, tuple(max_detections)
        self.iou_thresholds = np.linspace(0.5, 0.95, 10) if iou_thresholds is None else np.asarray(iou_thresholds, np.float64)
        self.sigmas = _coco.SIGMAS if sigmas is None else np.asarray(sigmas, np.float64)
        super().__init__()

    def reset(self) -> None:
        """Forget all images."""
        self.images: list[_coco.Image] = []
        self._scores: _coco.Scores | None = None

    def update(self, output: Sequence[Found], target: Sequence[Found]) -> None:
        """Take in what was found in some images and what is there: a dict for each image."""
        if len(output) != len(target):
            raise RangeError("MeanAveragePrecision", f"there are {len(output)} outputs and {len(target)} targets", "expected as many")
        self.images = [*self.images, *map(self._image, output, target)]
        self._scores = None

    def _image(self, found: Found, there: Found) -> _coco.Image:
        scores = _array("output", found, "scores", (-1,), np.float64)
        labels = _array("output", found, "labels", (len(scores),), np.int64)
        true_labels = _array("target", there, "labels", (-1,), np.int64)
        count, crowd = len(true_labels), np.zeros(len(true_labels), bool)
        if there.get("iscrowd") is not None:
            crowd = _array("target", there, "iscrowd", (count,), bool)
        if self.iou_type == "keypoints":
            return self._points(found, there, labels, scores, true_labels, crowd)
        if self.iou_type == "segm":
            pair: Any = _masks("output", found, len(scores)), _masks("target", there, count)
            if len(scores) and count and pair[0].shape[1:] != pair[1].shape[1:]:
                what = f"masks of output have shape {pair[0].shape} and of target {pair[1].shape}"
                raise ShapeError("MeanAveragePrecision", what, "expected the same H and W")
            ious = _coco.mask_ious if len(scores) and count else _no_masks
        else:
            pair = (_array(w, one, "boxes", (n, 4), np.float64) for w, one, n in (("output", found, len(scores)), ("target", there, count)))
            ious = _coco.box_ious
        table, areas, true_areas = ious(*pair, crowd)
        if there.get("area") is not None:
            true_areas = _array("target", there, "area", (count,), np.float64)
        return _coco.Image(labels, scores, areas, true_labels, true_areas, crowd, crowd, table)

    def _points(self, found: Found, there: Found, labels: Any, scores: Any, true_labels: Any, crowd: Any) -> _coco.Image:
        k, count = len(self.sigmas), len(true_labels)
        points = _array("output", found, "keypoints", (len(scores), k, 3), np.float64)
        true_points = _array("target", there, "keypoints", (count, k, 3), np.float64)
        boxes = _array("target", there, "boxes", (count, 4), np.float64)
        true_areas = np.prod(boxes[:, 2:] - boxes[:, :2], 1)
        if there.get("area") is not None:
            true_areas = _array("target", there, "area", (count,), np.float64)
        table, areas = _coco.keypoint_similarities(points[..., :2], true_points, boxes, true_areas, self.sigmas)
        ignored = crowd | ~(true_points[..., 2] > 0).any(1)
        return _coco.Image(labels, scores, areas, true_labels, true_areas, crowd, ignored, table)

    def _all(self) -> _coco.Scores:
        if self._scores is None:
            self._scores = _coco.score(self.images, self.iou_thresholds, self.max_detections)
        return self._scores

    def _average(self, values: np.ndarray) -> float:
        values = values[values > -1]
        return float(values.mean()) if values.size else -1.0

    def compute(self) -> float:
        """The mean average precision over all thresholds and classes; −1 when there are no objects."""
        return self._average(self._all().precision[..., 0]) if self.images else -1.0

    def summary(self) -> dict[str, float]:
        """COCO's twelve figures: ``map``, ``map_50``, ``map_75``, of each size (``map_small`` …), and recalls (``mar_1`` … ``mar_large``).

        Of key points ten: without the small ones, and of recalls ``mar``, ``mar_50``, ``mar_75``, ``mar_medium``, ``mar_large``.
        −1 stands where there are no objects. Small is up to 32² square pixels, large from 96² on.
        """
        if self.iou_type == "keypoints":
            return self._ten()
        sizes = list(_coco.AREAS)
        if not self.images:
            names = ["map", "map_50", "map_75", *(f"map_{size}" for size in sizes[1:])]
            return dict.fromkeys([*names, *(f"mar_{m}" for m in self.max_detections), *(f"mar_{size}" for size in sizes[1:])], -1.0)
        _, precision, recall = self._all()
        found = {"map": self.compute()}
        for threshold in (0.5, 0.75):
            found[f"map_{threshold * 100:.0f}"] = self._average(precision[np.isclose(self.iou_thresholds, threshold), ..., 0])
        found |= {f"map_{size}": self._average(precision[..., a]) for a, size in enumerate(sizes) if a}
        found |= {f"mar_{limit}": self._average(recall[:, :, 0, m]) for m, limit in enumerate(self.max_detections)}
        return found | {f"mar_{size}": self._average(recall[:, :, a, -1]) for a, size in enumerate(sizes) if a}

    def _ten(self) -> dict[str, float]:
        """The figures of key points."""
        names = [f"{kind}{part}" for kind in ("map", "mar") for part in ("", "_50", "_75", "_medium", "_large")]
        if not self.images:
            return dict.fromkeys(names, -1.0)
        _, precision, recall = self._all()
        sizes, found = list(_coco.AREAS), []
        for values in (precision, recall[..., -1]):
            found += [self._average(values[..., 0])]
            found += [self._average(values[np.isclose(self.iou_thresholds, t)][..., 0]) for t in (0.5, 0.75)]
            found += [self._average(values[..., sizes.index(size)]) for size in ("medium", "large")]
        return dict(zip(names, found, strict=True))

    def of_classes(self) -> dict[int, float]:
        """The average precision of each class over all thresholds, by its label; −1 for one that is found but nowhere there."""
        classes, precision, _ = self._all()
        return {int(label): self._average(precision[:, :, k, 0]) for k, label in enumerate(classes)}

    def curve(self, label: int, iou: float = 0.5) -> tuple[Tensor, Tensor]:
        """The precision of a class at 101 recalls from 0 to 1, interpolated as COCO does: ``(precision, recall)``, float64 ``(101,)``."""
        classes, precision, _ = self._all()
        rows, columns = np.flatnonzero(np.isclose(self.iou_thresholds, iou)), np.flatnonzero(classes == label)
        if not len(rows) or not len(columns):
            what = f"label is {label} and iou {iou}"
            raise RangeError("MeanAveragePrecision.curve", what, f"expected one of {classes.tolist()} and {self.iou_thresholds.tolist()}")
        return from_numpy(precision[rows[0], :, columns[0], 0].copy()), from_numpy(_coco.RECALLS.copy())


def _no_masks(found: np.ndarray, there: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    areas = (masks.sum((1, 2), dtype=np.float64) for masks in (found, there))
    return np.zeros((len(found), len(there))), *areas


def mean_average_precision(output: Sequence[Found], target: Sequence[Found], iou_type: str = "bbox") -> dict[str, float]:
    """`MeanAveragePrecision`'s summary of some images: COCO's twelve figures.

    >>> from dovetail import tensor
    >>> there = {"boxes": tensor([[2.0, 2, 12, 12]]), "labels": tensor([1])}
    >>> round(mean_average_precision([there | {"scores": tensor([0.9])}], [there])["map"], 6)
    1.0
    """
    metric = MeanAveragePrecision(iou_type)
    metric.update(output, target)
    return metric.summary()
