"""Names under ``dovetail`` that plugins bring, such as ``dovetail.audio``, found when the core has no such name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .names import is_module

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from .catalogue import Plugin

__all__ = ["install", "resolve"]

_PREFIX = __name__.partition(".")[0] + "."


def install() -> None:
    """Put the finder last on ``sys.meta_path``, where only imports come that nobody else could answer; doing so twice is harmless."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def resolve(name: str) -> ModuleType:
    """Give the module behind ``dovetail.<name>``; for ``dovetail.__getattr__``.

    AttributeError, saying what to install, when nobody brings it; PluginError when the plugin that brings it fails.
    """

    from ..errors import UnknownAttribute

    if name.startswith("_"):
        raise AttributeError(f"module 'dovetail' has no attribute {name!r}")
    provider = _provider(name)
    if provider is None:
        raise UnknownAttribute("dovetail", f"it has no attribute {name!r}", "", _suggestion(name))
    return _load(*provider)


def _provider(name: str) -> tuple[str, Plugin] | None:
    """Find (module, plugin) for a name: what a manifest's ``[namespaces]`` says, or the package of the plugin of that name."""
    from ..errors import NameClashError, PluginError
    from .manager import get_manager

    manager = get_manager()
    table = manager.table("namespaces")
    if name in table.clashes:
        raise table.clash("namespaces", name)
    by_row = table.rows.get(name)
    by_name = next((plugin for plugin in manager.catalogue.plugins if plugin.name.replace("-", "_") == name), None)
    if by_name is not None:
        by_name = manager.catalogue[by_name.name]
    if by_row is not None and by_name in (None, by_row[0]):
        return by_row[1]["target"], by_row[0]
    if by_row is not None and by_name is not None and by_name.usable:
        both = {plugin.name: plugin for plugin in (by_row[0], by_name)}
        chosen = manager.catalogue.settings.choose(f"namespaces.{name}", both)
        if chosen is None:
            raise NameClashError(f"dovetail.{name}: claimed by {by_row[0].label} and {by_name.label}; expected one claim; disable one")
        return (by_row[1]["target"], by_row[0]) if both[chosen] is by_row[0] else (by_name.package, by_name)
    if by_name is None or by_name.state == "disabled":
        return None
    if not by_name.usable:
        raise PluginError(f"dovetail.{name}: plugin {by_name.label} is {by_name.state}: {by_name.reason}")
    return by_name.package, by_name


def _load(target: str, plugin: Plugin) -> ModuleType:
    from .manager import get_manager

    return get_manager().load(target, plugin)


def _suggestion(name: str) -> str:
    """Say what to install or switch on for ``dovetail.<name>``, or nothing."""
    from ..absent import instead
    from .manager import get_manager
    from .registry import installer_of

    for plugin in get_manager().catalogue.plugins:
        if plugin.name.replace("-", "_") == name and plugin.state == "disabled":
            return f"plugin {plugin.label} is disabled: {plugin.reason}"
    return installer_of(name, namespace=True) or instead(name)


class _Finder:
    """Answers imports of ``dovetail.<name>`` and below with the plugin's own modules, the same objects under a second name."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if not fullname.startswith(_PREFIX):
            return None
        name, _, below = fullname[len(_PREFIX) :].partition(".")
        if name.startswith("_") or is_module(fullname[len(_PREFIX) :]):
            return None
        if below and _PREFIX + name not in _served:  # a plugin's module below one of the core's, such as utils.benchmark
            name, below = f"{name}.{below}", ""
        return self._spec(fullname, name, below)

    def _spec(self, fullname: str, name: str, below: str) -> ModuleSpec | None:
        from importlib.machinery import ModuleSpec
        from importlib.util import find_spec

        from ..errors import PluginError, say

        if below:
            module = f"{_served[_PREFIX + name].__name__}.{below}"
            return ModuleSpec(fullname, _Loader(module)) if find_spec(module) else None  # type: ignore[arg-type]
        try:
            provider = _provider(name)
            if provider is None:
                if suggestion := _suggestion(name):
                    # With the full name, `from dovetail import signal` would swallow this error and its suggestion.
                    raise ModuleNotFoundError(say("import", f"there is no module named {fullname!r}", "", suggestion), name=name)
                return None
            _served[fullname] = _load(*provider)
        except PluginError as error:
            raise ImportError(str(error), name=fullname) from error
        # From now on before the path finder: it would load dovetail.signal.sub a second time, from the package's own folder.
        sys.meta_path.remove(self)
        sys.meta_path.insert(0, self)
        return ModuleSpec(fullname, _Loader(_served[fullname].__name__))  # type: ignore[arg-type]


_served: dict[str, ModuleType] = {}


class _Loader:
    """Gives the module that a plugin knows by another name, and leaves its own spec alone."""

    def __init__(self, module: str) -> None:
        self.module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from importlib import import_module

        module = import_module(self.module)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec
