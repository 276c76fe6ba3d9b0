"""CuPy's ufuncs: its own type resolution over NumPy's arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .array import SCALARS, ndarray, unwrap, wrap
from .indexing import scatter
from .names import BFLOAT16, Loops

__all__ = ["attach_operators", "special", "ufunc"]

# Operator, ufunc; comparisons have no reflected or in-place form.
ARITHMETIC = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "power", "lshift": "left_shift", "rshift": "right_shift", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "divmod": "divmod", "matmul": "matmul",
}  # fmt: skip
COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _power(x: Any, y: Any) -> Any:
    """Integer powers with negative exponents do not raise on a GPU: they are 0, except those of 1 and -1."""
    if x.dtype.kind != "i" or not np.any(np.less(y, 0)):
        return np.power(x, y)
    inverse = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y % 2), 0))
    return np.where(y < 0, inverse, np.power(x, np.maximum(y, 0)))


def _numpy_or_scipy(name: str) -> Callable[..., Any]:
    own = {"power": _power, "pow": _power, "rsqrt": lambda x: 1 / np.sqrt(x), "exp10": lambda x: np.power(10.0, x).astype(x.dtype)}
    if name in own:
        return own[name]
    if hasattr(np, name):
        return getattr(np, name)  # type: ignore[no-any-return]
    return special(name)


def special(name: str) -> Callable[..., Any]:
    """Return SciPy's special function of this name, imported at the first call."""

    def function(*args: Any, **kwargs: Any) -> Any:
        import scipy.special

        if not hasattr(scipy.special, name):
            raise NotImplementedError(f"the CuPy stand-in does not emulate cupyx.scipy.special.{name}")
        return getattr(scipy.special, name)(*args, **kwargs)

    return function


