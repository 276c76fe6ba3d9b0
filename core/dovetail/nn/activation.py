"""Activations that act on every element alone."""

from __future__ import annotations

import warnings
from typing import Any

from ..autograd.node import Tensor
from ..errors import AssertedError
from . import functional as F
from . import init
from ._make import InPlace, fields, parameter
from .module import Module

__all__ = [
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish", "PReLU",
    "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class ReLU(InPlace):
    """max(0, x).

    >>> import dovetail as dv
    >>> dv.nn.ReLU()(dv.tensor([-1., 2.]))
    tensor([0., 2.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, inplace=self.inplace)


class GELU(Module):
    """x · Φ(x), Φ being the normal distribution; ``approximate="tanh"`` is the usual short form. Hendrycks and Gimpel, 2016.

    >>> import dovetail as dv
    >>> dv.nn.GELU()(dv.tensor([-1., 2.]))
    tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ).

    >>> import dovetail as dv
    >>> dv.nn.Sigmoid()(dv.tensor([0.]))
    tensor([0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(Module):
    """tanh(x).

    >>> import dovetail as dv
    >>> dv.nn.Tanh()(dv.tensor([0., 1.]))
    tensor([0.0000, 0.7616])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class SiLU(InPlace):
    """x · sigmoid(x), also called swish. Elfwing and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.SiLU()(dv.tensor([0., 1.]))
    tensor([0.0000, 0.7311])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, inplace=self.inplace)


class LeakyReLU(InPlace):
    """x where x > 0, else negative_slope · x.

    >>> import dovetail as dv
    >>> dv.nn.LeakyReLU(0.1)(dv.tensor([-1., 2.]))
    tensor([-0.1000,  2.0000])
    """

    _shown = "negative_slope"

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class PReLU(Module):
    """x where x > 0, else weight · x with a learned weight, one in all or one a channel. He and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.PReLU()(dv.tensor([-1., 2.])).detach()
    tensor([-0.2500,  2.0000])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = parameter(num_parameters, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ``init``."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return fields(self, "num_parameters")


class ELU(InPlace):
    """x where x > 0, else alpha · (eˣ - 1). Clevert and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.ELU()(dv.tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
    """

    _shown = "alpha"

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)


class CELU(ELU):
    """max(0, x) + min(0, alpha · (e^(x/alpha) - 1)). Barron, 2017.

    >>> import dovetail as dv
    >>> dv.nn.CELU(2.0)(dv.tensor([-1., 2.]))
    tensor([-0.7869,  2.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)


class SELU(InPlace):
    """scale · ELU(x) with the constants that keep mean 0 and variance 1. Klambauer and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.SELU()(dv.tensor([-1., 2.]))
    tensor([-1.1113,  2.1014])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class Hardtanh(InPlace):
    """x, held between ``min_val`` and ``max_val``. Raises an AssertionError where they are in the wrong order.

    >>> import dovetail as dv
    >>> dv.nn.Hardtanh()(dv.tensor([-3., 0.5]))
    tensor([-1.0000,  0.5000])
    """

    _shown = "min_val max_val"

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__(inplace)
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                warnings.warn(f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=2)
        self.min_val, self.max_val = min_val if min_value is None else min_value, max_val if max_value is None else max_value
        if self.max_val <= self.min_val:
            raise AssertedError("Hardtanh", f"max_val ({self.max_val}) must be larger than min_val ({self.min_val})")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """min(max(0, x), 6).

    >>> import dovetail as dv
    >>> dv.nn.ReLU6()(dv.tensor([-1., 9.]))
    tensor([0., 6.])
    """

    _shown = ""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class Hardswish(InPlace):
    """x · ReLU6(x + 3) / 6. Howard and others, 2019.

    >>> import dovetail as dv
    >>> dv.nn.Hardswish()(dv.tensor([-4., 1.]))
    tensor([-0.0000, 0.6667])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Hardsigmoid(InPlace):
    """ReLU6(x + 3) / 6.

    >>> import dovetail as dv
    >>> dv.nn.Hardsigmoid()(dv.tensor([-4., 0.]))
    tensor([0.0000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Mish(InPlace):
    """x · tanh(softplus(x)). Misra, 2019.

    >>> import dovetail as dv
    >>> dv.nn.Mish()(dv.tensor([1.]))
    tensor([0.8651])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, inplace=self.inplace)


class RReLU(InPlace):
    """LeakyReLU with a slope from U(lower, upper) in training and their mean in evaluation. Xu and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.RReLU(0.1, 0.3).eval()(dv.tensor([-1., 2.]))
    tensor([-0.2000,  2.0000])
    """

    _shown = "lower upper"

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.lower, self.upper = lower, upper

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class Threshold(InPlace):
    """x where x > threshold, else ``value``.

    >>> import dovetail as dv
    >>> dv.nn.Threshold(0.5, 9.)(dv.tensor([0., 1.]))
    tensor([9., 1.])
    """

    _shown = "threshold value"

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)


class Softplus(Module):
    """log(1 + e^(beta·x)) / beta, and x itself where beta · x > threshold.

    >>> import dovetail as dv
    >>> dv.nn.Softplus()(dv.tensor([0., 30.]))
    tensor([ 0.6931, 30.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return fields(self, "beta threshold")


class _Shrink(Module):
    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrink):
    """x where \\|x\\| > lambd, else 0.

    >>> import dovetail as dv
    >>> dv.nn.Hardshrink()(dv.tensor([-1., 0.3]))
    tensor([-1.,  0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)


class Softshrink(_Shrink):
    """x moved towards 0 by lambd, and 0 where it would pass it. Raises a RuntimeError for a negative lambd.

    >>> import dovetail as dv
    >>> dv.nn.Softshrink()(dv.tensor([-1., 0.3]))
    tensor([-0.5000,  0.0000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)


class Softsign(Module):
    """x / (1 + |x|).

    >>> import dovetail as dv
    >>> dv.nn.Softsign()(dv.tensor([1.]))
    tensor([0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x).

    >>> import dovetail as dv
    >>> dv.nn.Tanhshrink()(dv.tensor([1.]))
    tensor([0.2384])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class LogSigmoid(Module):
    """log(1 / (1 + e⁻ˣ)).

    >>> import dovetail as dv
    >>> dv.nn.LogSigmoid()(dv.tensor([0.]))
    tensor([-0.6931])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)
