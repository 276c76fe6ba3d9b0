"""Losses for classification and regression; ``reduction`` is "mean", "sum" or "none"."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from ..autograd.node import Tensor
from ..errors import ShapeError, TypeMismatch
from . import functional as F
from ._make import Layer, fields, need
from .linear import Linear

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CrossEntropyLoss", "GaussianNLLLoss", "HuberLoss", "KLDivLoss", "L1Loss",
    "LinearCrossEntropyLoss", "MSELoss", "NLLLoss", "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss",
]  # fmt: skip


class _Loss(Layer, shows=""):
    """A loss of an input and a target; its other arguments reach the function by name."""

    reduction: str

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        self._start(size_average, reduce, reduction)

    def _start(self, size_average: bool | None, reduce: bool | None, reduction: str, **arguments: Any) -> None:
        """Keep the arguments; the two flags of old programs mean a reduction."""
        if size_average is not None or reduce is not None:
            reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
            warnings.warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=3)
        self._keep(reduction=reduction, **arguments)

    @staticmethod
    def _face(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
        names = [name for name in names if name not in ("size_average", "reduce")]

        def forward(self: Any, input: Tensor, target: Tensor) -> Tensor:
            return function(input, target, **{name: getattr(self, name) for name in names})

        return forward


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean"
    ) -> None:
        self._start(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class L1Loss(_Loss, calls=F.l1_loss):
    """mean |x - y|.

    >>> import dovetail as dv
    >>> dv.nn.L1Loss()(dv.tensor([1., 2.]), dv.tensor([1., 5.]))
    tensor(1.5000)
    """


class MSELoss(_Loss, calls=F.mse_loss):
    """mean (x - y)².

    >>> import dovetail as dv
    >>> dv.nn.MSELoss()(dv.tensor([1., 2.]), dv.tensor([1., 4.]))
    tensor(2.)
    """


class SmoothL1Loss(_Loss, calls=F.smooth_l1_loss):
    """½ d² / beta where d = |x - y| < beta, else d - ½ beta.

    >>> import dovetail as dv
    >>> dv.nn.SmoothL1Loss(reduction="none")(dv.tensor([0.5, 3.]), dv.tensor([0., 0.]))
    tensor([0.1250, 2.5000])
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0) -> None:
        self._start(size_average, reduce, reduction, beta=beta)