class ufunc:
    """One of CuPy's ufuncs: takes arrays and scalars alone, ``out``, ``dtype`` and ``casting`` alone, and gives arrays in C order."""

    __module__ = "cupy"

    def __init__(self, name: str, detail: str, compute: Callable[..., Any] | None = None) -> None:
        nin, nout, self._casting, scatter_op, promote, types = detail.split()
        self.name, self.__name__ = f"cupy_{name}", name
        self.nin, self.nout, self.nargs = int(nin), int(nout), int(nin) + int(nout)
        self._loops, self._scatter = Loops(types, promote), scatter_op
        self.types = types.replace("!", "").split(",")
        self._compute = compute or _numpy_or_scipy(name)

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str | None = None, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. "
                f"It must be either {self.nin} or {self.nargs} (with outputs), but given {len(args)}."
            )
        outs = self._outs(args[self.nin :], out)
        hosts = [unwrap(a, []) for a in args[: self.nin]]
        for host in hosts:
            if not isinstance(host, (np.ndarray, *SCALARS)):
                raise TypeError(f"Unsupported type {type(host)}")
        loop = self._loop(hosts, dtype)
        results = self._run([_cast(h, t) for h, t in zip(hosts, loop.ins, strict=True)])
        results = results if isinstance(results, tuple) else (results,)
        finished = [self._finish(np.asarray(r), t, o, casting) for r, t, o in zip(results, loop.outs, outs, strict=True)]
        return finished[0] if self.nout == 1 else tuple(finished)

    def _run(self, hosts: list[Any]) -> Any:
        if self.__name__ != "nextafter":  # bfloat16 is computed in single precision, as on the GPU
            hosts = [h.astype(np.float32) if h.dtype == BFLOAT16 else h for h in hosts]
        try:
            with np.errstate(all="ignore"):
                return self._compute(*hosts)
        except TypeError as error:  # the types are CuPy's, so it is the host that cannot
            raise NotImplementedError(f"the CuPy stand-in does not emulate {self.name} on {[str(h.dtype) for h in hosts]}") from error

    def _outs(self, positional: tuple[Any, ...], out: Any) -> tuple[Any, ...]:
        if out is not None and positional:
            raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
        outs = positional if out is None else out if isinstance(out, tuple) else (out,)
        for array in outs:
            if array is not None:
                unwrap(array, [])
                if not isinstance(array, ndarray):
                    raise TypeError("return arrays must be of ArrayType")
        return outs or (None,) * self.nout

    def _loop(self, hosts: list[Any], dtype: Any) -> Any:
        if dtype is not None:
            return self._loops.by_output(self.name, np.dtype(dtype))
        weak = [type(h) if type(h) in (int, float, complex) else False for h in hosts]
        dtypes = [_dtype_of(h) for h in hosts]
        return self._loops.pick(self.name, dtypes, weak)

    def _finish(self, result: Any, dtype: Any, out: Any, casting: str | None) -> Any:
        result = result.astype(dtype, order="C", copy=False)
        if out is None:
            return wrap(result if result.flags.c_contiguous and result.flags.writeable else result.copy(order="C"))
        if not np.can_cast(dtype, out.dtype, casting or self._casting):  # type: ignore[arg-type]
            rule = casting or self._casting
            raise TypeError(f"output (typecode '{dtype.char}') could not be coerced to provided output parameter under the rule '{rule}'")
        if np.broadcast_shapes(result.shape, out.shape) != out.shape:
            raise ValueError("Out shape is mismatched")
        out._host[...] = result.astype(out.dtype, copy=False)
        return out

    def outer(self, a: Any, b: Any, **kwargs: Any) -> Any:
        """Apply the function to all pairs of elements."""
        return self(a.reshape(a.shape + (1,) * b.ndim), b, **kwargs)

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        """Apply in place at the indices, every repetition counted; CuPy has it for eight ufuncs and a few types."""
        if self._scatter == "-":
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        scatter(self.__name__, a, indices, b)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Reduce; CuPy has it for add and multiply alone."""
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        method = array.sum if self.__name__ == "add" else array.prod
        return method(axis=axis, dtype=dtype, out=out, keepdims=keepdims)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Accumulate; CuPy has it for add and multiply alone."""
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        method = array.cumsum if self.__name__ == "add" else array.cumprod
        return method(axis=axis, dtype=dtype, out=out)

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Not emulated; CuPy has it for add alone."""
        raise NotImplementedError(f"`{self.name}.reduceat` is not supported yet")


def _cast(host: Any, dtype: Any) -> Any:
    """Bring one argument to the loop's type; a Python integer out of range raises OverflowError, as on CuPy."""
    return host.astype(dtype, copy=False) if isinstance(host, (np.ndarray, np.generic)) else np.asarray(host, dtype)


def _dtype_of(host: Any) -> Any:
    if isinstance(host, (np.ndarray, np.generic)):
        return host.dtype
    return np.dtype(np.uint64) if type(host) is int and host >= 1 << 63 else np.dtype(type(host))


def _operator(function: Callable[..., Any], swap: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: ndarray, other: Any) -> Any:
        if not isinstance(other, (ndarray, np.ndarray)):
            if hasattr(other, "__array_ufunc__"):
                yields = other.__array_ufunc__ is None
            else:
                yields = getattr(other, "__array_priority__", 0) > ndarray.__array_priority__
            if yields:
                return NotImplemented
        return function(other, self) if swap else function(self, other)

    return operator


def attach_operators(ufuncs: dict[str, Any]) -> None:
    """Give the array type CuPy's operators, each a call of the ufunc of its name."""

    def in_place(function: Any) -> Callable[[Any, Any], Any]:
        return lambda self, other: function(self, other, self)

    def alone(function: Any) -> Callable[[Any], Any]:
        def operator(self: ndarray) -> Any:  # a ufunc is no descriptor: as an attribute it would not get the array
            return function(self)

        return operator

    for operator, name in (ARITHMETIC | COMPARISONS).items():
        setattr(ndarray, f"__{operator}__", _operator(ufuncs[name]))
    for operator, name in ARITHMETIC.items():
        setattr(ndarray, f"__r{operator}__", _operator(ufuncs[name], swap=True))
        if operator not in ("divmod", "matmul"):
            setattr(ndarray, f"__i{operator}__", in_place(ufuncs[name]))
    for operator, name in UNARY.items():
        setattr(ndarray, f"__{operator}__", alone(ufuncs[name]))
