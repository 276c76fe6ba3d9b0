"""Activations that act on every element alone."""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import AssertedError
from . import functional as F
from . import init
from ._make import InPlace, Layer, need, parameter

__all__ = [
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "Mish", "PReLU",
    "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class ReLU(InPlace, calls=F.relu):
    """max(0, x).

    >>> import dovetail as dv
    >>> dv.nn.ReLU()(dv.tensor([-1., 2.]))
    tensor([0., 2.])
    """


class GELU(Layer, calls=F.gelu):
    """x · Φ(x), Φ being the normal distribution; ``approximate="tanh"`` is the usual short form. Hendrycks and Gimpel, 2016.

    >>> import dovetail as dv
    >>> dv.nn.GELU()(dv.tensor([-1., 2.]))
    tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        self._keep(approximate=approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Sigmoid(Layer, calls=F.sigmoid):
    """1 / (1 + e⁻ˣ).

    >>> import dovetail as dv
    >>> dv.nn.Sigmoid()(dv.tensor([0.]))
    tensor([0.5000])
    """


class Tanh(Layer, calls=F.tanh):
    """tanh(x).

    >>> import dovetail as dv
    >>> dv.nn.Tanh()(dv.tensor([0., 1.]))
    tensor([0.0000, 0.7616])
    """


class SiLU(InPlace, calls=F.silu):
    """x · sigmoid(x), also called swish. Elfwing and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.SiLU()(dv.tensor([0., 1.]))
    tensor([0.0000, 0.7311])
    """


class LeakyReLU(InPlace, calls=F.leaky_relu):
    """x where x > 0, else negative_slope · x.

    >>> import dovetail as dv
    >>> dv.nn.LeakyReLU(0.1)(dv.tensor([-1., 2.]))
    tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        self._keep(negative_slope=negative_slope, inplace=inplace)


class PReLU(Layer, calls=F.prelu, passes="weight", shows="num_parameters"):
    """x where x > 0, else weight · x with a learned weight, one in all or one a channel. He and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.PReLU()(dv.tensor([-1., 2.])).detach()
    tensor([-0.2500,  2.0000])
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        self._keep(num_parameters=num_parameters, init=init)
        self.weight = parameter(num_parameters, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ``init``."""
        init.constant_(self.weight, self.init)


class ELU(InPlace, calls=F.elu):
    """x where x > 0, else alpha · (eˣ - 1). Clevert and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.ELU()(dv.tensor([-1., 2.]))
    tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self._keep(alpha=alpha, inplace=inplace)


class CELU(ELU, calls=F.celu):
    """max(0, x) + min(0, alpha · (e^(x/alpha) - 1)). Barron, 2017.

    >>> import dovetail as dv
    >>> dv.nn.CELU(2.0)(dv.tensor([-1., 2.]))
    tensor([-0.7869,  2.0000])
    """


class SELU(InPlace, calls=F.selu):
    """scale · ELU(x) with the constants that keep mean 0 and variance 1. Klambauer and others, 2017.

    >>> import dovetail as dv
    >>> dv.nn.SELU()(dv.tensor([-1., 2.]))
    tensor([-1.1113,  2.1014])
    """


class Hardtanh(InPlace, calls=F.hardtanh, passes="min_val max_val inplace", shows="min_val max_val inplace"):
    """x, held between ``min_val`` and ``max_val``. Raises an AssertionError where they are in the wrong order.

    >>> import dovetail as dv
    >>> dv.nn.Hardtanh()(dv.tensor([-3., 0.5]))
    tensor([-1.0000,  0.5000])
    """

    def __init__(
        self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False, min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:  # fmt: skip
        for old, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                warnings.warn(f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=2)
        low, high = min_val if min_value is None else min_value, max_val if max_value is None else max_value
        need(high > low, "Hardtanh", f"max_val ({high}) must be larger than min_val ({low})", kind=AssertedError)
        self._keep(min_val=low, max_val=high, inplace=inplace)


class ReLU6(Hardtanh, shows="inplace"):
    """min(max(0, x), 6).

    >>> import dovetail as dv
    >>> dv.nn.ReLU6()(dv.tensor([-1., 9.]))
    tensor([0., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


class Hardswish(InPlace, calls=F.hardswish, shows=""):
    """x · ReLU6(x + 3) / 6. Howard and others, 2019.

    >>> import dovetail as dv
    >>> dv.nn.Hardswish()(dv.tensor([-4., 1.]))
    tensor([-0.0000, 0.6667])
    """


class Hardsigmoid(InPlace, calls=F.hardsigmoid, shows=""):
    """ReLU6(x + 3) / 6.

    >>> import dovetail as dv
    >>> dv.nn.Hardsigmoid()(dv.tensor([-4., 0.]))
    tensor([0.0000, 0.5000])
    """


class Mish(InPlace, calls=F.mish):
    """x · tanh(softplus(x)). Misra, 2019.

    >>> import dovetail as dv
    >>> dv.nn.Mish()(dv.tensor([1.]))
    tensor([0.8651])
    """


class RReLU(InPlace, calls=F.rrelu, passes="lower upper training inplace"):
    """LeakyReLU with a slope from U(lower, upper) in training and their mean in evaluation. Xu and others, 2015.

    >>> import dovetail as dv
    >>> dv.nn.RReLU(0.1, 0.3).eval()(dv.tensor([-1., 2.]))
    tensor([-0.2000,  2.0000])
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        self._keep(lower=lower, upper=upper, inplace=inplace)


class Threshold(InPlace, calls=F.threshold):
    """x where x > threshold, else ``value``.

    >>> import dovetail as dv
    >>> dv.nn.Threshold(0.5, 9.)(dv.tensor([0., 1.]))
    tensor([9., 1.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        self._keep(threshold=threshold, value=value, inplace=inplace)


class Softplus(Layer, calls=F.softplus):
    """log(1 + e^(beta·x)) / beta, and x itself where beta · x > threshold.

    >>> import dovetail as dv
    >>> dv.nn.Softplus()(dv.tensor([0., 30.]))
    tensor([ 0.6931, 30.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self._keep(beta=beta, threshold=threshold)


class _Shrink(Layer, shows="!lambd"):
    def __init__(self, lambd: float = 0.5) -> None:
        self._keep(lambd=lambd)


class Hardshrink(_Shrink, calls=F.hardshrink):
    """x where \\|x\\| > lambd, else 0.

    >>> import dovetail as dv
    >>> dv.nn.Hardshrink()(dv.tensor([-1., 0.3]))
    tensor([-1.,  0.])
    """


class Softshrink(_Shrink, calls=F.softshrink):
    """x moved towards 0 by lambd, and 0 where it would pass it. Raises a RuntimeError for a negative lambd.

    >>> import dovetail as dv
    >>> dv.nn.Softshrink()(dv.tensor([-1., 0.3]))
    tensor([-0.5000,  0.0000])
    """


class Softsign(Layer, calls=F.softsign):
    """x / (1 + |x|).

    >>> import dovetail as dv
    >>> dv.nn.Softsign()(dv.tensor([1.]))
    tensor([0.5000])
    """


class Tanhshrink(Layer, calls=F.tanhshrink):
    """x - tanh(x).

    >>> import dovetail as dv
    >>> dv.nn.Tanhshrink()(dv.tensor([1.]))
    tensor([0.2384])
    """


class LogSigmoid(Layer, calls=F.logsigmoid):
    """log(1 / (1 + e⁻ˣ)).

    >>> import dovetail as dv
    >>> dv.nn.LogSigmoid()(dv.tensor([0.]))
    tensor([-0.6931])
    """
