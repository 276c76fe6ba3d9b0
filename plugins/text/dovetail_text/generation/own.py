"""What programs for transformers derive their own rules from; ``generate`` takes any functions of the same arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import UnsupportedError

__all__ = ["LogitsProcessor", "LogitsProcessorList", "StoppingCriteria", "StoppingCriteriaList"]


class LogitsProcessor:
    """A base for rules that change the scores ``(N, V)`` of the next token, given the tokens so far ``(N, L)``."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The new scores. Raises a NotImplementedError in a class that does not say which."""
        raise UnsupportedError(type(self).__name__, "it has no __call__(input_ids, scores)", "expected one that returns the new scores")


class StoppingCriteria:
    """A base for rules that say which texts end: a bool for each of ``(N, L)`` tokens."""

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        """The bools ``(N,)``. Raises a NotImplementedError in a class that does not say which."""
        raise UnsupportedError(type(self).__name__, "it has no __call__(input_ids, scores, **kwargs)", "expected one that gives bools")


class LogitsProcessorList(list[Callable[..., Tensor]]):
    """Rules one after the other, which can be called as one.

    >>> import dovetail as dv
    >>> rules = LogitsProcessorList([lambda ids, scores: scores + 1, lambda ids, scores: scores * 2])
    >>> rules(dv.tensor([[1]]), dv.tensor([[0.0, 1.0]]))
    tensor([[2., 4.]])
    """

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        for rule in self:
            scores = rule(input_ids, scores)
        return scores


class StoppingCriteriaList(list[Callable[..., Any]]):
    """Rules of which one is enough to end a text.

    >>> import dovetail as dv
    >>> ends = StoppingCriteriaList([lambda ids, scores: ids[:, -1] == 2, lambda ids, scores: ids[:, -1] == 3])
    >>> ends(dv.tensor([[1, 2], [1, 1]]), None)
    tensor([ True, False])
    """

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        done = dv.zeros(len(input_ids), dtype=dv.bool, device=input_ids.device)
        for rule in self:
            done = done | rule(input_ids, scores, **kwargs)
        return done
