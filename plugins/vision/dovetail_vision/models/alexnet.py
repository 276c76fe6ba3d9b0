"""AlexNet, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor, flatten, nn

from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]  # noqa: F822

__getattr__ = lazy_enums(__name__, {"AlexNet_Weights": "alexnet"})


class AlexNet(nn.Module):
    """Five convolutions and three linear layers: ``(N, 3, H, W)``, 63 or more each way, to ``(N, num_classes)``.

    After Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks, https://arxiv.org/abs/1404.5997.

    >>> from dovetail import zeros
    >>> AlexNet(num_classes=10)(zeros(2, 3, 64, 64)).shape
    dovetail.Size([2, 10])
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(True), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(True), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(True),
            nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(True),
            nn.Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(flatten(self.avgpool(self.features(x)), 1))


@takes_weights("AlexNet_Weights")
def alexnet(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> AlexNet:
    """AlexNet.

    ``weights``: an ``AlexNet_Weights`` or its name; ``kwargs`` go to `AlexNet`.
    """
    return build(weights, progress, AlexNet, **kwargs)
