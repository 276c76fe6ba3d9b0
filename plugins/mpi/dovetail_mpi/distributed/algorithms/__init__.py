"""``dovetail.distributed.algorithms``: `join`, for ranks with other numbers of batches."""

from . import join

__all__ = ["join"]
