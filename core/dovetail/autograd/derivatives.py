"""Whole derivatives of a function: Jacobian and Hessian, and their products with a vector. `functional` has them by these names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import AssertedError, GradError, TypeMismatch, UnsupportedError
from ..ops.create import ones_like, zeros_like
from ..ops.join import stack
from .functional import grad
from .modes import enable_grad
from .node import CLASSES, Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp", "weighted"]

Func = Callable[..., Any]


def _tuple(where: str, values: Any) -> tuple[Any, ...]:
    found = values if isinstance(values, tuple) else tuple(values) if isinstance(values, list) else (values,)
    for i, t in enumerate(found):
        if t.__class__ not in CLASSES:
            raise TypeMismatch(where, f"value {i} is {type(t).__name__}", "expected a Tensor or a tuple of Tensors")
    return found


def _called(where: str, func: Func, inputs: Any, linked: bool) -> tuple[tuple[Any, ...], Any, tuple[Any, ...]]:
    """Fresh tensors to differentiate by, which with `linked` keep their history; what the function gives, and that as a tuple."""
    given = _tuple(where, inputs)
    ins = tuple(t.view_as(t) if linked and t.requires_grad else t.detach().requires_grad_() for t in given)
    found = func(*ins)
    return ins, found, _tuple(where, found)


def _one(found: tuple[Any, ...], like: Any) -> Any:
    return found if isinstance(like, tuple | list) else found[0]


def weighted(outs: Any, ins: Any, weights: Any, create_graph: bool) -> Any:
    """The gradients of the sum of weights times outputs by some inputs, None where nothing depends; the graph stays."""
    pairs = [(o, w) for o, w in zip(outs, weights, strict=True) if o is not None and o.requires_grad]
    if not pairs:
        return (None,) * len(ins)
    return grad([o for o, _ in pairs], ins, [w for _, w in pairs], True, create_graph, allow_unused=True)


def _products(where: str, outs: Any, ins: Any, v: Any, create_graph: bool, strict: bool) -> tuple[Any, ...]:
    """Gradients of Σ v·out, zero where nothing depends (an error with `strict`)."""
    found = weighted(outs, ins, v, create_graph)
    if strict and not any(o.requires_grad for o in outs):
        raise GradError(where, "Output 0 of the user-provided function does not require gradients", "", "use strict=False")
    for i, g in enumerate(found):
        if g is None and strict:
            raise GradError(where, f"Output of the user-provided function is independent of input {i}", "", "use strict=False")
    return tuple(zeros_like(t) if g is None else g for t, g in zip(ins, found, strict=True))


def _vector(where: str, v: Any, like: tuple[Any, ...]) -> tuple[Any, ...]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            whose = "user-provided function returns" if where == "vjp" else "input to the user-provided function is"
            raise GradError(where, f"The vector v can only be None if the {whose} a single Tensor with a single element")
        return (ones_like(like[0]),)
    found = _tuple(where, v)
    if [w.shape for w in found] != [t.shape for t in like]:
        what = f"v has invalid size: should be {[tuple(t.shape) for t in like]} but got {[tuple(w.shape) for w in found]}"
        raise GradError(where, what)
    return found


def _loose(found: Any, create_graph: bool) -> Any:
    return found if create_graph else tuple(t.detach() for t in found)


def jacobian(
    func: Func, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False, strategy: str = "reverse-mode"
) -> Any:
    """``J[i, j] = d out_i / d in_j``, of shape (*out, *in); nested tuples where there are several outputs or inputs.

    `vectorize` and `strategy` change no number: there is one way. Raises a RuntimeError with `strict` for an independent output, and for
    what PyTorch does not combine.

    >>> import dovetail as dv
    >>> dv.autograd.functional.jacobian(lambda x: x ** 2, dv.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertedError("jacobian", f"strategy is {strategy!r}", "expected 'reverse-mode' or 'forward-mode'")
    if strategy == "forward-mode" and not vectorize:
        raise UnsupportedError("jacobian", "strategy='forward-mode' is only there with vectorize=True")
    if strict and vectorize:
        raise GradError("jacobian", "strict=True and vectorize=True are not supported together")
    with enable_grad():
        (ins, given, outs), blocks = _called("jacobian", func, inputs, create_graph), []
        for out in outs:
            flat = out.reshape(-1)
            rows = [_products("jacobian", (y,), ins, (ones_like(y),), create_graph, strict) for y in flat.unbind(0)]
            parts = [stack(list(column)) for column in zip(*rows, strict=True)] if rows else [t.new_zeros(0) for t in ins]
            shaped = [p.view((*out.shape, *t.shape)) for p, t in zip(parts, ins, strict=True)]
            blocks.append(_one(tuple(_loose(shaped, create_graph)), inputs))
    return _one(tuple(blocks), given)


def hessian(
    func: Func, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """``H[i, j] = d² out / d in_i d in_j`` of a function with one element, of shape (*in, *in). Raises a RuntimeError for several.

    >>> import dovetail as dv
    >>> dv.autograd.functional.hessian(lambda x: (x ** 3).sum(), dv.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def gradient(*ins: Tensor) -> Any:
        found = jacobian(lambda *xs: _scalar("hessian", func(*xs)).reshape(()), ins, create_graph=True)
        return _one(found, inputs)

    found = jacobian(
        gradient, inputs if isinstance(inputs, tuple | list) else (inputs,), create_graph, strict, vectorize, outer_jacobian_strategy
    )
    return found if isinstance(inputs, tuple | list) else found[0]


def _scalar(where: str, out: Any) -> Any:
    if isinstance(out, tuple | list):
        raise GradError(where, f"The function given to {where} should return a single Tensor, got a {type(out).__name__} of {len(out)}")
    (found,) = _tuple(where, out)
    if found.numel() != 1:
        raise GradError(where, f"The Tensor returned by the function given to {where} should contain a single element")
    return found


def vjp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The outputs, and ``vᵀ J``: what backward computes.

    >>> import dovetail as dv
    >>> dv.autograd.functional.vjp(lambda x: x ** 2, dv.tensor([3.]), dv.tensor([1.]))
    (tensor([9.]), tensor([6.]))
    """
    with enable_grad():
        ins, given, outs = _called("vjp", func, inputs, create_graph)
        found = _products("vjp", outs, ins, _vector("vjp", v, outs), create_graph, strict)
    return _one(_loose(outs, create_graph), given), _one(_loose(found, create_graph), inputs)


def jvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The outputs, and ``J v``, by differentiating ``uᵀ J`` by u.

    >>> import dovetail as dv
    >>> dv.autograd.functional.jvp(lambda x: x ** 2, dv.tensor([3.]), dv.tensor([2.]))
    (tensor([9.]), tensor([12.]))
    """
    with enable_grad():
        ins, given, outs = _called("jvp", func, inputs, create_graph)
        u = tuple(zeros_like(o).requires_grad_() for o in outs)
        back = _products("jvp", outs, ins, u, True, strict)
        found = _products("jvp", back, u, _vector("jvp", v, ins), create_graph, False)
    return _one(_loose(outs, create_graph), given), _one(_loose(found, create_graph), given)


def hvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The one output, and ``H v``.

    >>> import dovetail as dv
    >>> dv.autograd.functional.hvp(lambda x: (x ** 3).sum(), dv.tensor([1., 2.]), dv.tensor([1., 1.]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return _second("hvp", func, inputs, v, create_graph, strict)


def vhp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """The one output, and ``vᵀ H``: the same numbers as `hvp`, since the Hessian is symmetric.

    >>> import dovetail as dv
    >>> dv.autograd.functional.vhp(lambda x: (x ** 3).sum(), dv.tensor([1., 2.]), dv.tensor([1., 1.]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return _second("vhp", func, inputs, v, create_graph, strict)


def _second(where: str, func: Func, inputs: Any, v: Any, create_graph: bool, strict: bool) -> tuple[Any, Any]:
    with enable_grad():
        ins, given, _ = _called(where, func, inputs, create_graph)
        out = _scalar(where, given)
        first = _products(where, (out,), ins, (ones_like(out),), True, strict)
        found = _products(where, first, ins, _vector(where, v, ins), create_graph, strict)
    return _loose((out,), create_graph)[0], _one(_loose(found, create_graph), inputs)
