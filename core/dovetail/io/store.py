"""save() and load(): a module, or nested values with tensors in them, in one safetensors file.

The tensors are ordinary safetensors entries that any reader of the format can read; the metadata holds the tree of
values (see tree.py), a CRC-32 for each tensor and one for the tree. Nothing in a file is ever executed.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from ..autograd.node import Tensor, wrap
from ..device import move, to_device
from ..errors import DovetailError, FormatError, PluginError, TypeMismatch, UnknownAttribute, UnknownNameError, ValueRangeError
from .atomic import replacing
from .container import HEADER_ASKED, SEAL, checksum, crc32, read, write
from .formats import claimed_suffix, read_weights, write_weights
from .tree import pack, refuse_lazy, unpack

__all__ = ["gather", "load", "save", "verify", "write_gathered"]

VERSION = 1
_IGNORED = {"pickle_module", "pickle_protocol", "_use_new_zipfile_serialization", "_disable_byteorder_record", "encoding"}


def save(obj: Any, f: str | os.PathLike[str] | BinaryIO, **legacy: Any) -> None:
    """Write a module, or tensors and plain values in dicts, lists and tuples, to a path or a binary file.

    A path is written crash-safe: a kill leaves the old file or the new one. Tensors that are the same memory (in the same
    shape) are written once and are the same again when loaded. Raises a TypeError that names a value that cannot be saved.

    >>> import dovetail as dv, tempfile, os
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "run.dvt")
    ...     dv.save({"epoch": 3, "w": dv.ones(2)}, path)
    ...     dv.load(path)
    {'epoch': 3, 'w': tensor([1., 1.])}
    """
    _refuse_others("save", legacy)
    _place("save", f, "write")
    if not hasattr(f, "write") and claimed_suffix(f):
        with replacing(f) as temporary:
            if write_weights(f, temporary, lambda: _tensors(obj, f)):
                return
    arrays, text = gather(obj)
    if hasattr(f, "write"):
        write_gathered(f, arrays, text)  # type: ignore[arg-type]
        getattr(f, "flush", bool)()  # so that who opens the file by its name finds it whole
        return
    with replacing(f) as temporary, open(temporary, "wb") as file:
        write_gathered(file, arrays, text)


def _tensors(obj: Any, f: Any) -> dict[str, Tensor]:
    """What a plugin's format holds: the tensors of a module, or of a dict, by name."""
    state = obj.state_dict() if hasattr(obj, "state_dict") else obj
    if not isinstance(state, Mapping) or not all(isinstance(key, str) and isinstance(t, Tensor) for key, t in state.items()):
        raise TypeMismatch("save", f"{f} holds tensors by name, got {type(obj).__name__}", "expected a module or a dict of tensors")
    return dict(state)


def _refuse_others(where: str, legacy: dict[str, Any]) -> None:
    """PyTorch's arguments about pickle have no meaning here and are let pass; any other is a mistake."""
    if other := [name for name in legacy if name not in _IGNORED]:
        raise TypeMismatch(f"{where}()", f"got an unexpected keyword argument {other[0]!r}")


def write_gathered(file: Any, arrays: dict[str, Any], text: str, align: int = 8) -> None:
    """Write what `gather` returned, with its checksums."""
    checks = {"": crc32(text.encode()), **{name: checksum(a) for name, a in arrays.items()}}
    write(file, arrays, {SEAL: "0" * 8, "dovetail": text, "dovetail.crc32": json.dumps(checks)}, align)


