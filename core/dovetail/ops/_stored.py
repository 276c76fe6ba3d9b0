"""Ops that are defined by how they write into an array: their in-place form need not make the whole result."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ._layout import copied
from ._op import op

__all__ = ["storing"]


def storing(name: str | None = None, preserve: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Make an op of a function that writes into its first array: the op does it to a copy, its in-place form to the tensor.

    The copy is contiguous, or with `preserve` lies as the tensor does: PyTorch's are of both kinds.
    """

    def make(store: Callable[..., Any]) -> Any:
        @functools.wraps(store)
        def forward(input: Any, *rest: Any) -> Any:
            out = copied(input) if preserve else input.copy()
            store(out, *rest)
            return out

        made = op(store, dtypes=None, name=name)
        made.op.store, made.op.forward, made.op.reference.forward = store, forward, forward
        return made

    return make
