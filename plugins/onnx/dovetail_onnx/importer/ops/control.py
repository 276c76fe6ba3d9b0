"""Control flow, sequences and optionals: inner graphs are callables, sequences are lists."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.errors import RangeError, UnsupportedError

from ..table import operator
from ..values import dtype, integers, number

__all__: list[str] = []


@operator(any_type=True)
def If(cond: Any, *, then_branch: Any, else_branch: Any) -> Any:
    return tuple(then_branch() if bool(number(cond)) else else_branch())


@operator(any_type=True)
def Loop(M: Any = None, cond: Any = None, *v_initial: Any, body: Any) -> Any:
    carried, scanned = list(v_initial), []  # type: ignore[var-annotated]
    going = cond is None or bool(number(cond))
    turn, last = 0, None if M is None else int(number(M))
    while going and (last is None or turn < last):
        going_on, *found = body(dv.tensor(turn), dv.tensor(going), *carried)
        carried, rows = found[: len(carried)], found[len(carried) :]
        scanned.append(rows)
        going = bool(number(going_on))
        turn += 1
    if not scanned:
        return (*carried, *map(_no_rows, body.args[0].types[1 + len(carried) :]))
    return (*carried, *(dv.stack(list(rows)) for rows in zip(*scanned)))


def _no_rows(kind: Any) -> Any:
    """What a loop without turns stacks: no rows of the type that its body declares, with 0 for a size that is not known."""
    sizes = [max(dim.dim_value, 0) for dim in kind.tensor_type.shape.dim]
    return dv.zeros((0, *sizes), dtype=dtype(kind.tensor_type.elem_type or 1))


@operator(since=9, any_type=True)
def Scan(
    *inputs: Any, body: Any, num_scan_inputs: int, scan_input_axes: Any = None, scan_input_directions: Any = None,
    scan_output_axes: Any = None, scan_output_directions: Any = None,
) -> Any:  # fmt: skip
    states = list(inputs[: len(inputs) - num_scan_inputs])
    rows = list(inputs[len(inputs) - num_scan_inputs :])
    axes = scan_input_axes or [0] * num_scan_inputs
    backwards = scan_input_directions or [0] * num_scan_inputs
    length = rows[0].shape[axes[0]]
    made: list[list[Any]] = []
    for turn in range(length):
        now = [row.select(axis, length - 1 - turn if back else turn) for row, axis, back in zip(rows, axes, backwards)]
        found = body(*states, *now)
        states, outputs = found[: len(states)], found[len(states) :]
        made.append(outputs)
    joined = []
    for at, steps in enumerate(zip(*made)):
        ordered = list(steps)[::-1] if scan_output_directions and scan_output_directions[at] else list(steps)
        joined.append(dv.stack(ordered, scan_output_axes[at] if scan_output_axes else 0))
    return (*states, *joined)


@operator("Scan", since=8, any_type=True)
def Scan_8(sequence_lens: Any, *inputs: Any, body: Any, num_scan_inputs: int, directions: Any = None) -> Any:
    """Opset 8 has a batch in front, each entry of which is scanned by itself."""
    if sequence_lens is not None:
        raise UnsupportedError("Scan", "sequence_lens is given", "expected none in opset 8", "export with opset 9 or later")
    found = [
        Scan(*(one[at] for one in inputs), body=body, num_scan_inputs=num_scan_inputs, scan_input_directions=directions)
        for at in range(inputs[0].shape[0])
    ]
    return tuple(dv.stack(list(parts)) for parts in zip(*found))


@operator(any_type=True)
def SequenceConstruct(*inputs: Any) -> Any:
    return (list(inputs),)


@operator(any_type=True)
def SequenceEmpty(*, dtype: int = 1) -> Any:
    return ([],)


def _at(sequence: list[Any], position: Any, size: int) -> int:
    at = integers(position)[0]
    if not -size <= at < size:
        raise RangeError("sequence", f"the position is {at}", f"expected -{size} to {size - 1}")
    return at % size


@operator(any_type=True)
def SequenceAt(input_sequence: Any, position: Any) -> Any:
    return input_sequence[_at(input_sequence, position, len(input_sequence))]


@operator(any_type=True)
def SequenceInsert(input_sequence: Any, tensor: Any, position: Any = None) -> Any:
    out = list(input_sequence)
    at = len(out) if position is None else integers(position)[0]
    if not -len(out) <= at <= len(out):
        raise RangeError("SequenceInsert", f"the position is {at}", f"expected -{len(out)} to {len(out)}")
    out.insert(at + len(out) if at < 0 else at, tensor)
    return (out,)


@operator(any_type=True)
def SequenceErase(input_sequence: Any, position: Any = None) -> Any:
    out = list(input_sequence)
    del out[-1 if position is None else _at(out, position, len(out))]
    return (out,)


@operator(any_type=True)
def SequenceLength(input_sequence: Any) -> Any:
    return dv.tensor(len(input_sequence), dtype=dv.int64)


@operator(any_type=True)
def SequenceMap(input_sequence: Any, *additional: Any, body: Any) -> Any:
    rows = [body(item, *(one[at] if isinstance(one, list) else one for one in additional)) for at, item in enumerate(input_sequence)]
    return tuple(list(column) for column in zip(*rows))


@operator()
def SplitToSequence(input: Any, split: Any = None, *, axis: int = 0, keepdims: int = 1) -> Any:
    size = input.shape[axis]
    if split is None:
        parts = dv.split(input, 1, axis)
        return ([part if keepdims else part.squeeze(axis) for part in parts],)
    each = integers(split) if split.ndim else integers(split)[0]
    return (list(dv.split(input, each if isinstance(each, list) else min(each, max(size, 1)), axis)),)


@operator(any_type=True)
def ConcatFromSequence(input_sequence: Any, *, axis: int, new_axis: int = 0) -> Any:
    return dv.stack(list(input_sequence), axis) if new_axis else dv.cat(list(input_sequence), axis)


@operator(any_type=True)
def Optional(input: Any = None, *, type: Any = None) -> Any:
    return (input,)


@operator(any_type=True)
def OptionalHasElement(input: Any = None) -> Any:
    return dv.tensor(input is not None)


@operator(any_type=True)
def OptionalGetElement(input: Any) -> Any:
    return (input,)
