"""A sample run under PyTorch and under Dovetail, all that can be observed of each, and the first difference."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch

import dovetail as dv
from dovetail.io import pins
from tests.parity.both import raw
from tests.parity.surface_kit import kit
from tests.parity.surface_samples import Sample

__all__ = ["difference"]

_RANDOM = np.random.default_rng(2)
_MADE: dict[str, np.ndarray] = {
    "x": _RANDOM.standard_normal((2, 3)),
    "y": _RANDOM.standard_normal((2, 3)),
    "m": 2 * np.eye(3) + 0.3 * _RANDOM.standard_normal((3, 3)),
    "v": _RANDOM.standard_normal(3),
    "img": _RANDOM.standard_normal((2, 3, 8, 8)),
    "seq": _RANDOM.standard_normal((5, 2, 3)),
    "pos": _RANDOM.random((2, 3)) * 2 + 0.1,
    "unit": _RANDOM.random((2, 3)) * 0.9 + 0.05,
    "i": np.array([[0, 2, 1], [2, 2, 0]]),
    "b": np.array([[True, False, True], [False, False, True]]),
    "c": _RANDOM.standard_normal((2, 3)) + 1j * _RANDOM.standard_normal((2, 3)),
    "z": np.zeros((0, 3)),
    "s": np.array(0.7),
}
_FLOATS = {name for name, array in _MADE.items() if array.dtype == np.float64}
_LIBRARY = re.compile(r"\b(torch|dovetail)\.")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_RELATIVE = {"float64": 1e-9, "complex128": 1e-9, "float32": 2e-5, "complex64": 2e-5, "float16": 2e-3, "bfloat16": 1.6e-2}


def neutral(text: str) -> str:
    """A text without the library's name and without addresses."""
    return _ADDRESS.sub("0x", _LIBRARY.sub("", text))


