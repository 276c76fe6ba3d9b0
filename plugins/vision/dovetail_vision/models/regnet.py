"""RegNet X and Y, with torchvision's parameter names and initial weights."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from ..ops import Conv2dNormActivation, SqueezeExcitation
from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise, normal
from ._utils import _make_divisible

_ENUMS = {
    f"RegNet_{kind.upper()}_{size.upper()}_Weights": f"regnet_{kind}_{size}"
    for kind in "yx"
    for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf", "128gf")
    if (kind, size) != ("x", "128gf")
}
__all__ = ["RegNet", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)

Layer = Callable[..., nn.Module]


class SimpleStemIN(Conv2dNormActivation):
    """3 × 3 convolution at stride 2, normalization, activation."""

    def __init__(self, width_in: int, width_out: int, norm_layer: Layer, activation_layer: Layer) -> None:
        super().__init__(width_in, width_out, 3, 2, norm_layer=norm_layer, activation_layer=activation_layer)


class BottleneckTransform(nn.Sequential):
    """1 × 1, 3 × 3 in groups of ``group_width`` channels, squeeze and excitation where there is ``se_ratio``, and 1 × 1."""

    def __init__(
        self, width_in: int, width_out: int, stride: int, norm_layer: Layer, activation_layer: Layer, group_width: int,
        bottleneck_multiplier: float, se_ratio: float | None,
    ) -> None:  # fmt: skip
        width = round(width_out * bottleneck_multiplier)
        parts: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": activation_layer}
        layers: dict[str, nn.Module] = {
            "a": Conv2dNormActivation(width_in, width, 1, **parts),
            "b": Conv2dNormActivation(width, width, 3, stride, groups=width // group_width, **parts),
        }
        if se_ratio:
            layers["se"] = SqueezeExcitation(width, round(se_ratio * width_in), activation=activation_layer)
        layers["c"] = Conv2dNormActivation(width, width_out, 1, norm_layer=norm_layer, activation_layer=None)
        super().__init__(OrderedDict(layers))


class ResBottleneckBlock(nn.Module):
    """The activation of ``x + f(x)``; ``proj`` brings ``x`` to the shape of ``f(x)``."""

    def __init__(
        self, width_in: int, width_out: int, stride: int, norm_layer: Layer, activation_layer: Layer, group_width: int = 1,
        bottleneck_multiplier: float = 1.0, se_ratio: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(width_in, width_out, 1, stride, norm_layer=norm_layer, activation_layer=None)
        self.f = BottleneckTransform(
            width_in, width_out, stride, norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio
        )
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class AnyStage(nn.Sequential):
    """``depth`` blocks of one width, the first of which has the stride."""

    def __init__(
        self, width_in: int, width_out: int, stride: int, depth: int, block_constructor: Layer, norm_layer: Layer,
        activation_layer: Layer, group_width: int, bottleneck_multiplier: float, se_ratio: float | None = None, stage_index: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        rest = (norm_layer, activation_layer, group_width, bottleneck_multiplier, se_ratio)
        for i in range(depth):
            block = block_constructor(width_out if i else width_in, width_out, 1 if i else stride, *rest)
            self.add_module(f"block{stage_index}-{i}", block)


class BlockParams:
    """Depth, width, width of a group, bottleneck and stride of each stage, and the share of squeeze and excitation."""

    def __init__(
        self, depths: list[int], widths: list[int], group_widths: list[int], bottleneck_multipliers: list[float], strides: list[int],
        se_ratio: float | None = None,
    ) -> None:  # fmt: skip
        self.depths, self.widths, self.group_widths = depths, widths, group_widths
        self.bottleneck_multipliers, self.strides, self.se_ratio = bottleneck_multipliers, strides, se_ratio

    @classmethod
    def from_init_params(
        cls, depth: int, w_0: int, w_a: float, w_m: float, group_width: int, bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None, **kwargs: Any,
    ) -> BlockParams:  # fmt: skip
        """By the paper's rule: block ``i`` is ``w_0 + w_a i`` wide, rounded to a power of ``w_m`` times ``w_0``, then to a multiple of 8.

        >>> params = BlockParams.from_init_params(16, 48, 27.89, 2.09, 8)
        >>> params.depths, params.widths
        ([1, 3, 6, 6], [48, 104, 208, 440])
        """
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            what = f"w_0 is {w_0}, w_a {w_a}, w_m {w_m}"
            raise ValueRangeError("RegNet", what, "expected w_0 a multiple of 8 above 0, w_a 0 or more, w_m above 1")
        powers = dovetail.round(dovetail.log((dovetail.arange(depth) * w_a + w_0) / w_0) / math.log(w_m))
        found = (dovetail.round(w_0 * w_m**powers / 8) * 8).int().tolist()
        widths = [width for width, before in zip(found, [0, *found], strict=False) if width != before]
        depths = [found.count(width) for width in widths]  # they never fall, so equal ones are neighbours
        # groups are no wider than the bottleneck, and divide it
        narrow = [int(width * bottleneck_multiplier) for width in widths]
        groups = [min(group_width, width) for width in narrow]
        widths = [int(_make_divisible(n, g) / bottleneck_multiplier) for n, g in zip(narrow, groups, strict=True)]
        stages = len(widths)
        return cls(depths, widths, groups, [bottleneck_multiplier] * stages, [2] * stages, se_ratio)

    def _get_expanded_params(self) -> Iterator[tuple[int, int, int, int, float]]:
        return zip(self.widths, self.strides, self.depths, self.group_widths, self.bottleneck_multipliers, strict=False)


def _by_all_groups(weight: Tensor) -> None:
    """Normal numbers by what goes out of a convolution, however many groups it has."""
    nn.init.normal_(weight, 0.0, math.sqrt(2.0 / (weight.shape[0] * weight[0, 0].numel())))


class RegNet(nn.Module):
    """Stages of bottlenecks, as `BlockParams` says: ``(N, 3, H, W)`` to ``(N, num_classes)``.

    ``stem_type``, ``block_type``, ``norm_layer`` and ``activation`` are the classes of its parts.

    After Radosavovic, Kosaraju, Girshick, He, Dollár, Designing Network Design Spaces, https://arxiv.org/abs/2003.13678.

    >>> from dovetail import zeros
    >>> params = BlockParams.from_init_params(4, 8, 8.0, 2.0, 8, se_ratio=0.25)
    >>> RegNet(params, num_classes=10, stem_width=8)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, block_params: BlockParams, num_classes: int = 1000, stem_width: int = 32, stem_type: Layer | None = None,
        block_type: Layer | None = None, norm_layer: Layer | None = None, activation: Layer | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        norm_layer, activation = norm_layer or nn.BatchNorm2d, activation or nn.ReLU
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm_layer, activation)
        block_type, width = block_type or ResBottleneckBlock, stem_width
        stages: dict[str, nn.Module] = {}
        for i, (out, stride, depth, *group) in enumerate(block_params._get_expanded_params(), 1):
            rest = (block_type, norm_layer, activation, *group, block_params.se_ratio)
            stages[f"block{i}"] = AnyStage(width, out, stride, depth, *rest, stage_index=i)
            width = out
        self.trunk_output = nn.Sequential(OrderedDict(stages))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width, num_classes)
        initialise(self, _by_all_groups, normal(0.01), zeroed=(nn.Linear,))  # the biases of squeeze and excitation stay as they are

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.avgpool(self.trunk_output(self.stem(x))).flatten(1))


