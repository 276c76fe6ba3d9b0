"""Every collective on any number of ranks, beside what NumPy says of all ranks' values; reports what is not as it should be."""

from __future__ import annotations

import functools
import json
import time
from datetime import timedelta

import numpy as np

import dovetail as dv
from dovetail import distributed as dist

dist.init_process_group("mpi")
RANK, SIZE = dist.get_rank(), dist.get_world_size()
TYPES = {
    "float32": dv.float32, "float64": dv.float64, "int64": dv.int64, "int32": dv.int32, "uint8": dv.uint8, "bool": dv.bool,
    "float16": dv.float16, "bfloat16": dv.bfloat16, "complex64": dv.complex64,
}  # fmt: skip
wrong: list[str] = []
tried = 0


def same(what: str, found: object, expected: object) -> None:
    global tried
    tried += 1
    if found != expected:
        wrong.append(f"{what}: {found} is not {expected}")


def value(rank: int, *shape: int) -> dv.Tensor:
    """Small whole numbers, others on each rank, exact in every type."""
    count = int(np.prod(shape))
    return (dv.arange(count) * (rank + 1) % 5 + rank).reshape(shape)


def everyone(*shape: int) -> list[dv.Tensor]:
    return [value(rank, *shape) for rank in range(SIZE)]


def reductions() -> None:
    ways = {
        "SUM": lambda a, b: a + b, "PRODUCT": lambda a, b: a * b, "MIN": dv.minimum, "MAX": dv.maximum, "BAND": lambda a, b: a & b,
        "BOR": lambda a, b: a | b, "BXOR": lambda a, b: a ^ b,
    }  # fmt: skip
    for name, way in ways.items():
        for kind, dtype in TYPES.items():
            if (name[0] == "B" and (dtype.is_floating_point or dtype.is_complex)) or (name in ("MIN", "MAX") and dtype.is_complex):
                continue
            values = [v.to(dtype) for v in everyone(2, 3)]
            if dtype is dv.bool:
                way_of = {
                    "SUM": lambda a, b: a | b,
                    "PRODUCT": lambda a, b: a & b,
                    "MIN": lambda a, b: a & b,
                    "MAX": lambda a, b: a | b,
                }.get(name, way)
            else:
                way_of = way
            expected = functools.reduce(way_of, values)
            tensor = values[RANK].clone()
            dist.all_reduce(tensor, getattr(dist.ReduceOp, name))
            same(f"all_reduce {name} {kind}", tensor.tolist(), expected.tolist())
            tensor = values[RANK].clone()
            dist.reduce(tensor, SIZE - 1, getattr(dist.ReduceOp, name))
            same(f"reduce {name} {kind}", tensor.tolist(), (expected if RANK == SIZE - 1 else values[RANK]).tolist())
    tensor = value(RANK, 4).double()
    dist.all_reduce(tensor, dist.ReduceOp.AVG)
    same("AVG", tensor.tolist(), (sum(v.double() for v in everyone(4)) / SIZE).tolist())
    tensor = value(RANK, 3, 4).float().t()  # not in the order of its memory
    dist.all_reduce(tensor)
    same("transposed", tensor.tolist(), sum(everyone(3, 4)).float().t().tolist())
    leaf = dv.ones(2, requires_grad=True)
    dist.all_reduce(leaf.grad if leaf.grad is not None else leaf.detach())
    same("detached", leaf.tolist(), [SIZE, SIZE])
    for shape in ((), (0,), (1 << 18,)):
        tensor = dv.ones(shape)
        dist.all_reduce(tensor)
        same(f"shape {shape}", float(tensor.sum()), float(SIZE * tensor.numel()))
    works = [(t := dv.full((5,), float(i)), dist.all_reduce(t, async_op=True)) for i in range(8)]
    for i, (t, work) in sorted(enumerate(works), reverse=RANK % 2 == 0):  # waited for in another order on every other rank
        same("async", work.wait() and t.tolist(), [float(i * SIZE)] * 5)
        same("completed", work.is_completed(), True)


