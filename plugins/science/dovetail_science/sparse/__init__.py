"""Sparse tensors: PyTorch's `torch.sparse`, with matrix products on SciPy's formats.

COO, CSR, CSC, BSR and BSC tensors are a Tensor class of their own, which the functions of `dovetail` take where PyTorch's do; for
anything else an error says to call ``to_dense()``. Gradients reach the values, the dense operands and sparse leaves.
"""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import ShapeError

from . import shape as _shape
from .create import (
    LEGACY,
    check_sparse_tensor_invariants,
    sparse_bsc_tensor,
    sparse_bsr_tensor,
    sparse_compressed_tensor,
    sparse_coo_tensor,
    sparse_csc_tensor,
    sparse_csr_tensor,
)
from .elementwise import inverted as _inverted
from .elementwise import operator as _operator
from .products import addmm, hspmm, mm, sampled_addmm, smm, sspaddmm
from .reduce import log_softmax, softmax, sum
from .shape import spdiags
from .steps import embedding, step
from .table import TABLE as METHODS
from .table import unsupported
from .tensor import SparseTensor

__all__ = [
    "addmm", "check_sparse_tensor_invariants", "hspmm", "log_softmax", "mm", "sampled_addmm", "smm", "softmax", "sparse_bsc_tensor",
    "sparse_bsr_tensor", "sparse_compressed_tensor", "sparse_coo_tensor", "sparse_csc_tensor", "sparse_csr_tensor", "spdiags",
    "sspaddmm", "sum",
]  # fmt: skip

globals().update(LEGACY)
SparseTensor.__name__ = "Tensor"  # what programs see of it is the layout

hsmm, dsmm = hspmm, dv.mm  # PyTorch's older names, at the top of it

# what needs no array: the place in the graph, and what is composed of other methods
_AS_IT_IS = """
backward register_hook register_post_accumulate_grad_hook requires_grad_ retain_grad float double half bfloat16 int long short bool
cfloat cdouble byte char is_inference is_shared is_pinned new_tensor
""".split()


def _refusal(name: str) -> Any:
    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise unsupported(f"Tensor.{name}", self.form)

    refuse.__name__ = name
    return refuse


def _bind() -> None:
    """Give SparseTensor the methods of `TABLE`, and a refusal for each that only dense tensors have."""
    for name in dir(Tensor):
        if name in vars(SparseTensor) or name in _AS_IT_IS or not callable(getattr(Tensor, name)):
            continue
        if name in METHODS or not name.startswith("_"):
            setattr(SparseTensor, name, METHODS.get(name) or _refusal(name))
    for name in METHODS.keys() - vars(SparseTensor).keys():
        if hasattr(Tensor, name):
            setattr(SparseTensor, name, METHODS[name])
    for name in ("is_floating_point", "is_complex", "is_signed", "numel", "is_same_size", "clone", "detach", "detach_"):
        METHODS[name] = vars(SparseTensor)[name]
    for name in ("coalesce", "sparse_resize_", "sparse_resize_and_clear_"):
        setattr(SparseTensor, name, METHODS[name])
    named = {"truediv": "div", "floordiv": "floor_divide", "mod": "remainder"}
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
        setattr(SparseTensor, f"__{name}__", _operator(named.get(name, name)))
        setattr(SparseTensor, f"__r{name}__", _operator(named.get(name, name), swap=True))
        if name != "matmul" and f"{named.get(name, name)}_" in METHODS:
            setattr(SparseTensor, f"__i{name}__", METHODS[f"{named.get(name, name)}_"])
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(SparseTensor, f"__{name}__", _operator(name))
    SparseTensor.__neg__, SparseTensor.__abs__, SparseTensor.__invert__ = METHODS["neg"], METHODS["abs"], _inverted
    SparseTensor.__pos__ = METHODS["positive"]
    SparseTensor.__hash__ = object.__hash__


_bind()


def _dims(count: Any) -> Any:
    """How many dimensions are sparse, or dense, of any tensor."""
    return lambda self: count(self) if isinstance(self, SparseTensor) else 0 if count is SparseTensor.sparse_dim else self.ndim


def _of_sparse_alone(name: str, layout: str) -> Any:
    """A method that PyTorch's dense tensors have in order to refuse it."""
    own = vars(SparseTensor)[name]

    def call(self: Any, *args: Any) -> Any:
        if isinstance(self, SparseTensor):
            return own(self, *args)
        raise ShapeError(name, f"{name} expected {layout} layout but got Strided", "", "convert with to_sparse()")

    return call


METHODS.update(sparse_dim=_dims(SparseTensor.sparse_dim), dense_dim=_dims(SparseTensor.dense_dim))
for _name in ("indices", "values", "is_coalesced", "_indices", "_values", "_nnz"):
    METHODS[_name] = _of_sparse_alone(_name, "sparse coordinate tensor")
for _name in ("crow_indices", "col_indices"):
    METHODS[_name] = _of_sparse_alone(_name, "sparse row compressed tensor")
for _name in ("ccol_indices", "row_indices"):
    METHODS[_name] = _of_sparse_alone(_name, "sparse column compressed tensor")
