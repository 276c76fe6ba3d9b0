"""What a tensor has beside ops: attributes, conversions, Python's and NumPy's protocols."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .absent import answers
from .autograd.modes import GRAD, STATE
from .autograd.node import CLASSES, Leaf, Tensor, leaf
from .device import device_of, to_device
from .dtypes import ALIASES, dtype_named, from_numpy_dtype, to_numpy_dtype
from .dtypes import dtype as Dtype
from .errors import DeviceError, DtypeError, GradError, RangeError, ShapeError, TypeMismatch, ValueRangeError, say
from .ops import complex as _complex
from .ops._layout import copied
from .ops._override import asking, of_plugin, overridden
from .ops.assign import setitem
from .ops.convert import from_numpy
from .ops.info import numel
from .ops.join import unbind
from .ops.memory import cast, move, strided
from .size import Size, made
from .tensor_repr import text

__all__ = ["Attributes"]


class Attributes:
    """Copied onto Tensor member by member (it is never instantiated), so that the engine's class stays bare."""

    _a: Any
    _n: Any
    _v: Any
    __array_priority__ = 1000  # NumPy's operators defer to ours: `ndarray * tensor` is a tensor

    # --- what it is -----------------------------------------------------------------------------------------------

    shape = property(lambda self: made(Size, self._a.shape), doc="The lengths of the dimensions.")
    dtype = property(lambda self: from_numpy_dtype(self._a.dtype), doc="The element type.")
    device = property(lambda self: device_of(self._a), doc="Where the elements live.")
    ndim = property(lambda self: int(self._a.ndim), doc="The number of dimensions.")
    itemsize = property(lambda self: int(self._a.itemsize), doc="Bytes per element.")
    nbytes = property(lambda self: int(self._a.nbytes), doc="Bytes of all elements.")
    is_cuda = property(lambda self: device_of(self._a).type == "cuda", doc="Whether it lives on a GPU.")
    is_meta = property(lambda self: device_of(self._a).type == "meta", doc="Whether it has a shape and a type, but no values.")
    is_cpu = property(lambda self: device_of(self._a).type == "cpu", doc="Whether it lives on the CPU.")
    is_sparse = is_sparse_csr = is_quantized = is_mkldnn = is_nested = is_mps = is_xpu = is_vulkan = property(lambda self: False)
    layout = property(lambda self: strided)
    real = property(_complex.real, lambda self, value: self.real.copy_(value), doc="The real parts, as a view; a real tensor itself.")
    imag = property(_complex.imag, lambda self, value: self.imag.copy_(value), doc="The imaginary parts, as a view, of complex numbers.")

    def to_dense(self, dtype: Any = None, *, masked_grad: Any = None) -> Any:
        """Itself, being strided, in another type if one is named."""
        return self.to(dtype)

    def dim(self) -> int:
        """The number of dimensions."""
        return int(self._a.ndim)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one dimension."""
        if dim is None:
            return made(Size, self._a.shape)
        n = self._a.ndim
        if not -n <= dim < n:
            raise RangeError("size", f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
        return self._a.shape[dim]

    nelement = numel

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each dimension, in elements."""
        a, full, steps = self._a, 1, []
        for n, step in zip(a.shape[::-1], a.strides[::-1], strict=True):
            if a.size and (n != 1 or step):
                full = step // a.itemsize
            steps.append(full)  # where NumPy has no step, for one element or none, PyTorch has that of a contiguous layout
            full *= max(n, 1)
        return tuple(steps[::-1]) if dim is None else steps[::-1][dim]

    def element_size(self) -> int:
        """Bytes per element."""
        return int(self._a.itemsize)

    def data_ptr(self) -> int:
        """The address of the first element; 0 on the device meta."""
        a = self._a
        return 0 if self.is_meta else int(a.ctypes.data if isinstance(a, np.ndarray) else a.data.ptr)

    # --- conversions ----------------------------------------------------------------------------------------------

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Convert type or device: ``to(dtype)``, ``to(device)``, ``to(device, dtype)``, ``to(other)``; ``copy=True`` always copies."""
        device, dtype, copying, layout = _parse_to(args, kwargs)
        out: Any = self
        if device is not None and not _same(device, self._a):
            out = move(out, to_device(device))
        if dtype is not None and to_numpy_dtype(dtype) != self._a.dtype:
            out = cast(out, to_numpy_dtype(dtype))
        if layout is not None and not str(layout).endswith("preserve_format"):
            out = out.contiguous(memory_format=layout)
        return out.clone() if copying and out is self else out

    def type_as(self, other: Tensor) -> Any:
        """Convert to another tensor's type."""
        if other.__class__ not in CLASSES:
            raise TypeMismatch("type_as()", f"argument 'other' (position 1) must be Tensor, not {type(other).__name__}")
        return self.to(other.dtype)

    def cpu(self, memory_format: Any = None) -> Any:
        """Bring it to the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Any:
        """Bring it to a GPU."""
        if device is not None and to_device(device).type != "cuda":
            raise DeviceError("cuda", f"Invalid device, must be cuda device, not {device}")
        return self.to("cuda" if device is None else device)

    def numpy(self, *, force: bool = False) -> Any:
        """The elements as a NumPy array that shares memory."""
        if force:
            return self.detach().cpu()._a
        if self._n is not None and STATE.word & GRAD:
            what = f"Can't call numpy() on Tensor that requires grad (shape {tuple(self.shape)}, {self.dtype})"
            remedy = "Use tensor.detach().numpy() instead, which shares the memory, or compute it inside no_grad()"
            raise GradError("numpy", what, "backward() could not go back through an array", remedy)
        if device_of(self._a).type != "cpu":
            what = f"can't convert {device_of(self._a)} device type tensor to numpy"
            raise DeviceTypeError("numpy", what, "", "Use Tensor.cpu() to copy the tensor to host memory first")
        return self._a

    def item(self) -> Any:
        """The value of a tensor of one element, as a Python number."""
        if self._a.size != 1:
            raise ItemError(
                "item",
                f"a Tensor with {self._a.size} elements cannot be converted to Scalar (shape {tuple(self._a.shape)})",
                "",
                "reduce it with .mean() or .sum(), or use .tolist()",
            )
        return self._a.item() if self._a.dtype.kind != "V" else float(self._a.astype(np.float32).item())

    def tolist(self) -> Any:
        """The values as nested lists."""
        return (self._a if self._a.dtype.kind != "V" else self._a.astype(np.float32)).tolist()

    # --- Python's protocols ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        if self._a.ndim == 0:
            raise TypeMismatch("len() of a 0-d tensor")
        return int(self._a.shape[0])

    def __iter__(self: Any) -> Iterator[Any]:
        if self._a.ndim == 0:
            raise TypeMismatch("iteration over a 0-d tensor")
        return iter(unbind(self, 0)) if self._a.shape[0] else iter(())

    def __bool__(self) -> bool:
        if self._a.size != 1:
            many = "more than one value" if self._a.size else "no values"
            what = f"Boolean value of Tensor with {many} is ambiguous (shape {tuple(self._a.shape)})"
            raise ShapeError("bool", what, "", "use any() or all()")
        return bool(self._a.item() if self._a.dtype.kind != "V" else self.item())

    def __float__(self) -> float:
        return float(_real(_only_one(self)))

    def __int__(self) -> int:
        return int(_real(_only_one(self)))

    def __complex__(self) -> complex:
        return complex(_only_one(self))

    def __index__(self) -> int:
        if self._a.dtype.kind not in "iub" or self._a.size != 1:
            raise TypeMismatch("only integer tensors of a single element can be converted to an index")
        return int(self._a.item())

    def __contains__(self, element: Any) -> bool:
        if element.__class__ in CLASSES or isinstance(element, int | float | bool | complex | np.generic):
            return bool((self == element).any().item())
        raise GradError("in", f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}")

    def __reversed__(self: Any) -> Any:
        return self.flip(0) if self._a.ndim else self

    def __format__(self: Any, spec: str) -> str:
        number = self._a.ndim == 0 and self.__class__ is Tensor and not self.is_meta  # a parameter shows as itself
        return format(self.item(), spec) if number else object.__format__(self, spec)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        own = type(self).__module__.partition(".")[0] != "dovetail"  # a program's class goes by its name
        return text(self, f"{type(self).__name__}(" if own else "tensor(")  # type: ignore[arg-type]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        a = self.numpy()
        if dtype is not None and a.dtype != dtype:
            return a.astype(dtype)
        return a.copy() if copy else a

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """What NumPy's functions give for a tensor: a tensor, without gradient; PyTorch's has 0 and 1 where NumPy's has booleans."""
        return from_numpy(array.astype(np.uint8) if array.dtype == bool else array)

    def __dlpack__(self, **options: Any) -> Any:
        if self._n is not None:
            raise BufferError(say("__dlpack__", "Can't export tensors that require gradient", "", "use tensor.detach()"))
        if self.is_meta:
            raise BufferError(say("__dlpack__", "Cannot pack tensors on meta"))
        return self._a.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._a.__dlpack_device__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) in memo:
            return memo[id(self)]
        if self._n is not None and self._n.__class__ is not Leaf:
            what = "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment"
            raise GradError("deepcopy", what, "", "detach() it first")
        out = memo[id(self)] = rebuild(type(self), copied(self._a), self._n is not None, {})
        if self.grad is not None:
            out.grad = copy.deepcopy(self.grad, memo)
        for name, value in self.__dict__.items():
            out.__dict__[name] = copy.deepcopy(value, memo)
        return out

    def __copy__(self) -> Any:
        out = rebuild(type(self), self._a, self._n is not None, self.__dict__)
        out._v = self._v
        if self._n is not None:
            out._n.grad = self.grad
        return out

    def __reduce_ex__(self, protocol: Any) -> Any:
        a: Any = _STORED(self)  # also of a lazy parameter, which has no readable values yet
        layout: tuple[Any, ...] = ()
        if a.__class__ is np.ndarray and a.strides != np.empty(a.shape, a.dtype).strides:  # pickled arrays lose their strides
            span = sum((n - 1) * step for n, step in zip(a.shape, a.strides, strict=True)) // a.itemsize + 1
            a, layout = as_strided(a, (span,) if a.size else (0,), (a.itemsize,)), (a.shape, a.strides)
        return rebuild, (type(self), a, self._n is not None, dict(self.__dict__), layout)

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        if asking((self, value), {}):
            overridden(Tensor.__setitem__, TypeMismatch("setitem", "no argument answers"), (self, index, value), {})
        else:
            setitem(self, index, value)

    def __delitem__(self: Any, index: Any) -> None:
        raise TypeMismatch("Tensor", "does not support deleting items")

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *self.__dict__})


