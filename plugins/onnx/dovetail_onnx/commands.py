"""`dovetail onnx`: what is in an ONNX file, whether it is sound, and what it answers."""

from __future__ import annotations

import dataclasses
import json

import click

from dovetail.errors import FormatError, UnsupportedError

from .run_commands import check, run
from .summary import ModelInfo, inspect

__all__ = ["onnx"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def onnx() -> None:
    """Look into ONNX model files, check and run them."""


onnx.add_command(check)
onnx.add_command(run)


@onnx.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="For programs: one object.")
def info(file: str, as_json: bool) -> None:
    """Show the inputs, outputs, opset, op counts and size of FILE."""
    try:
        found = inspect(file)
    except (FormatError, UnsupportedError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2, ensure_ascii=False))
        return
    for name, lines in _rows(found):
        for at, line in enumerate(lines or ["none"]):
            click.echo(f"{name if at == 0 else '':11} {line}")


def _rows(found: ModelInfo) -> list[tuple[str, list[str]]]:
    width = max(map(len, found.ops), default=0)
    rows = [
        ("file", [found.path]),
        ("size", [f"{_size(found.bytes)}, {found.parameters:,} parameters"]),
        ("producer", [found.producer or "unnamed"]),
        ("IR version", [str(found.ir_version)]),
        ("opset", [f"{domain} {version}" for domain, version in found.opsets.items()]),
        ("inputs", [str(value) for value in found.inputs]),
        ("outputs", [str(value) for value in found.outputs]),
        ("ops", [f"{op:{width}}  {count}" for op, count in found.ops.items()] + [f"{'':{width}}  {sum(found.ops.values())} in all"]),
    ]
    return rows + ([("weights in", found.external)] if found.external else [])


def _size(count: int) -> str:
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 999.95:
            break
        size, unit = size / 1000, larger
    return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
