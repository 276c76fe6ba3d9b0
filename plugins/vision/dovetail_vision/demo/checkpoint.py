"""`dovetail demo checkpoint`: a PyTorch checkpoint is loaded without PyTorch, checked, fine-tuned, exported to ONNX and run there."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from .common import listed, made, next_command, task_on

__all__ = ["checkpoint"]

_WEIGHTS, _FILE, _ONNX = "vision/digits_resnet@torch", "digits_resnet.safetensors", "digits_resnet.onnx"
_RATE = 5e-3  # half of what a new model learns with


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same result.")
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True, help="Passes over the digits to fine-tune.")
@click.option("--device", default="cpu", show_default=True, help="Where to compute: cpu, cuda, cuda:1 …")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="dovetail-demo", show_default=True, help="Where to write.")
def checkpoint(seed: int, epochs: int, device: str, out: Path) -> None:
    """Take a PyTorch checkpoint, without PyTorch: load, check, fine-tune, export to ONNX, run."""
    import dovetail
    from dovetail import io

    from .task import answers

    begun, had_torch, task = time.perf_counter(), "torch" in sys.modules, task_on(device)
    made(out)
    dovetail.manual_seed(seed)
    row, path = _shipped()
    click.echo(f"{path.name}: a ResNet for handwritten digits, trained and saved by PyTorch, {path.stat().st_size / 1000:,.0f} kB")
    click.echo(f"{row.model} · {task.device} · seed {seed}")
    click.echo()
    with Step("Load it, without PyTorch") as step:
        state = io.load(path, map_location=device)
        model = dovetail.models.create(row.model, weights=state).to(task.device)
        step.say(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(state)} tensors")
    with Step("Check it") as step:
        right = int((answers(model, task) == task.labels).sum())
        as_there = ", as PyTorch counted" if abs(right / len(task.labels) - row.metrics["accuracy"]) < 5e-5 else ""
        step.say(f"{_share(right, task)} of the held-out digits are read right{as_there}")
    _fine_tune(model, task, epochs)
    with Step("Save it") as step:
        io.save(model, out / _FILE)
        step.say("safetensors, with checksums")
    written = {_FILE: "the fine-tuned model"} | _exported(model, task, out)
    click.echo()
    click.echo(f"{time.perf_counter() - begun:.1f} s in all{_memory()}", nl=False)
    click.echo("." if had_torch or "torch" in sys.modules else "; PyTorch was not imported.")
    click.echo()
    listed(out, written)
    click.echo()
    click.echo("Next, take the model up in Python; dovetail.load reads .pth files of yours as well:")
    click.secho(f"  {next_command(out / _FILE)}", bold=True)


class Step:
    """One step of the demo: what it is, how long it took, what came of it."""

    def __init__(self, what: str) -> None:
        self.what, self.result = what, ""

    def __enter__(self) -> Step:
        self.begun = time.perf_counter()
        return self

    def say(self, result: str) -> None:
        """Note what came of it."""
        self.result = result

    def __exit__(self, kind: type | None, *rest: object) -> None:
        if kind is None:
            seconds = time.perf_counter() - self.begun
            click.echo(f"{click.style(self.what.ljust(28), bold=True)} {seconds:7.2f} s   {self.result}")


def _shipped() -> tuple[Any, Path]:
    """The manifest's row of the checkpoint, and where it lies."""
    from dovetail import plugins

    row = plugins.weights.get(_WEIGHTS)
    return row, Path(__file__).parent.parent / row.file


def _share(right: int, task: Any) -> str:
    return f"{right / len(task.labels):.1%} ({right} of {len(task.labels)})"


def _fine_tune(model: Any, task: Any, epochs: int) -> None:
    from .progress import display
    from .task import answers, fit

    with Step(f"Fine-tune it, {epochs} {'epoch' if epochs == 1 else 'epochs'}") as step:
        with display(epochs) as watch:
            fit(model, task, epochs, _RATE, watch)
        step.say(f"{_share(int((answers(model, task) == task.labels).sum()), task)} are read right now")


def _exported(model: Any, task: Any, out: Path) -> dict[str, str]:
    """Write the model as ONNX and run it in onnxruntime, as far as what is installed allows; return what each file is."""
    try:
        from dovetail_onnx import export
    except ImportError:
        _lacking("Export it to ONNX", "dovetail-onnx")
        return {}
    from dovetail.errors import DovetailError

    model = model.eval().to("cpu")
    try:
        with Step("Export it to ONNX") as step:
            images = task.images[:2].cpu()
            free = {"image": {0: "batch"}}
            export(model, (images,), out / _ONNX, input_names=["image"], output_names=["scores"], dynamic_shapes=free)
            step.say("for any number of images")
    except (DovetailError, ImportError) as error:
        raise click.ClickException(f"the model cannot be exported: {error}") from error
    _run(model, task, out / _ONNX)
    return {_ONNX: "the same model for onnxruntime"}


def _run(model: Any, task: Any, path: Path) -> None:
    """Run the file on all held-out digits and compare."""
    try:
        import onnxruntime
    except ImportError:
        _lacking("Run it in onnxruntime", "onnxruntime")
        return
    import dovetail

    images = task.images.cpu()
    with dovetail.no_grad():
        mine = model(images).numpy()
    with Step("Run it in onnxruntime") as step:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (scores,) = session.run(["scores"], {"image": images.numpy()})
        same, apart = int((scores.argmax(1) == mine.argmax(1)).sum()), float(abs(scores - mine).max())
        step.say(f"the same {same} of {len(mine)} answers; scores differ by {apart:.0e} at most")
    if same != len(mine):
        raise click.ClickException(f"{path}: onnxruntime answers {len(mine) - same} digits otherwise; please report this")


def _lacking(what: str, package: str) -> None:
    click.secho(f"{what.ljust(28)}  left out: {package} is not installed; to have it: pip install {package}", fg="yellow")


def _memory() -> str:
    """The most memory that the program had, where the system says so."""
    try:
        import resource
    except ImportError:
        return ""
    unit = 1 if sys.platform == "darwin" else 1024
    return f", {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6:.0f} MB of memory at most"