class HuberLoss(_Loss, calls=F.huber_loss):
    """½ d² where d = |x - y| < delta, else delta · (d - ½ delta).

    >>> import dovetail as dv
    >>> dv.nn.HuberLoss(reduction="none")(dv.tensor([0.5, 3.]), dv.tensor([0., 0.]))
    tensor([0.1250, 2.5000])
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        need(isinstance(delta, int | float), "HuberLoss", f"delta must be a float or int, got: {type(delta)}", kind=TypeMismatch)
        self._keep(reduction=reduction, delta=delta)


class CrossEntropyLoss(_WeightedLoss):
    """-log softmax(x)[y] for scores (N, C, *) and classes (N, *), or probabilities (N, C, *).

    Classes of ``ignore_index`` do not count; ``label_smoothing`` mixes the target with the uniform distribution.

    >>> import dovetail as dv
    >>> dv.nn.CrossEntropyLoss()(dv.zeros(1, 2), dv.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self, weight: Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100, reduce: bool | None = None,
        reduction: str = "mean", label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        self._start(size_average, reduce, reduction, ignore_index=ignore_index, label_smoothing=label_smoothing)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:  # written out, as training calls it every step
        return F.cross_entropy(
            input, target, self.weight, None, self.ignore_index, None, self.reduction, label_smoothing=self.label_smoothing
        )  # fmt: skip


class LinearCrossEntropyLoss(_WeightedLoss):
    """CrossEntropyLoss of a linear layer, ``self.linear``, on (N, in_features) and classes (N, *out_features).

    ``options`` are PyTorch's trade-offs of memory and time, which do not change the result; they are kept and not used.

    >>> import dovetail as dv
    >>> dv.nn.LinearCrossEntropyLoss(4, 3)(dv.zeros(2, 4), dv.tensor([0, 2])).detach()
    tensor(1.0986)
    """

    def __init__(
        self, in_features: int, num_classes: int, *, out_features: tuple[int, ...] = (), bias: bool = False, device: Any = None,
        dtype: Any = None, reduction: str = "mean", weight: Tensor | None = None, ignore_index: int | None = None,
        label_smoothing: float = 0.0, options: Any = None,
    ) -> None:  # fmt: skip
        self._keep(
            num_classes=num_classes, out_features=out_features, reduction=reduction, ignore_index=ignore_index,
            label_smoothing=label_smoothing, options=options,
        )  # fmt: skip
        right = (weight is None or weight.shape == (num_classes,)) and 0 <= label_smoothing <= 1
        what = f"expected weight shape to be {(num_classes,)} and label_smoothing to be in range [0, 1]"
        need(
            right,
            "LinearCrossEntropyLoss",
            what,
            f"got {None if weight is None else tuple(weight.shape)} and {label_smoothing}",
            ShapeError,
        )
        self.register_buffer("weight", weight)
        self.linear = Linear(in_features, math.prod(out_features, start=num_classes), bias, device, dtype)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape, bias = (self.num_classes, *self.out_features), self.linear.bias
        return F.linear_cross_entropy(
            input, self.linear.weight.reshape(*shape, self.linear.in_features), target, weight=self.weight, reduction=self.reduction,
            linear_bias=bias if bias is None else bias.reshape(shape), ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )  # fmt: skip

    def extra_repr(self) -> str:
        rest = fields(self, "num_classes out_features")
        end = fields(self, "reduction ignore_index label_smoothing options")
        return f"in_features={self.linear.in_features}, {rest}, bias={self.linear.bias is not None}, {end}"


class NLLLoss(_WeightedLoss, calls=F.nll_loss):
    """-x[y] for log probabilities (N, C, *) and classes (N, *).

    >>> import dovetail as dv
    >>> dv.nn.NLLLoss()(dv.tensor([[-1., -2.]]), dv.tensor([1]))
    tensor(2.)
    """

    def __init__(
        self, weight: Tensor | None = None, size_average: bool | None = None, ignore_index: int = -100, reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:  # fmt: skip
        self._start(size_average, reduce, reduction, ignore_index=ignore_index)
        self.register_buffer("weight", weight)


class NLLLoss2d(NLLLoss):
    """NLLLoss under an old name."""


class BCELoss(_WeightedLoss, calls=F.binary_cross_entropy):
    """-(y log x + (1 - y) log(1 - x)) for probabilities x; the logarithms are at least -100.

    >>> import dovetail as dv
    >>> dv.nn.BCELoss()(dv.tensor([0.5]), dv.tensor([1.]))
    tensor(0.6931)
    """


class BCEWithLogitsLoss(_Loss, calls=F.binary_cross_entropy_with_logits):
    """BCELoss of sigmoid(x), computed without overflow; ``pos_weight`` multiplies the positive part.

    >>> import dovetail as dv
    >>> dv.nn.BCEWithLogitsLoss()(dv.tensor([0.]), dv.tensor([1.]))
    tensor(0.6931)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:  # fmt: skip
        self._start(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)


class KLDivLoss(_Loss, calls=F.kl_div):
    """y · (log y - x) for log probabilities x; ``reduction="batchmean"`` is the divergence per sample.

    >>> import dovetail as dv
    >>> dv.nn.KLDivLoss(reduction="batchmean")(dv.tensor([[0.5, 0.5]]).log(), dv.tensor([[1., 0.]]))
    tensor(0.6931)
    """

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", log_target: bool = False
    ) -> None:
        self._start(size_average, reduce, reduction, log_target=log_target)


class PoissonNLLLoss(_Loss):
    """eˣ - y·x, or x - y·log(x + eps) where not ``log_input``; ``full`` adds Stirling's term.

    >>> import dovetail as dv
    >>> dv.nn.PoissonNLLLoss()(dv.tensor([0.]), dv.tensor([2.]))
    tensor(1.)
    """

    def __init__(
        self, log_input: bool = True, full: bool = False, size_average: bool | None = None, eps: float = 1e-8,
        reduce: bool | None = None, reduction: str = "mean",
    ) -> None:  # fmt: skip
        self._start(size_average, reduce, reduction, log_input=log_input, full=full, eps=eps)

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction)


class GaussianNLLLoss(_Loss):
    """½ (log v + (x - y)² / v) with variance v ≥ eps; ``full`` adds ½ log 2π.

    >>> import dovetail as dv
    >>> dv.nn.GaussianNLLLoss()(dv.tensor([[1.]]), dv.tensor([[3.]]), dv.tensor([[1.]]))
    tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        self._keep(full=full, eps=eps, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class CTCLoss(_Loss):
    """-log of the probability that log probabilities (T, N, C) spell targets (N, S), over all alignments. Graves and others, 2006.

    ``blank`` is the class between labels; ``zero_infinity`` answers 0 where the input is too short for its target.

    >>> import dovetail as dv
    >>> log_probs = dv.zeros(4, 1, 3).log_softmax(2)
    >>> dv.nn.CTCLoss()(log_probs, dv.tensor([[1, 2]]), dv.tensor([4]), dv.tensor([2])) > 0
    tensor(True)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        self._keep(blank=blank, reduction=reduction, zero_infinity=zero_infinity)

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity)
