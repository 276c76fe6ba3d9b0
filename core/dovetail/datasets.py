"""Datasets that plugins bring: listed, looked up, opened.

from dovetail import datasets
digits = datasets.load("vision/mnist", root="data", split="train")
"""

from __future__ import annotations

import builtins
import os
from typing import TYPE_CHECKING, Any

from .errors import PluginError, ValueRangeError
from .plugins.registry import Entry, registry

if TYPE_CHECKING:
    from .data import Dataset

__all__ = ["get", "list", "load"]


def list(pattern: str | None = None) -> builtins.list[str]:
    """List the keys of all datasets, sorted; ``pattern`` is a shell pattern such as ``"*mnist"`` or ``"vision/*"``."""
    return registry("datasets").list(pattern)


def get(key: str) -> Entry:
    """Look up a dataset without importing it: ``key``, ``plugin``, ``summary``, ``splits``, ``license``, ``citation``, ``url``.

    Raises UnknownNameError, which suggests near names and what to install.
    """
    return registry("datasets").get(key)


def load(key: str, *, root: str | os.PathLike[str] | None = None, split: str | None = None, **options: Any) -> Dataset:
    """Open a dataset; ``root`` is the folder of its files, ``split`` one of its ``splits``, ``options`` go to its target.

    Raises UnknownNameError; ValueRangeError for a split that it does not have; PluginError when the plugin cannot be imported;
    and what the target raises, with a note that names the plugin.
    """
    from .plugins.manager import get_manager

    entry = get(key)
    if split is not None and entry.splits and split not in entry.splits:
        raise ValueRangeError(f"datasets.load({key!r})", f"it has no split {split!r}", f"expected one of {', '.join(entry.splits)}")
    dataset = get_manager().call("build_dataset", entry=entry, root=root, split=split, options=dict(options))
    if dataset is None:
        raise PluginError(f"datasets.load({key!r})", f"{entry.target} gave None", "expected a dataset", entry.plugin.remedy)
    return dataset
