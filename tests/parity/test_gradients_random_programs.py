"""Small random programs run on both sides: the same values, the same gradients, and errors at the same step.

A program draws its steps from about thirty ops, views and in-place changes among them. Each step runs on ours and on
PyTorch's tensors by the same expression; a step that both refuse is dropped. At the end a random combination of what
was made is sent backward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv
from dovetail.autograd.functional import grad
from dovetail.autograd.node import leaf, wrap
from dovetail.errors import DovetailError
from tests.core.ops.checks import alike, cotangents

from .both import category, raw, torch_tensor

pytestmark = pytest.mark.parity

PROGRAMS, STEPS, TOLERANCE = 300, 10, 1e-9
Step = Callable[..., Any]

# name -> (number of tensors, expression of library, tensors and a random source)
UNARY: dict[str, Step] = {
    "tanh": lambda L, r, a: L.tanh(a),
    "sigmoid": lambda L, r, a: L.sigmoid(a),
    "exp": lambda L, r, a: L.exp(L.tanh(a)),
    "log": lambda L, r, a: L.log(a * a + 1),
    "sqrt": lambda L, r, a: L.sqrt(a * a + 0.5),
    "abs": lambda L, r, a: L.abs(a),
    "neg": lambda L, r, a: -a,
    "sin": lambda L, r, a: L.sin(a),
    "relu": lambda L, r, a: L.relu(a),
    "clamp": lambda L, r, a: L.clamp(a, -0.7, 0.9),
    "pow": lambda L, r, a: a ** r.choice([2, 3]),
    "softmax": lambda L, r, a: L.softmax(a, r.dim(a)),
    "sum": lambda L, r, a: L.sum(a, r.dim(a), keepdim=r.coin()),
    "mean": lambda L, r, a: L.mean(a, r.dim(a), keepdim=r.coin()),
    "max": lambda L, r, a: L.max(a, r.dim(a)).values,
    "var": lambda L, r, a: L.var(a, r.dim(a), unbiased=False),
    "cumsum": lambda L, r, a: L.cumsum(a, r.dim(a)),
    "transpose": lambda L, r, a: L.transpose(a, r.dim(a), r.dim(a)),
    "reshape": lambda L, r, a: a.reshape(-1),
    "view": lambda L, r, a: a.view(-1),
    "unsqueeze": lambda L, r, a: a.unsqueeze(r.dim(a)),
    "squeeze": lambda L, r, a: a.squeeze(),
    "expand": lambda L, r, a: a.expand(2, *a.shape),
    "flip": lambda L, r, a: L.flip(a, [r.dim(a)]),
    "narrow": lambda L, r, a: a.narrow(r.dim(a), 0, 1),
    "slice": lambda L, r, a: a[r.choice([0, 1, -1]) :],
    "step": lambda L, r, a: a[::2],
    "row": lambda L, r, a: a[r.choice([0, -1])],
    "gather rows": lambda L, r, a: a[L.tensor([0, -1, 0])],
    "mask": lambda L, r, a: a[a > 0],
    "chunk": lambda L, r, a: L.chunk(a, 2, r.dim(a))[0],
    "clone": lambda L, r, a: a.clone(),
    "detach": lambda L, r, a: a.detach(),
    "float32": lambda L, r, a: a.to(L.float32).to(L.float64),
}
BINARY: dict[str, Step] = {
    "add": lambda L, r, a, b: a + b,
    "sub": lambda L, r, a, b: a - b,
    "mul": lambda L, r, a, b: L.tanh(a) * b,
    "div": lambda L, r, a, b: a / (b * b + 1),
    "maximum": lambda L, r, a, b: L.maximum(a, b),
    "where": lambda L, r, a, b: L.where(a > b, a, b * 2),
    "matmul": lambda L, r, a, b: L.matmul(L.tanh(a), b),
    "cat": lambda L, r, a, b: L.cat([a, b], r.dim(a)),
    "stack": lambda L, r, a, b: L.stack([a, b], 0),
}
INPLACE: dict[str, Step] = {
    "add_": lambda L, r, a, b: a.add_(b),
    "mul_": lambda L, r, a, b: a.mul_(b),
    "iadd": lambda L, r, a, b: a.__iadd__(b),
    "tanh_": lambda L, r, a, b: a.tanh_(),
    "zero_": lambda L, r, a, b: a.zero_(),
    "copy_": lambda L, r, a, b: a.copy_(b),
    "setitem": lambda L, r, a, b: a.__setitem__(0, b) or a,
    "set slice": lambda L, r, a, b: a.__setitem__(slice(1, None), 0.5) or a,
    "row mul_": lambda L, r, a, b: a[0].mul_(2.0),
    "view add_": lambda L, r, a, b: a.view(-1).add_(0.25),
}
REFUSED = (  # what PyTorch alone refuses: operands that overlap in part, and outputs of chunk after a change of their base
    "some elements of the input tensor and the written-to tensor refer to a single memory location",
    "its base or another view of its base has been modified inplace",
)
NEEDED = (*UNARY, *BINARY, *INPLACE)


class Source:
    """Random choices that both sides share: the same seed gives the same answers in the same order."""

    def __init__(self, seed: int) -> None:
        self.draw = np.random.RandomState(seed)

    def choice(self, values: Any) -> Any:
        return values[self.draw.randint(len(values))]

    def coin(self) -> bool:
        return bool(self.draw.randint(2))

    def dim(self, a: Any) -> int:
        return int(self.draw.randint(max(1, a.ndim)))


def attempt(step: Step, lib: Any, seed: int, operands: list[Any]) -> tuple[Any, BaseException | None]:
    try:
        return step(lib, Source(seed), *operands), None
    except Exception as error:
        return None, error


class Parted(Exception):
    """A step that only one side can take, by design: the program ends here."""


class Program:
    """The pools of both sides and the steps taken so far."""

    def __init__(self, seed: int) -> None:
        self.seed, self.source = seed, Source(seed)
        starts = [self.source.draw.uniform(-1.5, 1.5, s) for s in ((3, 4), (4,), (3, 1), (4, 3), (2, 3, 4))]
        self.ours: list[Any] = [wrap(a.copy()) for a in starts]
        for t in self.ours:
            leaf(t)
        self.theirs: list[Any] = [torch_tensor(a, True) for a in starts]
        self.leaves = len(starts)
        self.log: list[str] = []

    def step(self) -> None:
        """One random step, on both sides."""
        s, n = self.source, len(self.ours)
        table = s.choice([UNARY, UNARY, BINARY, BINARY, INPLACE])
        name = s.choice(list(table))
        low = s.choice([0, self.leaves, self.leaves]) if n > self.leaves else 0  # mostly what was made on the way
        places = [int(s.draw.randint(low, n))] + ([] if table is UNARY else [int(s.draw.randint(0, n))])
        seed = int(s.draw.randint(1 << 30))
        self.log.append(f"{name}({', '.join(f't{p}' for p in places)})")
        mine, error = attempt(table[name], dv, seed, [self.ours[p] for p in places])
        other, refused = attempt(table[name], torch, seed, [self.theirs[p] for p in places])
        if error is None and any(text in str(refused) for text in REFUSED):
            self.log.pop()
            raise Parted
        same_error(error, refused)
        if refused is not None:
            self.log.pop()
            return
        assert raw(mine).dtype == raw(other).dtype
        assert mine.requires_grad == other.requires_grad, f"requires_grad {mine.requires_grad}, PyTorch's {other.requires_grad}"
        if other.numel() <= 400 and other.ndim <= 5:
            self.ours.append(mine)
            self.theirs.append(other)
            self.log[-1] = f"t{n} = {self.log[-1]}"

    def run(self) -> None:
        """All steps, then the values and the gradients of a combination of the last results."""
        for _ in range(STEPS):
            self.step()
        for k, (a, b) in enumerate(zip(self.ours, self.theirs, strict=True)):
            alike(raw(a), raw(b), f"t{k}", TOLERANCE)
        chosen = [k for k in range(self.leaves, len(self.ours)) if self.theirs[k].requires_grad and self.theirs[k].numel()][-3:]
        if chosen:
            self.gradients(chosen)

    def gradients(self, chosen: list[int]) -> None:
        """Compare the gradients of some results with respect to the leaves."""
        ws = cotangents([raw(self.theirs[k]) for k in chosen])
        starts, torch_starts = self.ours[: self.leaves], self.theirs[: self.leaves]
        outs, torch_outs = [self.ours[k] for k in chosen], [self.theirs[k] for k in chosen]
        given = dict(allow_unused=True, create_graph=self.seed % 2 == 1)  # every second program is differentiated twice
        mine, error = attempt(lambda L, r: grad(outs, starts, [wrap(w) for w in ws], **given), dv, 0, [])
        torch_ws = [torch_tensor(w) for w in ws]
        other, refused = attempt(lambda L, r: L.autograd.grad(torch_outs, torch_starts, torch_ws, **given), torch, 0, [])
        if error is None and refused is not None and "modified by an inplace operation" in str(refused):
            # We keep less, or a copy, and answer; the answer must be right: PyTorch's with copies of all it keeps
            with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
                Program(self.seed).run()
            return
        same_error(error, refused)
        self.same_gradients(mine or (), other or (), "gradient")
        if given["create_graph"] and error is None:
            self.second(mine, other)

    def second(self, mine: Any, other: Any) -> None:
        """Compare the gradients of the gradients."""
        pairs = [(g, w) for g, w in zip(mine, other, strict=True) if g is not None and g.requires_grad and w.requires_grad]
        if not pairs:
            return
        ws = cotangents([raw(g) for g, _ in pairs], seed=6)
        found = grad([g for g, _ in pairs], self.ours[: self.leaves], [wrap(w) for w in ws], allow_unused=True)
        want = torch.autograd.grad([w for _, w in pairs], self.theirs[: self.leaves], [torch_tensor(w) for w in ws], allow_unused=True)
        self.same_gradients(found, want, "second gradient", zeros=True)

    def same_gradients(self, mine: Any, other: Any, what: str, zeros: bool = False) -> None:
        for k, (g, w) in enumerate(zip(mine, other, strict=True)):
            if g is not None and w is not None:
                alike(raw(g), raw(w), f"{what} of t{k}", TOLERANCE)
            elif not (g is None and w is None):  # a zero that one side does not write out
                assert zeros and not raw(w if g is None else g).any(), f"{what} of t{k}: {g}, PyTorch's {w}"


def same_error(mine: BaseException | None, other: BaseException | None) -> None:
    """Both went through, or both refused with errors that the same `except` catches."""
    if mine is None and other is None:
        return
    if mine is None or other is None:
        raise AssertionError(f"we: {mine!r}; PyTorch: {other!r}") from mine
    assert category(mine) is category(other), f"we: {mine!r}; PyTorch: {other!r}"
    assert isinstance(mine, DovetailError), f"not one of ours: {mine!r}"


@pytest.mark.parametrize("first", range(0, PROGRAMS, 25))
def test_random_programs(first: int) -> None:
    for seed in range(first, first + 25):
        program = Program(seed)
        try:
            program.run()
        except Parted:
            continue
        except BaseException as error:
            error.add_note(f"program {seed}: " + "; ".join(program.log))
            raise


@pytest.mark.parametrize("name", NEEDED)
def test_every_step_is_possible(name: str) -> None:
    """Each step of the table works on both sides at least on one of these shapes, so that no program drops it silently."""
    table = UNARY if name in UNARY else BINARY if name in BINARY else INPLACE
    worked = False
    for shape, other in (((3, 4), (3, 4)), ((4, 4), (4, 4)), ((3, 4), (4,)), ((4,), (4,))):
        draw = np.random.RandomState(3)
        a, b = draw.uniform(-1, 1, shape), draw.uniform(-1, 1, other)
        operands = [] if table is UNARY else [b]
        mine, error = attempt(table[name], dv, 1, [wrap(v.copy()) for v in (a, *operands)])
        theirs, refused = attempt(table[name], torch, 1, [torch_tensor(v) for v in (a, *operands)])
        same_error(error, refused)
        if refused is None:
            alike(raw(mine), raw(theirs), name, TOLERANCE)
            worked = True
    assert worked
