"""Layers whose input size the first input tells."""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from .module import Module
from .parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin(Module):
    """Beside a layer class, it makes one that waits: ``initialize_parameters`` runs before the first forward.

    A subclass says in ``cls_to_become`` which class it turns into then.
    """

    cls_to_become: type[Module] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__["_initialize_hook"] = self.register_forward_pre_hook(_infer, with_kwargs=True)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give every waiting parameter its shape, by the first input."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module still waits."""
        return any(is_lazy(t) for t in [*self._parameters.values(), *self._buffers.values()])


class LazyLayer(LazyModuleMixin):
    """A lazy layer of this library: one size of it, the attribute ``_told``, is zero until the first input tells."""

    _told: str

    def reset_parameters(self) -> None:
        """Set the initial values, once the shapes are known."""
        if not self.has_uninitialized_params() and getattr(self, self._told) != 0:
            super().reset_parameters()  # type: ignore[misc]

    def _materialize(self, **shapes: tuple[int, ...]) -> None:
        for name, shape in shapes.items():
            if getattr(self, name) is not None:
                getattr(self, name).materialize(shape)
        self.reset_parameters()


def lazy(base: type[LazyLayer], kind: type[Module]) -> Any:
    """The lazy form of a layer, which becomes that layer."""
    doc = f"A {kind.__name__} whose ``{base._told}`` its first input tells."
    return type(f"Lazy{kind.__name__}", (base, kind), {"__doc__": doc, "cls_to_become": kind, "__module__": kind.__module__})


def _infer(module: Any, args: Any, kwargs: Any) -> None:
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise ShapeError(type(module).__name__, "module has not been fully initialized")
    module.__dict__.pop("_initialize_hook").remove()
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
