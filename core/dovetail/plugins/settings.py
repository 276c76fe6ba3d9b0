"""What the user switched: environment variables, ``[tool.dovetail]`` of the project's pyproject.toml, the user's config.toml, and
``plugins.json`` beside it, which ``dovetail plugins enable``, ``disable`` and ``trust`` write."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .cache import user_folder
from .names import normalise

if TYPE_CHECKING:
    from .catalogue import Plugin

__all__ = ["Settings", "config_folder", "lacking", "read_settings", "read_switches", "write_switches"]


def config_folder() -> str:
    """Where the user's ``config.toml`` lies: ``DOVETAIL_CONFIG``, or ``dovetail`` in the platform's config folder."""
    windows = ("APPDATA", os.path.join("AppData", "Roaming"), "dovetail")
    return user_folder("DOVETAIL_CONFIG", "Application Support", windows, ("XDG_CONFIG_HOME", ".config", "dovetail"))


class Settings:
    """Which plugins may run, who wins a claim, and whether any problem is an error."""

    __slots__ = ("disabled", "local", "only", "order", "preferred", "problems", "required", "strict", "trusted")

    def __init__(self) -> None:
        self.only: set[str] | None = None  # None: every plugin
        self.disabled: dict[str, str] = {}  # plugin → who says so
        self.order: list[str] = []  # prefer = ["cpu", …]: in any clash, the first of these
        self.preferred: dict[str, str] = {}  # [tool.dovetail.prefer]  "kernels.convolution" = "cpu"
        self.required: dict[str, tuple[str, str]] = {}  # plugin → (range of versions or "", who says so)
        self.local: list[str] = []  # folders of the project that hold plugins
        self.trusted: set[str] = set()  # those of them whose code may run
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

        A preference for ``kernels.convolution`` also settles ``kernels.convolution@cpu:float32``, unless that has its own.
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
    switches = read_switches()
    settings.disabled |= {name: f"'dovetail plugins disable {name}'" for name in switches["disabled"]}
    settings.trusted = set(switches["trusted"])
    _read_environment(settings)
    return settings


def lacking(settings: Settings, plugins: list[Plugin]) -> list[str]:
    """What ``require-plugins`` asks for and is not usable, one text each."""
    required = settings.required.items()
    return [f"{who} requires plugin {lack}" for name, (versions, who) in required if (lack := _lack(name, versions, plugins))]


def _lack(name: str, versions: str, plugins: list[Plugin]) -> str:
    import re

    from .manifest import accepts

    plugin = next((plugin for plugin in plugins if normalise(plugin.name) == name), None)
    if plugin is None:
        return f"{name!r}, which is not installed; pip install the distribution that has it"
    if not plugin.usable:
        return f"{plugin.label}, which is {plugin.state}: {plugin.reason}"
    number = re.match(r"(\d+)(?:\.(\d+))?", plugin.version)
    try:
        fits = not versions or number is None or accepts(versions, (int(number[1]), int(number[2] or 0)))
    except ValueError:
        return f"{name!r} in the range {versions!r}, which is none; expected one such as '>=0.2,<1'"
    return "" if fits else f"{name!r} {versions}, but {plugin.version} is installed"


def _switches() -> str:
    return os.path.join(config_folder(), "plugins.json")


def read_switches() -> dict[str, list[str]]:
    """What the command line switched: the ``disabled`` plugins and the ``trusted`` folders."""
    try:
        with open(_switches(), encoding="utf-8") as file:
            found = json.load(file)
        return {name: [str(item) for item in found.get(name, ())] for name in ("disabled", "trusted")}
    except (OSError, ValueError, AttributeError, TypeError):
        return {"disabled": [], "trusted": []}


def write_switches(switches: dict[str, list[str]]) -> str:
    """Write them, whole or not at all; return the file's path."""
    from ..io.atomic import replacing

    os.makedirs(config_folder(), exist_ok=True)
    with replacing(_switches()) as temporary:
        temporary.write_text(json.dumps(switches, indent=2), encoding="utf-8")
    return _switches()


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
    def names(field: str) -> list[str]:
        found = data.get(field, [])
        if isinstance(found, list) and all(isinstance(name, str) for name in found):
            return found
        settings.problems.append(f"{path}: {field}: expected a list of strings, got {found!r}")
        return []

    prefer = data.get("prefer", [])
    if isinstance(prefer, dict) and all(isinstance(name, str) for name in prefer.values()):
        settings.preferred = {claim: normalise(name) for claim, name in prefer.items()} | settings.preferred
    elif isinstance(prefer, list) and all(isinstance(name, str) for name in prefer):
        settings.order += [normalise(name) for name in prefer]
    else:
        settings.problems.append(f'{path}: prefer: expected a list of plugins, or a table such as {{ "kernels.convolution" = "cpu" }}')
    settings.disabled |= {normalise(name): path for name in names("disable-plugins")}
    for requirement in names("require-plugins"):
        requirement = requirement.replace(" ", "")
        end = min((requirement.index(sign) for sign in "<>=!" if sign in requirement), default=len(requirement))
        settings.required[normalise(requirement[:end])] = (requirement[end:], path)
    here = os.path.dirname(os.path.abspath(path))
    settings.local += [os.path.realpath(os.path.join(here, folder)) for folder in names("plugins")]
