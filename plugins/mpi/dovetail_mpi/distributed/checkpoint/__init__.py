"""Checkpoints in a folder, written by all ranks, by PyTorch's names: ``dovetail.distributed.checkpoint``."""

from __future__ import annotations

import os
import secrets
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail.errors import UnknownNameError, ValueRangeError

from ... import shards
from ...checkpointer import ShardedCheckpointer
from ...collectives import barrier
from ...group import is_initialized, member
from ...objects import broadcast_object_list

__all__ = ["FileSystemReader", "FileSystemWriter", "ShardedCheckpointer", "async_save", "load", "save"]


class FileSystemWriter:
    """A folder to write into."""

    def __init__(self, path: str | os.PathLike[str], *args: Any, **options: Any) -> None:
        self.path = path


class FileSystemReader:
    """A folder to read from."""

    def __init__(self, path: str | os.PathLike[str], *args: Any, **options: Any) -> None:
        self.path = path


def _stem(where: str, folder: Any, storage: Any) -> Path:
    if folder is None and storage is None:
        raise ValueRangeError(where, "neither checkpoint_id nor a storage is given", "expected a folder")
    return Path(os.fspath(storage.path if folder is None else folder)) / "state"


def save(
    state_dict: dict[str, Any], *, checkpoint_id: Any = None, storage_writer: Any = None, process_group: Any = None, **options: Any
) -> None:
    """Write a state dict that all ranks have into a folder, which is made: each writes a share of the tensors, rank 0 all else.

    >>> import tempfile, dovetail as dv
    >>> folder, state = tempfile.mkdtemp(), {"w": dv.zeros(2)}
    >>> save({"w": dv.ones(2)}, checkpoint_id=folder)
    >>> load(state, checkpoint_id=folder); state
    {'w': tensor([1., 1.])}
    """
    write = _prepared("checkpoint.save", state_dict, checkpoint_id, storage_writer, process_group)
    write()
    if process_group is not None or is_initialized():
        barrier(member(process_group))


def _prepared(where: str, state_dict: dict[str, Any], folder: Any, storage: Any, process_group: Any, copied: bool = False) -> Any:
    """Agree with the other ranks on what each writes, and return what writes this rank's part; it asks nobody anything."""
    stem = _stem(where, folder, storage)
    stem.parent.mkdir(parents=True, exist_ok=True)
    group = member(process_group) if process_group is not None or is_initialized() else None
    rank, ranks = (0, 1) if group is None else (group.rank(), group.size())
    mark = [secrets.token_hex(4)]
    if group is not None:
        broadcast_object_list(mark, group=group, group_src=0)
    tree = {name: value.state_dict() if hasattr(value, "load_state_dict") else value for name, value in state_dict.items()}
    bare, tensors = shards.deal(tree, ranks)
    own = {str(i): t for i, (t, owner) in enumerate(tensors) if owner == rank}
    content = {"tree": bare if rank == 0 else None, "tensors": own}
    if copied:
        content = shards.mapped(content, lambda v: isinstance(v, dv.Tensor), lambda t: t.detach().cpu().clone())

    def write() -> None:
        shards.write(stem, mark[0], rank, ranks, content)
        if rank == 0:
            shards.commit(stem, mark[0], ranks, {})
            for path in list(shards.leftovers(stem, mark[0])):
                path.unlink(missing_ok=True)

    return write


def async_save(
    state_dict: dict[str, Any], *, checkpoint_id: Any = None, storage_writer: Any = None, process_group: Any = None, **options: Any
) -> Future[None]:
    """As `save`, in the background: this rank's share is copied at once and written by a thread, while the tensors may change.

    The future is done when this rank's part is on disk; rank 0's when those of all ranks are, and the manifest that makes them one. It
    raises what writing met.
    """
    write = _prepared("checkpoint.async_save", state_dict, checkpoint_id, storage_writer, process_group, copied=True)
    done: Future[None] = Future()

    def run() -> None:
        try:
            done.set_result(write())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="dovetail checkpoint").start()
    return done


def load(state_dict: dict[str, Any], *, checkpoint_id: Any = None, storage_reader: Any = None, **options: Any) -> None:
    """Read a folder into a state dict: tensors in place, objects by their load_state_dict, other values put in.

    Any number of ranks reads it, each only what its ``state_dict`` has; all of that is read and checked before anything changes. Raises
    an UnknownNameError for a key that is not there, a FormatError for a file that was changed.
    """
    _, tree, _ = shards.opened(_stem("checkpoint.load", checkpoint_id, storage_reader))
    _fill(state_dict, shards.filled(_wanted(state_dict, tree, "")))


def _wanted(target: dict[str, Any], found: Any, path: str) -> dict[str, Any]:
    """Of what there is, the part with the names of ``target``."""
    wanted = {}
    for key, value in target.items():
        if not isinstance(found, dict) or key not in found:
            has = sorted(map(str, found)) if isinstance(found, dict) else f"a {type(found).__name__} there"
            raise UnknownNameError("checkpoint.load", f"there is no {path}{key} in the checkpoint", f"it has {has}")
        plain = isinstance(value, dict) and not hasattr(value, "load_state_dict")
        wanted[key] = _wanted(value, found[key], f"{path}{key}.") if plain else found[key]
    return wanted


def _fill(target: dict[str, Any], found: dict[str, Any]) -> None:
    for key, value in target.items():
        if isinstance(value, dv.Tensor):
            with dv.no_grad():
                value.copy_(found[key])
        elif hasattr(value, "load_state_dict"):
            value.load_state_dict(found[key])
        elif isinstance(value, dict):
            _fill(value, found[key])
        else:
            target[key] = found[key]
