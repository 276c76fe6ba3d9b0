"""Transforms made of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dovetail
from dovetail import nn
from dovetail.errors import TypeMismatch, ValueRangeError

from .._checks import chance
from .._draws import happens
from ._base import Transform

__all__ = ["Compose", "RandomApply", "RandomChoice", "RandomOrder"]


class _Several(Transform):
    """The base of those that hold ``transforms``."""

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        name = type(self).__name__
        if not isinstance(transforms, (Sequence, nn.ModuleList)):
            raise TypeMismatch(name, f"transforms is {type(transforms).__name__}", "expected a sequence of callables")
        if not len(transforms):
            raise ValueRangeError(name, "transforms is empty", "expected at least one")
        self.transforms = transforms

    @staticmethod
    def _through(transforms: Any, inputs: tuple[Any, ...]) -> Any:
        several = len(inputs) > 1
        for transform in transforms:
            outputs = transform(*inputs)
            inputs = outputs if several else (outputs,)
        return inputs if several else inputs[0]


class Compose(_Several):
    """Apply transforms one after the other, each to the whole sample.

    >>> Compose([Compose([abs]), float])(-3)
    3.0
    """

    def forward(self, *inputs: Any) -> Any:
        return self._through(self.transforms, inputs)

    def extra_repr(self) -> str:
        return "\n".join(f"    {transform}" for transform in self.transforms)


class RandomApply(_Several):
    """Apply all of the transforms with probability ``p``, or none.

    >>> RandomApply([abs], p=1.0)(-3)
    3
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: float = 0.5) -> None:
        super().__init__(transforms)
        self.p = chance(type(self).__name__, p)

    def forward(self, *inputs: Any) -> Any:
        if not happens(self.p):
            return inputs if len(inputs) > 1 else inputs[0]
        return self._through(self.transforms, inputs)

    def extra_repr(self) -> str:
        return "\n".join(f"    {transform}" for transform in self.transforms)


class RandomChoice(_Several):
    """Apply one of the transforms, drawn with the probabilities ``p`` (default: all equal; they need not add up to 1).

    >>> RandomChoice([abs, float], p=[1, 0])(-3)
    3
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        weights = [1] * len(transforms) if p is None else list(p)
        if len(weights) != len(transforms):
            what = f"p has {len(weights)} numbers for {len(transforms)} transforms"
            raise ValueRangeError(type(self).__name__, what, "expected one each")
        total = sum(weights)
        self.p = [weight / total for weight in weights]

    def forward(self, *inputs: Any) -> Any:
        return self.transforms[int(dovetail.multinomial(dovetail.tensor(self.p), 1))](*inputs)


class RandomOrder(_Several):
    """Apply all of the transforms in a random order.

    >>> RandomOrder([abs, float])(-3)
    3.0
    """

    def forward(self, *inputs: Any) -> Any:
        return self._through([self.transforms[i] for i in dovetail.randperm(len(self.transforms)).tolist()], inputs)
