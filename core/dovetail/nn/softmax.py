"""Layers that weigh elements against each other along a dimension: the softmax family, GLU and the adaptive softmax."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

from ..autograd.node import Tensor, titled
from ..errors import ShapeError, ValueRangeError
from . import functional as F
from ._make import Layer, need
from ._ops import dv
from .containers import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["GLU", "AdaptiveLogSoftmaxWithLoss", "LogSoftmax", "Softmax", "Softmax2d", "Softmin"]

_ASMoutput = namedtuple("_ASMoutput", ("output", "loss"))


class _AlongDim(Layer, passes="dim _stacklevel"):
    _stacklevel = 5  # the warning about an absent dim names the line that calls the layer

    def __init__(self, dim: int | None = None) -> None:
        self._keep(dim=dim)


class Softmax(_AlongDim, calls=F.softmax):
    """e^x / Σ e^x along ``dim``.

    >>> import dovetail as dv
    >>> dv.nn.Softmax(dim=0)(dv.tensor([0., 0.]))
    tensor([0.5000, 0.5000])
    """


class LogSoftmax(_AlongDim, calls=F.log_softmax):
    """log(e^x / Σ e^x) along ``dim``.

    >>> import dovetail as dv
    >>> dv.nn.LogSoftmax(dim=0)(dv.tensor([0., 0.]))
    tensor([-0.6931, -0.6931])
    """


class Softmin(_AlongDim, calls=F.softmin):
    """Softmax of -x along ``dim``.

    >>> import dovetail as dv
    >>> dv.nn.Softmin(dim=0)(dv.tensor([0., 0.]))
    tensor([0.5000, 0.5000])
    """


class Softmax2d(Module):
    """Softmax over the channels of (N, C, H, W) or (C, H, W). Raises a ValueError for other dimensions.

    >>> import dovetail as dv
    >>> dv.nn.Softmax2d()(dv.zeros(2, 1, 1))[0]
    tensor([[0.5000]])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueRangeError("Softmax2d", f"expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3, _stacklevel=5)


class GLU(Layer, calls=F.glu):
    """a · sigmoid(b) for the halves a, b of the input along ``dim``. Dauphin and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.GLU()(dv.tensor([2., 0.]))
    tensor([1.])
    """

    def __init__(self, dim: int = -1) -> None:
        self._keep(dim=dim)


class AdaptiveLogSoftmaxWithLoss(Layer):
    """A softmax over many classes: the frequent ones in a head, the others in clusters of smaller vectors. Grave and others, 2017.

    ``cutoffs`` are the first class of each cluster; (N, in_features) and targets (N) → (output (N), loss).
    Raises a ValueError for cutoffs that do not grow within 1 … n_classes - 1.

    >>> import dovetail as dv
    >>> layer = dv.nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[5, 10])
    >>> layer.log_prob(dv.ones(3, 16)).shape
    dovetail.Size([3, 20])
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0, head_bias: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        name, cutoffs = "AdaptiveLogSoftmaxWithLoss", list(cutoffs)
        need(cutoffs, name, "cutoffs should be a sequence of length larger than 0")
        grows = cutoffs == sorted(set(cutoffs)) and all(int(c) == c for c in cutoffs)
        what = "cutoffs should be a sequence of unique, positive integers sorted in an increasing order"
        what += ", where each value is between 1 and n_classes-1"
        need(grows and cutoffs[0] > 0 and cutoffs[-1] < n_classes, name, what, f"got {cutoffs}")
        self._keep(
            in_features=in_features, n_classes=n_classes, cutoffs=[*cutoffs, n_classes], div_value=div_value, head_bias=head_bias,
            shortlist_size=cutoffs[0], n_clusters=len(cutoffs), head_size=cutoffs[0] + len(cutoffs),
        )  # fmt: skip
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden, classes = int(in_features // div_value ** (i + 1)), self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(Sequential(Linear(in_features, hidden, False, device, dtype), Linear(hidden, classes, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draw new initial weights."""
        self.head.reset_parameters()
        for down, up in self.tail:
            down.reset_parameters()
            up.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> Any:
        batched = target_.ndim > 0
        need(target_.ndim < 2, "AdaptiveLogSoftmaxWithLoss", "0D or 1D target tensor expected, multi-target not supported", kind=ShapeError)
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        if batched and input.shape[0] != target.shape[0]:
            what, got = "Input and target should have the same size in the batch dimension", (tuple(input_.shape), tuple(target_.shape))
            raise ShapeError("AdaptiveLogSoftmaxWithLoss", what, f"got {got[0]} and {got[1]}")
        low, high = (int(target.min()), int(target.max())) if target.numel() else (0, 0)
        if low < 0 or high >= self.n_classes:
            what = f"Target values should be in [0, {self.n_classes - 1}], but values in range [{low}, {high}] were found."
            raise ShapeError("AdaptiveLogSoftmaxWithLoss", what)
        output, chosen = input.new_zeros(target.shape[0]), target.clone()  # of each row the part inside its cluster; its place in the head
        for i, low in enumerate(self.cutoffs[:-1]):
            rows = ((target >= low) & (target < self.cutoffs[i + 1])).nonzero().squeeze(1)
            if rows.numel():
                inside = F.log_softmax(self.tail[i](input.index_select(0, rows)), dim=1)
                output = output.index_copy(0, rows, inside.gather(1, target.index_select(0, rows).unsqueeze(1) - low).squeeze(1))
                chosen.index_fill_(0, rows, self.shortlist_size + i)
        output = output + F.log_softmax(self.head(input), dim=1).gather(1, chosen.unsqueeze(1)).squeeze(1)
        return _ASMoutput(output if batched else output.squeeze(0), (-output).mean())

    def _get_full_log_prob(self, input: Tensor, head_output: Tensor) -> Tensor:
        head = F.log_softmax(head_output, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            parts.append(F.log_softmax(cluster(input), dim=1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return titled("CopySlices", dv.cat(parts, dim=1))

    def log_prob(self, input: Tensor) -> Tensor:
        """The log probabilities of all classes: (N, in_features) → (N, n_classes)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each row: (N, in_features) → (N)."""
        return self.log_prob(input).argmax(dim=1)
