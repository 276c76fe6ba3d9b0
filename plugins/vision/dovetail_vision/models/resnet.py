"""Residual networks: ResNet, ResNeXt and Wide ResNet, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail import Tensor, flatten, nn
from dovetail.errors import UnsupportedError, ValueRangeError

from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights

_ENUMS = {
    "ResNet18_Weights": "resnet18", "ResNet34_Weights": "resnet34", "ResNet50_Weights": "resnet50", "ResNet101_Weights": "resnet101",
    "ResNet152_Weights": "resnet152", "ResNeXt50_32X4D_Weights": "resnext50_32x4d", "ResNeXt101_32X8D_Weights": "resnext101_32x8d",
    "ResNeXt101_64X4D_Weights": "resnext101_64x4d", "Wide_ResNet50_2_Weights": "wide_resnet50_2",
    "Wide_ResNet101_2_Weights": "wide_resnet101_2",
}  # fmt: skip
__all__ = ["ResNet", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Norm = Callable[..., nn.Module]


def conv3x3(in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A 3 × 3 convolution without bias that keeps the size (at stride 1)."""
    return nn.Conv2d(in_planes, out_planes, 3, stride, padding=dilation, dilation=dilation, groups=groups, bias=False)


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """A 1 × 1 convolution without bias."""
    return nn.Conv2d(in_planes, out_planes, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """``relu(x + f(x))`` with two 3 × 3 convolutions in ``f``; ``downsample`` brings ``x`` to the shape of ``f(x)``."""

    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None, groups: int = 1, base_width: int = 64,
        dilation: int = 1, norm_layer: Norm | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueRangeError("BasicBlock", f"groups is {groups} and base_width is {base_width}", "expected 1 and 64")
        if dilation > 1:
            raise UnsupportedError("BasicBlock", f"dilation is {dilation}", "expected 1", "resnet50 and deeper ones take it")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """``relu(x + f(x))`` with convolutions 1 × 1, 3 × 3 (which has the stride: version 1.5 of ResNet) and 1 × 1 in ``f``."""

    expansion = 4

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None, groups: int = 1, base_width: int = 64,
        dilation: int = 1, norm_layer: Norm | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """A residual network of four stages of ``layers`` blocks each: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    ``zero_init_residual`` starts every block as the identity; ``groups`` and ``width_per_group`` make it ResNeXt or wide;
    ``replace_stride_with_dilation`` keeps the size in the last three stages; ``norm_layer`` takes the place of BatchNorm2d.

    After He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, https://arxiv.org/abs/1512.03385.

    >>> from dovetail import zeros
    >>> ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, block: type[BasicBlock | Bottleneck], layers: list[int], num_classes: int = 1000, zero_init_residual: bool = False,
        groups: int = 1, width_per_group: int = 64, replace_stride_with_dilation: list[bool] | None = None,
        norm_layer: Norm | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation = 64, 1
        self.groups, self.base_width = groups, width_per_group
        dilate = [False, False, False] if replace_stride_with_dilation is None else replace_stride_with_dilation
        if len(dilate) != 3:
            raise ValueRangeError("ResNet", f"replace_stride_with_dilation is {dilate}", "expected None or three truth values")
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = self._norm_layer(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialise(zero_init_residual)

    def _make_layer(self, block: type[Any], planes: int, blocks: int, stride: int = 1, dilate: bool = False) -> nn.Sequential:
        before = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        shortcut, width = None, planes * block.expansion
        if stride != 1 or self.inplanes != width:
            shortcut = nn.Sequential(conv1x1(self.inplanes, width, stride), self._norm_layer(width))
        layers = [block(self.inplanes, planes, stride, shortcut, self.groups, self.base_width, before, self._norm_layer)]
        self.inplanes = width
        for _ in range(1, blocks):
            layers.append(block(width, planes, 1, None, self.groups, self.base_width, self.dilation, self._norm_layer))
        return nn.Sequential(*layers)

    def _initialise(self, zero_residual: bool) -> None:
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
        for m in self.modules() if zero_residual else ():
            last = m.bn3 if isinstance(m, Bottleneck) else m.bn2 if isinstance(m, BasicBlock) else None
            if last is not None and last.weight is not None:
                nn.init.constant_(last.weight, 0)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(flatten(self.avgpool(x), 1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


def _resnet(
    block: type[BasicBlock | Bottleneck], layers: list[int], weights: WeightsEnum | Weights | None, progress: bool, **kwargs: Any
) -> ResNet:
    return build(weights, progress, ResNet, block, layers, **kwargs)


def _fixed(kwargs: dict[str, Any], **values: int) -> dict[str, Any]:
    """Set what makes the variant; a ValueError when another value is given."""
    for name, value in values.items():
        if kwargs.setdefault(name, value) != value:
            raise ValueRangeError("ResNet", f"{name} is {kwargs[name]}", f"expected {value} for this variant", "build ResNet itself")
    return kwargs


@takes_weights("ResNet18_Weights")
def resnet18(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-18.

    ``weights``: a ``ResNet18_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(BasicBlock, [2, 2, 2, 2], weights, progress, **kwargs)


@takes_weights("ResNet34_Weights")
def resnet34(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-34.

    ``weights``: a ``ResNet34_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(BasicBlock, [3, 4, 6, 3], weights, progress, **kwargs)


@takes_weights("ResNet50_Weights")
def resnet50(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-50.

    ``weights``: a ``ResNet50_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 4, 6, 3], weights, progress, **kwargs)


@takes_weights("ResNet101_Weights")
def resnet101(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-101.

    ``weights``: a ``ResNet101_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 4, 23, 3], weights, progress, **kwargs)


@takes_weights("ResNet152_Weights")
def resnet152(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNet-152.

    ``weights``: a ``ResNet152_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 8, 36, 3], weights, progress, **kwargs)


@takes_weights("ResNeXt50_32X4D_Weights")
def resnext50_32x4d(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNeXt-50 32x4d (https://arxiv.org/abs/1611.05431).

    ``weights``: a ``ResNeXt50_32X4D_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 4, 6, 3], weights, progress, **_fixed(kwargs, groups=32, width_per_group=4))


@takes_weights("ResNeXt101_32X8D_Weights")
def resnext101_32x8d(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNeXt-101 32x8d (https://arxiv.org/abs/1611.05431).

    ``weights``: a ``ResNeXt101_32X8D_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 4, 23, 3], weights, progress, **_fixed(kwargs, groups=32, width_per_group=8))


@takes_weights("ResNeXt101_64X4D_Weights")
def resnext101_64x4d(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """ResNeXt-101 64x4d (https://arxiv.org/abs/1611.05431).

    ``weights``: a ``ResNeXt101_64X4D_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 4, 23, 3], weights, progress, **_fixed(kwargs, groups=64, width_per_group=4))


@takes_weights("Wide_ResNet50_2_Weights")
def wide_resnet50_2(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Wide ResNet-50-2 (https://arxiv.org/abs/1605.07146), with 3 × 3 convolutions of twice the width.

    ``weights``: a ``Wide_ResNet50_2_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 4, 6, 3], weights, progress, **_fixed(kwargs, width_per_group=128))


@takes_weights("Wide_ResNet101_2_Weights")
def wide_resnet101_2(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Wide ResNet-101-2 (https://arxiv.org/abs/1605.07146), with 3 × 3 convolutions of twice the width.

    ``weights``: a ``Wide_ResNet101_2_Weights`` or its name; ``kwargs`` go to `ResNet`.
    """
    return _resnet(Bottleneck, [3, 4, 23, 3], weights, progress, **_fixed(kwargs, width_per_group=128))
