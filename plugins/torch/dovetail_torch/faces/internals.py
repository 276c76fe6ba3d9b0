"""The names of ``torch._C``, internal to PyTorch, that programs use, and those at the top that begin with ``_``: all else is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail import Generator, Size, Tensor, device, dtype, set_grad_enabled
from dovetail import nn as _layers
from dovetail.linalg import LinAlgError as _LinAlgError  # noqa: F401 - what programs catch

from .overrides import DisableTorchFunctionSubclass

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "F", "Generator", "Size", "TensorBase", "device", "dtype"]

DisableTorchFunction = DisableTorchFunctionSubclass
TensorBase = _TensorBase = Tensor
F = _nn = _layers.functional
_VariableFunctions = dv
_set_grad_enabled = set_grad_enabled
#: Switches of PyTorch's compilers, as it has them: a call sets one and answers with what it was. They change nothing here.
_SWITCHES = {
    "_jit_override_can_fuse_on_cpu": False,
    "_jit_override_can_fuse_on_gpu": False,
    "_jit_set_nvfuser_enabled": False,
    "_jit_set_profiling_executor": True,
    "_jit_set_profiling_mode": True,
    "_jit_set_texpr_fuser_enabled": True,
}


def _disabled_torch_function_impl(func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """What a class writes as its ``__torch_function__`` so that nobody asks it: its tensors are plain ones to every function."""
    return func(*args, **(kwargs or {}))


def _log_api_usage_once(event: str) -> None:
    """Nothing: nobody counts."""


def _get_tracing_state() -> None:
    """None: nothing is traced."""


def _are_functorch_transforms_active() -> bool:
    """False: inside `vmap` and `grad` too a tensor is one with values, on which any path of a program works."""
    return False


def _get_privateuse1_backend_name() -> str:
    """The name of a device of other makers, of which there is none."""
    return "privateuseone"


def _get_default_device() -> str:
    """The kind of device on which tensors are made."""
    return dv.get_default_device().type


def _convert_indices_from_coo_to_csr(input: Tensor, size: int, *, out_int32: bool = False) -> Tensor:
    """Where each of ``size`` rows begins among sorted indices, and where the last ends.

    >>> _convert_indices_from_coo_to_csr(dv.tensor([0, 0, 2]), 3)
    tensor([0, 2, 2, 3])
    """
    return dv.searchsorted(input, dv.arange(size + 1, dtype=input.dtype, device=input.device)).to(dv.int32 if out_int32 else dv.int64)


def _convert_indices_from_csr_to_coo(
    crow_indices: Tensor, col_indices: Tensor, *, out_int32: bool = False, transpose: bool = False
) -> Tensor:
    """The rows and the columns, or the columns and the rows, of each element.

    >>> _convert_indices_from_csr_to_coo(dv.tensor([0, 2, 2, 3]), dv.tensor([0, 1, 0]))
    tensor([[0, 0, 2],
            [0, 1, 0]])
    """
    rows = dv.arange(crow_indices.numel() - 1, device=crow_indices.device).repeat_interleave(crow_indices.diff().to(dv.int64))
    pair = (col_indices, rows) if transpose else (rows, col_indices)
    return dv.stack([one.to(dv.int32 if out_int32 else dv.int64) for one in pair])


class Value:
    """A value in TorchScript's graph, which programs name in annotations: there is none."""


class Graph:
    """TorchScript's graph, which programs name in annotations: there is none."""


def _infer_size(a: Any, b: Any) -> Size:
    """The shape that two broadcast to."""
    return dv.broadcast_shapes(a, b)


def _assert(condition: Any, message: str) -> None:
    """``assert condition, message``. Raises an AssertionError."""
    if not condition:
        raise AssertionError(message)


def _shape_as_tensor(input: Tensor) -> Tensor:
    """The shape, as a tensor of int64."""
    return dv.tensor(input.shape, dtype=dv.int64)


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """``g·v / ‖v‖`` with a norm for each index of `dim`."""
    return v * (g / dv.norm_except_dim(v, 2, dim))


