"""Whether an exported model says what the original says: the checker, and both run on the same inputs."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import DovetailError, UnsupportedError

from .arguments import leaves
from .write import ROOM, save, weight

__all__ = ["TOLERANCE", "ExportMismatch", "runner", "verify"]

#: How far results may differ, as a share of the largest element (or of 1 where that is smaller); integers are equal.
TOLERANCE = {"float64": 1e-6, "float32": 1e-4, "float16": 2e-2, "bfloat16": 5e-2}


class ExportMismatch(DovetailError, RuntimeError):
    """The exported model is not valid, or gives other results than the original.

    ``sizes`` has the named dimensions at which it fails or gives another shape: a formula of sizes does not hold there.
    """

    sizes: dict[str, int] | None = None


_UNKNOWN = ("NOT_IMPLEMENTED", "Could not find an implementation", "official support", "is not a registered")  # to onnxruntime


Run = Callable[[dict[str, np.ndarray]], list[np.ndarray]]


def runner(model: Any) -> tuple[str, Run | None]:
    """What runs a model (bytes, or the path of one), by name, and the function.

    It is onnxruntime where that is installed and knows the ops and types, else our own importer; None where that does not know one either.
    """
    try:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        if not any("bfloat16" in value.type for value in (*session.get_inputs(), *session.get_outputs())):  # no arrays of it go in or out
            return "onnxruntime", lambda feed: session.run(None, feed)
    except ImportError:
        pass
    except Exception as error:
        if not any(word in str(error) for word in _UNKNOWN):
            raise ExportMismatch("export", f"onnxruntime refuses the model: {error}", "", "please report it") from error
    return _importer(model)


def _importer(model: Any) -> tuple[str, Run | None]:
    """Our own importer, with the operators of other domains that plugins read; nothing runs those that nobody here knows."""
    import onnx

    from ..importer import load

    try:
        module = load(onnx.load_from_string(model) if isinstance(model, bytes) else model)
    except UnsupportedError:
        return "nothing", None

    def run(feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        with dv.no_grad():
            found = module(**feed)
        return [np.asarray(t.numpy()) for t in (found if isinstance(found, tuple) else (found,))]

    return "dovetail", run


def check(model: Any, full: bool = True) -> None:
    """The checker of the onnx package, with its inference of types and shapes; bytes, or the path of a model."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=full)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportMismatch("export", f"the model is not valid ONNX: {error}", "", "please report it") from error


def verify(proto: Any, model: Any, inputs: Any, sizes: list[dict[str, int]], half: str = "") -> str:
    """Run both at the traced sizes and at others; ExportMismatch where they differ. Returns the name of what ran the exported one.

    ``half`` is the type that float32 was written as: results in it are compared to that type's tolerance.
    """
    if weight(proto) <= ROOM:
        return _verify(proto.SerializeToString(), proto, model, inputs, sizes, half)
    copy = type(proto)()
    copy.CopyFrom(proto)
    with tempfile.TemporaryDirectory() as folder:  # no message holds it: it is checked and run from files
        save(copy, Path(folder) / "model.onnx", True)
        return _verify(os.path.join(folder, "model.onnx"), proto, model, inputs, sizes, half)


def _verify(stored: Any, proto: Any, model: Any, inputs: Any, sizes: list[dict[str, int]], half: str) -> str:
    foreign = any(o.domain not in ("", "ai.onnx") for o in proto.opset_import)
    check(stored, full=not foreign)  # the types of ops from elsewhere are not known
    name, run = _importer(stored) if foreign else runner(stored)
    if run is None:
        what = "export: the file is a valid model, and its results were not compared: nothing here runs its operators"
        warnings.warn(f"{what}; pip install onnxruntime, or the plugin that reads operators of their domain", stacklevel=4)
        return name
    for turn, each in enumerate(sizes):
        arguments = inputs.resized(each, turn)
        feed = inputs.arrays(arguments)  # copied before the model may write to them
        feed = {k: v.copy() for k, v in feed.items()}
        try:
            with dv.no_grad():
                expected = [np.asarray(t.detach().numpy()) for _, t in leaves(model(*arguments[0], **arguments[1]))]
        except Exception:
            if turn:
                continue  # a size or value that the model itself refuses
            raise
        when = ", ".join(f"{k} = {v}" for k, v in each.items()) or "the traced sizes"
        try:
            found = run({i.name: _typed(feed[i.name], i) for i in proto.graph.input})
        except Exception as error:
            mismatch = ExportMismatch("export", f"{name} fails at {when}: {error}", "", "please report it")
            mismatch.sizes = each
            raise mismatch from error
        expected = [_typed(b, o) for b, o in zip(expected, proto.graph.output, strict=True)]
        try:
            _compare(found, expected, [o.name for o in proto.graph.output], f"{name} at {when}", half)
        except ExportMismatch as error:
            error.sizes = each if any(np.shape(a) != np.shape(b) for a, b in zip(found, expected, strict=True)) else None
            raise
    return name


def _typed(array: np.ndarray, value: Any) -> np.ndarray:
    """A float32 array in the half type that an input or output of the model has."""
    from onnx import helper

    wanted = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return array.astype(wanted) if array.dtype == np.float32 and array.dtype != wanted else array


def _compare(found: list[Any], wanted: list[Any], names: list[str], where: str, half: str) -> None:
    for name, a, b in zip(names, found, wanted, strict=True):
        a = np.asarray(a)
        most = TOLERANCE.get(half if half and b.dtype == np.float32 else b.dtype.name, 0.0)
        if a.shape != b.shape or a.dtype != b.dtype:
            what = f"{where}: output {name!r} is {a.dtype}{list(a.shape)}, and the model's {b.dtype}{list(b.shape)}"
            raise ExportMismatch("export", what, "", "please report it")
        far = distance(a, b)
        if far > most:
            what = f"{where}: output {name!r} differs from the model's by {far:.3g} of its largest element"
            expected = f"expected at most {most:g} for {half or b.dtype}"
            remedy = "op_block_list names operators that stay in float32; " if half else ""
            raise ExportMismatch("export", what, expected, f"{remedy}verify=False writes the model all the same")


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference as a share of the largest finite element, or of 1; infinite where infinities or NaN lie elsewhere."""
    if not b.size:
        return 0.0
    if b.dtype.kind not in "fcV":
        return float(np.any(a != b))
    x, y = (v.astype(np.complex128 if v.dtype.kind == "c" else np.float64) for v in (a, b))
    finite = np.isfinite(y)
    if not np.array_equal(x[~finite], y[~finite], equal_nan=True) or not np.isfinite(x[finite]).all():
        return float("inf")
    return float(np.abs(x[finite] - y[finite]).max(initial=0) / max(1.0, np.abs(y[finite]).max(initial=0)))
