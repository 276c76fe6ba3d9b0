"""Forward derivatives in PyTorch's form, ``autograd.forward_ad``: dual tensors whose tangents two backward passes give.

A dual tensor is the primal with a mark in the graph. `unpack_dual` differentiates ``uᵀ J`` by u, which is ``J t``; so what lies
between has to be recorded, and a tangent that is asked for under ``no_grad`` is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import GradError, ShapeError, UnsupportedError
from ..ops.create import zeros_like
from .functional import grad
from .modes import is_grad_enabled

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

_levels: list[list[tuple[Any, Any]]] = []  # of each level that is open: (dual tensor, tangent)


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns."""

    primal: Any
    tangent: Any


def enter_dual_level() -> int:
    """Open a level. Raises a RuntimeError inside another one: forward derivatives do not nest, here as in PyTorch."""
    if _levels:
        raise GradError("enter_dual_level", "Nested forward mode AD is not supported at the moment")
    _levels.append([])
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level, and forget its tangents. Raises a RuntimeError where none is open."""
    if not _levels or level not in (None, 0):
        raise GradError("exit_dual_level", "Trying to exit a forward AD level that was not the last one that was created")
    _levels.pop()


class dual_level:
    """The block in which dual tensors live.

    >>> import dovetail as dv
    >>> import dovetail.autograd.forward_ad as forward_ad
    >>> with dual_level():
    ...     x = make_dual(dv.tensor([3.]), dv.tensor([1.]))
    ...     print(unpack_dual(x ** 2).tangent)
    tensor([6.])
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *_: object) -> None:
        exit_dual_level()


def _open(where: str, level: int | None) -> list[tuple[Any, Any]]:
    if not _levels or level not in (None, 0):
        raise GradError(where, f"Trying to {where.replace('_', ' ')} outside a level", "", "use it inside `with dual_level():`")
    return _levels[-1]


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """A tensor of the same values that carries a tangent of the same shape. Raises a RuntimeError for another one."""
    held = _open("make_dual", level)
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise ValueError(f"Expected primal to be floating point or complex, but got: {tensor.dtype}")
    if not (tangent.is_floating_point() or tangent.is_complex()):
        raise ValueError(f"Expected tangent to be floating point or complex, but got: {tangent.dtype}")
    if tensor.shape != tangent.shape:
        what = f"Expected tangent to have the same size as the primal (got {tuple(tangent.shape)} and {tuple(tensor.shape)})"
        raise ShapeError("make_dual", what)
    dual = tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
    held.append((dual, tangent.to(tensor.dtype)))
    return dual


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """The values of a tensor, and its tangent, None where it depends on no dual tensor."""
    if not _levels:
        return UnpackedDualTensor(tensor, None)
    held = _open("unpack_dual", level)
    if not is_grad_enabled():
        raise UnsupportedError("unpack_dual", "tangents come from recorded operations", "", "leave no_grad() and inference_mode()")
    for dual, tangent in held:
        if dual is tensor:
            return UnpackedDualTensor(tensor.detach(), tangent)
    if not held or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    u = zeros_like(tensor).requires_grad_()
    back = grad(tensor, [dual for dual, _ in held], u, create_graph=True, allow_unused=True)
    pairs = [(b, t) for b, (_, t) in zip(back, held, strict=True) if b is not None]
    if not pairs:
        return UnpackedDualTensor(tensor, None)
    linked = [(b, t) for b, t in pairs if b.requires_grad]
    if not linked:
        return UnpackedDualTensor(tensor.detach(), zeros_like(tensor))
    weights = [t.conj() for _, t in linked]
    found = grad([b for b, _ in linked], u, weights, retain_graph=True, allow_unused=True)[0]
    return UnpackedDualTensor(tensor.detach(), zeros_like(tensor) if found is None else found.conj())