#: Size → depth, first width, slope, step and width of a group: tables of the paper's appendix.
_Y = {
    "400mf": (16, 48, 27.89, 2.09, 8), "800mf": (14, 56, 38.84, 2.4, 16), "1_6gf": (27, 48, 20.71, 2.65, 24),
    "3_2gf": (21, 80, 42.63, 2.66, 24), "8gf": (17, 192, 76.82, 2.19, 56), "16gf": (18, 200, 106.23, 2.48, 112),
    "32gf": (20, 232, 115.89, 2.53, 232), "128gf": (27, 456, 160.83, 2.52, 264),
}  # fmt: skip
_X = {
    "400mf": (22, 24, 24.48, 2.54, 16), "800mf": (16, 56, 35.73, 2.28, 16), "1_6gf": (18, 80, 34.01, 2.25, 24),
    "3_2gf": (25, 88, 26.31, 2.25, 48), "8gf": (23, 80, 49.56, 2.88, 120), "16gf": (22, 216, 55.59, 2.1, 128),
    "32gf": (23, 320, 69.86, 2.0, 168),
}  # fmt: skip


def _regnet(
    row: tuple[int, int, float, float, int], weights: WeightsEnum | Weights | None, progress: bool, kwargs: dict[str, Any], **more: float
) -> RegNet:
    params = BlockParams.from_init_params(**dict(zip(("depth", "w_0", "w_a", "w_m", "group_width"), row, strict=True)), **more, **kwargs)
    norm_layer = kwargs.pop("norm_layer", partial(nn.BatchNorm2d, eps=1e-05, momentum=0.1))
    return build(weights, progress, RegNet, params, norm_layer=norm_layer, **kwargs)


