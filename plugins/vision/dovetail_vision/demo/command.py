"""`dovetail demo`: train a small network on handwritten digits, look at what it learned, and load it again in a new process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from .checkpoint import checkpoint
from .common import listed, made, next_command, task_on

__all__ = ["demo"]

_FILE = "digits_cnn.safetensors"


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same result.")
@click.option("--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Passes over the digits.")
@click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu, cuda, cuda:1 …")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="dovetail-demo", show_default=True, help="Where to write.")
@click.pass_context
def demo(context: click.Context, seed: int, epochs: int, device: str, out: Path) -> None:
    """Train a small network on handwritten digits and look at what it learned."""
    if context.invoked_subcommand is not None:
        return
    from .progress import display
    from .task import answers, train

    task = task_on(device)
    made(out)
    if not _can_draw():
        what = "matplotlib is not installed, so no pictures will be drawn"
        click.secho(f'{what}; to have them: pip install "dovetail-vision[demo]"', fg="yellow")
    if task.device.type == "cpu" and importlib.util.find_spec("dovetail_cpu") is None:
        click.secho("NumPy computes; native kernels are faster; to have them: pip install dovetail-cpu", fg="yellow")
    _greet(task, seed)
    start = time.perf_counter()
    with display(epochs) as watch:
        model, history = train(task, epochs, seed, watch)
    given = answers(model, task)
    right, total = int((given == task.labels).sum()), len(task.labels)
    click.echo()
    click.secho(f"{right / total:.1%} of the held-out digits are read right ({right} of {total})", bold=True, nl=False)
    click.echo(f", after {time.perf_counter() - start:.1f} s.")
    written = _write(out, model, history, task, given)
    again = _in_a_new_process(out / _FILE, device)
    if again != right:
        raise click.ClickException(f"{out / _FILE}: loaded in a new process it reads {again} digits right, not {right}; please report this")
    click.echo(f"Loaded from its file in a new process, the model reads the same {again}.")
    click.echo()
    listed(out, written)
    click.echo()
    click.echo("Next, take the model up in Python:")
    click.secho(f"  {next_command(out / _FILE)}", bold=True)


def _can_draw() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def _greet(task: Any, seed: int) -> None:
    from dovetail import models

    from .task import DATASET, MODEL

    params = models.get(MODEL).params
    click.echo(f"{DATASET}: {len(task.train):,} handwritten digits to learn from, {len(task.labels)} held out")
    click.echo(f"{MODEL}: {params:,} parameters · {task.device} · seed {seed}")
    click.echo()


def _write(out: Path, model: Any, history: Any, task: Any, given: Any) -> dict[str, str]:
    """Write the model and the pictures; return what each file is."""
    from dovetail import plugins
    from dovetail.io import save

    written = {_FILE: "the model"}
    save(model, out / _FILE)
    if _can_draw():
        from .pictures import draw

        matrix = plugins.metrics.load("vision/confusion_matrix")(given, task.labels, 10)
        labels, answered, counts = (t.cpu().numpy() for t in (task.labels, given, matrix))
        written |= draw(out, history, task.scans, labels, answered, counts)
    return written


def _in_a_new_process(path: Path, device: str) -> int:
    """How many digits the model in a file reads right when another process loads it."""
    command = [sys.executable, "-m", "dovetail_vision.demo.check", str(path), device]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{path} cannot be loaded in a new process:\n{done.stderr}")
    return int(done.stdout.split()[-1])


demo.add_command(checkpoint)
