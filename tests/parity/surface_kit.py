"""What the samples of layers, optimizers and schedulers have in common: one call shows all that a program can see of each."""

from __future__ import annotations

import collections
import contextlib
import copy
import functools
import io
import itertools
import math
import os
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["kit"]

_MODULES = (collections, contextlib, copy, functools, io, itertools, math, os, tempfile, warnings)


def kit(T: Any) -> dict[str, Any]:
    """The functions that samples may call, for one library, and the modules that they use."""
    calls = {"layer": _layer, "trained": _trained, "lrs": _lrs, "net": _net}
    return {name: functools.partial(call, T) for name, call in calls.items()} | {module.__name__: module for module in _MODULES}


def _net(T: Any) -> Any:
    """A small network with nested layers, a buffer that is saved and one that is not."""

    class Net(T.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = T.nn.Linear(3, 2)
            self.b = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.BatchNorm1d(2))
            self.register_buffer("k", T.ones(2))
            self.register_buffer("t", T.zeros(1), persistent=False)

        def forward(self, q: Any) -> Any:
            return self.b(self.a(q)) * self.k

    return Net()


def _flat(T: Any, value: Any) -> list[Any]:
    if isinstance(value, T.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for v in value for t in _flat(T, v)] if isinstance(value, tuple | list) else []


def _layer(T: Any, module: Any, *args: Any, train: bool = True, **kwargs: Any) -> Any:
    """How a layer is made, what it answers in training, gradients of its parameters, its buffers then, and what it answers at rest."""
    made = [repr(module), [n for n, _ in module.named_parameters()], {k: v.detach().clone() for k, v in module.state_dict().items()}]
    floating = [t for t in _flat(T, args) if t.is_floating_point()]
    module = (module.to(floating[0].dtype) if floating else module).train(train)
    T.manual_seed(3)
    out = module(*args, **kwargs)
    results = [t for t in _flat(T, out) if t.requires_grad]
    parameters = [p for p in module.parameters() if p.requires_grad]
    grads: Any = ()
    if results and parameters:
        total = sum((t * t.detach().cos()).sum() for t in results)
        grads = T.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
    after = {name: t.detach().clone() for name, t in module.named_buffers()}
    with T.no_grad():
        rest = module.eval()(*args, **kwargs)
    return made, out, [None if g is None else g.numpy() for g in grads], after, [t.detach() for t in _flat(T, rest)]


def _trained(T: Any, make: Callable[[Any], Any], *shapes: Any, steps: int = 4, state: bool = True, **options: Any) -> Any:
    """Parameters, losses, state and settings after some steps of the optimizer that `make` makes."""
    T.manual_seed(1)
    options.setdefault("dtype", T.float64)
    parameters = [T.nn.Parameter(T.randn(*shape, **options)) for shape in shapes or ((2, 3), (3,))]
    optimizer = make(parameters)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = sum(((p - 0.5) ** 2 * (k + 1) + 0.1 * p.sin()).sum() for k, p in enumerate(parameters))
        loss.backward()
        return loss

    losses = [optimizer.step(closure) for _ in range(steps)]
    kept = optimizer.state_dict() if state else None
    return [p.detach() for p in parameters], [t.detach() for t in losses], kept, repr(optimizer), optimizer.defaults


def _lrs(T: Any, make: Callable[[Any], Any], steps: int = 20, opt: Callable[[Any], Any] | None = None, metrics: Any = None) -> Any:
    """The rates of two groups over some steps, the momenta beside them, the last rates and the scheduler's state."""
    weights = [T.nn.Parameter(T.ones(2)) for _ in range(2)]
    groups = [{"params": weights[:1]}, {"params": weights[1:], "lr": 0.03}]
    optimizer = opt(groups) if opt else T.optim.SGD(groups, lr=0.1, momentum=0.9)
    scheduler, seen = make(optimizer), []
    for k in range(steps):
        seen.append([(float(g["lr"]), g.get("momentum", g.get("betas"))) for g in optimizer.param_groups])
        optimizer.step()
        scheduler.step(*([metrics[k % len(metrics)]] if metrics else []))
    state = {k: v for k, v in scheduler.state_dict().items() if not callable(v)}
    return seen, scheduler.get_last_lr(), state
