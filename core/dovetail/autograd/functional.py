"""backward() and grad(): the two ways to ask for gradients."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..absent import later
from ..device import xp
from ..errors import GradError, ShapeError, TypeMismatch, ValueRangeError
from . import engine
from .graph import GradientEdge
from .node import ASKED, CLASSES, Tensor, detached, wrap

__all__ = ["backward", "grad"]


if TYPE_CHECKING:
    from .derivatives import hessian, hvp, jacobian, jvp, vhp, vjp
else:
    __getattr__, __dir__ = later(__name__)  # whole derivatives, written with ops, which stand above this module


def _many(x: Any) -> list[Any]:
    """The tensors of an argument, or of a dict; for an edge of the graph one that stands in its place."""
    x = x.values() if isinstance(x, dict) else x
    many = [x] if x is None or isinstance(x, Tensor) or x.__class__ is GradientEdge else x
    return [_stand_in(t.ownership_token or t.node) if t.__class__ is GradientEdge else t for t in many]


def _stand_in(edge: Any) -> Tensor:
    return wrap(np.broadcast_to(np.zeros((), edge.dtype), edge.shape), edge)


def _start(where: str, t: Any, g: Any, create_graph: bool) -> tuple[Any, Tensor]:
    """Where to begin: the edge of a result, and the gradient that is given for it or implied."""
    if t.__class__ not in CLASSES and t.__class__ not in ASKED:
        raise TypeMismatch(where, f"got {type(t).__name__}", "expected Tensors")
    if t._n is None:
        what = "element 0 of tensors does not require grad and does not have a grad_fn"
        raise GradError(where, what, "", "make an input with requires_grad=True, and call outside no_grad()")
    if g is None:
        if t._a.size != 1:
            what = f"grad can be implicitly created only for scalar outputs (got shape {tuple(t._a.shape)})"
            raise GradError(where, what, "", "reduce with .sum() or .mean(), or pass gradient=")
        if t._a.dtype.kind == "c":
            raise GradError(where, f"grad can be implicitly created only for real scalar outputs but got {t.dtype}", "", "pass gradient=")
        one = t._a.copy()  # quicker than making it anew
        one.fill(1)
        return t._n, wrap(one)
    if not isinstance(g, Tensor):
        raise TypeMismatch(where, f"a gradient is {type(g).__name__}", "expected a Tensor or None")
    if g._a.shape != t._a.shape:
        what = f"grad_output[0] has a shape of {tuple(g._a.shape)} and output[0] has a shape of {tuple(t._a.shape)}"
        raise ShapeError(where, f"Mismatch in shape: {what}")
    if (g._a.dtype.kind == "c") != (t._a.dtype.kind == "c"):
        what = f"Mismatch in dtype: grad_output[0] has a dtype of {g.dtype} and output[0] has a dtype of {t.dtype}"
        raise GradError(where, "For complex Tensors, both grad_output and output are required to have the same dtype", what)
    return t._n, g if create_graph else detached(g)


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
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False, grad_variables: Any = None,
    inputs: Any = None,
) -> None:  # fmt: skip
    """Add the gradients of the leaves behind these tensors to their ``.grad``.

    Raises a GradError (RuntimeError) for a result that is not a scalar and has no gradient given, for a second call
    without ``retain_graph``, and for a kept value that was changed in place.

    >>> import dovetail as dv
    >>> x = dv.tensor([1., 2.], requires_grad=True)
    >>> dv.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            what = "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`"
            raise GradError(f"{what}. Please only use `grad_tensors`.")
        grad_tensors = grad_variables
    wanted = None if inputs is None else [t._n for t in _many(inputs)]
    if wanted == []:
        raise GradError("backward", "inputs argument cannot be empty")
    if wanted and None in wanted:
        what = "One of the differentiated Tensors does not require grad"
        raise GradError("backward", what, f"inputs[{wanted.index(None)}]", "call its requires_grad_() before it is used")
    found = _run("backward", tensors, grad_tensors, retain_graph, create_graph, wanted, True)
    for t in [] if inputs is None else _many(inputs):
        if not t.is_leaf and not t.retains_grad and t._n in found:
            t._grad = found[t._n] if t.grad is None else engine.late.add(t.grad, found[t._n])


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    only_inputs: bool = True, allow_unused: bool | None = None, is_grads_batched: bool = False, materialize_grads: bool = False,
) -> Any:  # fmt: skip
    """Return the gradients of the outputs with respect to the inputs (a tuple, or a dict for a dict), leaving every ``.grad`` alone.

    Raises a GradError (RuntimeError) for an input that the outputs do not depend on, unless ``allow_unused``.

    >>> import dovetail as dv
    >>> x = dv.tensor(3., requires_grad=True)
    >>> dv.autograd.grad(x ** 2, x)
    (tensor(6.),)
    """
    if isinstance(inputs, dict):
        more = (grad_outputs, retain_graph, create_graph, only_inputs, allow_unused, is_grads_batched, materialize_grads)
        return dict(zip(inputs, grad(outputs, list(inputs.values()), *more), strict=True))
    if is_grads_batched:
        from ..ops.join import stack

        seeds = _many(grad_outputs) if grad_outputs is not None else ()
        if not seeds or any(g is None or g.ndim == 0 for g in seeds):
            raise ValueRangeError("grad", "is_grads_batched needs a grad_outputs with a first dimension for each output")
        rows = [grad(outputs, inputs, [g[i] for g in seeds], True, create_graph, True, allow_unused) for i in range(len(seeds[0]))]
        return tuple(None if col[0] is None else stack(list(col)) for col in zip(*rows, strict=True))
    targets = _many(inputs)
    if not targets:
        raise GradError("grad", "grad requires non-empty inputs.")
    if allow_unused is False and materialize_grads:
        what = "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        raise ValueRangeError("grad", what)
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
            out.append(t.new_zeros(t._a.shape, requires_grad=create_graph) if materialize_grads else None)
        else:
            out.append(g if create_graph else detached(g))
    return tuple(out)
