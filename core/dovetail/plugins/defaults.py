"""The core's own answers to the behaviour hooks, given when no plugin gives one: call the target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..hooks import hookimpl
from .bridge import blamed

if TYPE_CHECKING:
    from .registry import Entry

__all__ = ["build_dataset", "build_model"]


@hookimpl(trylast=True)
def build_model(entry: Entry, config: dict[str, Any], weights: Any) -> Any:
    """Call the target; a state dict, or a file of one, is loaded into the result; an entry of weights is the target's own to read."""
    target = entry.load()
    if weights is not None and not isinstance(weights, Mapping | os.PathLike):
        config, weights = {**config, "weights": weights}, None
    elif isinstance(weights, os.PathLike):
        from ..io import load

        weights = load(weights)
    with blamed(entry.plugin, f"the target {entry.target}"):
        module = target(**config)
        if weights is not None:
            module.load_state_dict(weights)
    return module


@hookimpl(trylast=True)
def build_dataset(entry: Entry, root: Any, split: str | None, options: dict[str, Any]) -> Any:
    """Call the target with ``root`` and ``split`` where they are given."""
    target = entry.load()
    given = {name: value for name, value in (("root", root), ("split", split)) if value is not None}
    with blamed(entry.plugin, f"the target {entry.target}"):
        return target(**given, **options)
