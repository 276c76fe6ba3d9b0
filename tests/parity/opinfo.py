"""PyTorch's own table of operators (`op_db`) run against Dovetail: its samples translated, called both ways, and compared."""

from __future__ import annotations

import functools
import random
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import dovetail as dv
from dovetail.errors import UnsupportedError
from dovetail.testing.samples.calls import walk
from tests.parity.both import category, raw

__all__ = ["TABLE", "checks", "errors", "ours"]

TABLE = sorted(op_db, key=lambda op: (op.name, op.variant_test_name))
DTYPES = tuple("float64 float32 complex128 complex64 int64 bool float16 bfloat16 uint8 int8 int16 int32".split())
_TOLERANCE = {"float64": 1e-7, "complex128": 1e-7, "float32": 1e-4, "complex64": 1e-4, "float16": 4e-3, "bfloat16": 3e-2}
_TORCH = "torch."
_ABORTS = ("tril", "triu")  # PyTorch 2.13 ends the process when out= lies otherwise than the input
_LAPACK = ("linalg.", "lu", "cholesky", "geqrf", "ormqr", "qr", "svd", "triangular_solve")
_FREE = (*_LAPACK, "fft.", "cat")  # what lies otherwise: docs/known-differences.md


# ---------------------------------------------------------------- PyTorch's things as ours


