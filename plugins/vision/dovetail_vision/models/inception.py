"""Inception v3, with torchvision's parameter names and initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dovetail import Tensor, cat, flatten, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

from ._api import Weights, WeightsEnum, build, lazy_enums, takes_weights
from ._initial import initialise, truncated
from .googlenet import BasicConv2d, Block, Parallel, as_google_trained, as_published

__all__ = ["Inception3", "InceptionOutputs", "Inception_V3_Weights", "_InceptionOutputs", "inception_v3"]  # noqa: F822

__getattr__ = lazy_enums(__name__, {"Inception_V3_Weights": "inception_v3"})


class InceptionOutputs(NamedTuple):
    """What `Inception3` gives while it trains: its result, and that of the head behind ``Mixed_6e``."""

    logits: Tensor
    aux_logits: Tensor | None


_InceptionOutputs = InceptionOutputs


class InceptionA(Parallel):
    """1 × 1, 5 × 5, twice 3 × 3, and a pooling: figure 5 of the paper."""

    def __init__(self, in_channels: int, pool_features: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch1x1 = conv(in_channels, 64, kernel_size=1)
        self.branch5x5_1 = conv(in_channels, 48, kernel_size=1)
        self.branch5x5_2 = conv(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, padding=1)
        self.branch_pool = conv(in_channels, pool_features, kernel_size=1)

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [
            self.branch1x1(x),
            self.branch5x5_2(self.branch5x5_1(x)),
            self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))),
            self.branch_pool(F.avg_pool2d(x, 3, 1, 1)),
        ]


class InceptionB(Parallel):
    """To half the size: 3 × 3, twice 3 × 3, and a pooling."""

    def __init__(self, in_channels: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3 = conv(in_channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = conv(in_channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = conv(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, kernel_size=3, stride=2)

    def _forward(self, x: Tensor) -> list[Tensor]:
        return [self.branch3x3(x), self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x))), F.max_pool2d(x, 3, 2)]


class InceptionC(Parallel):
    """1 × 1, 7 × 7 as 1 × 7 and 7 × 1, that twice, and a pooling: figure 6 of the paper."""

    def __init__(self, in_channels: int, channels_7x7: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv, width = conv_block or BasicConv2d, channels_7x7
        row: dict[str, Any] = {"kernel_size": (1, 7), "padding": (0, 3)}
        column: dict[str, Any] = {"kernel_size": (7, 1), "padding": (3, 0)}
        self.branch1x1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7_1 = conv(in_channels, width, kernel_size=1)
        self.branch7x7_2 = conv(width, width, **row)
        self.branch7x7_3 = conv(width, 192, **column)
        self.branch7x7dbl_1 = conv(in_channels, width, kernel_size=1)
        self.branch7x7dbl_2 = conv(width, width, **column)
        self.branch7x7dbl_3 = conv(width, width, **row)
        self.branch7x7dbl_4 = conv(width, width, **column)
        self.branch7x7dbl_5 = conv(width, 192, **row)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def _forward(self, x: Tensor) -> list[Tensor]:
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        return [
            self.branch1x1(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            self.branch7x7dbl_5(self.branch7x7dbl_4(double)),
            self.branch_pool(F.avg_pool2d(x, 3, 1, 1)),
        ]


class InceptionD(Parallel):
    """To half the size: 3 × 3, 7 × 7 in parts and 3 × 3, and a pooling."""

    def __init__(self, in_channels: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.branch3x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch3x3_2 = conv(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = conv(in_channels, 192, kernel_size=1)
        self.branch7x7x3_2 = conv(192, 192, kernel_size=(1, 7), padding=(0, 3))
        self.branch7x7x3_3 = conv(192, 192, kernel_size=(7, 1), padding=(3, 0))
        self.branch7x7x3_4 = conv(192, 192, kernel_size=3, stride=2)

    def _forward(self, x: Tensor) -> list[Tensor]:
        wide = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return [self.branch3x3_2(self.branch3x3_1(x)), wide, F.max_pool2d(x, 3, 2)]


class InceptionE(Parallel):
    """1 × 1, 3 × 3 as 1 × 3 beside 3 × 1, that behind 3 × 3, and a pooling: figure 7 of the paper."""

    def __init__(self, in_channels: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        row: dict[str, Any] = {"kernel_size": (1, 3), "padding": (0, 1)}
        column: dict[str, Any] = {"kernel_size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = conv(in_channels, 320, kernel_size=1)
        self.branch3x3_1 = conv(in_channels, 384, kernel_size=1)
        self.branch3x3_2a = conv(384, 384, **row)
        self.branch3x3_2b = conv(384, 384, **column)
        self.branch3x3dbl_1 = conv(in_channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = conv(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, **row)
        self.branch3x3dbl_3b = conv(384, 384, **column)
        self.branch_pool = conv(in_channels, 192, kernel_size=1)

    def _forward(self, x: Tensor) -> list[Tensor]:
        one, two = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return [
            self.branch1x1(x),
            cat([self.branch3x3_2a(one), self.branch3x3_2b(one)], 1),
            cat([self.branch3x3dbl_3a(two), self.branch3x3dbl_3b(two)], 1),
            self.branch_pool(F.avg_pool2d(x, 3, 1, 1)),
        ]


class InceptionAux(nn.Module):
    """A head for the result on the way: pooling, 1 × 1, 5 × 5, a linear layer."""

    def __init__(self, in_channels: int, num_classes: int, conv_block: Block | None = None) -> None:
        super().__init__()
        conv = conv_block or BasicConv2d
        self.conv0 = conv(in_channels, 128, kernel_size=1)
        self.conv1 = conv(128, 768, kernel_size=5)
        self.conv1.stddev = 0.01
        self.fc = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, 5, 3)))
        return self.fc(flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))


class Inception3(nn.Module):
    """Eleven inception modules: ``(N, 3, H, W)``, best 299 and at least 75 each way, to ``(N, num_classes)``, training `InceptionOutputs`.

    ``aux_logits=False`` leaves out the head on the way; ``transform_input`` takes images normalized for torchvision's other weights;
    ``inception_blocks`` are the classes of convolution, modules A to E and head. A layer's attribute ``stddev`` is that of its draws.
    ``init_weights=None`` is True, without torchvision's warning.

    After Szegedy and others, Rethinking the Inception Architecture for Computer Vision, https://arxiv.org/abs/1512.00567.

    >>> from dovetail import zeros
    >>> Inception3(num_classes=10, init_weights=False).eval()(zeros(1, 3, 75, 75)).shape
    dovetail.Size([1, 10])
    """

    def __init__(
        self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False,
        inception_blocks: Sequence[Block] | None = None, init_weights: bool | None = None, dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        own = [BasicConv2d, InceptionA, InceptionB, InceptionC, InceptionD, InceptionE, InceptionAux]
        blocks = own if inception_blocks is None else inception_blocks
        if len(blocks) != 7:
            raise ValueRangeError("Inception3", f"inception_blocks are {len(blocks)}", "expected 7: convolution, modules A to E, head")
        conv, a, b, c, d, e, head = blocks
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = conv(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = conv(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = conv(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = conv(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = conv(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = a(192, pool_features=32)
        self.Mixed_5c = a(256, pool_features=64)
        self.Mixed_5d = a(288, pool_features=64)
        self.Mixed_6a = b(288)
        self.Mixed_6b = c(768, channels_7x7=128)
        self.Mixed_6c = c(768, channels_7x7=160)
        self.Mixed_6d = c(768, channels_7x7=160)
        self.Mixed_6e = c(768, channels_7x7=192)
        self.AuxLogits = head(768, num_classes) if aux_logits else None
        self.Mixed_7a = d(768)
        self.Mixed_7b = e(1280)
        self.Mixed_7c = e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights is None or init_weights:
            special = {m: truncated(float(m.stddev)) for m in self.modules() if hasattr(m, "stddev")}
            initialise(self, truncated(0.1), truncated(0.1), special, zeroed=())

    def _forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        aux = self.AuxLogits(x) if self.AuxLogits is not None and self.training else None
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return self.fc(flatten(self.dropout(self.avgpool(x)), 1)), aux

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        return self.eager_outputs(*self._forward(self._transform_input(x)))

    def _transform_input(self, x: Tensor) -> Tensor:
        return as_google_trained(x) if self.transform_input else x

    def eager_outputs(self, x: Tensor, aux: Tensor | None) -> Tensor | InceptionOutputs:
        """What a call gives: both logits while training with ``aux_logits``, else the first."""
        return InceptionOutputs(x, aux) if self.training and self.aux_logits else x


@takes_weights("Inception_V3_Weights")
def inception_v3(*, weights: WeightsEnum | Weights | None = None, progress: bool = True, **kwargs: Any) -> Inception3:
    """Inception v3; with weights and ``aux_logits=False`` the auxiliary head is left out after loading.

    ``weights``: an ``Inception_V3_Weights`` or its name; ``kwargs`` go to `Inception3`.
    """
    if weights is None:
        return build(None, progress, Inception3, **kwargs)
    model = build(weights, progress, Inception3, **as_published(kwargs))
    if not kwargs.get("aux_logits", True):
        model.aux_logits, model.AuxLogits = False, None
    return model
