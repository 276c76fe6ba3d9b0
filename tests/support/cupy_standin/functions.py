"""CuPy's functions and array methods: CuPy's signatures and checks in front of NumPy's computations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import indexing
from .array import Capsule, ndarray, poison, to_device, unwrap, wrap
from .names import BFLOAT16, Entry, Loops, check_dtype, names, signature
from .state import state
from .ufuncs import ufunc

__all__ = ["attach_methods", "delegate", "functions", "stub"]

# Functions whose answer is a host value, not an array; they run no kernel.
HOST = set(
    """ndim shape size result_type can_cast promote_types min_scalar_type common_type mintypecode iscomplexobj isrealobj isscalar
issubdtype isdtype isfortran iterable broadcast_shapes may_share_memory shares_memory typename base_repr binary_repr issctype issubclass_
obj2sctype sctype2char""".split()
)
# Functions that wait for the GPU to learn the size of their result or to judge their arguments.
WAITS = set("nonzero argwhere flatnonzero extract compress unique unique_all unique_counts unique_inverse unique_values bincount".split())
# Functions that keep the memory order of their argument; all others give C order.
KEEPS_ORDER = set("copy empty_like zeros_like ones_like full_like asfortranarray zeros ones full empty astype".split())
# Parameters that are arrays and nothing else, and the functions that take scalars for them all the same.
ARRAYS = set(
    """a x x1 x2 a1 a2 b y arr array ary ar ar1 ar2 arr1 arr2 m condition prototype filt element test_elements xp
fp""".split()
)
TAKES_SCALARS = set(
    """allclose isclose around round round_ angle nan_to_num real imag iscomplex isreal isneginf isposinf
