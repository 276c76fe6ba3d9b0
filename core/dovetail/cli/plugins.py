"""`dovetail plugins`: what is installed, what it brings, who answers for a name; of these, only check and doctor import plugins."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ..plugins.catalogue import STATES, Plugin
from ..plugins.kinds import KINDS
from ..plugins.manager import Manager, get_manager
from .manage import check, disable, doctor, enable, installed, new, show, trust

__all__ = ["plugins"]

_COLOURS = {"ready": "green", "active": "green", "disabled": "dim", "found": "dim"}


def _manager() -> Manager:
    return get_manager(strict=False)


def _brings(plugin: Plugin) -> dict[str, int]:
    return {kind: len(plugin.rows(kind)) for kind in KINDS if kind in plugin.kinds}


def _describe(plugin: Plugin) -> dict[str, Any]:
    names = ("name", "distribution", "version", "state", "reason", "notes", "package", "path", "api", "module", "implements")
    return {**{name: getattr(plugin, name) for name in names}, "brings": _brings(plugin)}


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _finish() -> None:
    """With DOVETAIL_STRICT_PLUGINS=1, end with status 2 when anything is wrong."""
    catalogue = _manager().catalogue
    if catalogue.settings.strict and catalogue.problems:
        sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def plugins() -> None:
    """See which plugins are installed and what they bring."""


@plugins.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs: one object with plugins and problems.")
def list_(as_json: bool) -> None:
    """List the installed plugins, their states and what is wrong."""
    manager = _manager()
    for kind, about in KINDS.items():
        if about.claim:
            manager.table(kind, code=False)  # so that clashes are among the problems
    catalogue = manager.catalogue
    if as_json:
        _print_json({"plugins": [_describe(plugin) for plugin in catalogue.plugins], "problems": catalogue.problems})
        return _finish()
    if not catalogue.plugins:
        click.echo("No plugin is installed. The first ones to look at: pip install dovetail-vision dovetail-text")
    else:
        rows = ((plugin.name, f"{plugin.distribution} {plugin.version}", plugin.state, _counts(plugin)) for plugin in catalogue.plugins)
        show(("plugin", "distribution", "state", "brings"), rows, {state: _COLOURS.get(state, "red") for state in STATES})
    for problem in catalogue.problems:
        click.echo(f"problem: {problem}")
    for plugin in catalogue.plugins:
        for note in plugin.notes:
            click.echo(f"note: {plugin.label}: {note}")
    _finish()


def _counts(plugin: Plugin) -> str:
    one = {"aliases": "alias"}  # of the others the last letter goes
    parts = [f"{count} {kind if count != 1 else one.get(kind, kind[:-1])}" for kind, count in _brings(plugin).items()]
    return ", ".join([*parts, *(f"code for {hook}" for hook in plugin.implements)]) or "–"


@plugins.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs: the plugin and its rows.")
def info(name: str, as_json: bool) -> None:
    """Show one plugin: where it is, its state with the reason, and all that it brings."""
    plugin = installed(name)
    rows = {kind: plugin.rows(kind) for kind in KINDS if kind in plugin.kinds}
    if as_json:
        _print_json({**_describe(plugin), "rows": rows})
        return _finish()
    for field, value in _describe(plugin).items():
        if value and field != "brings":
            click.echo(f"{field:13} {', '.join(value) if isinstance(value, list) else value}")
    click.echo(f"{'':13} ({STATES[plugin.state]})")
    if plugin.traceback:
        click.echo(plugin.traceback)
    if rows:
        cells = ((kind, key, str(fields.get("summary", fields.get("target", "")))) for kind in rows for key, fields in rows[kind].items())
        show(("kind", "key", "summary or target"), cells)
    _finish()


@plugins.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of who claims what.")
def why(key: str, as_json: bool) -> None:
    """Say who provides KEY, and who else claims it: a full key, a bare name, an op, a command, a suffix …"""
    answers = _claims(key)
    if as_json:
        _print_json(answers)
    elif answers:
        cells = ((row["kind"], row["key"], row["plugin"], ", ".join(row["claimed_by"]), row["target"]) for row in answers)
        show(("kind", "key", "answered by", "claimed by", "target"), cells)
    else:
        click.echo(_nobody(key))
    if not answers:
        sys.exit(1)
    _finish()


def _claims(key: str) -> list[dict[str, Any]]:
    """List every claim on ``key`` in any kind; ``plugin`` is empty where a clash is not settled."""
    manager = _manager()
    answers = []
    for kind in KINDS:
        table = manager.table(kind, code=False)
        matches = [name for name in {**table.rows, **table.clashes} if key in (name, name.partition("@")[0], name.partition("/")[2])]
        for name in sorted(matches):
            owner, fields = table.rows.get(name, (None, {}))
            claimed = [plugin.label for plugin in manager.catalogue.usable if name in plugin.rows(kind)]
            target = str(fields.get("target", fields.get("new", fields.get("url", ""))))
            answers.append({"kind": kind, "key": name, "plugin": owner.label if owner else "", "claimed_by": claimed, "target": target})
    for owner in manager.catalogue.usable:  # a hook that a plugin publishes: who declares it, and who implements it
        if key.startswith(f"{owner.name}/") and (spec := owner.publishes.get(key.partition("/")[2])):
            claimed = [plugin.label for plugin in manager.catalogue.usable if key in plugin.implements]
            answers.append({"kind": "hooks", "key": key, "plugin": owner.label, "claimed_by": claimed, "target": spec})
    return answers


def _nobody(key: str) -> str:
    from difflib import get_close_matches

    from ..plugins.registry import installer_of

    manager = _manager()
    names = {name for kind in KINDS for name in manager.table(kind, code=False).rows}
    known = sorted({name if "/" in name else name.partition("@")[0] for name in names})  # of ops without device and type
    parts = [f"Nobody provides {key!r}."]
    if near := get_close_matches(key, known, 3) or [name for name in known if len(key) > 3 and name.startswith(key[:4])][:3]:
        parts.append(f"Nearest: {', '.join(near)}.")
    if installer := installer_of(key):
        parts.append(f"Try: {installer}.")
    coded = [plugin.label for plugin in manager.catalogue.usable if any(hook.startswith("register_") for hook in plugin.implements)]
    if coded:
        parts.append(f"What {', '.join(coded)} registers by code is not asked, since that imports it; see: dovetail plugins doctor.")
    stopped = [plugin for plugin in manager.catalogue.plugins if not plugin.usable and key.startswith(f"{plugin.name}/")]
    parts += [f"Plugin {plugin.label} is {plugin.state}: {plugin.reason}." for plugin in stopped]
    return " ".join(parts)


for _command in (check, disable, doctor, enable, new, trust):
    plugins.add_command(_command)
