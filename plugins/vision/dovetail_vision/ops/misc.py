"""Small blocks that vision models are built of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn

__all__ = ["MLP", "Conv2dNormActivation", "FrozenBatchNorm2d", "Permute", "SqueezeExcitation"]

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
