"""What the graph keeps, and where: hooks that pack kept values when they are recorded and unpack them when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import GradError, TypeMismatch
from .modes import GRAD, SAVING, STATE
from .node import CLASSES, Node, is_array, wrap

__all__ = ["Node", "Packed", "disable_saved_tensors_hooks", "pack", "save_on_cpu", "saved_tensors_hooks"]


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
