"""`dovetail export`: a model of the registry, or a saved one, as an ONNX file, a C program or a web page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dovetail.errors import DovetailError

__all__ = ["export"]

_ENDINGS = (".onnx", ".c", ".html")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("model")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--weights", metavar="KEY|FILE|none", help="Weights for a model of the registry; by default those that it recommends.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SIZES",
    help="An input: 1,3,64,64, or 1,16:int64, or [3,480,640] for a list of one image; once for each, in their order.",
)
@click.option("--fixed", is_flag=True, help=".onnx: the first dimension is fixed too, not a free batch.")
@click.option("--opset", type=int, default=20, show_default=True, help=".onnx: the version of the operators.")
@click.option("--half", type=click.Choice(["float16", "bfloat16"]), help=".onnx and .html: weights and values in this type.")
@click.option("--keep-io-types", is_flag=True, help=".onnx with --half: inputs and outputs stay float32.")
@click.option("--fold-batch-norm", is_flag=True, help=".onnx and .html: batch norms go into the convolutions before them.")
@click.option("--fold-constants", is_flag=True, help=".onnx and .html: what depends on no input is computed now.")
@click.option("--inside", is_flag=True, help=".c: all constants in the C file, however many.")
@click.option("--example", is_flag=True, help=".c: an example program beside it.")
def export(
    model: str, out: Path, weights: str | None, inputs: tuple[str, ...], fixed: bool, opset: int, inside: bool, example: bool, **passes: Any
) -> None:
    """Write MODEL (a key of 'dovetail models list', a model saved with dovetail.save, or an .onnx file) as OUT: .onnx, .c or .html."""
    if out.suffix not in _ENDINGS:
        raise click.ClickException(f"{out} ends in {out.suffix!r}; expected one of {', '.join(_ENDINGS)}")
    passes = {name: value for name, value in passes.items() if value}
    if passes and out.suffix == ".c":
        raise click.ClickException(
            f"--{next(iter(passes)).replace('_', '-')} is for .onnx and .html; a C program has float32 and folds by itself"
        )
    try:
        module, given, prepare = _model(model, weights)
        args = tuple(_input(text) for text in inputs) or given
        if not args and not isinstance(module, str):
            remedy = "give their sizes: --input 1,3,224,224, --input 1,16:int64, or --input [3,480,640] for a detector"
            raise click.ClickException(f"{model} does not say what its inputs are; {remedy}")
        written = _write(module, out, args, prepare, fixed, opset, inside, example, passes)
    except (DovetailError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for path in written:
        click.echo(f"{path}  {Path(path).stat().st_size / 1000:,.1f} kB")


def _model(name: str, weights: str | None) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The module (or the path of an ONNX file), an example of its inputs if one is known, and what prepares pictures for it."""
    if Path(name).is_file():
        if weights is not None:
            raise click.ClickException("--weights is for models of the registry; a file has its own")
        if Path(name).suffix == ".onnx":
            return name, (), {}
        return _saved(name)
    if Path(name).suffix in (".onnx", ".pt", ".pth", ".safetensors", ".dvt"):
        raise click.ClickException(f"{name}: there is no such file")
    return _registered(name, weights)


