"""Who is told what while a model is trained: callbacks, and the plugins that implement a hook."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from dovetail import plugins
from dovetail.errors import PluginError, TypeMismatch

from .specs import EVENTS

__all__ = ["Listeners"]


Ours = tuple[Any, Callable[..., Any], tuple[str, ...]]  # a plugin, its function, and the arguments that this asks for


class Listeners:
    """The callbacks and plugins to tell, found once; a plugin that fails is not told again, a callback's exception goes to the caller."""

    def __init__(self, callbacks: Iterable[Any], strict: bool = False) -> None:
        self.strict = strict or os.environ.get("DOVETAIL_STRICT_PLUGINS", "") not in ("", "0")
        if not isinstance(callbacks, Iterable):
            raise TypeMismatch("Trainer", f"callbacks is a {type(callbacks).__name__}", "expected a list of callbacks")
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if isinstance(callback, type) or not any(callable(getattr(callback, event, None)) for event in EVENTS):
                what = f"a callback is {callback!r}"
                raise TypeMismatch("Trainer", what, f"expected an object with some of the methods {', '.join(EVENTS)}")
        self._told: dict[str, list[Callable[..., Any]]] = {event: [] for event in EVENTS}
        self._ours: dict[str, list[Ours]] = {event: [] for event in EVENTS}
        self._failed: set[str] = set()

    def kept(self) -> dict[str, Any]:
        """The callbacks that have a state to keep, by class; of several of one class, those behind the first have a number."""
        found: dict[str, Any] = {}
        for callback in self.callbacks:
            if hasattr(callback, "state_dict") and hasattr(callback, "load_state_dict"):
                name = type(callback).__name__
                same = sum(known.partition("#")[0] == name for known in found)
                found[f"{name}#{same + 1}" if same else name] = callback
        return found

    def find(self, ours: bool = True) -> None:
        """Look up who implements what; an event that nobody listens to costs nothing from then on. Without ``ours`` no plugin is told."""
        for event in EVENTS:
            self._told[event] = [getattr(c, event) for c in self.callbacks if callable(getattr(c, event, None))]
            asked = [plugin for plugin in plugins.installed() if plugin.usable and f"train/{event}" in plugin.implements] if ours else []
            found = [self._import(plugin, event) for plugin in asked]
            usable = [one for one in found if one is not None]
            self._ours[event] = sorted(usable, key=lambda one: _place(one[1].dovetail_impl))

    def _import(self, plugin: Any, event: str) -> Ours | None:
        try:
            function = plugins.load_target(f"{plugin.module}:train_{event}", plugin.name)
            if not hasattr(function, "dovetail_impl"):
                raise PluginError(f"{plugin.module}.train_{event}", "it is not marked", "expected @hookimpl", plugin.remedy)
            asked = tuple(inspect.signature(function).parameters)
            if unknown := [name for name in asked if name not in EVENTS[event]]:
                what = f"it asks for {', '.join(unknown)}"
                raise PluginError(f"{plugin.module}.train_{event}", what, f"expected some of {', '.join(EVENTS[event])}", plugin.remedy)
            return plugin, function, asked
        except PluginError as error:
            if self.strict:
                raise
            plugin.stop("failed", str(error), error)
            warnings.warn(f"{error}; it is left out of this training", RuntimeWarning, stacklevel=5)
            return None

    def tell(self, event: str, **arguments: Any) -> None:
        """Tell the callbacks, then the plugins."""
        for method in self._told[event]:
            method(*(arguments[name] for name in EVENTS[event]))
        for plugin, function, asked in self._ours[event]:
            if plugin.name not in self._failed:
                self._call(plugin, event, function, {name: arguments[name] for name in asked})

    def _call(self, plugin: Any, event: str, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        try:
            function(**arguments)
        except (Exception, SystemExit) as error:
            where = f"hook train/{event}"
            plugin.stop("failed", f"{where}: {type(error).__name__}: {error}", error)
            if self.strict:
                error.add_note(f"raised by plugin {plugin.label} in {where}; {plugin.remedy}")
                raise
            self._failed.add(plugin.name)
            what = f"plugin {plugin.label} failed in {where} ({type(error).__name__}: {error}); the training goes on without it"
            warnings.warn(f"{what}; {plugin.remedy}", RuntimeWarning, stacklevel=4)


def _place(options: dict[str, Any]) -> int:
    """As pluggy's: ``tryfirst`` goes before the others, ``trylast`` behind them; within each, by the distributions' names."""
    return -1 if options["tryfirst"] else 1 if options["trylast"] else 0
