"""The constructors of sparse tensors, what they check, and the legacy ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import Size, Tensor
from dovetail.errors import RangeError, ShapeError, TypeMismatch, UnsupportedError

from .edges import keys
from .table import BSC, BSR, COO, CSC, CSR, known, unsupported
from .tensor import SparseTensor

__all__ = [
    "check_sparse_tensor_invariants", "sparse_bsc_tensor", "sparse_bsr_tensor", "sparse_compressed_tensor", "sparse_coo_tensor",
    "sparse_csc_tensor", "sparse_csr_tensor",
]  # fmt: skip


class check_sparse_tensor_invariants:
    """Whether the constructors check indices; off by default. A context manager, a decorator, and a switch.

    >>> with check_sparse_tensor_invariants():
    ...     check_sparse_tensor_invariants.is_enabled()
    True
    """

    _on = False

    def __init__(self, enable: bool = True) -> None:
        self.state = enable
        self._before: list[bool] = []

    @staticmethod
    def is_enabled() -> bool:
        """Whether indices are checked."""
        return check_sparse_tensor_invariants._on

    @staticmethod
    def enable() -> None:
        """Check indices from now on."""
        check_sparse_tensor_invariants._on = True

    @staticmethod
    def disable() -> None:
        """Check nothing from now on."""
        check_sparse_tensor_invariants._on = False

    def __enter__(self) -> None:
        self._before.append(self._on)
        check_sparse_tensor_invariants._on = self.state

    def __exit__(self, *error: object) -> None:
        check_sparse_tensor_invariants._on = self._before.pop()

    def __call__(self, function: Any) -> Any:
        def inside(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.state):
                return function(*args, **kwargs)

        return inside


def _index(given: Any, short: bool = False) -> Any:
    """Indices as int64; int32 ones may stay so in a compressed layout."""
    t = given if isinstance(given, Tensor) else dv.tensor(given)
    return t.detach() if short and t.dtype is dv.int32 else t.detach().to(dv.int64)


def _value(given: Any, dtype: Any, device: Any) -> Any:
    """The values as a tensor; one that has a history keeps it, and is not itself the sparse tensor's leaf."""
    t = given if isinstance(given, Tensor) else dv.tensor(given)
    t = t.to(device=device, dtype=dtype)
    t = t.reshape(1) if t.ndim == 0 else t
    return t.view(t.shape) if t.requires_grad else t.detach()


