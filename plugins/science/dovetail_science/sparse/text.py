"""The text of a sparse tensor, as PyTorch prints it."""

from __future__ import annotations

from typing import Any

import dovetail as dv
from dovetail.tensor_repr import text as dense_text

from .table import COO, CSR
from .tensor import SparseTensor

__all__ = ["text"]

_NAMES = {COO: ("indices",), CSR: ("crow_indices", "col_indices"), dv.sparse_bsr: ("crow_indices", "col_indices")}
_BY_COLUMNS = ("ccol_indices", "row_indices")


def _part(name: str, t: Any) -> str:
    """``indices=tensor([...])`` at the indent of all parts."""
    prefix = f"{name}=tensor("
    told = dense_text(t.detach(), " " * 7 + prefix)[7:]
    body = told[len(prefix) : told.rfind("]") + 1] if t.numel() else "[]"
    size = "" if t.numel() else f", size={tuple(t.shape)}"
    return f"{prefix}{body}{size})"


def text(t: SparseTensor) -> str:
    """The indices, the values, and what else is to be known."""
    names = (*_NAMES.get(t.form, _BY_COLUMNS), "values")
    out = "tensor(" + (",\n" + " " * 7).join(_part(name, x) for name, x in zip(names, (*t.index, t.value), strict=True))
    default = dv.get_default_dtype()
    suffixes = [f"size={tuple(t.shape)}", f"nnz={t._nnz()}"]
    if t.is_cuda:
        suffixes.insert(0, f"device='{t.device}'")
    if t.dtype not in (default, default.to_complex(), dv.int64, dv.bool):
        suffixes.append(f"dtype={t.dtype}")
    suffixes.append(f"layout={t.form}")
    if t.grad_fn is not None:
        suffixes.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    at, fresh = len(out) - len("tensor(") - out.rfind("\n") + 1 if "\n" not in out else len(out) - out.rfind("\n") + 1, t.form == COO
    for one in suffixes:
        if fresh or at + len(one) + 2 > 80:  # PyTorch's usual width
            out, at, fresh = f"{out},\n       {one}", 7 + len(one), False
        else:
            out, at = f"{out}, {one}", at + len(one) + 2
    return out + ")"