def gather(obj: Any, host: Callable[[Any], Any] | None = None) -> tuple[dict[str, Any], str]:
    """The arrays of a value by name, each as ``host`` gives it in the host's memory, and the tree of the rest as text."""
    host = host or _host
    from ..nn.module import Module

    arrays: dict[str, Any] = {}
    seen: dict[Any, str] = {}

    def keep(t: Tensor, where: str) -> str:
        a = t._a
        identity = (t.data_ptr(), a.shape, a.strides, a.dtype) if a.size else (id(t),)
        name = seen.get(identity)
        if name is None:
            name = seen[identity] = _free_name(where or "tensor", arrays)
            arrays[name] = host(a)
        return name

    head: dict[str, Any] = {"version": VERSION, "kind": "value"}
    if isinstance(obj, Module):
        head.update(kind="module", type=type(obj).__name__)
        entry = obj.__dict__.get("_dovetail_entry")
        if entry is not None:
            key, config, version = entry
            head.update(model=key, config=pack(config, keep), plugin=version)
        for name, t in (*obj.named_parameters(), *obj.named_buffers()):
            refuse_lazy(t, name)
        obj = obj.state_dict()
    head["tree"] = pack(obj, keep)
    return arrays, json.dumps(head, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _host(a: Any) -> Any:
    """The same elements in order, in the host's memory and byte order."""
    a = move(a, to_device("cpu"))
    return np.ascontiguousarray(a, a.dtype.newbyteorder("=")).reshape(a.shape)


def _free_name(name: str, taken: dict[str, Any]) -> str:
    """A name for a tensor that is not taken, can be written as UTF-8 and means nothing special to the container."""
    name = name.encode(errors="replace").decode()
    if name == "__metadata__" or "#" in name[-12:]:
        name = f"{name}_"
    if name not in taken:
        return name
    return next(f"{name}#{i}" for i in range(2, len(taken) + 3) if f"{name}#{i}" not in taken)


def load(
    f: str | os.PathLike[str] | BinaryIO, map_location: Any = None, pickle_module: Any = None, *,
    weights_only: bool | None = None, mmap: bool | None = None, into: Any = None, max_header: int = HEADER_ASKED, **legacy: Any,
) -> Any:  # fmt: skip
    """Read what `save` wrote, PyTorch's files, or (as a dict of tensors) any safetensors file or file of a format that a plugin reads.

    ``map_location`` moves tensors to a device; ``into`` gives the tensors to a module of yours, which is returned. PyTorch's files
    give what ``torch.load(weights_only=True)`` gives; ``encoding`` is that of Python 2's strings in them. ``.npz`` gives a dict. ``mmap``
    maps the tensors: they are read when first used, their checksums are not compared, and writing to them does not change the file.
    A header (names and plain values) of more than ``max_header`` bytes is refused; 100,000,000 can be asked for.
    Reading never executes anything, so ``weights_only`` has no meaning here: a PyTorch file that needs more than tensors and plain values
    is refused. Raises a FormatError for a file that is not whole, was changed since it was written, or is of another format.
    """
    _refuse_others("load", legacy)
    _place("load", f, "read")
    if mmap and hasattr(f, "read"):
        raise ValueRangeError("load", "f must be a file path in order to use the mmap argument", f"got {type(f).__name__}")
    name = str(getattr(f, "name", "stream")) if hasattr(f, "read") else os.fspath(f)
    move_to = _mapper(map_location)
    foreign = None if hasattr(f, "read") else read_weights(f)
    if foreign is not None:
        return _loaded(into, {key: move_to(t) for key, t in foreign.items()})
    with _uncollected(), _opened(f) as file:
        start = file.read(9)
        if not start:
            what = "has 0 bytes, which is too short for a safetensors file; was it cut off, or read to its end before?"
            raise _EmptyFile(name, 0, what)
        if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[8:] != b"{"):  # a header's length may begin so too
            return _loaded(into, _torch(name, f, file, start, map_location, mmap, legacy.get("encoding", "utf-8")))
        arrays, metadata = read(name, file, max_header, bool(mmap))
        if not any(key.startswith("dovetail") for key in metadata):
            head, value = {"kind": "value"}, arrays
            for key, a in arrays.items():
                value[key] = move_to(wrap(a))
        else:
            head = _head(name, metadata, arrays, not mmap)
            value = _value(name, head.get("tree"), arrays, move_to)
    return _loaded(into, value) if into is not None or head["kind"] == "value" else _rebuilt(name, head, value, arrays, move_to)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles, which would look at every tensor again and again while many are made."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


