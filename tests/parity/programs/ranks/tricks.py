"""no_sync with accumulation, unused parameters, GradScaler/autocast, clip, join, EMA, ZeRO, static graph, state dict with module."""

import contextlib
import sys

import torch
import torch.distributed as dist
import torch.nn as nn
from torch.distributed.algorithms.join import Join
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel as DDP

dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()


def show(*what):
    sys.stdout.write(" ".join(map(str, (f"r{rank}", *what))) + "\n")
    sys.stdout.flush()


def rounded(model):
    return [round(p.detach().double().sum().item(), 4) for p in model.parameters()]


torch.manual_seed(rank)
model = DDP(
    nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)),
    find_unused_parameters=True,
    bucket_cap_mb=1,
    gradient_as_bucket_view=True,
    broadcast_buffers=False,
)
show(rounded(model), model.device_ids, model.module.__class__.__name__)
opt = torch.optim.AdamW(model.parameters(), lr=0.01)
g = torch.Generator().manual_seed(rank + 5)
for step in range(6):
    x = torch.randn(3, 4, generator=g)
    sync = (step + 1) % 2 == 0
    with contextlib.nullcontext() if sync else model.no_sync():
        loss = model(x).pow(2).mean() / 2
        loss.backward()
    if sync:
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        show("norm", round(norm.item(), 4))
        opt.step()
        opt.zero_grad(set_to_none=True)
show(rounded(model))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x, which):
        return self.a(x) if which else self.b(x)


torch.manual_seed(0)
two = DDP(Two(), find_unused_parameters=True)
two(torch.ones(1, 2), rank).sum().backward()
show([None if p.grad is None else p.grad.sum().item() for p in two.parameters()])
torch.manual_seed(0)
strict = DDP(Two())
try:
    for _ in range(2):
        strict(torch.ones(1, 2), True).sum().backward()
    show("no error")
except RuntimeError as e:
    show("RuntimeError", "Expected to have finished reduction" in str(e))
try:
    DDP(nn.ReLU())
except RuntimeError as e:
    show("RuntimeError", "any parameter" in str(e))
torch.manual_seed(0)
zero = DDP(nn.Linear(6, 6))
z = ZeroRedundancyOptimizer(zero.parameters(), optimizer_class=torch.optim.Adam, lr=0.01)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(z, T_max=4)
for step in range(4):
    z.zero_grad()
    zero(torch.full((2, 6), float(rank + step))).sum().backward()
    z.step()
    sched.step()
show(rounded(zero), round(z.param_groups[0]["lr"], 5))
z.consolidate_state_dict(to=0)
if rank == 0:
    show(sorted(z.state_dict()["state"][0]), len(z.state_dict()["param_groups"]))
torch.manual_seed(0)
bn = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)))
show(type(bn[1]).__name__)
bnd = DDP(nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4)))
for i in range(2):
    bnd(torch.randn(5, 2, generator=g)).sum().backward()
show(round(bnd.module[1].running_mean.sum().item(), 4))
uneven = DDP(nn.Linear(1, 1))
inputs = [torch.tensor([1.0]) for _ in range(3 + rank)]
with uneven.join():
    for inp in inputs:
        uneven(inp).sum().backward()
show("joined", uneven.module.weight.grad.tolist())
for weighs in (True, False):  # with buffers, steps, and ranks of other lengths, by the path of a general join
    torch.manual_seed(0)
    joined = DDP(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)))
    opt = torch.optim.SGD(joined.parameters(), lr=0.1)
    with Join([joined], divide_by_initial_world_size=weighs):
        for k in range(5 - 2 * rank):
            opt.zero_grad()
            joined(torch.full((4, 2), 0.1 * k + rank) + torch.eye(4)[:, :2]).pow(2).sum().backward()
            opt.step()
    show("all have", rounded(joined), round(joined.module[1].running_mean.sum().item(), 4))
try:
    with uneven.join(throw_on_early_termination=True):
        for inp in inputs:
            uneven(inp).sum().backward()
except RuntimeError as e:
    show("RuntimeError", "exhausted inputs" in str(e))
state = {k.replace("module.", ""): v for k, v in uneven.state_dict().items()}
show(nn.Linear(1, 1).load_state_dict(state))
if rank == 0:
    torch.save(uneven.state_dict(), "tricks.pt")
dist.barrier()
uneven.load_state_dict(torch.load("tricks.pt", map_location={"cuda:0": f"cuda:{rank}"}))
static = DDP(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), static_graph=True)
for _ in range(3):
    static(torch.ones(1, 2)).sum().backward()
ddp = DDP(nn.Linear(3, 3))
opt = torch.optim.SGD(ddp.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", enabled=True)
for _ in range(2):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = ddp(torch.ones(2, 3) * (rank + 1)).float().pow(2).mean()
    scaler.scale(out).backward()
    scaler.unscale_(opt)
    scaler.step(opt)
    scaler.update()
    opt.zero_grad()
show("amp ok", len(list(ddp.named_parameters())), [n for n, _ in ddp.named_parameters()])
show(repr(ddp).split("(")[0], ddp.training, hasattr(ddp, "module"))
dist.destroy_process_group()