def _saved(name: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    import dovetail as dv

    module = dv.load(name)
    if not isinstance(module, dv.nn.Module):
        what = "holds tensors without their model"
        raise click.ClickException(f"{name} {what}; give the model's key, and the file as --weights")
    key = module.__dict__.get("_dovetail_entry", ("",))[0]
    return module, _example(key) if key else (), {}


def _registered(key: str, named: str | None) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    from dovetail import models, plugins
    from dovetail import weights as table

    entry = models.get(key)
    rows = [table.get(name) for name in table.list(f"{entry.key}@*")]
    chosen: Any = named or ("DEFAULT" if rows else "none")
    if chosen == "none":
        click.echo(f"{entry.key}: no trained weights, its initial ones are written", err=True)
    chosen = None if chosen == "none" else Path(chosen) if Path(chosen).is_file() else chosen
    module = models.create(entry.key, weights=chosen)
    about = dict(entry.fields) | _about(entry.key, rows, chosen)
    prepare: dict[str, Any] = {}
    if "transforms" in about:
        prepare["transforms"] = plugins.transforms.load(about["transforms"])(**about.get("transforms_config", {}))
    if about.get("labels"):
        prepare["labels"] = about["labels"]
    return module, _example(entry.key), prepare


def _about(key: str, rows: list[Any], chosen: Any) -> dict[str, Any]:
    """What a manifest says of the weights that were taken, with the names of their classes; nothing of a file's."""
    if not isinstance(chosen, str):
        return {}
    if chosen == "DEFAULT":
        row = next((row for row in rows if row.fields.get("default")), rows[0])
    else:
        row = next(row for row in rows if row.key.lower() in (chosen.lower(), f"{key}@{chosen}".lower()))
    return dict(row.fields) | {"labels": _labels(row)}


def _labels(row: Any) -> list[str]:
    """The names of the classes: in the manifest, or those of a data set that it names, which the plugin for vision knows."""
    given = row.fields.get("meta", {}).get("categories") or []
    if isinstance(given, str) and row.key.startswith("vision/"):
        from dovetail.vision.models import get_model_weights

        model, _, name = row.key.removeprefix("vision/").partition("@")
        given = get_model_weights(model)[name.upper()].meta["categories"]
    return list(given) if isinstance(given, list | tuple) else []


def _example(key: str) -> tuple[Any, ...]:
    """One sample of the inputs that a manifest describes; nothing where it has none, more than tensors, or those of a smaller model."""
    from dovetail import models

    example, found = models.get(key).fields.get("example", {}), []
    for spec in () if example.get("config") else example.get("inputs", ()):
        about = spec if isinstance(spec, dict) else {"shape": spec}
        if "shape" not in about or about.get("array"):
            return ()
        found.append(_tensor([1, *about["shape"][1:]], about.get("dtype", "float32")))
    return tuple(found)


def _input(text: str) -> Any:
    sizes, _, dtype = text.partition(":")
    if sizes.startswith("[") and sizes.endswith("]"):
        return [_input(text.replace("[", "").replace("]", ""))]
    try:
        shape = [int(size) for size in sizes.split(",")]
    except ValueError:
        shape = [0]
    if min(shape) < 1 or (dtype or "float32") not in ("float32", "int64", "int32", "bool", "uint8"):
        raise click.ClickException(f"--input {text}: expected sizes, 1,3,64,64, and a type after a colon if it is not float32: 1,16:int64")
    return _tensor(shape, dtype or "float32")


def _tensor(shape: list[int], dtype: str) -> Any:
    import numpy as np

    import dovetail as dv

    draw = np.random.default_rng(0)
    return dv.from_numpy(draw.standard_normal(shape).astype("f4") if dtype == "float32" else np.ones(shape, dtype))


def _write(
    module: Any, out: Path, args: Any, prepare: Any, fixed: bool, opset: int, inside: bool, example: bool, passes: dict[str, Any]
) -> list[str]:
    """Write the file, and say which there are."""
    import dovetail_onnx

    if out.suffix == ".c":
        return list(dovetail_onnx.to_c(module, out, *args, weights=None if inside else "auto", example=example).files)
    if out.suffix == ".html":
        given = () if isinstance(module, str) else (args if len(args) > 1 else args[0],)
        passes |= {"keep_io_types": True} if "half" in passes else {}  # a page has no half numbers
        return [str(dovetail_onnx.to_web(module, out, *given, **prepare, **passes))]
    if isinstance(module, str):
        raise click.ClickException(f"{module} is an ONNX file already")
    free = None if fixed else [{0: "batch"} if not isinstance(one, list) and one.ndim else None for one in args]
    dovetail_onnx.export(module, args, out, dynamic_shapes=free, opset=opset, **passes)
    return [str(out), *[str(path) for path in [Path(f"{out}.data")] if path.exists()]]
