"""MobileNet V3, small and large, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dovetail import Tensor, flatten, nn
from dovetail.errors import TypeMismatch, ValueRangeError

from ..ops import Conv2dNormActivation, SqueezeExcitation
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import fan_out, initialise, normal
from ._utils import _make_divisible

_ENUMS = {"MobileNet_V3_Large_Weights": "mobilenet_v3_large", "MobileNet_V3_Small_Weights": "mobilenet_v3_small"}
__all__ = ["MobileNetV3", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Layer = Callable[..., nn.Module]


class InvertedResidualConfig:
    """One row of the paper's tables 1 and 2, its channels scaled by ``width_mult``; ``activation`` is "HS" (hard swish) or "RE" (ReLU)."""

    def __init__(
        self, input_channels: int, kernel: int, expanded_channels: int, out_channels: int, use_se: bool, activation: str, stride: int,
        dilation: int, width_mult: float,
    ) -> None:  # fmt: skip
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.kernel = kernel
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.use_se, self.use_hs = use_se, activation == "HS"
        self.stride, self.dilation = stride, dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """So many channels, scaled, as a multiple of 8.

        >>> InvertedResidualConfig.adjust_channels(40, 0.75)
        32
        """
        return _make_divisible(channels * width_mult, 8)


class InvertedResidual(nn.Module):
    """1 × 1, depthwise, squeeze and excitation, 1 × 1, as its row says; added to the input where shapes allow."""

    def __init__(
        self,
        cnf: InvertedResidualConfig,
        norm_layer: Layer,
        se_layer: Layer = partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid),  # noqa: B008
    ) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueRangeError("InvertedResidual", f"stride is {cnf.stride}", "expected 1 or 2")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        width = cnf.expanded_channels
        parts: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.Hardswish if cnf.use_hs else nn.ReLU}
        layers: list[nn.Module] = []
        if width != cnf.input_channels:
            layers.append(Conv2dNormActivation(cnf.input_channels, width, 1, **parts))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(Conv2dNormActivation(width, width, cnf.kernel, stride, groups=width, dilation=cnf.dilation, **parts))
        if cnf.use_se:
            layers.append(se_layer(width, _make_divisible(width // 4, 8)))
        layers.append(Conv2dNormActivation(width, cnf.out_channels, 1, norm_layer=norm_layer, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels
        self._is_cn = cnf.stride > 1  # where detection and segmentation tap features

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result += input
        return result


class MobileNetV3(nn.Module):
    """Inverted residuals by the rows of ``inverted_residual_setting``: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    ``last_channel`` is the width before the last layer. Other keyword arguments are ignored, as torchvision does.

    After Howard and others, Searching for MobileNetV3, https://arxiv.org/abs/1905.02244.

    >>> from dovetail import zeros
    >>> MobileNetV3(*_mobilenet_v3_conf("mobilenet_v3_small", 0.25), num_classes=10).eval()(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, inverted_residual_setting: Sequence[InvertedResidualConfig], last_channel: int, num_classes: int = 1000,
        block: Layer | None = None, norm_layer: Layer | None = None, dropout: float = 0.2, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if not inverted_residual_setting:
            raise ValueRangeError("MobileNetV3", "inverted_residual_setting is empty", "expected a row for each block")
        if not (
            isinstance(inverted_residual_setting, Sequence)
            and all(isinstance(row, InvertedResidualConfig) for row in inverted_residual_setting)
        ):
            what = f"inverted_residual_setting is {inverted_residual_setting!r}"
            raise TypeMismatch("MobileNetV3", what, "expected a list of InvertedResidualConfig")
        block, norm_layer = block or InvertedResidual, norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        parts: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.Hardswish}
        first, last = inverted_residual_setting[0].input_channels, inverted_residual_setting[-1].out_channels
        self.features = nn.Sequential(
            Conv2dNormActivation(3, first, stride=2, **parts),
            *(block(row, norm_layer) for row in inverted_residual_setting),
            Conv2dNormActivation(last, 6 * last, 1, **parts),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, last_channel), nn.Hardswish(True), nn.Dropout(dropout, True), nn.Linear(last_channel, num_classes)
        )
        initialise(self, fan_out, normal(0.01))

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(flatten(self.avgpool(self.features(x)), 1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


def _mobilenet_v3_conf(
    arch: str, width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False, **kwargs: Any
) -> tuple[list[InvertedResidualConfig], int]:
    """The rows and the last width; ``reduced_tail`` halves the channels of the last three blocks, ``dilated`` keeps their size."""
    half, d = 2 if reduced_tail else 1, 2 if dilated else 1
    rows: list[tuple[int, int, int, int, bool, str, int, int]]
    if arch == "mobilenet_v3_large":
        tail, wide, last = 160 // half, 960 // half, 1280 // half
        rows = [
            (16, 3, 16, 16, False, "RE", 1, 1), (16, 3, 64, 24, False, "RE", 2, 1), (24, 3, 72, 24, False, "RE", 1, 1),
            (24, 5, 72, 40, True, "RE", 2, 1), (40, 5, 120, 40, True, "RE", 1, 1), (40, 5, 120, 40, True, "RE", 1, 1),
            (40, 3, 240, 80, False, "HS", 2, 1), (80, 3, 200, 80, False, "HS", 1, 1), (80, 3, 184, 80, False, "HS", 1, 1),
            (80, 3, 184, 80, False, "HS", 1, 1), (80, 3, 480, 112, True, "HS", 1, 1), (112, 3, 672, 112, True, "HS", 1, 1),
            (112, 5, 672, tail, True, "HS", 2, d), (tail, 5, wide, tail, True, "HS", 1, d), (tail, 5, wide, tail, True, "HS", 1, d),
        ]  # fmt: skip
    elif arch == "mobilenet_v3_small":
        tail, wide, last = 96 // half, 576 // half, 1024 // half
        rows = [
            (16, 3, 16, 16, True, "RE", 2, 1), (16, 3, 72, 24, False, "RE", 2, 1), (24, 3, 88, 24, False, "RE", 1, 1),
            (24, 5, 96, 40, True, "HS", 2, 1), (40, 5, 240, 40, True, "HS", 1, 1), (40, 5, 240, 40, True, "HS", 1, 1),
            (40, 5, 120, 48, True, "HS", 1, 1), (48, 5, 144, 48, True, "HS", 1, 1),
            (48, 5, 288, tail, True, "HS", 2, d), (tail, 5, wide, tail, True, "HS", 1, d), (tail, 5, wide, tail, True, "HS", 1, d),
        ]  # fmt: skip
    else:
        raise ValueRangeError("mobilenet_v3", f"arch is {arch!r}", "expected mobilenet_v3_large or mobilenet_v3_small")
    return [InvertedResidualConfig(*row, width_mult) for row in rows], InvertedResidualConfig.adjust_channels(last, width_mult)


@takes_weights("MobileNet_V3_Large_Weights")
def mobilenet_v3_large(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MobileNetV3:
    """MobileNet V3 large.

    ``weights``: a ``MobileNet_V3_Large_Weights`` or its name; ``width_mult``, ``reduced_tail`` and ``dilated`` change its rows, other
    ``kwargs`` go to `MobileNetV3`.
    """
    return build(weights, progress, MobileNetV3, *_mobilenet_v3_conf("mobilenet_v3_large", **kwargs), **kwargs)


@takes_weights("MobileNet_V3_Small_Weights")
def mobilenet_v3_small(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> MobileNetV3:
    """MobileNet V3 small.

    ``weights``: a ``MobileNet_V3_Small_Weights`` or its name; ``width_mult``, ``reduced_tail`` and ``dilated`` change its rows, other
    ``kwargs`` go to `MobileNetV3`.
    """
    return build(weights, progress, MobileNetV3, *_mobilenet_v3_conf("mobilenet_v3_small", **kwargs), **kwargs)
