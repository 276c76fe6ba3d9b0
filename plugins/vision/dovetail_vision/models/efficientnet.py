"""EfficientNet B0 to B7 and V2 S, M, L, with torchvision's parameter names and initial weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dovetail import Tensor, flatten, nn
from dovetail.errors import TypeMismatch, ValueRangeError

from ..ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise
from ._utils import _make_divisible

_NAMES = [*(f"B{i}" for i in range(8)), "V2_S", "V2_M", "V2_L"]
_ENUMS = {f"EfficientNet_{name}_Weights": f"efficientnet_{name.lower()}" for name in _NAMES}
__all__ = ["EfficientNet", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Layer = Callable[..., nn.Module]


class _MBConvConfig:
    """One stage: how far its blocks expand, their kernel, the stride of the first, channels in and out, how many and of what kind."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int, num_layers: int, block: Layer
    ) -> None:
        self.expand_ratio, self.kernel, self.stride = expand_ratio, kernel, stride
        self.input_channels, self.out_channels, self.num_layers, self.block = input_channels, out_channels, num_layers, block

    @staticmethod
    def adjust_channels(channels: int, width_mult: float, min_value: int | None = None) -> int:
        """So many channels, scaled, as a multiple of 8.

        >>> MBConvConfig.adjust_channels(32, 1.4)
        48
        """
        return _make_divisible(channels * width_mult, 8, min_value)


