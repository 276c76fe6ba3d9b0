"""The commands `dovetail run-torch` and `dovetail port`."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import asdict
from pathlib import Path

import click

__all__ = ["port", "run_torch"]


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("script", type=click.Path(exists=True, dir_okay=False))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_torch(script: str, arguments: tuple[str, ...]) -> None:
    """Run a PyTorch program on Dovetail, unmodified: SCRIPT with its ARGUMENTS.

    `import torch`, torchvision and torchtext give Dovetail and its plugins; a name that is not there raises, and says what to use.
    """
    from .finder import install

    install()
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).resolve().parent))
    runpy.run_path(script, run_name="__main__")


@click.command()
@click.argument("scripts", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="All names as JSON.")
def port(scripts: tuple[str, ...], as_json: bool) -> None:
    """Say what PyTorch programs use that is there, different or missing, with lines and remedies; nothing is run.

    The exit status is 1 when something is missing.
    """
    from .port import report

    found = {}
    for script in scripts:
        try:
            found[script] = report(Path(script).read_text(encoding="utf-8"), script)
        except (SyntaxError, UnicodeDecodeError) as error:
            raise click.ClickException(f"{script}: this is no Python program ({error})") from None
    if as_json:
        click.echo(json.dumps({script: [asdict(name) for name in one.names] for script, one in found.items()}, indent=1))
    else:
        for script, one in found.items():
            click.echo(f"{script}: {one}")
    sys.exit(1 if any(one.missing for one in found.values()) else 0)