def _sample_dirichlet(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Shares that follow Dirichlet distributions, whose concentrations are rows of `input`; from the default generator alone."""
    if generator is not None:
        raise NotImplementedError("torch._sample_dirichlet: a generator of its own is not supported; seed the default one with manual_seed")
    return dv.distributions.Dirichlet(input, validate_args=False).sample()


def _standard_gamma(self: Tensor, generator: Generator | None = None) -> Tensor:
    """Draws of Gamma(self, 1), with gradients; from the default generator alone."""
    if generator is not None:
        raise NotImplementedError("torch._standard_gamma: a generator of its own is not supported; seed the default one with manual_seed")
    return dv.distributions.Gamma(self, dv.ones_like(self), validate_args=False).rsample()


def _int_mm(self: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """A product of matrices of int8, summed in int32. Raises a RuntimeError for other types.

    >>> _int_mm(dv.full((1, 2), 100, dtype=dv.int8), dv.full((2, 1), 100, dtype=dv.int8))
    tensor([[20000]], dtype=dovetail.int32)
    """
    for name, t in (("self", self), ("mat2", mat2)):
        if t.dtype is not dv.int8 or t.dim() != 2:
            raise RuntimeError(f"torch._int_mm: {name} has {t.dim()} dimensions and type {t.dtype}; expected a matrix of int8")
    return dv.mm(self.to(dv.int32), mat2.to(dv.int32), out=out)


def _weight_int8pack_mm(self: Tensor, mat2: Tensor, scales: Tensor) -> Tensor:
    """``self @ mat2ᵀ · scales`` for weights of int8 with a scale for each row.

    >>> _weight_int8pack_mm(dv.ones(1, 2), dv.tensor([[1, 2]], dtype=dv.int8), dv.tensor([0.5]))
    tensor([[1.5000]])
    """
    return (self.float() @ mat2.float().T * scales.float()).to(self.dtype)


def _addmm_activation(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1, use_gelu: bool = False, out: Tensor | None = None
) -> Tensor:
    """`addmm`, then relu, or gelu with `use_gelu`.

    >>> _addmm_activation(dv.zeros(1), -dv.ones(1, 2), dv.ones(2, 1))
    tensor([[0.]])
    """
    found = dv.addmm(input, mat1, mat2, beta=beta, alpha=alpha)
    found = F.gelu(found) if use_gelu else F.relu(found)
    return found if out is None else out.copy_(found)


def _segment_reduce(data: Tensor, reduce: str, **options: Any) -> Tensor:
    """`segment_reduce`."""
    return dv.segment_reduce(data, reduce, **options)


def _is_all_true(input: Tensor) -> Tensor:
    """Whether all of a tensor of bools are true, as a tensor."""
    return input.all()


def _is_any_true(input: Tensor) -> Tensor:
    """Whether one of a tensor of bools is true, as a tensor."""
    return input.any()


def _assert_async(input: Tensor, assert_msg: str = "") -> None:
    """Nothing for a true element; a RuntimeError otherwise, at once."""
    if not input:
        raise RuntimeError(assert_msg or "Expected Tensor with single nonzero value, but got zero")


def _checking(kind: type[Exception]) -> Callable[..., None]:
    def check(cond: bool, message: Callable[[], str] | None = None) -> None:
        if not isinstance(cond, bool):
            raise TypeError(f"cond must be a bool, but got {type(cond)}")
        if not cond:
            raise kind("Expected cond to be True, but got False." if message is None else str(message()))

    return check


_check, _check_index, _check_value = map(_checking, (RuntimeError, IndexError, ValueError))
_check_type, _check_not_implemented = map(_checking, (TypeError, NotImplementedError))


def _switch(name: str) -> Callable[[bool], bool]:
    def set_it(value: bool) -> bool:
        before, _SWITCHES[name] = _SWITCHES[name], value
        return before

    return set_it


def __getattr__(name: str) -> Any:
    if name in _SWITCHES:
        return _switch(name)
    raise AttributeError(f"torch._C.{name}: this is internal to PyTorch; use a public name")
