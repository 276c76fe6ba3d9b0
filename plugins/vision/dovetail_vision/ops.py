"""Layers that vision models are built of, by the names of torchvision's ``ops``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError
from dovetail.nn import functional as F

__all__ = [
    "MLP", "Conv2dNormActivation", "DropBlock2d", "FrozenBatchNorm2d", "Permute", "SqueezeExcitation", "StochasticDepth", "drop_block2d",
    "stochastic_depth",
]  # fmt: skip

Layer = Callable[..., nn.Module]


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


class Conv2dNormActivation(nn.Sequential):
    """Convolution, normalization, activation; ``padding=None`` keeps the size at stride 1, ``bias=None`` has one without normalization.

    >>> Conv2dNormActivation(3, 8, stride=2)(dovetail.zeros(1, 3, 8, 8)).shape
    dovetail.Size([1, 8, 4, 4])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: int | Sequence[int] = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        if padding is None:
            sides = tuple((size - 1) // 2 * step for size, step in zip(_pair(kernel_size), _pair(dilation), strict=True))
            padding = sides[0] if isinstance(kernel_size, int) and isinstance(dilation, int) else sides
        bias = norm_layer is None if bias is None else bias
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, dilation=dilation, groups=groups, bias=bias)  # type: ignore[arg-type]
        layers: list[nn.Module] = [conv] if norm_layer is None else [conv, norm_layer(out_channels)]
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


class SqueezeExcitation(nn.Module):
    """Scale each channel by what two 1 × 1 convolutions make of the means of all: https://arxiv.org/abs/1709.01507, figure 1.

    >>> SqueezeExcitation(8, 2)(dovetail.zeros(1, 8, 4, 4)).shape
    dovetail.Size([1, 8, 4, 4])
    """

    def __init__(
        self, input_channels: int, squeeze_channels: int, activation: Layer = nn.ReLU, scale_activation: Layer = nn.Sigmoid
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        return self.scale_activation(self.fc2(self.activation(self.fc1(self.avgpool(input))))) * input


class MLP(nn.Sequential):
    """Linear layers with normalization, activation and dropout between them; the last one is linear and dropout alone.

    >>> MLP(4, [8, 2])(dovetail.zeros(3, 4)).shape
    dovetail.Size([3, 2])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Sequence[int],
        norm_layer: Layer | None = None,
        activation_layer: Layer = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        place = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        for size in hidden_channels[:-1]:
            layers.append(nn.Linear(in_channels, size, bias=bias))
            layers += [] if norm_layer is None else [norm_layer(size)]
            layers += [activation_layer(**place), nn.Dropout(dropout, **place)]
            in_channels = size
        layers += [nn.Linear(in_channels, hidden_channels[-1], bias=bias), nn.Dropout(dropout, **place)]
        super().__init__(*layers)


class Permute(nn.Module):
    """The dimensions in another order.

    >>> Permute([0, 2, 1])(dovetail.zeros(1, 2, 3)).shape
    dovetail.Size([1, 3, 2])
    """

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(*self.dims)


class FrozenBatchNorm2d(nn.Module):
    """Batch normalization of ``(N, C, H, W)`` by fixed statistics and weights, which are buffers; takes the state of a BatchNorm2d.

    >>> FrozenBatchNorm2d(3, eps=0.0)(dovetail.ones(1, 3, 2, 2)).mean().item()
    1.0
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, dovetail.full((num_features,), value))
        self.register_load_state_dict_pre_hook(_without_count)

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, mean, variance = (part.reshape(1, -1, 1, 1) for part in (self.weight, self.bias, self.running_mean, self.running_var))
        scale = weight * (variance + self.eps).rsqrt()
        return x * scale + (bias - mean * scale)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


def _without_count(module: Any, state_dict: Any, prefix: str, *_: Any) -> None:
    state_dict.pop(prefix + "num_batches_tracked", None)


def _check_chance(where: str, p: float) -> None:
    if p < 0.0 or p > 1.0:
        raise ValueRangeError(where, f"p is {p}", "expected 0 to 1")


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Zero the whole input ("batch") or single samples of it ("row") with probability ``p``, and scale the rest by ``1 / (1 - p)``.

    Source: https://arxiv.org/abs/1603.09382.

    >>> stochastic_depth(dovetail.ones(2), 0.5, "row", training=False)
    tensor([1., 1.])
    """
    _check_chance("stochastic_depth", p)
    if mode not in ("batch", "row"):
        raise ValueRangeError("stochastic_depth", f"mode is {mode!r}", 'expected "batch" or "row"')
    if not training or p == 0.0:
        return input
    rows = input.shape[0] if mode == "row" else 1
    kept = dovetail.empty([rows] + [1] * (input.ndim - 1), dtype=input.dtype, device=input.device).bernoulli_(1.0 - p)
    return input * (kept.div_(1.0 - p) if p < 1.0 else kept)


class StochasticDepth(nn.Module):
    """``stochastic_depth`` while training, for the branch of a residual block.

    >>> StochasticDepth(0.2, "row").eval()(dovetail.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"


def drop_block2d(input: Tensor, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6, training: bool = True) -> Tensor:
    """Zero random squares of ``(N, C, H, W)``, a share ``p`` of it, and scale the rest: https://arxiv.org/abs/1810.12890.

    >>> drop_block2d(dovetail.ones(1, 1, 8, 8), 0.0, 3).sum().item()
    64.0
    """
    _check_chance("drop_block2d", p)
    if input.ndim != 4:
        raise ValueRangeError("drop_block2d", f"input has {input.ndim} dimensions", "expected (N, C, H, W)")
    if not training or p == 0.0:
        return input
    count, channels, height, width = input.shape
    size = min(block_size, width, height)
    if size % 2 == 0:
        raise ValueRangeError("drop_block2d", f"block_size is {size}", "expected an odd number")
    free = (height - size + 1, width - size + 1)
    share = p * height * width / (size**2 * free[0] * free[1])
    centres = dovetail.empty(count, channels, *free, dtype=input.dtype, device=input.device).bernoulli_(share)
    dropped = F.max_pool2d(F.pad(centres, [size // 2] * 4), size, stride=1, padding=size // 2)
    kept = 1 - dropped
    scale = kept.numel() / (eps + kept.sum())
    return input.mul_(kept).mul_(scale) if inplace else input * kept * scale


class DropBlock2d(nn.Module):
    """``drop_block2d`` while training.

    >>> DropBlock2d(0.1, 3).eval()(dovetail.ones(1, 1, 8, 8)).sum().item()
    64.0
    """

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = p
        self.block_size = block_size
        self.inplace = inplace
        self.eps = eps

    def forward(self, input: Tensor) -> Tensor:
        return drop_block2d(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, inplace={self.inplace})"
