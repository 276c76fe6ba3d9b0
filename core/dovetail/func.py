"""Transforms of functions: gradients, Jacobians and products with them, and a map over a dimension, which nest in any order.

Derivatives are taken by the engine that `backward` uses, in reverse mode; forward-mode names (`jvp`, `jacfwd`) give the same numbers by two
backward passes. `vmap` is a loop (samplewise.py). Under ``dovetail.func``, as PyTorch's ``torch.func``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .autograd.derivatives import jacobian, weighted
from .autograd.functional import grad as _grad
from .autograd.modes import enable_grad, is_grad_enabled
from .autograd.node import CLASSES, Leaf, Tensor, reached
from .errors import DtypeError, GradError, ShapeError, ValueRangeError
from .graph.graph import mapped
from .nn.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm
from .nn.utils import stateless
from .ops.create import zeros_like
from .ops.join import stack
from .samplewise import vmap

__all__ = [
    "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

Func = Callable[..., Any]


def _tensors(tree: Any) -> list[Tensor]:
    found: list[Any] = []
    mapped(tree, found.append)
    return [t for t in found if t.__class__ in CLASSES]


def _fresh(where: str, tree: Any) -> Any:
    """The same values as tensors to differentiate by; what has a history keeps it, so that transforms nest."""

    def one(t: Any) -> Any:
        if t.__class__ not in CLASSES:
            what = f"an argument to differentiate by is {type(t).__name__}"
            raise ValueRangeError(where, what, "expected Tensors, also in tuples and dicts")
        if not (t.is_floating_point() or t.is_complex()):
            raise DtypeError(where, f"an argument to differentiate by has type {t.dtype}", "expected a floating type")
        return t.view_as(t) if t.requires_grad else t.detach().requires_grad_()

    return mapped(tree, one)


def _settled(tree: Any, own: list[Tensor]) -> Any:
    """The results, cut from the graph where only the transform's own inputs asked for one."""
    mine = {t._n for t in own}
    keep = is_grad_enabled()

    def one(t: Any) -> Any:
        if t.__class__ not in CLASSES or not t.requires_grad:
            return t
        others = keep and any(n.__class__ is Leaf and n not in mine for n in reached([t._n]))  # its history leads to other leaves
        return t if others else t.detach()

    return mapped(tree, one)


def _numbers(where: str, argnums: Any, count: int) -> tuple[int, ...]:
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    if not numbers:
        raise GradError(where, "argnums must be non-empty", "expected a number or a tuple of numbers", "argnums=0 is the first argument")
    for n in numbers:
        if not isinstance(n, int) or not -count <= n < count:
            raise GradError(where, f"argnums is {argnums} and there are {count} positional arguments", "expected numbers of arguments")
    if len({n % count for n in numbers}) < len(numbers):
        raise GradError(where, f"argnums elements must be unique, got {argnums}")
    return tuple(n % count for n in numbers)


def _split(where: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise GradError(where, f"the function gave {type(result).__name__}", "expected a pair (output, aux), because of has_aux")
    _only_tensors(where, result[1])
    return result


def _only_tensors(where: str, out: Any) -> Any:
    """Values, all of whose parts must be tensors."""

    def one(t: Any) -> Any:
        if t.__class__ not in CLASSES:
            raise GradError(where, f"Expected tensors, got unsupported type {type(t)}", "", "put them into tuples and dicts")
        return t

    return mapped(out, one)


def _some_tensors(where: str, out: Any) -> list[Tensor]:
    """The tensors of an output, which must have one."""
    if not (found := _tensors(_only_tensors(where, out))):
        raise GradError(where, "Expected at least one Tensor, and a non-empty output", f"got {out!r}")
    return found


def _form(tree: Any) -> Any:
    """The structure of a tree, to be compared."""
    return mapped(tree, lambda t: None)


def _filled(found: Sequence[Any], like: Sequence[Tensor]) -> list[Tensor]:
    return [zeros_like(t) if g is None else g for g, t in zip(found, like, strict=True)]


def _regrown(tree: Any, values: Sequence[Any]) -> Any:
    """The structure of a tree with these in the place of its tensors, in order."""
    rest = iter(values)
    return mapped(tree, lambda t: next(rest) if t.__class__ in CLASSES else t)


def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: dict[str, Any] | None = None, *, tie_weights: bool = True,
    strict: bool = False,
) -> Any:  # fmt: skip
    """Call a module with tensors in place of its parameters and buffers, which come back afterwards.

    Tied weights are replaced together unless ``tie_weights`` is False; different tensors for them are a ValueError. Other keys are
    attributes during the call; with ``strict`` they are a RuntimeError, and missing ones too. What ``forward`` assigns in the place of
    a tensor is in the dict afterwards. An AttributeError for a key below a module that is not there, a TypeError for what is no tensor.

    >>> import dovetail as dv
    >>> layer = dv.nn.Linear(1, 1)
    >>> functional_call(layer, {"weight": dv.tensor([[2.]]), "bias": dv.tensor([1.])}, dv.tensor([3.]))
    tensor([7.])
    """
    return stateless._functional_call(module, parameter_and_buffer_dicts, args, kwargs, tie_weights, strict)


