"""Modules that hold modules: in a row, in a list, in a dict."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ..autograd.node import CLASSES
from ..errors import AssertedError, RangeError, TypeMismatch, ValueRangeError
from .module import Module, _shown

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Popping(Module):
    def pop(self, key: Any) -> Any:
        """Take out what is at this place, or has this name, and return it."""
        taken = self[key]  # type: ignore[index]
        del self[key]  # type: ignore[attr-defined]
        return taken


class _List(Module):
    """What is held under the names "0", "1" …, reached by index."""

    _things = "modules"

    def _key(self, idx: Any) -> str:
        n, idx = len(self), operator.index(idx)
        if not -n <= idx < n:
            raise RangeError(type(self).__name__, f"index {idx} is out of range", f"there are {n} {self._things}")
        return str(idx % n)

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several at the end. Raises a TypeError for what is not iterable, or a tensor."""
        if not isinstance(values, Iterable) or values.__class__ in CLASSES:
            raise TypeMismatch(f"{type(self).__name__}.extend", "should be called with an iterable", f"but got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self


class _Modules(_Popping, _List):
    """Sub-modules by index and slice."""

    def _key(self, idx: Any) -> str:
        return list(self._modules)[int(super()._key(idx))]

    def _renumber(self, modules: Iterable[Module | None]) -> None:
        self.__dict__["_modules"] = OrderedDict((str(i), m) for i, m in enumerate(modules))

    def __setitem__(self, idx: int, module: Module) -> None:
        setattr(self, self._key(idx), module)

    def __delitem__(self, idx: int | slice) -> None:
        for key in list(self._modules)[idx] if isinstance(idx, slice) else [self._key(idx)]:
            del self._modules[key]
        self._renumber(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module) -> Any:
        """Put a module before position ``index``."""
        held = list(self)
        held.insert(index, module)
        self._renumber(held)


class Sequential(_Modules):
    """Call modules one after the other; they are given in order, or as an ordered dict of names.

    >>> import dovetail as dv
    >>> from dovetail import nn
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> net(dv.ones(5, 3)).shape
    dovetail.Size([5, 2])
    >>> net[1:]
    Sequential(
      (1): ReLU()
      (2): Linear(in_features=4, out_features=2, bias=True)
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = args[0].items() if len(args) == 1 and isinstance(args[0], OrderedDict) else ((str(i), m) for i, m in enumerate(args))
        for name, module in named:
            self.add_module(name, module)

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return self.__class__(OrderedDict(list(self._modules.items())[idx]))
        return self._modules[self._key(idx)]

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *_sequential(other))

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(_sequential(other))

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*(list(self) * _factor(self, other)))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Self:
        return self.extend(list(self) * (_factor(self, other) - 1))

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add several modules at the end."""
        for module in list(sequential):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before position ``index``. Raises an IndexError for a position that is not there."""
        if not isinstance(module, Module):
            raise AssertedError("Sequential.insert", f"module should be of type: {Module}", f"got {type(module).__name__}")
        n = len(self)
        if not -n <= index <= n:
            raise RangeError("Sequential.insert", f"Index out of range: {index}", f"there are {n} modules")
        super().insert(index, module)
        return self


def _sequential(other: Any) -> Any:
    if not isinstance(other, Sequential):
        raise ValueRangeError("Sequential", f"add operator supports only objects of Sequential class, but {type(other)} is given.")
    return other


def _factor(self: Any, other: Any) -> int:
    if not isinstance(other, int):
        raise TypeMismatch(f"unsupported operand type(s) for *: {type(self)} and {type(other)}")
    if other <= 0:
        raise ValueRangeError(f"Non-positive multiplication factor {other} for {type(self)}")
    return other


class ModuleList(_Modules):
    """A list of modules, whose parameters the module that holds it knows.

    >>> import dovetail as dv
    >>> dv.nn.ModuleList([dv.nn.ReLU(), dv.nn.ReLU()])
    ModuleList(
      (0-1): 2 x ReLU()
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, idx: int | slice) -> Any:
        if isinstance(idx, slice):
            return self.__class__(list(self._modules.values())[idx])
        return self._modules[self._key(idx)]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        runs: list[list[Any]] = []  # [first, last, repr]: what repeats is shown once
        for i, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        below = [(str(a), text) if a == b else (f"{a}-{b}", f"{b - a + 1} x {text}") for a, b, text in runs]
        return _shown(self._get_name(), [], below)


class _Dict(_Popping):
    """What is held under names, in the order of insertion."""

    _names: Any  # a dict whose keys they are

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def keys(self) -> Any:
        """The names."""
        return self._names.keys()

    def clear(self) -> None:
        """Drop everything."""
        for key in list(self):
            del self[key]  # type: ignore[attr-defined]

    def update(self, values: Any) -> None:
        """Add what a mapping has, or an iterable of pairs. Raises a TypeError or ValueError for anything else."""
        where = f"{type(self).__name__}.update"
        if not isinstance(values, Iterable):
            raise TypeMismatch(where, "should be called with an iterable of key/value pairs", f"but got {type(values).__name__}")
        for at, pair in enumerate(values.items() if isinstance(values, Mapping | _Dict) else values):
            if not isinstance(pair, Iterable):
                raise TypeMismatch(where, f"sequence element #{at} should be Iterable; is {type(pair).__name__}")
            pair = tuple(pair)
            if len(pair) != 2:
                raise ValueRangeError(where, f"sequence element #{at} has length {len(pair)}; 2 is required")
            self[pair[0]] = pair[1]  # type: ignore[index]


class ModuleDict(_Dict):
    """A dict of modules in the order of insertion, whose parameters the module that holds it knows.

    >>> import dovetail as dv
    >>> acts = dv.nn.ModuleDict({"relu": dv.nn.ReLU()})
    >>> acts["tanh"] = dv.nn.Tanh()
    >>> list(acts)
    ['relu', 'tanh']
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    @property
    def _names(self) -> Any:
        return self._modules

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def items(self) -> Any:
        """The pairs of name and module."""
        return self._modules.items()

    def values(self) -> Any:
        """The modules."""
        return self._modules.values()
