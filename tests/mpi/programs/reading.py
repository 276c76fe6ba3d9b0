"""``reading.py FOLDER``: save what there is none of, read it else; reports how many bytes each rank has read, and of how many."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dovetail as dv
from dovetail import distributed as dist
from dovetail import nn
from dovetail.distributed import checkpoint
from dovetail.distributed.checkpoint import ShardedCheckpointer
from dovetail.distributed.optim import ZeroRedundancyOptimizer
from dovetail.nn.parallel import DistributedDataParallel

FOLDER = Path(sys.argv[1])
dist.init_process_group()
RANK, SIZE = dist.get_rank(), dist.get_world_size()


def count() -> int:
    """The bytes that this process has read so far, by the system's own count."""
    return int(Path("/proc/self/io").read_text().split()[1])


def step(model: nn.Module, optimizer: ZeroRedundancyOptimizer) -> list[float]:
    optimizer.zero_grad()
    model(dv.ones(2, 256)).square().sum().backward()
    optimizer.step()
    return numbers(model)


def numbers(model: nn.Module) -> list[float]:
    return [float(p.detach().double().sum()) for p in model.parameters()]


dv.manual_seed(RANK)
network = DistributedDataParallel(nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(6))))
state = ZeroRedundancyOptimizer(network.parameters(), dv.optim.AdamW, lr=1e-3)
writing = not (FOLDER / "dcp").exists()
report = {"rank": RANK, "model": sum(p.numel() * p.element_size() for p in network.parameters())}
dist.barrier()
with ShardedCheckpointer(FOLDER / "run") as checkpoints:
    if writing:
        for _ in range(3):
            step(network, state)
        checkpoints.save({"model": network.module, "optimizer": state}, step=3, local={"seen": nn.Linear(512, 512)}, wait=True)
        checkpoint.save({"model": network.module.state_dict(), "extra": dv.ones(1 << 20)}, checkpoint_id=FOLDER / "dcp")
    else:
        before = count()
        found = checkpoints.restore({"model": network.module, "optimizer": state})
        report["read"], report["own"] = (
            count() - before,
            sum(p.numel() * 8 for i, p in enumerate(network.parameters()) if i in state.places()),
        )
        report["of"] = sum(path.stat().st_size for path in FOLDER.glob("run/*"))
        again = nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(6)))
        before = count()
        checkpoint.load({"model": again.state_dict()}, checkpoint_id=FOLDER / "dcp")
        report["read of dcp"], report["of dcp"] = count() - before, sum(path.stat().st_size for path in FOLDER.glob("dcp/*"))
        report["same"] = all(dv.equal(a, b) for a, b in zip(again.parameters(), network.parameters(), strict=True))
        report["step"] = found["step"]
    dist.barrier()
report["numbers"], report["a step later"] = numbers(network), step(network, state)
print("REPORT " + json.dumps(report), flush=True)
