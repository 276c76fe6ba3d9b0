"""DenseNet, with torchvision's parameter names and initial weights."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from dovetail import Tensor, cat, flatten, nn
from dovetail.nn import functional as F
from dovetail.utils.checkpoint import checkpoint

from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights, with_classes
from ._initial import initialise

_ENUMS = {
    "DenseNet121_Weights": "densenet121", "DenseNet161_Weights": "densenet161", "DenseNet169_Weights": "densenet169",
    "DenseNet201_Weights": "densenet201",
}  # fmt: skip
__all__ = ["DenseNet", *_ENUMS, *_ENUMS.values()]  # noqa: PLE0604

__getattr__ = lazy_enums(__name__, _ENUMS)


class _DenseLayer(nn.Module):
    """All results so far, 1 × 1 to ``bn_size`` times ``growth_rate`` channels, 3 × 3 to ``growth_rate`` new ones."""

    def __init__(self, num_input_features: int, growth_rate: int, bn_size: int, drop_rate: float, memory_efficient: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(True)
        self.conv1 = nn.Conv2d(num_input_features, bn_size * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.relu2 = nn.ReLU(True)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, 3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = float(drop_rate), memory_efficient

    def bn_function(self, inputs: list[Tensor]) -> Tensor:
        return self.conv1(self.relu1(self.norm1(cat(inputs, 1))))

    def forward(self, input: Tensor | list[Tensor]) -> Tensor:
        before = [input] if isinstance(input, Tensor) else list(input)
        if self.memory_efficient and any(t.requires_grad for t in before):
            narrow = checkpoint(lambda *inputs: self.bn_function(list(inputs)), *before, use_reentrant=False)
        else:
            narrow = self.bn_function(before)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        return F.dropout(new, self.drop_rate, self.training) if self.drop_rate > 0 else new


class _DenseBlock(nn.ModuleDict):
    """Layers, each of which sees the results of all before it; gives all of them, joined."""

    _version = 2

    def __init__(
        self, num_layers: int, num_input_features: int, bn_size: int, growth_rate: int, drop_rate: float, memory_efficient: bool = False
    ) -> None:
        super().__init__()
        for i in range(num_layers):
            width = num_input_features + i * growth_rate
            self.add_module(f"denselayer{i + 1}", _DenseLayer(width, growth_rate, bn_size, drop_rate, memory_efficient))

    def forward(self, init_features: Tensor) -> Tensor:
        features = [init_features]
        for layer in self.values():
            features.append(layer(features))
        return cat(features, 1)


class _Transition(nn.Sequential):
    """1 × 1 to fewer channels, and half the size."""

    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(True)
        self.conv = nn.Conv2d(num_input_features, num_output_features, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)


class DenseNet(nn.Module):
    """Blocks of ``block_config`` layers: ``(N, 3, H, W)``, 29 or more each way, to ``(N, num_classes)``.

    Each layer adds ``growth_rate`` channels, by way of ``bn_size`` times as many. ``memory_efficient`` computes the joined results once
    more in backward instead of keeping them.

    After Huang, Liu, van der Maaten, Weinberger, Densely Connected Convolutional Networks, https://arxiv.org/abs/1608.06993.

    >>> from dovetail import zeros
    >>> DenseNet(4, (1, 1, 1, 1), 8, num_classes=10)(zeros(2, 3, 32, 32)).shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, growth_rate: int = 32, block_config: tuple[int, int, int, int] = (6, 12, 24, 16), num_init_features: int = 64,
        bn_size: int = 4, drop_rate: float = 0, num_classes: int = 1000, memory_efficient: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        parts: list[tuple[str, nn.Module]] = [
            ("conv0", nn.Conv2d(3, num_init_features, 7, 2, 3, bias=False)),
            ("norm0", nn.BatchNorm2d(num_init_features)),
            ("relu0", nn.ReLU(True)),
            ("pool0", nn.MaxPool2d(3, 2, 1)),
        ]
        width = num_init_features
        for i, count in enumerate(block_config, 1):
            parts.append((f"denseblock{i}", _DenseBlock(count, width, bn_size, growth_rate, drop_rate, memory_efficient)))
            width += count * growth_rate
            if i != len(block_config):
                parts.append((f"transition{i}", _Transition(width, width // 2)))
                width //= 2
        self.features = nn.Sequential(OrderedDict([*parts, ("norm5", nn.BatchNorm2d(width))]))
        self.classifier = nn.Linear(width, num_classes)
        initialise(self, nn.init.kaiming_normal_)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.features(x), inplace=True)
        return self.classifier(flatten(F.adaptive_avg_pool2d(out, (1, 1)), 1))


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published files have ``norm.1`` and kin, which are ``norm1`` since module names may hold no dots."""
    return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", key): value for key, value in state.items()}


def _densenet(
    growth_rate: int, block_config: tuple[int, int, int, int], num_init_features: int, weights: WeightsEnum | Weights | None,
    progress: bool, **kwargs: Any,
) -> DenseNet:  # fmt: skip
    kwargs = kwargs if weights is None else with_classes(kwargs, weights)
    model = build(None, progress, DenseNet, growth_rate, block_config, num_init_features, **kwargs)
    if weights is not None:
        model.load_state_dict(_renamed(weights.get_state_dict(progress=progress, check_hash=True)))
    return model


@takes_weights("DenseNet121_Weights")
def densenet121(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet-121.

    ``weights``: a ``DenseNet121_Weights`` or its name; ``kwargs`` go to `DenseNet`.
    """
    return _densenet(32, (6, 12, 24, 16), 64, weights, progress, **kwargs)


@takes_weights("DenseNet161_Weights")
def densenet161(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet-161, whose layers add 48 channels.

    ``weights``: a ``DenseNet161_Weights`` or its name; ``kwargs`` go to `DenseNet`.
    """
    return _densenet(48, (6, 12, 36, 24), 96, weights, progress, **kwargs)


@takes_weights("DenseNet169_Weights")
def densenet169(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet-169.

    ``weights``: a ``DenseNet169_Weights`` or its name; ``kwargs`` go to `DenseNet`.
    """
    return _densenet(32, (6, 12, 32, 32), 64, weights, progress, **kwargs)


@takes_weights("DenseNet201_Weights")
def densenet201(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> DenseNet:
    """DenseNet-201.

    ``weights``: a ``DenseNet201_Weights`` or its name; ``kwargs`` go to `DenseNet`.
    """
    return _densenet(32, (6, 12, 48, 32), 64, weights, progress, **kwargs)
