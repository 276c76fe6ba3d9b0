"""Trained weights that plugins bring: listed, looked up, fetched, loaded.

from dovetail import weights
weights.list("vision/resnet18@*")
state = weights.load("vision/resnet18@imagenet1k_v1")
"""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .errors import HashMismatch, UnsupportedError
from .plugins.registry import Entry, registry

__all__ = ["cached", "get", "list", "load", "path", "transforms"]


def list(pattern: str | None = None) -> builtins.list[str]:
    """List the keys of all weights, sorted; ``pattern`` is a shell pattern such as ``"*@imagenet1k_v1"`` or ``"vision/resnet18@*"``."""
    return registry("weights").list(pattern)


def get(key: str) -> Entry:
    """Look up weights: ``key``, ``plugin``, ``model``, ``url`` or ``file``, ``bytes``, ``license``, ``metrics``, ``transforms``, ``meta``.

    Raises UnknownNameError, which suggests near names and what to install.
    """
    return registry("weights").get(key)


def cached(weights: str | Entry) -> Path:
    """Where the file of these weights is, or will be once it is fetched: in the plugin's package, or in the folder of downloads."""
    entry = get(weights) if isinstance(weights, str) else weights
    if entry.file is not None:
        return Path(entry.plugin.path).parent / entry.file
    if entry.url is None:
        raise UnsupportedError(f"weights.path({entry.key!r})", "it has neither a file nor a url", "", "its model brings it itself")
    from .io.pins import get_dir

    name = os.path.basename(unquote(urlsplit(entry.url).path)) or "weights"
    return Path(get_dir(), "checkpoints", *entry.key.split("/"), name)


def path(weights: str | Entry, progress: bool = True) -> Path:
    """The file of these weights, fetched where it is not there yet, and checked against its hash each time.

    A file whose publisher gives only a part of its SHA-256, or an MD5, is pinned to the whole one at its first download. Raises a
    DownloadError when it cannot be fetched, a HashMismatch when it is not the one that was declared or pinned.
    """
    from .io import pins
    from .io.download import Expected, download
    from .plugins.bridge import blamed

    entry = get(weights) if isinstance(weights, str) else weights
    target = cached(entry)
    if entry.file is not None:
        with blamed(entry.plugin, f"its file {entry.file!r}"):
            Expected(entry.sha256, entry.sha256_prefix, entry.md5, entry.bytes).of(target)
        return target
    pinned = None if entry.sha256 else pins.find(entry.key, entry.url, entry.sha256_prefix or "")
    sha256 = pinned[0] if pinned else entry.sha256
    known = {"sha256": sha256, "sha256_prefix": entry.sha256_prefix, "md5": entry.md5, "size": entry.bytes}
    try:
        found = download(entry.url, target, **known, progress=progress)
    except HashMismatch as error:
        if not pinned:
            raise
        reason = f"{error.reason}; {entry.key} was pinned to this at its first download, in {pinned[1]}: is a change of the file meant?"
        raise HashMismatch(error.path, None, reason) from None
    if not sha256:
        pins.pin(entry.key, entry.url, found, target.stat().st_size)
    return target


def load(weights: str | Entry, progress: bool = True, map_location: Any = None) -> dict[str, Any]:
    """The tensors of these weights by name: a state dict, from a safetensors or ``.pth`` file, or one of a format that a plugin reads.

    Raises what :func:`path` raises, and a FormatError for a file that cannot be read.
    """
    from .io import load

    return load(path(weights, progress), map_location)


def transforms(weights: str | Entry) -> Any:
    """Build the transform that prepares inputs for a model with these weights."""
    entry = get(weights) if isinstance(weights, str) else weights
    if entry.transforms is None:
        raise UnsupportedError(f"weights.transforms({entry.key!r})", "the manifest names no transform for it")
    return registry("transforms").load(entry.transforms)(**(entry.transforms_config or {}))