atleast_1d atleast_2d atleast_3d linspace logspace full vander trapezoid trapz fix cross diff average interp polyval polygamma
sph_harm_y result_type""".split()
)
ALIASES = {
    "alltrue": "all", "sometrue": "any", "product": "prod", "cumproduct": "cumprod", "in1d": "isin", "row_stack": "vstack",
    "trapz": "trapezoid", "round_": "round", "amax": "max", "amin": "min",
}  # fmt: skip
PAD = {
    "empty": "", "edge": "", "wrap": "", "constant": "constant_values", "linear_ramp": "end_values", "maximum": "stat_length",
    "mean": "stat_length", "minimum": "stat_length", "reflect": "reflect_type", "symmetric": "reflect_type",
}  # fmt: skip
# cuSOLVER reports failure through a flag that CuPy does not read unless told to: results are NaN then.
FACTORIZATIONS = set("cholesky inv solve eigh eigvalsh eigvals eig svd pinv lstsq".split())


def stub(name: str) -> Callable[..., Any]:
    """Return a function that says that CuPy has this name and the stand-in does not."""

    def missing(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"the CuPy stand-in does not emulate {name}")

    missing.__name__ = name.rpartition(".")[2]
    return missing


def delegate(path: str, name: str, entry: Entry, target: Callable[..., Any]) -> Callable[..., Any]:
    """Return a CuPy function: its own parameters, strict about their types, computed by ``target`` on the host."""
    spelled = signature(entry.detail)

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = spelled.bind(*args, **kwargs)
        _check(f"{path}.{name}", name, bound.arguments)
        sources: list[ndarray] = []
        host_args = unwrap(tuple(bound.args), sources, move=name not in HOST)
        host_kwargs = {k: unwrap(v, sources, move=name not in HOST) for k, v in bound.kwargs.items()}
        state.synchronizations += name in WAITS
        with np.errstate(all="ignore"):
            result = _compute(name, target, host_args, host_kwargs)
        if name in HOST:
            return result
        if path == "cupy.linalg" and hasattr(result, "_fields"):
            result = tuple(result)  # CuPy gives no named results
        return wrap(result, sources, keep_order=name in KEEPS_ORDER)

    function.__name__ = name
    return function


def _compute(name: str, target: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    if name not in FACTORIZATIONS or state.linalg == "raise":
        return target(*args, **kwargs)
    try:
        return target(*args, **kwargs)
    except np.linalg.LinAlgError as error:
        if not any(word in str(error) for word in ("ingular", "positive definite", "converge")):
            raise  # a wrong shape, which CuPy reports too
        size = args[0].shape[-1]
        safe = target(np.broadcast_to(np.eye(size, dtype=args[0].dtype), args[0].shape), *args[1:], **kwargs)
        spoil = lambda a: np.full_like(a, np.nan) if np.asarray(a).dtype.kind in "fc" else a
        return type(safe)(*map(spoil, safe)) if hasattr(safe, "_fields") else spoil(safe)


def _check(where: str, name: str, arguments: dict[str, Any]) -> None:
    for parameter, value in arguments.items():
        if parameter == "tup":
            for part in value if isinstance(value, (list, tuple)) else ():
                if not isinstance(part, ndarray):
                    raise TypeError(f"{where}: Only cupy arrays can be concatenated, got {type(part)}")
        elif parameter in ARRAYS and not isinstance(value, ndarray):
            scalar = not isinstance(value, (list, tuple, np.ndarray)) and (name in TAKES_SCALARS or parameter in "by")
            if not scalar:
                raise TypeError(f"{where}: {parameter} must be a cupy.ndarray: Unsupported type {type(value)}")
    if name == "searchsorted" and not isinstance(arguments["v"], ndarray):
        raise NotImplementedError("Only int or ndarray are supported for v")
    kind = arguments.get("kind")
    if name in ("sort", "argsort") and kind not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    if name == "pad":
        mode, given = arguments.get("mode", "constant"), set(arguments.get("kwargs", {}))
        if not callable(mode) and mode not in PAD:
            raise ValueError(f"mode '{mode}' is not supported")
        if not callable(mode) and given - {PAD[mode]}:
            raise ValueError(f"unsupported keyword arguments for mode '{mode}': {given - {PAD[mode]}}")
    if name == "einsum" and set(arguments.get("kwargs", {})) - {"dtype", "optimize"}:
        raise TypeError(f"Did not understand the following kwargs: {sorted(set(arguments['kwargs']) - {'dtype', 'optimize'})}")


def _reduction(name: str, loops: Loops) -> Callable[..., Any]:
    """Return NumPy's reduction with CuPy's result type."""
    base = getattr(np, ALIASES.get(name, name))

    def function(a: Any, *args: Any, **kwargs: Any) -> Any:
        wanted = kwargs.pop("dtype", None)
        out = kwargs.pop("out", None)
        loop = loops.pick(name, [a.dtype])
        host = a.astype(np.float32) if a.dtype == BFLOAT16 else a
        takes_dtype = name.removeprefix("nan") in ("sum", "prod", "mean") and wanted is not None
        result = np.asarray(base(host, *args, **kwargs, **({"dtype": wanted} if takes_dtype else {})))
        result = result.astype(wanted or loop.outs[0], copy=False) if result.dtype != (wanted or loop.outs[0]) else result
        if out is None:
            return result
        if out.shape != result.shape:
            raise ValueError("Out shape is mismatched")
        out[...] = result
        return out

    return function


def _by_keyword(order: str, target: Callable[..., Any]) -> Callable[..., Any]:
    """Give positional arguments their CuPy names, where NumPy's order differs."""
    parameters = order.split()
    return lambda a, *args, **kwargs: target(a, **dict(zip(parameters, args, strict=False)), **kwargs)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None) -> Any:
    if a_min is None and a_max is None:
        raise ValueError("array_clip: must set either max or min")
    low, high = (b if b is not None else _limit(a.dtype, i) for i, b in enumerate((a_min, a_max)))
    return ufunc("clip", names("hidden")["clip"].detail, lambda x, lo, hi: np.minimum(np.maximum(x, lo), hi))(a, low, high, out=out)