class MBConvConfig(_MBConvConfig):
    """A stage of `MBConv`, its width and depth scaled: table 1 of the first paper, table 4 of the second."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int, num_layers: int,
        width_mult: float = 1.0, depth_mult: float = 1.0, block: Layer | None = None,
    ) -> None:  # fmt: skip
        channels = (self.adjust_channels(c, width_mult) for c in (input_channels, out_channels))
        super().__init__(expand_ratio, kernel, stride, *channels, self.adjust_depth(num_layers, depth_mult), block or MBConv)

    @staticmethod
    def adjust_depth(num_layers: int, depth_mult: float) -> int:
        """So many layers, scaled and rounded up.

        >>> MBConvConfig.adjust_depth(3, 1.1)
        4
        """
        return math.ceil(num_layers * depth_mult)


class FusedMBConvConfig(_MBConvConfig):
    """A stage of `FusedMBConv`: table 4 of the second paper."""

    def __init__(
        self, expand_ratio: float, kernel: int, stride: int, input_channels: int, out_channels: int, num_layers: int,
        block: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(expand_ratio, kernel, stride, input_channels, out_channels, num_layers, block or FusedMBConv)


class _Residual(nn.Module):
    """Layers whose result is added to their input where shapes allow, left out at random while training."""

    def __init__(self, cnf: _MBConvConfig, stochastic_depth_prob: float, *layers: nn.Module) -> None:
        super().__init__()
        if not 1 <= cnf.stride <= 2:
            raise ValueRangeError(type(self).__name__, f"stride is {cnf.stride}", "expected 1 or 2")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.out_channels = cnf.out_channels

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        if self.use_res_connect:
            result = self.stochastic_depth(result)
            result += input
        return result


class MBConv(_Residual):
    """1 × 1 to the expanded channels, depthwise, squeeze and excitation, 1 × 1."""

    def __init__(
        self, cnf: MBConvConfig, stochastic_depth_prob: float, norm_layer: Layer, se_layer: Layer = SqueezeExcitation
    ) -> None:  # fmt: skip
        width = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        parts: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        first = [Conv2dNormActivation(cnf.input_channels, width, 1, **parts)] if width != cnf.input_channels else []
        super().__init__(
            cnf, stochastic_depth_prob, *first,
            Conv2dNormActivation(width, width, cnf.kernel, cnf.stride, groups=width, **parts),
            se_layer(width, max(1, cnf.input_channels // 4), activation=partial(nn.SiLU, inplace=True)),
            Conv2dNormActivation(width, cnf.out_channels, 1, norm_layer=norm_layer, activation_layer=None),
        )  # fmt: skip


class FusedMBConv(_Residual):
    """A whole convolution in the place of the first two of `MBConv`, without squeezing; alone where nothing expands."""

    def __init__(self, cnf: FusedMBConvConfig, stochastic_depth_prob: float, norm_layer: Layer) -> None:
        width = cnf.adjust_channels(cnf.input_channels, cnf.expand_ratio)
        parts: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        if width == cnf.input_channels:
            layers = [Conv2dNormActivation(cnf.input_channels, cnf.out_channels, cnf.kernel, cnf.stride, **parts)]
        else:
            layers = [
                Conv2dNormActivation(cnf.input_channels, width, cnf.kernel, cnf.stride, **parts),
                Conv2dNormActivation(width, cnf.out_channels, 1, norm_layer=norm_layer, activation_layer=None),
            ]
        super().__init__(cnf, stochastic_depth_prob, *layers)


def _by_fan_out(weight: Tensor) -> Tensor:
    bound = 1.0 / math.sqrt(weight.shape[0])
    return nn.init.uniform_(weight, -bound, bound)


class EfficientNet(nn.Module):
    """Stages of ``inverted_residual_setting``: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Blocks are left out while training with a chance that grows to ``stochastic_depth_prob``; ``last_channel`` is the width before
    pooling, four times the last stage's by default. After Tan and Le, EfficientNet, https://arxiv.org/abs/1905.11946, and
    EfficientNetV2, https://arxiv.org/abs/2104.00298.

    >>> from dovetail import zeros
    >>> net = EfficientNet([MBConvConfig(1, 3, 1, 8, 8, 1), MBConvConfig(4, 3, 2, 8, 16, 1)], 0.2, num_classes=10)
    >>> net.eval()(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, inverted_residual_setting: Sequence[MBConvConfig | FusedMBConvConfig], dropout: float, stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000, norm_layer: Layer | None = None, last_channel: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        stages = inverted_residual_setting
        if not stages:
            raise ValueRangeError("EfficientNet", "inverted_residual_setting is empty", "expected a row for each stage")
        if not (isinstance(stages, Sequence) and all(isinstance(row, _MBConvConfig) for row in stages)):
            raise TypeMismatch("EfficientNet", f"inverted_residual_setting is {stages!r}", "expected a list of MBConvConfig")
        parts: dict[str, Any] = {"norm_layer": norm_layer or nn.BatchNorm2d, "activation_layer": nn.SiLU}
        layers: list[nn.Module] = [Conv2dNormActivation(3, stages[0].input_channels, stride=2, **parts)]
        total, done = sum(row.num_layers for row in stages), 0
        for row in stages:
            stage: list[nn.Module] = []
            for _ in range(row.num_layers):
                one = copy.copy(row)
                if stage:
                    one.input_channels, one.stride = one.out_channels, 1
                stage.append(one.block(one, stochastic_depth_prob * done / total, parts["norm_layer"]))
                done += 1
            layers.append(nn.Sequential(*stage))
        last = stages[-1].out_channels
        width = 4 * last if last_channel is None else last_channel
        self.features = nn.Sequential(*layers, Conv2dNormActivation(last, width, 1, **parts))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout, True), nn.Linear(width, num_classes))
        initialise(self, lambda weight: nn.init.kaiming_normal_(weight, mode="fan_out"), _by_fan_out)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(flatten(self.avgpool(self.features(x)), 1))

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


_B0 = [
    (1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1),
]  # fmt: skip
#: The second version's stages: those of fused blocks, then the others.
_V2: dict[str, tuple[list[tuple[int, ...]], list[tuple[int, ...]]]] = {
    "s": (
        [(1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4)],
        [(4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)],
    ),
    "m": (
        [(1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5)],
        [(4, 3, 2, 80, 160, 7), (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5)],
    ),
    "l": (
        [(1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7)],
        [(4, 3, 2, 96, 192, 10), (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7)],
    ),
}  # fmt: skip
_NORM = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


def _efficientnet(
    inverted_residual_setting: Sequence[Any], dropout: float, last_channel: int | None, weights: Any, progress: bool, **kwargs: Any
) -> EfficientNet:
    return build(weights, progress, EfficientNet, inverted_residual_setting, dropout, last_channel=last_channel, **kwargs)