_STORED = Tensor.__dict__["_a"].__get__


class ItemError(GradError):
    """Raised where PyTorch raises a RuntimeError for item() of several elements."""


class DeviceTypeError(DeviceError, TypeError):
    """A host operation on a GPU tensor; PyTorch raises a TypeError."""


def rebuild(kind: type, array: Any, requires_grad: bool, extra: dict[str, Any], layout: tuple[Any, ...] = ()) -> Any:
    """Make a tensor again from what was pickled for a process pool."""
    out: Any = Tensor.__new__(kind)
    out._a, out._n, out._v = as_strided(array, *layout) if layout else array, None, [0, 0, None, None]
    if requires_grad:
        leaf(out)
    out.__dict__.update(extra)
    return out


def _only_one(t: Any) -> Any:
    """The value for Python's conversions, which raise a ValueError where item() raises a RuntimeError."""
    if t._a.size != 1:
        what = "only one element tensors can be converted to Python scalars"
        raise ValueRangeError("scalar", what, f"got shape {tuple(t._a.shape)}", "reduce it first, for example with sum()")
    return t.item()


def _real(value: Any) -> Any:
    if value.imag:
        raise DtypeError("scalar", f"value cannot be converted to a real number without overflow (value {value})")
    return value.real


def _same(device: Any, array: Any) -> bool:
    """Whether an array is there already; `cuda` without a number is the device that a GPU tensor is on."""
    where, have = to_device(device), device_of(array)
    return where.type == have.type and where.index in (None, have.index)


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool, Any]:
    """Sort the arguments of ``to``: device, dtype, other, non_blocking, copy, memory_format."""
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    copying, layout = bool(kwargs.pop("copy", False)), kwargs.pop("memory_format", None)
    kwargs.pop("non_blocking", None)
    other = kwargs.pop("other", None) if not args else None
    if kwargs:
        raise TypeMismatch("to()", f"got an unexpected keyword argument {next(iter(kwargs))!r}")
    flags = []
    if len(args) > 4:
        raise TypeMismatch("to()", f"takes from 0 to 4 positional arguments but {len(args)} were given")
    for value in args:
        if value.__class__ in CLASSES:
            other = value
        elif value.__class__ is Dtype or value in (bool, float, int, complex):
            dtype = value
        elif isinstance(value, bool):
            flags.append(value)
        elif value is not None:
            device = value
    if len(flags) > 1:
        copying = flags[1]
    if other is not None:
        device, dtype = device_of(other._a), other.dtype
    return device, dtype, copying, layout


