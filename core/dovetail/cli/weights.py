"""`dovetail weights`: what there is, where it lies, and pinning what is fetched to its full hash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .. import weights as store
from ..errors import DovetailError
from ..io import pins
from ..plugins.registry import Entry
from .manage import show

__all__ = ["weights"]

_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


def _get(key: str) -> Entry:
    try:
        return store.get(key)
    except DovetailError as error:
        raise click.ClickException(str(error)) from error


def _describe(entry: Entry) -> dict[str, Any]:
    """The row, where its file is and whether that is there, and which hash counts."""
    place = str(store.cached(entry)) if entry.file or entry.url else ""
    pinned = pins.find(entry.key, entry.url, entry.sha256_prefix or "") if entry.url and not entry.sha256 else None
    pin = {"pinned": pinned[0], "pinned_by": str(pinned[1])} if pinned else {}
    there = bool(place) and Path(place).is_file()
    return {"key": entry.key, "plugin": entry.plugin.label, "path": place, "there": there, **pin, **entry.fields}


def _trust(row: dict[str, Any]) -> str:
    """How much of the hash is known."""
    names = {"sha256": "SHA-256", "pinned": "pinned", "sha256_prefix": "SHA-256, first {} digits", "md5": "MD5"}
    return next((text.format(len(row[name])) for name, text in names.items() if name in row), "–")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def weights() -> None:
    """See, fetch and pin the trained weights that plugins bring."""


@weights.command("list")
@click.argument("pattern", required=False)
@_JSON
def list_(pattern: str | None, as_json: bool) -> None:
    """List weights: 'dovetail weights list "vision/*"'. Nothing is fetched."""
    rows = [_describe(_get(key)) for key in store.list(pattern)]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        cells = ((row["key"], _size(row), _trust(row), "yes" if row["there"] else "no", row.get("license", "–")) for row in rows)
        show(("weights", "size", "hash", "here", "license"), cells, {"yes": "green"})
    else:
        click.echo("No plugin that is installed brings such weights.")


def _size(row: dict[str, Any]) -> str:
    return f"{row['bytes'] / 1e6:,.1f} MB" if "bytes" in row else "–"


@weights.command()
@click.argument("key")
@_JSON
def info(key: str, as_json: bool) -> None:
    """Show one row: model, source, hash, licence, figures, and where its file lies. Nothing is fetched."""
    row = _describe(_get(key))
    if as_json:
        click.echo(json.dumps(row, indent=2, ensure_ascii=False))
        return
    for field, value in row.items():
        text = ", ".join(f"{name} {item}" for name, item in value.items()) if isinstance(value, dict) else str(value)
        click.echo(f"{field:17} {text}")


@weights.command()
@click.argument("key")
def path(key: str) -> None:
    """Fetch the file where it is not there yet, check it, and print its path."""
    try:
        click.echo(str(store.path(_get(key))))
    except (DovetailError, OSError) as error:
        raise click.ClickException(str(error)) from error


@weights.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--lock", type=click.Path(dir_okay=False, path_type=Path), default=pins.NAME, show_default=True, help="The lock file.")
def pin(keys: tuple[str, ...], lock: Path) -> None:
    """Fetch files, and note their full SHA-256 in the project's lock file, which every later download here must match."""
    for key in keys:
        entry = _get(key)
        if entry.url is None or entry.sha256:
            click.echo(f"{entry.key}: nothing to pin, {'its full SHA-256 is declared' if entry.sha256 else 'it is not fetched'}")
            continue
        try:
            file = store.path(entry)
            sha256, _ = pins.find(entry.key, entry.url, entry.sha256_prefix or "") or ("", None)
            pins.pin(entry.key, entry.url, sha256, file.stat().st_size, lock)
        except (DovetailError, OSError) as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{entry.key}: {sha256} (written to {lock})")
