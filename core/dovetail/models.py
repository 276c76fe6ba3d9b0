"""Models that plugins bring: listed, looked up, built.

from dovetail import models
models.list("resnet*")
model = models.create("vision/resnet18", num_classes=10)
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import PluginError, ValueRangeError
from .plugins.registry import Entry, registry

if TYPE_CHECKING:
    from .nn import Module

__all__ = ["create", "get", "list"]


def list(pattern: str | None = None) -> builtins.list[str]:
    """List the keys of all models, sorted; ``pattern`` is a shell pattern such as ``"resnet*"`` or ``"vision/*"``."""
    return registry("models").list(pattern)


def get(key: str) -> Entry:
    """Look up a model without importing it: ``key``, ``plugin``, ``summary``, ``tags``, ``params``, ``license``, ``paper``.

    Raises UnknownNameError, which suggests near names and what to install.
    """
    return registry("models").get(key)


def create(key: str, *, weights: Entry | Mapping[str, Any] | os.PathLike[str] | str | None = None, **config: Any) -> Module:
    """Build a model: ``create("vision/resnet18", num_classes=10)``; ``config`` goes to its target.

    ``weights``: a state dict; the path (a ``pathlib.Path``) of a file that holds one; or, as a string, the key of weights that a plugin
    lists for this model, whole (``"vision/resnet18@v1"``), the variant alone (``"v1"``) or ``"DEFAULT"`` for the one that its plugin
    recommends: its entry goes to the target as ``weights``.

    The module remembers where it came from in ``_dovetail_entry``: (key, config, the plugin's version).
    Raises UnknownNameError; PluginError when the plugin cannot be imported; and what the target raises, with a note that names the plugin.
    """
    from .plugins.manager import get_manager

    entry = get(key)
    if isinstance(weights, str):
        weights = _weights_of(entry, weights)
    module = get_manager().call("build_model", entry=entry, config=config, weights=weights)
    if module is None:
        raise PluginError(f"models.create({key!r})", f"{entry.target} gave None", "expected a module", entry.plugin.remedy)
    module._dovetail_entry = (entry.key, config, entry.plugin.version)
    return module


def _weights_of(entry: Entry, name: str) -> Entry:
    table = registry("weights")
    if name == "DEFAULT":
        own = [found for found in map(table.get, table.list()) if found.model == entry.key]
        chosen = [found for found in own if found.default] or own
        if len(chosen) != 1:
            have = ", ".join(found.key for found in own) or "no weights"
            raise ValueRangeError(f"models.create({entry.key!r})", f"it has no default weights, but {have}", "expected one of these keys")
        return chosen[0]
    key = name if "/" in name else f"{entry.key}@{name}"
    weights = table.get(key if key in table else key.lower())
    if weights.model != entry.key:
        raise ValueRangeError(f"models.create({entry.key!r})", f"weights {weights.key!r} are of {weights.model!r}", "expected its own")
    return weights
