"""Ranks with other numbers of batches: those that have none left take part in the others' collectives, until all have ended.

What is of PyTorch's `torch.distributed.algorithms.join`: `Join`, and what an object has that takes part in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import dovetail as dv
from dovetail.errors import GradError, UnsupportedError, ValueRangeError

from .collectives import all_reduce
from .work import Work

__all__ = ["Join", "JoinHook", "Joinable"]


class JoinHook:
    """What a rank does for an object once it has no batches left.

    >>> JoinHook().main_hook()
    """

    def main_hook(self) -> None:
        """Take part, once for each batch of the others, in the collectives that the object makes of a batch."""

    def post_hook(self, is_last_joiner: bool) -> None:
        """Called on all ranks when none has batches left; true where this rank is one of those that had the most."""


class Joinable(ABC):
    """An object that makes collectives of every batch, and says by a `JoinHook` which."""

    _join_config: tuple[bool, bool, bool] = False, False, False  # in effect, throws, and the first of its context

    @abstractmethod
    def join_hook(self, **kwargs: Any) -> JoinHook:
        """The hook; ``kwargs`` are those of `Join`."""

    @property
    @abstractmethod
    def join_device(self) -> Any:
        """Where the tensors of its collectives are."""

    @property
    @abstractmethod
    def join_process_group(self) -> Any:
        """The group of its collectives."""


class Join:
    """A block in which ranks may have other numbers of batches.

    Each batch begins with a count of the ranks that have one. A rank that leaves the block takes part in the collectives of the others
    by the hooks of ``joinables``, until that count is 0. With ``throw_on_early_termination`` all ranks raise as soon as one has none left.

    Raises a ValueError for no joinables; a RuntimeError as said; an UnsupportedError (NotImplementedError) for what has no ``join_hook``.

    >>> from dovetail import distributed
    >>> distributed.init_process_group("gloo", rank=0, world_size=1)
    >>> model = dv.nn.parallel.DistributedDataParallel(dv.nn.Linear(2, 1))
    >>> with Join([model]):
    ...     model(dv.ones(1, 2)).sum().backward()
    >>> distributed.destroy_process_group()
    """

    def __init__(self, joinables: list[Any], enable: bool = True, throw_on_early_termination: bool = False, **kwargs: Any) -> None:
        if not joinables:
            raise ValueRangeError("Join", "The join context manager requires at least one joinable")
        for one in joinables:
            if not hasattr(one, "join_hook"):
                raise UnsupportedError("Join", f"{type(one).__name__} has no join_hook", "expected a Joinable")
        self._hooks = [one.join_hook(**kwargs) for one in joinables]
        self._joinables, self._enable, self._throws = joinables, enable, throw_on_early_termination
        for place, one in enumerate(joinables):
            one._join_config = enable, throw_on_early_termination, place == 0

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._enable and kind is None:
            last = True
            while _total(0, self._joinables[0]):
                if self._throws:
                    _total(1, self._joinables[0])
                    raise GradError("Join", f"Rank {self._joinables[0].join_process_group.rank()} exhausted all inputs.")
                for hook in self._hooks:
                    hook.main_hook()
                last = False
            for hook in self._hooks:
                hook.post_hook(last)
        for one in self._joinables:
            one._join_config = Joinable._join_config

    @staticmethod
    def notify_join_context(joinable: Any) -> Work | None:
        """Say that this rank has a batch; an object calls it before the collectives of each. None for all but a block's first object."""
        enabled, throws, first = joinable._join_config
        if not (enabled and first):
            return None
        work = all_reduce(dv.ones(1, device=joinable.join_device), group=joinable.join_process_group, async_op=True)
        if throws and _total(0, joinable):
            raise _early()
        return work


def _total(value: int, joinable: Any) -> int:
    counted = dv.full((1,), float(value), device=joinable.join_device)
    all_reduce(counted, group=joinable.join_process_group)
    return int(counted)


def _early() -> GradError:
    return GradError("Join", "Detected at least one rank that exhausted inputs. Throwing across all ranks.")
