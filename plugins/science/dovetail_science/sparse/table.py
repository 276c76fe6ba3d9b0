"""What functions make of sparse tensors, by name; the layouts, and what stands where such a tensor has no array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dovetail as dv
from dovetail.errors import NotATensor, UnsupportedError

__all__ = ["BSC", "BSR", "COO", "CSC", "CSR", "LAYOUT_NAMES", "TABLE", "Absent", "known", "unsupported"]

COO, CSR, CSC, BSR, BSC = dv.sparse_coo, dv.sparse_csr, dv.sparse_csc, dv.sparse_bsr, dv.sparse_bsc
LAYOUT_NAMES = {COO: "Sparse", CSR: "SparseCsr", CSC: "SparseCsc", BSR: "SparseBsr", BSC: "SparseBsc", dv.strided: "Strided"}
TABLE: dict[str, Callable[..., Any]] = {}


def known(*names: str) -> Callable[[Any], Any]:
    """Let a function serve under these names, as function and as method."""

    def keep(function: Any) -> Any:
        TABLE.update(dict.fromkeys(names or (function.__name__,), function))
        return function

    return keep


def unsupported(name: str, layout: Any) -> UnsupportedError:
    """The error of a function that is not for this layout."""
    return UnsupportedError(name, f"not implemented for tensors of the layout {layout}", "", "convert them with to_dense()")


class NoArray(UnsupportedError, NotATensor):
    """Something looked for the array of a tensor that has none."""

    __str__ = Exception.__str__


class Absent:
    """What stands in the place of the array: shape and type."""

    __slots__ = ("dtype", "shape")
    __array_ufunc__ = None
    ndim = property(lambda self: len(self.shape))

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype = shape, dtype

    def __getattr__(self, name: str) -> Any:
        raise NoArray("Tensor", f"not implemented for sparse tensors ({name})", "", "convert them with to_dense()")
