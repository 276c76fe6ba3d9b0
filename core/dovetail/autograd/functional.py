"""backward() and grad(): the two ways to ask for gradients."""

from __future__ import annotations

from typing import Any

from ..device import xp
from ..errors import GradError, ShapeError, TypeMismatch
from . import engine
from .node import CLASSES, Tensor, wrap

__all__ = ["backward", "grad"]


def __getattr__(name: str) -> Any:
    """PyTorch's path of what lies in `derivatives`, which needs ops; ops need this module."""
    if name in ("hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"):
        from . import derivatives

        return getattr(derivatives, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _many(x: Any) -> list[Any]:
    return [x] if x is None or x.__class__ in CLASSES else list(x)


def _roots(where: str, outputs: list[Tensor], grads: Any, create_graph: bool) -> list[tuple[Any, Tensor]]:
    """Pair each result with the gradient it starts from."""
    given = [None] * len(outputs) if grads is None else _many(grads)
    if len(given) != len(outputs):
        raise GradError(where, f"got {len(outputs)} tensors and {len(given)} gradients", "expected as many of each")
    roots = []
    for t, g in zip(outputs, given, strict=True):
        if t.__class__ not in CLASSES:
            raise TypeMismatch(where, f"got {type(t).__name__}", "expected Tensors")
        if t._n is None:
            raise GradError(
                where,
                "element 0 of tensors does not require grad and does not have a grad_fn",
                "",
                "make an input with requires_grad=True, and call outside no_grad()",
            )
        roots.append((t._n, _start(where, t, g, create_graph)))
    return roots


def _start(where: str, t: Tensor, g: Any, create_graph: bool) -> Tensor:
    if g is None:
        if t._a.size != 1:
            raise GradError(
                where,
                f"grad can be implicitly created only for scalar outputs (got shape {tuple(t._a.shape)})",
                "",
                "reduce with .sum() or .mean(), or pass gradient=",
            )
        return wrap(xp(t._a).ones(t._a.shape, t._a.dtype))
    if g.__class__ not in CLASSES:
        raise TypeMismatch(where, f"a gradient is {type(g).__name__}", "expected a Tensor or None")
    if g._a.shape != t._a.shape:
        raise ShapeError(
            where, f"Mismatch in shape: grad_output[0] has a shape of {tuple(g._a.shape)} and output[0] has a shape of {tuple(t._a.shape)}"
        )
    return g if create_graph else wrap(g._a, None, g._v)


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
) -> None:
    """Add the gradients of the leaves behind these tensors to their ``.grad``.

    Raises a GradError (RuntimeError) for a result that is not a scalar and has no gradient given, for a second call
    without ``retain_graph``, and for a kept value that was changed in place.

    >>> import dovetail as dv
    >>> x = dv.tensor([1., 2.], requires_grad=True)
    >>> dv.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    roots = _roots("backward", _many(tensors), grad_tensors, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    wanted = None
    if inputs is not None:
        wanted = [t._n for t in _many(inputs)]
        if not wanted:
            raise GradError("backward", "inputs argument cannot be empty")
    engine.run(roots, keep=keep, create_graph=create_graph, wanted=wanted)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of the outputs with respect to the inputs, leaving every ``.grad`` alone.

    Raises a GradError (RuntimeError) for an input that the outputs do not depend on, unless ``allow_unused``.

    >>> import dovetail as dv
    >>> x = dv.tensor(3., requires_grad=True)
    >>> dv.autograd.grad(x ** 2, x)
    (tensor(6.),)
    """
    if is_grads_batched:
        rows = [
            grad(outputs, inputs, [g[i] for g in _many(grad_outputs)], True, create_graph, True, allow_unused)
            for i in range(len(_many(grad_outputs)[0]))
        ]
        from ..ops.shape import stack

        return tuple(None if col[0] is None else stack(list(col)) for col in zip(*rows, strict=True))
    targets = _many(inputs)
    for i, t in enumerate(targets):
        if t._n is None:
            raise GradError("grad", f"One of the differentiated Tensors does not require grad (input {i})")
    roots = _roots("grad", _many(outputs), grad_outputs, create_graph)
    keep = create_graph if retain_graph is None else retain_graph
    found = engine.run(roots, keep=keep, create_graph=create_graph, wanted=[t._n for t in targets], accumulate=False)
    out: list[Tensor | None] = []
    for i, t in enumerate(targets):
        g = found.get(t._n)
        if g is None:
            g = _unused(i, t, materialize_grads or False, allow_unused if allow_unused is not None else materialize_grads)
        elif not create_graph:
            g = wrap(g._a, None, g._v)
        out.append(g)
    return tuple(out)


def _unused(i: int, t: Tensor, zeros: bool, allowed: bool) -> Tensor | None:
    if not allowed:
        raise GradError(
            "grad",
            f"One of the differentiated Tensors appears to not have been used in the graph (input {i})",
            "",
            "Set allow_unused=True if this is the desired behavior",
        )
    return wrap(xp(t._a).zeros(t._a.shape, t._a.dtype)) if zeros else None
