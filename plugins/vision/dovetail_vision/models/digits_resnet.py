"""A small ResNet for 8 × 8 digits, with torchvision's parameter names: the model of a checkpoint that PyTorch wrote."""

from __future__ import annotations

from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import UnsupportedError, ValueRangeError

__all__ = ["DigitsResNet", "digits_resnet"]


def stage(inplanes: int, planes: int, stride: int = 1) -> nn.Sequential:
    """One basic block of torchvision's ResNet, with the shortcut's projection where shapes differ."""
    from .resnet import BasicBlock  # here, so that the package does not bring all ResNets with it

    shortcut = None
    if stride != 1 or inplanes != planes:
        shortcut = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
    return nn.Sequential(BasicBlock(inplanes, planes, stride, shortcut))


class DigitsResNet(nn.Module):
    """Three stages of one block of ``width``, 2 ``width`` and 4 ``width`` channels: ``(N, 1, 8, 8)`` to ``(N, num_classes)``.

    After He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385.
    """

    def __init__(self, num_classes: int = 10, width: int = 16) -> None:
        super().__init__()
        if num_classes < 1 or width < 1:
            what = f"num_classes is {num_classes} and width is {width}"
            raise ValueRangeError("DigitsResNet", what, "expected 1 or more of each")
        self.conv1 = nn.Conv2d(1, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = stage(width, width)  # 8 × 8
        self.layer2 = stage(width, 2 * width, 2)  # 4 × 4
        self.layer3 = stage(2 * width, 4 * width, 2)  # 2 × 2
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.avgpool(x).flatten(1))


def digits_resnet(num_classes: int = 10, width: int = 16, weights: Any = None) -> DigitsResNet:
    """Build the network, with the weights of a manifest's entry if one is given; 77,754 parameters as it stands.

    ``vision/digits_resnet@torch`` was trained and saved by PyTorch 2.13 (``recipes/digits_resnet_torch.py``), on
    ``(scan / 255 - 0.3) / 0.38``; ``models.create("vision/digits_resnet", weights="torch")`` reads its ``.pth`` file. Raises an
    UnsupportedError for weights that do not ship with the package.

    >>> sum(p.numel() for p in digits_resnet().parameters())
    77754
    """
    model = DigitsResNet(num_classes, width)
    if weights is not None:
        from dovetail.weights import load

        if not hasattr(weights, "file"):
            raise UnsupportedError("digits_resnet", f"weights is {weights!r}", "expected 'torch'", "pass a state dict to models.create")
        model.load_state_dict(load(weights))
    return model
