"""Small blocks that vision models are built of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail
from dovetail import Tensor, nn

__all__ = ["MLP", "Conv2dNormActivation", "Conv3dNormActivation", "ConvNormActivation", "FrozenBatchNorm2d", "Permute", "SqueezeExcitation"]

Layer = Callable[..., nn.Module]
Sizes = int | Sequence[int]


class ConvNormActivation(nn.Sequential):
    """Convolution, normalization, activation, of 2 or 3 dimensions: the base of `Conv2dNormActivation` and `Conv3dNormActivation`."""

    _conv: Layer = nn.Conv2d

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes = 3, stride: Sizes = 1, padding: Sizes | str | None = None,
        groups: int = 1, norm_layer: Layer | None = nn.BatchNorm2d, activation_layer: Layer | None = nn.ReLU, dilation: Sizes = 1,
        inplace: bool | None = True, bias: bool | None = None,
    ) -> None:  # fmt: skip
        if padding is None:
            padding = _same_size(kernel_size, dilation)
        bias = norm_layer is None if bias is None else bias
        conv = self._conv(in_channels, out_channels, kernel_size, stride, padding, dilation=dilation, groups=groups, bias=bias)
        layers: list[nn.Module] = [conv] if norm_layer is None else [conv, norm_layer(out_channels)]
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


def _same_size(kernel_size: Sizes, dilation: Sizes) -> Sizes:
    """The padding that keeps the size at stride 1."""
    if isinstance(kernel_size, int) and isinstance(dilation, int):
        return (kernel_size - 1) // 2 * dilation
    dims = len(dilation) if isinstance(kernel_size, int) else len(kernel_size)  # type: ignore[arg-type]
    sizes, steps = ((value,) * dims if isinstance(value, int) else value for value in (kernel_size, dilation))
    return tuple((size - 1) // 2 * step for size, step in zip(sizes, steps, strict=True))


class Conv2dNormActivation(ConvNormActivation):
    """Convolution, normalization, activation; ``padding=None`` keeps the size at stride 1, ``bias=None`` has one without normalization.

    >>> Conv2dNormActivation(3, 8, stride=2)(dovetail.zeros(1, 3, 8, 8)).shape
    dovetail.Size([1, 8, 4, 4])
    """


class Conv3dNormActivation(ConvNormActivation):
    """The same for videos (N, C, T, H, W).

    >>> Conv3dNormActivation(3, 8, stride=2)(dovetail.zeros(1, 3, 4, 8, 8)).shape
    dovetail.Size([1, 8, 2, 4, 4])
    """

    _conv = nn.Conv3d

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Sizes = 3, stride: Sizes = 1, padding: Sizes | str | None = None,
        groups: int = 1, norm_layer: Layer | None = nn.BatchNorm3d, activation_layer: Layer | None = nn.ReLU, dilation: Sizes = 1,
        inplace: bool | None = True, bias: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer, activation_layer, dilation, inplace, bias
        )


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
