"""`dovetail checkpoint`: what lies in a folder, and whether every byte of it is as it was written."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from dovetail.cli.manage import show
from dovetail.errors import DovetailError
from dovetail.io.store import verify as verify_file

from .checkpoint import about

__all__ = ["checkpoint"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def checkpoint() -> None:
    """List checkpoints and files of `dovetail.save`, and check every byte of them."""


def _files(paths: tuple[str, ...]) -> list[Path]:
    """The files, and those in the folders and below them."""
    found = [file for path in map(Path, paths) for file in (sorted(path.rglob("*.dvt")) if path.is_dir() else [path])]
    if not found:
        raise click.ClickException(f"there is no .dvt file in {', '.join(paths)}")
    return found


_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True))


@checkpoint.command("list")
@_PATHS
def list_(paths: tuple[str, ...]) -> None:
    """List the checkpoints in folders: step, metrics, size. Only their headers are read."""
    rows = []
    for file in _files(paths):
        try:
            found = about(file)
            metrics = ", ".join(f"{name} {value:g}" for name, value in found["metrics"].items())
            rows.append((file.name, str(found["step"]), metrics or "–", _size(file)))
        except (DovetailError, OSError) as error:
            rows.append((file.name, "–", str(getattr(error, "reason", error)), _size(file)))
    show(("file", "step", "metrics", "size"), rows)


@checkpoint.command()
@_PATHS
def verify(paths: tuple[str, ...]) -> None:
    """Read files, or all .dvt files in and below folders, and compare every byte with the checksums. Status 1 when one is damaged."""
    rows = [(os.fspath(file), _size(file), *_verdict(file)) for file in _files(paths)]
    show(("file", "size", "", "seen"), rows, {"whole": "green", "DAMAGED": "bold red"})
    sys.exit(any(row[2] != "whole" for row in rows))


def _verdict(file: Path) -> tuple[str, str]:
    try:
        head: dict[str, Any] = verify_file(file)
    except (DovetailError, OSError) as error:
        return "DAMAGED", str(getattr(error, "reason", error))
    return "whole", "every checksum fits" if head["sealed"] else "every checksum fits; the header has none (before 0.2)"


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:,.1f} MB"
