"""The bare Tensor and the graph behind it: nodes, leaves, and edges between them.

A tensor holds an array (`_a`), what produced it (`_n`: None, a Leaf, a Node, or one Output of a Node) and a version
box that it shares with its views (`_v`). A node holds edges, never input tensors: nothing is kept alive by accident,
and an in-place change of a tensor does not change the history of its past values.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..size import Spoken
from .node_names import node_name

__all__ = [
    "ASKED", "CLASSES", "Box", "HookedNode", "Leaf", "Node", "Output", "Tensor", "detached", "leaf", "named", "producer", "reached",
    "tick", "titled", "wrap",
]  # fmt: skip

tick = itertools.count(1).__next__  # one clock for nodes and mutations: a kept value is stale if changed after its node

# A version box is a plain list, the cheapest thing to make: [clock of the last change, count, where, views]
Box = list[Any]


if TYPE_CHECKING:
    from ..tensor_methods import TensorMethods  # what dovetail.tensor binds, for a type checker
else:
    TensorMethods = object


class Tensor(TensorMethods, metaclass=Spoken):
    """The array with a history; its operators and methods are bound in dovetail.tensor."""

    __slots__ = ("__dict__", "__weakref__", "_a", "_b", "_kept_grad", "_n", "_v")
    _a: Any
    _n: Any
    _v: Any
    _kept_grad: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = next((vars(kind)[_OWN] for kind in cls.__mro__ if kind is not Tensor and _OWN in vars(kind)), None)
        (ASKED if isinstance(own, classmethod) else CLASSES).add(cls)


CLASSES: set[Any] = {Tensor}  # membership by identity costs less than isinstance, and subclasses enter on their own
_OWN = "__torch_function__"
ASKED: set[Any] = set()  # subclasses with a ``__torch_function__`` of their own, which ops ask as they do what is no tensor
_new = Tensor.__new__
_array = Tensor._a.__get__  # what a lazy tensor refuses to give


def wrap(array: Any, edge: Any = None, box: Any = None) -> Tensor:
    """Make a tensor around a raw array, sharing a version box if one is given."""
    out = _new(Tensor)
    out._a = array
    out._n = edge
    out._v = [0, 0, None, None] if box is None else box
    return out


def detached(t: Tensor) -> Tensor:
    """The same array and version box without the history."""
    return wrap(t._a, None, t._v) if t.__class__ in CLASSES or t.__class__ in ASKED else t.detach()


class Leaf:
    """Where a gradient ends: the gradient of a tensor that the user made, and its hooks."""

    __slots__ = ("__weakref__", "after", "dtype", "grad", "hooks", "owner", "shape")

    def __init__(self, owner: Tensor) -> None:
        array = _array(owner)
        self.shape, self.dtype = array.shape, array.dtype
        self.grad: Tensor | None = None
        self.hooks: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}
        self.owner = weakref.ref(owner)

    def name(self) -> str:
        """PyTorch's name for this end of the graph."""
        return "torch::autograd::AccumulateGrad"

    @property
    def variable(self) -> Tensor | None:
        """The tensor whose gradient is collected here."""
        return self.owner()

    @property
    def next_functions(self) -> tuple[Any, ...]:
        """Nothing lies behind a leaf."""
        return ()

    def register_prehook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook((grad,))`` before a gradient is added here; a returned tuple replaces it."""
        return Handle(self.hooks, lambda g: (hook((g,)) or (g,))[0])

    def register_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call ``hook((), (grad,))`` after a gradient has been added here."""
        got: list[Any] = [None]
        Handle(self.hooks, lambda g: got.__setitem__(0, g))
        return Handle(self.after, lambda _: hook((), tuple(got)))

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


Leaf.__name__ = Leaf.__qualname__ = "AccumulateGrad"


def leaf(t: Tensor) -> Leaf:
    """Make this tensor a leaf that requires a gradient, keeping the gradient that it already has."""
    t._n = new = Leaf(t)
    new.grad = getattr(t, "_kept_grad", None)
    return new