def parts() -> None:
    for kind, dtype in TYPES.items():
        values = [v.to(dtype) for v in everyone(2, 3)]
        mine, lists = values[RANK].clone(), [v.tolist() for v in values]
        tensor = mine.clone()
        dist.broadcast(tensor, SIZE - 1)
        same(f"broadcast {kind}", tensor.tolist(), lists[-1])
        got = [dv.zeros(2, 3, dtype=dtype) for _ in range(SIZE)]
        dist.all_gather(got, mine)
        same(f"all_gather {kind}", [t.tolist() for t in got], lists)
        whole = dv.zeros(2 * SIZE, 3, dtype=dtype)
        dist.all_gather_into_tensor(whole, mine)
        same(f"all_gather_into_tensor {kind}", whole.tolist(), dv.cat(values).tolist())
        got = [dv.zeros(2, 3, dtype=dtype) for _ in range(SIZE)] if RANK == 0 else None
        dist.gather(mine, got, 0)
        same(f"gather {kind}", got and [t.tolist() for t in got], lists if RANK == 0 else None)
        dist.scatter(tensor, values if RANK == SIZE - 1 else None, SIZE - 1)
        same(f"scatter {kind}", tensor.tolist(), lists[RANK])
        if dtype is not dv.bool:
            rows = [dv.stack([v + 1 for v in everyone(SIZE)]).to(dtype)[:, i] for i in range(SIZE)]
            out = dv.zeros(1, dtype=dtype)
            dist.reduce_scatter_tensor(out, (value(RANK, SIZE) + 1).to(dtype))
            same(f"reduce_scatter_tensor {kind}", out.tolist(), [rows[RANK].sum().tolist()])
            dist.reduce_scatter(out, list((value(RANK, SIZE) + 1).to(dtype).reshape(SIZE, 1)))
            same(f"reduce_scatter {kind}", out.tolist(), [rows[RANK].sum().tolist()])
        got = [dv.zeros(2, 3, dtype=dtype) for _ in range(SIZE)]
        dist.all_to_all(got, [v.clone() for v in values])
        same(f"all_to_all {kind}", [t.tolist() for t in got], [lists[RANK]] * SIZE)
    single = dv.zeros(SIZE, dtype=dv.int64)
    dist.all_to_all_single(single, dv.arange(SIZE) + 10 * RANK)
    same("all_to_all_single", single.tolist(), [10 * r + RANK for r in range(SIZE)])
    sent, room = [r + 1 for r in range(SIZE)], [RANK + 1] * SIZE
    single = dv.zeros(sum(room), dtype=dv.int64)
    dist.all_to_all_single(single, dv.full((sum(sent),), RANK), room, sent)
    same("all_to_all_single with sizes", single.tolist(), [r for r in range(SIZE) for _ in range(RANK + 1)])
    dist.barrier()
    dist.monitored_barrier()
    time.sleep(0.7 * (RANK == SIZE - 1))
    if RANK < SIZE - 1:  # gives up before the last rank comes, who finds the barrier as it was
        what = f"rank {RANK} waited 0 s for the others of {list(range(SIZE))}"
        said("a barrier that takes too long", lambda: dist.barrier(timeout=timedelta(seconds=0.4)), what)
    else:
        dist.barrier()
    dist.barrier()


def objects_and_messages() -> None:
    got = [None] * SIZE
    dist.all_gather_object(got, {"rank": RANK, "t": dv.full((2,), RANK), "s": ("a", {1, 2})})
    same("all_gather_object", [(o["rank"], o["t"].tolist(), o["s"]) for o in got], [(r, [r, r], ("a", {1, 2})) for r in range(SIZE)])
    some = ["x" * 1000, RANK] if RANK == 0 else [None, None]
    dist.broadcast_object_list(some, 0)
    same("broadcast_object_list", some, ["x" * 1000, 0])
    out = [None]
    dist.scatter_object_list(out, [f"for {r}" for r in range(SIZE)] if RANK == 0 else None, 0)
    same("scatter_object_list", out, [f"for {RANK}"])
    got = [None] * SIZE if RANK == SIZE - 1 else None
    dist.gather_object(RANK, got, SIZE - 1)
    same("gather_object", got, list(range(SIZE)) if RANK == SIZE - 1 else None)
    try:
        dist.all_gather_object([None] * SIZE, object())
    except TypeError as error:
        same("an object", str(error).split("; ")[0], "all_gather_object: cannot save value of type builtins.object")
    after, before = (RANK + 1) % SIZE, (RANK - 1) % SIZE
    tensor = dv.zeros(3)
    works = dist.batch_isend_irecv([dist.P2POp(dist.isend, dv.full((3,), float(RANK)), after), dist.P2POp(dist.irecv, tensor, before)])
    for work in works:
        work.wait()
    same("ring", tensor.tolist(), [float(before)] * 3)
    if RANK == 0:
        dist.send(dv.full((1 << 17,), 7.0), 1, tag=3)
        dist.send_object_list([{"a": 1}], 1)
    elif RANK == 1:
        big, some = dv.zeros(1 << 17), [None]
        same("recv", (dist.recv(big, tag=3), float(big.mean())), (0, 7.0))
        same("recv_object_list", (dist.recv_object_list(some, 0), some), (0, [{"a": 1}]))
    if RANK == 0:
        dist.send(dv.ones(3), 1)
    elif RANK == 1:
        try:
            dist.recv(dv.ones(2), 0)
            same("a receipt of another size", "nothing", "an error")
        except RuntimeError as error:
            same("sizes", "12 bytes came from rank 0, and float32 (2,) has 8" in str(error), True)
    if RANK == 0:
        for number in range(4):
            dist.send(dv.full((2,), float(number)), 1)
    elif RANK == 1:
        tensors = [dv.zeros(2) for _ in range(4)]
        works = [dist.irecv(t, None if i == 2 else 0) for i, t in enumerate(tensors)]
        for work in reversed(works):  # who asked first gets the first message, whoever is waited for first
            work.wait()
        same("receipts in the order of asking", [float(t[0]) for t in tensors], [0.0, 1.0, 2.0, 3.0])


