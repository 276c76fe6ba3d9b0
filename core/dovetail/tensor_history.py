"""A tensor's place in the graph: whether it is recorded, its gradient, its hooks, and leaving the graph."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from .autograd import functional
from .autograd.modes import INFERENCE, STATE
from .autograd.node import CLASSES, HookedNode, Leaf, Tensor, hooks_of, leaf, named, producer, wrap
from .autograd.node import Handle as RemovableHandle
from .errors import DtypeError, GradError, ShapeError, TypeMismatch

__all__ = ["History"]


class History:
    """Copied onto Tensor member by member, as those of Attributes are."""

    _a: Any
    _n: Any
    _v: Any
    _kept_grad: Any
    dtype: Any

    @property
    def requires_grad(self) -> bool:
        """Whether operations on it are recorded."""
        return self._n is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value.__class__ is not bool:
            raise GradError("requires_grad", f"must be a bool, got {value!r}")
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Start or stop recording operations on this tensor, which must be a leaf to stop."""
        n = self._n
        if requires_grad.__class__ is not bool:
            what = f"argument 'requires_grad' (position 1) must be bool, not {type(requires_grad).__name__}"
            raise TypeMismatch("requires_grad_()", what)
        if requires_grad and n is None:
            if self._v[0] == float("inf") and not STATE.word & INFERENCE:
                what = "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed"
                raise GradError("requires_grad_", what, "", "clone() it first")
            if self._a.dtype.kind not in "fcV":
                what = f"only Tensors of floating point and complex dtype can require gradients (got {self.dtype})"
                raise DtypeError("requires_grad_", what)
            leaf(self)  # type: ignore[arg-type]
        elif not requires_grad and n is not None:
            if n.__class__ is not Leaf:
                raise GradError("requires_grad_", "you can only change requires_grad flags of leaf variables", "", "use detach()")
            self._kept_grad, self._n = n.grad, None
        return self

    @property
    def grad(self) -> Any:
        """The accumulated gradient, or None."""
        n = self._n
        return n.grad if n.__class__ is Leaf else getattr(self, "_kept_grad", None)

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeMismatch("grad", f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
            if value._a.shape != self._a.shape:
                what = f"assigned grad has data of a different size (grad {tuple(value._a.shape)}, tensor {tuple(self._a.shape)})"
                raise ShapeError("grad", what)
            if value._a.dtype != self._a.dtype:
                raise DtypeError("grad", f"assigned grad has data of a different type (grad {value.dtype}, tensor {self.dtype})")
        if self._n.__class__ is Leaf:
            self._n.grad = value
        else:
            self._kept_grad = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    _grad = grad  # as older programs call it

    @property
    def grad_fn(self) -> Any:
        """The node that produced it, or None for a leaf."""
        return None if self._n is None or self._n.__class__ is Leaf else named(producer(self._n)[0])

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation produced it."""
        return self._n is None or self._n.__class__ is Leaf

    @property
    def output_nr(self) -> int:
        """Which of its producer's results it is."""
        return producer(self._n)[1]

    @property
    def _version(self) -> int:
        if self._v[0] == float("inf"):
            raise GradError("_version", "Inference tensors do not track version counter.")
        return int(self._v[1])

    @property
    def _base(self) -> Any:
        view = getattr(self, "_b", None)
        return None if view is None else view[0] if view[0]._base is None else view[0]._base

    def _is_view(self) -> bool:
        return getattr(self, "_b", None) is not None

    def backward(self, gradient: Any = None, retain_graph: Any = None, create_graph: bool = False, inputs: Any = None) -> None:
        """Add the gradients of this tensor's leaves to their ``.grad``; see :func:`dovetail.autograd.backward`."""
        functional.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    @property
    def data(self) -> Tensor:
        """The same memory, without history and with a version of its own."""
        return wrap(self._a)

    @data.setter
    def data(self, value: Any) -> None:
        if value.__class__ not in CLASSES:
            raise TypeMismatch("data", f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._n is not None and value._a.dtype.kind not in "fcV":
            text = "data set to a tensor that requires gradients must be floating point or complex dtype"
            raise DtypeError("data", text, f"got {value.dtype}", "convert it with .to(dtype)")
        self._a = value._a
        if self._n.__class__ is Leaf:
            self._n.shape, self._n.dtype = value._a.shape, value._a.dtype

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf in ``.grad``."""
        if self._n is None:
            raise GradError("retain_grad", "can't retain_grad on Tensor that has requires_grad=False")
        if self._n.__class__ is not Leaf:
            node, index = producer(self._n)
            hooks_of(node)["retain"][index] = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad`` was called."""
        node, index = producer(self._n)
        return isinstance(node, HookedNode) and index in node.hooks["retain"]

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(grad)`` when this tensor's gradient is known; what it returns replaces it."""
        if self._n is None:
            raise GradError("register_hook", "cannot register a hook on a tensor that doesn't require gradient")
        if self._n.__class__ is Leaf:
            return RemovableHandle(self._n.hooks, hook)
        node, index = producer(self._n)
        return RemovableHandle(hooks_of(node)["grad"].setdefault(index, {}), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(tensor)`` after this leaf's ``.grad`` has been updated."""
        if self._n.__class__ is not Leaf:
            raise GradError("register_post_accumulate_grad_hook", "post accumulate grad hooks cannot be registered on non-leaf tensors")
        return RemovableHandle(self._n.after, hook)
