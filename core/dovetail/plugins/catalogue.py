"""The installed plugins and what their manifests say: discovery, states, and who owns which name; no plugin's code is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache, cached_property, partial
from typing import Any

from ..hooks import HOOK_API
from .cache import Cache, stamp
from .crumbs import quarantine
from .local import project_plugins
from .names import CLAIMS, KIND_NAMES, namespace_of, normalise, reserved_modules
from .scan import Found, Listing, list_path, locate, scan
from .settings import Settings, lacking, read_settings

__all__ = ["STATES", "Catalogue", "Plugin", "advance", "discover", "first_party"]

#: The states of a plugin that a user sees.
STATES = {
    "found": "its entry point was seen, its manifest not yet read",
    "disabled": "switched off by the user",
    "incompatible": "it needs another version of the hook API",
    "broken": "its metadata or manifest is wrong, or its name is not its own",
    "ready": "its manifest counts; no code of it was imported",
    "active": "code of it was imported",
    "failed": "code of it raised when it was imported or asked what it registers",
}

_NAMED = [name for name in KIND_NAMES if name not in CLAIMS and name != "aliases"]


class Plugin:
    """One installed plugin: who it is, its state with the reason, and its rows."""

    def __init__(self, found: Found) -> None:
        self.name, self.distribution, self.version = found.name, found.distribution, found.version
        self.origin, self.entry_point = found.origin, found.value
        self.state, self.reason, self.traceback = "found", "", ""
        self.crashed = False  # its import ended a process; it is left out until it is enabled again
        self.notes: list[str] = []
        self.package = self.path = self.api = self.module = ""
        self.implements: list[str] = []
        self.publishes: dict[str, str] = {}  # its own hook points: name → target of the specification
        self.kinds: list[str] = []  # what its manifest has rows of
        self._claims: dict[str, Any] = {}
        self._named: dict[str, Any] | Callable[[], dict[str, Any] | None] = {}

    def __repr__(self) -> str:
        return f"<Plugin {self.label}: {self.state}>"

    @property
    def label(self) -> str:
        """Name, distribution and version, as messages show them."""
        return f"{self.name} ({self.distribution} {self.version})".replace(" )", ")")

    @property
    def usable(self) -> bool:
        """Whether its rows count. A plugin that failed keeps them: what did not fail still works."""
        return self.state in ("ready", "active", "failed") and not self.crashed

    @property
    def remedy(self) -> str:
        """How to go on without it."""
        again = f"to try it again: dovetail plugins enable {self.name}; " if self.crashed else ""
        return f"{again}to go on without it: dovetail plugins disable {self.name}"

    def stop(self, state: str, reason: str, error: BaseException | None = None) -> None:
        """Record why the plugin is in this state; the traceback of ``error`` is kept."""
        self.state, self.reason = state, reason
        if error is not None:
            import traceback

            self.traceback = "".join(traceback.format_exception(error))

    def rows(self, kind: str) -> dict[str, dict[str, Any]]:
        """Give the manifest's rows of one kind: key or claim → fields."""
        if kind not in _NAMED:
            return self._claims.get(kind, {})
        if callable(self._named):
            self._named = self._named() or self._read_again()
        return self._named.get(kind, {})

    def _read_again(self) -> dict[str, Any]:
        """Read the manifest itself when the cache has lost its rows; what changed meanwhile in it is for the next process."""
        from .manifest import read_file

        rows = read_file(self.path, self.distribution, HOOK_API)["rows"]
        return {kind: rows[kind] for kind in _NAMED if kind in rows}

    def take(self, head: dict[str, Any], rows: Callable[[], dict[str, Any] | None]) -> None:
        """Take what was read of the manifest; ``rows`` gives those of named things when they are first asked for."""
        self.state, self.reason, self.notes = head["state"], head["reason"], list(head["notes"])
        self.api, self.module, self.implements, self.publishes = head["api"], head["module"], head["implements"], head["publishes"]
        self.kinds, self._claims, self._named = head["kinds"], head["claims"], rows


