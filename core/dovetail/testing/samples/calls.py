"""Every row of the rows_*.py files, and how a row becomes a call."""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.autograd.node import Tensor, leaf, wrap
from dovetail.ops._call import general
from dovetail.ops._op import OPS

from .row import AUTO, Row, Spec

__all__ = [
    "BROKEN", "ROWS", "Made", "arrays", "converted", "declared", "fill", "flat", "flat_arrays", "flat_tree", "free", "function",
    "inputs", "layouts", "named", "public", "reference", "shaped", "tensor", "tree", "typed", "walk", "wants_grad", "wants_grad2",
]  # fmt: skip

BROKEN: dict[str, BaseException] = {}  # rows files that do not import; the others run all the same


def _collect() -> list[Row]:
    found: list[Row] = []
    for path in sorted(Path(__file__).parent.glob("rows_*.py")):
        try:
            rows = importlib.import_module(f"{__package__}.{path.stem}").ROWS
        except Exception as error:
            BROKEN[path.name] = error
            continue
        for row in rows:
            row.family = path.stem.removeprefix("rows_")
            found.append(row)
    seen: dict[str, int] = {}
    for row in found:
        base = f"{row.call or row.op}{f'[{row.name}]' if row.name else ''}"
        seen[base] = seen.get(base, 0) + 1
        row.id = base if seen[base] == 1 else f"{base}#{seen[base]}"
    return found


ROWS = _collect()


# --- what is called ------------------------------------------------------------------------------------------------

_PLACES = ("", "Tensor.", "nn.functional.", "linalg.", "fft.", "special.")


def walk(root: Any, path: str) -> Any:
    """What a dotted path leads to, or None."""
    try:
        for part in path.split("."):
            root = getattr(root, part)
    except (AttributeError, ImportError):
        return None
    return root if callable(root) else None


def public(row: Row) -> tuple[str, Callable[..., Any]] | None:
    """The public path of what a row calls and the function there; None for an op without a public name."""
    path = row.call or row.op
    if path.startswith("_"):
        return None
    for place in _PLACES:
        found = walk(dv, place + path)
        if found is not None:
            return place + path, found
    return None


def function(row: Row) -> Callable[..., Any]:
    """What a row calls: a public function, or the op itself where it has no public name."""
    found = public(row)
    if found is None:
        if row.op not in OPS or row.call:
            raise LookupError(f"{row.id}: there is no op and no public function of the name {row.call or row.op!r}")
        return general(OPS[row.op])
    path, call = found
    if path.endswith("_") and not path.endswith("__"):  # an in-place form works on a copy, so that leaves stay
        return lambda first, *args, **kwargs: call(first.clone(), *args, **kwargs)
    return call


def declared(row: Row) -> str | None:
    """The promotion class of a row: its own word, or its op's."""
    if row.promote != AUTO:
        return row.promote
    return OPS[row.op].dtypes if row.op in OPS else None


def wants_grad(row: Row) -> bool:
    """Whether gradients of this row are checked."""
    if row.grad is not None:
        return row.grad
    if row.op in OPS and not OPS[row.op].differentiable:
        return False
    return any(m.spec.grad for m in flat_tree(arrays(row), Made))


def wants_grad2(row: Row) -> bool:
    """Whether second gradients of this row are checked."""
    return wants_grad(row) if row.grad2 is None else row.grad2


# --- its arguments -------------------------------------------------------------------------------------------------


class Made(SimpleNamespace):
    """An array in the arguments of a row: `array`, and the `spec` that it was drawn by."""

    spec: Spec
    array: Any


def arrays(row: Row, args: Any = None, kwargs: Any = None) -> Any:
    """The arguments of a row (or others in its stead) as (args, kwargs), with arrays drawn for T, I and B."""
    count = iter(range(1000))

    def draw(spec: Spec) -> Made:
        return Made(spec=spec, array=spec.make(f"{row.op} {row.name} {next(count)}"))

    given = (list(row.args if args is None else args), dict(row.kwargs if kwargs is None else kwargs))
    return tree(given, Spec, draw)


