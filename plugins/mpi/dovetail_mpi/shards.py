"""A checkpoint in parts: a file of each rank, and a manifest that makes them one, written when all of them are on disk.

``STEM.MARK-2-of-4.dvt`` holds the tensors that rank 2 of 4 was dealt, its own values, and (of rank 0) the tree of all else, with
`dovetail.save`'s checksums; ``STEM.json`` names the mark, the number and the sizes. A part without its manifest is a left-over, a manifest
without its parts an error.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail.errors import FormatError, ValueRangeError
from dovetail.io.atomic import replacing, sync_folder

from .errors import DistError
from .stored import Part, filled, mapped

__all__ = ["commit", "deal", "filled", "join", "manifest", "mapped", "opened", "part", "read", "remove", "whole", "write"]

_TOKEN = "\0tensor "
_VERSION = 1


def deal(tree: Any, ranks: int) -> tuple[Any, list[tuple[dv.Tensor, int]]]:
    """The tree with a token in the place of each tensor, and the tensors with the ranks that write them, about as many bytes each.

    >>> deal({"a": dv.ones(2), "n": 3}, 2)
    ({'a': '\\x00tensor 0', 'n': 3}, [(tensor([1., 1.]), 0)])
    """
    tensors: list[dv.Tensor] = []
    places: dict[int, int] = {}

    def token(t: dv.Tensor) -> str:
        if id(t) not in places:  # shared tensors stay shared
            places[id(t)] = len(tensors)
            tensors.append(t)
        return f"{_TOKEN}{places[id(t)]}"

    bare = mapped(tree, lambda v: isinstance(v, dv.Tensor), token)
    loads, owners = [0] * ranks, [0] * len(tensors)
    for index in sorted(range(len(tensors)), key=lambda i: -tensors[i].numel() * tensors[i].element_size()):
        owners[index] = loads.index(min(loads))
        loads[owners[index]] += tensors[index].numel() * tensors[index].element_size()
    return bare, list(zip(tensors, owners, strict=True))


def join(bare: Any, tensors: Mapping[str, Any]) -> Any:
    """The tree that `deal` was given. Raises a KeyError for a tensor that is missing."""
    return mapped(bare, lambda v: isinstance(v, str) and v.startswith(_TOKEN), lambda v: tensors[v.removeprefix(_TOKEN)])


def part(stem: Path, mark: str, rank: int, ranks: int) -> Path:
    """The file of one rank."""
    return stem.with_name(f"{stem.name}.{mark}-{rank}-of-{ranks}.dvt")


def manifest(stem: Path) -> Path:
    """The file that makes the parts one."""
    return stem.with_name(f"{stem.name}.json")


def write(stem: Path, mark: str, rank: int, ranks: int, content: dict[str, Any]) -> None:
    """Write a rank's part, crash-safe."""
    path = part(stem, mark, rank, ranks)
    with replacing(path, f"part-{rank}") as temporary, open(temporary, "wb") as file:
        dv.save({"mark": mark, "rank": rank, "ranks": ranks, **content}, file)


def commit(stem: Path, mark: str, ranks: int, about: dict[str, Any], timeout: float = 600.0) -> None:
    """Wait for the parts of all ranks, then write the manifest. Raises a DistError for a part that does not come."""
    paths = [part(stem, mark, rank, ranks) for rank in range(ranks)]
    end = time.monotonic() + timeout
    while missing := [path for path in paths if not path.exists()]:
        if time.monotonic() > end:
            what = f"{len(missing)} of {ranks} parts did not come, the first {missing[0].name}"
            raise DistError("checkpoint", what, "expected one of each rank", "the checkpoints before it are as they were")
        time.sleep(0.005)
    body = {"version": _VERSION, "mark": mark, "ranks": ranks, "bytes": [path.stat().st_size for path in paths], **about}
    text = json.dumps(body, allow_nan=True)
    with replacing(manifest(stem), "manifest") as temporary:
        temporary.write_text(json.dumps({"crc32": zlib.crc32(text.encode()), "checkpoint": text}), encoding="utf-8")


def describe(stem: Path) -> dict[str, Any]:
    """What a manifest says. Raises a FormatError for one that was changed, or is none."""
    path = manifest(stem)
    try:
        outer = json.loads(path.read_bytes())
        if zlib.crc32(outer["checkpoint"].encode()) != outer["crc32"]:
            raise FormatError(path, None, "does not match its checksum; the file was changed after it was written")
        found: dict[str, Any] = json.loads(outer["checkpoint"])
        if found["version"] > _VERSION:
            raise FormatError(path, None, f"was written in format {found['version']}; this version reads up to {_VERSION}")
        if len(found["bytes"]) != found["ranks"] or not isinstance(found["mark"], str) or "/" in found["mark"]:
            raise ValueError("ranks")
    except (FormatError, FileNotFoundError):
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(path, None, f"is no manifest of a checkpoint in parts ({type(error).__name__}: {error})") from None
    return found


def read(stem: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The manifest and the parts of a checkpoint, their tensors still in the files. Raises a FormatError that names the file."""
    about = describe(stem)
    parts = []
    for rank, size in enumerate(about["bytes"]):
        path = part(stem, about["mark"], rank, about["ranks"])
        if not path.exists():
            raise FormatError(path, None, "is missing; the checkpoint is not whole without it")
        if path.stat().st_size != size:
            raise FormatError(path, None, f"has {path.stat().st_size} bytes, and the manifest says {size}")
        found, own = Part(path).content, (about["mark"], rank, about["ranks"])
        if not isinstance(found, dict) or (found.get("mark"), found.get("rank"), found.get("ranks")) != own:
            raise FormatError(path, None, "is a part of another checkpoint")
        parts.append(found)
    return about, parts


def opened(stem: Path) -> tuple[dict[str, Any], Any, list[dict[str, Any]]]:
    """The manifest, the tree of a checkpoint and its parts; `filled` reads the tensors of what is wanted of them."""
    about, parts = read(stem)
    try:
        tensors = {name: t for one in parts for name, t in one["tensors"].items()}
        return about, join(parts[0]["tree"], tensors), parts
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(manifest(stem), None, f"its parts do not make a whole ({type(error).__name__}: {error})") from None


def whole(stem: Path) -> tuple[dict[str, Any], Any, list[dict[str, Any]]]:
    """As `opened`, with every byte read and checked. Raises a FormatError that names the file and the tensor."""
    about, tree, parts = opened(stem)
    tree, parts = filled((tree, parts))
    return about, tree, parts


def remove(stem: Path) -> None:
    """Remove a checkpoint: its manifest first, so that what is left at any moment is a left-over."""
    with suppress(FileNotFoundError):
        manifest(stem).unlink()
    sync_folder(stem.parent)
    for path in leftovers(stem):
        path.unlink(missing_ok=True)


def leftovers(stem: Path, mark: str = "") -> Iterator[Path]:
    """The parts of a stem, without those of a mark."""
    prefix = f"{stem.name}."
    with os.scandir(stem.parent) as entries:
        names = [e.name for e in entries if e.name.startswith(prefix) and e.name.endswith(".dvt")]
    yield from (stem.with_name(name) for name in names if not mark or not name.startswith(f"{prefix}{mark}-"))


def refuse(where: str, state: Any) -> None:
    """Refuse a state that is no dict of names."""
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise ValueRangeError(where, f"state is {type(state).__name__}", "expected a dict of names", "as {'model': model}")
