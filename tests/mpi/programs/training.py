"""Trainings on all ranks beside the same training in one process, on the same global batches; reports how far the parameters are apart."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import dovetail as dv
from dovetail import distributed as dist
from dovetail import nn
from dovetail.distributed.algorithms.join import Join
from dovetail.distributed.optim import ZeroRedundancyOptimizer
from dovetail.nn.parallel import DistributedDataParallel
from dovetail.utils.data import DataLoader, DistributedSampler
from dovetail_mpi import shared

dist.init_process_group()
RANK, SIZE = dist.get_rank(), dist.get_world_size()
STEPS = 20
found: dict[str, Any] = {"rank": RANK}


def network(*, norm: bool = False, drop: float = 0.0) -> nn.Module:
    dv.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 16, bias=not norm), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.Tanh(), nn.Dropout(drop), nn.Linear(16, 16),
        nn.ReLU(), nn.Linear(16, 1),
    ).double()  # fmt: skip


def batches() -> Any:
    """Global batches of 8, every fourth of 5, which ranks cannot share evenly."""
    numbers = dv.Generator().manual_seed(5)
    for step in range(STEPS):
        x = dv.randn(5 if step % 4 == 3 else 8, 6, generator=numbers).double()
        yield x, x.sum(1, keepdim=True).sin()


def shard(t: dv.Tensor, rank: int) -> dv.Tensor:
    return t[rank::SIZE]


def apart(one: nn.Module, other: nn.Module) -> float:
    return max(
        float((a - b).abs().max() / b.abs().max()) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def clipped(model: nn.Module, optimizer: Any) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    optimizer.zero_grad()


def with_norm_accumulation_and_clipping() -> None:
    one = network(norm=True)
    many = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(one))
    many = DistributedDataParallel(many, bucket_cap_mb=0.001)
    found["buckets"], found["kind"] = len(many.reducer.buckets), type(many.reducer.buckets[0]).__name__
    a, b = (dv.optim.SGD(m.parameters(), lr=0.05, momentum=0.9) for m in (many, one))
    for step, (x, y) in enumerate(batches()):
        (nn.functional.mse_loss(one(x), y, reduction="sum") / len(x)).backward()
        mine, wanted = shard(x, RANK), shard(y, RANK)
        if step % 2 == 0:
            with many.no_sync():
                (nn.functional.mse_loss(many(mine), wanted, reduction="sum") * SIZE / len(x)).backward()
            continue
        (nn.functional.mse_loss(many(mine), wanted, reduction="sum") * SIZE / len(x)).backward()
        clipped(many, a)
        clipped(one, b)
    found["norm, accumulation, clipping"] = apart(many.module, one)


def with_dropout() -> None:
    """The one process draws the masks that the ranks draw, each from its own numbers."""
    one = network(drop=0.3)
    many = DistributedDataParallel(copy.deepcopy(one), gradient_as_bucket_view=True)
    a, b = (dv.optim.AdamW(m.parameters(), lr=0.01) for m in (many, one))
    numbers = []
    for rank in range(SIZE):
        dv.manual_seed(100 + rank)
        numbers.append(dv.get_rng_state())
    own = numbers[RANK]
    for x, y in batches():
        for rank in range(SIZE):
            dv.set_rng_state(numbers[rank])
            (nn.functional.mse_loss(one(shard(x, rank)), shard(y, rank), reduction="sum") / len(x)).backward()
            numbers[rank] = dv.get_rng_state()
        b.step()
        b.zero_grad()
        dv.set_rng_state(own)
        (nn.functional.mse_loss(many(shard(x, RANK)), shard(y, RANK), reduction="sum") * SIZE / len(x)).backward()
        own = dv.get_rng_state()
        a.step()
        a.zero_grad()
    found["dropout"] = apart(many.module, one)


def with_zero() -> None:
    """The divided optimizer gives the plain one's numbers, also after its state was gathered, saved and loaded."""
    plain = DistributedDataParallel(network())
    divided = DistributedDataParallel(network())
    groups = [
        [{"params": list(m.module[:4].parameters())}, {"params": list(m.module[4:].parameters()), "lr": 0.02}] for m in (plain, divided)
    ]
    a, b = dv.optim.AdamW(groups[0], lr=0.01), ZeroRedundancyOptimizer(groups[1], dv.optim.AdamW, lr=0.01)
    halves = [dv.optim.lr_scheduler.StepLR(o, 5, 0.5) for o in (a, b)]
    for step, (x, y) in enumerate(batches()):
        for model, optimizer, half in ((plain, a, halves[0]), (divided, b, halves[1])):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(shard(x, RANK)), shard(y, RANK)).backward()
            optimizer.step()
            half.step()
        if step == 9:
            b.consolidate_state_dict(0)
            state = [b.state_dict() if RANK == 0 else None]
            dist.broadcast_object_list(state)
            found["state of zero"] = _same(state[0]["state"], a.state_dict()["state"])
            b = ZeroRedundancyOptimizer(groups[1], dv.optim.AdamW, lr=0.5)
            b.load_state_dict(state[0])
            halves[1].optimizer = b
    found["zero"] = all(dv.equal(p, q) for p, q in zip(plain.parameters(), divided.parameters(), strict=True))
    found["share"] = sum(t.numel() for slots in b.share().values() for t in slots.values() if t.numel() > 1)


