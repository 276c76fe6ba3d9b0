"""Checkpoints in a folder, by one process: ``dovetail.distributed.checkpoint``. The file within is Dovetail's own."""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import Any

import dovetail as dv
from dovetail.errors import UnknownNameError, ValueRangeError

__all__ = ["FileSystemReader", "FileSystemWriter", "async_save", "load", "save"]

_FILE = "state.safetensors"


class FileSystemWriter:
    """A folder to write into."""

    def __init__(self, path: str | os.PathLike[str], *args: Any, **options: Any) -> None:
        self.path = path


class FileSystemReader:
    """A folder to read from."""

    def __init__(self, path: str | os.PathLike[str], *args: Any, **options: Any) -> None:
        self.path = path


def _file(where: str, folder: Any, storage: Any) -> str:
    if folder is None and storage is None:
        raise ValueRangeError(where, "neither checkpoint_id nor a storage is given", "expected a folder")
    return os.path.join(os.fspath(storage.path if folder is None else folder), _FILE)


def save(state_dict: dict[str, Any], *, checkpoint_id: Any = None, storage_writer: Any = None, **options: Any) -> None:
    """Write a state dict into a folder, which is made.

    >>> import tempfile, dovetail as dv
    >>> folder, state = tempfile.mkdtemp(), {"w": dv.zeros(2)}
    >>> save({"w": dv.ones(2)}, checkpoint_id=folder)
    >>> load(state, checkpoint_id=folder); state
    {'w': tensor([1., 1.])}
    """
    path = _file("checkpoint.save", checkpoint_id, storage_writer)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    dv.save(state_dict, path)


def async_save(state_dict: dict[str, Any], **options: Any) -> Future[None]:
    """As `save`, with a future that is done."""
    done: Future[None] = Future()
    done.set_result(save(state_dict, **options))
    return done


def load(state_dict: dict[str, Any], *, checkpoint_id: Any = None, storage_reader: Any = None, **options: Any) -> None:
    """Read a folder into a state dict: tensors in place, other values put in. Raises an UnknownNameError for a key that is not there."""
    _fill(state_dict, dv.load(_file("checkpoint.load", checkpoint_id, storage_reader)), "")


def _fill(target: dict[str, Any], found: dict[str, Any], path: str) -> None:
    for key, value in target.items():
        if key not in found:
            raise UnknownNameError("checkpoint.load", f"there is no {path}{key} in the checkpoint", f"it has {sorted(found)}")
        if isinstance(value, dv.Tensor):
            with dv.no_grad():
                value.copy_(found[key])
        elif isinstance(value, dict):
            _fill(value, found[key], f"{path}{key}.")
        else:
            target[key] = found[key]
