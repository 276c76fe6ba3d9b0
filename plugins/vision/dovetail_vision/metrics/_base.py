"""What every running metric does: take in batches, say what came of them, begin anew."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["Metric"]


class Metric:
    """A figure of many batches: ``update(output, target)`` takes one in, ``compute()`` gives the figure so far, ``reset()`` forgets all.

    Called with a batch, it gives the figure of that batch alone and stays as it is. A subclass sets its counts in ``reset``.

    >>> class Seen(Metric):
    ...     def reset(self):
    ...         self.count = 0
    ...     def update(self, output, target):
    ...         self.count += len(target)
    ...     def compute(self):
    ...         return self.count
    >>> seen = Seen()
    >>> seen.update([1, 2], [1, 3])
    >>> seen([1], [1]), seen.compute()
    (1, 2)
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} does not define reset")

    def update(self, output: Any, target: Any) -> None:
        """Take in a batch."""
        raise NotImplementedError(f"{type(self).__name__} does not define update")

    def compute(self) -> Any:
        """The figure of all batches so far."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute")

    def __call__(self, output: Any, target: Any) -> Any:
        alone = copy.copy(self)
        alone.reset()
        alone.update(output, target)
        return alone.compute()
