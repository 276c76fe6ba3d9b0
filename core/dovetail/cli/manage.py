"""`dovetail plugins enable, disable, trust, check, new`, `dovetail doctor` and `dovetail search`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..plugins.crumbs import forget
from ..plugins.manager import get_manager, reset
from ..plugins.names import normalise
from ..plugins.settings import read_switches, write_switches

__all__ = ["check", "disable", "doctor", "enable", "installed", "new", "search", "show", "trust"]

_JSON = click.option("--json", "as_json", is_flag=True, help="For programs: a list of objects.")


def show(columns: Iterable[str], rows: Iterable[Iterable[str]], colours: dict[str, str] | None = None) -> None:
    """Print a table as wide as the terminal, and 160 columns wide where the output is none."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(cell, style=(colours or {}).get(cell, "")) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _report(checks: list[tuple[str, bool, str]], as_json: bool) -> None:
    """Print checks, and end with status 1 when one failed."""
    if as_json:
        click.echo(json.dumps([dict(zip(("check", "well", "seen"), row, strict=True)) for row in checks], indent=2, ensure_ascii=False))
    else:
        rows = ((what, "well" if well else "FAILED", seen) for what, well, seen in checks)
        show(("check", "", "seen"), rows, {"well": "green", "FAILED": "bold red"})
    if not all(well for _, well, _ in checks):
        sys.exit(1)


def installed(name: str) -> Any:
    """The plugin of this name, or an error that says which ones there are."""
    catalogue = get_manager(strict=False).catalogue
    try:
        return catalogue[name]
    except KeyError:
        known = ", ".join(item.name for item in catalogue.plugins) or "none"
        raise click.ClickException(f"there is no plugin {name!r}; installed: {known}") from None


def _written(switches: dict[str, list[str]]) -> str:
    try:
        return write_switches(switches)
    except OSError as error:
        what = f"the settings cannot be written: {error.strerror}: {error.filename!r}"
        raise click.ClickException(f"{what}; set DOVETAIL_CONFIG to another folder") from error


@click.command()
@click.argument("name")
def disable(name: str) -> None:
    """Switch a plugin off, for this user and every project."""
    plugin, switches = installed(name), read_switches()
    switches["disabled"] = sorted({*switches["disabled"], normalise(plugin.name)})
    click.echo(f"{plugin.label} is switched off (written to {_written(switches)}); on again: dovetail plugins enable {plugin.name}")


@click.command()
@click.argument("name")
def enable(name: str) -> None:
    """Switch a plugin on again, also one that was left out since its import ended a process."""
    switches = read_switches()
    switches["disabled"] = [other for other in switches["disabled"] if other != normalise(name)]
    _written(switches)
    forget(normalise(name))
    reset()
    plugin = installed(name)
    if not plugin.usable:
        raise click.ClickException(f"{plugin.label} is {plugin.state}: {plugin.reason}")
    click.echo(f"{plugin.label} is {plugin.state}")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--no", "forbid", is_flag=True, help="Trust it no longer.")
def trust(folder: str, forbid: bool) -> None:
    """Let the plugin in a project's FOLDER run its code, once the project lists it under [tool.dovetail] plugins."""
    path, switches = os.path.realpath(folder), read_switches()
    switches["trusted"] = sorted({*switches["trusted"], path} - ({path} if forbid else set()))
    _written(switches)
    reset()
    listed = get_manager(strict=False).catalogue.settings.local
    hint = "" if path in listed or forbid else f'; the pyproject.toml here does not list it yet: [tool.dovetail] plugins = ["{folder}"]'
    click.echo(f"{path} is {'not trusted' if forbid else 'trusted'}{hint}")


@click.command()
@click.argument("what", metavar="NAME|FOLDER")
@click.option("--api", "api", help="The version of the hook API to check against, such as 2.0; this core's when left out.")
@_JSON
def check(what: str, api: str | None, as_json: bool) -> None:
    """Check a plugin: its manifest, every target, and every hook against its specification. Its code is imported."""
    from ..testing.contract import check_plugin

    major, _, minor = (api or "").partition(".")
    if api and not (major.isdigit() and (minor or "0").isdigit()):
        raise click.BadParameter(f"{api!r} is no version; expected one such as 2.0", param_hint="--api")
    if not os.path.isdir(what):
        installed(what)
    _report(check_plugin(what, (int(major), int(minor or 0)) if api else None), as_json)


@click.command()
@click.argument("name")
@click.option("--with", "kinds", default="model,dataset,transform", show_default=True, help="What it brings; 'all' for every kind.")
@click.option("--distribution", default="", help="The distribution's name, such as acme-audio; dovetail-NAME when left out.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder to make; a folder of its name here when left out.")
def new(name: str, kinds: str, distribution: str, out: Path | None) -> None:
    """Write a complete plugin with tests: 'dovetail plugins new audio --with model,dataset'."""
    from ..testing.scaffold import KINDS, write

    chosen = list(KINDS) if kinds == "all" else [kind.strip() for kind in kinds.split(",") if kind.strip()]
    if unknown := sorted(set(chosen) - set(KINDS)):
        raise click.BadParameter(f"there is no kind {', '.join(unknown)}; expected some of {', '.join(KINDS)}", param_hint="--with")
    try:
        folder = write(name, chosen, out, distribution)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{folder} holds a plugin that is ready to use. Next:")
    click.secho(f"  pip install -e '{folder}[test]' && pytest {folder}", bold=True)


@click.command()
@click.option("--quick", is_flag=True, help="Leave out the import of each plugin in a process of its own.")
@_JSON
def doctor(quick: bool, as_json: bool) -> None:
    """Look at the installation: versions, folders, plugins, what their imports do, who answers for what, and what they check themselves."""
    from ..testing.conformance.plugin import look_at_imports
    from ..testing.installation import look_around

    imports = [] if quick else look_at_imports(get_manager(strict=False).catalogue.usable)
    _report(look_around() + imports, as_json)


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--kind", help="Only one kind, such as models or datasets.")
@_JSON
def search(words: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """Find models, datasets and everything else that plugins bring, by words: 'dovetail search detection'."""
    from ..plugins.kinds import KINDS
    from ..plugins.search import search as find

    if kind and kind not in KINDS:
        raise click.BadParameter(f"there is no kind {kind!r}; expected one of {', '.join(KINDS)}", param_hint="--kind")
    hits = find(" ".join(words), kind)
    if as_json:
        click.echo(json.dumps(hits, indent=2, ensure_ascii=False))
    elif hits:
        show(("kind", "key", "summary", "plugin"), (hit.values() for hit in hits))
    else:
        click.echo(f"Nothing that is installed, and no first-party plugin, matches {' '.join(words)!r}.")
    if not hits:
        sys.exit(1)
