"""Which operators of PyTorch an op stands for, with the shapes of their arguments: what a counter of FLOPs counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from dovetail import Tensor

__all__ = ["FUSED", "LSTM", "lowered"]

FUSED = "aten._scaled_dot_product_flash_attention_for_cpu"  # PyTorch has no formula for these two
LSTM = "aten.mkldnn_rnn_layer"
Lowered = Iterator[tuple[str, tuple[Any, ...], Any]]  # name, arguments of which shapes stand for tensors, shape of the result


def lowered(op: Any, args: Any, out: Any, backward: bool, in_lstm: bool) -> Lowered:
    """The calls that PyTorch makes where we make this one, in a backward or outside, in a layer that oneDNN runs there or not."""
    rule = _RULES.get(op.name)
    if rule is not None:
        given = dict(zip(op.params, args, strict=True))
        yield from rule(given, out, backward) if rule not in (_recurrent, _recurrent_grad) else rule(given, in_lstm)


def _mm(m: int, k: int, n: int, bias: bool = False) -> tuple[str, tuple[Any, ...], Any]:
    return ("aten.addmm", ((n,), (m, k), (k, n)), (m, n)) if bias else ("aten.mm", ((m, k), (k, n)), (m, n))


def _product(a: Any, b: Any, out: Any, k: int, batched: bool) -> Lowered:
    n = out.shape[-1] if out.ndim else 1
    if not out.numel():
        return
    if batched:
        m, count = out.shape[-2], prod(out.shape[:-2])
        yield "aten.bmm", ((count, m, k), (count, k, n)), (count, m, n)
    else:
        yield _mm(out.numel() // n, k, n)


def _linear(given: Any, out: Any, backward: bool) -> Lowered:
    x, (n, k) = given["input"], given["weight"].shape
    yield _mm(prod(x.shape[:-1]), k, n, given["bias"] is not None and (x.ndim <= 2 or x.is_contiguous()))


def _matmul(given: Any, out: Any, backward: bool) -> Lowered:
    a, b = given["input"], given["other"]
    if backward or not (b.ndim == 1 or (a.ndim == 1 and b.ndim > 2)):  # what mv and dot do is not counted
        yield from _product(a, b, out, a.shape[-1], a.ndim > 2 and b.ndim > 2)


def _matmul_tn(given: Any, out: Any, backward: bool) -> Lowered:
    a, b = given["input"], given["other"]
    yield from _product(a, b, out, a.shape[-2], a.ndim > 2 and b.ndim > 2)


def _folded(given: Any, out: Any, backward: bool) -> Lowered:
    """The sum is over all dimensions of the first factor but one."""
    a = given["input"]
    yield from _product(a, given["other"], out, a.numel() // max(out.shape[-2], 1), False)


def _linear_grad(given: Any, out: Any, backward: bool) -> Lowered:
    """The gradient by the weight; that by the bias is a sum."""
    grad, input = given["grad"], given["input"]
    yield from _product(grad, input, out[0], grad.numel() // max(grad.shape[-1], 1), False)


def _addmm(given: Any, out: Any, backward: bool) -> Lowered:
    a, b = given["mat1"].shape, given["mat2"].shape
    if len(a) == 3:
        yield "aten.baddbmm", (tuple(given["input"].shape), tuple(a), tuple(b)), tuple(out.shape)
    elif len(b) == 2 and len(a) == 2:
        yield _mm(a[0], a[1], b[1], True)


def _einsum(given: Any, out: Any, backward: bool) -> Lowered:
    """Products of pairs, from left to right; an index of one factor alone that nobody asks for is summed before."""
    labels = [*given["labels"]]
    sizes = {c: n for term, t in zip(labels, given["operands"], strict=True) for c, n in zip(term, t.shape, strict=False) if n != 1}
    first = labels.pop(0)
    while labels:
        second, later = labels.pop(0), {*"".join(labels), *given["wanted"]}
        both = {*first, *second}
        summed = [c for c in {*first} & {*second} if c not in later]
        kept = {c for c in both if c in later}
        if summed:
            batch = prod(sizes.get(c, 1) for c in kept & {*first} & {*second})
            m, n = (prod(sizes.get(c, 1) for c in kept & ({*x} - {*y})) for x, y in ((first, second), (second, first)))
            k = prod(sizes.get(c, 1) for c in summed)
            plain = not "".join(given["labels"]).isascii()  # tensordot
            yield _mm(m, k, n) if plain else ("aten.bmm", ((batch, m, k), (batch, k, n)), (batch, m, n))
        first = "".join(sorted(kept))


def _convolution(given: Any, out: Any, backward: bool) -> Lowered:
    x, w = tuple(given["input"].shape), tuple(given["weight"].shape)
    rest = (None, given["stride"], given["padding"], given["dilation"])
    if backward:  # the gradient of a transposed convolution's input
        yield "aten.convolution_backward", (x, None, w, *rest, True, None, given["groups"], (True, False, False)), (tuple(out.shape),)
    else:
        yield "aten.convolution", (x, w, *rest, False, None, given["groups"]), tuple(out.shape)


def _convolution_input(given: Any, out: Any, backward: bool) -> Lowered:
    g, w = tuple(given["grad"].shape), tuple(given["weight"].shape)
    rest = (None, given["stride"], given["padding"], given["dilation"])
    if backward:
        yield "aten.convolution_backward", (g, None, w, *rest, False, None, given["groups"], (True, False, False)), (tuple(out.shape),)
    else:
        yield "aten.convolution", (g, w, *rest, True, None, given["groups"]), tuple(out.shape)


def _convolution_weight(given: Any, out: Any, backward: bool) -> Lowered:
    g, x, w = (tuple(t.shape) for t in (given["grad"], given["input"], out))
    rest = (None, given["stride"], given["padding"], given["dilation"], False, None, given["groups"], (False, True, False))
    yield "aten.convolution_backward", (g, x, w, *rest), (None, w)


def _attention(given: Any, out: Any, backward: bool) -> Lowered:
    """One fused call where PyTorch on a CPU has it, else two products; and in backward their gradients."""
    q, k, v = (tuple(given[n].shape) for n in ("query", "key", "value"))
    bias = given["bias"]
    dense = not (isinstance(bias, Tensor) and (bias.requires_grad or (backward and given["needs"][3])))
    fused = len(q) == 4 and given["kept"] is None and q[-1] == k[-1] == v[-1] and dense and min(q[-2], k[-2]) > 0
    if fused:
        yield FUSED + ("_backward" if backward else ""), ((q, q, k, v) if backward else (q, k, v)), q
        return
    rows = prod(q[:-2])
    score, mixed = ((rows, q[-2], q[-1]), (rows, q[-1], k[-2])), ((rows, q[-2], k[-2]), (rows, k[-2], v[-1]))
    if not backward:
        yield "aten.bmm", score, None
        yield "aten.bmm", mixed, None
        return
    need_q, need_k, need_v, need_bias = given["needs"][:4]
    for pair, count in ((score, need_q + need_k), (mixed, need_v + (need_q or need_k or need_bias))):
        for _ in range(count):
            yield "aten.bmm", pair, None


def _steps(given: Any) -> tuple[list[int], int, int]:
    """How many sequences take part in each step, the length of an input, and the gates times the size of a state."""
    steps, batch, size = given["input"].shape
    lengths = given["lengths"]
    widths = [batch] * steps if lengths is None else [int(sum(int(n) > t for n in lengths)) for t in range(steps)]
    return widths, size, given["w_ih"].shape[0]


def _recurrent(given: Any, in_lstm: bool) -> Lowered:
    """The inputs of all steps in one product, then the state of each step in one."""
    widths, size, gates = _steps(given)
    if in_lstm:
        yield LSTM, (tuple(given["input"].shape), tuple(given["w_ih"].shape), tuple(given["w_hh"].shape)), None
        return
    plain = given["input"].is_contiguous() or given["lengths"] is not None or len(widths) == 1
    yield _mm(sum(widths), size, gates, given["b_ih"] is not None and plain)
    for n in widths:
        yield _mm(n, given["w_hh"].shape[1], gates, given["b_hh"] is not None)


def _recurrent_grad(given: Any, in_lstm: bool) -> Lowered:
    """The same products with a gradient for a factor; the first state often needs none."""
    widths, size, gates = _steps(given)
    if in_lstm:
        yield f"{LSTM}_backward", (tuple(given["input"].shape), tuple(given["w_ih"].shape), tuple(given["w_hh"].shape)), None
        return
    needs = given["needs"]
    at = 3 if "c0" in given else 2
    rows, hidden = sum(widths), given["w_hh"].shape[1]
    if needs[0]:
        yield _mm(rows, gates, size)
    if needs[at]:
        yield _mm(gates, rows, size)
    for step, n in enumerate(widths):
        if needs[at + 1]:
            yield _mm(gates, n, hidden)
        if step or needs[1]:
            yield _mm(n, gates, hidden)


_RULES: dict[str, Callable[..., Lowered]] = {
    "linear": _linear, "matmul": _matmul, "matmul_nt": _matmul, "matmul_tn": _matmul_tn, "matmul_folded_tn": _folded,
    "linear_grad": _linear_grad,
    "matmul_folded_nt": _folded, "addmm": _addmm, "einsum": _einsum, "convolution": _convolution,
    "convolution_input_grad": _convolution_input, "convolution_weight_grad": _convolution_weight, "attention": _attention,
    "attention_grad": _attention, "rnn_layer": _recurrent, "gru_layer": _recurrent, "lstm_layer": _recurrent,
    "rnn_layer_grad": _recurrent_grad, "gru_layer_grad": _recurrent_grad, "lstm_layer_grad": _recurrent_grad,
}  # fmt: skip
