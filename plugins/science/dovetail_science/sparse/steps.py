"""Sparse gradients: the embedding that has one, and the optimizers that take one."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv
from dovetail.errors import GradError, UnsupportedError
from dovetail.extend import Array, Fixed, op

from .convert import coalesce
from .table import COO
from .tensor import SparseTensor

__all__: list[str] = []


@op(dtypes=None, name="science/embedding")
def _rows(weight: Array, index: Fixed, padding_idx: int) -> Array:
    return weight[index]


@_rows.vjp
def _(g: Any, index: Any, weight_shape: Any, padding_idx: Any) -> Any:
    at, value = index.reshape(-1).long(), g.reshape(-1, g.shape[-1])
    if padding_idx >= 0:
        kept = at != padding_idx
        at, value = at[kept], value[kept]
    return SparseTensor(COO, (at[None],), value, weight_shape)


def embedding(weight: Any, index: Any, padding_idx: int, scale_grad_by_freq: bool) -> Any:
    """The rows of a table, whose gradient is sparse. Raises a RuntimeError for `scale_grad_by_freq`."""
    if scale_grad_by_freq:
        raise GradError("embedding", "embedding_backward: scale_grad_by_freq not supported with sparse gradients")
    dv.nn.functional.embedding(index, weight.detach())  # for its checks
    return _rows(weight, index, padding_idx)


def step(optimizer: Any, group: dict[str, Any], params: Any) -> None:
    """Update the parameters whose gradients are sparse as the optimizer's class does; most refuse, in PyTorch's words."""
    kind = next((base.__name__ for base in type(optimizer).__mro__ if base.__name__ in (*_STEPS, *_REFUSE)), None)
    if kind not in _STEPS:
        name = "Adam" if kind in ("Adam", "AdamW") else type(optimizer).__name__
        remedy = ", please consider SparseAdam instead" if name == "Adam" else ""
        raise UnsupportedError(type(optimizer).__name__, f"{name} does not support sparse gradients{remedy}")
    with dv.no_grad():
        for p in params:
            g = -p.grad if group["maximize"] else p.grad
            stateless = kind == "SGD" and not group["momentum"]
            _STEPS[kind](p, g, {} if stateless else optimizer.state[p], group)


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, dv.Tensor) else x


def _sgd(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    if group["weight_decay"]:
        g = g.add(p, alpha=group["weight_decay"])
    if group["momentum"]:
        held = state.get("momentum_buffer")
        if held is None:
            held = state["momentum_buffer"] = g.clone()
        else:
            held.mul_(group["momentum"]).add_(g, alpha=1 - group["dampening"])
        g = g.add(held, alpha=group["momentum"]) if group["nesterov"] else held
    p.add_(g, alpha=-_number(group["lr"]))


def _adagrad(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    state["step"] += 1
    if group["weight_decay"]:
        raise UnsupportedError("Adagrad", "weight_decay option is not compatible with sparse gradients")
    rate = _number(group["lr"]) / (1 + (state["step"].item() - 1) * group["lr_decay"])
    g = coalesce(g)
    total, value = state["sum"], g.value
    total.add_(g.like(value * value))
    root = total[tuple(g.index[0])].sqrt() + group["eps"]
    p.add_(g.like(value / root), alpha=-rate)


def _sparse_adam(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    if not state:
        state.update(step=0, exp_avg=dv.zeros_like(p), exp_avg_sq=dv.zeros_like(p))
    state["step"] += 1
    g = coalesce(g)
    if not g.value.numel():
        return
    at, value, (beta1, beta2) = tuple(g.index[0]), g.value, group["betas"]
    changes = []
    for name, new, beta in (("exp_avg", value, beta1), ("exp_avg_sq", value * value, beta2)):
        old = state[name][at]
        change = (new - old) * (1 - beta)
        state[name].add_(g.like(change))
        changes.append(change + old)
    root = changes[1].sqrt() + group["eps"]
    size = _number(group["lr"]) * math.sqrt(1 - beta2 ** state["step"]) / (1 - beta1 ** state["step"])
    p.add_(g.like(-size * (changes[0] / root)))


_STEPS = {"SGD": _sgd, "Adagrad": _adagrad, "SparseAdam": _sparse_adam}
_REFUSE = ("Adam", "AdamW")
