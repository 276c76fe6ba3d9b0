"""Cards of what the plugins bring: a line `[cards]: <> (datasets)` becomes a card for each dataset, model or transform of the manifests.

A manifest is read again when it changes; nothing of a plugin is imported but what draws a picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import pictures

__all__ = ["cards", "setup"]

MARK = re.compile(r"^\[cards\]: <> \((\w+)\)$", re.M)
DOCS = Path(__file__).resolve().parent.parent
SPACES = {"vision": "Images", "text": "Text"}
GENERAL = {"image", "text", "transformer", "pil", "tensor"}  # tags that most have
FAMILIES = {
    "_presets": "What weights expect",
    "auto": "Augmentation by itself",
    "autoaugment": "Augmentation by itself",
    "boxes": "Boxes and points",
    "color": "Colour",
    "container": "Several in one",
    "convert": "Conversion",
    "crops": "Cutting out",
    "detection": "Cutting out",
    "geometry": "Geometry",
    "mix": "Mixing pictures",
    "moves": "Geometry",
    "sizes": "Geometry",
}  # of transforms, by the file that holds them; the rest, text's, are one family


def cards(kind: str) -> str:
    """The cards of one kind, under a heading for each family, in the order of the families' names."""
    from dovetail.plugins.registry import Registry

    entries = Registry(kind)
    families: dict[str, list[Any]] = {}
    for key in entries.list():
        entry = entries.get(key)
        families.setdefault(_family(kind, entry), []).append(entry)
    count = f"{len(entries.list())} {kind} by {len({entry.plugin.name for family in families.values() for entry in family})} plugins.\n"
    return "\n".join([count, *(line for title in sorted(families) for line in _section(kind, title, families[title]))])


def _family(kind: str, entry: Any) -> str:
    space = entry.key.partition("/")[0]
    if kind == "transforms":
        return FAMILIES.get(entry.target.partition(":")[0].rpartition(".")[2], SPACES.get(space, space))
    what = next((tag for tag in entry.fields.get("tags", ()) if tag not in GENERAL), "others")
    return f"{SPACES.get(space, space)}: {what}"


def _section(kind: str, title: str, entries: list[Any]) -> Iterator[str]:
    yield f"## {title}\n"
    yield ":::::{grid} 1 2 2 3\n:gutter: 2\n:class-container: registry\n"
    for entry in entries:
        yield from _card(kind, entry)
    yield ":::::\n"


def _card(kind: str, entry: Any) -> Iterator[str]:
    yield f"::::{{grid-item-card}} `{entry.key}`"
    if picture := pictures.of(kind, entry):
        yield f":img-top: {picture}\n:img-alt: {entry.key}"
    yield f"\n{_escaped(entry.summary)}.\n\n:::{{div}} facts\n{' · '.join(_FACTS[kind](entry.fields, entry.key))}\n:::\n::::\n"


def _escaped(text: str) -> str:
    return re.sub(r"([*_`<\[\]$])", r"\\\1", text.rstrip("."))


def _of_dataset(fields: dict[str, Any], _: str) -> Iterator[str]:
    for split, size in fields.get("sizes", {}).items():
        yield f"{split} {size:,}"
    if "classes" in fields:
        yield f"{fields['classes']} classes"
    if "bytes" in fields:
        yield _size(fields["bytes"])
    yield from _origin(fields)


def _of_model(fields: dict[str, Any], key: str) -> Iterator[str]:
    from dovetail.plugins.registry import Registry

    if "params" in fields:
        yield f"{fields['params']:,} parameters"
    yield from _origin(fields)
    weights = Registry("weights")
    for one in (weights.get(name).fields for name in weights.list(f"{key}@*")):
        yield _of_weights(one)


def _of_weights(fields: dict[str, Any]) -> str:
    name = fields.get("summary", "weights").partition(";")[0]
    known = [f"{what} {value}" for what, value in fields.get("metrics", {}).items()]
    known += [_size(fields["bytes"])] if "bytes" in fields else []
    return f"weights: {_escaped(name)}" + (f" ({_escaped(', '.join(known))})" if known else "")


def _of_transform(fields: dict[str, Any], _: str) -> Iterator[str]:
    tags = fields.get("tags", [])
    words = {"pil": "PIL images", "tensor": "tensors", "random": "random", "v2": "v2: also boxes and masks"}
    yield from (words.get(tag, tag) for tag in tags)


def _origin(fields: dict[str, Any]) -> Iterator[str]:
    if "license" in fields:
        yield _escaped(fields["license"])
    for what, name in (("paper", "paper"), ("homepage", "home page")):
        if what in fields:
            yield f"[{name}]({fields[what]})"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count > 1e9 else f"{count / 1e6:.1f} MB" if count > 1e5 else f"{count / 1e3:.0f} kB"


_FACTS = {"datasets": _of_dataset, "models": _of_model, "transforms": _of_transform}


def _source_read(app: Any, docname: str, source: list[str]) -> None:
    if MARK.search(source[0]):
        from dovetail import plugins

        for plugin in plugins.installed():
            app.env.note_dependency(plugin.path)
        app.env.note_dependency(pictures.__file__)
        pictures.save_scene()
        source[0] = MARK.sub(lambda found: cards(found[1]), source[0])


def setup(app: Any) -> None:
    """Write the cards when a page is read that asks for them."""
    app.connect("source-read", _source_read)