class Seen:
    """What one library made of a sample: a nested description of its result, its inputs and gradients, or its error."""

    def __init__(self, T: Any, sample: Sample, wide: bool) -> None:
        self.T, self.sample = T, sample
        self.error: BaseException | None = None
        self.coarse = False  # whether gradients pass through a type of fewer digits
        self.inputs = {name: self._input(name, wide) for name in sample.uses}
        threads = T.get_num_threads()  # in whose parts long sums are taken, which shows in float32
        T.default_generator.manual_seed(0)  # manual_seed of PyTorch also queues the seed for GPUs, with a traceback each time
        with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            try:
                self.facts = {"result": self.describe(out := self._run())}
            except Exception as error:
                self.error, self.facts = error, {}
            else:
                self.facts["gradients"] = self._gradients(out) if wide else None
                few = [t.dtype not in (T.float64, T.complex128) for t in _tensors(out, T) if t.requires_grad]
                self.coarse = any(few) or ".float()" in sample.text
            finally:
                T.set_default_dtype(T.float32)
                T.set_default_device(None)  # in PyTorch a mode, under which l1_loss forgets its weight
                T.set_grad_enabled(True)
                T.set_num_threads(threads)
                pins._dir = None  # hub.set_dir
                T.set_float32_matmul_precision("highest")  # "medium" lets PyTorch multiply in bfloat16
            self.facts["inputs"] = {name: self._after(t) for name, t in self.inputs.items()}

    def _input(self, name: str, wide: bool) -> Any:
        array, T = _MADE[name].copy(), self.T
        given = array if wide or array.dtype != np.float64 else array.astype(np.float32)
        t = T.tensor(given)
        return t.requires_grad_() if wide and given.dtype == np.float64 else t

    def _run(self) -> Any:
        T, space = self.T, dict(self.inputs)
        space |= {"T": T, "F": T.nn.functional, "np": np, "nn": T.nn, "optim": T.optim} | kit(T)
        out = eval(self.sample.code, space)  # noqa: S307 - the samples of our own tables
        return space.get("out") if self.sample.code.co_name == "<module>" and "out" in space else out

    def describe(self, value: Any, depth: int = 0) -> Any:
        """Everything that a program can observe of a result, as plain nested data."""
        T, kind = self.T, neutral(type(value).__name__)
        if isinstance(value, T.Tensor):
            return self._tensor(value, kind)
        if isinstance(value, tuple | list):
            return [kind, _fields(type(value)), [self.describe(v, depth + 1) for v in value]]
        if isinstance(value, dict):
            return [kind, [neutral(str(k)) for k in value], [self.describe(v, depth + 1) for v in value.values()]]
        if isinstance(value, np.ndarray | np.generic):
            return {"type": kind, "dtype": str(value.dtype), "shape": value.shape, "values": np.asarray(value)}
        if kind == "str":
            return neutral(value)
        if value is None or isinstance(value, bool | int | float | complex | bytes):
            return value
        if isinstance(value, T.dtype | T.device):
            return [kind, neutral(str(value))]
        if isinstance(value, type):
            return ["class", neutral(value.__name__)]
        if isinstance(value, T.nn.Module):
            return [kind, neutral(repr(value)), value.training, self.describe(value.state_dict(), depth + 1)]
        if isinstance(value, T.optim.Optimizer):
            return [kind, self.describe(value.state_dict(), depth + 1)]
        return [kind, neutral(str(value))] if kind in ("layout", "memory_format", "qscheme") else [kind]

    def _tensor(self, t: Any, kind: str) -> dict[str, Any]:
        layout = neutral(str(t.layout))
        told = {"type": kind, "layout": layout, "dtype": neutral(str(t.dtype)), "shape": tuple(t.shape), "device": str(t.device)}
        told |= {"requires_grad": t.requires_grad, "is_leaf": t.is_leaf}
        if layout != "strided":
            return told | {"values": raw(t.detach().to_dense())}
        if t.device.type == "meta":
            return told
        told["stride"] = tuple(t.stride()) if t.numel() else None
        told["is"] = [name for name, given in self.inputs.items() if given is t]
        told["shares memory with"] = [name for name, given in self.inputs.items() if _memory(given) == _memory(t) and t.numel()]
        return told | {"values": _values(t)}

    def _gradients(self, out: Any) -> Any:
        wanted = [t for t in self.inputs.values() if t.requires_grad and t.is_leaf]
        results = [t for t in _tensors(out, self.T) if t.requires_grad and t.layout == self.T.strided]
        if not wanted or not results:
            return None
        weights = [self._weights(t) for t in results]
        try:
            found = self.T.autograd.grad(results, wanted, weights, allow_unused=True)
        except Exception as error:
            return error
        return [None if g is None else {"dtype": neutral(str(g.dtype)), "shape": tuple(g.shape), "values": _values(g)} for g in found]

    def _weights(self, t: Any) -> Any:
        weights = np.cos(np.arange(t.numel()) * 0.7 + 0.4).reshape(tuple(t.shape))
        return self.T.tensor(weights + 0.5j * weights[::-1] if t.is_complex() and t.dim() else weights).to(t.dtype)

    def _after(self, t: Any) -> dict[str, Any]:
        told = {"values": _values(t), "shape": tuple(t.shape), "requires_grad": t.requires_grad}
        told["stride"] = tuple(t.stride()) if t.numel() else None
        told["grad"] = None if not t.is_leaf or t.grad is None else _values(t.grad)
        with contextlib.suppress(RuntimeError):  # a tensor of inference mode counts no versions
            told["version"] = t._version
        return told


def _fields(kind: type) -> list[str]:
    """The names of the elements of a named tuple; PyTorch's have members instead of `_fields`."""
    members = [name for name, member in vars(kind).items() if type(member).__name__ == "member_descriptor"]
    return sorted(getattr(kind, "_fields", members))


def _tensors(value: Any, T: Any) -> list[Any]:
    if isinstance(value, T.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for v in value for t in _tensors(v, T)] if isinstance(value, tuple | list) else []


def _memory(t: Any) -> int:
    """Where the memory begins that a tensor looks at."""
    if isinstance(t, torch.Tensor):
        return t.untyped_storage().data_ptr()
    array = t._a
    while hasattr(getattr(array, "base", None), "__array_interface__"):
        array = array.base
    return array.__array_interface__["data"][0]


