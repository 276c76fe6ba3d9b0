"""Collectives and trainings of tensors on GPUs: the stand-in for CuPy, whose NCCL meets in a folder. Reports what is not as on the CPU."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import dovetail as dv
from dovetail import distributed as dist
from dovetail import nn
from dovetail.distributed.algorithms.join import Join
from dovetail.distributed.optim import ZeroRedundancyOptimizer
from dovetail.nn.parallel import DistributedDataParallel
from tests.support.cupy_standin import install, no_host_copies

sys.setswitchinterval(0.0005)  # the stand-in's NCCL works in a thread, while the program asks whether it is done
installed = install(8)
standin = installed.__enter__()
dist.init_process_group("cpu:mpi,cuda:nccl")
RANK, SIZE = dist.get_rank(), dist.get_world_size()
dv.cuda.set_device(RANK)
TYPES = ("float32", "float64", "int64", "int32", "uint8", "int8", "bool", "float16", "bfloat16", "complex64", "complex128")
wrong: list[str] = []
tried = 0


def same(what: str, found: object, expected: object) -> None:
    global tried
    tried += 1
    if found != expected:
        wrong.append(f"{what}: {found} is not {expected}")


def said(what: str, call: Callable[[], Any], kind: type[Exception], *expected: str) -> None:
    """The call is refused on this rank, and the error says all that."""
    try:
        call()
        same(what, "nothing", "an error")
    except Exception as error:
        same(what, (isinstance(error, kind), [text for text in expected if text not in str(error)]), (True, []))


def value(rank: int, *shape: int) -> dv.Tensor:
    """Small whole numbers, others on each rank, exact in every type."""
    return (dv.arange(int(np.prod(shape))) * (rank + 1) % 5 + rank).reshape(shape)


def here(tensor: dv.Tensor) -> dv.Tensor:
    """A copy on this rank's GPU."""
    return tensor.to("cuda")


def reductions() -> None:
    ways: dict[str, Any] = {"SUM": dv.add, "PRODUCT": dv.mul, "MIN": dv.minimum, "MAX": dv.maximum}
    for kind in TYPES:
        dtype = getattr(dv, kind)
        values = [value(rank, 2, 3).to(dtype) for rank in range(SIZE)]
        for name, way in ways.items():
            if dtype.is_complex and name != "SUM":
                continue
            way = {"SUM": dv.logical_or, "PRODUCT": dv.logical_and}.get(name, way) if dtype is dv.bool else way
            expected = functools.reduce(way, values).tolist()
            op, own = getattr(dist.ReduceOp, name), here(values[RANK])
            with no_host_copies():
                dist.all_reduce(own, op)
            same(f"all_reduce {name} {kind}", own.tolist(), expected)
            own = here(values[RANK])
            dist.reduce(own, SIZE - 1, op)
            same(f"reduce {name} {kind}", own.tolist(), expected if RANK == SIZE - 1 else values[RANK].tolist())
    own = here(value(RANK, 4).double())
    dist.all_reduce(own, dist.ReduceOp.AVG)
    same("AVG", own.tolist(), (sum(value(r, 4).double() for r in range(SIZE)) / SIZE).tolist())
    own = here(value(RANK, 3, 4).float()).t()  # not in the order of its memory
    dist.all_reduce(own)
    same("transposed", own.tolist(), sum(value(r, 3, 4) for r in range(SIZE)).float().t().tolist())
    for shape in ((), (0,), (1 << 16,)):
        own = dv.ones(shape, device="cuda")
        dist.all_reduce(own)
        same(f"shape {shape}", float(own.sum()), float(SIZE * own.numel()))
    works = [(t := dv.full((5,), float(i), device="cuda"), dist.all_reduce(t, async_op=True)) for i in range(8)]
    for i, (t, work) in sorted(enumerate(works), reverse=RANK % 2 == 0):  # waited for in another order on every other rank
        same("async", work.wait() and t.tolist(), [float(i * SIZE)] * 5)


