"""A softmax for many classes, most of them rare."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence as Row
from typing import Any

from ..autograd.node import Tensor
from ..errors import ShapeError, ValueRangeError
from . import functional as F
from ._ops import dv
from .containers import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ("output", "loss"))
_NAME = "AdaptiveLogSoftmaxWithLoss"


class AdaptiveLogSoftmaxWithLoss(Module):
    """A softmax over many classes: the frequent ones in a head, the others in clusters of smaller vectors. Grave and others, 2017.

    ``cutoffs`` are the first class of each cluster; (N, in_features) and targets (N) → (output (N), loss).
    Raises a ValueError for cutoffs that do not grow within 1 … n_classes - 1.

    >>> import dovetail as dv
    >>> layer = dv.nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[5, 10])
    >>> layer.log_prob(dv.ones(3, 16)).shape
    dovetail.Size([3, 20])
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Row[int], div_value: float = 4.0, head_bias: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueRangeError(_NAME, "cutoffs should be a sequence of length larger than 0")
        grows = cutoffs == sorted(set(cutoffs)) and all(int(c) == c for c in cutoffs)
        if not (grows and cutoffs[0] > 0 and cutoffs[-1] < n_classes):
            what = "cutoffs should be a sequence of unique, positive integers sorted in an increasing order"
            raise ValueRangeError(_NAME, f"{what}, where each value is between 1 and n_classes-1", f"got {cutoffs}")
        super().__init__()
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters, self.head_size = cutoffs[0], len(cutoffs), cutoffs[0] + len(cutoffs)
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
        if target_.ndim > 1:
            raise ShapeError(_NAME, "0D or 1D target tensor expected, multi-target not supported")
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        if batched and input.shape[0] != target.shape[0]:
            what, got = "Input and target should have the same size in the batch dimension", (tuple(input_.shape), tuple(target_.shape))
            raise ShapeError(_NAME, what, f"got {got[0]} and {got[1]}")
        low, high = (int(target.min()), int(target.max())) if target.numel() else (0, 0)
        if low < 0 or high >= self.n_classes:
            what = f"Target values should be in [0, {self.n_classes - 1}], but values in range [{low}, {high}] were found."
            raise ShapeError(_NAME, what)
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
        return dv.cat(parts, dim=1)

    def log_prob(self, input: Tensor) -> Tensor:
        """The log probabilities of all classes: (N, in_features) → (N, n_classes)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """The likeliest class of each row: (N, in_features) → (N)."""
        return self.log_prob(input).argmax(dim=1)