def _conversion(name: str, kind: str) -> Callable[..., Any]:
    def convert(self: Any, *, memory_format: Any = None) -> Any:
        return self.to(ALIASES.get(kind) or dtype_named(kind), memory_format=memory_format)

    convert.__name__, convert.__doc__ = name, f"Convert to the type that ``dovetail.{kind}`` names."
    return convert


def _found_later(name: str, found: Callable[[str], Any], whose: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return found(name)(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"PyTorch's ``{name}``: see `dovetail.{whose}`."
    return method


_OF_SPARSE = """to_sparse to_sparse_coo to_sparse_csr to_sparse_csc to_sparse_bsr to_sparse_bsc sparse_mask smm sspaddmm coalesce
is_coalesced indices values crow_indices col_indices ccol_indices row_indices sparse_dim dense_dim sparse_resize_
sparse_resize_and_clear_ _indices _values _nnz"""
for _name in _OF_SPARSE.split():
    setattr(Attributes, _name, _found_later(_name, lambda name: of_plugin("METHODS")[name], "sparse"))
for _name in "_make_subclass apply_ dim_order is_set_to map2_ map_ module_load storage storage_type untyped_storage".split():
    setattr(Attributes, _name, _found_later(_name, lambda name: import_module(f"{__package__}.storage").METHODS[name], "storage"))
for _name in "corrcoef cov geqrf gradient istft kron lu lu_solve lu_unpack matrix_power orgqr ormqr triangular_solve".split():
    setattr(Attributes, _name, _found_later(_name, lambda name: answers(__package__)[1](name), _name))
for _name in ("float", "double", "half", "bfloat16", "int", "long", "short", "bool", "cfloat", "cdouble", "byte", "char"):
    setattr(Attributes, _name, _conversion(_name, {"byte": "uint8", "char": "int8"}.get(_name, _name)))