def _values(t: Any) -> np.ndarray:
    t = t.detach()
    if "float8" in str(t.dtype):
        t = t.float()
    return np.array(raw(t.to_dense() if "sparse" in str(t.layout) else t))


def category(error: BaseException) -> type:
    """The builtin class by which a program catches an error."""
    return next(c for c in type(error).__mro__ if c.__module__ == "builtins")


def _differ(mine: Any, other: Any, where: str, sample: Sample) -> str | None:
    """Where two descriptions differ first."""
    if isinstance(other, dict) and isinstance(mine, dict):
        if mine.keys() != other.keys():
            return f"{where}: {sorted(mine)} instead of {sorted(other)}"
        return next((d for k in other if (d := _differ(mine[k], other[k], f"{where}.{k}", sample))), None)
    if isinstance(other, list) and isinstance(mine, list):
        if len(mine) != len(other):
            return f"{where}: {mine} instead of {other}"
        return next((d for k, o in enumerate(other) if (d := _differ(mine[k], o, f"{where}[{k}]", sample))), None)
    if isinstance(other, np.ndarray) and isinstance(mine, np.ndarray):
        return _far(mine, other, where, sample)
    if isinstance(other, float | complex) and type(mine) is type(other):
        return _far(np.asarray(mine), np.asarray(other), where, sample, 2e-5 if sample.tol is None else None)
    if isinstance(other, Exception) and isinstance(mine, category(other)):
        return None
    return None if type(mine) is type(other) and mine == other else f"{where}: {mine!r} instead of {other!r}"


def _far(mine: np.ndarray, other: np.ndarray, where: str, sample: Sample, tol: float | None = None) -> str | None:
    if not sample.values:
        return None
    if mine.dtype != other.dtype or mine.shape != other.shape:
        return f"{where}: {mine.dtype}{mine.shape} instead of {other.dtype}{other.shape}"
    if mine.dtype.kind in "biuOSU":
        return None if np.array_equal(mine, other) else f"{where}: {mine} instead of {other}"
    usual = _RELATIVE.get(other.dtype.name, 1e-9)
    tol = tol or (max(sample.tol, usual) if sample.tol is not None else usual)
    wide = np.complex128 if other.dtype.kind == "c" else np.float64
    a, b = mine.astype(wide), other.astype(wide)
    with np.errstate(all="ignore"):
        near = (a == b) | (abs(a - b) <= tol * (abs(b) + 0.1)) | (np.isnan(a) & np.isnan(b))
    return None if near.all() else f"{where}: {mine} instead of {other}"


def _compare(mine: Seen, other: Seen, sample: Sample) -> str | None:
    if other.error is not None or mine.error is not None:
        if mine.error is None:
            return f"answers where PyTorch raises {type(other.error).__name__}: {other.error}"
        if other.error is None:
            return f"raises {type(mine.error).__name__}: {mine.error}; PyTorch answers {other.facts['result']}"
        if not isinstance(mine.error, category(other.error)):
            return f"raises {type(mine.error).__name__}: {mine.error}; PyTorch {type(other.error).__name__}: {other.error}"
    if other.coarse:
        sample = replace(sample, tol=max(sample.tol or 0, 2e-5))
    return _differ(mine.facts, other.facts, "", sample)


def difference(sample: Sample) -> str | None:
    """The first difference between the two, in float64 with gradients, then in float32; None where they agree."""
    for wide in (True, False):
        other, mine = Seen(torch, sample, wide), Seen(dv, sample, wide)
        if found := _compare(mine, other, sample):
            return f"{'float64' if wide else 'float32'}{found if found.startswith('.') else ': ' + found}"
        if _FLOATS.isdisjoint(sample.uses):
            break
    return None


def refuses(sample: Sample) -> bool:
    """Whether ours answers with an error of its own."""
    return isinstance(Seen(dv, sample, True).error, dv.errors.DovetailError)
