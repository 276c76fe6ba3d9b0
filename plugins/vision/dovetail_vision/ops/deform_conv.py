"""Deformable convolution: each tap of the kernel reads at a place of its own, between cells."""

from __future__ import annotations

import math

import dovetail
from dovetail import Tensor, nn
from dovetail.errors import ShapeError, ValueRangeError
from dovetail.nn import functional as F

from ._checks import pair

__all__ = ["DeformConv2d", "deform_conv2d"]

Size = int | tuple[int, int]


def deform_conv2d(
    input: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = (1, 1), padding: Size = (0, 0),
    dilation: Size = (1, 1), mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """A convolution (N, C, H, W) to (N, O, OH, OW) whose tap k reads ``offset`` away from its place, times ``mask``.

    ``offset`` is (N, 2 · G · KH · KW, OH, OW), rows before columns, for G groups of channels, ``mask`` (N, G · KH · KW, OH, OW);
    outside the map there are zeros. Sources: https://arxiv.org/abs/1703.06211, with masks https://arxiv.org/abs/1811.11168.
    Raises a RuntimeError for shapes that do not fit.

    >>> from dovetail import ones, zeros
    >>> deform_conv2d(ones(1, 1, 4, 4), zeros(1, 18, 2, 2), ones(1, 1, 3, 3))
    tensor([[[[9., 9.],
              [9., 9.]]]])
    """
    steps, pads, spread = pair(stride), pair(padding), pair(dilation)
    kernel = weight.shape[-2:]
    out = tuple((input.shape[2 + d] + 2 * pads[d] - spread[d] * (kernel[d] - 1) - 1) // steps[d] + 1 for d in (0, 1))
    groups = _check(input, offset, weight, mask, out)
    taps = kernel[0] * kernel[1]
    n, channels = input.shape[:2]
    places = []
    for d, shape in enumerate(((-1, 1, 1, 1), (1, -1, 1, 1))):
        tap = (dovetail.arange(kernel[d], device=input.device) * spread[d]).reshape(shape)
        step = (dovetail.arange(out[d], device=input.device) * steps[d]).reshape(shape[2:] + shape[:2])
        places.append((tap + step - pads[d]).expand(*kernel, *out).reshape(taps, *out))
    offset = offset.reshape(n, groups, taps, 2, *out)
    read = _between(input.reshape(n, groups, -1, *input.shape[2:]), *(places[d] + offset[:, :, :, d] for d in (0, 1)))
    if mask is not None:
        read = read * mask.reshape(n, groups, taps, *out, 1)
    split = channels // weight.shape[1]
    columns = read.permute(0, 1, 5, 2, 3, 4).reshape(n, split, weight.shape[1] * taps, -1)
    result = dovetail.matmul(weight.reshape(split, -1, weight.shape[1] * taps), columns).reshape(n, -1, *out)
    return result if bias is None else result + bias.reshape(-1, 1, 1)


def _check(input: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None, out: tuple[int, ...]) -> int:
    """How many groups of channels have offsets of their own."""
    where, taps = "deform_conv2d", weight.shape[2] * weight.shape[3]
    if input.ndim != 4 or offset.ndim != 4 or weight.ndim != 4:
        raise ShapeError(where, f"input, offset and weight have {input.ndim}, {offset.ndim}, {weight.ndim} dimensions", "expected 4 each")
    groups = offset.shape[1] // (2 * taps)
    if groups == 0 or offset.shape[1] != 2 * taps * groups or input.shape[1] % groups:
        expected = f"expected 2 · {taps} times a number that divides the {input.shape[1]} channels of input"
        raise ShapeError(where, f"the shape of the offset tensor at dimension 1 is not valid: {offset.shape[1]}", expected)
    if input.shape[1] % weight.shape[1] or weight.shape[0] % (input.shape[1] // weight.shape[1]):
        raise ShapeError(
            where, f"input has {input.shape[1]} channels but weight is {tuple(weight.shape)}", "expected whole groups of channels"
        )
    if tuple(offset.shape[2:]) != out or offset.shape[0] != input.shape[0]:
        raise ShapeError(where, f"offset is {tuple(offset.shape)}", f"expected ({input.shape[0]}, {offset.shape[1]}, {out[0]}, {out[1]})")
    if mask is not None and tuple(mask.shape) != (input.shape[0], groups * taps, *out):
        raise ShapeError(where, f"mask is {tuple(mask.shape)}", f"expected ({input.shape[0]}, {groups * taps}, {out[0]}, {out[1]})")
    return groups


def _between(input: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """What the maps (N, G, C, H, W) have at the places (N, G, K, OH, OW), by the four cells around: (N, G, K, OH, OW, C)."""
    n, groups, _, height, width = input.shape
    table = input.permute(0, 1, 3, 4, 2).reshape(n * groups * height * width, -1).contiguous()
    first = (dovetail.arange(n * groups, device=input.device) * (height * width)).reshape(n, groups, 1, 1, 1)
    top, left = y.detach().floor(), x.detach().floor()
    result = None
    for row, share in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, part in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            at = first + row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
            value = F.embedding(at, table) * dovetail.where(inside, share * part, 0)[..., None]
            result = value if result is None else result + value
    return result


class DeformConv2d(nn.Module):
    """`deform_conv2d` as a layer; its input comes with offsets, and with masks if they are wanted.

    Raises a ValueError for channels that are no multiple of ``groups``.

    >>> from dovetail import ones, zeros
    >>> DeformConv2d(4, 6, 3, padding=1)(ones(1, 4, 5, 5), zeros(1, 18, 5, 5)).shape
    dovetail.Size([1, 6, 5, 5])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Size, stride: Size = 1, padding: Size = 0, dilation: Size = 1,
        groups: int = 1, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueRangeError("DeformConv2d", f"{name} is {channels}", f"{name} must be divisible by groups ({groups})")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = pair(kernel_size)
        self.stride = pair(stride)
        self.padding = pair(padding)
        self.dilation = pair(dilation)
        self.groups = groups
        self.weight = nn.Parameter(dovetail.empty(out_channels, in_channels // groups, *self.kernel_size))
        if bias:
            self.bias = nn.Parameter(dovetail.empty(out_channels))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights as those of a plain convolution."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor, offset: Tensor, mask: Tensor | None = None) -> Tensor:
        return deform_conv2d(input, offset, self.weight, self.bias, self.stride, self.padding, self.dilation, mask)

    def __repr__(self) -> str:
        text = f"{type(self).__name__}({self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if self.padding != (0, 0) else ""
        text += f", dilation={self.dilation}" if self.dilation != (1, 1) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + (")" if self.bias is not None else ", bias=False)")
