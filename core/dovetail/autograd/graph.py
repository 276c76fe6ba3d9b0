"""What the graph keeps, and where: hooks that pack kept values when they are recorded and unpack them when they are needed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ..errors import AssertedError, GradError, TypeMismatch, ValueRangeError
from .modes import GRAD, SAVING, STATE
from .node import CLASSES, Handle, Node, changed, is_array, producer, reached, wrap

__all__ = [
    "GradientEdge", "Node", "Packed", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "pack", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


class GradientEdge(NamedTuple):
    """A place in the graph that `grad` and `backward` take instead of a tensor: one result of a node."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """The place of a tensor in the graph. Raises a RuntimeError for a tensor that does not require a gradient.

    >>> import dovetail as dv
    >>> x = dv.ones(1, requires_grad=True)
    >>> get_gradient_edge(x * 2).node
    <MulBackward0>
    """
    if tensor._n is None:
        raise GradError("get_gradient_edge", "It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(*producer(tensor._n), tensor._n)


def increment_version(tensor: Any) -> None:
    """Say that a tensor's memory (or that of several) has been changed where Dovetail could not see it."""
    for t in (tensor,) if tensor.__class__ in CLASSES else tensor:
        changed(t._v, "increment_version")


def register_multi_grad_hook(tensors: Any, fn: Callable[..., Any], *, mode: str = "all") -> Handle:
    """Call ``fn(grads)`` when a backward has computed all gradients that it will of these tensors, None for the others.

    With ``mode="any"``: ``fn(grad)`` for the first of them. Raises a ValueError for another mode.

    >>> import dovetail as dv
    >>> x, y = dv.ones(1, requires_grad=True), dv.ones(1, requires_grad=True)
    >>> _ = register_multi_grad_hook((x, y), print)
    >>> (x * 2).backward()
    [tensor([2.]), None]
    """
    if mode not in ("all", "any"):
        raise ValueRangeError("register_multi_grad_hook", f"Expects mode to be one of ('all', 'any') but got {mode}")
    if mode == "all" and any(t._n is None for t in tensors):
        raise AssertedError("register_multi_grad_hook", "Expected every tensor to require a gradient")
    seen: list[Any] = [lambda: None, 0, []]  # the backward, how many gradients it will still give, those that it has given

    def one(at: int, g: Any) -> None:
        walk = STATE.walk
        if seen[0]() is not walk:
            alive = reached(walk.roots) if walk.wanted is None else walk.leading | {producer(e)[0] for e in walk.wanted}
            seen[:] = weakref.ref(walk), sum(producer(t._n)[0] in alive for t in tensors) if mode == "all" else 1, [None] * len(tensors)
        seen[1] -= 1
        seen[2][at] = g
        if seen[1] == 0:
            fn(seen[2] if mode == "all" else g)

    handles = {i: t.register_hook(partial(one, i)) for i, t in enumerate(tensors) if mode == "all" or t._n is not None}
    return _Handles(handles)


class _Handles(Handle):
    """Several handles as one."""

    def remove(self) -> None:
        for handle in self._table.values():
            handle.remove()


class saved_tensors_hooks:
    """Inside, each value that an op keeps for its gradient is stored as ``pack_hook(tensor)`` and read as ``unpack_hook(stored)``.

    >>> import dovetail as dv
    >>> x = dv.ones(2, requires_grad=True)
    >>> with saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if STATE.saving and STATE.saving[-1].__class__ is str:
            raise GradError("saved_tensors_hooks", STATE.saving[-1])
        STATE.saving = (*STATE.saving, (self.pack_hook, self.unpack_hook))
        STATE.word |= SAVING

    def __exit__(self, *_: Any) -> None:
        STATE.saving = STATE.saving[:-1]
        STATE.word = STATE.word | SAVING if STATE.saving else STATE.word & ~SAVING


class save_on_cpu(saved_tensors_hooks):
    """Inside, kept values lie in the host's memory, and go back to their device for the gradient; ``pin_memory`` is accepted."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: (t.device, t.cpu()), lambda kept: kept[1].to(kept[0]))


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """Inside, kept values may be changed in place before backward, which runs inside too: copies of them are kept."""

    def __init__(self) -> None:
        super().__init__(lambda t: t.clone(), self._kept)

    def _kept(self, kept: Any) -> Any:
        if (self.pack_hook, self.unpack_hook) not in STATE.saving:
            raise AssertedError("allow_mutation_on_saved_tensors", "backward must run inside it too: what was kept is gone outside")
        return kept


class disable_saved_tensors_hooks:
    """Inside, `saved_tensors_hooks` is a RuntimeError with this message."""

    def __init__(self, error_message: str, is_error: bool = True) -> None:
        self.message = error_message

    def __enter__(self) -> None:
        STATE.saving = (*STATE.saving, self.message)

    def __exit__(self, *_: Any) -> None:
        STATE.saving = STATE.saving[:-1]


class Packed:
    """A kept tensor as the hooks of this thread store it."""

    __slots__ = ("stored", "unpack")

    def __init__(self, t: Any) -> None:
        into, self.unpack = STATE.saving[-1]
        word, STATE.word = STATE.word, STATE.word & ~(SAVING | GRAD)
        try:
            self.stored = into(t)
        finally:
            STATE.word = word

    def read(self) -> Any:
        """The tensor again."""
        t = self.unpack(self.stored)
        if t.__class__ not in CLASSES:
            raise TypeMismatch("saved_tensors_hooks", f"unpack_hook gave {type(t).__name__}", "expected a Tensor")
        return t


def pack(node: Node) -> None:
    """Put what a new node keeps through this thread's hooks."""
    node.saved = tuple(Packed(wrap(v)) if is_array(v) else v for v in node.saved)
    node.plan, node.boxes = _PackedPlan(node.plan), ()


def _read(saved: Any) -> list[Any]:
    return [v.read()._a if v.__class__ is Packed else v for v in saved]


class _PackedPlan:
    """A plan whose kept values are packed."""

    def __init__(self, plan: Any) -> None:
        self.plan = plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plan, name)

    def backward(self, g: Any, saved: Any) -> Any:
        return self.plan.backward(g, _read(saved))

    def again(self, node: Node, g: Any) -> Any:
        packed, node.saved = node.saved, _read(node.saved)
        try:
            return self.plan.again(node, g)
        finally:
            node.saved = packed
