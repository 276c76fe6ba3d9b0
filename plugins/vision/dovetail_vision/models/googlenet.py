"""GoogLeNet (Inception v1), with torchvision's parameter names and initial weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from dovetail import Tensor, cat, flatten, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise, truncated

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "GoogLeNet_Weights", "_GoogLeNetOutputs", "googlenet"]  # noqa: F822

__getattr__ = lazy_enums(__name__, {"GoogLeNet_Weights": "googlenet"})

Block = Callable[..., nn.Module]


class GoogLeNetOutputs(NamedTuple):
    """What `GoogLeNet` gives while it trains: its result, and those of the heads behind ``inception4d`` and ``inception4a``."""

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


_GoogLeNetOutputs = GoogLeNetOutputs


class BasicConv2d(nn.Module):
    """Convolution without bias, batch normalization, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Parallel(nn.Module):
    """Branches beside each other, which ``_forward`` gives as a list; their channels are joined."""

    def _forward(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return cat(self._forward(x), 1)


class Inception(Parallel):
    """1 × 1, two of 3 × 3 behind 1 × 1 (the paper's 5 × 5 is 3 × 3 in these weights), and 1 × 1 behind a pooling."""

    def __init__(
        self, in_channels: int, ch1x1: int, ch3x3red: int, ch3x3: int, ch5x5red: int, ch5x5: int, pool_proj: int,
        conv_block: Block | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1 = conv(in_channels, ch1x1, kernel_size=1)
        for number, narrow, out in ((2, ch3x3red, ch3x3), (3, ch5x5red, ch5x5)):
            behind = nn.Sequential(conv(in_channels, narrow, kernel_size=1), conv(narrow, out, kernel_size=3, padding=1))
            self.add_module(f"branch{number}", behind)
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv(in_channels, pool_proj, kernel_size=1))

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)]


class InceptionAux(nn.Module):
    """A head for results on the way: pooling to 4 × 4, 1 × 1, two linear layers."""

    def __init__(self, in_channels: int, num_classes: int, conv_block: Block | None = None, dropout: float = 0.7) -> None:
        super().__init__()
        self.conv = (conv_block or BasicConv2d)(in_channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = flatten(self.conv(F.adaptive_avg_pool2d(x, (4, 4))), 1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


def as_google_trained(x: Tensor) -> Tensor:
    """Images normalized for torchvision, normalized by 0.5 and 0.5 instead, as the first weights want it.

    >>> from dovetail import zeros
    >>> round(as_google_trained(zeros(1, 3, 1, 1))[0, 0].item(), 4)
    -0.03
    """
    means, stds = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return cat([x[:, i : i + 1] * (stds[i] / 0.5) + (means[i] - 0.5) / 0.5 for i in range(3)], 1)


class GoogLeNet(nn.Module):
    """Nine inception modules: ``(N, 3, H, W)``, 15 or more each way, to ``(N, num_classes)``, while training to `GoogLeNetOutputs`.

    ``aux_logits=False`` leaves out the two heads on the way; ``transform_input`` takes images normalized for torchvision's other weights;
    ``blocks`` are the classes of convolution, inception module and head. ``init_weights=None`` is True, without torchvision's warning.

    After Szegedy and others, Going Deeper with Convolutions, https://arxiv.org/abs/1409.4842.

    >>> from dovetail import zeros
    >>> GoogLeNet(num_classes=10, init_weights=False)(zeros(2, 3, 32, 32)).logits.shape
    dovetail.Size([2, 10])
    """

    def __init__(
        self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False, init_weights: bool | None = None,
        blocks: Sequence[Block] | None = None, dropout: float = 0.2, dropout_aux: float = 0.7,
    ) -> None:  # fmt: skip
        super().__init__()
        blocks = [BasicConv2d, Inception, InceptionAux] if blocks is None else blocks
        if len(blocks) != 3:
            raise ValueRangeError("GoogLeNet", f"blocks are {len(blocks)}", "expected 3: convolution, inception module, auxiliary head")
        conv, mixed, head = blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.conv1 = conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception3a = mixed(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = mixed(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.inception4a = mixed(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = mixed(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = mixed(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = mixed(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = mixed(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.inception5a = mixed(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = mixed(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = head(512, num_classes, dropout=dropout_aux) if aux_logits else None
        self.aux2 = head(528, num_classes, dropout=dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights is None or init_weights:
            initialise(self, truncated(0.01), truncated(0.01), zeroed=())

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x) if self.aux1 is not None and self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.aux2 is not None and self.training else None
        x = self.maxpool4(self.inception4e(x))
        x = self.avgpool(self.inception5b(self.inception5a(x)))
        return self.fc(self.dropout(flatten(x, 1))), aux2, aux1

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        return self.eager_outputs(*self._forward(self._transform_input(x)))

    def _transform_input(self, x: Tensor) -> Tensor:
        return as_google_trained(x) if self.transform_input else x

    def eager_outputs(self, x: Tensor, aux2: Tensor | None, aux1: Tensor | None) -> Tensor | GoogLeNetOutputs:
        """What a call gives: all three logits while training with ``aux_logits``, else the first."""
        return GoogLeNetOutputs(x, aux2, aux1) if self.training and self.aux_logits else x


def as_published(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the model that the published weights are of."""
    return {"transform_input": True, **kwargs, "aux_logits": True, "init_weights": False}


@takes_weights("GoogLeNet_Weights")
def googlenet(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> GoogLeNet:
    """GoogLeNet; with weights its auxiliary heads are left out unless ``aux_logits=True``, and are not trained.

    ``weights``: a ``GoogLeNet_Weights`` or its name; ``kwargs`` go to `GoogLeNet`.
    """
    if weights is None:
        return build(None, progress, GoogLeNet, **kwargs)
    model = build(weights, progress, GoogLeNet, **as_published(kwargs))
    if kwargs.get("aux_logits", False):
        warnings.warn("googlenet: the weights of the auxiliary heads are not trained ones; train them", stacklevel=3)
    else:
        model.aux_logits, model.aux1, model.aux2 = False, None, None
    return model
