"""One plugin against the contract: its manifest, every target, every hook. `dovetail plugins check` prints it."""

from __future__ import annotations

import os
import sys
from typing import Any

from ..errors import PluginError, UnknownNameError
from ..hooks import HOOK_API, HOOKS
from ..plugins.bridge import implementations, outdated, parameters, plain, unfit
from ..plugins.cache import Cache
from ..plugins.catalogue import Plugin, advance
from ..plugins.kinds import KINDS
from ..plugins.local import find_plugins
from ..plugins.manager import Manager, get_manager
from ..plugins.manifest import read_file
from ..plugins.scan import list_path
from ..plugins.settings import Settings
from .installation import Check

__all__ = ["check_plugin"]


def check_plugin(what: str, api: tuple[int, int] | None = None) -> list[Check]:
    """Check an installed plugin by name, or the one in a folder: manifest, targets, hooks; against a version of the hook API."""
    manager = get_manager(strict=False)
    checks: list[Check] = []
    for plugin in _in_folder(what) if os.path.isdir(what) else [manager.catalogue[what]]:
        checks.append((f"{plugin.name}: manifest", plugin.usable, plugin.reason or plugin.path))
        if plugin.path and plugin.state != "broken":  # then the line above has said it
            checks.append(_fits(plugin, api or HOOK_API))
        if plugin.usable:
            checks += [*_targets(manager, plugin), *_hooks(manager, plugin)]
    return checks


def _in_folder(folder: str) -> list[Plugin]:
    points, base = find_plugins(os.path.realpath(folder))
    sys.path += [base] if base not in sys.path else []
    plugins = [Plugin(point) for point in points]
    for plugin, point in zip(plugins, points, strict=True):
        advance(plugin, point, Settings(), Cache(), list_path(sys.path))
    return plugins


def _fits(plugin: Plugin, api: tuple[int, int]) -> Check:
    reading = read_file(plugin.path, plugin.distribution, api)
    text = ".".join(map(str, api))
    seen = {"ready": f"its range {reading['api']} holds {text}", "incompatible": f"its range {reading['api']} does not hold {text}"}
    return f"{plugin.name}: hook API {text}", reading["state"] == "ready", str(seen.get(reading["state"], reading["reason"]))


def _targets(manager: Manager, plugin: Plugin) -> list[Check]:
    def load(target: str) -> tuple[bool, str]:
        try:
            manager.load(target, plugin)
        except PluginError as error:
            return False, str(error)
        return True, target

    rows = [(kind, key, fields["target"]) for kind in KINDS for key, fields in plugin.rows(kind).items() if "target" in fields]
    rows += [("hooks.publishes", name, target) for name, target in plugin.publishes.items()]
    return [(f"{plugin.name}: {kind}.{key}", *load(target)) for kind, key, target in rows]


def _hooks(manager: Manager, plugin: Plugin) -> list[Check]:
    """Every hook that the manifest lists is there, and asks for arguments that its specification has."""
    if not plugin.implements:
        return []
    try:
        found = implementations(manager.pluggy, manager.load(plugin.module, plugin))
        return [_hook(manager, plugin, hook, found.get(plain(hook))) for hook in plugin.implements]
    except PluginError as error:
        return [(f"{plugin.name}: {plugin.module}", False, str(error))]


def _hook(manager: Manager, plugin: Plugin, hook: str, function: Any) -> Check:
    what = f"{plugin.name}: hook {hook}"
    if function is None:
        return what, False, f"{plugin.module} has no @hookimpl {plain(hook)}, which the manifest lists"
    try:
        if hook not in HOOKS:
            manager.publish(hook)
    except (UnknownNameError, PluginError) as error:
        owner = hook.partition("/")[0]
        if manager.catalogue.get(owner) is None:  # an optional hook of a plugin that is not installed here is no fault
            return what, True, f"not compared: the plugin {owner}, which publishes it, is not installed"
        return what, False, str(error)
    known, asked = getattr(manager.pluggy.hook, plain(hook)).spec.argnames, parameters(function)
    if wrong := unfit(function, hook):
        return what, False, wrong
    if unknown := [name for name in asked if name not in known]:
        return what, False, f"it asks for {', '.join(unknown)}; expected some of {', '.join(known) or 'no argument'}"
    old = "; ".join(outdated(function, hook))
    return what, not old, old or f"({', '.join(asked)})"