def _limit(dtype: Any, high: int) -> Any:
    if dtype.kind == "b":
        return bool(high)
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).max if high else np.iinfo(dtype).min)
    return float("inf") if high else float("-inf")


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if not isinstance(condition, ndarray):
        raise TypeError(f"cupy.where: condition must be a cupy.ndarray: Unsupported type {type(condition)}")
    if x is None:
        return condition.nonzero()  # type: ignore[attr-defined]
    return ufunc("where", names("hidden")["where"].detail, np.where)(condition.astype(bool, copy=False), x, y)  # type: ignore[attr-defined]


def _asarray(a: Any, dtype: Any = None, order: str | None = None, *, copy: bool | None = None, blocking: bool = False) -> ndarray:
    return to_device(a, dtype, order or "K", copy=copy)


def _array(
    obj: Any, dtype: Any = None, copy: bool = True, order: str = "K", subok: bool = False, ndmin: int = 0, *, blocking: bool = False
) -> ndarray:
    if subok:
        raise NotImplementedError
    return to_device(obj, dtype, order, ndmin, copy=copy or None)


def _asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> Any:
    if isinstance(a, ndarray):
        return a.get(stream, order, out)
    result = np.asarray(a, order=order)  # type: ignore[call-overload]
    if out is None:
        return result
    out[...] = result
    return out


def _ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    host = unwrap(a, sources := [])
    if not sources:
        raise TypeError(f"Argument 'a' has incorrect type (expected cupy.ndarray, got {type(a).__name__})")
    return wrap(np.ascontiguousarray(host, dtype), sources)


def _from_dlpack(array: Any, *, device: Any = None, copy: bool | None = None) -> ndarray:
    capsule = array
    if hasattr(array, "__dlpack_device__"):
        if device is not None:
            raise NotImplementedError("from_dlpack() does not support device yet.")
        if array.__dlpack_device__()[0] == 1:
            raise TypeError("CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))` instead.")
        capsule = array.__dlpack__(stream=1, max_version=(1, 0), copy=copy)
    if not isinstance(capsule, Capsule):
        raise ValueError("the CuPy stand-in reads DLPack capsules of its own arrays only")
    return capsule.take()


def _fromdlpack_old(dltensor: Any) -> ndarray:
    warnings.warn("This function is deprecated in favor of cupy.from_dlpack", DeprecationWarning, stacklevel=2)
    return _from_dlpack(dltensor)


def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    if isinstance(src, np.ndarray):
        if src.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for copyto")
        src = src[()]
    mask = True if where is None else unwrap(where, [])
    np.copyto(unwrap(dst, []), unwrap(src, []), casting=casting, where=mask)  # type: ignore[arg-type]


def _reshape(a: Any, newshape: Any, order: str = "C", *, copy: bool | None = None) -> ndarray:
    return a.reshape(newshape, order=order, copy=copy)  # type: ignore[no-any-return]


