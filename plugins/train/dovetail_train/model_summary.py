"""A table of a model's modules: shapes of their results, parameters, multiplications and memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dovetail as dv
from dovetail import Tensor, nn
from dovetail.errors import ShapeError, TypeMismatch
from dovetail.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from dovetail_train.flop_counter import FlopCounterMode
from dovetail_train.flop_formulas import attention_flop
from dovetail_train.flop_lowering import FUSED, LSTM

__all__ = ["Row", "Summary", "summary"]


def _lstm_flop(x: Any, w_ih: Any, w_hh: Any, **kwargs: Any) -> int:
    """The products of all steps of a layer."""
    return 2 * x[0] * x[1] * (w_ih[0] * w_ih[1] + w_hh[0] * w_hh[1])


@dataclass
class Row:
    """One call of a module: its path, depth and class, what it got and gave, what it holds, and the work that was done in it."""

    name: str
    depth: int
    kind: str
    input_shapes: list[tuple[int, ...]] = field(default_factory=list)
    output_shapes: list[tuple[int, ...]] = field(default_factory=list)
    output_bytes: int = 0
    params: int = 0
    trainable: int = 0
    mult_adds: int = 0
    is_leaf: bool = False
    seen: bool = False  # called, or reached by another path, before


@dataclass
class Summary:
    """What `summary` returns: ``str`` of it is the table; the figures are attributes, of bytes and of elements."""

    rows: list[Row]
    total_params: int
    trainable_params: int
    total_buffers: int
    total_mult_adds: int
    param_bytes: int
    buffer_bytes: int
    input_bytes: int
    activation_bytes: int
    depth: int = 3

    def __str__(self) -> str:
        head = ("Layer (type)", "Output shape", "Params", "Mult-adds")
        body = [_cells(row) for row in self.rows if row.depth <= self.depth]
        widths = [max(len(line[at]) for line in [head, *body]) for at in range(4)]
        rule = "=" * (sum(widths) + 6)
        lines = ["  ".join(f"{c:{'<' if at < 2 else '>'}{w}}" for at, (c, w) in enumerate(zip(line, widths))) for line in [head, *body]]
        totals = [
            f"Parameters: {self.total_params:,} (trainable {self.trainable_params:,}); buffers: {self.total_buffers:,}",
            f"Mult-adds: {self.total_mult_adds:,}",
            f"Memory in MB: input {self.input_bytes / 1e6:.2f}, activations {self.activation_bytes / 1e6:.2f}, "
            f"parameters {self.param_bytes / 1e6:.2f}, buffers {self.buffer_bytes / 1e6:.2f}",
        ]
        return "\n".join([rule, lines[0].rstrip(), rule, *(line.rstrip() for line in lines[1:]), rule, *totals, rule])

    __repr__ = __str__


def _cells(row: Row) -> tuple[str, str, str, str]:
    shapes = ", ".join(str(list(s)) for s in row.output_shapes) or "--"
    params = "(again)" if row.seen else f"{row.params:,}" if row.params else "--"
    own = row.name.rpartition(".")[2]
    label = f"{row.kind} ({own})" if own and row.depth else row.kind
    return "  " * row.depth + label, shapes, params, f"{row.mult_adds:,}" if row.mult_adds else "--"


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and dicts, packed sequences included."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)


class _Watch:
    """Writes a row for each call of a module of the model."""

    def __init__(self, model: Any, counter: FlopCounterMode) -> None:
        self.names = {id(m): name for name, m in model.named_modules(remove_duplicate=False)} | {id(model): ""}
        self.counter, self.rows, self.open = counter, list[Row](), list[tuple[Row, int]]()
        self.met: set[int] = set()

    def before(self, module: Any, args: Any) -> None:
        if id(module) not in self.names:
            return
        own = list(module.parameters())
        row = Row(self.names[id(module)], len(self.open), type(module).__name__, [tuple(t.shape) for t in _tensors(args)])
        row.params, row.trainable = sum(p.numel() for p in own), sum(p.numel() for p in own if p.requires_grad)
        row.is_leaf, row.seen = not any(True for _ in module.children()), id(module) in self.met
        self.met.add(id(module))
        self.rows.append(row)
        self.open.append((row, self.counter.get_total_flops()))

    def after(self, module: Any, args: Any, out: Any) -> None:
        if id(module) not in self.names or not self.open:
            return
        row, flops = self.open.pop()
        made = list(_tensors(out))
        row.output_shapes = [tuple(t.shape) for t in made]
        row.output_bytes = sum(t.numel() * t.element_size() for t in made)
        row.mult_adds = (self.counter.get_total_flops() - flops) // 2


def _inputs(input_size: Any, input_data: Any, dtypes: Any, device: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the model is called with: the data that was given, or ones of the sizes."""
    if input_data is not None:
        if isinstance(input_data, dict):
            return (), input_data
        return tuple(input_data) if isinstance(input_data, tuple | list) else (input_data,), {}
    sizes = [input_size] if all(isinstance(n, int) for n in input_size) else list(input_size)
    kinds = dtypes or [dv.get_default_dtype()] * len(sizes)
    if len(kinds) != len(sizes):
        raise ShapeError("summary", f"there are {len(kinds)} dtypes for {len(sizes)} inputs", "expected one each")
    return tuple(dv.ones(*size, dtype=kind, device=device) for size, kind in zip(sizes, kinds)), {}


