"""A plugin's ``dovetail.toml``: read, checked field by field, and turned into rows; no code of the plugin is imported."""

from __future__ import annotations

import re
from typing import Any

from .kinds import FIELDS, KINDS, Kind, expand
from .names import is_module, namespace_of, normalise, reserved_modules

__all__ = ["Reading", "accepts", "check_rows", "line_of", "read", "read_file"]

Reading = dict[str, Any]
Path = tuple[object, ...]

LARGEST = 1 << 22  # bytes of a manifest: room for some ten thousand rows, parsed in two seconds
_DEEP = re.compile(rb"(?:\.[\w-]{1,40}){64}")  # a key of so many parts, for which a TOML parser takes its time

_CLAUSE = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*(\d+)(?:\.(\d+))?\s*")


def accepts(spec: str, version: tuple[int, int]) -> bool:
    """Whether a range of hook-API versions holds ``version``; ValueError when it is no range.

    >>> accepts(">=1.0,<2", (1, 4)), accepts(">=2.0", (1, 4))
    (True, False)
    """
    verdict = True
    for clause in spec.split(","):
        parts = _CLAUSE.fullmatch(clause)
        if parts is None:
            raise ValueError(clause)
        sign, other = parts[1], (int(parts[2]), int(parts[3] or 0))
        equal, below = version == other, version < other
        verdict &= {">=": not below, "<": below, "==": equal, "!=": not equal, "<=": below or equal, ">": not (below or equal)}[sign]
    return verdict


def line_of(text: str, path: Path) -> int:
    """Find the line of a TOML text that sets ``path``, or the nearest thing around it.

    >>> line_of('api = ">=1"\\n[models."a/b"]\\ntarget = 3', ("models", "a/b", "target"))
    3
    """
    word = re.compile(r'"[^"]*"|\'[^\']*\'|[A-Za-z0-9_-]+')
    table: Path = ()
    repeats: dict[Path, int] = {}
    best, at = 0, 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)(.+?)\]\]?\s*(#.*)?$", line):
            table = tuple(part.strip("\"'") for part in word.findall(header[2]))
            if header[1] == "[[":
                repeats[table] = repeats.get(table, -1) + 1
                table = (*table, repeats[table])
            here = table
        elif key := re.match(r"\s*((?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:\"[^\"]*\"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=", line):
            here = table + tuple(part.strip("\"'") for part in word.findall(key[1]))
        else:
            continue
        common = next((n for n, (a, b) in enumerate(zip(here, path, strict=False)) if a != b), min(len(here), len(path)))
        if common > best:
            best, at = common, number
    return at


def _check_fields(kind: Kind, fields: Any, path: Path) -> list[tuple[Path, str]]:
    if not isinstance(fields, dict):
        return [(path, f"expected a table of fields, got {_short(fields)}")]
    wrong: list[tuple[Path, str]] = []
    for name, (holds, expected) in kind.fields.items():
        if name not in fields:
            if name in kind.required:
                wrong.append(((*path, name), f"missing; expected {expected}"))
        elif not holds(fields[name]):
            wrong.append(((*path, name), f"got {_short(fields[name])}; expected {expected}"))
    if "url" in fields and not fields.keys() & {"sha256", "sha256_prefix", "md5"}:
        wrong.append(((*path, "sha256"), "missing; expected 64 hexadecimal digits, since there is a url"))
    return wrong


def _check_key(kind: Kind, key: str, owner: str, short: bool) -> str:
    """Say what is wrong with a key, or nothing."""
    if not kind.key.fullmatch(key):
        return f"the key {key!r} is not valid; expected {kind.expects}"
    if not kind.claim and key.partition("/")[0] != owner:
        return f"the key {key!r} is outside the plugin's own namespace; expected '{owner}/…'"
    if kind.name == "namespaces":
        if key in reserved_modules() or ("." in key and is_module(key)):
            return f"'dovetail.{key}' is a module of the core; expected another name"
        if not short and key != owner.replace("-", "_"):
            return f"short names are for dovetail-* distributions; expected '{owner.replace('-', '_')}'"
    if kind.name == "commands":
        from ..cli import COMMANDS

        if key in COMMANDS:
            return f"'dovetail {key}' is a command of the core; expected another name"
    return ""


def check_rows(kind: Kind, table: Any, owner: str, short: bool) -> tuple[dict[str, dict[str, Any]], list[tuple[Path, str]]]:
    """Check one kind's table for the plugin that owns the namespace ``owner``: its rows by claim, and what is wrong where."""
    if not isinstance(table, dict):
        return {}, [((kind.name,), f"expected a table, got {_short(table)}")]
    rows: dict[str, dict[str, Any]] = {}
    wrong: list[tuple[Path, str]] = []
    for key, value in table.items():
        path: Path = (kind.name, key)
        if fault := _check_key(kind, str(key), owner, short):
            wrong.append((path, fault))
            continue
        several = kind.repeats and isinstance(value, list)
        for number, fields in enumerate(value if several else [value]):
            here = (*path, number) if several else path
            if faults := _check_fields(kind, fields, here):
                wrong += faults
                continue
            for claim, row in expand(kind.name, key, fields):
                if claim in rows:
                    wrong.append((here, f"{claim!r} is claimed twice by this plugin; expected it once"))
                rows[claim] = row
    return rows, wrong


_FOREIGN = re.compile(r"[a-z0-9-]+/[a-z]\w*")  # a hook that another plugin publishes: "audio/window"


def _check_hooks(value: Any) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    from ..hooks import HOOKS

    hooks: dict[str, Any] = {"module": "", "implements": [], "publishes": {}}
    if value is None:
        return hooks, []
    shape = 'a table { module = "package.hooks", implements = ["build_model"], publishes = { name = "package.module:name" } }'
    target, module, texts = FIELDS["target"][0], FIELDS["module"][0], FIELDS["tags"][0]
    hooks |= value if isinstance(value, dict) else {"implements": None}
    names, published = hooks["implements"], hooks["publishes"]
    fine = texts(names) and isinstance(published, dict) and bool(names or published) and (module(hooks["module"]) or not names)
    if not fine or not all(name.isidentifier() and target(where) for name, where in published.items()):
        return {}, [(("hooks",), f"got {_short(value)}; expected {shape}")]
    unknown = [name for name in hooks["implements"] if name not in HOOKS and not _FOREIGN.fullmatch(name)]
    if unknown:
        from difflib import get_close_matches

        near = [match for name in unknown for match in get_close_matches(name, HOOKS, 1)]
        hint = f" (nearest: {', '.join(near)})" if near else ""
        expected = 'expected names from dovetail/hooks.py, or "plugin/hook" for what another plugin publishes'
        return {}, [(("hooks", "implements"), f"there is no hook {', '.join(unknown)}{hint}; {expected}")]
    return {"module": hooks["module"], "implements": sorted(hooks["implements"]), "publishes": hooks["publishes"]}, []


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"


def _failed(path: str, line: int, field: str, what: str) -> str:
    return f"{path}:{line}: {field}: {what}" if field else f"{path}:{line}: {what}"


def _parse(path: str, raw: bytes) -> tuple[str, dict[str, Any], str]:
    import tomllib

    if len(raw) > LARGEST or _DEEP.search(raw):
        return "", {}, f"{path}: over {LARGEST >> 20} MB, or nested too deeply; expected a plain TOML file, with data in files of its own"
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return "", {}, _failed(path, line, "", f"byte {error.start} is not UTF-8; expected a TOML file in UTF-8")
    try:
        return text, tomllib.loads(text), ""
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+)", str(error))
        line = int(where[1]) if where else text.count("\n") + 1
        return text, {}, _failed(path, line, "", f"not valid TOML: {error}")
    except RecursionError:
        return text, {}, _failed(path, 1, "", "nested too deeply; expected a plain TOML file")


