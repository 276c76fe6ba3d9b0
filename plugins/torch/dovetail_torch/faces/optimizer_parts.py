"""Internal names of ``optim.optimizer``, ``optim.lbfgs`` and ``autograd.functional`` that optimizers of other authors take."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch, ValueRangeError
from dovetail.optim.lbfgs import strong_wolfe

__all__: list[str] = []


def _use_grad_for_differentiable(func: Callable[..., Any]) -> Callable[..., Any]:
    """A ``step`` that records gradients where its optimizer's ``defaults["differentiable"]`` says so, and none otherwise."""

    @functools.wraps(func)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        with dv.set_grad_enabled(bool(self.defaults.get("differentiable"))):
            return func(self, *args, **kwargs)

    return step


def _default_to_fused_or_foreach(params: list[Tensor], differentiable: bool, use_fused: bool = False) -> tuple[bool, bool]:
    """Whether a step in one kernel, or one on lists, is what an optimizer takes by itself: neither, as for PyTorch's tensors on a CPU."""
    return False, False


def _get_value(x: Any) -> Any:
    """The number that a tensor holds; what is a number stays one."""
    return x.item() if isinstance(x, Tensor) else x


def _stack_if_compiling(x: Any) -> Any:
    """The list, as it is."""
    return x


def _disable_dynamo_if_unsupported(single_tensor_fn: Any = None) -> Callable[[Any], Any]:
    """A decorator that changes nothing."""
    return lambda func: func


def _get_scalar_dtype(is_fused: bool | None = None) -> Any:
    """The type in which an optimizer counts its steps."""
    return dv.float64 if dv.get_default_dtype() == dv.float64 and not is_fused else dv.float32


def _get_capturable_supported_devices(supports_xla: bool = True) -> list[str]:
    """The kinds of device on which ``capturable=True`` means something."""
    return ["cuda"]


def _view_as_real(params: list[Any], *state_and_grads: list[Any]) -> None:
    """Put views as real numbers in the place of complex tensors, in each of the lists."""
    for i, p in enumerate(params):
        if p.is_complex():
            for one in (params, *state_and_grads):
                one[i] = dv.view_as_real(one[i])


def _cubic_interpolate(x1: Any, f1: Any, g1: Any, x2: Any, f2: Any, g2: Any, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through two points with their slopes is lowest, within bounds; their middle where it is nowhere.

    >>> round(_cubic_interpolate(0.0, 4.0, -4.0, 3.0, 1.0, 2.0), 6)
    2.0
    """
    least, most = (min(x1, x2), max(x1, x2)) if bounds is None else bounds
    if x1 > x2:
        x1, f1, g1, x2, f2, g2 = x2, f2, g2, x1, f1, g1
    bend = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = bend * bend - g1 * g2
    if not square >= 0:
        return (least + most) / 2.0
    root = square**0.5
    return min(max(x2 - (x2 - x1) * ((g2 + root - bend) / (g2 - g1 + 2 * root)), least), most)


def _strong_wolfe(
    obj_func: Callable[..., Any], x: Any, t: Any, d: Any, f: Any, g: Any, gtd: Any, c1: float = 1e-4, c2: float = 0.9,
    tolerance_change: float = 1e-9, max_ls: int = 25,
) -> tuple[Any, Any, Any, int]:  # fmt: skip
    """A step length for the strong Wolfe conditions: loss, gradient, length and evaluations of ``obj_func(x, t, d)``.

    Raises a ValueError for constants other than the defaults, which are those of the search here.
    """
    if (c1, c2, tolerance_change) != (1e-4, 0.9, 1e-9):
        raise ValueRangeError("_strong_wolfe", f"got c1={c1}, c2={c2}, tolerance_change={tolerance_change}", "the defaults", "")
    return strong_wolfe(lambda t: obj_func(x, t, d), d, float(t), float(f), g, float(gtd), max_ls)


def _as_tuple(inp: Any, arg_name: str | None = None, fn_name: str | None = None) -> tuple[bool, tuple[Any, ...]]:
    """Whether it was a tuple, and it as one. Raises a TypeError for what is no tensor in it."""
    several = isinstance(inp, tuple)
    parts = inp if several else (inp,)
    for i, part in enumerate(parts):
        if not isinstance(part, Tensor):
            which = f"value at index {i} in {arg_name}" if several else f"value for {arg_name}"
            raise TypeMismatch(f"{fn_name}()", f"the {which} has type {type(part).__name__}", "a Tensor, or a tuple of them", "")
    return several, parts


def _construct_standard_basis_for(tensors: tuple[Tensor, ...], tensor_numels: tuple[int, ...]) -> tuple[Tensor, ...]:
    """The columns of an identity matrix that belong to each tensor, in its type.

    >>> [part.tolist() for part in _construct_standard_basis_for((dv.zeros(1), dv.zeros(2)), (1, 2))]
    [[[1.0], [0.0], [0.0]], [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]]
    """
    parts = dv.eye(sum(tensor_numels)).split(list(tensor_numels), dim=1)
    return tuple(part.to(t.device, t.dtype) for part, t in zip(parts, tensors, strict=True))


def _grad_postprocess(inputs: Any, create_graph: bool) -> Any:
    """The tensors, apart from their graph unless it is asked for."""
    if isinstance(inputs, Tensor):
        return inputs if create_graph else inputs.detach()
    return tuple(_grad_postprocess(one, create_graph) for one in inputs)


def _tuple_postprocess(res: Any, to_unpack: bool | tuple[bool, bool]) -> Any:
    """What `_as_tuple` made a tuple as it was: its part where there was none; for two levels the inner ones too."""
    outer, inner = to_unpack if isinstance(to_unpack, tuple) else (to_unpack, True)
    parts = res if inner else tuple(one[0] for one in res)
    return parts if outer else parts[0]