class Node:
    """One recorded op call: how to turn the gradient of its result into those of its inputs.

    `plan` says which rules to run; `edges` where their results go; `saved` holds what the rules asked for by name
    and `boxes` the version boxes of the arrays among it; `seq` is the clock at which the node was made; `extra` is how many
    results there are where there are several, or the name that `titled` gave.
    """

    __slots__ = ("__weakref__", "boxes", "dtype", "edges", "extra", "hooks", "plan", "saved", "seq", "shape")

    def __init__(self, plan: Any, edges: Any, saved: Any, boxes: Any, shape: Any, dtype: Any, extra: Any = 0) -> None:
        self.plan, self.edges, self.saved, self.boxes, self.shape, self.dtype = plan, edges, saved, boxes, shape, dtype
        self.extra, self.seq = extra, tick()

    def name(self) -> str:
        """The name of the op, as PyTorch writes it: ``MulBackward0``; of a user's Function ``FnBackward``."""
        if hasattr(self.plan, "cls"):
            return f"{self.plan.cls.__name__}Backward"
        return node_name(self.plan.op.name.rpartition(".")[2].strip("_"), self)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The producers of the inputs, as (node, output index)."""
        found = [(None, 0) if e is None else producer(e) for e in self.edges]
        return tuple((named(node), index) for node, index in found)

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dict for whoever wants to note something about this node."""
        return hooks_of(self).setdefault("metadata", {})

    def register_hook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_inputs, grad_outputs)`` when this node has run; a returned tuple replaces the former."""
        return Handle(hooks_of(self)["post"], hook)

    def register_prehook(self, hook: Callable[..., Any]) -> Any:
        """Call ``hook(grad_outputs)`` before this node runs; a returned tuple replaces them."""
        return Handle(hooks_of(self)["pre"], hook)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class HookedNode(Node):
    """A node that somebody listens to. Its class is the flag, so that other nodes pay nothing."""

    __slots__ = ()


_KINDS: dict[str, type] = {}


def titled(name: str, out: Any) -> Any:
    """A result whose node is known by another name than its op's: PyTorch's for the function that was composed."""
    if out._n.__class__ is Node:
        out._n.extra = name
    return out


def named(node: Any) -> Any:
    """A node as programs see it: of a class of its name, as in PyTorch, and so one that somebody may listen to."""
    if node.__class__ is Node or node.__class__ is HookedNode:
        hooks_of(node)
        name = node.name()
        node.__class__ = _KINDS.get(name) or _KINDS.setdefault(name, type(name, (HookedNode,), {"__slots__": ()}))
    return node


class Output:
    """An edge to one of several results of a node."""

    __slots__ = ("__weakref__", "dtype", "index", "node", "shape")

    def __init__(self, node: Node, index: int, array: Any) -> None:
        self.node, self.index, self.shape, self.dtype = node, index, array.shape, array.dtype

    def __repr__(self) -> str:
        return repr(self.node)


def producer(edge: Any) -> tuple[Any, int]:
    """What an edge leads to, and which of its results."""
    return (edge.node, edge.index) if edge.__class__ is Output else (edge, 0)


def reached(roots: list[Any], after: int = 0) -> set[Any]:
    """The leaves behind some edges, and the nodes that are younger than this."""
    found: set[Any] = set()
    stack = [producer(edge)[0] for edge in roots]
    while stack:
        node = stack.pop()
        if node not in found and getattr(node, "seq", after + 1) > after:
            found.add(node)
            stack += [producer(e)[0] for e in getattr(node, "edges", ()) if e is not None]
    return found


class Handle:
    """What registering a hook returns: ``remove()`` takes it back."""

    _ids = itertools.count()

    def __init__(self, table: dict[int, Any], hook: Any = None) -> None:
        self.id = next(Handle._ids)
        self._table = table
        if hook is not None:
            table[self.id] = hook

    def remove(self) -> None:
        """Take the hook back; a second call does nothing."""
        self._table.pop(self.id, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


Handle.__name__ = Handle.__qualname__ = "RemovableHandle"  # as PyTorch calls it


def hooks_of(node: Node) -> dict[str, dict[int, Any]]:
    """The hooks of a node, which becomes a HookedNode: 'pre' and 'post' on the node, 'grad' and 'retain' on its results."""
    if node.__class__ is Node:
        node.__class__ = HookedNode
        node.hooks = {"pre": {}, "post": {}, "grad": {}, "retain": {}}
    return node.hooks


def changed(box: Box, where: Any = None) -> None:
    """Note that the memory behind this box changes now."""
    box[0] = tick()
    box[1] += 1
    box[2] = where


def is_array(value: Any) -> bool:
    """Whether a kept value is a raw array (NumPy's or CuPy's) and not a plain argument."""
    return isinstance(value, np.ndarray) or (hasattr(value, "__cuda_array_interface__") and hasattr(value, "strides"))
