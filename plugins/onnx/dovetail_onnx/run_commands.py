"""`dovetail onnx check` and `dovetail onnx run`: is a file sound and known here, and what does it answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .summary import Value

__all__ = ["check", "run"]

_FILE = click.Path(exists=True, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
def check(file: str) -> None:
    """Check FILE by the rules of ONNX, and say which of its operators are computed here."""
    import onnx

    from dovetail.errors import DovetailError

    from . import inspect, load, operators

    try:
        found = inspect(file)
        onnx.checker.check_model(file, full_check=True)
        load(file)
    except (DovetailError, OSError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise click.ClickException(f"{file}: {error}") from error
    known = operators()
    foreign = [op for op in found.ops if not _known(op, known)]
    click.echo(f"{file}: sound, {sum(found.ops.values())} nodes of {len(found.ops)} operators")
    if foreign:
        click.echo(f"computed by the onnx package's reference evaluator, without gradients: {', '.join(foreign)}")


def _known(op: str, known: dict[str, list[str]]) -> bool:
    domain, _, name = op.rpartition(".")
    return name in known.get(domain or "ai.onnx", ())


@click.command()
@click.argument("file", type=_FILE)
@click.argument("data", type=_FILE)
@click.option("--out", type=click.Path(dir_okay=False), help="Write the outputs to this .npz file.")
def run(file: str, data: str, out: str | None) -> None:
    """Run FILE on DATA: arrays of an .npz file, by the names of the inputs or in their order; or one picture."""
    import numpy as np

    import dovetail as dv
    from dovetail.errors import DovetailError
    from dovetail.io.atomic import replacing

    from . import inspect, load

    try:
        model, wanted = load(file).eval(), inspect(file)
        arrays = _pictures(data, wanted.inputs) if Path(data).suffix.lower() not in (".npz", ".npy") else _arrays(data, wanted.inputs)
        with dv.no_grad():
            results = model(*arrays)
    except (DovetailError, OSError, ValueError, TypeError) as error:
        raise click.ClickException(str(error)) from error
    results = list(results) if isinstance(results, tuple | list) else [results]
    made = {value.name: result.detach().numpy() for value, result in zip(wanted.outputs, results, strict=True)}
    for name, array in made.items():
        click.echo(f"{name}: {array.dtype} {list(array.shape)}{_brief(array)}")
    if out:
        with replacing(out) as temporary, open(temporary, "wb") as target:
            np.savez(target, **made)


def _arrays(path: str, inputs: list[Value]) -> list[Any]:
    """The arrays of an .npz or .npy file in the order of the inputs."""
    import dovetail as dv

    held = dv.load(path)
    if not isinstance(held, dict):
        held = {inputs[0].name: held}
    names = [value.name for value in inputs]
    if set(names) <= set(held):
        return [held[name] for name in names]
    if len(held) != len(names):
        raise click.ClickException(f"{path} holds {', '.join(held)}; the inputs are {', '.join(names)}")
    return list(held.values())


def _pictures(path: str, inputs: list[Value]) -> list[Any]:
    """A picture as the one input asks for it: (1, channels, height, width) in 0..1."""
    import numpy as np
    from PIL import Image

    import dovetail as dv

    shape = inputs[0].shape
    if len(inputs) != 1 or shape is None or len(shape) != 4 or shape[1] not in (1, 3):
        raise click.ClickException(f"a picture is of a model with one input (N, 1 or 3, H, W); this one has {', '.join(map(str, inputs))}")
    with Image.open(path) as opened:
        picture = opened.convert("L" if shape[1] == 1 else "RGB")
    height, width = (size if isinstance(size, int) else own for size, own in zip(shape[2:], (picture.height, picture.width), strict=True))
    array = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float32) / 255
    return [dv.from_numpy(np.ascontiguousarray(array.reshape(height, width, -1).transpose(2, 0, 1)[None]))]


def _brief(array: Any) -> str:
    """The five largest of a row of scores, else the range."""
    if not array.size or array.dtype.kind not in "fiu":
        return ""
    row = array.reshape(-1)
    if array.ndim == 2 and len(array) == 1 and row.size > 1:
        return "; largest: " + ", ".join(f"{k}: {row[k]:.4g}" for k in row.argsort()[::-1][:5])
    return f" from {row.min():.4g} to {row.max():.4g}" if row.size > 1 else f" {row[0]:.6g}"
