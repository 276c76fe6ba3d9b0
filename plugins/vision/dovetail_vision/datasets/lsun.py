"""LSUN: scenes in LMDB databases, one for each class."""

from __future__ import annotations

import bisect
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

from dovetail.errors import RangeError, ValueRangeError

from ._errors import DamagedFile, package
from ._files import need
from ._image import decode_image
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["LSUN", "LSUNClass"]

_CATEGORIES = (
    "bedroom", "bridge", "church_outdoor", "classroom", "conference_room", "dining_room", "kitchen", "living_room", "restaurant", "tower",
)  # fmt: skip
_PARTS = ("train", "val", "test")
_HOW = "Fetch it with the publisher's program, https://github.com/fyu/lsun"


#: lmdb opens a folder once in a process, whoever asks.
_OPEN: WeakValueDictionary[str, Any] = WeakValueDictionary()


@contextmanager
def _typed(folder: Root) -> Iterator[None]:
    path = os.path.join(folder, "data.mdb")
    try:
        yield
    except package("lmdb", "LSUN", "lmdb").Error as error:
        raise DamagedFile(path, None, f"cannot be read as a database ({error}); fetch it again") from error


def _opened(folder: str) -> Any:
    if (found := _OPEN.get(folder)) is not None:
        return found
    with _typed(folder):
        options = {"max_readers": 1, "readonly": True, "lock": False, "readahead": False, "meminit": False}
        env = package("lmdb", "LSUN", "lmdb").open(folder, **options)
    path, pages = os.path.join(folder, "data.mdb"), env.info()["last_pgno"] + 1
    if pages * env.stat()["psize"] > os.path.getsize(path):  # a read beyond the end would kill the process
        env.close()
        raise DamagedFile(path, None, f"has {os.path.getsize(path):,} bytes, less than its {pages:,} pages; fetch it again")
    _OPEN[folder] = env
    return env


class LSUNClass(VisionDataset):
    """One class of :class:`LSUN`, from the folder of its database; a sample is ``(image, None)``."""

    def __init__(self, root: Root, transform: Change = None, target_transform: Change = None) -> None:
        package("lmdb", "LSUN", "lmdb")
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._env: Any = None
        need(os.path.join(self.root, "data.mdb"), _HOW)
        with _typed(self.root), self.env.begin(write=False) as view:
            self.keys = list(view.cursor().iternext(keys=True, values=False))
        self.length = len(self.keys)

    @property
    def env(self) -> Any:
        """The open database; a worker that was forked uses its parent's, one that was spawned opens it anew."""
        if self._env is None:
            self._env = _opened(os.path.realpath(self.root))
        return self._env

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_env": None}

    def _image(self, index: int) -> Any:
        key = self.keys[index]
        with self.env.begin(write=False) as view:
            return decode_image(view.get(key) or b"", f"{os.path.join(self.root, 'data.mdb')} (sample {index})", "RGB")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._each(self._image(index), None)

    def __len__(self) -> int:
        return self.length


class LSUN(VisionDataset):
    """Photographs of 10 kinds of scenes, about ten million; ``classes`` is "train", "val", "test" or a list such as ["tower_train"].

    A sample is ``(image, label)``: an "RGB" PIL image and the number of its class in the list. The databases are folders,
    ``root/bedroom_train_lmdb`` and so on. Needs the package lmdb (``dovetail-vision[lmdb]``), which trusts their inner pages: open
    databases of the publisher only. Raises MissingFiles, MissingPackage, FormatError.

    Source: F. Yu et al., LSUN: Construction of a Large-scale Image Dataset using Deep Learning with Humans in the Loop, 2015.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.lsun) as root:
    ...     [label for _, label in LSUN(root, ["bridge_train", "tower_train"])]
    [0, 0, 1]
    """

    def __init__(self, root: Root, classes: str | list[str] = "train", transform: Change = None, target_transform: Change = None) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes = self._verify_classes(classes)
        self.dbs = [LSUNClass(os.path.join(self.root, f"{name}_lmdb")) for name in self.classes]
        self.indices = list(itertools.accumulate(len(db) for db in self.dbs))
        self.length = self.indices[-1] if self.indices else 0

    def _verify_classes(self, classes: Any) -> list[str]:
        if isinstance(classes, str):
            one_of(self, "classes", classes, _PARTS)
            return [classes] if classes == "test" else [f"{name}_{classes}" for name in _CATEGORIES]
        if not isinstance(classes, Iterable):
            raise ValueRangeError("LSUN", f"classes is {classes!r}", "Expected type str or Iterable for argument classes")
        for name in (classes := list(classes)):
            category, _, part = name.rpartition("_") if isinstance(name, str) else (name, "", "")
            one_of(self, "a class of classes", category, _CATEGORIES)
            one_of(self, "the part of a class of classes", part, _PARTS)
        return classes

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not -len(self) <= index < len(self):
            raise RangeError("LSUN", f"index is {index}", f"expected {-len(self)} to {len(self) - 1}")
        index = int(index) % len(self)
        number = bisect.bisect_right(self.indices, index)
        return self._each(self.dbs[number][index - (self.indices[number - 1] if number else 0)][0], number)

    def __len__(self) -> int:
        return self.length

    def extra_repr(self) -> str:
        """The line that names the classes."""
        return f"Classes: {self.classes}"
