"""What a PyTorch file may name, and what it stands for here: tensors on storages, types, and plain values. Nothing else is built."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from ..autograd.node import Tensor, wrap
from ..device import Device
from ..dtypes import LATER, TYPES, bfloat16_dtype, dtype, dtype_named
from ..ops._arrays import strided as strided_view
from ..ops.memory import strided
from ..size import Size
from .torch_limits import Builder, key_of, set_state

__all__ = ["KNOWN", "Storage", "StorageType"]

_STORAGES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32", "Short": "int16",
    "Char": "int8", "Byte": "uint8", "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128", "Untyped": "",
}  # fmt: skip


class Storage:
    """Memory that tensors look at: its bytes, and the type of its elements ("" where each tensor says)."""

    __slots__ = ("bytes", "copied", "kind")

    def __init__(self, data: Any, kind: str) -> None:
        self.bytes, self.kind, self.copied = data, kind, 0


class StorageType:
    """What ``torch.FloatStorage`` and its like stand for."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @property
    def dtype(self) -> dtype:
        return dtype_named(self.kind or "uint8")


def _ordered(items: Any = ()) -> Any:
    return OrderedDict((key_of(k), v) for k, v in items)


def _counter(counts: Any = None) -> Any:
    if counts.__class__ not in (dict, type(None)):
        raise ValueError(f"it counts a {type(counts).__name__}")
    return Counter(counts)


def _encoded(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes are written as latin1")
    return text.encode("latin-1")


def _bytearray(data: Any = b"", encoding: str = "latin1") -> bytearray:
    return bytearray(data if data.__class__ is bytes else _encoded(data, encoding))


def _numbers(values: Any) -> Size:
    if values.__class__ not in (tuple, list, Size) or any(v.__class__ is not int or v < 0 for v in values):
        raise ValueError("expected whole numbers, 0 or more")
    return Size(values)


def _complex(real: float, imag: float) -> complex:
    return complex(float(real), float(imag))


def _layout(name: str) -> Any:
    if name != "torch.strided":
        raise ValueError(f"the layout {name[:50]!r}; only strided tensors are here")
    return strided


def _tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, hooks: Any = None, metadata: Any = None,
    kind: Any = None,
) -> Tensor:  # fmt: skip
    if storage.__class__ is not Storage:
        raise ValueError(f"its memory is a {type(storage).__name__}")
    kind = kind or dtype_named(storage.kind or "uint8")
    sizes, steps, (first,) = _numbers(size), _numbers(stride), _numbers([offset])
    room = storage.bytes.size // kind.itemsize
    last = 0 if 0 in sizes else first + 1 + sum((n - 1) * s for n, s in zip(sizes, steps, strict=True))
    if len(sizes) != len(steps) or last > room:
        raise ValueError(f"sizes {sizes}, strides {steps} and offset {first} lead outside a storage of {room} elements")
    flat = storage.bytes[: room * kind.itemsize].view(kind.np)
    a = strided_view(flat[first:] if last else flat[:0], sizes, [s * kind.itemsize for s in steps])
    if metadata:  # such a tensor has memory of its own here
        storage.copied += a.nbytes
        if storage.copied > 8 * storage.bytes.size:
            raise ValueError(f"its storage of {storage.bytes.size} bytes is copied to {storage.copied}")
    for name, on in (metadata or {}).items():
        if name not in ("conj", "neg"):
            raise ValueError(f"the metadata {name!r}")
        a = (a.conj() if name == "conj" else -a) if on else a
    return _with_gradient(wrap(a), requires_grad)


def _tensor_v3(storage: Any, offset: Any, size: Any, stride: Any, grad: Any, hooks: Any, kind: Any, metadata: Any = None) -> Tensor:
    if kind.__class__ is not dtype:
        raise ValueError(f"its type is a {type(kind).__name__}")
    return _tensor(storage, offset, size, stride, grad, hooks, metadata, kind)


def _with_gradient(t: Tensor, requires_grad: Any) -> Tensor:
    if requires_grad.__class__ is not bool:
        raise ValueError("requires_grad is True or False")
    return t.requires_grad_() if requires_grad else t


def _parameter(data: Any, requires_grad: Any = True, hooks: Any = None, state: Any = None) -> Any:
    from ..nn.parameter import Parameter

    if data.__class__ is not Tensor:
        raise ValueError(f"a parameter of a {type(data).__name__}")
    made = _with_gradient(Parameter(data.detach(), False), requires_grad)
    return made if state is None else set_state(made, state)


def _of_type(build: Any, kind: Any, arguments: Any, state: Any) -> Any:
    names = [x.name if x.__class__ is Builder else "" for x in (build, kind)]
    if not names[0].startswith("torch._utils._rebuild_") or names[1] not in ("torch.Tensor", "torch.nn.parameter.Parameter"):
        raise ValueError("its class is neither Tensor nor Parameter")
    made = build.call(*arguments)
    made = _parameter(made.detach(), made.requires_grad) if names[1] != "torch.Tensor" and made.__class__ is Tensor else made
    return made if state is None else set_state(made, state)


def _bare(*arguments: Any) -> Any:
    raise ValueError("tensors are built from a storage")


_BUILDERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _counter,
    "_codecs.encode": _encoded,
    "builtins.bytes": lambda: b"",
    "builtins.bytearray": _bytearray,
    "builtins.set": lambda items=(): set(map(key_of, items)),
    "builtins.frozenset": lambda items=(): frozenset(map(key_of, items)),
    "builtins.complex": _complex,
    "torch.Size": _numbers,
    "torch.device": Device,
    "torch.serialization._get_layout": _layout,
    "torch.Tensor": _bare,
    "torch.nn.parameter.Parameter": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_type,
}
_PLACES = ("torch", "torch.cuda", "torch.storage")
#: Everything that a file may name.
KNOWN: dict[str, Any] = {
    **{name: Builder(name, call) for name, call in _BUILDERS.items()},
    **{f"{place}.{name}Storage": StorageType(kind) for name, kind in _STORAGES.items() for place in _PLACES},
    **{f"torch.{name}": kind for name, kind in TYPES.items() if name not in LATER},
    "torch.bfloat16": bfloat16_dtype,
}
