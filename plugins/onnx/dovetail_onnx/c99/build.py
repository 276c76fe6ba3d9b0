"""From a model to a Program: exported or read, one sample of the example taken, and checked that samples are independent."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import DovetailError, ShapeError, ValueRangeError

from ..exporter import _mode, export
from ..exporter.arguments import leaves, replaced
from ..importer.module import OnnxModule, load
from ..importer.values import arrays, tensors
from .front import net_of, read
from .graph import Net
from .passes import simplify
from .program import Program, unsupported
from .text import identifier

__all__ = ["built", "net_from"]


def built(model: Any, target: Path, args: tuple[Any, ...], batch: bool, inputs: Any, outputs: Any) -> Program:
    """The program of a model, under the name of the file."""
    net = net_from(model, args, batch, inputs, outputs)
    return Program(net, identifier(target.stem, "net"), batch)


def net_from(model: Any, args: tuple[Any, ...], batch: bool, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Net:
    """The simplified net of a model. Raises UnsupportedNodes."""
    from . import UnsupportedNodes

    if isinstance(model, str | os.PathLike):
        module, example = read(model, args)
        whole: Callable[..., Any] = module
        if batch:
            example = [array[:1] for array in _stacked(example)]
            _independent(module, whole, example, (example, {}))
    else:
        given = args[0] if len(args) == 1 and isinstance(args[0], tuple) else args
        if not given:
            raise ValueRangeError("to_c", "no example input is given", "expected one: the program has its sizes", "to_c(model, path, x)")
        one = _sample(given) if batch else given
        proto = export(model, tuple(one), input_names=inputs, output_names=outputs, verify=False)
        module = load(proto)
        example = [np.asarray(arrays(t)) for _, t in leaves({"": list(one)})]
        if batch:
            _independent(module, model, example, (list(one), {}))
    net = net_of(module, example)
    loose = [node for node in net.nodes if node.loose]  # also where only the shape of what they give is read
    simplify(net)
    lacking = [*loose, *(node for node in unsupported(net) if not node.loose)]
    if lacking:
        error = UnsupportedNodes("to_c", f"there is no C for {_listed(lacking)}", "", "dovetail_onnx.export writes the model as ONNX")
        error.nodes = tuple((node.where, node.op) for node in lacking)
        raise error
    return net


def _listed(nodes: list[Any]) -> str:
    return ", ".join(node.where.removeprefix("node ") for node in nodes)


def _stacked(example: list[Any]) -> list[Any]:
    """The arrays, if their first dimension is one and the same."""
    counts = {array.shape[:1] for array in example}
    if len(counts) != 1 or () in counts:
        what = f"the inputs have the shapes {', '.join(str(tuple(array.shape)) for array in example)}"
        raise ShapeError("to_c", what, "expected first dimensions that count samples", "batch=False takes a call as it is")
    return example


def _sample(args: Sequence[Any]) -> tuple[Any, ...]:
    found = [t for _, t in leaves({"": list(args)})]
    _stacked(found)
    made = iter([t[:1] for t in found])
    return tuple(replaced((tuple(args), {}), lambda _: next(made))[0])


def _independent(module: OnnxModule, model: Any, example: list[np.ndarray[Any, Any]], call: Any) -> None:
    """Compare the model on two samples with the graph on each. A model that takes one sample only has nothing to compare."""
    pairs = [np.concatenate([array, _other(array)]) for array in example]
    made = iter([tensors(pair) for pair in pairs])
    arguments = [tensors(pair) for pair in pairs] if module is model else replaced((tuple(call[0]), {}), lambda _: next(made))[0]
    try:
        with _mode(model, False), dv.no_grad():
            both = [np.asarray(arrays(t)) for _, t in leaves({"": [model(*arguments)]})]
    except (DovetailError, ValueError, RuntimeError, TypeError, IndexError):
        return
    parts = []
    with dv.no_grad():
        for at in (0, 1):
            found = module(*(tensors(pair[at : at + 1]) for pair in pairs))
            parts.append([np.asarray(arrays(t)) for _, t in leaves({"": [found]})])
    for together, one, two in zip(both, *parts, strict=True):
        apart = np.concatenate([one, two]) if one.ndim else np.stack([one, two])
        finite = together[np.isfinite(together)]
        near = 1e-3 * max(float(np.abs(finite).max(initial=0)), 1.0) if together.dtype.kind == "f" else 0
        if apart.shape != together.shape or not np.allclose(apart, together, rtol=1e-3, atol=near, equal_nan=True):
            what = "two samples together give other results than each by itself"
            raise ValueRangeError("to_c", what, "expected first dimensions that count samples", "batch=False takes a call as it is")


def _other(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A second sample: the same numbers in another order, and floats moved: an example may be all zeros, or one number."""
    turned = np.ascontiguousarray(array.reshape(array.shape[0], -1)[:, ::-1].reshape(array.shape))
    return (turned * 0.5 + 0.25).astype(array.dtype) if array.dtype.kind == "f" else turned