def an_unfinished_collective_before_gradients() -> None:
    """Ranks that look at a collective under way and ranks that do not begin all that follows in the same order."""
    tensor = dv.full((4,), float(RANK))
    work = dist.all_reduce(tensor, async_op=True)
    end = time.monotonic() + 0.2
    while RANK == 0 and time.monotonic() < end:
        work.is_completed()
    model = dv.nn.parallel.DistributedDataParallel(dv.nn.Linear(4, 1, bias=False), init_sync=False)
    model(dv.full((1, 4), float(RANK))).sum().backward()
    work.wait()
    total = float(sum(range(SIZE)))
    same("a collective that gradients overtake", (tensor.tolist(), model.module.weight.grad.tolist()), ([total] * 4, [[total / SIZE] * 4]))


def groups() -> None:
    pair = dist.new_group([0, SIZE - 1])
    inside = RANK in (0, SIZE - 1)
    tensor = dv.full((2,), float(RANK))
    dist.all_reduce(tensor, group=pair)
    same("in a group", tensor.tolist(), [float(SIZE - 1 if inside else RANK)] * 2)
    same("rank in a group", dist.get_rank(pair), {0: 0, SIZE - 1: 1}.get(RANK, -1))
    if inside:
        tensor = dv.full((2,), float(RANK))
        dist.broadcast(tensor, SIZE - 1, group=pair)
        same("broadcast in a group", tensor.tolist(), [SIZE - 1.0] * 2)
        same(
            "ranks",
            (dist.get_process_group_ranks(pair), dist.get_group_rank(pair, SIZE - 1), dist.get_global_rank(pair, 1)),
            ([0, SIZE - 1], 1, SIZE - 1),
        )
        dist.destroy_process_group(pair)


def said(what: str, call: object, *expected: str) -> None:
    """The call is refused on this rank, and the error says all that."""
    try:
        call()
        same(what, "nothing", "an error")
    except RuntimeError as error:
        same(what, [text for text in expected if text not in str(error)], [])


def differences() -> None:
    """What ranks are asked for is not the same: all of them say so, and go on."""
    last = SIZE - 1
    odd = last == RANK
    said("shapes", lambda: dist.all_reduce(dv.ones(2 + odd)), "float32 (2,)", f"rank {last}: all_reduce(SUM, float32 (3,))")
    said(
        "types", lambda: dist.broadcast(dv.ones(2).to(dv.float64 if odd else dv.int32), 0), "int32 (2,)", f"rank {last}: broadcast(float64"
    )
    said("roots", lambda: dist.broadcast(dv.ones(2), int(odd)), f"rank {last}: broadcast(float32 (2,) from rank 1)")
    said(
        "skipped", dist.barrier if odd else lambda: dist.all_reduce(dv.ones(1)), f"rank {last}: barrier()", "all_reduce(SUM, float32 (1,))"
    )
    model = dv.nn.Sequential(dv.nn.Linear(2, 3), dv.nn.Linear(3, 1 + odd))
    what = f"the models differ: rank 0 has 1.weight (1, 3) of dovetail.float32 where rank {last} has 1.weight (2, 3)"
    said("models", lambda: dv.nn.parallel.DistributedDataParallel(model), what)
    dist.barrier()


reductions()
parts()
differences()
an_unfinished_collective_before_gradients()
objects_and_messages()
groups()
dist.destroy_process_group()
handles = []
for _ in range(6):  # again and again, and by the other name
    dist.init_process_group("gloo")
    dist.new_group([0])
    handles.append(dist.group.WORLD.comm.py2f())
    dist.destroy_process_group()
same("communicators are given back", max(handles) < min(handles) + 10, True)  # else each round has four more
dist.init_process_group("gloo")
same("again", (dist.get_backend(), dist.get_world_size(), dist.is_initialized()), ("gloo", SIZE, True))
tensor = dv.ones(1)
dist.all_reduce(tensor)
same("after it was made again", tensor.tolist(), [SIZE])
dist.destroy_process_group()
print("REPORT " + json.dumps({"rank": RANK, "tried": tried, "wrong": wrong}), flush=True)
