"""A list and a dict of parameters, whose tensors the module that holds them knows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ..autograd.node import CLASSES
from ..errors import TypeMismatch
from .containers import _Dict, _List
from .parameter import Parameter

__all__ = ["ParameterDict", "ParameterList"]


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if value.__class__ in CLASSES and not isinstance(value, Parameter) else value


def _line(key: Any, value: Any, legacy: bool = False) -> str:
    if value.__class__ not in CLASSES:
        return f"  ({key}): Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    place = f" ({value.device})" if value.is_cuda else ""
    return f"  ({key}): {kind} containing: [{value.type() if legacy else value.dtype} of size {'x'.join(map(str, value.shape))}{place}]"


class ParameterList(_List):
    """A list of parameters; tensors become parameters, and other objects are kept as they are.

    >>> import dovetail as dv
    >>> dv.nn.ParameterList([dv.ones(2, 3)])
    ParameterList(  (0): Parameter containing: [dovetail.float32 of size 2x3])
    """

    _things = "values"

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return self.__class__(self[i] for i in range(*idx.indices(self._size)))
        return getattr(self, self._key(idx))

    def __setitem__(self, idx: int, param: Any) -> None:
        setattr(self, self._key(idx), _as_parameter(param))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(self._size))

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extra_repr(self) -> str:
        return "\n".join(_line(i, value) for i, value in enumerate(self))


class ParameterDict(_Dict):
    """A dict of parameters in the order of insertion (a plain dict's are sorted); tensors become parameters, other objects stay.

    >>> import dovetail as dv
    >>> d = dv.nn.ParameterDict({"w": dv.ones(2)})
    >>> "w" in d, d["w"].requires_grad
    (True, True)
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._names = {}
        if parameters is not None:
            self.update(parameters)

    def update(self, parameters: Any) -> None:
        """Add what a mapping has, a plain dict's in the order of its names, or an iterable of pairs."""
        plain = isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict)
        super().update(sorted(parameters.items()) if plain else parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, _checked(key))

    def __setitem__(self, key: str, value: Any) -> None:
        self._names[_checked(key)] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._names[key]
        delattr(self, key)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._names))

    def __or__(self, other: ParameterDict) -> ParameterDict:
        made = self.copy()
        made.update(other)
        return made

    def __ror__(self, other: ParameterDict) -> ParameterDict:
        made = other.copy()
        made.update(self)
        return made

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def copy(self) -> ParameterDict:
        """A new dict with the same values."""
        return ParameterDict(self.items())

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which is set to ``default`` if it is not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Any]:
        """Take the last pair out and return it."""
        key = next(reversed(self))
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or ``default``."""
        return self[key] if key in self._names else default

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """A new dict with these keys and one value."""
        return ParameterDict((key, default) for key in keys)

    def items(self) -> list[tuple[str, Any]]:
        """The pairs of name and value."""
        return [(key, self[key]) for key in self._names]

    def values(self) -> list[Any]:
        """The values."""
        return [self[key] for key in self._names]

    def extra_repr(self) -> str:
        return "\n".join(_line(key, value, True) for key, value in self.items())


def _checked(key: Any) -> str:
    if not isinstance(key, str):
        what = f"a key is not a string (type is '{type(key).__name__}')"
        raise TypeMismatch("ParameterDict", what, "Index given to ParameterDict cannot be used as a key")
    return key
