"""`dovetail export`: a model by its key, or a saved one, as an ONNX file, a C program or a web page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["export"]

_KINDS = {".onnx": "an ONNX file", ".c": "a C99 program", ".html": "a web page"}


def _model(name: str, weights: str | None) -> tuple[Any, dict[str, Any]]:
    """The model, and what its registry entry says; a file holds a model that `dovetail.save` wrote whole."""
    from dovetail import load, models, nn

    if Path(name).is_file():
        if Path(name).suffix == ".onnx":
            return name, {}
        made = load(name)
        if not isinstance(made, nn.Module):
            raise click.ClickException(
                f"{name} holds a {type(made).__name__}, not a model; save the model itself: dovetail.save(model, path)"
            )
        return made.eval(), {}
    entry = models.get(name)
    return models.create(entry.key, weights=weights).eval(), entry.fields


def _examples(asked: tuple[str, ...], fields: dict[str, Any], name: str) -> list[Any]:
    """One tensor for each input: of the sizes that were asked for, of the entry's example, or of what its pictures are cropped to."""
    from dovetail import rand

    if asked:
        return [_asked(text) for text in asked]
    shapes = [[1, *shape[1:]] for shape in fields.get("example", {}).get("inputs", []) if isinstance(shape, list)]
    if not shapes and "classification" in fields.get("tags", ()):
        shapes = [[1, 3, 224, 224]]
    if not shapes:
        raise click.ClickException(
            f"what {name} takes is not known; give the sizes of each input: --input 1,3,224,224 or --input int64:1,12"
        )
    return [rand(*shape) for shape in shapes]


def _asked(text: str) -> Any:
    """An example of an input by its sizes, ``1,3,224,224`` or ``int64:1,12``."""
    import dovetail as dv

    kind, _, sizes = text.rpartition(":")
    dtype = getattr(dv, kind or "float32", None)
    try:
        shape = [int(size) for size in sizes.split(",")]
    except ValueError:
        shape = [-1]
    if not isinstance(dtype, dv.dtype) or min(shape) < 1:
        raise click.BadParameter(f"{text!r} is not the sizes of an input, such as 1,3,224,224 or int64:1,12", param_hint="--input")
    return dv.rand(*shape, dtype=dtype) if dtype.is_floating_point else dv.zeros(*shape, dtype=dtype)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.argument("out", type=click.Path(dir_okay=False))
@click.option("--weights", help="Trained weights of MODEL: a tag such as v1, or a file.")
@click.option("--input", "inputs", multiple=True, metavar="SIZES", help="Sizes of an input, such as 1,3,224,224; once for each input.")
@click.option("--opset", type=int, help="The version of ONNX's operators (.onnx only).")
@click.option("--fixed", is_flag=True, help="Fix the batch to the size of the example, too (.onnx only).")
def export(model: str, out: str, weights: str | None, inputs: tuple[str, ...], opset: int | None, fixed: bool) -> None:
    """Write MODEL, a key of the registry or a saved model, to OUT: .onnx, .c or .html."""
    from dovetail.errors import DovetailError

    kind = Path(out).suffix.lower()
    if kind not in _KINDS:
        raise click.ClickException(f"{out}: a name ends in {', '.join(f'{end} ({what})' for end, what in _KINDS.items())}")
    if kind != ".onnx" and (opset or fixed):
        raise click.ClickException("--opset and --fixed are of .onnx files")
    try:
        made, fields = _model(model, weights)
        arguments = [] if isinstance(made, str) and not inputs else _examples(inputs, fields, model)
        click.echo(_written(kind, made, out, arguments, opset, fixed, fields))
    except (DovetailError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _written(kind: str, model: Any, out: str, arguments: list[Any], opset: int | None, fixed: bool, fields: dict[str, Any]) -> str:
    """Write it; a line that says what was written."""
    from . import export as to_onnx
    from . import to_c, to_web

    if kind == ".c":
        made = to_c(model, out, *arguments)
        return f"{out}: {made.prototype}"
    if kind == ".html":
        to_web(model, out, *arguments, **_prepared(fields))
        return f"{out}: open it in a browser"
    if isinstance(model, str):
        raise click.ClickException(f"{model} is an ONNX file already")
    names = [f"input_{k}" if k else "input" for k in range(len(arguments))]
    axes = None if fixed else {name: {0: "batch"} for name in names}
    given = {} if opset is None else {"opset": opset}
    to_onnx(model, tuple(arguments), out, input_names=names, dynamic_axes=axes, **given)
    return f"{out}: {Path(out).stat().st_size:,} bytes, compared with the model"


def _prepared(fields: dict[str, Any]) -> dict[str, Any]:
    """What the entry says of how pictures are prepared, and of the names of classes."""
    from dovetail import plugins

    given: dict[str, Any] = {}
    if "transforms" in fields:
        given["transforms"] = plugins.transforms.load(fields["transforms"])(**fields.get("transforms_config", {}))
    if isinstance(labels := fields.get("meta", {}).get("categories"), list):
        given["labels"] = labels
    return given
