"""A rank's part of a checkpoint, opened: its plain values are here, and its tensors are read from their places when they are asked for."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import FormatError
from dovetail.io.container import checksum, read_header
from dovetail.io.tree import unpack

__all__ = ["HEADER", "Part", "Stored", "filled", "mapped"]

HEADER = 100_000_000  # bytes of names and plain values that a part may have
_PAIRS = "#complex128"  # how `dovetail.save` names what it keeps as pairs of float64


class Part:
    """The file of one rank. Its header, and the tree of its values, are compared with their checksums; no tensor is read.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "part.dvt"
    >>> dv.save({"rank": 0, "w": dv.ones(2)}, path)
    >>> content = Part(path).content
    >>> content["rank"], filled(content["w"])
    (0, tensor([1., 1.]))
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        dv.load(path, mmap=True, max_header=HEADER)  # compares all but the tensors, which are mapped and not touched
        with open(path, "rb") as file:
            entries, metadata, self.base = read_header(str(path), file, HEADER)
        self.places = {key.removesuffix(_PAIRS): (start, end, kind, shape) for start, end, key, kind, shape in entries}
        self.pairs = {key.removesuffix(_PAIRS) for _, _, key, _, _ in entries if key.endswith(_PAIRS)}
        self.sums = json.loads(metadata.get("dovetail.crc32", "{}"))
        tree = json.loads(metadata["dovetail"])["tree"] if "dovetail" in metadata else None
        self.content: Any = unpack(tree, lambda name, parameter, grad: Stored(self, name, parameter, grad))

    def array(self, name: str) -> Any:
        """Read one tensor's bytes. Raises a FormatError where they are not those that were written."""
        start, end, kind, shape = self.places[name]
        values = np.empty(shape, kind)
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.base + start)
            room, at = memoryview(values.reshape(-1).view(np.uint8)), 0  # type: ignore[arg-type]
            while at < end - start and (count := file.readinto(room[at:])):
                at += count
        values = values.view(np.complex128).reshape(shape[:-1]) if name in self.pairs else values
        if at < end - start or checksum(values) != self.sums[name]:
            what = f"tensor {name!r} does not match its checksum; the file was changed after it was written"
            raise FormatError(self.path, None, what)
        return values


class Stored:
    """The place of a tensor in a part."""

    def __init__(self, part: Part, name: str, parameter: bool, requires_grad: bool) -> None:
        self.part, self.name, self.parameter, self.requires_grad = part, name, parameter, requires_grad

    def read(self) -> dv.Tensor:
        """Make the tensor. Raises a FormatError where its bytes are not those that were written."""
        tensor = dv.from_numpy(self.part.array(self.name))
        if self.parameter:
            return dv.nn.Parameter(tensor, requires_grad=self.requires_grad)
        return tensor.requires_grad_() if self.requires_grad else tensor


def filled(value: Any) -> Any:
    """The same containers with the tensors read, each once: what was one tensor when it was saved is one again."""
    made: dict[Any, Any] = {}

    def read(one: Stored) -> dv.Tensor:
        identity = one.part.path, one.name, one.parameter, one.requires_grad
        if identity not in made:
            made[identity] = one.read()
        return made[identity]

    return mapped(value, lambda v: isinstance(v, Stored), read)


def mapped(value: Any, wanted: Callable[[Any], bool], change: Callable[[Any], Any]) -> Any:
    """The same containers with some of the values changed."""
    if wanted(value):
        return change(value)
    if isinstance(value, dict):
        made = OrderedDict() if isinstance(value, OrderedDict) else {}
        made.update((k, mapped(v, wanted, change)) for k, v in value.items())
        if hasattr(value, "_metadata"):
            made._metadata = value._metadata  # type: ignore[union-attr]
        return made
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(mapped(v, wanted, change) for v in value)
    return value