def with_other_numbers_of_batches() -> None:
    """Rank r has 2 + 2 r batches; each step's gradients are divided by the number of all ranks."""
    one = network()
    model = DistributedDataParallel(copy.deepcopy(one), gradient_as_bucket_view=True)
    a, b = dv.optim.Adam(one.parameters(), lr=0.01), ZeroRedundancyOptimizer(model.parameters(), dv.optim.Adam, lr=0.01)
    lots = list(batches())[: 2 * SIZE]
    with Join([model, b]):
        for x, y in lots[: 2 + 2 * RANK]:
            b.zero_grad()
            nn.functional.mse_loss(model(x + RANK), y).backward()
            b.step()
    for step, (x, y) in enumerate(lots):
        a.zero_grad()
        for rank in range(SIZE):
            if step < 2 + 2 * rank:
                (nn.functional.mse_loss(one(x + rank), y) / SIZE).backward()
        a.step()
    found["joined"] = apart(model.module, one)


def with_overlap() -> None:
    """The last layers' gradients travel before the first layer's exist."""
    model = DistributedDataParallel(network(), bucket_cap_mb=0.001)
    first, x = model.module[0].weight, dv.ones(4, 6).double()

    def before_the_first(gradient: dv.Tensor) -> None:
        found["travelling before the first layer's exist"] = sum(b.work is not None for b in model.reducer.buckets), first.grad is None
        found["at"] = time.perf_counter()

    for _ in range(2):
        model.zero_grad()
        hidden = model.module[0](x)
        hidden.register_hook(before_the_first)
        model.reducer.prepare(hidden)
        model.module[1:](hidden).sum().backward()
    found["begun"] = min(begun for begun, _ in model.reducer.trace)


