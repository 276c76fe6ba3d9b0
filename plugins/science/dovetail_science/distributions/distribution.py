"""Distribution: the base class, with shapes, checks and what every distribution answers."""

from __future__ import annotations

import warnings
from typing import Any

import dovetail as dv
from dovetail import Size, Tensor
from dovetail.errors import AssertedError, UnsupportedError, ValueRangeError

from . import constraints
from .utils import lazy_property

__all__ = ["Distribution"]

_NO_SHAPE = Size()


class Distribution:
    """A family of probability distributions over tensors.

    ``batch_shape`` is the shape of the parameters that stand side by side, ``event_shape`` that of one draw: ``sample((3,))`` has the
    shape ``(3, *batch_shape, *event_shape)``, and ``log_prob`` of it ``(3, *batch_shape)``. With ``validate_args`` (True by default)
    parameters and values outside their constraints are a ValueError.
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args: bool = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Switch the checks of all distributions that do not say ``validate_args`` themselves."""
        if value not in (True, False):
            raise ValueRangeError("Distribution.set_default_validate_args", f"value is {value!r}", "expected True or False")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = _NO_SHAPE, event_shape: Any = _NO_SHAPE, validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = batch_shape, event_shape
        if validate_args is not None:
            self._validate_args = validate_args
        if not self._validate_args:
            return
        try:
            known = self.arg_constraints
        except NotImplementedError:
            known = {}
            self._unchecked("arg_constraints", "arguments")
        for name, constraint in known.items():
            lazy = name not in self.__dict__ and isinstance(getattr(type(self), name), lazy_property)
            if constraints.is_dependent(constraint) or lazy:
                continue
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                shape = f"{type(value).__name__} of shape {tuple(value.shape)}"
                what = f"Expected parameter {name} ({shape}) of distribution {self!r} to satisfy the constraint {constraint!r}"
                raise ValueRangeError(type(self).__name__, f"{what}, but found invalid values:\n{value}")

    def _unchecked(self, name: str, what: str) -> None:
        text = f"{type(self)} does not define `{name}`, so that its {what} are not checked; define it, or pass `validate_args=False`"
        warnings.warn(text, stacklevel=3)

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """An instance for `expand` to fill; a subclass with a constructor of its own must bring an `expand` of its own."""
        if _instance is None and type(self).__init__ != cls.__init__:  # type: ignore[misc]
            what = f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ method"
            raise UnsupportedError(f"{type(self).__name__}.expand", f"{what} must also define a custom .expand() method.")
        return type(self).__new__(type(self)) if _instance is None else _instance

    def _new_instance(self, _instance: Any) -> Any:
        """`_get_checked_instance` for the class of this package that this one is or derives from."""
        package = __name__.partition(".")[0]
        return self._get_checked_instance(next(c for c in type(self).__mro__ if c.__module__.partition(".")[0] == package), _instance)

    def _finished(self, new: Any, batch_shape: Any) -> Any:
        """The end of `expand`: shapes as given, without checking the parameters again."""
        Distribution.__init__(new, Size(batch_shape), self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _expanded(self, _instance: Any, batch_shape: Any, *names: str) -> Any:
        """The same distribution with each of these parameters expanded to a batch shape."""
        new = self._new_instance(_instance)
        batch_shape = Size(batch_shape)
        for name in names:
            if name in self.__dict__:
                value = self.__dict__[name]
                setattr(new, name, value.expand(batch_shape + value.shape[len(self.batch_shape) :]))
        return self._finished(new, batch_shape)

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
    def arg_constraints(self) -> dict[str, Any]:
        """The constraint of each parameter, by name."""
        raise self._lacks("arg_constraints")

    @property
    def support(self) -> Any:
        """The constraint that draws satisfy."""
        raise self._lacks("support")

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

    def sample_n(self, n: int) -> Tensor:
        """Deprecated: ``sample((n,))``."""
        warnings.warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning, stacklevel=2)
        return self.sample((n,))

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
            raise ValueRangeError(where, "The value argument to log_prob must be a Tensor", f"got {type(value).__name__}")
        start = value.dim() - len(self._event_shape)
        if start < 0 or value.shape[start:] != self._event_shape:
            what = f"The right-most size of value must match event_shape: {value.size()} vs {self._event_shape}."
            raise ValueRangeError(where, what)
        whole = self._batch_shape + self._event_shape
        for i, j in zip(reversed(value.shape), reversed(whole), strict=False):
            if i != 1 and j != 1 and i != j:
                what = f"Value is not broadcastable with batch_shape+event_shape: {value.size()} vs {whole}."
                raise ValueRangeError(where, what)
        try:
            support = self.support
        except NotImplementedError:
            return self._unchecked("support", "values")
        if support is None:
            raise AssertedError(where, "support is unexpectedly None")
        if not bool(support.check(value).all()):
            shape = f"{type(value).__name__} of shape {tuple(value.shape)}"
            what = f"Expected value argument ({shape}) to be within the support ({support!r}) of the distribution {self!r}"
            raise ValueRangeError(where, f"{what}, but found invalid values:\n{value}")

    def _checked(self, value: Any) -> None:
        if self._validate_args:
            self._validate_sample(value)

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__]
        about = [f"{n}: {self.__dict__[n] if self.__dict__[n].numel() == 1 else self.__dict__[n].size()}" for n in names]
        return f"{type(self).__name__}({', '.join(about)})"
