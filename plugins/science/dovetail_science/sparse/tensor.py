"""SparseTensor: a Tensor of which only some elements are kept, as indices and values.

The values are an ordinary Tensor with its history, so that what is computed with them has gradients; the indices are plain. A
sparse leaf has a gradient of its own, which is sparse where PyTorch's is. What functions make of one is in `TABLE`, by name.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import dovetail as dv
from dovetail import Size
from dovetail.errors import RangeError, ShapeError, TypeMismatch, UnsupportedError
from dovetail.extend import OtherTensor

from .edges import Assembled, Values
from .table import BSC, BSR, COO, CSC, CSR, LAYOUT_NAMES, TABLE, Absent, unsupported

__all__ = ["SparseTensor"]


class SparseTensor(OtherTensor):
    """A tensor of one of the sparse layouts; made by :func:`sparse_coo_tensor` and its kin.

    Args:
        layout: ``dovetail.sparse_coo``, ``sparse_csr``, ``sparse_csc``, ``sparse_bsr`` or ``sparse_bsc``.
        index: ``(indices,)`` of shape (sparse dims, nnz), or ``(compressed, plain)``.
        value: the values, (nnz, dense dims…).
        size: the shape.
        coalesced: whether the indices are sorted and without repetition.
    """

    def __init__(self, layout: Any, index: tuple[Any, ...], value: Any, size: Any, coalesced: bool = False) -> None:
        if value.is_cuda:
            raise UnsupportedError("sparse", "sparse tensors live on the CPU", f"got values on {value.device}", "call to_dense() first")
        super().__init__(Absent(tuple(size), value.numpy(force=True).dtype))
        self.form, self.index, self.value = layout, index, value
        self.coalesced = coalesced or (layout == COO and len(value) < 2)
        self.origin: tuple[Any, bool] | None = None

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call what `TABLE` has for the function."""
        inner = function.__name__.startswith("_")
        name = function.op.name if inner else function.__name__
        if name == "add" and inner and not isinstance(args[1], SparseTensor):
            args = args[::-1]  # gradients meet in any order; the method and the operator know only dense + sparse
        if name not in TABLE:
            sparse = next(x for x in args if isinstance(x, SparseTensor)) if any(isinstance(x, SparseTensor) for x in args) else None
            raise unsupported(name, COO if sparse is None else sparse.form)
        return TABLE[name](*args, **(kwargs or {}))

    @property
    def _n(self) -> Any:  # type: ignore[override]
        """Its edge in the graph: a leaf's own; else, when somebody asks, one that leads to the values."""
        if self.edge is None and self.value.requires_grad:
            with dv.enable_grad():
                self.edge = Assembled.apply(self.value, self.detach())._n
        return self.edge

    @_n.setter
    def _n(self, new: Any) -> None:
        self.edge = new

    is_leaf = property(lambda self: not self.value.requires_grad)
    requires_grad = property(
        lambda self: self.value.requires_grad or self.edge is not None, lambda self, wanted: self.requires_grad_(wanted)
    )

    def live(self) -> Any:
        """The values with their history, which for a sparse leaf begins there."""
        return Values.apply(self) if self.is_leaf and self.requires_grad else self.value

    def root(self) -> tuple[Any, bool] | None:
        """What a dense gradient of this tensor belongs to: a sparse leaf or a dense tensor, and whether it is transposed."""
        if not self.requires_grad or not dv.is_grad_enabled():
            return None
        return (self, False) if self.is_leaf else self.origin

    def after(self, other: Any, turned: bool = False) -> Any:
        """Itself, made of another tensor's elements where they lie, or of its transpose's."""
        root = other.root() if isinstance(other, SparseTensor) else (other, False)
        self.origin = None if root is None else (root[0], root[1] != turned)
        return self

    def like(self, value: Any, size: Any = None) -> SparseTensor:
        """The same indices with other values."""
        return SparseTensor(self.form, self.index, value, size or self.shape, self.coalesced)

    # --- what it is -----------------------------------------------------------------------------------------------

    shape = property(lambda self: Size(self._a.shape))
    dtype = property(lambda self: self.value.dtype)
    device = property(lambda self: self.value.device)
    layout = property(lambda self: self.form)
    ndim = property(lambda self: len(self._a.shape))
    itemsize = property(lambda self: self.value.itemsize)
    is_sparse = property(lambda self: self.form == COO)
    is_sparse_csr = property(lambda self: self.form == CSR)
    is_cuda = property(lambda self: self.value.is_cuda)
    is_cpu = property(lambda self: self.value.is_cpu)
    T = property(lambda self: TABLE["permute"](self, tuple(reversed(range(self.ndim)))))
    H = property(lambda self: TABLE["t"](self).conj())
    mT = property(lambda self: TABLE["transpose"](self, -2, -1))

    @property
    def real(self) -> Any:
        """The real parts."""
        return self.like(self.live().real) if self.is_complex() else self

    @property
    def imag(self) -> Any:
        """The imaginary parts. Raises a RuntimeError for a real tensor."""
        return self.like(self.live().imag)

    @property
    def data(self) -> Any:
        """The same elements without history."""
        return self.detach()

    @data.setter
    def data(self, other: Any) -> None:
        self._take(other)

    def _take(self, other: Any) -> Any:
        """Become what another sparse tensor is, keeping the place in the graph."""
        if other.__class__ is not SparseTensor:
            raise TypeMismatch("data", f"expected a sparse tensor (got {other.layout})")
        self._a, self.form, self.index, self.value, self.coalesced = other._a, other.form, other.index, other.value, other.coalesced
        return self

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one dimension."""
        n = self.ndim
        if dim is not None and not -n <= dim < n:
            raise RangeError("size", f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements, those that are not kept included."""
        return math.prod(self.shape)

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return int(self.value.element_size())

    def sparse_dim(self) -> int:
        """The number of dimensions that are sparse."""
        return len(self.index[0]) if self.form == COO else 2

    def dense_dim(self) -> int:
        """The number of dimensions that are dense, the last ones."""
        return self.value.ndim - 1 if self.form == COO else self.value.ndim - self.index[0].ndim - 2 * (self.form in (BSR, BSC))

    def is_coalesced(self) -> bool:
        """Whether the indices are sorted and without repetition."""
        self._only(COO, "is_coalesced")
        return self.coalesced

    def is_floating_point(self) -> bool:
        """Whether the element type is floating."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the element type is complex."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the element type has negative numbers."""
        return self.value.is_signed()

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """False: there is no order in memory."""
        if self.form != COO:
            raise ShapeError("is_contiguous", "Sparse CSR tensors do not have is_contiguous")
        return False

    def stride(self, dim: int | None = None) -> Any:
        """Zeros: there are no steps in memory."""
        if self.form != COO:
            raise ShapeError("stride", "Sparse CSR tensors do not have strides")
        return (0,) * self.ndim if dim is None else 0

    def is_same_size(self, other: Any) -> bool:
        """Whether the shapes are equal."""
        return self.shape == other.shape

    def _nnz(self) -> int:
        return int(self.index[-1].shape[-1])

    def _dimI(self) -> int:
        return self.sparse_dim()

    def _dimV(self) -> int:
        return self.dense_dim()

    def _only(self, form: Any, name: str) -> None:
        if self.form != form:
            kind = {COO: "coordinate", CSR: "row compressed", CSC: "column compressed"}[form]
            raise ShapeError(name, f"{name} expected sparse {kind} tensor layout but got {LAYOUT_NAMES[self.form]}")

    # --- its parts ------------------------------------------------------------------------------------------------

    def _indices(self) -> Any:
        if self.form != COO:
            raise unsupported("_indices", self.form)
        return self.index[0]

    def _values(self) -> Any:
        if self.form != COO:
            raise unsupported("_values", self.form)
        return self.value.detach()

    def indices(self) -> Any:
        """The indices (sparse dims, nnz) of a coalesced tensor. Raises a RuntimeError for another."""
        self._only(COO, "indices")
        if not self.coalesced:
            raise ShapeError("indices", "Cannot get indices on an uncoalesced tensor, please call .coalesce() first")
        return self.index[0]

    def values(self) -> Any:
        """The values of a coalesced or compressed tensor, with gradient. Raises a RuntimeError for an uncoalesced one."""
        if self.form == COO and not self.coalesced:
            raise ShapeError("values", "Cannot get values on an uncoalesced tensor, please call .coalesce() first")
        value = self.live()
        return value.view(value.shape)

    def _part(self, name: str, forms: tuple[Any, ...], at: int) -> Any:
        if self.form not in forms:
            kind = "row" if name in ("crow_indices", "col_indices") else "column"
            what = f"{name} expected sparse {kind} compressed tensor layout but got {LAYOUT_NAMES[self.form]}"
            raise ShapeError(name, what)
        return self.index[at]

    def crow_indices(self) -> Any:
        """Where the rows begin, of the layouts that compress rows."""
        return self._part("crow_indices", (CSR, BSR), 0)

    def col_indices(self) -> Any:
        """The columns, of the layouts that compress rows."""
        return self._part("col_indices", (CSR, BSR), 1)

    def ccol_indices(self) -> Any:
        """Where the columns begin, of the layouts that compress columns."""
        return self._part("ccol_indices", (CSC, BSC), 0)

    def row_indices(self) -> Any:
        """The rows, of the layouts that compress columns."""
        return self._part("row_indices", (CSC, BSC), 1)

    # --- copies ---------------------------------------------------------------------------------------------------

    def detach(self) -> Any:
        """The same elements without history."""
        return self.like(self.value.detach())

    def detach_(self) -> Any:
        """Forget the history."""
        self.value, self._n = self.value.detach(), None  # type: ignore[misc]
        return self

    def clone(self, memory_format: Any = None) -> Any:
        """A copy, with gradient."""
        index = tuple(i.clone() for i in self.index)
        return SparseTensor(self.form, index, self.live().clone(), self.shape, self.coalesced).after(self)

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Convert type or device, as ``Tensor.to`` does."""
        args = tuple(x.dtype if isinstance(x, SparseTensor) else x for x in args)
        value = self.live()
        new = value.to(*args, **kwargs)
        if new is value:
            return self
        return self.like(new).after(self)

    def cpu(self, memory_format: Any = None) -> Any:
        """Bring it to the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Any:
        """Bring it to a GPU."""
        return self.to("cuda" if device is None else device)

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """Without an argument the name of its legacy type, else a conversion."""
        if dtype is None:
            return self.value.type().replace(".", ".sparse.", 1)
        kind = getattr(dtype, "kind", None)  # of a legacy class of this package
        name = dtype.replace("sparse.", "") if isinstance(dtype, str) else dtype
        return self.to(kind if isinstance(kind, dv.dtype) else self.value.detach()[:0].type(name).dtype)

    def type_as(self, other: Any) -> Any:
        """Convert to another sparse tensor's type."""
        if other.layout != self.form:
            what = "to(options) doesn't support converting to a different layout, but got self.layout being "
            raise ShapeError("type_as", f"{what}{LAYOUT_NAMES[self.form]} and options.layout set as {LAYOUT_NAMES[other.layout]}")
        return self.to(other.dtype)

    def pin_memory(self, device: Any = None) -> Any:
        """Itself with its values in pinned memory."""
        return self.like(self.value.pin_memory(device))

    def share_memory_(self) -> Any:
        """Itself: workers are threads, which share all memory."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:
            return copy.deepcopy(self.value, memo)  # says what is wrong
        out = memo[id(self)] = self.detach().clone().requires_grad_(self.requires_grad)
        out.grad = copy.deepcopy(self.grad, memo)
        return out

    def __copy__(self) -> Any:
        return self.detach().requires_grad_(self.requires_grad)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return SparseTensor, (self.form, self.index, self.value, tuple(self.shape), self.coalesced)

    # --- Python's protocols ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Any:
        return iter(TABLE["unbind"](self))

    def __bool__(self) -> bool:
        return bool(self.to_dense())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def item(self) -> Any:
        """The value of a tensor of one element."""
        if self.numel() != 1:
            raise ShapeError("item", f"a Tensor with {self.numel()} elements cannot be converted to Scalar")
        return self.to_dense().item()

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        from .text import text

        return text(self)

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeMismatch("numpy", f"can't convert {LAYOUT_NAMES[self.form]} layout tensor to numpy", "", "Use Tensor.to_dense() first.")

    def numpy(self, *, force: bool = False) -> Any:
        """Refuse: there is no array."""
        return self.to_dense().numpy(force=True) if force else self.__array__()

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeMismatch("Tensor", "Cannot assign to a sparse tensor", "", "build another one, or convert with to_dense()")

    __hash__ = object.__hash__