@takes_weights("RegNet_Y_400MF_Weights")
def regnet_y_400mf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 400 MFLOP.

    ``weights``: a ``RegNet_Y_400MF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["400mf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_Y_800MF_Weights")
def regnet_y_800mf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 800 MFLOP.

    ``weights``: a ``RegNet_Y_800MF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["800mf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_Y_1_6GF_Weights")
def regnet_y_1_6gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 1.6 GFLOP.

    ``weights``: a ``RegNet_Y_1_6GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["1_6gf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_Y_3_2GF_Weights")
def regnet_y_3_2gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 3.2 GFLOP.

    ``weights``: a ``RegNet_Y_3_2GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["3_2gf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_Y_8GF_Weights")
def regnet_y_8gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 8 GFLOP.

    ``weights``: a ``RegNet_Y_8GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["8gf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_Y_16GF_Weights")
def regnet_y_16gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 16 GFLOP.

    ``weights``: a ``RegNet_Y_16GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["16gf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_Y_32GF_Weights")
def regnet_y_32gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 32 GFLOP.

    ``weights``: a ``RegNet_Y_32GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["32gf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_Y_128GF_Weights")
def regnet_y_128gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetY of 128 GFLOP.

    ``weights``: a ``RegNet_Y_128GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_Y["128gf"], weights, progress, kwargs, se_ratio=0.25)


@takes_weights("RegNet_X_400MF_Weights")
def regnet_x_400mf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 400 MFLOP.

    ``weights``: a ``RegNet_X_400MF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_X["400mf"], weights, progress, kwargs)


@takes_weights("RegNet_X_800MF_Weights")
def regnet_x_800mf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 800 MFLOP.

    ``weights``: a ``RegNet_X_800MF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_X["800mf"], weights, progress, kwargs)


@takes_weights("RegNet_X_1_6GF_Weights")
def regnet_x_1_6gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 1.6 GFLOP.

    ``weights``: a ``RegNet_X_1_6GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_X["1_6gf"], weights, progress, kwargs)


@takes_weights("RegNet_X_3_2GF_Weights")
def regnet_x_3_2gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 3.2 GFLOP.

    ``weights``: a ``RegNet_X_3_2GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_X["3_2gf"], weights, progress, kwargs)


@takes_weights("RegNet_X_8GF_Weights")
def regnet_x_8gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 8 GFLOP.

    ``weights``: a ``RegNet_X_8GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_X["8gf"], weights, progress, kwargs)


@takes_weights("RegNet_X_16GF_Weights")
def regnet_x_16gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 16 GFLOP.

    ``weights``: a ``RegNet_X_16GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_X["16gf"], weights, progress, kwargs)


@takes_weights("RegNet_X_32GF_Weights")
def regnet_x_32gf(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> RegNet:
    """RegNetX of 32 GFLOP.

    ``weights``: a ``RegNet_X_32GF_Weights`` or its name; ``kwargs`` go to `RegNet` and `BlockParams`.
    """
    return _regnet(_X["32gf"], weights, progress, kwargs)
