"""Where the labels are in a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dovetail import Tensor
from dovetail.errors import ValueRangeError

from .functional import is_pure_tensor

__all__ = ["getter_of_labels", "labels_beside"]


def _labels_of(sample: Any) -> Any:
    """The labels in ``(images, labels)``, ``(images, {"labels": …})`` or ``{"labels": …}``."""
    found = sample[1] if isinstance(sample, (tuple, list)) else sample
    if is_pure_tensor(found):
        return found
    if not isinstance(found, Mapping):
        what = f"the sample is a {type(sample).__name__}"
        raise ValueRangeError("labels", what, "expected (images, labels), or a dict with labels", "give labels_getter, a function or None")
    names = [name for name in found if name.lower() == "labels"] + [name for name in found if "label" in name.lower()]
    if not names:
        raise ValueRangeError("labels", "there are no labels in the sample", "give labels_getter, a function that finds them, or None")
    return found[names[0]]


def getter_of_labels(where: str, labels_getter: Any) -> Callable[[Any], Any]:
    """What finds the labels in a sample: "default" looks where they usually are, a function says, None finds none."""
    if callable(labels_getter):
        return labels_getter
    if labels_getter is not None and labels_getter != "default":
        raise ValueRangeError(where, f"labels_getter is {labels_getter!r}", 'expected "default", a function or None')
    return _labels_of if labels_getter == "default" else lambda sample: None


def labels_beside(where: str, labels: Any, count: int) -> tuple[Tensor, ...]:
    """The tensors that go with ``count`` boxes or points, one row each; none for None."""
    found = () if labels is None else (labels,) if isinstance(labels, Tensor) else labels
    if not isinstance(found, (tuple, list)) or not all(isinstance(entry, Tensor) for entry in found):
        raise ValueRangeError(where, f"labels are {type(labels).__name__}", "expected a tensor, several of them, or None")
    for entry in found:
        if len(entry) != count:
            raise ValueRangeError(where, f"there are {count} boxes or points and labels {tuple(entry.shape)}", "expected one label each")
    return tuple(found)
