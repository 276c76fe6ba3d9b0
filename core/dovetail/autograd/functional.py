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


def _start(where: str, t: Any, g: Any, create_graph: bool) -> tuple[Any, Tensor]:
    """Where to begin: the edge of a result, and the gradient that is given for it or implied."""
    if t.__class__ not in CLASSES:
        raise TypeMismatch(where, f"got {type(t).__name__}", "expected Tensors")
    if t._n is None:
        what = "element 0 of tensors does not require grad and does not have a grad_fn"
        raise GradError(where, what, "", "make an input with requires_grad=True, and call outside no_grad()")
    if g is None:
        if t._a.size != 1:
            what = f"grad can be implicitly created only for scalar outputs (got shape {tuple(t._a.shape)})"
            raise GradError(where, what, "", "reduce with .sum() or .mean(), or pass gradient=")
        return t._n, wrap(xp(t._a).ones(t._a.shape, t._a.dtype))
    if g.__class__ not in CLASSES:
        raise TypeMismatch(where, f"a gradient is {type(g).__name__}", "expected a Tensor or None")
    if g._a.shape != t._a.shape:
        what = f"grad_output[0] has a shape of {tuple(g._a.shape)} and output[0] has a shape of {tuple(t._a.shape)}"
        raise ShapeError(where, f"Mismatch in shape: {what}")
    return t._n, g if create_graph else wrap(g._a, None, g._v)


def _run(where: str, outputs: Any, grads: Any, retain_graph: bool | None, create_graph: bool, wanted: Any, accumulate: bool) -> Any:
    """Pair each result with its gradient and send them backward."""
    results = _many(outputs)
    given = [None] * len(results) if grads is None else _many(grads)
    if len(given) != len(results):
        raise GradError(where, f"got {len(results)} tensors and {len(given)} gradients", "expected as many of each")
    roots = [_start(where, t, g, create_graph) for t, g in zip(results, given, strict=True)]
    keep = create_graph if retain_graph is None else retain_graph
    return engine.run(roots, keep=keep, create_graph=create_graph, wanted=wanted, accumulate=accumulate)


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
    wanted = None if inputs is None else [t._n for t in _many(inputs)]
    if wanted == []:
        raise GradError("backward", "inputs argument cannot be empty")
    _run("backward", tensors, grad_tensors, retain_graph, create_graph, wanted, True)


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    only_inputs: bool = True, allow_unused: bool | None = None, is_grads_batched: bool = False, materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """Return the gradients of the outputs with respect to the inputs, leaving every ``.grad`` alone.

    Raises a GradError (RuntimeError) for an input that the outputs do not depend on, unless ``allow_unused``.

    >>> import dovetail as dv
    >>> x = dv.tensor(3., requires_grad=True)
    >>> dv.autograd.grad(x ** 2, x)
    (tensor(6.),)
    """
    if is_grads_batched:
        from ..ops.shape import stack

        seeds = _many(grad_outputs)
        rows = [grad(outputs, inputs, [g[i] for g in seeds], True, create_graph, True, allow_unused) for i in range(len(seeds[0]))]
        return tuple(None if col[0] is None else stack(list(col)) for col in zip(*rows, strict=True))
    targets = _many(inputs)
    if not targets:
        raise GradError("grad", "`inputs` argument to `grad()` cannot be empty.")
    for i, t in enumerate(targets):
        if t._n is None:
            raise GradError("grad", f"One of the differentiated Tensors does not require grad (input {i})")
    found = _run("grad", outputs, grad_outputs, retain_graph, create_graph, [t._n for t in targets], False)
    out: list[Tensor | None] = []
    for i, t in enumerate(targets):
        g = found.get(t._n)
        if g is None and not (materialize_grads if allow_unused is None else allow_unused):
            what = f"One of the differentiated Tensors appears to not have been used in the graph (input {i})"
            raise GradError("grad", what, "", "Set allow_unused=True if this is the desired behavior")
        if g is None:
            out.append(wrap(xp(t._a).zeros(t._a.shape, t._a.dtype)) if materialize_grads else None)
        else:
            out.append(g if create_graph else wrap(g._a, None, g._v))
    return tuple(out)