class _EmptyFile(FormatError, EOFError):
    """A file without a single byte, or a stream that was read to its end; PyTorch raises an EOFError."""


def _place(where: str, f: Any, way: str) -> None:
    """An AttributeError for what is neither a path nor a file."""
    if not hasattr(f, way) and not isinstance(f, str | bytes | os.PathLike):
        raise UnknownAttribute(where, f"expected 'f' to be string, path, or a file-like object with a {way!r} attribute", f"got {f!r}")


def _loaded(module: Any, state: Any) -> Any:
    """The state; where there is a module, that with it."""
    if module is not None:
        module.load_state_dict(state)
    return state if module is None else module


def _opened(f: Any) -> BinaryIO:
    """The file, or all that is left of a stream."""
    if hasattr(f, "read"):
        return io.BytesIO(f.read())
    try:
        return open(f, "rb")
    except IsADirectoryError:
        raise FormatError(f, None, "is a folder; expected a file that dovetail.save wrote") from None


def _torch(name: str, f: Any, file: Any, head: bytes, map_location: Any, mmap: Any, encoding: str) -> Any:
    """The value in one of PyTorch's files. A stream is left behind it, so that several that lie in a row can be read."""
    from .torch_file import read_torch

    arrays = _npz(name, file, map_location, head)
    value = read_torch(name, file, map_location, bool(mmap), encoding) if arrays is None else arrays
    if hasattr(f, "read") and head[:1] == b"\x80" and file.tell() < len(file.getbuffer()):
        f.seek(file.tell() - len(file.getbuffer()), 2)
    return value


