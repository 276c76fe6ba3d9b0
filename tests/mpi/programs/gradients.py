"""Collectives of `distributed.nn` on any number of ranks: values, and gradients against sums over all ranks."""

from __future__ import annotations

import json

import dovetail as dv
from dovetail import distributed as dist
from dovetail.distributed import nn

dist.init_process_group("mpi")
RANK, SIZE = dist.get_rank(), dist.get_world_size()
wrong: list[str] = []
tried = 0


def parts() -> list[dv.Tensor]:
    return [x * (rank + 1) for rank in range(SIZE)]


def check(what: str, out: dv.Tensor, x: dv.Tensor, value: dv.Tensor, slope: dv.Tensor) -> None:
    """`out` of the leaf `x`; each rank weighs it by its rank + 1."""
    global tried
    tried += 1
    x.grad = None
    (out * (RANK + 1)).sum().backward()
    for name, found, expected in (("value", out.detach(), value), ("gradient", x.grad, slope)):
        if found.tolist() != expected.tolist():
            wrong.append(f"{what}, {name}: {found.tolist()} is not {expected.tolist()}")


everyone = [dv.arange(3.0) + 10 * rank for rank in range(SIZE)]
weights = float(sum(range(1, SIZE + 1)))
x = everyone[RANK].clone().requires_grad_()
ones, total = dv.ones(3), sum(everyone)
last = SIZE - 1

check("all_reduce", nn.all_reduce(x), x, total, ones * weights)
check("all_gather", dv.cat(nn.all_gather(x)), x, dv.cat(everyone), ones * weights)
check("broadcast", nn.broadcast(x, last), x, everyone[last], ones * weights * (last == RANK))
out = nn.reduce(x, last)
check("reduce", out, x, total if last == RANK else out.detach(), ones * (last + 1))
check("reduce_scatter", nn.reduce_scatter(dv.empty(3), parts()), x, total * (RANK + 1), ones * sum((k + 1) ** 2 for k in range(SIZE)))
there = nn.all_to_all([dv.empty(3) for _ in range(SIZE)], parts())
slope = ones * sum((k + 1) ** 2 for k in range(SIZE))
check("all_to_all", dv.cat(there), x, dv.cat(everyone) * (RANK + 1), slope)
print("REPORT " + json.dumps({"rank": RANK, "tried": tried, "wrong": wrong}), flush=True)
