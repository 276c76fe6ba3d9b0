"""export(): a model, run a few times on example inputs, written as an ONNX graph that runs at other sizes too."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import dovetail as dv
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.graph import Graph, Value, trace

from ..reading import not_there
from ..state import exporting
from .arguments import Inputs, leaves
from .builder import Builder
from .foreign import refuse_options, training_of
from .lower import Lowerer, MissingLowerings, Unlowered, missing
from .passes import Requests
from .runs import Runs, record
from .sizes import Unsolved
from .tables import as_it_was, shortened
from .verification import ExportMismatch
from .verification import verify as verified
from .write import assemble, save

__all__ = ["ExportMismatch", "MissingLowerings", "Unlowered", "Unsolved", "explain_export", "export"]

_OLDEST, _DEFAULT = 13, 20
_FEW = 100_000  # elements of all inputs


def export(
    model: Any,
    args: Any = (),
    path: str | os.PathLike[str] | BinaryIO | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dynamic_shapes: Any = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    opset: int = _DEFAULT,
    external_data: bool | str = "auto",
    metadata: Mapping[str, str] | None = None,
    training: Any = False,
    fold_constants: bool = False,
    fold_batch_norm: bool = False,
    half: Any = False,
    keep_io_types: bool = False,
    op_block_list: Sequence[str] | None = None,
    verify: bool = True,
    **pytorch: Any,
) -> Any:
    """Write a module or function as an ONNX model, and return it (an ``onnx.ModelProto``); without a path it is only returned. In
    the place of the path there may be a stream of bytes.

    ``args`` is a tensor or a tuple of arguments, ``kwargs`` (or a dict at the end of ``args``) has those by name. The model runs on
    them in evaluation, unless ``training``; its mode and gradients are left as they were. Initializers carry the parameters' names.

    ``dynamic_shapes={"input": {0: "batch"}}`` frees a dimension: the model is run at several sizes, and every number that differs
    is written as an expression of the named dimensions. ``dynamic_axes`` is the same as PyTorch's older exporter has it.
    ``external_data`` puts the weights beside the file: always (True), never, or past 2 GB ("auto").

    ``fold_constants`` computes what depends on no input, ``fold_batch_norm`` puts batch norms into the convolutions before them, and
    ``half`` (True, or "bfloat16") makes values and weights float16: inputs and outputs too, unless ``keep_io_types``; operators in
    ``op_block_list``, and sums, stay in float32.

    ``verify`` checks the model and compares its results with the original's, at the given and at other sizes, in onnxruntime or, where
    that is not installed, in our own importer: to 1e-4 of the largest element in float32, 2e-2 in float16; nothing is
    written if they differ.

    While the model is run, ``is_in_onnx_export()`` is true. The names of ``torch.onnx.export`` serve too: ``f`` for path,
    ``opset_version``, ``dynamo``, ``do_constant_folding`` …; what would give another model than the default is refused.

    Raises MissingLowerings, which lists all ops that cannot be said in ONNX; Unsolved or an UnsupportedError where the model depends
    on sizes or values in a way that one graph cannot follow, naming op and module; ExportMismatch where results differ.

    >>> import dovetail as dv
    >>> model = export(dv.nn.Linear(3, 2), dv.ones(1, 3), dynamic_shapes={"input": {0: "batch"}})
    >>> [node.op_type for node in model.graph.node], [weight.name for weight in model.graph.initializer]
    (['Gemm'], ['weight', 'bias'])
    """
    path, opset = pytorch.pop("f", path), pytorch.pop("opset_version", opset) or _DEFAULT
    fold_constants = bool(pytorch.pop("do_constant_folding", False)) or fold_constants
    refuse_options(pytorch)
    requests = Requests.of(fold_constants, fold_batch_norm, half, keep_io_types, op_block_list)
    _check(model, opset)
    with exporting(), _mode(model, training_of(model, training)):
        inputs = Inputs(model, args, kwargs, input_names, dynamic_shapes, dynamic_axes)
        sizes: list[dict[str, int]] = []
        while True:
            with shortened(model):
                runs = record(model, inputs, _refuse_missing, sizes)
                _refuse_writes(model, runs.graph)
                proto = _written(model, inputs, runs, opset, output_names, metadata)
            requests.apply(proto)
            try:
                if verify:
                    with as_it_was(model):
                        verified(proto, model, inputs, _sizes(inputs, runs.sizes), requests.half)
                break
            except ExportMismatch as error:  # a formula of sizes that holds in a few runs: this size is one more
                if not inputs.base or error.sizes is None or error.sizes in runs.sizes or len(sizes) == 2:
                    raise
                sizes.append(error.sizes)
    if path is not None:
        save(proto, path, external_data)
    return proto


def _written(model: Any, inputs: Inputs, runs: Runs, opset: int, output_names: Any, metadata: Any) -> Any:
    """The ModelProto of recorded runs."""
    builder = Builder(opset)
    found = list(leaves(runs.outputs(), kind=Value))
    names = _names(output_names, [name for name, _ in found], inputs.names)
    for name in (*inputs.names, *names):
        builder.unique(name)  # parameters and nodes of these names get others
    lowerer = Lowerer(runs, builder, inputs.names, inputs.dims)
    starts = [lowerer.memory.ref(v) for v in runs.graph.inputs]
    lowerer.run()
    ends = [lowerer.memory.ref(value) for _, value in found]
    return assemble(builder, starts, ends, names, lowerer.named, metadata, type(model).__name__)


def _refuse_missing(graph: Graph) -> None:
    lacking = missing(graph.calls)
    if lacking:
        raise MissingLowerings(lacking)


def _refuse_writes(model: Any, graph: Graph) -> None:
    changed = [v.name for v in graph.captured if v.changed and not getattr(model, "training", False)]
    if changed:
        what = f"the model writes to its own {', '.join(changed)} while it runs"
        table = "a table with max_norm that others share is run on all its rows once, and max_norm then set to None"
        raise UnsupportedError("export", what, "a graph keeps nothing from run to run", f"leave counters out of it; {table}")


def explain_export(model: Any, args: Any = (), *, kwargs: Mapping[str, Any] | None = None, training: bool = False) -> list[Unlowered]:
    """List every op of a model that has no lowering to ONNX: where it is called, how often, and what could supply one.

    >>> import dovetail as dv
    >>> explain_export(dv.nn.ReLU(), dv.ones(2))
    []
    >>> (row,) = explain_export(lambda x: dv.nextafter(x, x), dv.ones(2))
    >>> row.op, row.count, row.reason
    ('nextafter', 1, 'ONNX cannot count up the bits of a float')
    """
    with exporting(), _mode(model, training), shortened(model), dv.no_grad():
        inputs = Inputs(model, args, kwargs, None, None, None)
        arguments = inputs.resized(inputs.base)  # copies, which the model may write to
        return missing(trace(model, *arguments[0], **arguments[1]).calls)


def _check(model: Any, opset: int) -> None:
    try:
        from onnx import defs
    except ImportError as error:
        raise not_there("export", error, "it writes the model") from error
    newest = defs.onnx_opset_version()
    if not isinstance(opset, int) or not _OLDEST <= opset <= newest:
        raise ValueRangeError("export", f"opset is {opset!r}", f"expected {_OLDEST} to {newest}, the newest that onnx knows here")
    if not callable(model):
        raise TypeMismatch("export", f"model is {type(model).__name__}", "expected a Module or a function")


@contextlib.contextmanager
def _mode(model: Any, training: bool) -> Iterator[None]:
    """The model in the wanted mode, its modules back in theirs afterwards, its buffers and random stream as they were."""
    if not isinstance(model, dv.nn.Module):
        yield
        return
    modes = [(m, m.training) for m in model.modules()]
    kept = [(b, b.detach().clone()) for b in model.buffers()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        if training:
            with dv.no_grad():
                for buffer, before in kept:
                    buffer.copy_(before)


def _names(given: Any, own: list[str], taken: list[str]) -> list[str]:
    """The names of the outputs."""
    if not own:
        raise UnsupportedError("export", "the model returns no tensor", "expected a tensor, or a tuple, list, dict or dataclass of them")
    names = [given] if isinstance(given, str) else list(given or [])
    if len(names) > len(own):
        raise ValueRangeError("export", f"output_names has {len(names)} names", f"the model returns {len(own)} tensors")
    names += [f"{n}_out" if n in taken else n for n in own[len(names) :]]
    if len({*names, *taken}) < len(names) + len(taken):
        raise ValueRangeError("export", f"output_names: a name occurs twice in {[*taken, *names]}", "expected different names")
    return names


def _sizes(inputs: Inputs, runs: list[dict[str, int]]) -> list[dict[str, int]]:
    """The sizes to verify at: the given ones, and some that no run had; much larger ones too, where that takes no time."""
    base = inputs.base
    if not base:
        return [{}, {}]
    fresh, longer, far = {}, {}, {}
    for at, k in enumerate(base):
        unit = math.gcd(*(r[k] - runs[0][k] for r in runs))
        sign, steps = 1 if runs[1][k] > runs[0][k] else -1, ((4, 6, 7, 8), (7, 8, 4, 6))[at % 2]
        fresh[k] = next(n for n in (runs[0][k] + sign * unit * step for step in steps) if n not in {r[k] for r in runs})
        longer[k] = base[k] * (1 + at % 2)  # height unlike width, by so much that it shows after many halvings
        far[k] = base[k] + unit * max(0, (40 + 7 * at - base[k]) // unit)
    few = sum(
        math.prod(far.get(dims.get(axis, ""), n) for axis, n in enumerate(t.shape))
        for t, dims in zip(inputs.tensors, inputs.dims, strict=True)
    )
    return [base, {k: max(1, n) for k, n in fresh.items()}, longer, *([far] if few <= _FEW else [])]