def _empty(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    return poison(np.empty(shape, check_dtype(np.dtype(dtype)), order))  # type: ignore[call-overload]


def _sort(a: Any, axis: int | None = -1, kind: Any = None) -> Any:
    if a.ndim == 0:
        raise np.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
    return np.sort(a, axis, kind="stable")


# Functions on raw CuPy arguments, in place of the generic way.
OWN: dict[str, Callable[..., Any]] = {
    "array": _array, "asarray": _asarray, "asanyarray": _asarray, "asnumpy": _asnumpy, "ascontiguousarray": _ascontiguousarray,
    "where": _where, "clip": _clip, "take": indexing.take, "put": indexing.put, "copyto": _copyto, "reshape": _reshape,
    "from_dlpack": _from_dlpack, "fromDlpack": _fromdlpack_old,
    "scatter_add": lambda a, slices, value: indexing.scatter("add", a, slices, value),
    "scatter_max": lambda a, slices, value: indexing.scatter("maximum", a, slices, value),
    "scatter_min": lambda a, slices, value: indexing.scatter("minimum", a, slices, value),
}  # fmt: skip
# Host computations that NumPy lacks or spells differently.
HOST_TARGETS: dict[str, Callable[..., Any]] = {
    "empty": _empty, "empty_like": lambda *a, **k: poison(np.empty_like(*a, **k)), "sort": _sort,
    "argsort": lambda a, axis=-1, kind=None: np.argsort(np.atleast_1d(a), axis, kind="stable"),
    "count_nonzero": lambda a, axis=None: np.asarray(np.count_nonzero(a, axis)), "byte_bounds": np.lib.array_utils.byte_bounds,
    "meshgrid": lambda *a, **k: tuple(np.meshgrid(*a, **k)),
}  # fmt: skip


def functions(path: str, module: Any, entries: dict[str, Entry]) -> dict[str, Any]:
    """Return the emulated functions of one CuPy module, computed by those of ``module``."""
    made: dict[str, Any] = {}
    reductions = names("reductions")
    for name, entry in entries.items():
        if entry.kind != "function":
            continue
        base = ALIASES.get(name, name)
        target = HOST_TARGETS.get(base) or getattr(module, base, None)
        if base in OWN:
            made[name] = OWN[base]
        elif path == "cupy" and base in reductions:
            order = entry.detail.replace("=", "").removeprefix("a ")
            made[name] = delegate(path, name, entry, _by_keyword(order, _reduction(base, Loops(reductions[base].detail))))
        else:
            made[name] = delegate(path, name, entry, target) if target else stub(f"{path}.{name}")
    return made


# Methods that NumPy's array computes on the host as CuPy does; the others call the function of their name.
_HOST_METHODS = set("flatten byteswap view transpose reshape".split())


def _method(name: str, entry: Entry, module: dict[str, Any]) -> Callable[..., Any]:
    spelled = signature(entry.detail)

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        bound = spelled.bind(*args, **kwargs)
        if name in _HOST_METHODS:
            result = getattr(self._host, name)(*bound.args, **{k: v for k, v in bound.kwargs.items() if v is not None})
            return wrap(result, (self,), keep_order=False)
        arguments = {{"min": "a_min", "max": "a_max"}.get(k, k) if name == "clip" else k: v for k, v in bound.arguments.items()}
        return module[name](self, **arguments)

    method.__name__ = name
    return method


def _astype(self: ndarray, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True) -> ndarray:
    if subok is not None:
        raise TypeError("subok is not supported yet")
    host = unwrap(self, [])
    return wrap(host.astype(check_dtype(np.dtype(dtype)), order, casting or "unsafe", copy=copy), (self,))


def _sort_in_place(self: ndarray, axis: int = -1, kind: Any = None) -> None:
    if kind not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    if not self._host.ndim:
        raise np.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
    if not self._host.flags.c_contiguous:
        raise NotImplementedError("Sorting non-contiguous array is not supported.")
    self._host.sort(axis, kind="stable")


def attach_methods(module: dict[str, Any]) -> None:
    """Give the array type CuPy's methods: those written here, those of NumPy's array, and calls of the module's functions."""
    conjugate = lambda self: module["conjugate"](self) if self.dtype.kind == "c" else self
    own: dict[str, Callable[..., Any]] = {
        "__getitem__": indexing.getitem, "__setitem__": indexing.setitem, "fill": indexing.fill, "take": indexing.take,
        "put": indexing.put, "astype": _astype, "sort": _sort_in_place, "conj": conjugate, "conjugate": conjugate,
        "copy": lambda self, order="C": wrap(self._host.copy(order)),
        "partition": lambda self, kth, axis=-1: _sort_in_place(self, axis),
        "compress": lambda self, condition, axis=None, out=None: module["compress"](condition, self, axis, out),
        **{name: OWN[name] for name in ("scatter_add", "scatter_max", "scatter_min")},
    }  # fmt: skip
    for name, entry in names("cupy.ndarray").items():
        if name in own:
            setattr(ndarray, name, own[name])
        elif entry.kind == "function" and not name.startswith("__") and not hasattr(ndarray, name):
            known = name in _HOST_METHODS or name in module
            setattr(ndarray, name, _method(name, entry, module) if known else stub(f"cupy.ndarray.{name}"))
