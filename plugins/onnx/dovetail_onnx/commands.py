"""`dovetail onnx`: what is in an ONNX file, whether it runs here, and what it computes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dovetail.errors import DovetailError, FormatError, UnsupportedError

from .summary import ModelInfo, inspect

if TYPE_CHECKING:
    from collections import Counter

__all__ = ["onnx"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def onnx() -> None:
    """Look into ONNX model files, check them and run them."""


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


@onnx.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def check(file: str) -> None:
    """Say whether FILE is sound, and who computes its operators; exit code 1 where it is not, or nobody does."""
    from .running import operators_of, soundness

    try:
        found, wrong = operators_of(file), soundness(file)
    except (DovetailError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"checker     {wrong or 'sound'}")
    click.echo(f"native      {sum(found.native.values())} nodes of {len(found.native)} operators")
    for title, rows in (("handed on", found.handed), ("nobody", found.unknown)):
        for at, line in enumerate(_counted(rows)):
            click.echo(f"{title if at == 0 else '':11} {line}")
    if wrong or found.unknown:
        raise SystemExit(1)


def _counted(rows: Counter[str]) -> list[str]:
    width = max(map(len, rows), default=0)
    return [f"{op:{width}}  {count}" for op, count in rows.most_common()]


@onnx.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.argument("inputs", nargs=-1, type=click.Path(exists=True, dir_okay=False))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep the results in this .npz file.")
@click.option("--mean", type=float, default=0.0, show_default=True, help="Of images, from 0 to 1: what is taken off.")
@click.option("--std", type=float, default=1.0, show_default=True, help="Of images: by what they are divided then.")
def run(file: str, inputs: tuple[str, ...], out: Path | None, mean: float, std: float) -> None:
    """Run FILE on INPUTS: one .npz that has them by name, or for each an .npy or, where the input is (1, 3, H, W), an image."""
    from .running import computed, keep

    try:
        if out is not None and out.suffix != ".npz":
            raise click.ClickException(f"--out {out}: expected a name that ends in .npz")
        found = computed(file, inputs, mean, std)
        if out is not None:
            keep(out, found)
    except (DovetailError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for name, value in found:
        click.echo(f"{name}  {_told(value)}")


def _told(value: Any) -> str:
    """A result: its type and shape, and its elements, the greatest of them, or how they spread."""
    import numpy as np

    if not isinstance(value, np.ndarray):
        return f"{type(value).__name__}"
    head = f"{value.dtype}{list(value.shape)}"
    if value.size <= 16 or value.dtype.kind not in "fiu":
        return f"{head}  {np.array2string(value.reshape(-1)[:16], precision=6, separator=', ', max_line_width=1000)}"
    if value.size == value.shape[-1]:
        best = np.argsort(-value.reshape(-1).astype("f8"), kind="stable")[:5]
        return f"{head}  greatest: {', '.join(f'{at}: {value.reshape(-1)[at]:.6g}' for at in best)}"
    return f"{head}  from {value.min():.6g} to {value.max():.6g}, mean {value.mean():.6g}"


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
