"""Making tensors from sizes and numbers; from data see convert.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd.node import CLASSES, Tensor
from ..device import device_of, module_for, to_device
from ..dtypes import from_numpy_dtype, get_default_dtype, scalar_dtype, to_numpy_dtype
from ..errors import ShapeError, TypeMismatch, UnsupportedError
from ..tensor_repr import set_printoptions
from ._dims import sizes_of, tuple_of
from ._layout import order_of
from ._live import exhausted
from ._refuse import fits, native
from .convert import as_tensor, asarray, finished, from_dlpack, from_numpy, frombuffer, placed, tensor
from .convert import new_tensor as _new_tensor
from .memory import memory_format, preserve_format

__all__ = [
    "as_tensor", "asarray", "empty", "empty_like", "empty_permuted", "empty_strided", "from_dlpack", "from_numpy", "frombuffer", "full",
    "full_like", "ones", "ones_like", "scalar_tensor", "set_printoptions", "tensor", "zeros", "zeros_like",
]  # fmt: skip
METHODS = ("new_empty", "new_empty_strided", "new_full", "new_ones", "new_tensor", "new_zeros")

new_tensor = _new_tensor


def _made(name: str, args: Any, options: dict[str, Any], fill: Any) -> Tensor:
    """The factories of a size: ``zeros(2, 3)``, ``zeros((2, 3), dtype=...)``, ``zeros(size=(2, 3))``."""
    if "size" in options:
        args = (options.pop("size"),)
        tuple_of(name, "size", args[0], 1)
    return _filled(name, sizes_of(name, args), fill, **options)


def settled(
    name: str, device: Any = None, requires_grad: bool = False, layout: Any = None, pin_memory: bool = False, out: Any = None,
    **unknown: Any,
) -> tuple[Any, bool, Any]:  # fmt: skip
    """Check the options that all factories share; the device, whether a gradient is asked for, and where the result goes."""
    for option, value in unknown.items():
        if option == "names" and value is not None:
            raise UnsupportedError(f"{name}()", f"named dimensions are not supported (names={value!r})", "", "leave names out")
        raise TypeMismatch(f"{name}()", f"got an unexpected keyword argument {option!r}")
    if layout is not None and layout != "strided":
        raise UnsupportedError(name, f"layout {layout} is not supported", "expected dovetail.strided", "convert with to_sparse()")
    return to_device(device), requires_grad, out


def _filled(name: str, size: tuple[int, ...], fill: Any, *, dtype: Any = None, memory_format: Any = None, **options: Any) -> Tensor:
    if min(size, default=0) < 0:
        raise ShapeError(name, "Dimension size must be non-negative.", f"Got {list(size)}")
    where, requires_grad, out = settled(name, **options)
    kind = to_numpy_dtype(dtype or get_default_dtype())
    turned = memory_format is not None and memory_format.fits(size)
    lies = tuple([size[d] for d in memory_format.order]) if turned else size
    try:
        with placed(where):
            module = module_for(where)
            if fill is None:
                a = module.empty(lies, kind)
            elif fill == 0 and fill.__class__ is int:
                a = module.zeros(lies, kind)
            else:
                a = module.full(lies, fits(name, fill, kind), kind)
    except MemoryError as error:
        raise exhausted(name, error) from None
    return finished(a.transpose(memory_format.back) if turned else a, requires_grad, out)


def zeros(*args: Any, **options: Any) -> Tensor:
    """Zeros of a size: ``zeros(*size, dtype=None, device=None, requires_grad=False)``.

    Raises a ShapeError (RuntimeError) for a negative size.

    >>> import dovetail as dv
    >>> dv.zeros(2, 2)
    tensor([[0., 0.],
            [0., 0.]])
    """
    return _made("zeros", args, options, 0)


def ones(*args: Any, **options: Any) -> Tensor:
    """Ones of a size: ``ones(*size, dtype=None, device=None, requires_grad=False)``.

    Raises a ShapeError (RuntimeError) for a negative size.

    >>> import dovetail as dv
    >>> dv.ones(2, dtype=dv.int64)
    tensor([1, 1])
    """
    return _made("ones", args, options, 1)


def empty(*args: Any, **options: Any) -> Tensor:
    """A tensor of a size whose elements are not initialised; ``memory_format`` says how it lies in memory.

    Raises a ShapeError (RuntimeError) for a negative size.

    >>> import dovetail as dv
    >>> dv.empty(2, 3).shape
    dovetail.Size([2, 3])
    """
    return _made("empty", args, options, None)


def full(size: Any, fill_value: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    """A tensor of a size with one number everywhere, of that number's type unless another is named.

    Raises a TypeMismatch (TypeError) for a size that is no tuple.

    >>> import dovetail as dv
    >>> dv.full((2,), 7)
    tensor([7, 7])
    """
    tuple_of("full", "size", size, 1)
    if fill_value.__class__ in CLASSES and not fill_value._a.ndim and fill_value._n is None:
        fill_value = fill_value.item()
    if not isinstance(fill_value, int | float | complex | np.generic):
        raise TypeMismatch("full()", f"argument 'fill_value' (position 2) must be Number, not {type(fill_value).__name__}")
    fill_value = native(fill_value) if isinstance(fill_value, np.generic) else fill_value
    dtype = dtype or scalar_dtype(fill_value)
    return _filled("full", sizes_of("full", (size,)), _as(fill_value, dtype), dtype=dtype, **options)


def _as(value: Any, dtype: Any) -> Any:
    """A number as this type holds it: 1.5 becomes 1 among integers."""
    kind = to_numpy_dtype(dtype)
    return fits("full", value, kind) if kind.kind in "iu" and isinstance(value, float) else value


def _like(name: str, input: Any, fill: Any, options: dict[str, Any]) -> Tensor:
    """The factories of a tensor's shape, which lie in memory as it does unless a format is named."""
    if input.__class__ not in CLASSES:
        raise TypeMismatch(f"{name}()", f"argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    a = input._a
    if not a.flags.c_contiguous and options.get("memory_format") in (None, preserve_format):
        options["memory_format"] = memory_format("as it lies", tuple(order_of(a)))
    return _filled(name, a.shape, fill, **_beside(input, options))


def zeros_like(input: Tensor, **options: Any) -> Tensor:
    """Zeros of the shape, type, device and layout of another tensor, unless others are named:
    ``zeros_like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None)``.

    >>> import dovetail as dv
    >>> dv.zeros_like(dv.tensor([1, 2]))
    tensor([0, 0])
    """
    return _like("zeros_like", input, 0, options)


def ones_like(input: Tensor, **options: Any) -> Tensor:
    """Ones of the shape, type, device and layout of another tensor, unless others are named; the options of :func:`zeros_like`.

    >>> import dovetail as dv
    >>> dv.ones_like(dv.tensor([5., 6.]))
    tensor([1., 1.])
    """
    return _like("ones_like", input, 1, options)


def empty_like(input: Tensor, **options: Any) -> Tensor:
    """A tensor of the shape, type, device and layout of another, whose elements are not initialised; the options of
    :func:`zeros_like`.

    >>> import dovetail as dv
    >>> dv.empty_like(dv.ones(2, 3)).shape
    dovetail.Size([2, 3])
    """
    return _like("empty_like", input, None, options)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    """One number everywhere, in the shape, type, device and layout of another tensor; the options of :func:`zeros_like`.

    >>> import dovetail as dv
    >>> dv.full_like(dv.ones(2), 3)
    tensor([3., 3.])
    """
    value = fill_value.item() if fill_value.__class__ in CLASSES else fill_value
    value = _as(value, dtype or from_numpy_dtype(input._a.dtype))
    return _like("full_like", input, value, {"dtype": dtype, **options})


def _beside(input: Tensor, options: dict[str, Any]) -> dict[str, Any]:
    """The type and device of a tensor, for what is not named."""
    if options.get("dtype") is None:
        options["dtype"] = from_numpy_dtype(input._a.dtype)
    if options.get("device") is None:
        options["device"] = device_of(input._a)
    return options


def new_zeros(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """Zeros of a size, with this tensor's type and device."""
    return _made("new_zeros", args, _beside(input, options), 0)


def new_ones(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """Ones of a size, with this tensor's type and device."""
    return _made("new_ones", args, _beside(input, options), 1)


def new_empty(input: Tensor, *args: Any, **options: Any) -> Tensor:
    """An uninitialised tensor of a size, with this tensor's type and device."""
    return _made("new_empty", args, _beside(input, options), None)


def new_full(input: Tensor, size: Any, fill_value: Any, **options: Any) -> Tensor:
    """One number everywhere in a tensor of a size, with this tensor's type and device."""
    return full(size, fill_value, **_beside(input, options))


def empty_strided(size: Any, stride: Any, **options: Any) -> Tensor:
    """An uninitialised tensor of a size with these strides in memory.

    >>> import dovetail as dv
    >>> dv.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    if len(size) != len(stride):
        text = f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})"
        raise ShapeError("empty_strided", text)
    span = 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if 0 not in size else 0
    return empty(span, **options).as_strided(size, stride)


def new_empty_strided(input: Tensor, size: Any, stride: Any, **options: Any) -> Tensor:
    """:func:`empty_strided` with this tensor's type and device."""
    return empty_strided(size, stride, **_beside(input, options))


def empty_permuted(size: Any, physical_layout: Any, **options: Any) -> Tensor:
    """An uninitialised tensor whose dimensions lie in memory in this order, the outermost first.

    >>> import dovetail as dv
    >>> dv.empty_permuted((2, 3), (1, 0)).stride()
    (1, 2)
    """
    order = tuple(physical_layout)
    if sorted(order) != [*range(len(size))]:
        raise ShapeError("empty_permuted", f"the layout {order} is no order of the {len(size)} dimensions", "negative ones do not count")
    return empty(size, memory_format=memory_format("permuted", order), **options)


def scalar_tensor(s: Any, *, dtype: Any = None, **options: Any) -> Tensor:
    """A number as a tensor without dimensions, of the default float type unless another is named.

    >>> import dovetail as dv
    >>> dv.scalar_tensor(3)
    tensor(3.)
    """
    return full((), s, dtype=dtype or get_default_dtype(), **options)
