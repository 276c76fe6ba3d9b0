"""PyTorch's own test inputs as ours: tensors, types, modules' activations, packed sequences, containers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import dovetail as dv
from tests.parity.both import raw

__all__ = ["attempted", "leaves_of", "same", "to_ours", "twin"]


def array_to_ours(t: torch.Tensor) -> Any:
    if t.dtype == torch.bfloat16:
        return dv.from_numpy(t.view(torch.int16).numpy().copy()).view(dv.bfloat16)
    return dv.from_numpy(t.numpy().copy())


def tensor_to_ours(t: torch.Tensor) -> Any:
    """The same values, type, strides and need of a gradient; parameters stay parameters."""
    flat = t.detach()
    if flat.layout != torch.strided:
        flat = flat.coalesce()
        made = dv.sparse_coo_tensor(to_ours(flat.indices()), to_ours(flat.values()), tuple(flat.shape))
    else:
        flat = flat.resolve_conj().resolve_neg()
        if flat.numel():
            span = 1 + sum((n - 1) * step for n, step in zip(flat.shape, flat.stride(), strict=True))
            memory = array_to_ours(flat.as_strided((span,), (1,)))
            made = memory.as_strided(tuple(flat.shape), flat.stride())
        else:
            made = array_to_ours(flat)
    if isinstance(t, torch.nn.Parameter):
        return dv.nn.Parameter(made, t.requires_grad)
    return made.requires_grad_(t.requires_grad)


def to_ours(value: Any, seen: dict[int, Any] | None = None) -> Any:
    """A value of PyTorch's test tables with our types in it; what is one tensor stays one."""
    seen = {} if seen is None else seen
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            seen[id(value)] = tensor_to_ours(value)
        return seen[id(value)]
    if isinstance(value, torch.nn.utils.rnn.PackedSequence):
        return dv.nn.utils.rnn.PackedSequence(*(to_ours(part, seen) for part in value))
    if isinstance(value, torch.Size):
        return dv.Size(value)
    if isinstance(value, torch.dtype | torch.memory_format | torch.layout):
        return getattr(dv, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return dv.device(str(value))
    if isinstance(value, torch.nn.Module):
        return twin(value)
    if isinstance(value, dict):
        return {to_ours(k, seen): to_ours(v, seen) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(to_ours(v, seen) for v in value)
    for space, own in ((torch.nn.functional, dv.nn.functional), (torch.nn, dv.nn), (torch, dv)):
        name = getattr(value, "__name__", None)
        if callable(value) and name and getattr(space, name, None) is value:
            return getattr(own, name)
    return value


def twin(module: torch.nn.Module) -> Any:
    """Our module with the settings and weights of one of PyTorch's: it is built bare and its state is written into it."""
    name = type(module).__name__
    own = getattr(dv.nn, name, None) or getattr(dv.nn.modules.linear, name)
    made = own.__new__(own)
    made.__setstate__({k: to_ours(v) for k, v in module.__dict__.items()})
    return made


def same(mine: Any, other: Any, what: str, tol: float, strides: bool = False) -> None:
    """Assert that two values are one: types, shapes, numbers, all the way down."""
    if isinstance(other, torch.Tensor):
        told = [(str(t.dtype).partition(".")[2], tuple(t.shape), t.requires_grad) for t in (mine, other)]
        assert told[0] == told[1], f"{what}: {told[0]}, PyTorch's {told[1]}"
        assert not strides or other.numel() < 2 or tuple(mine.stride()) == other.stride(), what
        a, b = (raw((t if t.layout in (torch.strided, dv.strided) else t.to_dense()).detach()) for t in (mine, other))
        if b.dtype.kind == "V":  # bfloat16
            a, b = a.astype(np.float32), b.astype(np.float32)
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol * max(1.0, float(abs(b).max(initial=0))), err_msg=what)
    elif isinstance(other, dict):
        assert list(mine) == list(other), f"{what}: {list(mine)}, PyTorch's {list(other)}"
        for key, value in other.items():
            same(mine[key], value, f"{what}[{key!r}]", tol)
    elif isinstance(other, tuple | list):
        assert type(mine) is type(other) and len(mine) == len(other), f"{what}: {mine}, PyTorch's {other}"
        for k, (a, b) in enumerate(zip(mine, other, strict=True)):
            same(a, b, f"{what}[{k}]", tol)
    elif isinstance(other, float):
        np.testing.assert_allclose(mine, other, rtol=tol, err_msg=what)
    else:
        assert type(mine) is type(other) and mine == other, f"{what}: {mine!r}, PyTorch's {other!r}"


def leaves_of(value: Any) -> list[Any]:
    """The tensors of a value of either side, in order."""
    if isinstance(value, torch.Tensor | dv.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in leaves_of(v)]
    if isinstance(value, tuple | list):
        return [t for v in value for t in leaves_of(v)]
    return []


def attempted(call: Callable[[], Any]) -> Any:
    """What a call gives, or the error that it raises; warnings are left aside."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()
    except Exception as error:
        return error
