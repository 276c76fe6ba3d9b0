"""The type of a result for every pair of types, as tensors, 0-d tensors and Python numbers, beside PyTorch's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

import dovetail as dv
from dovetail.autograd.node import Tensor, wrap
from dovetail.testing.samples.calls import flat
from tests.core.ops.checks import EPS

from .both import Answer, compare, raw, torch_tensor

pytestmark = pytest.mark.parity

TYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
UNSIGNED = ("uint16", "uint32", "uint64")  # PyTorch has them in part: their promotion only
NUMBERS = {"bool": True, "int": 3, "float": 1.5, "complex": 1 + 2j}

OPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda lib, a, b: lib.add(a, b),
    "sub": lambda lib, a, b: lib.sub(a, b),
    "mul": lambda lib, a, b: lib.mul(a, b),
    "div": lambda lib, a, b: lib.div(a, b),
    "floor_divide": lambda lib, a, b: lib.floor_divide(a, b),
    "remainder": lambda lib, a, b: lib.remainder(a, b),
    "pow": lambda lib, a, b: lib.pow(a, b),
    "eq": lambda lib, a, b: lib.eq(a, b),
    "lt": lambda lib, a, b: lib.lt(a, b),
    "maximum": lambda lib, a, b: lib.maximum(a, b),
    "atan2": lambda lib, a, b: lib.atan2(a, b),
    "bitwise_and": lambda lib, a, b: lib.bitwise_and(a, b),
    "logical_or": lambda lib, a, b: lib.logical_or(a, b),
    "where": lambda lib, a, b: lib.where(lib.tensor([True, False, True]), a, b),
    "cat": lambda lib, a, b: lib.cat([a, b]),
    "stack": lambda lib, a, b: lib.stack([a, b]),
    "operator +": lambda lib, a, b: a + b,
    "operator /": lambda lib, a, b: a / b,
    "operator **": lambda lib, a, b: a**b,
    "operator <": lambda lib, a, b: a < b,
}
NO_NUMBERS = {"cat", "stack", "maximum", "atan2", "logical_or"}


def array(kind: str, dims: int) -> Any:
    """Small values, none of them zero."""
    values = np.array([1, 2, 3]) if dims else np.array(2)
    return (values > 1 if kind == "bool" else values).astype(ml_dtypes.bfloat16 if kind == "bfloat16" else kind)


def run(call: Any, lib: Any, operands: tuple[Any, ...], kind: type) -> Answer:
    try:
        return Answer(flat(call(lib, *operands), kind), [])
    except Exception as error:
        return Answer([], [], error)


def operands() -> list[tuple[str, Any, Any]]:
    """Every pair: two tensors, a tensor with a 0-d one, either with a Python number; `x` and `y` are arrays or numbers."""
    found = []
    for p, q in itertools.product(TYPES, TYPES):
        for m, n in ((1, 1), (1, 0), (0, 1), (0, 0)):
            found.append((f"{p}[{m}d] {q}[{n}d]", array(p, m), array(q, n)))
    for p, (name, number) in itertools.product(TYPES, NUMBERS.items()):
        for m in (1, 0):
            found += [(f"{p}[{m}d] {name}", array(p, m), number), (f"{name} {p}[{m}d]", number, array(p, m))]
    return found


@pytest.mark.parametrize("name", OPS)
def test_pairs(name: str) -> None:
    """All pairs of one op at once; the failure lists those that differ."""
    call, wrong = OPS[name], []
    for what, a, b in operands():
        plain = not hasattr(a, "dtype") or not hasattr(b, "dtype")
        if plain and name in NO_NUMBERS:
            continue
        mine = run(call, dv, tuple(wrap(v.copy()) if hasattr(v, "dtype") else v for v in (a, b)), Tensor)
        other = run(call, torch, tuple(torch_tensor(v) if hasattr(v, "dtype") else v for v in (a, b)), torch.Tensor)
        if plain and isinstance(other.error, TypeError) and (mine.error is None or not hasattr(a, "dtype")):
            continue  # we take a Python number where PyTorch's signature has a tensor
        try:
            with np.errstate(all="ignore"):
                compare(mine, other, _tolerance(what, other))
        except AssertionError as error:
            wrong.append(f"{what}: {str(error).splitlines()[0]}")
    assert not wrong, f"{name}: {len(wrong)} of {len(operands())} differ\n" + "\n".join(wrong[:12])


def _tolerance(what: str, answer: Answer) -> float | None:
    """By the narrowest type that took part: PyTorch rounds to it on the way."""
    if answer.error or raw(answer.outs[0]).dtype.kind in "biu":
        return None
    kinds = {*what.replace("[", " ").split(), raw(answer.outs[0]).dtype.name, "float64"}
    return 2 * max(EPS[kind] for kind in kinds & EPS.keys())


def test_promote_types() -> None:
    wrong = []
    for p, q in itertools.product((*TYPES, *UNSIGNED), (*TYPES, *UNSIGNED)):
        mine, other = (_attempt(lambda lib=lib: lib.promote_types(getattr(lib, p), getattr(lib, q))) for lib in (dv, torch))  # noqa: B023
        if other == "refused" and (p in UNSIGNED or q in UNSIGNED):  # PyTorch has no rule for these mixtures; we lose nothing
            found = np.promote_types(p, q)
            other = "refused" if found.kind == "f" else found.name if found.kind in "iu" else max(p, q, key=lambda n: "complex" in n)
        if mine != other and other != "complex32":  # a type that we do not have
            wrong.append(f"{p} {q}: {mine}, PyTorch {other}")
    assert not wrong, "\n".join(wrong)


def test_result_type() -> None:
    wrong = []
    for what, a, b in operands():
        mine = _attempt(lambda: dv.result_type(*(wrap(v) if hasattr(v, "dtype") else v for v in (a, b))))  # noqa: B023
        other = _attempt(lambda: torch.result_type(*(torch_tensor(v) if hasattr(v, "dtype") else v for v in (a, b))))  # noqa: B023
        if mine != other and other != "complex32":
            wrong.append(f"{what}: {mine}, PyTorch {other}")
    assert not wrong, "\n".join(wrong[:12])


def test_can_cast() -> None:
    kinds = (*TYPES, *UNSIGNED)
    wrong = [
        (p, q)
        for p, q in itertools.product(kinds, kinds)
        if dv.can_cast(getattr(dv, p), getattr(dv, q)) != torch.can_cast(getattr(torch, p), getattr(torch, q))
    ]
    assert not wrong


@pytest.mark.parametrize("kind", [k for k in TYPES if k != "bool"])
def test_inplace_keeps_the_type(kind: str) -> None:
    """`a += b` has the type of a, or both refuse."""
    wrong = []
    for q in TYPES:
        for dims in (1, 0):
            a, b = array(kind, 1), array(q, dims)
            mine = run(lambda lib, x, y: x.add_(y), dv, (wrap(a.copy()), wrap(b.copy())), Tensor)
            other = run(lambda lib, x, y: x.add_(y), torch, (torch_tensor(a), torch_tensor(b)), torch.Tensor)
            try:
                compare(mine, other)
            except AssertionError as error:
                wrong.append(f"{q}[{dims}d]: {error}")
    assert not wrong, "\n".join(wrong)


def _attempt(call: Callable[[], Any]) -> str:
    try:
        return str(call()).rpartition(".")[2]
    except RuntimeError:
        return "refused"


HALVES = {
    "add": lambda a, b: a + b, "radd": lambda a, b: b + a, "sub": lambda a, b: a - b, "rsub": lambda a, b: b - a, "mul": lambda a, b: a * b,
    "rmul": lambda a, b: b * a, "div": lambda a, b: a / b, "rdiv": lambda a, b: b / a, "floor": lambda a, b: a // b,
    "trunc": lambda a, b: a.div(b, rounding_mode="trunc"), "pow": lambda a, b: a.abs() ** b, "rem": lambda a, b: a % b,
    "add_": lambda a, b: a.clone().add_(b), "mul_": lambda a, b: a.clone().mul_(b), "eq": lambda a, b: a == b, "lt": lambda a, b: a < b,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", HALVES)
def test_half_precision_beside_numbers_and_tensors_without_dimensions(name, kind):
    """Where what stands beside half precision is rounded to it first, and where it is not: to the last bit, with gradients."""
    draw = np.random.default_rng(0)
    values, beside = draw.normal(size=200).tolist(), draw.uniform(0.2, 3, 6).tolist()
    for number in beside:
        for made in (lambda T, x: x, lambda T, x: T.tensor(x), lambda T, x: T.tensor(x, dtype=T.float64)):
            found = []
            for T in (torch, dv):
                a = T.tensor(values, dtype=getattr(T, kind), requires_grad=True)
                out = HALVES[name](a, made(T, number))
                found.append([out.detach().float().tolist()])
                if name in ("add", "radd", "sub", "rsub", "mul", "div"):
                    out.sum().backward()
                    found[-1].append(a.grad.float().tolist())
            assert found[0] == found[1]


FACTORS = {
    "add": lambda T, x, y, a, b: T.add(x, y, alpha=a), "sub": lambda T, x, y, a, b: T.sub(x, y, alpha=a),
    "rsub": lambda T, x, y, a, b: T.rsub(x, y, alpha=a), "add_": lambda T, x, y, a, b: x.clone().add_(y, alpha=a),
    "number": lambda T, x, y, a, b: T.add(x, a, alpha=b), "number from": lambda T, x, y, a, b: T.rsub(x, a, alpha=b),
    "addmv": lambda T, x, y, a, b: T.addmv(x[:8], x.reshape(8, 8), y[:8], beta=a, alpha=b),
    "addmv without input": lambda T, x, y, a, b: T.addmv(x[:8], x.reshape(8, 8), y[:8], beta=0, alpha=b),
    "addr": lambda T, x, y, a, b: T.addr(x.reshape(8, 8), x[:8], y[:8], beta=a, alpha=b),
    "addr without input": lambda T, x, y, a, b: T.addr(x.reshape(8, 8), x[:8], y[:8], beta=0, alpha=b),
    "xlogy": lambda T, x, y, a, b: T.xlogy(x, y.abs()), "xlogy by a number": lambda T, x, y, a, b: T.xlogy(x, a),
    "xlogy of a number": lambda T, x, y, a, b: T.xlogy(a, y.abs()), "xlog1py": lambda T, x, y, a, b: T.special.xlog1py(x, y.abs()),
    "xlog1py by a number": lambda T, x, y, a, b: T.special.xlog1py(x, a),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", FACTORS)
def test_factors_and_logarithms_in_half_precision(name, kind):
    """Which steps are rounded, to the last bit; of 64 elements, which PyTorch's vectors take without a rest."""
    draw = np.random.default_rng(0)
    for _ in range(8):
        x, y, (a, b) = draw.normal(size=64).tolist(), draw.normal(size=64).tolist(), draw.uniform(0.2, 2, 2).tolist()
        found = [FACTORS[name](T, *(T.tensor(v, dtype=getattr(T, kind)) for v in (x, y)), a, b).float().tolist() for T in (torch, dv)]
        assert found[0] == found[1]
