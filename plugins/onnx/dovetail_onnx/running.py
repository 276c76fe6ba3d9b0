"""What `dovetail onnx check` and `dovetail onnx run` do: a file's operators looked up, its inputs read from files, its results told."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dovetail.errors import FormatError, ShapeError, TypeMismatch, UnsupportedError
from dovetail.io.atomic import replacing

from .reading import parse
from .summary import Value, nodes_of

__all__ = ["Operators", "computed", "keep", "operators_of", "soundness"]


class Operators:
    """The operators of a file by who computes them: name → how often."""

    def __init__(self) -> None:
        self.native: Counter[str] = Counter()
        self.handed: Counter[str] = Counter()  # to the onnx package's reference evaluator
        self.unknown: Counter[str] = Counter()


def operators_of(path: str | os.PathLike[str]) -> Operators:
    """Look up every operator of an ONNX file. Raises a FormatError for a file that is none."""
    from onnx import defs

    from .importer.table import added, find

    model, found, plugins = parse(path, Path(path).read_bytes()), Operators(), added()
    own = {(function.domain, function.name) for function in model.functions}
    versions = {"" if one.domain == "ai.onnx" else one.domain: one.version for one in model.opset_import}
    for node in nodes_of(model):
        domain = "" if node.domain == "ai.onnx" else node.domain
        name = f"{domain}::{node.op_type}" if domain else node.op_type
        version = versions.get(domain, defs.onnx_opset_version() if not domain else 1)
        try:
            schema = defs.get_schema(node.op_type, version, domain)
        except defs.SchemaError:
            schema = None
        since = schema.since_version if schema is not None else version
        own_or_plain = (node.domain, node.op_type) in own or (domain, node.op_type) == ("", "Constant")
        defined = schema is not None and (schema.has_function or schema.has_context_dependent_function)
        if own_or_plain or defined or find(domain, node.op_type, since, plugins) is not None:
            found.native[name] += 1
        else:
            (found.handed if schema is not None else found.unknown)[name] += 1
    return found


def soundness(path: str | os.PathLike[str]) -> str:
    """What the onnx package's checker says against a file, and against the files beside it that have its weights; "" if nothing."""
    import onnx

    try:
        onnx.checker.check_model(os.fspath(path), full_check=True)
    except Exception as error:  # the checker and the inference of shapes raise classes of their own
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return ""


def computed(path: str | os.PathLike[str], files: Sequence[str], mean: float, std: float) -> list[tuple[str, Any]]:
    """Run a file on what other files hold: one .npz with the inputs by name, or a file for each input. Names and arrays of results."""
    import dovetail as dv

    from .importer import load
    from .importer.values import arrays

    module = load(path)
    given = _given(module.inputs, files, mean, std)
    with dv.no_grad():
        found = module(**given)
    return [(item.name, arrays(one)) for item, one in zip(module.outputs, found if isinstance(found, tuple) else (found,), strict=True)]


def keep(path: Path, results: Sequence[tuple[str, Any]]) -> None:
    """Write results as an .npz. Raises an UnsupportedError for one that is no array of numbers: it would be a pickle."""
    for name, value in results:
        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            raise UnsupportedError("onnx run", f"--out {path}: {name!r} is no array of numbers", "an .npz has arrays alone")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, value in results:  # numpy.savez has arguments of its own, by names that a result may have
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, value, allow_pickle=False)


def _given(inputs: list[Value], files: Sequence[str], mean: float, std: float) -> dict[str, Any]:
    wanted = ", ".join(map(str, inputs)) or "no inputs"
    if len(files) == 1 and files[0].endswith(".npz"):
        found = _archive(files[0])
        if len(inputs) == 1 and len(found) == 1:
            return {inputs[0].name: next(iter(found.values()))}
        missing = [item.name for item in inputs if item.name not in found]
        if missing:
            raise TypeMismatch("onnx run", f"{files[0]} has {', '.join(found) or 'nothing'}, and not {missing[0]!r}", f"expected {wanted}")
        return {item.name: found[item.name] for item in inputs}
    if len(files) != len(inputs):
        raise TypeMismatch("onnx run", f"{len(files)} files are given", f"expected {wanted}", "an .npz has them all, by name")
    return {item.name: _array(item, file, mean, std) for item, file in zip(inputs, files, strict=True)}


def _archive(path: str) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:  # TypeError: one array, an .npy
        raise FormatError(path, None, f"is no .npz file of numbers ({error})") from error


def _array(item: Value, path: str, mean: float, std: float) -> Any:
    if path.endswith(".npy"):
        try:
            return np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise FormatError(path, None, f"is no .npy file of numbers ({error})") from error
    return _picture(item, path, mean, std)


def _picture(item: Value, path: str, mean: float, std: float) -> Any:
    """An image file as the input ``(1, C, H, W)`` or ``(C, H, W)``: resized to its H and W if these are fixed, from 0 to 1, normalized."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise UnsupportedError("onnx run", "the package 'PIL' cannot be imported", "it reads images", "pip install pillow") from error
    shape = item.shape or ()
    if len(shape) not in (3, 4) or shape[-3] not in (1, 3):
        raise ShapeError(
            "onnx run", f"{path} is to be {item}", "an image is a (1, 3, H, W) or (3, H, W), with 1 where it is grey", "give an .npy"
        )
    try:
        image = Image.open(path).convert("L" if shape[-3] == 1 else "RGB")
    except UnidentifiedImageError as error:
        raise FormatError(path, None, "is no image, .npy or .npz file") from error
    height, width = (size if isinstance(size, int) else own for size, own in zip(shape[-2:], image.size[::-1], strict=True))
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32) / 255
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    out = np.ascontiguousarray((pixels - mean) / std, np.float32)
    return out if len(shape) == 3 else out[None]
