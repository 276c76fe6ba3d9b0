"""What every dataset of images shares: its root, its transforms and how it prints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from dovetail.errors import ValueRangeError
from dovetail.utils.data import Dataset

__all__ = ["StandardTransform", "VisionDataset"]

Root = str | os.PathLike[str]
Loader = Callable[[Any], Any]
Change = Callable[[Any], Any] | None
Joint = Callable[[Any, Any], tuple[Any, Any]] | None


class _Hanging:
    def _format_transform_repr(self, transform: object, head: str) -> list[str]:
        """The lines of what prints, the first behind ``head``, the others below it."""
        first, *rest = repr(transform).splitlines()
        return [head + first, *(" " * len(head) + line for line in rest)]


def one_of(where: object, name: str, value: Any, allowed: Iterable[Any]) -> Any:
    """The value, where it is allowed; otherwise a ValueRangeError that names the class of ``where``, the parameter and what it takes."""
    allowed = tuple(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise ValueRangeError(type(where).__name__, f"{name} is {value!r}", f"expected one of {', '.join(allowed)}")
    return value


def several(value: Any) -> list[Any]:
    """A list of target types, given as one or several."""
    return [value] if isinstance(value, str) else list(value)


def bundled(targets: list[Any]) -> Any:
    """Targets as torchvision gives them: one as it is, several as a tuple, none as None."""
    return tuple(targets) if len(targets) > 1 else targets[0] if targets else None


class StandardTransform(_Hanging):
    """Apply one transform to the image and another to the target.

    >>> StandardTransform(str.upper, abs)("a", -3)
    ('A', 3)
    """

    def __init__(self, transform: Callable[[Any], Any] | None = None, target_transform: Callable[[Any], Any] | None = None) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        if self.transform is not None:
            lines += self._format_transform_repr(self.transform, "Transform: ")
        if self.target_transform is not None:
            lines += self._format_transform_repr(self.target_transform, "Target transform: ")
        return "\n".join(lines)


class VisionDataset(_Hanging, Dataset):
    """The base of datasets of images; a subclass adds ``__getitem__`` and ``__len__``.

    ``transforms`` takes image and target together; ``transform`` and ``target_transform`` take one each. Giving both
    kinds raises ``ValueRangeError`` (a ValueError).

    >>> class Two(VisionDataset):
    ...     def __len__(self):
    ...         return 2
    >>> Two("scans")
    Dataset Two
        Number of datapoints: 2
        Root location: scans
    """

    _repr_indent = 4

    def __init__(
        self,
        root: Root | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueRangeError(
                type(self).__name__,
                "transforms was given together with transform or target_transform",
                "either one callable for both or one for each",
                "leave transforms out",
            )
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = StandardTransform(transform, target_transform) if separate else transforms

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")

    def _each(self, image: Any, target: Any) -> tuple[Any, Any]:
        """The sample, after ``transform`` and ``target_transform``, as they are now."""
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def _both(self, image: Any, target: Any) -> tuple[Any, Any]:
        """The sample, after ``transforms``."""
        return (image, target) if self.transforms is None else self.transforms(image, target)

    def extra_repr(self) -> str:
        """Lines that a subclass adds to the printed form."""
        return ""

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        # Only the first line of each entry is indented, as torchvision prints it.
        return "\n".join([f"Dataset {type(self).__name__}", *(" " * self._repr_indent + line for line in body)])
