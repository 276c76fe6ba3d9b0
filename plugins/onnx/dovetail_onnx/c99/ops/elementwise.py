"""Elementwise operators with broadcasting: one loop nest for a chain of them."""

from __future__ import annotations

from ..expressions import ELEMENTWISE, expression
from ..kernel import Kernel, collapse, strides_of
from ..text import literal, loop, terms
from .table import generator

__all__: list[str] = []

_INDICES = "ijklmnop"


@generator(*sorted(ELEMENTWISE))
def elementwise(k: Kernel) -> None:
    chain = [k.node, *k.node.post]
    k.stem, k.title = "_".join(node.op.lower() for node in chain[:3]), f"{', '.join(node.op for node in chain)}: {k.result().shape}"
    shape = list(k.result().shape)
    keys = [key for key in k.node.operands if not _single(k, key)]
    steps = [strides_of(k.net.values[key].shape, shape) for key in keys] + [strides_of(shape, shape)]
    sizes, steps = collapse(shape, steps)
    found = {key: f"{k.take(key, f'x{at}')}[{_index(steps[at])}]" for at, key in enumerate(keys)}
    y = k.output()
    k.open(*(loop(_INDICES[at], size) for at, size in enumerate(sizes)))
    for at, node in enumerate(chain):
        operands = [_operand(k, key, found) if key else "" for key in node.inputs]
        text = expression(node, operands, [k.net.values[key].dtype if key else "" for key in node.inputs], k.net)
        made = k.net.values[node.outputs[0]]
        k.add(f"{f'{y}[{_index(steps[-1])}]' if at == len(chain) - 1 else f'const {made.ctype} v{at}'} = {text};")
        found[node.outputs[0]] = f"v{at}"
    k.close()


def _single(k: Kernel, key: str) -> bool:
    """Whether it is a number that can stand in the text."""
    value = k.net.values[key]
    return value.array is not None and value.size == 1


def _operand(k: Kernel, key: str, found: dict[str, str]) -> str:
    value = k.net.values[key]
    if key in found or value.array is None:
        return found[key]
    return literal(value.array.reshape(-1)[0], value.dtype)


def _index(steps: list[int]) -> str:
    return terms(*zip(_INDICES, steps, strict=False))
