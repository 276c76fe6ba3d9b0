"""Named things of one kind: listed from manifests, found by key, imported when first used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

from ..errors import ManifestError, NameClashError, PluginError, UnknownAttribute, UnknownNameError, UnsupportedError
from .catalogue import Plugin, first_party
from .manager import get_manager
from .names import KIND_NAMES

__all__ = ["Entry", "Registry", "installer_of", "registry"]


class Entry:
    """One row: its key, the plugin that brings it, and its fields, which are attributes (None where the manifest has none)."""

    __slots__ = ("fields", "key", "kind", "plugin")

    def __init__(self, kind: str, key: str, plugin: Plugin, fields: dict[str, Any]) -> None:
        self.kind, self.key, self.plugin, self.fields = kind, key, plugin, dict(fields)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in Entry.__slots__:  # also asked by copy, before there are any
            raise AttributeError(name)
        if name in self.fields:
            return self.fields[name]
        from .kinds import KINDS

        if name in KINDS[self.kind].fields:
            return None
        raise UnknownAttribute(f"{self.kind}.get({self.key!r})", f"it has no field {name!r}", f"expected one of {sorted(self.fields)}")

    def __repr__(self) -> str:
        return f"<{self.key} of {self.plugin.distribution} {self.plugin.version}>"

    def load(self) -> Any:
        """Import the target. PluginError, naming plugin and remedy, when that fails."""
        if self.fields.get("target") is None:
            raise UnsupportedError(f"{self.kind}.load({self.key!r})", "it has no target to import", "its fields are data")
        return get_manager().load(self.target, self.plugin)


class Registry:
    """All that the plugins bring of one kind, such as ``Registry("models")``.

    Keys are ``namespace/name[@variant]``; the bare name will do where just one key has it.
    """

    def __init__(self, kind: str) -> None:
        if kind not in KIND_NAMES:
            raise UnknownNameError("Registry", f"there is no kind {kind!r}", f"expected one of {', '.join(KIND_NAMES)}")
        self.kind = kind

    def __repr__(self) -> str:
        return f"Registry({self.kind!r})"

    def __len__(self) -> int:
        return len(get_manager().table(self.kind).rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self.list())

    def __contains__(self, key: object) -> bool:
        return key in get_manager().table(self.kind).rows

    def list(self, pattern: str | None = None) -> list[str]:
        """List the keys, sorted; ``pattern`` is a shell pattern of the whole key or of the bare name."""
        keys = sorted(get_manager().table(self.kind).rows)
        if pattern is None:
            return keys
        from fnmatch import fnmatchcase

        return [key for key in keys if fnmatchcase(key, pattern) or fnmatchcase(key.partition("/")[2], pattern)]

    def get(self, key: str) -> Entry:
        """Find an entry by key, bare name or alias.

        Raises UnknownNameError, with the nearest names and what to install; NameClashError when several plugins claim the key;
        PluginError when the plugin that should bring it is not usable.
        """
        table = get_manager().table(self.kind)
        row = table.rows.get(key)
        if row is None:
            if key in table.clashes:
                raise table.clash(self.kind, key)
            key = self._bare(key) if "/" not in key else self._alias(key)
            row = table.rows[key]
        return Entry(self.kind, key, *row)

    def load(self, key: str) -> Any:
        """Import what ``key`` stands for."""
        return self.get(key).load()

    def _bare(self, name: str) -> str:
        found = [key for key in self.list() if key.partition("/")[2] == name]
        if len(found) > 1:
            raise UnknownNameError(self._where(name), f"the name is in {len(found)} namespaces", f"expected one of {', '.join(found)}")
        return found[0] if found else self._miss(name)

    def _alias(self, key: str) -> str:
        """Follow aliases to a key that is there, warning at the caller's line."""
        manager = get_manager()
        aliases, rows = manager.table("aliases").rows, manager.table(self.kind).rows
        new, seen = key, {key}
        while new in aliases:
            fields = aliases[new][1]
            new = fields["new"]
            if new in rows:
                since = f" since {fields['since']}" if "since" in fields else ""
                until = f", and the old name goes in {fields['removed_in']}" if "removed_in" in fields else ""
                warnings.warn(f"{self._where(key)}: renamed{since} to {new!r}{until}", DeprecationWarning, stacklevel=_outside())
                return new
            if new in seen:
                break
            seen.add(new)
        self._miss(key)

    def _where(self, key: str) -> str:
        return f"{self.kind}.get({key!r})"

    def _miss(self, key: str) -> NoReturn:
        catalogue = get_manager().catalogue
        owner = catalogue.get(key.partition("/")[0]) if "/" in key else None
        if owner is not None and not owner.usable:
            kind = NameClashError if "is claimed by" in owner.reason else ManifestError if owner.state == "broken" else PluginError
            remedy = "" if owner.state == "disabled" else owner.remedy
            raise kind(self._where(key), f"plugin {owner.label} is {owner.state}", owner.reason, remedy)
        from difflib import get_close_matches

        keys = self.list()
        near = get_close_matches(key.lower(), keys if "/" in key else [name.partition("/")[2] or name for name in keys], 3)
        nearest = f"nearest: {', '.join(near)}" if near else f"{len(keys)} {self.kind} are installed"
        remedy = f"plugin {owner.label} failed: {owner.reason}" if owner and owner.state == "failed" else installer_of(key)
        raise UnknownNameError(self._where(key), f"no plugin that is installed brings {key!r}", nearest, remedy)


def installer_of(key: str, *, namespace: bool = False) -> str:
    """Say which distribution would bring a key (or a namespace of ``dovetail``) and is missing or not usable; or nothing."""
    from fnmatch import fnmatchcase

    owner, slash, _ = key.partition("/")
    installed = {item.name: item for item in get_manager().catalogue.plugins}
    for plugin, about in first_party().items():
        if namespace:
            brings = key in about["namespaces"]
        else:
            brings = owner == plugin if slash else any(fnmatchcase(owner, pattern) for pattern in about["names"])
        if brings and plugin not in installed:
            return f"pip install {about['distribution']} ({about['summary']})"
        if brings and not installed[plugin].usable:
            return f"plugin {installed[plugin].label} is {installed[plugin].state}: {installed[plugin].reason}"
    known = not slash or owner in installed
    return "" if known else f"keys {owner}/… belong to the distribution dovetail-{owner} (or {owner}), which is not installed"


def _outside() -> int:
    """Count the frames from the caller to the first one outside Dovetail, for a warning's stack level."""
    import sys

    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "dovetail":
        level, frame = level + 1, frame.f_back
    return level


_registries: dict[str, Registry] = {}


def registry(kind: str) -> Registry:
    """Give the registry of a kind."""
    if kind not in _registries:
        _registries[kind] = Registry(kind)
    return _registries[kind]
