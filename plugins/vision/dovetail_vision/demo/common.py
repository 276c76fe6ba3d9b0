"""What the demos share: the digits on a device, the folder they write into, and what they say at their end."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from dovetail.errors import DeviceError, PluginError

__all__ = ["listed", "made", "next_command", "task_on"]


def task_on(device: str) -> Any:
    """The digits on a device, or one line that says what is wrong with it."""
    import dovetail

    from .task import open_task

    try:
        return open_task(dovetail.device(device))
    except (PluginError, DeviceError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error


def made(out: Path) -> None:
    """Make the folder."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}; choose another folder with --out") from error


def listed(out: Path, written: dict[str, str]) -> None:
    """Say what each file in the folder is, and its size."""
    width = max(map(len, written)) + len(str(out)) + 1
    for name, about in written.items():
        path = out / name
        click.echo(f"  {click.style(str(path).ljust(width), fg='cyan')}  {about}, {path.stat().st_size / 1000:,.0f} kB")


def next_command(path: Path) -> str:
    """The command to try next, with the Python that has Dovetail: it is not always the one called `python`."""
    python = Path(sys.executable)
    found = shutil.which("python")
    name = python if found is None or Path(found).absolute() != python else "python"
    if isinstance(name, Path) and name.is_relative_to(Path.cwd()):
        name = name.relative_to(Path.cwd())
    return f'{name} -c "import dovetail as dv; print(dv.load({path.as_posix()!r}))"'