def summary(
    model: Any, input_size: Any = None, input_data: Any = None, depth: int = 3, dtypes: Any = None, device: Any = None, **kwargs: Any
) -> Summary:
    """Call a model once, and say of each module what it gives, holds and computes; ``print`` shows a table down to `depth`.

    `input_size` is a shape with the batch, or a list of them, of ones (of `dtypes`); `input_data` a tensor, a tuple of arguments or a dict
    of keyword arguments, which may stand second too (``summary(model, x)``); `kwargs` go to the model. A module that is called again is
    counted once. Mult-adds are those of products and convolutions. Modes, buffers, hooks, gradients and random numbers are afterwards what
    they were. Raises a TypeMismatch (TypeError) without an input, or for what is no module.

    >>> import dovetail as dv
    >>> s = summary(dv.nn.Sequential(dv.nn.Linear(8, 4), dv.nn.ReLU(), dv.nn.Linear(4, 1)), (10, 8))
    >>> s.total_params, s.total_mult_adds, s.rows[-1].output_shapes
    (41, 360, [(10, 1)])
    """
    if not isinstance(model, nn.Module):
        raise TypeMismatch("summary", f"model is {type(model).__name__}", "expected a Module")
    if input_data is None and any(True for _ in _tensors(input_size)):
        input_size, input_data = None, input_size
    if (input_size is None) == (input_data is None):
        raise TypeMismatch("summary", "expected one of input_size and input_data", "", "summary(model, (1, 3, 224, 224))")
    args, named = _inputs(input_size, input_data, dtypes, device)
    counter = FlopCounterMode(display=False, custom_mapping={FUSED: attention_flop, LSTM: _lstm_flop})
    watch = _Watch(model, counter)
    buffers = [(b, b.detach().clone()) for b in model.buffers()]
    modes = [(m, m.training) for m in model.modules()]
    state = dv.get_rng_state()
    handles: list[Any] = []
    try:
        model.eval()
        with warnings.catch_warnings(), counter, dv.no_grad():
            handles += [register_module_forward_pre_hook(watch.before), register_module_forward_hook(watch.after)]
            model(*args, **named, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
        dv.set_rng_state(state)
        with dv.no_grad():
            for buffer, kept in buffers:
                if not bool((buffer == kept).all()):
                    buffer.copy_(kept)
    return _totals(model, watch.rows, (args, named), counter, depth)


def _totals(model: Any, rows: list[Row], given: Any, counter: FlopCounterMode, depth: int) -> Summary:
    params, buffers = list(model.parameters()), list(model.buffers())

    def size(tensors: Any) -> int:
        return sum(t.numel() * t.element_size() for t in tensors)

    return Summary(
        rows, sum(p.numel() for p in params), sum(p.numel() for p in params if p.requires_grad), sum(b.numel() for b in buffers),
        counter.get_total_flops() // 2, size(params), size(buffers), size(_tensors(list(given[0]) + list(given[1].values()))),
        sum(row.output_bytes for row in rows if row.is_leaf), depth,
    )  # fmt: skip
