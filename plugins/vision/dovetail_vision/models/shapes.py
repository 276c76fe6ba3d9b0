"""Small models for the pictures of ``vision/shapes``, made of the parts of the large ones."""

from __future__ import annotations

from typing import Any, TypeVar

from dovetail import Tensor, nn
from dovetail import weights as registry
from dovetail.errors import TypeMismatch, UnknownNameError

from .detection.anchor_utils import AnchorGenerator
from .detection.backbone_utils import BackboneWithFPN
from .detection.fcos import FCOS, FCOSHead
from .digits_resnet import stage
from .segmentation.fcn import FCN, FCNHead

__all__ = ["TinyResNet", "shapes_detector", "shapes_segmenter"]

M = TypeVar("M", bound=nn.Module)


class TinyResNet(nn.Module):
    """Four stages of one basic block, of ``width``, 2, 4 and 8 times ``width`` channels, at a half, 4th, 8th and 16th of the size.

    >>> from dovetail import zeros
    >>> TinyResNet(4)(zeros(1, 3, 32, 32)).shape
    dovetail.Size([1, 32, 2, 2])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = stage(width, width)
        self.layer2 = stage(width, 2 * width, 2)
        self.layer3 = stage(2 * width, 4 * width, 2)
        self.layer4 = stage(4 * width, 8 * width, 2)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def _pyramid(width: int, names: dict[str, str], channels: int, **kwargs: Any) -> BackboneWithFPN:
    """A feature pyramid of ``channels`` on the stages of a `TinyResNet` in ``names``; ``kwargs`` go to `BackboneWithFPN`."""
    widths = [width * 2 ** (int(layer[-1]) - 1) for layer in names]
    return BackboneWithFPN(TinyResNet(width), names, widths, channels, **kwargs)


def _with_shipped(model: M, name: str, chosen: Any) -> M:
    """The model with weights of the manifest: ``chosen`` is an entry, a variant's name, ``"DEFAULT"``, or None for none."""
    if chosen is None:
        return model
    if isinstance(chosen, str):
        rows = registry.list(f"vision/{name}@*")
        key = rows[0] if chosen == "DEFAULT" else f"vision/{name}@{chosen.lower()}"
        if key not in rows:
            have = ", ".join(row.partition("@")[2] for row in rows)
            raise UnknownNameError(name, f"there are no weights {chosen!r}", f"expected DEFAULT or one of {have}")
        chosen = registry.get(key)
    if not hasattr(chosen, "file"):
        raise TypeMismatch(name, f"weights is {chosen!r}", "expected None or the name of weights", "pass a state dict to models.create")
    model.load_state_dict(registry.load(chosen))
    return model


def shapes_segmenter(num_classes: int = 6, width: int = 16, channels: int = 32, weights: Any = None) -> FCN:
    """`FCN` on a feature pyramid: ``(N, 3, H, W)`` to a dict with ``"out"``, ``(N, num_classes, H, W)``.

    ``width`` is that of the first stage of the ResNet, ``channels`` those of the pyramid. ``weights="DEFAULT"`` loads what ships with
    the package, trained on ``vision/shapes`` by ``recipes/shapes_segmenter.py``; its transform is
    ``dovetail.weights.transforms("vision/shapes_segmenter@v1")``.

    >>> from dovetail import zeros
    >>> shapes_segmenter()(zeros(2, 3, 64, 48))["out"].shape
    dovetail.Size([2, 6, 64, 48])
    """
    names = {"layer1": "out", "layer2": "1", "layer3": "2", "layer4": "3"}
    backbone = _pyramid(width, names, channels)
    for i in range(1, len(names)):  # only the finest map is looked at
        backbone.fpn.layer_blocks[i] = nn.Identity()
    return _with_shipped(FCN(backbone, FCNHead(channels, num_classes)), "shapes_segmenter", weights)


def shapes_detector(num_classes: int = 6, width: int = 16, channels: int = 32, weights: Any = None, **kwargs: Any) -> FCOS:
    """`FCOS` on a feature pyramid: a list of images ``(3, H, W)`` to a dict of ``boxes``, ``labels`` and ``scores`` of each.

    Images are floats in 0..1, whose smaller edge is brought to 96 pixels. ``width`` is that of the first stage of the ResNet,
    ``channels`` those of the pyramid, a multiple of 32; ``kwargs`` go to `FCOS`. ``weights="DEFAULT"`` loads what ships with the
    package, trained on ``vision/shapes`` by ``recipes/shapes_detector.py``.

    >>> from dovetail import rand
    >>> found = shapes_detector().eval()([rand(3, 96, 96), rand(3, 64, 48)])
    >>> [sorted(one) for one in found]
    [['boxes', 'labels', 'scores'], ['boxes', 'labels', 'scores']]
    """
    backbone = _pyramid(width, {"layer2": "0", "layer3": "1", "layer4": "2"}, channels)
    head = FCOSHead(channels, 1, num_classes, num_convs=2)
    settings = {"min_size": 96, "max_size": 192, "image_mean": [0.5] * 3, "image_std": [0.25] * 3, "nms_thresh": 0.5, **kwargs}
    cells = AnchorGenerator(((4,), (8,), (16,), (32,)), ((1.0,),) * 4)
    model = FCOS(backbone, num_classes, anchor_generator=cells, head=head, **settings)
    return _with_shipped(model, "shapes_detector", weights)