def parts() -> None:
    for kind in TYPES:
        dtype = getattr(dv, kind)
        values = [value(rank, 2, 3).to(dtype) for rank in range(SIZE)]
        mine, lists = here(values[RANK]), [v.tolist() for v in values]
        own, got = mine.clone(), [dv.zeros(2, 3, dtype=dtype, device="cuda") for _ in range(SIZE)]
        whole = dv.zeros(2 * SIZE, 3, dtype=dtype, device="cuda")
        with no_host_copies():
            dist.broadcast(own, SIZE - 1)
            dist.all_gather(got, mine)
            dist.all_gather_into_tensor(whole, mine)
        same(f"broadcast {kind}", own.tolist(), lists[-1])
        same(f"all_gather {kind}", [t.tolist() for t in got], lists)
        same(f"all_gather_into_tensor {kind}", whole.tolist(), dv.cat(values).tolist())
        if dtype is not dv.bool:
            rows = [dv.stack([value(r, SIZE) + 1 for r in range(SIZE)]).to(dtype)[:, i] for i in range(SIZE)]
            out, given = dv.zeros(1, dtype=dtype, device="cuda"), here((value(RANK, SIZE) + 1).to(dtype))
            with no_host_copies():
                dist.reduce_scatter_tensor(out, given)
            same(f"reduce_scatter_tensor {kind}", out.tolist(), [rows[RANK].sum().tolist()])
            dist.reduce_scatter(out, list(given.reshape(SIZE, 1)))
            same(f"reduce_scatter {kind}", out.tolist(), [rows[RANK].sum().tolist()])
        got = [dv.zeros(2, 3, dtype=dtype, device="cuda") for _ in range(SIZE)]
        with no_host_copies():
            dist.all_to_all(got, [here(v) for v in values])
        same(f"all_to_all {kind}", [t.tolist() for t in got], [lists[RANK]] * SIZE)
        got = [dv.zeros(2, 3, dtype=dtype, device="cuda") for _ in range(SIZE)] if RANK == 0 else None
        dist.gather(mine, got, 0)  # by the host
        same(f"gather {kind}", got and [t.tolist() for t in got], lists if RANK == 0 else None)
    sent, room = [r + 1 for r in range(SIZE)], [RANK + 1] * SIZE
    single = dv.zeros(sum(room), 2, dtype=dv.int64, device="cuda").t().contiguous().t()
    dist.all_to_all_single(single, dv.full((sum(sent), 2), RANK, device="cuda"), room, sent)
    same("all_to_all_single with sizes", single.tolist(), [[r, r] for r in range(SIZE) for _ in range(RANK + 1)])
    after, before = (RANK + 1) % SIZE, (RANK - 1) % SIZE
    tensor = dv.zeros(3, device="cuda")
    ring = [dist.P2POp(dist.isend, dv.full((3,), float(RANK), device="cuda"), after), dist.P2POp(dist.irecv, tensor, before)]
    for work in dist.batch_isend_irecv(ring):
        work.wait()
    same("ring", tensor.tolist(), [float(before)] * 3)


def refusals() -> None:
    one, op = dv.ones(2, device="cuda"), dist.ReduceOp
    only, host = dist.new_group(backend="nccl"), dist.new_group(backend="mpi")
    same("backends", [dist.get_backend(g) for g in (None, only, host)], ["cpu:mpi,cuda:nccl", "nccl", "mpi"])
    for call in (dist.all_reduce, dist.broadcast, dist.isend, dist.gather):
        said("of the CPU", lambda call=call: call(dv.ones(2), group=only), RuntimeError, "No backend type associated with device type cpu")
    said("no GPU", lambda: dist.all_reduce(dv.ones(2, device="meta")), RuntimeError, "No backend type associated with device type meta")
    dist.barrier(only)
    some: list[Any] = [{"a": 1}] if RANK == 0 else [None]
    dist.broadcast_object_list(some, 0, group=only)
    same("objects", some, [{"a": 1}])
    if RANK < 2:
        dist.send_object_list([7], 1, group=only) if RANK == 0 else dist.recv_object_list(some, 0, group=only)
    same("sent objects", some, [7] if RANK == 1 else [{"a": 1}])
    whole = dv.ones(2, device="cuda")
    dist.all_reduce(whole, group=host)
    same("through the host", whole.tolist(), [float(SIZE)] * 2)
    bits = dv.ones(2, dtype=dv.int32, device="cuda")
    said("BAND", lambda: dist.all_reduce(bits, op.BAND), ValueError, "Cannot use ReduceOp.BAND with NCCL")
    said("PREMUL_SUM", lambda: dist.all_reduce(one, op.PREMUL_SUM), RuntimeError, "Cannot use ReduceOp.PREMUL_SUM")
    said("AVG", lambda: dist.all_reduce(bits.bool(), op.AVG), TypeError, "Cannot use ReduceOp.AVG with boolean inputs")
    said("MAX", lambda: dist.all_reduce(one.to(dv.complex64), op.PRODUCT), ValueError, "does not support ReduceOp.PRODUCT on complex")
    said("int16", lambda: dist.all_reduce(bits.to(dv.int16)), TypeError, "data type is not supported for NCCL process group: int16")
    both = "Tensors must be on one GPU, got cuda:"
    said("two places", lambda: dist.all_gather_into_tensor(dv.ones(2 * SIZE), one), ValueError, both)
    odd = RANK == SIZE - 1
    differ = "the ranks were asked for different things", "all_reduce(SUM, float32 (2,)) by NCCL", "all_reduce(SUM, float32 (3,)) by NCCL"
    said("shapes", lambda: dist.all_reduce(dv.ones(2 + odd, device="cuda")), RuntimeError, *differ)
    said("places", lambda: dist.all_reduce(dv.ones(2, device="cpu" if odd else "cuda")), RuntimeError, differ[0], differ[1])
    pair = dist.new_group([0, 1])
    if RANK < 2:
        shared = dv.ones(2, device="cuda:0")
        where = f"ranks 0 and 1 are on one GPU (cuda:0 of {__import__('socket').gethostname()}); expected one GPU for each rank"
        said("one GPU", lambda: dist.all_reduce(shared, group=pair), RuntimeError, where, 'cuda.set_device(int(os.environ["LOCAL_RANK"]))')
        dist.all_reduce(one, group=pair)  # each on its own
        same("in a pair", one.tolist(), [2.0, 2.0])