def _efficientnet_conf(arch: str, **kwargs: Any) -> tuple[list[Any], int | None]:
    """The rows of a network and its last width: of the first paper, scaled by ``width_mult`` and ``depth_mult``, or of the second."""
    if arch.startswith("efficientnet_b"):
        return [MBConvConfig(*row, width_mult=kwargs["width_mult"], depth_mult=kwargs["depth_mult"]) for row in _B0], None
    fused, plain = _V2[arch.removeprefix("efficientnet_v2_")]
    rows: list[Any] = [FusedMBConvConfig(*row) for row in fused]  # type: ignore[arg-type]
    return rows + [MBConvConfig(*row) for row in plain], 1280  # type: ignore[arg-type]


def _first(width: float, depth: float, dropout: float, weights: Any, progress: bool, kwargs: dict[str, Any]) -> EfficientNet:
    """A network of the first paper, by how much B0 is scaled."""
    rows, last = _efficientnet_conf("efficientnet_b", width_mult=width, depth_mult=depth)
    return _efficientnet(rows, kwargs.pop("dropout", dropout), last, weights, progress, **kwargs)


def _second(size: str, dropout: float, weights: Any, progress: bool, kwargs: dict[str, Any]) -> EfficientNet:
    rows, last = _efficientnet_conf(f"efficientnet_v2_{size}")
    norm = {"norm_layer": partial(nn.BatchNorm2d, eps=0.001)}
    return _efficientnet(rows, kwargs.pop("dropout", dropout), last, weights, progress, **{**norm, **kwargs})


@takes_weights("EfficientNet_B0_Weights")
def efficientnet_b0(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B0. ``weights``: an ``EfficientNet_B0_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(1.0, 1.0, 0.2, weights, progress, kwargs)


@takes_weights("EfficientNet_B1_Weights")
def efficientnet_b1(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B1. ``weights``: an ``EfficientNet_B1_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(1.0, 1.1, 0.2, weights, progress, kwargs)


@takes_weights("EfficientNet_B2_Weights")
def efficientnet_b2(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B2. ``weights``: an ``EfficientNet_B2_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(1.1, 1.2, 0.3, weights, progress, kwargs)


@takes_weights("EfficientNet_B3_Weights")
def efficientnet_b3(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B3. ``weights``: an ``EfficientNet_B3_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(1.2, 1.4, 0.3, weights, progress, kwargs)


@takes_weights("EfficientNet_B4_Weights")
def efficientnet_b4(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B4. ``weights``: an ``EfficientNet_B4_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(1.4, 1.8, 0.4, weights, progress, kwargs)


@takes_weights("EfficientNet_B5_Weights")
def efficientnet_b5(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B5. ``weights``: an ``EfficientNet_B5_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(1.6, 2.2, 0.4, weights, progress, {"norm_layer": _NORM, **kwargs})


@takes_weights("EfficientNet_B6_Weights")
def efficientnet_b6(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B6. ``weights``: an ``EfficientNet_B6_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(1.8, 2.6, 0.5, weights, progress, {"norm_layer": _NORM, **kwargs})


@takes_weights("EfficientNet_B7_Weights")
def efficientnet_b7(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet B7. ``weights``: an ``EfficientNet_B7_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _first(2.0, 3.1, 0.5, weights, progress, {"norm_layer": _NORM, **kwargs})


@takes_weights("EfficientNet_V2_S_Weights")
def efficientnet_v2_s(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet V2 S. ``weights``: an ``EfficientNet_V2_S_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _second("s", 0.2, weights, progress, kwargs)


@takes_weights("EfficientNet_V2_M_Weights")
def efficientnet_v2_m(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet V2 M. ``weights``: an ``EfficientNet_V2_M_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _second("m", 0.3, weights, progress, kwargs)


@takes_weights("EfficientNet_V2_L_Weights")
def efficientnet_v2_l(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """EfficientNet V2 L. ``weights``: an ``EfficientNet_V2_L_Weights`` or its name; ``kwargs`` go to `EfficientNet`."""
    return _second("l", 0.4, weights, progress, kwargs)
