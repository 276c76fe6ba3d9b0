"""assert_close: PyTorch's comparison of numbers, tensors, and what holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd.node import CLASSES
from ..errors import TypeMismatch, ValueRangeError
from ..ops.create import as_tensor

__all__ = ["assert_allclose", "assert_close"]

_CLOSE = {  # (rtol, atol) by type; others must be equal
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7),
}  # fmt: skip


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
    check_stride: bool = False, msg: Any = None,
) -> None:  # fmt: skip
    """Raise an AssertionError unless ``|actual - expected| <= atol + rtol · |expected|`` everywhere.

    Numbers, arrays, tensors, and sequences and mappings of them; shape, type and device are to be the same. Without
    tolerances those of the type count (float32: rtol 1.3e-6, atol 1e-5). ``msg`` is the message, or makes one of it.
    Raises a TypeError for what cannot be compared, a ValueError for one tolerance without the other.

    >>> import dovetail as dv
    >>> assert_close(dv.ones(2) / 3, dv.tensor([0.33333333, 0.33333333]))
    >>> assert_close([1, 2.0], [1, 2.5])
    Traceback (most recent call last):
    AssertionError: Scalars are not close!
    ...
    """
    if (rtol is None) != (atol is None):
        what = f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {'rtol' if rtol is None else 'atol'}."
        raise ValueRangeError("assert_close", what)
    flags = {"device": check_device, "dtype": check_dtype, "layout": check_layout, "stride()": check_stride}
    found = _differ(actual, expected, (rtol, atol, equal_nan, allow_subclasses, flags), "")
    if found:
        raise AssertionError(msg(found) if callable(msg) else msg or found)


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, equal_nan: bool = True, msg: str = ""
) -> None:
    """The older form of `assert_close`: types may differ, NaN equals NaN, and the bounds are wider."""
    actual = as_tensor(actual)
    expected = expected if expected.__class__ in CLASSES else as_tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        wide = {"float16": (1e-3, 1e-3), "float32": (1e-4, 1e-5), "float64": (1e-5, 1e-8)}
        rtol, atol = _bounds(None, None, [{**_CLOSE, **wide}.get(t.dtype.name, (0.0, 0.0)) for t in (actual, expected)])
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def _differ(actual: Any, expected: Any, how: Any, at: str) -> str:
    """What is wrong, or nothing."""
    where = f"\n\nThe failure occurred for item {at}" if at else ""
    sequences = all(isinstance(x, Sequence) and not isinstance(x, str) for x in (actual, expected))
    if sequences:
        if len(actual) != len(expected):
            return f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{where}"
        pairs = [(f"{at}[{i}]", a, b) for i, (a, b) in enumerate(zip(actual, expected, strict=True))]
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            missing, more = sorted(map(repr, expected.keys() - actual.keys())), sorted(map(repr, actual.keys() - expected.keys()))
            return f"The keys of the mappings do not match: missing {missing}, additional {more}{where}"
        pairs = [(f"{at}[{k!r}]", actual[k], expected[k]) for k in expected]
    else:
        found = _leaves(actual, expected, how)
        return found + where if found else ""
    return next((found for path, a, b in pairs if (found := _differ(a, b, how, path))), "")


def _leaves(actual: Any, expected: Any, how: Any) -> str:
    rtol, atol, equal_nan, subclasses, flags = how
    if actual is None or expected is None:
        return "" if actual is expected else f"None mismatch: {actual} is not {expected}"
    both = (actual, expected)
    if all(isinstance(x, bool | np.bool_) for x in both):
        return "" if bool(actual) is bool(expected) else f"Booleans mismatch: {actual} is not {expected}"
    if all(isinstance(x, int | float | complex | np.number) for x in both):
        if flags["dtype"] and type(actual) is not type(expected):
            return f"The (d)types do not match: {type(actual)} != {type(expected)}."
        kind = {float: "float64", complex: "complex128"}
        bounds = [_CLOSE.get(kind.get(type(x), ""), (0.0, 0.0)) for x in both]
        return _values(np.asarray(actual), np.asarray(expected), _bounds(rtol, atol, bounds), equal_nan)
    layouts = [str(getattr(x, "layout", "")) for x in both]
    if all(layouts) and any(".sparse" in x for x in layouts):
        if layouts[0] != layouts[1] and flags["layout"]:
            return f"The values for attribute 'layout' do not match: {layouts[0]} != {layouts[1]}."
        if layouts[0] == layouts[1] and actual._nnz() != expected._nnz():
            return f"The number of specified values does not match: {actual._nnz()} != {expected._nnz()}."
        return _leaves(actual.to_dense(), expected.to_dense(), how)
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    alike = all(x.__class__ in CLASSES for x in both) or all(isinstance(x, np.ndarray) for x in both)
    if not related or not alike or (not subclasses and type(actual) is not type(expected)):
        raise TypeMismatch("assert_close", f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")
    a, b = (as_tensor(x).detach() for x in both)
    for name in ("shape", "device", "dtype", "layout", "stride()"):
        mine, other = (x.stride() if name == "stride()" else getattr(x, name) for x in (a, b))
        if flags.get(name, True) and mine != other:
            return f"The values for attribute '{name}' do not match: {mine} != {other}."
    bounds = [_CLOSE.get(x.dtype.name, (0.0, 0.0)) for x in (a, b)]
    mine, other = (x.cpu()._a for x in (a, b))
    mine, other = (x.astype(np.float32) if x.dtype.kind == "V" or x.dtype.name == "bfloat16" else x for x in (mine, other))
    return _values(mine, other, _bounds(rtol, atol, bounds), equal_nan)


def _bounds(rtol: float | None, atol: float | None, defaults: Any) -> tuple[float, float]:
    return tuple(max(pair) for pair in zip(*defaults, strict=True)) if rtol is None or atol is None else (rtol, atol)  # type: ignore[return-value]


def _values(a: Any, b: Any, bounds: tuple[float, float], equal_nan: bool) -> str:
    """The numbers that are too far apart, as PyTorch describes them."""
    rtol, atol = bounds
    whole = a.dtype.kind in "biu" and b.dtype.kind in "biu"
    wide = [x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) for x in (a, b)]
    close: Any = a == b if whole and not (rtol or atol) else np.isclose(wide[0], wide[1], rtol, atol, equal_nan)
    if np.all(close):
        return ""
    word, most = ("close", [f" (up to {x} allowed)" for x in (atol, rtol)]) if rtol or atol else ("equal", ["", ""])
    exact = [x.astype(object) for x in (a, b)] if whole else wide if a.ndim == 0 else [a, b]  # int64 does not fit a float
    with np.errstate(all="ignore"):
        apart = np.where(close, 0, abs(exact[0] - exact[1]))
        real = np.float32 if whole and a.ndim else np.float64 if whole else apart.dtype  # PyTorch divides integers in float32
        relative = np.where(close, 0, apart.astype(real) / np.asarray(abs(exact[1])).astype(real))
    if a.ndim == 0:
        head = f"Scalars are not {word}!\n\nExpected {b.item()} but got {a.item()}."
        return f"{head}\nAbsolute difference: {apart.item()}{most[0]}\nRelative difference: {relative.item()}{most[1]}"
    wrong = int((~close).sum())
    lines = [f"Tensor-likes are not {word}!\n", f"Mismatched elements: {wrong} / {a.size} ({100 * wrong / a.size:.1f}%)"]
    for name, d, up in (("absolute", apart, most[0]), ("relative", relative, most[1])):
        index = tuple(int(i) for i in np.unravel_index(np.argmax(d.astype(np.float64)), d.shape))  # NaN is the farthest
        lines.append(
            f"Greatest {name} difference: {d[index].item() if isinstance(d[index], np.generic) else d[index]} at index {index}{up}"
        )
    return "\n".join(lines)
