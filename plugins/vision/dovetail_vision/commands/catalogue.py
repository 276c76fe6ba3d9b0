"""`dovetail models` and `dovetail datasets`: what the plugins bring, listed, described and searched; nothing is imported or fetched."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

__all__ = ["datasets", "models"]

_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")
_HELP = {"help_option_names": ["-h", "--help"]}


def _entry(kind: str, key: str) -> Any:
    from dovetail.errors import DovetailError
    from dovetail.plugins.registry import registry

    try:
        return registry(kind).get(key)
    except DovetailError as error:
        raise click.ClickException(str(error)) from error


def _weights(key: str) -> list[Any]:
    from dovetail import weights

    return [weights.get(name) for name in weights.list(f"{key}@*")]


def _described(kind: str, entry: Any) -> dict[str, Any]:
    """The row, with the plugin that brings it and, of models, the weights."""
    about = {"key": entry.key, "plugin": entry.plugin.label, **entry.fields}
    if kind == "models":
        about["weights"] = [row.key for row in _weights(entry.key)]
    return about


def _size(count: int) -> str:
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            return f"{count / limit:.1f} {letter}"
    return str(count)


def _model_cells(entry: Any) -> list[str]:
    count = len(_weights(entry.key))
    tasks = [tag for tag in entry.tags or () if tag not in ("image", "cnn", "offline")]
    return [entry.key, _size(entry.params) if entry.params else "–", str(count or "–"), ", ".join(tasks), entry.license or "–"]


def _dataset_cells(entry: Any) -> list[str]:
    row = entry.fields
    sizes = row.get("sizes", {})
    splits = ", ".join(f"{split} {sizes[split]:,}" if split in sizes else split for split in row.get("splits", ())) or "–"
    size = f"{row['bytes'] / 1e6:,.1f} MB" if "bytes" in row else "–"
    return [entry.key, splits, str(row.get("classes", "–")), size, row.get("license", "–")]


_TABLES: dict[str, tuple[tuple[str, ...], Callable[[Any], list[str]]]] = {
    "models": (("model", "parameters", "weights", "for", "license"), _model_cells),
    "datasets": (("dataset", "splits", "classes", "size", "license"), _dataset_cells),
}


def _listed(kind: str, pattern: str | None, tags: tuple[str, ...], as_json: bool) -> None:
    from dovetail.cli.manage import show
    from dovetail.plugins.registry import registry

    entries = [entry for entry in map(registry(kind).get, registry(kind).list(pattern)) if set(tags) <= set(entry.tags or ())]
    if as_json:
        click.echo(json.dumps([_described(kind, entry) for entry in entries], indent=2, ensure_ascii=False))
    elif entries:
        columns, cells = _TABLES[kind]
        show(columns, map(cells, entries))
    else:
        click.echo(f"No plugin that is installed brings such {kind}.")
    if not entries:
        sys.exit(1)


def _shown(kind: str, key: str, as_json: bool) -> None:
    about = _described(kind, _entry(kind, key))
    if as_json:
        click.echo(json.dumps(about, indent=2, ensure_ascii=False))
        return
    for field, value in about.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {item:,}" if isinstance(item, int) else f"{name} {item}" for name, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(map(str, value)) or "–"
        click.echo(f"{field:13} {value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{field:13} {value}")


def _found(kind: str, words: tuple[str, ...], as_json: bool) -> None:
    from dovetail.cli.manage import show
    from dovetail.plugins.search import search

    hits = search(" ".join(words), kind)
    if as_json:
        click.echo(json.dumps(hits, indent=2, ensure_ascii=False))
    elif hits:
        show(("key", "summary", "plugin"), ([hit["key"], hit["summary"], hit["plugin"]] for hit in hits))
    else:
        click.echo(f"No {kind} match {' '.join(words)!r}.")
    if not hits:
        sys.exit(1)


def _group(kind: str, example: str) -> click.Group:
    group = click.Group(kind, help=f"List, describe and search the {kind} that plugins bring.", context_settings=_HELP)

    @group.command("list", help=f"List {kind}: 'dovetail {kind} list \"{example}\"'.")
    @click.argument("pattern", required=False)
    @click.option("--tag", "tags", multiple=True, help="Only those with this tag, such as detection or offline; may be repeated.")
    @_JSON
    def list_(pattern: str | None, tags: tuple[str, ...], as_json: bool) -> None:
        _listed(kind, pattern, tags, as_json)

    @group.command("info", help=f"Show one of the {kind}: all that its plugin says of it.")
    @click.argument("key")
    @_JSON
    def info(key: str, as_json: bool) -> None:
        _shown(kind, key, as_json)

    @group.command("search", help=f"Find {kind} by words.")
    @click.argument("words", nargs=-1, required=True)
    @_JSON
    def search(words: tuple[str, ...], as_json: bool) -> None:
        _found(kind, words, as_json)

    return group


models = _group("models", "vision/resnet*")
datasets = _group("datasets", "*mnist")
