"""Backbones: a classifier's layers, some of them frozen, with a feature pyramid on top."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from ...ops.feature_pyramid_network import ExtraFPNBlock, FeaturePyramidNetwork, LastLevelMaxPool
from ...ops.misc import FrozenBatchNorm2d
from .. import mobilenet, resnet
from .._utils import IntermediateLayerGetter

__all__ = ["BackboneWithFPN", "mobilenet_backbone", "resnet_fpn_backbone"]

B = TypeVar("B", bound=Callable[..., nn.Module])
Norm = Callable[..., nn.Module]


class BackboneWithFPN(nn.Module):
    """The maps that children ``return_layers`` (name → name of the result) of ``backbone`` give, as a pyramid of ``out_channels``.

    ``in_channels_list`` has the channels of those maps; ``extra_blocks`` adds coarser maps, one by pooling unless it is given.

    >>> from dovetail import zeros
    >>> backbone = BackboneWithFPN(resnet.resnet18(), {"layer1": "0", "layer2": "1"}, [64, 128], 16)
    >>> [(name, tuple(one.shape)) for name, one in backbone(zeros(1, 3, 32, 32)).items()]
    [('0', (1, 16, 8, 8)), ('1', (1, 16, 4, 4)), ('pool', (1, 16, 2, 2))]
    """

    def __init__(
        self, backbone: nn.Module, return_layers: dict[str, str], in_channels_list: list[int], out_channels: int,
        extra_blocks: ExtraFPNBlock | None = None, norm_layer: Norm | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.body = IntermediateLayerGetter(backbone, return_layers=return_layers)
        self.fpn = FeaturePyramidNetwork(in_channels_list, out_channels, extra_blocks or LastLevelMaxPool(), norm_layer)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.fpn(self.body(x))


def _older_calls(fn: B) -> B:
    """Arguments by position and ``pretrained``, which torchvision still takes, with a warning."""

    @functools.wraps(fn)
    def build(*args: Any, **kwargs: Any) -> nn.Module:
        names = fn.__kwdefaults__ and list(fn.__annotations__)
        if args:
            warnings.warn(f"{fn.__name__}: arguments by position are deprecated since torchvision 0.13; write their names", stacklevel=2)
            kwargs.update(zip(names, args, strict=False))
        given = kwargs.pop("pretrained", kwargs.get("weights"))
        if "weights" not in kwargs or isinstance(given, bool):
            chosen = "IMAGENET1K_V1" if given else None
            warnings.warn(
                f"{fn.__name__}: pretrained={given} is deprecated since torchvision 0.13; it means weights={chosen!r}", stacklevel=2
            )
            kwargs["weights"] = chosen
        return fn(**kwargs)

    return build  # type: ignore[return-value]


def _check_layers(where: str, name: str, count: int, largest: int) -> None:
    if not 0 <= count <= largest:
        raise ValueRangeError(where, f"{name} is {count}", f"expected 0 to {largest}")


@_older_calls
def resnet_fpn_backbone(
    *, backbone_name: str, weights: Any, norm_layer: Norm = FrozenBatchNorm2d, trainable_layers: int = 3,
    returned_layers: list[int] | None = None, extra_blocks: ExtraFPNBlock | None = None,
) -> BackboneWithFPN:  # fmt: skip
    """A ResNet by its name with a pyramid of 256 channels on its stages ``returned_layers`` (1 to 4).

    ``weights`` are those of the ResNet, or None; all but the last ``trainable_layers`` of its 5 stages are frozen.

    >>> from dovetail import zeros
    >>> maps = resnet_fpn_backbone(backbone_name="resnet18", weights=None)(zeros(1, 3, 64, 64))
    >>> [(name, tuple(one.shape)) for name, one in maps.items()][:2]
    [('0', (1, 256, 16, 16)), ('1', (1, 256, 8, 8))]
    """
    backbone = getattr(resnet, backbone_name)(weights=weights, norm_layer=norm_layer)
    return _resnet_fpn_extractor(backbone, trainable_layers, returned_layers, extra_blocks)


def _resnet_fpn_extractor(
    backbone: Any, trainable_layers: int, returned_layers: Sequence[int] | None = None, extra_blocks: ExtraFPNBlock | None = None,
    norm_layer: Norm | None = None,
) -> BackboneWithFPN:  # fmt: skip
    _check_layers("resnet_fpn_backbone", "trainable_layers", trainable_layers, 5)
    trained = ["layer4", "layer3", "layer2", "layer1", "conv1"][:trainable_layers] + (["bn1"] if trainable_layers == 5 else [])
    for name, parameter in backbone.named_parameters():
        if not name.startswith(tuple(trained)):
            parameter.requires_grad_(False)
    stages = [1, 2, 3, 4] if returned_layers is None else list(returned_layers)
    if min(stages) <= 0 or max(stages) >= 5:
        raise ValueRangeError("resnet_fpn_backbone", f"returned_layers is {stages}", "expected numbers from 1 to 4")
    channels = [backbone.inplanes // 8 * 2 ** (stage - 1) for stage in stages]
    names = {f"layer{stage}": str(i) for i, stage in enumerate(stages)}
    return BackboneWithFPN(backbone, names, channels, 256, extra_blocks, norm_layer)


def _validate_trainable_layers(is_trained: bool, trainable_backbone_layers: int | None, max_value: int, default_value: int) -> int:
    """How many stages of the backbone are trained: all, where it starts from nothing."""
    if not is_trained:
        if trainable_backbone_layers is not None:
            text = "trainable_backbone_layers has no effect without weights or weights_backbone; all layers are trained"
            warnings.warn(text, stacklevel=3)
        return max_value
    count = default_value if trainable_backbone_layers is None else trainable_backbone_layers
    _check_layers("detection", "trainable_backbone_layers", count, max_value)
    return count


@_older_calls
def mobilenet_backbone(
    *, backbone_name: str, weights: Any, fpn: bool, norm_layer: Norm = FrozenBatchNorm2d, trainable_layers: int = 2,
    returned_layers: list[int] | None = None, extra_blocks: ExtraFPNBlock | None = None,
) -> nn.Module:  # fmt: skip
    """A MobileNet by its name, with a pyramid of 256 channels on its stages ``returned_layers``, or, without ``fpn``, one such map.

    >>> from dovetail import zeros
    >>> mobilenet_backbone(backbone_name="mobilenet_v3_small", weights=None, fpn=False)(zeros(1, 3, 64, 64)).shape
    dovetail.Size([1, 256, 2, 2])
    """
    backbone = getattr(mobilenet, backbone_name)(weights=weights, norm_layer=norm_layer)
    return _mobilenet_extractor(backbone, fpn, trainable_layers, returned_layers, extra_blocks)


def freeze_stages(layers: Any, strided: Callable[[Any], bool], trainable_layers: int, last: bool = True) -> list[int]:
    """Freeze all but the last stages of a sequence; a stage begins at the first layer, at each strided one, and, if so, at the last."""
    stages = [0, *(i for i, layer in enumerate(layers) if strided(layer))] + ([len(layers) - 1] if last else [])
    _check_layers("detection", "trainable_layers", trainable_layers, len(stages))
    before = len(layers) if trainable_layers == 0 else stages[len(stages) - trainable_layers]
    for layer in layers[:before]:
        for parameter in layer.parameters():
            parameter.requires_grad_(False)
    return stages


def is_strided(block: Any) -> bool:
    """Whether a block of a MobileNet halves the size."""
    return getattr(block, "_is_cn", False)


def _mobilenet_extractor(
    backbone: Any, fpn: bool, trainable_layers: int, returned_layers: Sequence[int] | None = None,
    extra_blocks: ExtraFPNBlock | None = None, norm_layer: Norm | None = None,
) -> nn.Module:  # fmt: skip
    layers = backbone.features
    stages = freeze_stages(layers, is_strided, trainable_layers)
    if not fpn:
        model = nn.Sequential(layers, nn.Conv2d(layers[-1].out_channels, 256, 1))
        model.out_channels = 256
        return model
    chosen = [len(stages) - 2, len(stages) - 1] if returned_layers is None else list(returned_layers)
    if min(chosen) < 0 or max(chosen) >= len(stages):
        raise ValueRangeError("mobilenet_backbone", f"returned_layers is {chosen}", f"expected numbers from 0 to {len(stages) - 1}")
    names = {str(stages[k]): str(i) for i, k in enumerate(chosen)}
    return BackboneWithFPN(layers, names, [layers[stages[k]].out_channels for k in chosen], 256, extra_blocks, norm_layer)
