"""The package ``functorch``, which came with PyTorch before ``torch.func``: the same transforms, and modules taken apart into functions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from dovetail import Tensor
from dovetail.errors import GradError
from dovetail.func import (
    functional_call,
    functionalize,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    replace_all_batch_norm_modules_,
    stack_module_state,
    vjp,
    vmap,
)  # fmt: skip
from dovetail.nn import Module

__all__ = [
    "FunctionalModule", "FunctionalModuleWithBuffers", "chunk_vmap", "combine_state_for_ensemble", "experimental", "functionalize", "grad",
    "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "make_functional", "make_functional_with_buffers", "vjp", "vmap",
]  # fmt: skip
__path__: list[str] = []  # `import functorch.experimental` asks for a package


class FunctionalModuleWithBuffers(Module):
    """A module as a function of its parameters and buffers, which are tuples in the order of its names."""

    def __init__(self, model: Module, param_names: Sequence[str], buffer_names: Sequence[str] = ()) -> None:
        super().__init__()
        self.stateless_model = model
        self.param_names, self.buffer_names = tuple(param_names), tuple(buffer_names)

    def forward(self, params: Iterable[Tensor], buffers: Iterable[Tensor], *args: Any, **kwargs: Any) -> Any:
        """The module's result with these in place of its own."""
        state = {**dict(zip(self.param_names, params, strict=False)), **dict(zip(self.buffer_names, buffers, strict=False))}
        return functional_call(self.stateless_model, state, args, kwargs)


class FunctionalModule(FunctionalModuleWithBuffers):
    """A module without buffers as a function of its parameters."""

    def forward(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """The module's result with these in place of its own."""
        return super().forward(params, (), *args, **kwargs)


def make_functional_with_buffers(model: Module, disable_autograd_tracking: bool = False) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """A copy of a module as a function, its parameters and its buffers.

    >>> import dovetail as dv
    >>> call, params, buffers = make_functional_with_buffers(dv.nn.BatchNorm1d(3))
    >>> call(params, buffers, dv.zeros(2, 3)).shape, len(buffers)
    (dovetail.Size([2, 3]), 3)
    """
    model = copy.deepcopy(model)
    params, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    if disable_autograd_tracking:
        for p in params.values():
            p.requires_grad_(False)
    return FunctionalModuleWithBuffers(model, [*params], [*buffers]), (*params.values(),), (*buffers.values(),)


def make_functional(model: Module, disable_autograd_tracking: bool = False) -> tuple[Any, tuple[Any, ...]]:
    """A copy of a module without buffers as a function, and its parameters. A RuntimeError where it has buffers.

    >>> import dovetail as dv
    >>> call, params = make_functional(dv.nn.Linear(2, 1))
    >>> grad(lambda params, x: call(params, x).sum())(params, dv.ones(1, 2))[1]
    tensor([1.])
    """
    if any(True for _ in model.buffers()):
        raise GradError("make_functional", "the module has buffers", "expected parameters only", "use make_functional_with_buffers")
    both, params, _ = make_functional_with_buffers(model, disable_autograd_tracking)
    return FunctionalModule(both.stateless_model, both.param_names), params


def combine_state_for_ensemble(models: Sequence[Module]) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """The first of several modules of one class as a function, and the parameters and buffers of all, stacked for `vmap`.

    >>> import dovetail as dv
    >>> call, params, buffers = combine_state_for_ensemble([dv.nn.Linear(2, 1) for _ in range(3)])
    >>> vmap(call, (0, 0, None))(params, buffers, dv.ones(5, 2)).shape
    dovetail.Size([3, 5, 1])
    """
    params, buffers = stack_module_state(models)
    stacked = ((*(t.detach() for t in state.values()),) for state in (params, buffers))
    return make_functional_with_buffers(models[0])[0], *stacked  # type: ignore[return-value]


def chunk_vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", chunks: int = 2) -> Any:
    """`vmap`: a loop over samples takes as much memory with chunks as without.

    >>> import dovetail as dv
    >>> chunk_vmap(dv.sum)(dv.ones(4, 2))
    tensor([2., 2., 2., 2.])
    """
    return vmap(func, in_dims, out_dims, randomness)


experimental = ModuleType("functorch.experimental", "Names of `functorch` that were taken up later.")
experimental.__dict__.update(
    chunk_vmap=chunk_vmap, functionalize=functionalize, hessian=hessian, jacfwd=jacfwd, jvp=jvp,
    replace_all_batch_norm_modules_=replace_all_batch_norm_modules_,
)  # fmt: skip