def ours(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """A value of PyTorch's with its tensors, types, devices and functions as ours; what was one tensor stays one."""
    seen = {} if seen is None else seen
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            seen[id(value)] = _tensor(value)
        return seen[id(value)]
    if isinstance(value, torch.Size):
        return dv.Size(value)
    if isinstance(value, tuple | list):
        return type(value)(ours(v, seen) for v in value)
    if isinstance(value, dict):
        return {k: ours(v, seen) for k, v in value.items()}
    if isinstance(value, torch.dtype | torch.memory_format | torch.layout):
        return getattr(dv, str(value).removeprefix(_TORCH))
    if isinstance(value, torch.device):
        return dv.device(str(value))
    if isinstance(value, torch.Generator):
        return dv.Generator()
    if isinstance(value, torch.nn.Module):
        return getattr(dv.nn, type(value).__name__)()
    if isinstance(value, functools.partial):
        return functools.partial(_translated(value.func), *ours(value.args), **ours(value.keywords))
    return _translated(value) if callable(value) else value


def _tensor(t: torch.Tensor) -> Any:
    """A tensor of ours with the values, the strides and the place in its memory of PyTorch's."""
    if t.layout != torch.strided:
        raise NotImplementedError("sparse")
    plain = t.detach().resolve_conj().resolve_neg()
    flat = torch.empty(0, dtype=t.dtype).set_(plain.untyped_storage()).clone()  # numpy() would keep the storage from growing
    if t.is_complex() or not t.dtype.is_floating_point or t.dtype in (torch.float64, torch.float32, torch.float16):
        base = dv.from_numpy(flat.numpy())
    elif t.dtype == torch.bfloat16:
        base = dv.from_numpy(flat.view(torch.int16).numpy()).view(dv.bfloat16)
    else:
        base = dv.from_numpy(flat.view(torch.uint8).numpy()).view(getattr(dv, str(t.dtype).removeprefix(_TORCH)))
    made = base.as_strided(tuple(plain.shape), plain.stride(), plain.storage_offset() if plain.numel() else 0)
    return made.requires_grad_() if t.requires_grad else made


def _translated(call: Any) -> Any:
    """A function of PyTorch's tests with our library where it says `torch`, or ours of the same path."""
    if isinstance(call, types.FunctionType) and call.__module__.startswith("torch.testing._internal"):
        space = _Names(call.__globals__)
        cells = tuple(types.CellType(ours(c.cell_contents)) for c in call.__closure__ or ())
        made = types.FunctionType(call.__code__, space, call.__name__, ours(call.__defaults__), cells)
        made.__kwdefaults__ = call.__kwdefaults__
        return made
    name = getattr(call, "__name__", "")
    for path in (f"{getattr(call, '__module__', '') or ''}.{name}".removeprefix(_TORCH), name, f"nn.functional.{name}", f"Tensor.{name}"):
        if walk(torch, path) is call:
            return walk(dv, path) or _absent(path)
    return call


class _Names(dict):
    """The names that a function of PyTorch's tests reads: `torch` is ours, and functions are translated when read."""

    def __init__(self, names: dict[str, Any]) -> None:
        super().__init__({k: v for k, v in names.items() if k.startswith("__")})
        self["torch"] = dv
        for name, value in names.items():
            if isinstance(value, types.FunctionType) and (value.__module__ or "").startswith("torch.testing._internal"):
                self[name] = lambda *a, _call=value, **k: _translated(_call)(*a, **k)
            elif name not in self:
                self[name] = value
        if "wrapper_set_seed" in self:
            self["wrapper_set_seed"] = _seeded


def _seeded(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    dv.manual_seed(42)
    return call(*args, **kwargs)


class Absent(LookupError):
    """A name that we do not have."""


def _absent(path: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise Absent(path)

    return call


_UNTOLD = (NotImplementedError, AttributeError, RuntimeError)  # sparse, of another device, of 65 dimensions: there is no such tensor


def function(op: Any) -> Callable[..., Any]:
    """Our function of an entry: by its path, or as its lambda says."""
    call = op.op
    if isinstance(call, types.FunctionType) and call.__module__.startswith("torch.testing._internal"):
        return _translated(call)
    if walk(torch, op.name) is not None:
        return walk(dv, op.name) or _absent(op.name)
    return walk(dv.Tensor, op.name) or _absent(op.name)


# ---------------------------------------------------------------- comparison


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [v for part in value for v in _flat(part)]
    if isinstance(value, dict):
        return [v for part in value.values() for v in _flat(part)]
    return [value]


def is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor | dv.Tensor)


def different(mine: Any, other: Any, strides: bool = False, values: bool = True, through: Any = None) -> str | None:
    """How two results differ, perhaps after a function that takes away what is arbitrary (signs of vectors); None where they agree."""
    if through is not None:
        mine, other = _translated(through)(mine), through(other)
    a, b = _flat(mine), _flat(other)
    if len(a) != len(b):
        return f"{len(a)} results, PyTorch has {len(b)}"
    for k, (x, y) in enumerate(zip(a, b, strict=True)):
        if is_tensor(x) != is_tensor(y):
            return f"result {k} is {type(x).__name__}, PyTorch's {type(y).__name__}"
        if not is_tensor(y):
            x, y = ours(x), ours(y)
            if not (x == y or x != x or (isinstance(y, float | complex) and np.allclose(x, y))):
                return f"result {k} is {x!r}, PyTorch's {y!r}"
            continue
        if found := _unlike(x, y, strides, values):
            return f"result {k}: {found}"
    return None


def _unlike(x: Any, y: Any, strides: bool, values: bool) -> str | None:
    told = [(str(t.dtype).split(".")[-1], tuple(t.shape), str(t.layout).split(".")[-1]) for t in (x, y)]
    if told[0] != told[1]:
        return f"{told[0]}, PyTorch's {told[1]}"
    if strides and y.layout == torch.strided and y.numel() and tuple(x.stride()) != tuple(y.stride()):
        return f"strides {tuple(x.stride())}, PyTorch's {tuple(y.stride())} of shape {tuple(y.shape)}"
    if not values:
        return None
    if y.layout != torch.strided:
        x, y = x.to_dense(), y.to_dense()
    if "float8" in str(y.dtype):
        x, y = x.float(), y.float()
    return far(np.asarray(raw(x.detach())), np.asarray(raw(y)))


def far(a: Any, b: Any) -> str | None:
    """How two arrays of one type differ beyond rounding."""
    if b.dtype.kind in "biu" or not b.size:
        return None if np.array_equal(a, b) else f"{_short(a)}, PyTorch's {_short(b)}"
    tol, wide = _TOLERANCE[b.dtype.name], np.complex128 if b.dtype.kind == "c" else np.float64
    x, y = a.astype(wide), b.astype(wide)
    with np.errstate(all="ignore"):
        size = abs(y)
        scale = np.max(size, initial=0.0, where=np.isfinite(size))
        near = (x == y) | (abs(x - y) <= tol * (size + 0.3 * scale + 1e-3)) | (np.isnan(x) & np.isnan(y))
    return None if near.all() else f"{_short(x[~near])}, PyTorch's {_short(y[~near])} ({int((~near).sum())} of {near.size})"


def _short(a: Any) -> str:
    return np.array2string(a.ravel()[:4], precision=6, threshold=6).replace("\n", " ")


# ---------------------------------------------------------------- one sample


class Answer:
    """Results of a call, or its error; and the tensors it was given."""

    def __init__(self, T: Any, call: Callable[..., Any], args: Any) -> None:
        self.T, self.args, self.error, self.out = T, args, None, None
        T.default_generator.manual_seed(0)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                self.out = call(*args[0], **args[1])
            except Exception as error:
                self.error = error


def both(op: Any, call: Callable[..., Any], mine: Callable[..., Any], args: Any) -> tuple[Answer, Answer]:
    """The answers of PyTorch and of ours to the same arguments."""
    seen: dict[int, Any] = {}
    translated = ours(args, seen)
    other = Answer(torch, call, args)
    return Answer(dv, mine, translated), other


def verdict(mine: Answer, other: Answer, **how: Any) -> str | None:
    """How two answers differ: in results, or one raises, or of other kinds."""
    if isinstance(mine.error, Absent):
        return f"absent: {mine.error}"
    if other.error is not None:
        if mine.error is None:
            return None if "not implemented for" in str(other.error) else f"answers, PyTorch raises {_error(other.error)}"
        return None if isinstance(mine.error, category(other.error)) else f"raises {_error(mine.error)}, PyTorch {_error(other.error)}"
    if mine.error is not None:
        refused = "refuses" if isinstance(mine.error, UnsupportedError) else "raises"
        return f"{refused} {_error(mine.error)}, PyTorch answers {_told(other.out)}"
    return different(mine.out, other.out, **how)


def _error(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}".replace("\n", " ")


def _told(out: Any) -> list[str]:
    return [f"{t.dtype}{tuple(t.shape)}" if is_tensor(t) else repr(t) for t in _flat(out)][:4]


def _copied(args: Any, change: Callable[[Any], Any]) -> Any:
    """Arguments with each tensor changed."""
    if isinstance(args, torch.Tensor):
        return change(args)
    if type(args) in (tuple, list):
        return type(args)(_copied(a, change) for a in args)
    if isinstance(args, dict):
        return {k: _copied(a, change) for k, a in args.items()}
    return args


def _fresh(t: torch.Tensor) -> torch.Tensor:
    made = torch.empty_strided(t.shape, t.stride(), dtype=t.dtype).copy_(t.detach()) if t.layout == torch.strided else t.detach().clone()
    return made.requires_grad_(t.requires_grad)


def checks(op: Any, dtype: str, count: int, seed: int = 0) -> Iterator[tuple[str, str | None]]:
    """What was tried of an entry and a type, and how ours differs: function, noncontiguous, method, in-place, out= and gradients."""
    T = getattr(torch, dtype)
    grads = dtype in ("float64", "complex128") and op.supports_autograd and T in op.supported_backward_dtypes("cpu")
    random.seed(seed), np.random.seed(seed), torch.default_generator.manual_seed(seed)
    samples = list(op.sample_inputs("cpu", T, requires_grad=grads))
    if len(samples) > count:
        samples = random.Random(seed).sample(samples, count)
    call = function(op)
    for sample in samples:
        yield from _tried(op, call, sample, grads)


def _tried(op: Any, call: Callable[..., Any], sample: Any, grads: bool) -> Iterator[tuple[str, str | None]]:
    try:
        given = ((sample.input, *sample.args), dict(sample.kwargs))
        ours(given)
    except _UNTOLD:
        return
    view = op.is_view if hasattr(op, "is_view") else False
    mine, other = both(op, op.op, call, given)
    random = op.name.startswith("empty") or op.name in ("new_empty", "new_empty_strided")
    how = {"strides": view, "values": not random, "through": sample.output_process_fn_grad if op.name.startswith(_LAPACK) else None}
    yield "function", verdict(mine, other, **how)
    if grads and other.error is None and mine.error is None:
        yield "gradient", gradient(mine, other, sample.output_process_fn_grad)
    if other.error is not None:
        return
    twisted = sample.noncontiguous()
    shuffled = both(op, op.op, call, ((twisted.input, *twisted.args), dict(twisted.kwargs)))
    yield "noncontiguous", verdict(*shuffled, **how)
    plain = _copied(given, lambda t: _fresh(t).requires_grad_(False))
    name = op.name.rpartition(".")[2]
    if isinstance(sample.input, torch.Tensor):
        for kind, method in (("method", op.method_variant), ("in-place", op.inplace_variant)):
            if isinstance(method, types.MethodDescriptorType) or (kind == "in-place" and method is not None):
                called = method.__name__ if hasattr(method, "__name__") else name
                told = isinstance(method, types.FunctionType | functools.partial)
                mymethod = ours(method) if told else walk(dv.Tensor, called) or _absent(f"Tensor.{called}")
                yield kind, verdict(*both(op, method, mymethod, _copied(plain, _fresh)), values=not random)
    if op.supports_out and op.name not in _ABORTS and all(is_tensor(t) for t in _flat(other.out)):
        yield "out", _out(op, call, plain, {**how, "strides": not op.name.startswith(_FREE)})


def _out(op: Any, call: Callable[..., Any], given: Any, how: dict[str, Any]) -> str | None:
    """Results written into tensors of the right type without elements, and of the right shape with other strides."""
    expected = Answer(torch, op.op, given).out
    for make in (_empty,) if op.name.startswith(_LAPACK) else (_empty, _turned):  # PyTorch crashes where factors do not lie by columns
        outs = tuple(make(t) for t in _flat(expected))
        out = outs if isinstance(expected, tuple | list) else outs[0]
        mine, other = both(op, op.op, call, (given[0], {**given[1], "out": out}))
        if found := verdict(mine, other, **how):
            return found
        if mine.error is None and other.error is None and (found := different(mine.args[1]["out"], out, **how)):
            return f"out= holds another result: {found}"
    return None


def _empty(t: torch.Tensor) -> torch.Tensor:
    return t.new_empty(0)


def _turned(t: torch.Tensor) -> torch.Tensor:
    """One of the shape, whose first dimension lies closest."""
    return torch.ones(t.shape[::-1], dtype=t.dtype).permute(tuple(range(t.dim()))[::-1])


def gradient(mine: Answer, other: Answer, process: Any) -> str | None:
    """How the gradients differ for a fixed cotangent."""
    pairs = []
    for T, answer in ((dv, mine), (torch, other)):
        try:
            leaves = [t for t in _leaves(answer.args) if t.requires_grad and t.is_leaf]
            outs = [t for t in _flat((_translated(process) if T is dv else process)(answer.out)) if is_tensor(t) and t.requires_grad]
            if not outs or not leaves:
                pairs.append(None)
                continue
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                pairs.append(T.autograd.grad(outs, leaves, [_cotangent(T, t) for t in outs], allow_unused=True))
        except Exception as error:
            pairs.append(error)
    if isinstance(pairs[1], Exception):
        return None if isinstance(pairs[0], Exception) else f"has a gradient, PyTorch raises {_error(pairs[1])}"
    if isinstance(pairs[0], Exception):
        return f"raises {_error(pairs[0])}"
    if pairs[0] is None or pairs[1] is None:
        return None if pairs[0] is pairs[1] else f"gradients {_told(pairs[0])}, PyTorch's {_told(pairs[1])}"
    return different(pairs[0], pairs[1])


def _leaves(args: Any) -> list[Any]:
    found: dict[int, Any] = {id(t): t for t in _flat(list(args)) if is_tensor(t)}
    return list(found.values())


def _cotangent(T: Any, t: Any) -> Any:
    weights = np.cos(np.arange(t.numel()) * 0.7 + 0.4)
    weights = weights + 0.5j * weights[::-1] if t.is_complex() else weights
    return T.tensor(weights.reshape(tuple(t.shape))).to(t.dtype)


def errors(op: Any) -> Iterator[tuple[str, str | None]]:
    """What each call of an entry that must fail raises, and how ours differs."""
    if op.error_inputs_func is None:
        return
    call = function(op)
    for bad in op.error_inputs("cpu"):
        sample = bad.sample_input
        try:
            given = ((sample.input, *sample.args), dict(sample.kwargs))
            mine, other = both(op, op.op, call, given)
        except _UNTOLD:
            continue
        if other.error is not None:
            yield "error", verdict(mine, other)
