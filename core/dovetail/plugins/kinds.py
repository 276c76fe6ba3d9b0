"""The kinds of thing that a plugin can bring, the fields of each, and what a field may hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .names import CLAIMS, KIND_NAMES

__all__ = ["FIELDS", "KEY", "KINDS", "Kind", "expand"]

#: ``namespace/name`` or ``namespace/name@variant``.
KEY = re.compile(r"[a-z0-9-]+/[A-Za-z0-9][A-Za-z0-9_.+-]*(@[A-Za-z0-9_.+-]+)?")

_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_DTYPE = re.compile(r"[a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*")


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _file(value: Any) -> bool:
    return _text(value) and re.fullmatch(r"[\w.+@-]+(/[\w.+@-]+)*", value) is not None and ".." not in value.split("/")


def _dtypes(value: Any) -> bool:
    return _texts(value) and bool(value) and len(set(value)) == len(value) and all(_DTYPE.fullmatch(item) for item in value)


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, int | float) for item in value.values())


_HEX = {digits: _matches(re.compile(f"[0-9a-fA-F]{{{digits}}}")) for digits in (32, 64)}
_SWITCH = (lambda value: isinstance(value, bool), "true or false")

#: Field → (test, what is expected, in words). A field that is not here may hold anything, and is kept.
FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "target": (_matches(_TARGET), 'a string "package.module:name"'),
    "module": (_matches(_MODULE), 'a module\'s name, "package.module"'),
    **dict.fromkeys(("summary", "license", "paper", "citation", "since", "removed_in"), (_text, "a string")),
    **dict.fromkeys(("tags", "splits"), (_texts, "a list of strings")),
    **dict.fromkeys(("params", "bytes"), (_count, "a whole number, 0 or more")),
    **dict.fromkeys(("default", "onnx"), _SWITCH),
    "url": (_matches(re.compile(r"[a-z][a-z0-9+.-]*://\S+")), 'a URL, "https://…"'),
    "sha256": (_HEX[64], "64 hexadecimal digits"),
    "sha256_prefix": (_matches(re.compile(r"[0-9a-fA-F]{8,63}")), "the first 8 to 63 hexadecimal digits of the SHA-256"),
    "md5": (_HEX[32], "32 hexadecimal digits"),
    "model": (_matches(KEY), 'the key of a model, "namespace/name"'),
    "transforms": (_matches(KEY), 'the key of a transform, "namespace/name"'),
    "transforms_config": (lambda value: isinstance(value, dict), "a table of arguments"),
    "file": (_file, 'the path of a file inside the package, "weights/v1.safetensors"'),
    "meta": (lambda value: isinstance(value, dict), "a table"),
    "metrics": (_numbers, "a table of numbers"),
    "magic": (lambda value: _text(value) or _texts(value), "a string or a list of strings"),
    "device": (_matches(re.compile("[a-z][a-z0-9_]*")), 'the name of a device type, such as "cpu"'),
    "dtypes": (_dtypes, 'a list of different element types, such as ["float32", "float64"]'),
    "format": (_matches(re.compile("[a-z][a-z0-9_-]*")), 'the name of a graph format, such as "onnx"'),
    "new": (_matches(KEY), 'a key, "namespace/name"'),
}


class Kind:
    """One kind: its fields, the pattern of its keys, and whether they are names in a namespace or claims that two plugins can make."""

    __slots__ = ("claim", "expects", "fields", "key", "name", "repeats", "required")

    def __init__(self, name: str, required: str, optional: str, *, key: str = "", expects: str = "", repeats: bool = False) -> None:
        self.name, self.required = name, required.split()
        self.fields = {field: FIELDS[field] for field in (*self.required, *optional.split())}
        self.claim = bool(key)
        self.key = re.compile(key) if key else KEY
        self.expects = expects or '"namespace/name"'
        self.repeats = repeats  # [[kernels.convolution]] may be written several times


_FETCHED = "url sha256 sha256_prefix md5 bytes license"
_OP: dict[str, Any] = {"key": r"[a-z_]\w*(/\w+)?", "expects": "the name of an op", "repeats": True}
_SCHEME = r"(?!(https?|file)$)[a-z][a-z0-9+.-]*"
_NAME: dict[str, Any] = {"key": r"[A-Za-z]\w*", "expects": "a Python name"}

# The target of a namespace is a module, not something in one.
_NAMESPACES = Kind("namespaces", "target", "summary", key=r"[A-Za-z]\w*(\.\w+)*", expects="a Python name, or a dotted one")
_NAMESPACES.fields["target"] = FIELDS["module"]

#: Every kind by name, in the order in which they are shown.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("models", "target", "summary tags params onnx license paper"),
        Kind("weights", "model", f"{_FETCHED} file transforms transforms_config metrics meta default summary tags"),
        Kind("datasets", "target", f"{_FETCHED} splits citation summary tags"),
        Kind("transforms", "target", "summary tags"),
        Kind("tokenizers", "target", "summary tags"),
        Kind("metrics", "target", "summary tags"),
        Kind("layers", "target", "summary tags"),
        Kind("optimizers", "target", "summary tags paper"),
        Kind("formats", "", "target magic summary", key=r"\.[a-z0-9][a-z0-9._-]*", expects='a lower-case suffix, ".wav"'),
        Kind("devices", "target", "summary", **_NAME),
        Kind("kernels", "target device dtypes", "summary", **_OP),
        Kind("lowerings", "target format", "summary", **_OP),
        Kind("commands", "target", "summary", key=r"[a-z][a-z0-9-]*", expects="a lower-case word"),
        Kind("collates", "", "summary", key=r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", expects='the full name of a class, "package.module.Class"'),
        Kind("schemes", "", "summary", key=_SCHEME, expects='the scheme of URLs, "hf", other than http and file'),
        _NAMESPACES,
        Kind("aliases", "new", "since removed_in"),
    )
}
assert tuple(KINDS) == KIND_NAMES and {name for name in KINDS if KINDS[name].claim} == CLAIMS


def expand(kind: str, key: str, fields: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Split a row into its claims: a kernel makes one per element type, ``conv2d@cpu:float32``; a lowering ``conv2d@onnx``.

    >>> [claim for claim, _ in expand("kernels", "relu", {"device": "cpu", "dtypes": ["float32", "float64"]})]
    ['relu@cpu:float32', 'relu@cpu:float64']
    """
    if kind == "kernels":
        return [(f"{key}@{fields['device']}:{dtype}", {**fields, "op": key, "dtype": dtype}) for dtype in fields["dtypes"]]
    if kind == "lowerings":
        return [(f"{key}@{fields['format']}", {**fields, "op": key})]
    return [(key, fields)]