def sparse_coo_tensor(
    *args: Any, indices: Any = None, values: Any = None, size: Any = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, check_invariants: bool | None = None, is_coalesced: bool | None = None, pin_memory: bool = False,
) -> SparseTensor:  # fmt: skip
    """A tensor of values at indices: ``sparse_coo_tensor(indices, values, size=None)`` or ``sparse_coo_tensor(size)``.

    Args:
        indices: (sparse dims, nnz), tensor or nested lists; repeated ones are added.
        values: (nnz, dense dims…).
        size: the shape; without it the smallest that holds all indices.
        check_invariants: whether indices are checked against the size; the default is :class:`check_sparse_tensor_invariants`.

    Raises a RuntimeError for indices, values and a size that do not fit together.

    >>> sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    if len(args) == 1 and indices is None and values is None:
        size, args = args[0], ()
    names = dict(zip(("indices", "values", "size"), args, strict=False))
    indices, values, size = names.get("indices", indices), names.get("values", values), names.get("size", size)
    if values is None:
        if size is None or indices is not None or isinstance(size, Tensor):
            raise TypeMismatch("sparse_coo_tensor()", "missing arguments", "expected indices and values, or a size")
        indices, values = np.empty((len(size), 0)), dv.empty(0, dtype=dtype or dv.get_default_dtype())
    index = _index(dv.from_numpy(indices) if isinstance(indices, np.ndarray) else indices)
    value = _value(dv.from_numpy(values) if isinstance(values, np.ndarray) else values, dtype, device)
    where = "sparse_coo_tensor"
    if index.ndim != 2:
        raise ShapeError(where, f"indices must be sparse_dim x nnz, but got: {list(index.shape)}")
    if index.shape[1] != value.shape[0]:
        text = f"nnz from indices: {index.shape[1]}, nnz from values: {value.shape[0]}"
        raise ShapeError(where, f"indices and values must have same nnz, but got {text}")
    if size is None:
        if index.numel() and int(index.min()) < 0:
            low = index.numpy().min(1)
            d = int(np.argmax(low < 0))
            raise ShapeError(where, f"found negative index {low[d]} for dim {d}")
        size = [*((index.numpy().max(1) + 1).tolist() if index.numel() else [0] * len(index)), *value.shape[1:]]
    if math.prod(size) >= 2**63:
        raise ShapeError(where, f"the size {tuple(size)} has 2**63 elements or more", "expected fewer")
    sparse, dense = len(index), value.ndim - 1
    if len(size) != sparse + dense:
        text = f"len(size) = {len(size)}, sparse_dim = {sparse}, dense_dim = {dense}"
        raise ShapeError(where, f"'len(size) == sparse_dim + dense_dim' is not satisfied: {text}")
    if tuple(size[sparse:]) != tuple(value.shape[1:]):
        want = [index.shape[1], *size[sparse:]]
        raise ShapeError(where, f"values has incorrect size, expected {want}, got {list(value.shape)}")
    if min(size, default=0) < 0:
        raise ShapeError(where, f"the size {tuple(size)} has a negative length")
    if _checking(check_invariants):
        _check_coo(index.numpy(), size)
    out = SparseTensor(COO, (index,), value, size, bool(is_coalesced))
    if is_coalesced and _checking(check_invariants) and (np.diff(keys(out)) <= 0).any():
        raise ShapeError(where, "cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor")
    return out.detach().requires_grad_() if requires_grad else out


def _checking(asked: bool | None) -> bool:
    return check_sparse_tensor_invariants.is_enabled() if asked is None else asked


def _check_coo(index: Any, size: Any) -> None:
    for d, row in enumerate(index if index.size else ()):
        if row.min() < 0:
            raise ShapeError("sparse_coo_tensor", f"found negative index {row.min()} for dim {d}")
        if row.max() >= size[d]:
            text = f"for dim {d}, size is {size[d]} but found index {row.max()}"
            raise ShapeError("sparse_coo_tensor", f"size is inconsistent with indices: {text}")


def sparse_compressed_tensor(
    compressed_indices: Any, plain_indices: Any, values: Any, size: Any = None, *, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, check_invariants: bool | None = None, pin_memory: bool = False,
) -> SparseTensor:  # fmt: skip
    """A matrix with rows or columns compressed, as `layout` says: see :func:`sparse_csr_tensor`.

    >>> sparse_compressed_tensor([0, 1, 1], [2], [5.0], (2, 3), layout=dv.sparse_csr).to_dense()
    tensor([[0., 0., 5.],
            [0., 0., 0.]])
    """
    if layout not in (CSR, CSC, BSR, BSC):
        what = f"layout must be a compressed one (got {layout})"
        raise ShapeError("sparse_compressed_tensor", what, "expected sparse_csr, sparse_csc, sparse_bsr or sparse_bsc")
    compressed, plain, value = _index(compressed_indices, True), _index(plain_indices, True), _value(values, dtype, device)
    if layout in (BSR, BSC) and value.ndim < compressed.ndim + 2:
        raise RangeError(f"{str(layout).rpartition('.')[2]}_tensor", f"the values are no blocks (got shape {tuple(value.shape)})")
    if size is None:
        block = value.shape[compressed.ndim : compressed.ndim + 2] if layout in (BSR, BSC) else (1, 1)
        slow, fast = compressed.shape[-1] - 1, int(plain.max()) + 1 if plain.numel() else 0
        pair = (slow, fast) if layout in (CSR, BSR) else (fast, slow)
        size = (*compressed.shape[:-1], pair[0] * block[0], pair[1] * block[1])
    if _checking(check_invariants):
        _check_compressed(compressed.numpy(), plain.numpy(), value, tuple(size), layout)
    out = SparseTensor(layout, (compressed, plain), value, size)
    return out.detach().requires_grad_() if requires_grad else out


def _check_compressed(compressed: Any, plain: Any, value: Any, size: Any, layout: Any) -> None:
    """PyTorch's invariants, in its words and order."""
    rows = layout in (CSR, BSR)
    a, b, m, n = ("crow", "col", "nrows", "ncols") if rows else ("ccol", "row", "ncols", "nrows")
    where = str(layout).rpartition(".")[2] + "_tensor"
    block = value.shape[compressed.ndim : compressed.ndim + 2] if layout in (BSR, BSC) else (1, 1)
    slow, fast = (size[-2] // block[0], size[-1] // block[1])[:: 1 if rows else -1]

    def need(holds: bool, what: str) -> None:
        if not holds:
            raise ShapeError(where, f"`{what}` is not satisfied.")

    need(compressed.shape[-1] == slow + 1, f"{a}_indices.shape[-1] == {m} + 1")
    need(plain.shape == value.shape[: plain.ndim], f"{b}_indices.shape[-1] == nnz")
    need(bool((compressed[..., 0] == 0).all()), f"{a}_indices[..., 0] == 0")
    need(bool((compressed[..., -1] == plain.shape[-1]).all()), f"{a}_indices[..., -1] == nnz")
    steps = np.diff(compressed, axis=-1)
    need(bool(((steps >= 0) & (steps <= fast)).all()), f"0 <= {a}_indices[..., 1:] - {a}_indices[..., :-1] <= {n}")
    need(not plain.size or bool(plain.min() >= 0 and plain.max() < fast), f"0 <= {b}_indices < {n}")
    owner = [np.repeat(np.arange(slow), s) for s in steps.reshape(-1, slow)]
    ordered = all(bool(((np.diff(p) > 0) | (np.diff(o) > 0)).all()) for o, p in zip(owner, plain.reshape(len(owner), -1), strict=True))
    part = f"{b}_indices[..., {a}_indices[..., i - 1]:{a}_indices[..., i]] for all i = 1, ..., {m}"
    need(ordered, f"{part} are sorted and distinct along the last dimension values")


def _constructor(layout: Any, names: tuple[str, str], example: str) -> Any:
    """The constructor of one compressed layout."""

    def construct(*args: Any, **kwargs: Any) -> SparseTensor:
        for name, common in zip(names, ("compressed_indices", "plain_indices"), strict=True):
            if name in kwargs:
                kwargs[common] = kwargs.pop(name)
        kwargs.pop("layout", None)
        return sparse_compressed_tensor(*args, layout=layout, **kwargs)

    construct.__name__ = construct.__qualname__ = f"{str(layout).rpartition('.')[2]}_tensor"
    compressed = "rows" if layout in (CSR, BSR) else "columns"
    blocks = ", in blocks (nnz, height, width)" if layout in (BSR, BSC) else ""
    construct.__doc__ = f"""A matrix with its {compressed} compressed: ``({", ".join(names)}, values, size=None)``{blocks}.

    The first argument gives where each begins in the second and in the values. Raises a RuntimeError where ``check_invariants``
    is asked for and they do not hold.

    >>> {construct.__name__}({example}).to_dense()
    tensor([[0., 3.],
            [4., 0.]])
    """
    return construct


_BY_ROWS, _BY_COLUMNS = ("crow_indices", "col_indices"), ("ccol_indices", "row_indices")
sparse_csr_tensor = _constructor(CSR, _BY_ROWS, "[0, 1, 2], [1, 0], [3.0, 4.0], (2, 2)")
sparse_csc_tensor = _constructor(CSC, _BY_COLUMNS, "[0, 1, 2], [1, 0], [4.0, 3.0], (2, 2)")
sparse_bsr_tensor = _constructor(BSR, _BY_ROWS, "[0, 1], [0], [[[0.0, 3.0], [4.0, 0.0]]], (2, 2)")
sparse_bsc_tensor = _constructor(BSC, _BY_COLUMNS, "[0, 1], [0], [[[0.0, 3.0], [4.0, 0.0]]], (2, 2)")


class LegacyType(type):
    """The type of ``sparse.FloatTensor`` and its kin: calling one makes a COO tensor, isinstance looks at the element type."""

    kind: Any

    def __call__(cls, *args: Any, device: Any = None) -> SparseTensor:
        if args and isinstance(args[0], Tensor):
            return sparse_coo_tensor(*args, device=device)
        size = args[0] if args and isinstance(args[0], Size | tuple | list) else args
        return sparse_coo_tensor(size=tuple(size), dtype=cls.kind, device=device)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, SparseTensor) and instance.form == COO and instance.dtype is cls.kind


