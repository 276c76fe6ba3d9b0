"""How every detector runs: check the targets, prepare images, make maps; and the two-stage detectors that go on with proposals."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import AssertedError

from .image_list import ImageList

__all__ = ["Detector", "GeneralizedRCNN"]

Target = dict[str, Tensor]
Result = Any  # a dict of losses while training, else a list of dicts of detections


class Detector(nn.Module):
    """Images (C, H, W) with values in 0..1 to detections; while training, with targets, to losses.

    While training a dict of losses; else for each image a dict of ``boxes`` (N, 4), xyxy, ``labels`` (N,), ``scores`` (N,), best
    first, and what else the model finds. A target has ``boxes`` (N, 4), xyxy, and ``labels`` (N,), int64, of one image. Raises an
    AssertionError for targets that are missing, or boxes without width or height.

    A subclass has ``transform`` and ``backbone``, and says in `detect` what it makes of the maps.
    """

    transform: Any
    backbone: Any

    def forward(self, images: Sequence[Tensor], targets: Sequence[Target] | None = None) -> Result:
        if self.training:
            self._check_targets(targets)
        originals = [(image.shape[-2], image.shape[-1]) for image in images]
        prepared, scaled = self.transform(images, targets)
        self._check_boxes(scaled or ())
        features = self.backbone(prepared.tensors)
        if isinstance(features, Tensor):
            features = OrderedDict([("0", features)])
        losses, detections = self.detect(prepared, features, scaled)
        if not self.training:
            detections = self.transform.postprocess(detections, prepared.image_sizes, originals)
        return self.eager_outputs(losses, detections)

    def eager_outputs(self, losses: dict[str, Tensor], detections: list[Target]) -> Result:
        """What a call gives: losses while training, else detections."""
        return losses if self.training else detections

    def detect(
        self, images: ImageList, features: dict[str, Tensor], targets: list[Target] | None
    ) -> tuple[dict[str, Tensor], list[Target]]:
        """Losses (while training) and detections (else) of prepared images."""
        raise NotImplementedError

    def _check_targets(self, targets: Sequence[Target] | None) -> None:
        where = type(self).__name__
        if targets is None:
            raise AssertedError(where, "targets should not be none when in training mode")
        for target in targets:
            boxes = target["boxes"]
            if not isinstance(boxes, Tensor):
                raise AssertedError(where, f"Expected target boxes to be of type Tensor, got {type(boxes)}")
            if boxes.ndim != 2 or boxes.shape[-1] != 4:
                raise AssertedError(where, f"Expected target boxes to be a tensor of shape [N, 4], got {tuple(boxes.shape)}")

    def _check_boxes(self, targets: Sequence[Target]) -> None:
        for i, target in enumerate(targets):
            flat = (target["boxes"][:, 2:] <= target["boxes"][:, :2]).any(1)
            if flat.any():
                box = target["boxes"][flat][0].tolist()
                text = "All bounding boxes should have positive height and width."
                raise AssertedError(type(self).__name__, f"{text} Found invalid box {box} for target at index {i}.")


class GeneralizedRCNN(Detector):
    """A detector of two stages: ``rpn`` proposes regions of the maps, ``roi_heads`` says what is in them and where exactly."""

    def __init__(self, backbone: nn.Module, rpn: nn.Module, roi_heads: nn.Module, transform: nn.Module) -> None:
        super().__init__()
        self.transform = transform
        self.backbone = backbone
        self.rpn = rpn
        self.roi_heads = roi_heads

    def detect(
        self, images: ImageList, features: dict[str, Tensor], targets: list[Target] | None
    ) -> tuple[dict[str, Tensor], list[Target]]:
        proposals, losses = self.rpn(images, features, targets)
        detections, more = self.roi_heads(features, proposals, images.image_sizes, targets)
        return {**more, **losses}, detections
