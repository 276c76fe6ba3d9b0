"""As the tutorial on distributed applications: point to point, groups, collectives, objects."""

import os
import sys

import torch
import torch.distributed as dist


def show(*what):
    sys.stdout.write(" ".join(map(str, (f"r{dist.get_rank()}", *what))) + "\n")
    sys.stdout.flush()


dist.init_process_group("gloo", rank=int(os.environ["RANK"]), world_size=int(os.environ["WORLD_SIZE"]))
rank, size = dist.get_rank(), dist.get_world_size()
show(dist.is_initialized(), dist.get_backend(), dist.group.WORLD is not None, dist.is_torchelastic_launched() in (True, False))
tensor = torch.zeros(1)
if rank == 0:
    tensor += 1
    dist.send(tensor=tensor, dst=1)
else:
    dist.recv(tensor=tensor, src=0)
show("sent", tensor[0].item())
if rank == 0:
    req = dist.isend(tensor=tensor * 5, dst=1)
else:
    req = dist.irecv(tensor=tensor, src=0)
req.wait()
show("isent", tensor)
group = dist.new_group([0, 1])
t = torch.ones(2, 2) * (rank + 1)
dist.all_reduce(t, op=dist.ReduceOp.SUM, group=group)
show(t)
for op in (dist.ReduceOp.PRODUCT, dist.ReduceOp.MAX, dist.ReduceOp.MIN):
    t = torch.tensor([1.0 + rank, 5.0 - rank])
    dist.all_reduce(t, op=op)
    show(op == dist.ReduceOp.MAX, t)
for op in (dist.ReduceOp.BAND, dist.ReduceOp.BOR, dist.ReduceOp.BXOR):
    t = torch.tensor([1 + rank, 6 + rank])
    dist.all_reduce(t, op=op)
    show(t)
t = torch.tensor([1.0 + rank])
dist.reduce(t, dst=0, op=dist.ReduceOp.SUM)
if rank == 0:
    show("reduce", t)
t = torch.arange(3) + rank
out = [torch.empty(3, dtype=torch.int64) for _ in range(size)]
dist.all_gather(out, t)
show(out)
whole = torch.empty(6, dtype=torch.int64)
dist.all_gather_into_tensor(whole, t)
show(whole)
dist.gather(t, gather_list=out if rank == 0 else None, dst=0)
show("gather", out if rank == 0 else None)
got = torch.empty(3)
dist.scatter(got, scatter_list=[torch.full((3,), float(i)) for i in range(size)] if rank == 0 else [], src=0)
show("scatter", got)
dist.broadcast(got, src=1)
show(got)
objs = ["foo", 12, {1: 2}] if rank == 0 else [None, None, None]
dist.broadcast_object_list(objs, src=0)
show(objs)
got = [None] * size
dist.all_gather_object(got, {"rank": rank, "v": [rank, "x"], "t": torch.ones(2) * rank})
show(got)
got = [None] * size if rank == 0 else None
dist.gather_object((rank, "a"), got, dst=0)
show(got)
one = [None]
dist.scatter_object_list(one, ["a", "b"] if rank == 0 else [None, None], src=0)
show(one)
ops = [
    dist.P2POp(dist.isend, torch.arange(2.0) + 2 * rank, (rank + 1) % size),
    dist.P2POp(dist.irecv, r := torch.zeros(2), (rank - 1) % size),
]
for req in dist.batch_isend_irecv(ops):
    req.wait()
show("ring", r)
inp, outp = torch.arange(4) + 10 * rank, torch.empty(4, dtype=torch.int64)
dist.all_to_all_single(outp, inp)
show("a2a", outp)
work = dist.all_reduce(t := torch.ones(3) * rank, async_op=True)
work.wait()
show(work.is_completed(), t)
fut = dist.all_reduce(t := torch.ones(3) * rank, async_op=True).get_future()
show(fut.wait()[0] if isinstance(fut.wait(), list) else fut.wait())
dist.monitored_barrier()
dist.barrier()
solo = dist.new_group(ranks=[1], backend="gloo")
show(dist.get_rank(solo), dist.get_world_size(solo), dist.get_process_group_ranks(group))
sub, subs = dist.new_subgroups(group_size=1)
show(dist.get_world_size(sub), len(subs))
for bad in (
    lambda: dist.all_reduce([1]),
    lambda: dist.send(torch.ones(1), dst=rank),
    lambda: dist.new_group([0, 5]),
    lambda: dist.broadcast(torch.ones(1), src=7),
):
    try:
        bad()
        show("no error")
    except Exception as e:
        show([c.__name__ for c in (TypeError, ValueError, RuntimeError) if isinstance(e, c)])
x = torch.ones(2, requires_grad=True)
y = x * (rank + 1)
t = y.detach().clone()
dist.all_reduce(t)
show(t, dist.get_backend(group), dist.get_node_local_rank())
half = torch.full((3,), 0.5 + rank, dtype=torch.bfloat16)
dist.all_reduce(half)
show(half)
from torch.distributed import ReduceOp
from torch.distributed.distributed_c10d import _get_default_group

show(_get_default_group() is dist.group.WORLD)
dist.destroy_process_group(solo) if rank == 1 else None
dist.destroy_process_group()
