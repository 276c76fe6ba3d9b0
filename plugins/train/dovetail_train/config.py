"""The file that `dovetail train` reads: TOML, with overrides, checked key by key before anything is imported."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dovetail.errors import FormatError, TypeMismatch, UnknownNameError, ValueRangeError
from dovetail.plugins.manifest import line_of

__all__ = ["Config", "nearest", "read"]

_DEPTH = 20  # tables and lists within each other
_BYTES = 1 << 20
_BARE = re.compile(r"[A-Za-z_.~/][\w./@:+~-]*")  # what --set takes as a string without quotes

Check = tuple[Callable[[Any], bool], str]


def _whole(least: int) -> Check:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= least, f"a whole number from {least} on"


def _one_of(*words: str) -> Check:
    return lambda v: v in words, f"one of {', '.join(words)}"


_TEXT: Check = (lambda v: isinstance(v, str) and v != "", "a string")
_YES: Check = (lambda v: isinstance(v, bool), "true or false")
_POSITIVE: Check = (lambda v: isinstance(v, int | float) and not isinstance(v, bool) and 0 < v < math.inf, "a number above 0")
_SHARE: Check = (lambda v: isinstance(v, float) and 0 < v < 1, "a share such as 0.1")
_TABLES: Check = (lambda v: isinstance(v, list) and all(isinstance(part, dict) for part in v), "a list of tables with a name")
_METRIC: Check = (lambda v: isinstance(v.get("name") if isinstance(v, dict) else v, str), "a metric's name, or a table with one")

#: The plain keys: table → key → check. The empty table holds those at the top.
PLAIN: dict[str, dict[str, Check]] = {
    "": {
        "epochs": _whole(1), "batch_size": _whole(1), "workers": _whole(0), "seed": _whole(0), "device": _TEXT, "out": _TEXT,
        "accumulate": _whole(1), "clip_grad_norm": _POSITIVE, "amp": _one_of("bfloat16", "float16"), "drop_last": _YES,
    },
    "train": {"name": _TEXT, "root": _TEXT, "split": _TEXT, "transforms": _TABLES},
    "valid": {"name": _TEXT, "root": _TEXT, "split": _TEXT, "transforms": _TABLES, "fraction": _SHARE},
    "model": {"name": _TEXT, "weights": _TEXT, "weights_file": _TEXT},
    "loss": {"name": _TEXT},
    "optimizer": {"name": _TEXT},
    "schedule": {"name": _TEXT, "every": _one_of("step", "epoch")},
    "metrics": {},
    "checkpoints": {"keep": _whole(1), "every": _whole(1), "monitor": _TEXT, "mode": _one_of("min", "max")},
    "early_stopping": {"patience": _whole(1), "monitor": _TEXT, "mode": _one_of("min", "max")},
    "log": {"every": _whole(1), "curves": _YES},
}  # fmt: skip

#: Tables that take further keys, the options of what is named in them.
OPEN = {"train", "valid", "model", "loss", "optimizer", "schedule", "metrics"}

DEFAULTS: dict[str, Any] = {
    "epochs": 10, "batch_size": 64, "workers": 0, "seed": 0, "device": "cpu", "out": "run", "accumulate": 1, "drop_last": False,
    "checkpoints": {"keep": 3}, "log": {"every": 20, "curves": True},
}  # fmt: skip


class Config:
    """What was read: ``values``, with defaults filled in, and where each stands, for messages."""

    def __init__(self, name: str, text: str, values: dict[str, Any], sets: dict[tuple[Any, ...], str]) -> None:
        self.name, self.values, self._text, self._sets = name, values, text, sets

    def where(self, *path: Any) -> str:
        """Say where ``path`` was set: ``run.toml:12: optimizer.lr``, or ``--set optimizer.lr=…``."""
        dotted = ".".join(map(str, path))
        for key, given in self._sets.items():
            if path[: len(key)] == key:
                return f"--set {given}" + (f": {dotted}" if path != key else "")
        return f"{self.name}:{line_of(self._text, path)}: {dotted}"

    def unknown(self, path: tuple[Any, ...], known: Any, what: str = "key") -> UnknownNameError:
        """Form the error for a key or a name that does not exist."""
        return UnknownNameError(self.where(*path), f"there is no such {what}", nearest(str(path[-1]), list(known)))


def nearest(name: str, known: list[str]) -> str:
    """Name the nearest of the known names, or all of a few.

    >>> nearest("adamw", ["Adam", "AdamW", "SGD"])
    'nearest: AdamW, Adam'
    """
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower()[:100], list(by_lower), 3, 0.5)
    if found:
        return f"nearest: {', '.join(by_lower[one] for one in found)}"
    if not known:
        return "it takes none"
    more = f" … ({len(known)} in all)" if len(known) > 30 else ""
    return f"expected one of {', '.join(sorted(known)[:30])}{more}"


def read(path: str | os.PathLike[str], sets: tuple[str, ...] = ()) -> Config:
    """Read a file of `dovetail train` and apply ``key=value`` overrides; nothing that it names is imported.

    Raises a FormatError for what is no TOML, an UnknownNameError for a key that there is not, a TypeMismatch or ValueRangeError for a
    value that a key does not take; each names file, line and key.
    """
    path = Path(path)
    raw = path.read_bytes()
    if len(raw) > _BYTES:
        raise FormatError(path, None, f"has {len(raw)} bytes; a configuration has at most {_BYTES}")
    try:
        text = raw.decode("utf-8")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise FormatError(path, error.start, "is not UTF-8") from None
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError is a ValueError, and so is a number of 10,000 digits
        raise FormatError(path, None, f"is not TOML: {str(error)[:200]}") from None
    _check_depth(str(path), values)
    given: dict[tuple[Any, ...], str] = {}
    for one in sets:
        given[_override(values, one)] = one
    config = Config(str(path), text, values, given)
    _check_depth(str(path), values)
    _check_keys(config)
    config.values = _filled(values)
    return config


def _check_depth(where: str, values: Any) -> None:
    level, depth = [values], 0
    while level:
        if depth > _DEPTH:
            raise FormatError(where, None, f"has tables and lists more than {_DEPTH} deep within each other")
        parts = (list(v.values()) if isinstance(v, dict) else v for v in level if isinstance(v, dict | list))
        level, depth = [part for some in parts for part in some], depth + 1


def _override(values: dict[str, Any], given: str) -> tuple[Any, ...]:
    """Set one ``key=value`` in ``values``; give the path of the key."""
    where, (key, equals, value) = f"--set {given[:200]}", given.partition("=")
    if not equals:
        raise ValueRangeError(where, "there is no '='", "expected key=value, such as optimizer.lr=0.01")
    path: list[str] = []
    at: Any = None
    try:
        at = tomllib.loads(f"{key} = 0")
        while isinstance(at, dict):
            ((name, at),) = at.items()
            path.append(name)
        found = tomllib.loads(f"x = {value}")
        if list(found) != ["x"]:
            raise ValueError("more than one value")
        new = found["x"]
    except (ValueError, RecursionError) as error:
        if not path or at != 0 or not _BARE.fullmatch(value):
            remedy = "quote strings: --set 'out=\"my run\"'"
            raise ValueRangeError(where, f"it is not TOML ({str(error)[:100]})", "expected key=value", remedy) from None
        new = value
    _place(where, values, path, new)
    return tuple(int(part) if part.isdecimal() else part for part in path)


def _place(where: str, target: Any, path: list[str], value: Any) -> None:
    """Put a value where the path leads: through tables, which are made where there are none, and into lists by number."""
    for number, name in enumerate(path):
        last = number == len(path) - 1
        if isinstance(target, list):
            if not name.isdecimal() or int(name) >= len(target):
                raise ValueRangeError(where, f"{'.'.join(path[:number])} is a list of {len(target)}", "expected a number below that")
            key: Any = int(name)
        elif isinstance(target, dict):
            key = name
            if not last:
                target.setdefault(key, {})
        else:
            raise ValueRangeError(where, f"{'.'.join(path[:number])} is no table", "expected a key at the top or in a table")
        if last:
            target[key] = value
        else:
            target = target[key]


def _check_keys(config: Config) -> None:
    values = config.values
    for key, value in values.items():
        if key in PLAIN[""]:
            _check_value(config, (key,), value, PLAIN[""][key])
        elif key not in PLAIN or not key:
            raise config.unknown((key,), [*PLAIN[""], *(name for name in PLAIN if name)])
        elif not isinstance(value, dict):
            raise TypeMismatch(config.where(key), f"it is {_short(value)}", f"expected a table [{key}]")
        else:
            _check_table(config, key, value)
    for table in ("model", "train", "loss", "optimizer"):
        if table not in values:
            raise ValueRangeError(config.name, f"there is no table [{table}]", "expected one with a name", "dovetail train --example")
    valid = values.get("valid", {})
    if "fraction" in valid and (others := sorted(valid.keys() - {"fraction", "transforms"})):
        raise ValueRangeError(config.where("valid", others[0]), "there is fraction too", "expected a share of [train], or data of its own")


def _check_table(config: Config, table: str, fields: dict[str, Any]) -> None:
    checks = PLAIN[table]
    for key, value in fields.items():
        if key in checks:
            _check_value(config, (table, key), value, checks[key])
        elif table not in OPEN:
            raise config.unknown((table, key), checks)
        elif table == "metrics":
            _check_value(config, (table, key), value, _METRIC)
    if "name" in checks and "name" not in fields and table != "valid":
        raise ValueRangeError(config.where(table), f"[{table}] has no name", 'expected name = "…"', "dovetail train --list shows them")
    for number, one in enumerate(fields.get("transforms", ()) if "transforms" in checks else ()):
        if not isinstance(one.get("name"), str):
            raise ValueRangeError(config.where(table, "transforms", number), "it has no name", 'expected { name = "…" } and its options')


def _check_value(config: Config, path: tuple[Any, ...], value: Any, check: Check) -> None:
    if not check[0](value):
        kind = ValueRangeError if isinstance(value, int | float | str) else TypeMismatch
        raise kind(config.where(*path), f"it is {_short(value)}", f"expected {check[1]}")


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the defaults: for the most part in the order of `DEFAULTS`, so that two files are alike."""
    whole = {**DEFAULTS, **values}
    for name, default in DEFAULTS.items():
        if isinstance(default, dict):
            whole[name] = {**default, **values.get(name, {})}
    tables = {name: value for name, value in whole.items() if isinstance(value, dict)}
    return {**{name: value for name, value in whole.items() if name not in tables}, **tables}