def apart(one: nn.Module, other: nn.Module) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.cpu() - b.cpu()).abs().max() / b.cpu().abs().max()) for a, b in pairs)


def network(*, norm: bool = True) -> nn.Module:
    dv.manual_seed(0)
    middle = nn.BatchNorm1d(8) if norm else nn.Identity()
    return nn.Sequential(nn.Linear(6, 8), middle, nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)).double()


def training(found: dict[str, Any]) -> None:
    """On the GPUs of all ranks as on the CPU in one process; ZeRO is the plain optimizer; ranks with other numbers of batches."""
    one = network()
    many = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(one)).to("cuda")
    many = DistributedDataParallel(many, device_ids=[RANK], bucket_cap_mb=0.0005)
    views = DistributedDataParallel(network(norm=False).to("cuda"), gradient_as_bucket_view=True)
    divided = ZeroRedundancyOptimizer(views.parameters(), dv.optim.AdamW, lr=0.01)
    plain = network(norm=False)
    optimizers = [dv.optim.SGD(m.parameters(), lr=0.05, momentum=0.9) for m in (many, one)]
    optimizers += [divided, dv.optim.AdamW(plain.parameters(), lr=0.01)]
    numbers = dv.Generator().manual_seed(5)
    for _ in range(6):
        x = dv.randn(2 * SIZE, 6, generator=numbers).double()
        y = x.sum(1, keepdim=True).sin()
        for model, optimizer in zip((many, one, views, plain), optimizers, strict=True):
            optimizer.zero_grad()
            mine = [t[RANK::SIZE].to("cuda") if model in (many, views) else t for t in (x, y)]
            loss = nn.functional.mse_loss(model(mine[0]), mine[1])
            with no_host_copies() if model is views else contextlib.nullcontext():  # the buckets lie on the GPU
                loss.backward()
            optimizer.step()
    found["buckets"], found["on the GPU"] = len(many.reducer.buckets), str(many.reducer.buckets[0].flat.device)
    found["apart"], found["zero"] = apart(many.module, one), apart(views.module, plain)
    base = network(norm=False)
    joined = DistributedDataParallel(copy.deepcopy(base).to("cuda"), gradient_as_bucket_view=True)
    a, b = dv.optim.Adam(base.parameters(), lr=0.01), ZeroRedundancyOptimizer(joined.parameters(), dv.optim.Adam, lr=0.01)
    with Join([joined, b]):
        for _ in range(2 + RANK):
            b.zero_grad()
            nn.functional.mse_loss(joined(here(x + RANK)), here(y)).backward()
            b.step()
    for step in range(1 + SIZE):
        a.zero_grad()
        for rank in range(SIZE):
            if step < 2 + rank:
                (nn.functional.mse_loss(base(x + rank), y) / SIZE).backward()
        a.step()
    found["joined"] = apart(joined.module, base)
    model = network().to("cuda" if RANK else "cpu")
    said("a model on the CPU", lambda: DistributedDataParallel(model), RuntimeError, "the models differ: rank 0 has 0.weight", "by NCCL")
    host = DistributedDataParallel(network().to("cuda"), process_group=dist.new_group(backend="mpi"))
    host(here(x)).sum().backward()
    found["through the host"] = str(host.module[0].weight.grad.device)


def leaves() -> None:
    """Rank 1 goes while NCCL waits for it: the others say so, and end NCCL's calls."""
    tensor = dv.ones(2, device="cuda")
    dist.all_reduce(tensor)
    link = dist.group.WORLD.links[RANK]
    if RANK == 1:
        sys.exit()
    landing = link.all_reduce(tensor, "SUM")  # which rank 1 has no part in, as after an error between the comparison and the data
    work = dist.Work(dist.group.WORLD, "all_reduce(by hand)", lambda: [landing], checked=False)
    said("left", work.wait, RuntimeError, f"rank {RANK} waits for rank 1, which has ended after")
    said("after it", lambda: link.all_reduce(tensor, "SUM"), RuntimeError, "NCCL: the communicator was ended before", "make the process")


report: dict[str, Any] = {"rank": RANK}
for case in (reductions, parts, refusals):
    case()
training(report)
links = [*dist.group.WORLD.links.values()]
dist.destroy_process_group()
report["ended"] = [link.ended for link in links]
dist.init_process_group("cuda:nccl,cpu:gloo")
print("REPORT " + json.dumps({**report, "tried": tried, "wrong": wrong}), flush=True)
tried, wrong = 0, []
leaves()
print("REPORT " + json.dumps({"rank": RANK, "tried at the end": tried, "wrong": wrong}), flush=True)
