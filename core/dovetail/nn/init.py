"""Initial values for weights, in PyTorch's random streams: one seed gives the same numbers.

Every function fills its tensor in place, without recording, and returns it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from ..autograd.modes import no_grad
from ..autograd.node import Tensor
from ..errors import ValueRangeError
from ..ops.decompose import qr
from ._ops import dv

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_",
    "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid")
_GAINS: dict[str, float] = {**dict.fromkeys(_LINEAR, 1), "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance through a nonlinearity: 1, 5/3 (tanh), √2 (relu), √(2/(1+slope²)), 3/4 (selu).

    Raises a ValueError for an unknown name, or a slope that is not a number.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, int | float)):
            raise ValueRangeError("calculate_gain", f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        expected = "expected linear, convN, tanh, relu, leaky_relu or selu"
        raise ValueRangeError("calculate_gain", f"Unsupported nonlinearity {nonlinearity}", expected)
    return _GAINS[nonlinearity]


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with U(a, b).

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0)
    >>> uniform_(dv.empty(2))
    tensor([0.4963, 0.7682])
    """
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with N(mean, std²).

    >>> import dovetail as dv
    >>> _ = dv.manual_seed(0)
    >>> normal_(dv.empty(2))
    tensor([ 1.5410, -0.2934])
    """
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None) -> Tensor:
    """Fill with N(mean, std²) within [a, b]: what falls outside is drawn anew, from the normal or (where little of it
    lies inside) from a uniform accepted in proportion to the density.

    >>> import dovetail as dv
    >>> bool((trunc_normal_(dv.empty(100), a=-1, b=1).abs() <= 1).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        what = "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect."
        warnings.warn(what, stacklevel=3)
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    return (_reject_normal if inside > 0.3 else _reject_uniform)(tensor, mean, std, a, b, generator)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _reject_normal(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Tensor:
    low, high = (tensor.new_tensor(bound).item() for bound in (a, b))
    result = tensor.normal_(mean, std, generator=generator)
    while True:
        outside = (result < low) | (result > high)
        if not outside.any():
            return tensor if result is tensor else tensor.copy_(result)
        result = dv.where(outside, dv.empty_like(result).normal_(mean, std, generator=generator), result)


def _reject_uniform(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Tensor:
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def refused(candidates: Tensor) -> Tensor:
        density = candidates.sub(mean).div_(std).pow_(2).mul_(-0.5).sub_(peak)
        return dv.empty_like(candidates).uniform_(generator=generator).log_().gt(density)

    result = tensor.uniform_(a, b, generator=generator)
    pending = refused(result)
    while pending.any():
        candidates = dv.empty_like(tensor).uniform_(a, b, generator=generator)
        result = dv.where(pending, candidates, result)
        pending = pending & refused(candidates)
    return tensor if result is tensor else tensor.copy_(result)


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    return tensor.fill_(val)


@no_grad()
def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return tensor.fill_(1.0)


@no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return tensor.zero_()


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity.

    >>> import dovetail as dv
    >>> eye_(dv.empty(1, 2))
    tensor([[1., 0.]])
    """
    _need(tensor.ndim == 2, "eye_", tensor, "Only tensors with 2 dimensions are supported")
    tensor.zero_().diagonal().fill_(1)
    return tensor


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Make the weight (out, in/groups, *kernel) of a convolution pass its channels through.

    Raises a ValueError for other than 3, 4 or 5 dimensions, or channels not divisible by the groups.

    >>> import dovetail as dv
    >>> dirac_(dv.empty(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    _need(tensor.ndim in (3, 4, 5), "dirac_", tensor, "Only tensors with 3, 4, or 5 dimensions are supported")
    _need(tensor.shape[0] % groups == 0, "dirac_", tensor, f"dim 0 must be divisible by groups={groups}")
    per_group = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    tensor.zero_()
    for group in range(groups):
        for d in range(min(per_group, tensor.shape[1])):
            tensor[(group * per_group + d, d, *middle)] = 1
    return tensor


def _need(condition: bool, where: str, tensor: Tensor, what: str) -> None:
    if not condition:
        raise ValueRangeError(where, f"{what} (shape {tuple(tensor.shape)})")


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """The inputs and outputs of one unit of a weight (out, in, *kernel)."""
    _need(tensor.ndim >= 2, "init", tensor, "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueRangeError("init", f"Mode {mode} not supported", "please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))


@no_grad()
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with U(-a, a), a = gain · √(6 / (fan_in + fan_out)). Glorot and Bengio, 2010."""
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return tensor.uniform_(-bound, bound, generator=generator)


@no_grad()
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill with N(0, std²), std = gain · √(2 / (fan_in + fan_out)). Glorot and Bengio, 2010."""
    return tensor.normal_(0.0, _xavier_std(tensor, gain), generator=generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=4)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


@no_grad()
def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None) -> Tensor:
    """Fill with U(-b, b), b = gain · √(3 / fan). He and others, 2015. ``a`` is the slope of a leaky relu."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else tensor.uniform_(-math.sqrt(3.0) * std, math.sqrt(3.0) * std, generator=generator)


@no_grad()
def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None) -> Tensor:
    """Fill with N(0, std²), std = gain / √fan. He and others, 2015."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else tensor.normal_(0, std, generator=generator)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Make the rows (or columns) of the tensor, seen as (n, rest), orthonormal times ``gain``. Saxe and others, 2013.

    >>> import dovetail as dv
    >>> q = orthogonal_(dv.empty(3, 3))
    >>> bool(dv.allclose(q @ q.T, dv.eye(3), atol=1e-6))
    True
    """
    _need(tensor.ndim >= 2, "orthogonal_", tensor, "Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    flat = tensor.new_empty((tensor.shape[0], tensor.numel() // tensor.shape[0])).normal_(0, 1, generator=generator)
    wide = flat.shape[0] < flat.shape[1]
    q, r = qr(flat.T if wide else flat)
    q = q * r.diagonal().sign()
    return tensor.copy_((q.T if wide else q).reshape(tensor.shape)).mul_(gain)


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Fill a matrix with N(0, std²), and zero a part of every column. Martens, 2010."""
    _need(tensor.ndim == 2, "sparse_", tensor, "Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[dv.randperm(rows)[:zeros], column] = 0
    return tensor


def _old(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The name without underscore, which PyTorch has long deprecated."""
    new, old = function.__name__, function.__name__[:-1]

    def call(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    call.__name__, call.__doc__ = old, f"The old name of {new}."
    return call


# without the underscore, what older programs call; with `_no_grad_`, what layers of other authors do
_no_grad_uniform_, _no_grad_normal_, _no_grad_trunc_normal_ = uniform_, normal_, trunc_normal_
_no_grad_fill_, _no_grad_zero_ = constant_, zeros_
uniform, normal, constant, eye, dirac, xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal, sparse = map(
    _old,  # type: ignore[arg-type]
    (uniform_, normal_, constant_, eye_, dirac_, xavier_uniform_, xavier_normal_, kaiming_uniform_, kaiming_normal_, orthogonal_, sparse_),
)