_KINDS = {
    "Float": dv.float32, "Double": dv.float64, "Half": dv.float16, "Long": dv.int64, "Int": dv.int32, "Short": dv.int16,
    "Char": dv.int8, "Byte": dv.uint8,
}  # fmt: skip
LEGACY = {
    f"{name}Tensor": LegacyType(f"{name}Tensor", (), {"kind": kind, "__doc__": f"PyTorch's older way to make a COO tensor of {kind}."})
    for name, kind in _KINDS.items()
}


@known("new")
def new(input: Any, *args: Any, device: Any = None) -> Any:
    """A COO tensor of the same type: of a size, or of indices and values."""
    if args and isinstance(args[0], Tensor):
        return sparse_coo_tensor(*args, device=device)
    _need_here("new", input, device)
    return empty(input, (0,) if not args else tuple(args[0] if isinstance(args[0], Size | tuple | list) else args))


@known("zeros_like")
def zeros_like(
    input: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
    memory_format: Any = None,
) -> Any:  # fmt: skip
    """Nothing kept, in the layout and type of another."""
    if layout == dv.strided:
        return dv.zeros(tuple(input.shape), dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)
    _need_here("zeros_like", input, device)
    if layout not in (None, input.form):
        raise ShapeError("zeros_like", f"empty_like with different sparse layout is not supported (self is {input.form}, not {layout})")
    if memory_format is not None:
        raise ShapeError("zeros_like", "memory format option is only supported by strided tensors", f"got {memory_format}")
    return empty(input, tuple(input.shape), dtype=dtype, requires_grad=requires_grad)