def read_file(path: str, distribution: str, version: tuple[int, int]) -> Reading:
    """Check a manifest as ``read`` does."""
    with open(path, "rb") as file:
        return read(path, file.read(LARGEST + 1), distribution, version)


def read(path: str, raw: bytes, distribution: str, version: tuple[int, int]) -> Reading:
    """Check the bytes of a manifest against hook API ``version``.

    The result holds ``state`` (ready, incompatible or broken), ``reason``, ``notes``, ``api``, ``module``, ``implements``,
    ``publishes`` and ``rows``.
    A manifest with any error is broken as a whole: nothing of it is registered, and ``reason`` lists every error with its line.
    """
    hooks: Reading = {"module": "", "implements": [], "publishes": {}}
    reading: Reading = {"state": "broken", "reason": "", "notes": [], "api": "", **hooks, "rows": {}}
    text, data, fault = _parse(path, raw)
    if fault:
        return {**reading, "reason": fault}
    api = data.pop("api", None)
    try:
        fits = accepts(api, version)
    except (ValueError, AttributeError, TypeError):
        got = "missing" if api is None else f"got {_short(api)}"
        return {**reading, "reason": _failed(path, line_of(text, ("api",)), "api", f'{got}; expected a range such as ">=1.0,<2"')}
    reading["api"] = api
    if not fits:
        mine = ".".join(map(str, version))
        reason = f"it needs hook API {api}, and this core has {mine}; upgrade dovetail, or install a release of {distribution} for {mine}"
        return {**reading, "state": "incompatible", "reason": _failed(path, line_of(text, ("api",)), "api", reason)}
    return _check(path, text, data, distribution, reading)


def _check(path: str, text: str, data: dict[str, Any], distribution: str, reading: Reading) -> Reading:
    hooks, wrong = _check_hooks(data.pop("hooks", None))
    owner, short = namespace_of(distribution), normalise(distribution).startswith("dovetail-")
    rows = {}
    for name, kind in KINDS.items():
        if name in data:
            rows[name], faults = check_rows(kind, data.pop(name), owner, short)
            wrong += faults
    if wrong:
        reasons = [_failed(path, line_of(text, where), ".".join(map(_quoted, where)), what) for where, what in wrong]
        return {**reading, "reason": "\n".join(reasons)}
    notes = [f"{path}:{line_of(text, (name,))}: {name}: not a table that this core knows; it is kept and ignored" for name in data]
    return {**reading, **hooks, "state": "ready", "rows": rows, "notes": notes}


def _quoted(part: object) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return str(part) if re.fullmatch(r"[\w-]+", str(part)) else f'"{part}"'
