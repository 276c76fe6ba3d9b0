"""What the user switched: environment variables, ``[tool.dovetail]`` of the project's pyproject.toml, and the user's config.toml."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from .names import normalise

__all__ = ["Settings", "config_folder", "read_settings"]


def config_folder() -> str:
    """Where the user's ``config.toml`` lies: ``DOVETAIL_CONFIG``, or ``dovetail`` in the platform's config folder."""
    if chosen := os.environ.get("DOVETAIL_CONFIG"):
        return chosen
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "dovetail")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("APPDATA") or os.path.join(home, "AppData", "Roaming"), "dovetail")
    return os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "dovetail")


class Settings:
    """Which plugins may run, who wins a claim, and whether any problem is an error."""

    __slots__ = ("disabled", "only", "order", "preferred", "problems", "strict")

    def __init__(self) -> None:
        self.only: set[str] | None = None  # None: every plugin
        self.disabled: dict[str, str] = {}  # plugin → who says so
        self.order: list[str] = []  # prefer = ["cpu", …]: in any clash, the first of these
        self.preferred: dict[str, str] = {}  # [tool.dovetail.prefer]  "kernels.conv2d" = "cpu"
        self.strict = False
        self.problems: list[str] = []

    def refusal(self, plugin: str) -> str:
        """Say why a plugin is switched off, or nothing."""
        name = normalise(plugin)
        if name in self.disabled:
            return f"switched off by {self.disabled[name]}"
        if self.only is not None and name not in self.only:
            return "not named in DOVETAIL_PLUGINS"
        return ""

    def choose(self, claim: str, claimants: Mapping[str, Any] | list[str]) -> str | None:
        """Choose among claimants for ``kind.key``; None when the user prefers none of them.

        A preference for ``kernels.conv2d`` also settles ``kernels.conv2d@cpu:float32``, unless that has its own.
        """
        for name in (claim, claim.partition("@")[0]):
            chosen = self.preferred.get(name)
            if chosen in claimants:
                return chosen
        return next((name for name in self.order if name in claimants), None)


def read_settings() -> Settings:
    """Read all settings; the environment adds to the project's file, which goes before the user's."""
    settings = Settings()
    _read_file(settings, "pyproject.toml", ("tool", "dovetail"))
    _read_file(settings, os.path.join(config_folder(), "config.toml"), ())
    _read_environment(settings)
    return settings


def _read_environment(settings: Settings) -> None:
    only = os.environ.get("DOVETAIL_PLUGINS", "").strip()
    if only:
        settings.only = set() if only == "none" else set(_names(only))
    for name in _names(os.environ.get("DOVETAIL_DISABLE_PLUGINS", "")):
        settings.disabled[name] = "DOVETAIL_DISABLE_PLUGINS"
    settings.strict = os.environ.get("DOVETAIL_STRICT_PLUGINS", "") not in ("", "0")


def _names(text: str) -> list[str]:
    return [normalise(name.strip()) for name in text.split(",") if name.strip()]


def _read_file(settings: Settings, path: str, tables: tuple[str, ...]) -> None:
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError:
        return
    if tables and b"dovetail" not in raw:
        return
    import tomllib

    try:
        data: Any = tomllib.loads(raw.decode("utf-8"))
        for table in tables:
            data = data.get(table, {})
        _take(settings, path, data)
    except (ValueError, AttributeError, RecursionError) as error:
        settings.problems.append(f"{path}: cannot be read, so its settings do not count: {error}")


def _take(settings: Settings, path: str, data: dict[str, Any]) -> None:
    prefer, disable = data.get("prefer", []), data.get("disable", [])
    if isinstance(prefer, list) and all(isinstance(name, str) for name in prefer):
        settings.order += [normalise(name) for name in prefer]
    elif isinstance(prefer, dict) and all(isinstance(name, str) for name in prefer.values()):
        settings.preferred = {claim: normalise(name) for claim, name in prefer.items()} | settings.preferred
    else:
        settings.problems.append(f'{path}: prefer: expected a list of plugins, or a table such as {{ "kernels.conv2d" = "cpu" }}')
    if isinstance(disable, list) and all(isinstance(name, str) for name in disable):
        settings.disabled |= {normalise(name): path for name in disable}
    else:
        settings.problems.append(f"{path}: disable: expected a list of plugins")