def _same(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(dv.equal(one[i][k], other[i][k]) for i in one for k in one[i])


class Branches(nn.Module):
    """One of two branches for even ranks and the other for odd ones, and one that nobody takes."""

    def __init__(self) -> None:
        super().__init__()
        self.even, self.odd, self.never = (nn.Linear(2, 1) for _ in range(3))
        self.register_buffer("seen", dv.zeros(1))

    def forward(self, x: dv.Tensor, which: int) -> dict[str, dv.Tensor]:
        self.seen += 1 + RANK
        return {"out": (self.odd if which else self.even)(x)}


def with_unused_parameters() -> None:
    dv.manual_seed(RANK)  # rank 0's are given to all
    x = dv.ones(1, 2)
    model = DistributedDataParallel(Branches(), find_unused_parameters=True)
    for _ in range(2):
        model.zero_grad()
        (model(x, RANK % 2)["out"].sum() * SIZE).backward()
    inner = model.module
    odd = SIZE // 2
    found["unused"] = [inner.even.weight.grad.tolist(), inner.odd.bias.grad.tolist(), inner.never.weight.grad, inner.seen.tolist()]
    found["unused expected"] = [[[float(SIZE - odd)] * 2], [float(odd)], None, [2.0 + RANK]]
    everyone: list[Any] = [None] * SIZE
    dist.all_gather_object(everyone, inner.even.weight.detach())
    found["given"] = all(dv.equal(everyone[0], w) for w in everyone)
    model.zero_grad()
    with model.no_sync():  # what only this pass has used is averaged by the next
        (model(x, RANK % 2)["out"].sum() * SIZE).backward()
    for _ in range(2):  # no backward follows: nothing is reduced
        model(x, 0)
    (model(x, 1)["out"].sum() * SIZE).backward()
    found["unused now"] = [inner.even.bias.grad.tolist(), inner.odd.bias.grad.tolist(), inner.never.bias.grad]
    found["unused now expected"] = [[float(SIZE - odd)], [float(SIZE + odd)], None]
    own = {}
    for options in ({"broadcast_buffers": False}, {"forward_sync_buffers": False}, {"forward_sync_buffers": True}):
        branches = Branches()
        branches.seen += 10 * RANK
        some = DistributedDataParallel(branches, find_unused_parameters=True, **options)
        for _ in range(2):
            some(x, 0)
        own[f"{options}"] = float(branches.seen)
    found["buffers"] = list(own.values()), [12.0 * RANK + 2, 2.0 * RANK + 2, 2.0 + RANK]
    strict = DistributedDataParallel(Branches())
    strict(x, 0)["out"].sum().backward()
    try:
        strict(x, 0)
        found["named"] = "no error"
    except RuntimeError as error:
        found["named"] = str(error)


def with_a_copy() -> None:
    """A copy of the whole averages by buckets of its own; a copy that one rank alone makes, as for a moving average, waits for nobody."""
    model = DistributedDataParallel(network())
    other = copy.deepcopy(model)
    if RANK == 0:
        with dv.no_grad():
            copy.deepcopy(model.eval()).module(dv.ones(1, 6).double())
    x = dv.full((2, 6), 1.0 + RANK).double()
    gradients = []
    for one in (model, other, other):
        one.zero_grad()
        one(x).sum().backward()
        gradients.append([p.grad for p in one.parameters()])
    found["copied"] = all(dv.equal(*both) for later in gradients[1:] for both in zip(gradients[0], later, strict=True))
    found["copied"] &= all(p.grad is not q.grad for p, q in zip(model.parameters(), other.parameters(), strict=True))
    one, third = copy.deepcopy(model.module), copy.deepcopy(model)
    one.zero_grad()
    third.zero_grad()
    for rank in range(1, SIZE):
        (one(dv.full((2, 6), 1.0 + rank).double()).sum() / (SIZE - 1)).backward()
    with third.join(divide_by_initial_world_size=False):  # rank 0 has no batch, already in the copy's first pass
        for _ in range(min(RANK, 1)):
            third(x).sum().backward()
    found["copied"] &= not RANK or all(dv.allclose(p.grad, q.grad) for p, q in zip(third.parameters(), one.parameters(), strict=True))


def with_a_sampler() -> None:
    """Ranks see every sample once; a pass that was stopped goes on where it was."""

    def loader() -> DataLoader:
        return DataLoader(list(range(24)), batch_size=2, sampler=DistributedSampler(list(range(24))))

    first = loader()
    first.sampler.set_epoch(3)
    steps = iter(first)
    begun = [next(steps).tolist() for _ in range(2)]
    state, rest = first.state_dict(), [b.tolist() for b in steps]
    again = loader()
    again.load_state_dict(state)
    again.sampler.set_epoch(3)
    found["resumed"] = [b.tolist() for b in again] == rest
    everyone: list[Any] = [None] * SIZE
    dist.all_gather_object(everyone, begun + rest)
    found["every sample"] = sorted(i for one in everyone for b in one for i in b) == list(range(24))


def with_windows() -> None:
    """Memory of the buckets: kept while a tensor lies in it, used again when there is none at any rank, and not taken without room."""

    def wrapped(features: int) -> Any:
        model = nn.Linear(features, features)
        made = DistributedDataParallel(model, gradient_as_bucket_view=True)
        made(dv.full((1, features), RANK + 1.0)).sum().backward()
        return made

    def windows() -> list[int]:
        return [id(window) for window in shared._KEPT.get(tuple(range(SIZE)), [])]

    made = wrapped(100)
    gradient, mean, before = made.module.weight.grad, (SIZE + 1) / 2, windows()
    del made
    if RANK:  # the others hold nothing: one is enough
        del gradient
    other = wrapped(50)
    found["kept"] = len(windows()) == len(before) + 1 and (RANK or bool((gradient == mean).all()))
    gradient = None
    del other
    again = wrapped(60)
    found["used again"] = windows() == before and bool((again.module.weight.grad == mean).all())
    del again
    larger = wrapped(300)
    found["given back"] = len(windows()) == len(before) and bool((larger.module.weight.grad == mean).all())
    with pytest.MonkeyPatch.context() as patch:
        if RANK == SIZE - 1:
            patch.setattr(shared, "FOLDER", Path("/"))
            patch.setattr(shared.shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
        crowded = wrapped(310)
    found["without room"] = type(crowded.reducer.buckets[0]).__name__, bool((crowded.module.weight.grad == mean).all())


for case in (
    with_windows,
    with_norm_accumulation_and_clipping,
    with_dropout,
    with_zero,
    with_other_numbers_of_batches,
    with_overlap,
    with_unused_parameters,
    with_a_copy,
    with_a_sampler,
):
    case()
dist.destroy_process_group()
print("REPORT " + json.dumps(found), flush=True)
