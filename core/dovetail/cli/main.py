"""The `dovetail` command: the core's commands and those of plugins, each imported only when it is run."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import NameClashError, PluginError
from . import COMMANDS

if TYPE_CHECKING:
    from ..plugins.manager import Manager, Table

__all__ = ["LazyGroup", "dovetail"]


class _Strict(click.ClickException):
    exit_code = 2


def strict_manager() -> Manager:
    """The plugin manager; with DOVETAIL_STRICT_PLUGINS=1 a problem of any plugin ends the program with status 2."""
    from ..plugins.manager import get_manager

    try:
        return get_manager()
    except PluginError as error:
        raise _Strict(str(error)) from error


class _Lazy(click.Command):
    """A command of which only name and summary are known yet."""

    def __init__(self, name: str, target: str, summary: str) -> None:
        super().__init__(name, help=summary, short_help=summary)
        self.target = target

    def real(self) -> click.Command:
        """Import the command; a plain function becomes one that receives the arguments as they are and returns the exit status."""
        found = self.load()
        if isinstance(found, click.Command):
            return found
        settings = {"ignore_unknown_options": True, "help_option_names": []}

        @click.command(self.name, context_settings=settings, help=self.help)
        @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
        def run(arguments: tuple[str, ...]) -> None:
            sys.exit(found(list(arguments)))

        return run

    def load(self) -> Any:
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)


class _FromPlugin(_Lazy):
    def load(self) -> Any:
        from ..plugins.registry import registry

        try:
            return registry("commands").load(str(self.name))
        except PluginError as error:
            raise click.ClickException(str(error)) from error


class LazyGroup(click.Group):
    """A group that lists its commands from tables and manifests, and imports the one that is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the core's commands, then the plugins'."""
        return [*sorted(COMMANDS), *sorted(_table().rows)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a stand-in for the command, enough to list it."""
        if cmd_name in COMMANDS:
            return _Lazy(cmd_name, *COMMANDS[cmd_name])
        table = _table()
        if cmd_name in table.clashes:
            clash: NameClashError = table.clash("commands", cmd_name)
            raise click.UsageError(str(clash), ctx)
        if cmd_name not in table.rows:
            from ..plugins.registry import installer_of

            if missing := installer_of(cmd_name):
                raise click.UsageError(f"there is no command {cmd_name!r} here: {missing}", ctx)
            return None
        _, fields = table.rows[cmd_name]
        return _FromPlugin(cmd_name, fields["target"], fields.get("summary", ""))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that is about to run."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.real() if isinstance(command, _Lazy) else command, rest


def _table() -> Table:
    return strict_manager().table("commands")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dovetail")
def dovetail() -> None:
    """Dovetail: a deep-learning framework that fits together."""
