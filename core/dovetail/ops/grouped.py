"""``nn.functional.grouped_mm``: products of groups of rows, columns or matrices, as mixtures of experts take them."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Tensor
from ..dtypes import bfloat16_dtype, float16, float32, int32
from ..errors import DtypeError, ShapeError, UnsupportedError
from ._guard import public_function
from .join import cat, stack

__all__ = ["grouped_mm"]


@public_function
def grouped_mm(mat_a: Tensor, mat_b: Tensor, *, offs: Tensor | None = None, bias: Any = None, out_dtype: Any = None) -> Tensor:
    """A product of matrices for each group; `offs` has the ends of the groups (int32) in the dimension that is divided.

    Shapes: ``(M, K) @ (G, K, N)`` divides the rows of the first, ``(G, M, K) @ (K, N)`` the columns of the second,
    ``(M, K) @ (K, N)`` the K of both and gives ``(G, M, N)``; ``(G, M, K) @ (G, K, N)`` takes no `offs`. Rows and columns beyond the
    last group are zeros. Raises a RuntimeError for other shapes and types.

    >>> import dovetail as dv
    >>> rows, experts = dv.ones(3, 2), dv.tensor([[[1.], [1.]], [[2.], [2.]]])
    >>> dv.nn.functional.grouped_mm(rows, experts, offs=dv.tensor([1, 3], dtype=dv.int32)).T
    tensor([[2., 4., 4.]])
    """
    where, flat = "grouped_mm", (mat_a.dim() == 2, mat_b.dim() == 2)
    if mat_a.dim() not in (2, 3) or mat_b.dim() not in (2, 3):
        raise ShapeError(where, f"mat_a and mat_b must be 2 or 3 dim (got {mat_a.dim()} and {mat_b.dim()})")
    if any(flat) is (offs is None):
        raise ShapeError(where, "Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d")
    if offs is not None and offs.dtype is not int32:
        raise DtypeError(where, f"Offsets have to be int32 (got {offs.dtype})")
    if mat_a.dtype not in (float32, bfloat16_dtype(), float16) or mat_a.dtype != mat_b.dtype:
        what = f"Expected mat_a and mat_b to be Float32, BFloat16 or Float16 matrices of one type, got {mat_a.dtype} and {mat_b.dtype}"
        raise DtypeError(where, what)
    if out_dtype not in (None, mat_a.dtype):
        raise DtypeError(where, f"Grouped gemm output dtype must match `mat_a` dtype (got {out_dtype})")
    if bias is not None:
        raise UnsupportedError(where, "Bias not supported yet")
    if offs is None:
        return mat_a @ mat_b
    ends = offs.tolist()
    spans = [slice(first, end) for first, end in zip([0, *ends], ends, strict=False)]
    if flat == (True, True):
        return stack([mat_a[:, span] @ mat_b[span] for span in spans])
    if flat[0]:
        rest = mat_a.new_zeros(mat_a.shape[0] - ends[-1], mat_b.shape[-1])
        return cat([*(mat_a[span] @ b for span, b in zip(spans, mat_b, strict=True)), rest])
    rest = mat_a.new_zeros(mat_a.shape[1], mat_b.shape[1] - ends[-1])
    return cat([*(a @ mat_b[:, span] for a, span in zip(mat_a, spans, strict=True)), rest], 1)