def tree(value: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A nest of lists, tuples and dictionaries with everything of a kind exchanged."""
    if isinstance(value, kind):
        return change(value)
    if value.__class__ in (list, tuple):
        return value.__class__(tree(v, kind, change) for v in value)
    if value.__class__ is dict:
        return {k: tree(v, kind, change) for k, v in value.items()}
    return value


def flat_tree(value: Any, kind: type) -> list[Any]:
    """Everything of a kind in a nest, in order."""
    found: list[Any] = []
    tree(value, kind, found.append)
    return found


def fill(given: Any, make: Callable[[Made], Any]) -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Arguments with tensors made of the arrays: (args, kwargs, the tensors in order)."""
    made: list[Any] = []

    def one(m: Made) -> Any:
        made.append(make(m))
        return made[-1]

    args, kwargs = tree(given, Made, one)
    return args, kwargs, made


def tensor(array: Any, grad: bool = False) -> Tensor:
    """Our tensor around an array, as it is laid out; a leaf if it is to have a gradient."""
    t = wrap(array)
    if grad:
        leaf(t)
    return t


def inputs(row: Row, given: Any = None, grad: bool = True, move: Callable[[Any], Any] = np.array) -> Any:
    """(args, kwargs, leaves) with our tensors; `move` makes the array that each one holds (a copy by default)."""
    ask = grad and wants_grad(row)
    args, kwargs, made = fill(
        arrays(row) if given is None else given, lambda m: tensor(move(m.array), ask and m.spec.grad and m.array.dtype.kind in "fc")
    )
    return args, kwargs, [t for t in made if t._n is not None]


def flat(result: Any, kind: type = Tensor) -> list[Any]:
    """The tensors of a result, however they are nested; a plain number counts as an array."""
    if isinstance(result, kind):
        return [result]
    if isinstance(result, list | tuple):
        return [t for part in result for t in flat(part, kind)]
    return [] if result is None else [np.asarray(result)]


def reference(row: Row, given: Any) -> list[Any]:
    """The reference's answer: it gets the arguments as the op does, or the arrays alone if it takes no more."""
    args, kwargs, made = fill(given, lambda m: m.array)
    assert row.ref is not None
    positional = [m for m in made if any(m is a for a in flat_tree(args, np.ndarray))]
    for a, k in ((args, kwargs), (args, {}), (made, {}), (positional, {})):
        try:
            inspect.signature(row.ref).bind(*a, **k)
        except TypeError:
            continue
        except ValueError:  # a ufunc without a signature
            a, k = made, {}
        with np.errstate(all="ignore"):
            return flat_arrays(row.ref(*a, **k))
    raise TypeError(f"{row.id}: the reference takes neither the arguments of the row nor its arrays")


def flat_arrays(result: Any) -> list[Any]:
    """The arrays of a reference's result."""
    if isinstance(result, list | tuple):
        return [a for part in result for a in flat_arrays(part)]
    return [np.asarray(result)]


# --- the same arguments otherwise ----------------------------------------------------------------------------------


def shaped(row: Row, change: Callable[[int, tuple[int, ...]], tuple[int, ...]]) -> Any:
    """The arguments of a row with other shapes: `change(position, shape)` gives the new one."""
    count = iter(range(1000))

    def redraw(m: Made) -> Made:
        k = next(count)
        return Made(spec=m.spec, array=m.spec.make(f"{row.op} {row.name} {k}", change(k, m.spec.shape)))

    return tree(arrays(row), Made, redraw)


def _strided(a: Any) -> Any:
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


layouts: dict[str, Callable[[Any], Any]] = {
    "transposed": lambda a: a.T.copy().T,
    "strided": lambda a: _strided(a) if a.ndim else a.copy(),
    "reversed": lambda a: a[::-1].copy()[::-1] if a.ndim else a.copy(),
}


def typed(given: Any, kinds: Any) -> Any:
    """The arguments with each free T's array converted: `kinds(k)` names the type of the k-th."""
    count = iter(range(1000))

    def convert(m: Made) -> Made:
        if not m.spec.free:
            return m
        return Made(spec=m.spec, array=converted(m.array, kinds(next(count)), m.spec))

    return tree(given, Made, convert)


def converted(a: Any, kind: str, spec: Any) -> Any:
    """Values that make sense in another type: integers inside the bounds without zero, masks with both answers."""
    to = np.dtype(kind)
    if to.kind == "b":
        return a > (spec.low + spec.high) / 2
    if to.kind in "iu":
        low, high = np.ceil(spec.low), np.floor(spec.high)
        v = np.clip(np.round(2 * a), max(low, 0) if to.kind == "u" else low, high)
        return np.where(v == 0, max(1, low) if high >= 1 else v, v).astype(to)
    return a.astype(to)


def free(given: Any) -> int:
    """How many arrays of the arguments may change their type."""
    return sum(m.spec.free for m in flat_tree(given, Made))


@contextlib.contextmanager
def named(row: Row, what: str) -> Iterator[None]:
    """Say which variant of a row an error belongs to."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in row {row.id} ({row.family}): {what}")
        raise