def verify(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Check every byte of a file that `save` wrote and return its head. Raises a FormatError that names the tensor."""
    name = os.fspath(path)
    with _opened(path) as file:
        arrays, metadata = read(name, file)
    if not any(key.startswith("dovetail") for key in metadata):
        raise FormatError(path, None, "has no checksums; dovetail.save did not write it")
    return {**_head(name, metadata, arrays), "sealed": SEAL in metadata}


def _npz(name: str, file: Any, map_location: Any, head: bytes) -> dict[str, Tensor] | None:
    """The tensors of a ``.npz``, or None where it is none."""
    file.seek(26)
    is_npy = head[:1] == b"P" and file.read(2 + int.from_bytes(file.read(2), "little")).endswith(b".npy")  # its first record
    found = importlib.import_module("dovetail.science.npz").read_npz(name, file) if is_npy else None
    move_to = _mapper(map_location)
    file.seek(0)
    return None if found is None else {key: move_to(wrap(a)) for key, a in found.items()}


def _head(name: str, metadata: dict[str, str], arrays: dict[str, Any], whole: bool = True) -> dict[str, Any]:
    """Check the CRCs (without those of the tensors unless ``whole``) and the outer form of the tree."""
    text = metadata.get("dovetail", "")
    try:
        checks = json.loads(metadata.get("dovetail.crc32", "null"))
    except (ValueError, RecursionError):
        checks = None
    if not isinstance(checks, dict) or set(checks) != {"", *arrays}:
        raise FormatError(name, None, "the checksums in the metadata do not fit the tensors; the file was changed after it was written")
    if checks[""] != crc32(text.encode(errors="replace")):
        raise FormatError(name, None, "the tree of values does not match its checksum; the file was changed after it was written")
    for key, a in arrays.items():
        if whole and checks[key] != checksum(a):
            raise FormatError(name, None, f"tensor {key!r} does not match its checksum; the file was changed after it was written")
    # files written before 0.2 have no seal; with any other key it is ours no longer
    if not metadata.keys() <= {SEAL, "dovetail", "dovetail.crc32"} or metadata.get(SEAL) == "":
        raise FormatError(name, None, "the header does not match its checksum; the file was changed after it was written")
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(name, None, f"the tree of values is not JSON ({error})") from None
    if not isinstance(head, dict) or head.get("kind") not in ("value", "module") or head.get("version").__class__ is not int:
        raise FormatError(name, None, "the metadata is not what dovetail.save writes")
    if head["version"] > VERSION:
        raise FormatError(name, None, f"was written in format {head['version']}; this version reads up to {VERSION}; update dovetail")
    return head


def _value(name: str, node: Any, arrays: dict[str, Any], move_to: Callable[[Any], Any]) -> Any:
    """The value of one tree. A tensor that is named twice in the same way is one object, as it was when it was saved."""
    made: dict[Any, Any] = {}

    def fetch(key: str, parameter: bool, requires_grad: bool) -> Any:
        if key not in arrays:
            raise ValueError(f"the tree of values names tensor {key!r}, which is not in the file")
        if (key,) not in made:
            made[key,] = move_to(wrap(arrays[key]))
        identity = (key, parameter, requires_grad)
        if identity not in made:
            made[identity] = _dressed(made[key,], parameter, requires_grad)
        return made[identity]

    try:
        return unpack(node, fetch)
    except (ValueError, RecursionError, DovetailError) as error:
        raise FormatError(name, None, f"{error}; expected a file that dovetail.save wrote") from None


def _dressed(t: Any, parameter: bool, requires_grad: bool) -> Any:
    from ..nn.parameter import Parameter

    if requires_grad and not (t.is_floating_point() or t.is_complex()):
        raise ValueError(f"the tree of values asks for the gradient of a tensor of type {t.dtype}")
    if parameter:
        return Parameter(t, requires_grad=requires_grad)
    return t.detach().requires_grad_() if requires_grad else t


def _rebuilt(name: str, head: dict[str, Any], state: Any, arrays: dict[str, Any], move_to: Callable[[Any], Any]) -> Any:
    """Build a saved module again by its registry key, and give it its tensors."""
    key = head.get("model")
    if not isinstance(key, str):
        what = f"holds the tensors of a {head.get('type')!r}, whose class is not registered, so it cannot be rebuilt by name"
        raise FormatError(name, None, f"{what}; make the module and pass it: load(path, into=module)")
    from .. import models

    config = _value(name, head.get("config"), arrays, move_to)
    if not isinstance(config, Mapping) or "weights" in config or not all(isinstance(k, str) for k in config):
        raise FormatError(name, None, f"the configuration of its model {key!r} is not what dovetail.save writes")
    try:
        module = models.create(key, **config)
        module.load_state_dict(state)
    except (UnknownNameError, PluginError) as error:
        raise type(error)(f"load({name!r})", f"its model cannot be built: {error}", _versions(key, head)) from error
    except Exception as error:
        what = f"its model {key!r} cannot be rebuilt from {dict(config)} and the tensors in the file ({type(error).__name__}: {error})"
        raise FormatError(name, None, f"{what}; {_versions(key, head)}") from error
    return module


def _versions(key: str, head: dict[str, Any]) -> str:
    """Which version of its plugin a model was saved with, and which is here."""
    from ..plugins import installed

    here = [plugin.version for plugin in installed() if plugin.name == key.partition("/")[0]]
    return f"it was saved with version {head.get('plugin')} of its plugin; here is {here[0] if here else 'none'}"


def _mapper(map_location: Any) -> Callable[[Any], Any]:
    """What moves a loaded tensor, from PyTorch's forms of map_location."""
    if isinstance(map_location, dict):
        map_location = map_location.get("cpu")
    if map_location is None:
        return lambda t: t
    if callable(map_location):
        return lambda t: t if (found := map_location(t, "cpu")) is None else found
    try:
        device = to_device(map_location)
    except TypeError:
        raise TypeMismatch("load", f"map_location is {type(map_location).__name__}", "expected a device, a dict or a function") from None
    return lambda t: t.to(device)
