"""The base of the tensors that say what they are, and when operations on them keep that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import dovetail
from dovetail import Tensor
from dovetail.autograd.node import CLASSES
from dovetail.errors import ValueRangeError
from dovetail.tensor_repr import text

__all__ = ["TVTensor", "first_of", "set_return_type", "wrap"]

_KINDS: set[type] = set()
_RETURNS = {"kept": False}


class TVTensor(Tensor):
    """The base of the tensors that say what they are; a subclass of one's own is made as `dovetail.Tensor` is.

    >>> class Depth(TVTensor): pass
    >>> Depth([1, 2])
    Depth([1., 2.])
    >>> kept = dovetail.ones(2).as_subclass(Depth)
    >>> type(kept.clone()).__name__, type(kept + 1).__name__
    ('Depth', 'Tensor')
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _KINDS.add(cls)
        _announce(_RETURNS["kept"])

    @staticmethod
    def _to_tensor(data: Any, dtype: Any = None, device: Any = None, requires_grad: bool | None = None) -> Tensor:
        if requires_grad is None:
            requires_grad = data.requires_grad if isinstance(data, Tensor) else False
        return dovetail.as_tensor(data, dtype=dtype, device=device).requires_grad_(requires_grad)

    @classmethod
    def wrap(cls, tensor: Tensor, like: Any, **kwargs: Any) -> Self:
        """A tensor as one of this class, with what ``like`` carries; what :func:`wrap` calls."""
        return tensor.as_subclass(cls)

    @classmethod
    def _wrap_output(cls, output: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """What an operation gave, as this class where it is a tensor or holds tensors."""
        if isinstance(output, Tensor) and not isinstance(output, cls):
            return output.as_subclass(cls)
        if isinstance(output, (tuple, list)):
            parts = [cls._wrap_output(part, args, kwargs) for part in output]
            return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
        return output

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What functions of `dovetail` ask while ``set_return_type("TVTensor")`` holds."""
        if not all(issubclass(cls, kind) for kind in types):
            return NotImplemented
        with _plainly():
            output = function(*args, **(kwargs or {}))
        return cls._wrap_output(output, args, kwargs)

    def clone(self, *, memory_format: Any = None) -> Self:
        """A copy of the same class."""
        with _plainly():
            return self._wrap_output(Tensor.clone(self, memory_format=memory_format), (self,))

    def detach(self) -> Self:
        """The same values without history, of the same class."""
        with _plainly():
            return self._wrap_output(Tensor.detach(self), (self,))

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert type or device; the class stays."""
        with _plainly():
            return self._wrap_output(Tensor.to(self, *args, **kwargs), (self,))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return memo.setdefault(id(self), self.detach().clone().requires_grad_(self.requires_grad))

    def _make_repr(self, **kwargs: Any) -> str:
        extra = ", ".join(f"{name}={value}" for name, value in kwargs.items())
        return f"{text(self, f'{type(self).__name__}(')[:-1]}, {extra})"

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return text(self, f"{type(self).__name__}(")


def _answering(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose answer is a plain tensor, also where it is the tensor itself; while classes are kept one of its class."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _RETURNS["kept"]:
            with _plainly():
                out = method(self, *args, **kwargs)
            return self._wrap_output(out, (self, *args), kwargs)
        out = method(self, *args, **kwargs)
        return out.as_subclass(Tensor) if isinstance(out, TVTensor) else out

    return call


_KEEPING = {"requires_grad_", "retain_grad", "pin_memory", "as_subclass", "backward", "register_hook", "numpy", "tolist", "item"}
_OPERATORS = {f"__{name}__" for name in "getitem setitem pos neg abs invert reversed eq ne lt le gt ge".split()} | {
    f"__{form}{name}__"
    for form in ("", "r", "i")
    for name in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()
}
for _name in sorted(set(dir(Tensor)) - _KEEPING - {"clone", "detach", "to"}):
    if (not _name.startswith("_") or _name in _OPERATORS) and callable(getattr(Tensor, _name)):
        setattr(TVTensor, _name, _answering(getattr(Tensor, _name)))


def _announce(kept: bool) -> None:
    """While classes are kept these are no tensors to the ops, which then ask their ``__torch_function__``."""
    _RETURNS["kept"] = kept
    (CLASSES.difference_update if kept else CLASSES.update)({TVTensor, *_KINDS})


@contextmanager
def _plainly() -> Iterator[None]:
    kept = _RETURNS["kept"]
    if not kept:
        yield
        return
    _announce(False)
    try:
        yield
    finally:
        _announce(True)


class _Restoring:
    def __init__(self, before: bool) -> None:
        self.before = before

    def __enter__(self) -> _Restoring:
        return self

    def __exit__(self, *error: object) -> None:
        _announce(self.before)


def set_return_type(return_type: str) -> _Restoring:
    """Whether operations give "Tensor" (the default) or keep the class of their argument, "TVTensor"; for good, or in a ``with`` block.

    The transforms and their functions keep it anyway. Raises a ValueRangeError (ValueError) for another word.

    >>> from dovetail_vision.tv_tensors import Mask
    >>> with set_return_type("TVTensor"):
    ...     print(type(Mask([[1]]) * 2).__name__)
    Mask
    """
    words = {"tensor": False, "tvtensor": True}
    if return_type.lower() not in words:
        raise ValueRangeError("set_return_type", f"return_type is {return_type!r}", "expected 'TVTensor' or 'Tensor'")
    before = _RETURNS["kept"]
    _announce(words[return_type.lower()])
    return _Restoring(before)


def wrap(wrappee: Tensor, *, like: Any, **kwargs: Any) -> Any:
    """A tensor as the class of ``like``, with its format, canvas size and the like; ``kwargs`` replace single ones.

    >>> from dovetail_vision.tv_tensors import Mask
    >>> wrap(dovetail.ones(1, 1), like=Mask([[0]]))
    Mask([[1.]])
    """
    return type(like).wrap(wrappee, like, **kwargs) if hasattr(type(like), "wrap") else wrappee.as_subclass(type(like))


def first_of(kind: type, args: Any) -> Any:
    """The first object of a class among the arguments of a call, also inside lists and tuples."""
    for value in args:
        if isinstance(value, kind):
            return value
        found = first_of(kind, value) if isinstance(value, (list, tuple)) else None
        if found is not None:
            return found
    return None