class Catalogue:
    """Every plugin that was found, in the order of distribution names, and what is wrong with any."""

    def __init__(self, plugins: list[Plugin], settings: Settings) -> None:
        self.plugins = sorted(plugins, key=lambda plugin: (normalise(plugin.distribution), plugin.name, plugin.origin))
        self.settings = settings
        self.notices = list(settings.problems)

    def get(self, name: str) -> Plugin | None:
        """Give the plugin of that name, or None; of several, the one that may use it."""
        same = [plugin for plugin in self.plugins if normalise(plugin.name) == normalise(name)]
        return next((plugin for plugin in same if plugin.usable), same[0] if same else None)

    def __getitem__(self, name: str) -> Plugin:
        """Give the plugin of that name. KeyError when there is none."""
        if (plugin := self.get(name)) is None:
            raise KeyError(name)
        return plugin

    @property
    def usable(self) -> list[Plugin]:
        """The plugins whose rows count."""
        return [plugin for plugin in self.plugins if plugin.usable]

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong, one text each."""
        wrong = [plugin for plugin in self.plugins if plugin.reason and plugin.state != "disabled"]
        told = [f"{plugin.label} is {plugin.state}: {plugin.reason}; {plugin.remedy}" for plugin in wrong]
        return told + self.missing + self.notices

    @cached_property
    def missing(self) -> list[str]:
        """What ``require-plugins`` asks for and is not usable, one text each."""
        return lacking(self.settings, self.plugins)


def discover(path: list[str] | None = None) -> Catalogue:
    """Find the plugins on ``sys.path`` and read their manifests, from the cache where it holds them."""
    settings, kept = read_settings(), Cache()
    own = project_plugins(settings)
    listing = list_path(sys.path if path is None else path)
    found = scan(listing, kept) + own
    plugins = [Plugin(item) for item in found]
    for plugin, item in zip(plugins, found, strict=True):
        try:
            advance(plugin, item, settings, kept, listing)
        except Exception as error:  # whatever is wrong with one plugin stays with it
            plugin.stop("broken", f"{type(error).__name__}: {error}", error)
        plugin.notes += [f"{path} is another version of it, which does not count; expected one; uninstall both" for path in item.hidden]
    kept.save()
    quarantine(plugins)
    _settle_names(plugins, settings)
    catalogue = Catalogue(plugins, settings)
    if missing := sorted((settings.only or set()) - {normalise(plugin.name) for plugin in plugins}):
        catalogue.notices.append(f"DOVETAIL_PLUGINS names {', '.join(missing)}, which is not installed")
    return catalogue


def advance(plugin: Plugin, found: Found, settings: Settings, kept: Cache, listing: Listing) -> None:
    """Bring a plugin that was found to the state that it deserves, by settings, name, place and manifest."""
    if refusal := settings.refusal(plugin.name):
        plugin.stop("disabled", refusal)
    elif wrong := found.problem or _foreign_name(plugin):
        plugin.stop("broken", wrong)
    else:
        try:
            plugin.package, plugin.path = locate(plugin.entry_point, listing)
        except LookupError as error:
            plugin.stop("broken", str(error.args[0]))
            return
        _read_manifest(plugin, kept)


def _read_manifest(plugin: Plugin, kept: Cache) -> None:
    key = [stamp(plugin.path), plugin.distribution]
    head = kept.head(plugin.path, key)
    if head is None:
        from .manifest import read_file

        reading = read_file(plugin.path, plugin.distribution, HOOK_API)
        rows = reading.pop("rows")
        head = {"key": key, **reading, "kinds": sorted(rows), "claims": {kind: table for kind, table in rows.items() if kind not in _NAMED}}
        kept.keep(plugin.path, head, {kind: table for kind, table in rows.items() if kind in _NAMED})
    plugin.take(head, partial(kept.rows, plugin.path))


@cache
def _index() -> bytes:
    with open(os.path.join(os.path.dirname(__file__), "index.toml"), "rb") as file:
        return file.read()


@cache
def first_party() -> dict[str, dict[str, Any]]:
    """Give the first-party plugins by name, as ``index.toml`` lists them."""
    import tomllib

    return tomllib.loads(_index().decode())


def _foreign_name(plugin: Plugin) -> str:
    """Say why the plugin's name is not its distribution's own, or nothing."""
    distribution, own = normalise(plugin.distribution), namespace_of(plugin.distribution)
    if normalise(plugin.name) != own:
        return f"its entry point calls it {plugin.name!r}, but the distribution {plugin.distribution} owns the name {own!r}"
    if own.replace("-", "_") in reserved_modules():
        return f"the name {own!r} is a module of the core; expected a distribution of another name"
    if not distribution.startswith("dovetail-") and f"\n[{own}]\n".encode() in _index():
        return f"the name {own!r} belongs to the distribution dovetail-{own}; expected a distribution of another name"
    return ""


def _settle_names(plugins: list[Plugin], settings: Settings) -> None:
    """Two distributions can own one name (``audio`` and ``dovetail-audio``): neither counts until the user prefers one."""
    by_name: dict[str, dict[str, Plugin]] = {}
    for plugin in plugins:
        if plugin.usable:
            by_name.setdefault(normalise(plugin.name), {})[normalise(plugin.distribution)] = plugin
    for name, claimants in by_name.items():
        if len(claimants) == 1:
            continue
        chosen = settings.choose(f"plugins.{name}", claimants)
        both = " and ".join(sorted(plugin.label for plugin in claimants.values()))
        for distribution, plugin in claimants.items():
            if chosen is None:
                hint = f'uninstall one, or write prefer = ["{distribution}"] under [tool.dovetail] in pyproject.toml'
                plugin.stop("broken", f"the name {name!r} is claimed by {both}; expected one; {hint}")
            elif distribution != chosen:
                plugin.stop("disabled", f"{chosen} is preferred for the name {name!r}")