def grad_and_value(func: Func, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Func:
    """Make a function that gives the gradient of a scalar function, and its value.

    >>> import dovetail as dv
    >>> grad_and_value(lambda x: (x ** 2).sum())(dv.tensor([1., 3.]))
    (tensor([2., 6.]), tensor(10.))
    """

    @functools.wraps(func)
    def inside(*args: Any, **kwargs: Any) -> Any:
        numbers = _numbers("grad", argnums, len(args))
        with enable_grad():
            fresh = {n: _fresh("grad", args[n]) for n in numbers}
            out, aux = _split("grad", func(*(fresh.get(i, a) for i, a in enumerate(args)), **kwargs), has_aux)
            if out.__class__ not in CLASSES or out.dim():
                seen = f"a tensor of shape {tuple(out.shape)}" if out.__class__ in CLASSES else type(out).__name__
                raise ShapeError("grad", f"the function gave {seen}", "expected a scalar tensor")
            wanted = [t for n in numbers for t in _tensors(fresh[n])]
            found = _grad(out, wanted, create_graph=True, allow_unused=True) if out.requires_grad else [None] * len(wanted)
            grads = _regrown(tuple(fresh[n] for n in numbers), _filled(found, wanted))
        grads, out, aux = _settled((grads, out, aux), wanted)
        first = grads if isinstance(argnums, tuple) else grads[0]
        return (first, (out, aux)) if has_aux else (first, out)

    return inside


def grad(func: Func, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Func:
    """Make a function that gives the gradient of a scalar function.

    >>> import dovetail as dv
    >>> grad(grad(dv.sin))(dv.tensor(0.5)) == -dv.sin(dv.tensor(0.5))
    tensor(True)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def inside(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return inside


def vjp(func: Func, *primals: Any, has_aux: bool = False) -> Any:
    """The output, and a function that gives ``vᵀ J`` for a ``v`` of the output's structure.

    >>> import dovetail as dv
    >>> out, pull = vjp(dv.sin, dv.tensor([0., 1.]))
    >>> pull(dv.ones(2))[0]
    tensor([1.0000, 0.5403])
    """
    with enable_grad():
        fresh = _fresh("vjp", primals)
        out, aux = _split("vjp", func(*fresh), has_aux)
    outs, wanted = _some_tensors("vjp", out), _tensors(fresh)

    def pull(given: Any, retain_graph: bool | None = None, create_graph: bool | None = None) -> Any:
        if _form(given) != _form(out):
            raise GradError("vjp", f"the vector has the structure {_form(given)}", f"expected that of the output, {_form(out)}")
        v = _tensors(given)
        if [t.shape for t in v] != [t.shape for t in outs]:
            what = f"the vector has shapes {[tuple(t.shape) for t in v]}"
            raise ShapeError("vjp", what, f"expected those of the output, {[tuple(t.shape) for t in outs]}")
        with enable_grad():
            found = weighted(outs, wanted, v, True)
        return _settled(_regrown(fresh, _filled(found, wanted)), wanted)

    shown = _settled(out, wanted)
    return (shown, pull, _settled(aux, wanted)) if has_aux else (shown, pull)


def jvp(func: Func, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """The output and ``J v``, for primals and tangents in tuples.

    >>> import dovetail as dv
    >>> jvp(dv.sin, (dv.tensor(0.),), (dv.tensor(2.),))
    (tensor(0.), tensor(2.))
    """
    for name, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple) or not value:
            raise GradError("jvp", f"Expected {name} to be a tuple, got {type(value).__name__}", "it should be valid to call f(*primals)")
    inner, across = _some_tensors("jvp", primals), _some_tensors("jvp", tangents)
    if _form(primals) != _form(tangents):
        raise GradError("jvp", f"primals are {_form(primals)} and tangents {_form(tangents)}", "Expected the same python structure")
    if [t.shape for t in inner] != [t.shape for t in across]:
        what = f"primals have shapes {[tuple(t.shape) for t in inner]} and tangents {[tuple(t.shape) for t in across]}"
        raise ShapeError("jvp", what, "expected the same")
    with enable_grad():
        fresh = _fresh("jvp", primals)
        out, aux = _split("jvp", func(*fresh), has_aux)
        outs, wanted = _some_tensors("jvp", out), _tensors(fresh)
        dummies = [zeros_like(o).requires_grad_() for o in outs]
        found = weighted(weighted(outs, wanted, dummies, True), dummies, across, True)
        if strict and any(g is None for g in found):
            raise GradError("jvp", "an output is independent of the inputs", "expected none with strict=True")
        moved = _regrown(out, _filled(found, outs))
    out, moved, aux = _settled((out, moved, aux), [*wanted, *dummies])
    return (out, moved, aux) if has_aux else (out, moved)


def linearize(func: Func, *primals: Any) -> Any:
    """The output, and a function of tangents that gives ``J v`` at these primals."""
    fixed = mapped(primals, lambda t: t.detach().requires_grad_(t.requires_grad) if t.__class__ in CLASSES else t)
    return func(*primals), lambda *tangents: jvp(func, fixed, tangents)[1]


def jacrev(func: Func, argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False, chunk_size: int | None = None, **_: Any) -> Func:
    """Make a function that gives the Jacobian, of shape ``(*out, *in)``.

    >>> import dovetail as dv
    >>> jacrev(lambda x: x ** 2)(dv.tensor([1., 2.]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    if chunk_size is not None and chunk_size < 1:
        raise ValueRangeError("jacrev", f"chunk_size is {chunk_size}", "expected a number greater than 0, or None")

    @functools.wraps(func)
    def inside(*args: Any, **kwargs: Any) -> Any:
        numbers = _numbers("jacrev", argnums, len(args))
        side: dict[str, Any] = {}
        with enable_grad():
            fresh = _fresh("jacrev", tuple(args[n] for n in numbers))
        mine = _tensors(fresh)
        if any(t.is_complex() for t in mine):
            raise GradError("jacrev", "an input is complex", "expected all inputs to be real", "take torch.view_as_real of it")

        def flat(*values: Any) -> Any:
            given = dict(zip(numbers, _regrown(fresh, values), strict=True))
            out, side["aux"] = _split("jacrev", func(*(given.get(i, a) for i, a in enumerate(args)), **kwargs), has_aux)
            side["out"], found = out, _some_tensors("jacrev", out)
            if any(t.is_complex() for t in found):
                raise GradError("jacrev", "an output is complex", "Expected all outputs to be real", "take torch.view_as_real of it")
            return tuple(found)

        parts = iter(jacobian(flat, tuple(mine), create_graph=True))

        def one(_: Any) -> Any:
            whole = _regrown(fresh, next(parts))
            return whole if isinstance(argnums, tuple) else whole[0]

        found, aux = _settled((mapped(side["out"], one), side["aux"]), mine)
        return (found, aux) if has_aux else found

    return inside


def jacfwd(func: Func, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, *, randomness: str = "error") -> Func:
    """Make a function that gives the Jacobian; the same numbers as :func:`jacrev`."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Func, argnums: int | tuple[int, ...] = 0) -> Func:
    """Make a function that gives the second derivatives of a scalar function, of shape ``(*in, *in)``.

    >>> import dovetail as dv
    >>> hessian(lambda x: (x ** 3).sum())(dv.tensor([1., 2.]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stack the parameters and the buffers of models of one kind, for a `vmap` over an ensemble."""
    models = list(models)
    if not models:
        raise ShapeError("stack_module_state", "there are no models", "expected one or more")
    if len({type(m) for m in models}) > 1 or len({m.training for m in models}) > 1:
        raise GradError("stack_module_state", "the models are of different classes or modes", "expected one class, all in one mode")

    def joined(states: list[dict[str, Any]]) -> dict[str, Any]:
        if mixed := [key for key, t in states[0].items() if any(s[key].requires_grad != t.requires_grad for s in states)]:
            raise GradError("stack_module_state", f"{mixed[0]} requires gradients in some models only", "Expected the same .requires_grad")
        return {key: stack([s[key] for s in states]).detach().requires_grad_(states[0][key].requires_grad) for key in states[0]}

    return joined([dict(m.named_parameters()) for m in models]), joined([dict(m.named_buffers()) for m in models])


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Take the running statistics from all batch norms of a module, in place, so that nothing is written while it is mapped.

    >>> import dovetail as dv
    >>> replace_all_batch_norm_modules_(dv.nn.BatchNorm1d(2)).state_dict().keys()
    odict_keys(['weight', 'bias'])
    """
    for module in root.modules():
        if isinstance(module, BatchNorm1d | BatchNorm2d | BatchNorm3d | SyncBatchNorm) and module.track_running_stats:
            module.track_running_stats, module.running_mean, module.running_var, module.num_batches_tracked = False, None, None, None
    return root


def functionalize(func: Func, *, remove: str = "mutations") -> Func:
    """The function itself: what it changes in place is recorded like everything else."""
    return func