@known("empty_like")
def empty_like(input: Any, **options: Any) -> Any:
    """Nothing kept, in the layout and type of another; of compressed layouts zeros, in the places of its elements."""
    compressed = input.form != COO and options.get("layout") in (None, input.form)
    return full_like(input, 0, **options) if compressed else zeros_like(input, **options)


def empty(input: Any, size: tuple[int, ...], *, dtype: Any = None, requires_grad: bool = False) -> Any:
    """Nothing kept, of a size, in the layout and type of another."""
    value = input.value.detach()[:0] if dtype is None else input.value.detach()[:0].to(dtype)
    if input.form == COO:
        split = input.sparse_dim() if len(size) == input.ndim else len(size)
        value = value.new_zeros((0, *size[split:]))
        out = SparseTensor(COO, (dv.zeros(split, 0, dtype=dv.int64),), value, size, True)
    else:
        kind = input.index[0].dtype
        pointers = dv.zeros(len(input.index[0]), dtype=kind)
        out = SparseTensor(input.form, (pointers, dv.zeros(0, dtype=kind)), value, size)
    return out.requires_grad_(requires_grad)


def _need_here(where: str, input: Any, device: Any) -> None:
    """An UnsupportedError for another device than the tensor's own; a RuntimeError where there is no such device."""
    if dv.empty(0, device=device).device != input.device:
        raise UnsupportedError(where, f"no sparse tensors on the device {device}", "expected the CPU")


@known("full_like")
def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    pin_memory: bool = False, memory_format: Any = None,
) -> Any:  # fmt: skip
    """One number for every kept element, in the layout of another; of compressed layouts only, as PyTorch's."""
    if layout == dv.strided and input.form == COO:
        return dv.full(tuple(input.shape), fill_value, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)
    if layout not in (None, input.form):
        raise ShapeError("full_like", f"empty_like with different sparse layout is not supported (self is {input.form}, not {layout})")
    if input.form == COO:
        raise unsupported("full_like", input.form)
    return input.like(dv.full_like(input.value.detach(), fill_value, dtype=dtype, device=device)).requires_grad_(requires_grad)


@known("ones_like")
def ones_like(input: Any, **options: Any) -> Any:
    """1 for every kept element, in the layout of another."""
    return full_like(input, 1, **options)


@known("new_zeros", "new_empty")
def new_empty(
    input: Any, *size: Any, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Any:
    """Nothing kept, of a size, in the layout and type of another."""
    size = tuple(size[0] if isinstance(size[0], Size | tuple | list) else size)
    if layout == dv.strided:
        return dv.zeros(size, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)
    if layout not in (None, input.form):
        raise ShapeError("new_empty", f"a tensor of the layout {input.form} makes new ones of it or strided ones", f"got layout={layout}")
    return empty(input, size, dtype=dtype, requires_grad=requires_grad)
