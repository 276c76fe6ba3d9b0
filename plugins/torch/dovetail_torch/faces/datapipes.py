"""``dovetail.utils.data.datapipes``: the base classes of data pipes, without a library of them: a generator does as well."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from dovetail.data import Dataset, IterableDataset
from dovetail.errors import UnknownAttribute, ValueRangeError

__all__ = [
    "DFIterDataPipe", "DataChunk", "IterDataPipe", "MapDataPipe", "argument_validation", "functional_datapipe",
    "guaranteed_datapipes_determinism", "non_deterministic", "runtime_validation", "runtime_validation_disabled",
]  # fmt: skip


class DataChunk(list[Any]):
    """A list of samples that went through a pipe together."""

    def raw_iterator(self) -> Any:
        """Its samples."""
        return iter(self)


def _found(self: Any, name: str) -> Any:
    for kind in type(self).__mro__:
        if name in vars(kind).get("functions", ()):
            return functools.partial(vars(kind)["functions"][name], self)
    raise UnknownAttribute(
        type(self).__name__, f"it has no attribute {name!r}", "", "operations of torchdata are not here: write a generator"
    )


class IterDataPipe(IterableDataset[Any]):
    """Samples in a stream, with operations as methods where `functional_datapipe` registers them.

    >>> @functional_datapipe("twice")
    ... class Twice(IterDataPipe):
    ...     def __init__(self, source): self.source = source
    ...     def __iter__(self): return (2 * x for x in self.source)
    >>> list(Twice([1, 2]).twice())
    [4, 8]
    """

    functions: dict[str, Callable[..., Any]] = {}
    __getattr__ = _found

    @classmethod
    def register_datapipe_as_function(cls, function_name: str, cls_to_register: Any, enable_df_api_tracing: bool = False) -> None:
        """Make a class of pipes a method of all pipes. Raises an Exception for a name that is taken."""
        _register(IterDataPipe, function_name, cls_to_register)


class MapDataPipe(Dataset[Any]):
    """Samples by index, with operations as methods."""

    functions: dict[str, Callable[..., Any]] = {}
    __getattr__ = _found

    @classmethod
    def register_datapipe_as_function(cls, function_name: str, cls_to_register: Any) -> None:
        """Make a class of pipes a method of all pipes. Raises an Exception for a name that is taken."""
        _register(MapDataPipe, function_name, cls_to_register)


def _register(base: Any, name: str, kind: Any) -> None:
    if name in base.functions:
        raise ValueRangeError("functional_datapipe", f"Unable to add DataPipe function name {name} as it is already taken")
    base.functions[name] = kind


class functional_datapipe:
    """A decorator: ``@functional_datapipe("name")`` makes a class of pipes a method of all pipes."""

    def __init__(self, name: str, enable_df_api_tracing: bool = False) -> None:
        self.name = name

    def __call__(self, cls: Any) -> Any:
        _register(IterDataPipe if issubclass(cls, IterDataPipe) else MapDataPipe, self.name, cls)
        return cls


class DFIterDataPipe(IterDataPipe):
    """A pipe of data frames."""


class non_deterministic:
    """A decorator that leaves a class of pipes as it is: ``@non_deterministic`` or ``@non_deterministic(function)``."""

    def __new__(cls, arg: Any) -> Any:
        return arg if isinstance(arg, type) else lambda kind: kind


def argument_validation(f: Any) -> Any:
    """The function itself: arguments are not checked against its annotations."""
    return f


runtime_validation = argument_validation


class runtime_validation_disabled:
    """A block like any other."""

    def __enter__(self) -> None: ...

    def __exit__(self, *error: Any) -> None: ...


class guaranteed_datapipes_determinism(runtime_validation_disabled):
    """A block like any other."""
