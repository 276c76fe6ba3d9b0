"""Distribution: the base class, with shapes, checks and what every distribution answers."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Size, Tensor
from dovetail.errors import UnsupportedError, ValueRangeError

from . import constraints
from .constraints import Constraint
from .utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A family of probability distributions over tensors.

    ``batch_shape`` is the shape of the parameters that stand side by side, ``event_shape`` that of one draw: ``sample((3,))`` has the
    shape ``(3, *batch_shape, *event_shape)``, and ``log_prob`` of it ``(3, *batch_shape)``. With ``validate_args`` (True by default)
    parameters and values outside their constraints are a ValueError.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: dict[str, Constraint] = {}
    support: Any = None
    _validate_args: bool = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Switch the checks of all distributions that do not say ``validate_args`` themselves."""
        if value not in (True, False):
            raise ValueRangeError("Distribution.set_default_validate_args", f"value is {value!r}", "expected True or False")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        for name, constraint in self.arg_constraints.items():
            lazy = isinstance(getattr(type(self), name, None), lazy_property) and name not in self.__dict__
            if constraints.is_dependent(constraint) or lazy:
                continue
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                shape = f"{type(value).__name__} of shape {tuple(value.shape)}"
                what = f"parameter {name} ({shape}) has values outside {constraint!r}: {value}"
                raise ValueRangeError(type(self).__name__, what, f"expected values in {constraint!r}")

    def _own_init(self, cls: type, new: Distribution, batch_shape: Any, event_shape: Any = None) -> Any:
        """Finish `expand`: shapes as given, without checking the parameters again."""
        Distribution.__init__(new, batch_shape, self.event_shape if event_shape is None else event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _expanded(self, _instance: Any, batch_shape: Any, *names: str) -> Any:
        """The same distribution with each of these parameters expanded to a batch shape."""
        new = type(self).__new__(type(self)) if _instance is None else _instance
        batch_shape = Size(batch_shape)
        for name in names:
            if name in self.__dict__:
                value = self.__dict__[name]
                setattr(new, name, value.expand(batch_shape + value.shape[len(self.batch_shape) :]))
        return self._own_init(type(self), new, batch_shape)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Give the same distribution for a larger batch; parameters are expanded, not copied."""
        raise UnsupportedError(f"{type(self).__name__}.expand", "this distribution has none", "expected one that can be expanded")

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters that stand side by side."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise self._lacks("mean")

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        raise self._lacks("mode")

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise self._lacks("variance")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw values of shape ``sample_shape + batch_shape + event_shape``, without gradients."""
        with dv.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw values as functions of the parameters, so that gradients flow to them (the reparameterization trick)."""
        raise self._lacks("rsample")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density (or probability) at ``value``."""
        raise self._lacks("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a draw at or below ``value``."""
        raise self._lacks("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The value below which a draw falls with this probability."""
        raise self._lacks("icdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution, along a new first dimension."""
        raise self._lacks("enumerate_support")

    def entropy(self) -> Tensor:
        """The expected ``-log_prob``, in nats."""
        raise self._lacks("entropy")

    def perplexity(self) -> Tensor:
        """``exp(entropy)``."""
        return dv.exp(self.entropy())

    def _lacks(self, name: str) -> Exception:
        return UnsupportedError(f"{type(self).__name__}.{name}", "it has no closed form here", "expected another distribution")

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size(sample_shape) + self._batch_shape + self._event_shape

    def _validate_sample(self, value: Any) -> None:
        """Check a value that a probability is asked for: its shape and its support."""
        where = f"{type(self).__name__}.log_prob"
        if not isinstance(value, Tensor):
            raise ValueRangeError(where, f"value is {type(value).__name__}", "expected a Tensor")
        start = value.dim() - len(self._event_shape)
        if start < 0 or value.shape[start:] != self._event_shape:
            what = f"value has shape {tuple(value.shape)}"
            raise ValueRangeError(where, what, f"expected its last dimensions to be the event shape {tuple(self._event_shape)}")
        whole = self._batch_shape + self._event_shape
        for i, j in zip(reversed(value.shape), reversed(whole), strict=False):
            if i != 1 and j != 1 and i != j:
                what = f"value has shape {tuple(value.shape)}"
                raise ValueRangeError(where, what, f"expected one that broadcasts with batch and event shape {tuple(whole)}")
        support = self.support
        if support is None or constraints.is_dependent(support):
            return
        if not bool(support.check(value).all()):
            what = f"value (of shape {tuple(value.shape)}) is outside the support: {value}"
            raise ValueRangeError(where, what, f"expected values in {support!r}")

    def _checked(self, value: Any) -> None:
        if self._validate_args:
            self._validate_sample(value)

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__]
        about = [f"{n}: {self.__dict__[n] if self.__dict__[n].numel() == 1 else self.__dict__[n].size()}" for n in names]
        return f"{type(self).__name__}({', '.join(about)})"
