"""The names of ``torch._utils`` that training on several devices uses: tensors as one flat tensor and back, an error kept for later."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import dovetail as dv
from dovetail import Tensor

__all__ = ["ExceptionWrapper"]


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """All elements in a row.

    >>> _flatten_dense_tensors([dv.ones(1, 2), dv.zeros(1)])
    tensor([1., 1., 0.])
    """
    return dv.cat([t.contiguous().view(-1) for t in tensors])


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Views of a flat tensor in the shapes of `tensors`."""
    return tuple(part.view_as(t) for part, t in zip(flat.split([t.numel() for t in tensors]), tensors, strict=True))


def _take_tensors(tensors: Sequence[Tensor], size_limit: int) -> Iterator[list[Tensor]]:
    """Groups of one type each, of at most so many bytes where a tensor alone has not more.

    >>> [len(group) for group in _take_tensors([dv.zeros(2), dv.zeros(2), dv.zeros(1, dtype=dv.int64)], 8)]
    [1, 1, 1]
    """
    groups: dict[str, tuple[list[Tensor], int]] = {}
    for t in tensors:
        group, size = groups.get(t.type(), ([], 0))
        if group and size + t.numel() * t.element_size() > size_limit:
            yield group
            group, size = [], 0
        groups[t.type()] = ([*group, t], size + t.numel() * t.element_size())
    yield from (group for group, _ in groups.values())


class ExceptionWrapper:
    """An error with its place as text, to be raised again in another thread or process.

    >>> try:
    ...     raise KeyError("x")
    ... except KeyError:
    ...     kept = ExceptionWrapper(where="in a worker")
    >>> kept.exc_type.__name__, kept.exc_msg.splitlines()[-1]
    ('KeyError', "KeyError: 'x'")
    """

    def __init__(self, exc_info: Any = None, where: str = "in background") -> None:
        kind, value, place = exc_info or sys.exc_info()
        self.exc_type: Any = kind
        self.exc_msg, self.where = "".join(traceback.format_exception(kind, value, place)), where

    def reraise(self) -> None:
        """Raise an error of the same class, with the text of the first in it."""
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        try:
            error = self.exc_type(message)
        except Exception:
            error = RuntimeError(message)  # its class takes other arguments
        raise error
