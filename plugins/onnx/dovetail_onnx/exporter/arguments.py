"""The inputs of an export: their tensors, their names, and which of their dimensions have names."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import ShapeError, TypeMismatch, ValueRangeError

__all__ = ["Inputs", "leaves", "multiple"]


class Inputs:
    """Arguments of a call, positional and named, and the tensors in them.

    ``names`` and ``tensors`` go together; ``dims`` has for each tensor the names of its free dimensions, ``{0: "batch"}``.
    """

    def __init__(self, model: Any, args: Any, kwargs: Any, names: Any, shapes: Any, axes: Any) -> None:
        self.args, self.kwargs = _split(args, kwargs)
        pairs = list(leaves(self._named(model)))
        self.own = [name for name, _ in pairs]
        self.tensors = [t for _, t in pairs]
        if not pairs and (shapes or axes):
            raise ValueRangeError("export", "no argument is a tensor", "dynamic shapes need one")
        self.names = _given_names("input_names", names, self.own)
        self.dims = self._dims(shapes, axes)
        self.base = self._base()

    def _named(self, model: Any) -> dict[str, Any]:
        """The arguments by parameter name, as the function takes them."""
        function = model.forward if isinstance(model, dv.nn.Module) else model
        try:
            bound = inspect.signature(function).bind(*self.args, **self.kwargs)
        except ValueError:  # a function without a signature
            return {f"input_{k}": v for k, v in enumerate(self.args)} | dict(self.kwargs)
        except TypeError as error:
            raise TypeMismatch("export", f"the arguments do not fit the model: {error}") from None
        known = [k for k in bound.arguments if k in self.kwargs]
        self.kwargs = {k: self.kwargs[k] for k in known} | self.kwargs  # in the order of the parameters
        return dict(bound.arguments)

    def _dims(self, shapes: Any, axes: Any) -> list[dict[int, str]]:
        """Read ``dynamic_shapes`` and ``dynamic_axes``."""
        found: list[dict[int, str]] = [{} for _ in self.tensors]
        given: Any = shapes if shapes is not None else {}
        if isinstance(given, list | tuple):
            if len(given) != len(self.tensors):
                what = f"dynamic_shapes has {len(given)} entries for {len(self.tensors)} inputs ({', '.join(self.names)})"
                raise ValueRangeError("export", what, "expected one for each")
            given = dict(zip(self.names, given, strict=True))
        for which, table in (("dynamic_shapes", given), ("dynamic_axes", axes or {})):
            if not isinstance(table, Mapping):
                raise TypeMismatch("export", f"{which} is {type(table).__name__}", 'expected a dict, {"input": {0: "batch"}}')
            for name, spec in table.items():
                at = self._index(which, name)
                if at is not None:
                    found[at].update(_axes(which, name, spec, self.tensors[at].ndim))
        return found

    def _index(self, which: str, name: str) -> int | None:
        for names in (self.names, self.own):
            if name in names:
                return names.index(name)
        if which == "dynamic_axes":  # there, outputs are named too; their sizes follow from the inputs'
            return None
        raise ValueRangeError("export", f"{which} names {name!r}", f"expected one of the inputs {', '.join(self.names)}")

    def _base(self) -> dict[str, int]:
        base: dict[str, int] = {}
        for name, t, dims in zip(self.names, self.tensors, self.dims, strict=True):
            for axis, dim in dims.items():
                size = int(t.shape[axis])
                if multiple(dim) and (not size or size % multiple(dim)):
                    what = f"dimension {axis} of {name!r} is {size}"
                    raise ShapeError("export", what, f"expected a multiple of {multiple(dim)}, as {dim!r} says")
                if base.setdefault(dim, size) != size:
                    what = f"dimension {dim!r} is {base[dim]} in one input and {size} in dimension {axis} of {name!r}"
                    raise ShapeError("export", what, "one name stands for one size", "give them two names")
        return base

    def resized(self, sizes: Mapping[str, int], turn: int = 0) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with other sizes of the named dimensions, stretched or thinned, and with other values where `turn` is not 0."""
        made = iter([self._resize(t, dims, sizes, turn) for t, dims in zip(self.tensors, self.dims, strict=True)])
        return replaced((self.args, self.kwargs), lambda _: next(made))

    def _resize(self, t: Any, dims: dict[int, str], sizes: Mapping[str, int], turn: int) -> Any:
        array = np.asarray(t.detach().numpy())
        for axis, name in dims.items():
            new, old = sizes[name], array.shape[axis]
            if not old:  # there is nothing to stretch
                array = np.zeros([new if k == axis else n for k, n in enumerate(array.shape)], array.dtype)
                continue
            array = np.take(array, np.arange(new) * old // max(new, 1), axis=axis)  # what is sorted stays so, as does padding at the end
        array = _turned(array, turn) if turn else array
        return dv.from_numpy(np.array(array, order="C", copy=True))

    def arrays(self, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> dict[str, np.ndarray]:
        """The tensors in such arguments by input name, as a runtime wants them."""
        found = [t for _, t in leaves({"": list(arguments[0]), "k": arguments[1]})]
        return {name: np.asarray(t.detach().numpy()) for name, t in zip(self.names, found, strict=True)}


def _turned(array: np.ndarray, turn: int) -> np.ndarray:
    """Other values of the same kind: rows change places, and floating numbers that are no codes are mixed with others far off.

    Neighbours may be copies of each other: mixed with them they would stay equal, and which of equal ones is the largest is open.
    """
    array = np.roll(array, turn, axis=0) if array.ndim else array
    if array.dtype.kind != "f" or not np.isfinite(array).all() or np.array_equal(array, np.floor(array)):
        return array
    share = np.random.default_rng(turn).uniform(0, 1, array.shape).astype(array.dtype)
    return (array + share * (np.roll(array, array.size // 2 | 1) - array)).astype(array.dtype)


def _split(args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments as a tuple and a dict; a dict alone, or at the end of the tuple, has the named ones, as in PyTorch."""
    given = dict(kwargs or {})
    if isinstance(args, dict):
        return (), args | given
    if not isinstance(args, tuple):
        args = tuple(args) if isinstance(args, list) else (args,)
    if args and isinstance(args[-1], dict) and not given and all(isinstance(k, str) for k in args[-1]):
        return args[:-1], dict(args[-1])
    return args, given


def _given_names(which: str, given: Any, own: list[str]) -> list[str]:
    if given is None:
        return own
    names = [given] if isinstance(given, str) else list(given)
    if len(names) > len(own):
        raise ValueRangeError("export", f"{which} has {len(names)} names for {len(own)} tensors", f"expected at most {len(own)}")
    names = [str(n) for n in names] + own[len(names) :]
    if len(set(names)) < len(names):
        raise ValueRangeError("export", f"{which}: a name occurs twice in {names}", "expected different names")
    return names


def _axes(which: str, name: str, spec: Any, ndim: int) -> dict[int, str]:
    """``{0: "batch"}``, ``["batch", None]`` (a list of names) or ``[0, 2]`` (numbers, as dynamic_axes allows)."""
    if spec is None:
        return {}
    if isinstance(spec, Mapping):
        pairs = list(spec.items())
    elif which == "dynamic_axes":
        pairs = [(axis, f"{name}_dynamic_axes_{k + 1}") for k, axis in enumerate(spec)]
    elif isinstance(spec, list | tuple):
        pairs = list(enumerate(spec))
    else:
        raise TypeMismatch("export", f"{which}[{name!r}] is {type(spec).__name__}", 'expected a dict such as {0: "batch"}')
    found = {}
    for axis, dim in pairs:
        if not isinstance(axis, int) or not -ndim <= axis < ndim:
            raise ValueRangeError("export", f"{which}[{name!r}] names dimension {axis!r}", f"the input has {ndim} dimensions")
        label = dim if isinstance(dim, str) else getattr(dim, "__name__", None)  # torch.export.Dim has its name there
        if dim is None or isinstance(dim, int):
            continue
        label = str(label or "").replace(" ", "")
        if not label.isidentifier() and not multiple(label):
            expected = 'expected the name of a dimension, such as "batch", or a multiple of one, "32*h"'
            raise TypeMismatch("export", f"{which}[{name!r}][{axis}] is {dim!r}", expected)
        found[axis % ndim] = label
    return found


def multiple(dim: str) -> int:
    """What all sizes of a dimension divide by: 32 for "32*h", as ``32 * torch.export.Dim("h")`` is named; 0 for a plain name."""
    number, star, name = dim.partition("*")
    return int(number) if star and number.isdecimal() and name.isidentifier() else 0


def leaves(tree: Any, prefix: str = "", kind: Any = dv.Tensor) -> Iterator[tuple[str, Any]]:
    """The tensors in nested tuples, lists, dicts and dataclasses, each with a name made of keys and positions."""
    if isinstance(tree, kind):
        yield prefix or "output", tree
        return
    items: Any = ()
    if isinstance(tree, Mapping):
        items = tree.items()
    elif isinstance(tree, tuple | list):
        items = zip(tree._fields, tree, strict=True) if hasattr(tree, "_fields") else enumerate(tree)
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        items = ((f.name, getattr(tree, f.name)) for f in dataclasses.fields(tree))
    for key, value in items:
        label = str(key) if not prefix else f"{prefix}_{key}"
        yield from leaves(value, f"output_{label}" if isinstance(key, int) and not prefix else label, kind)


def replaced(tree: Any, see: Callable[[Any], Any]) -> Any:
    """The same structure with other tensors."""
    if isinstance(tree, dv.Tensor):
        return see(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(replaced(v, see) for v in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(replaced(v, see) for v in tree)
    if isinstance(tree, dict):
        return {k: replaced(v, see) for k, v in tree.items()}
    return tree
