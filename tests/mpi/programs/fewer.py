"""``fewer.py FOLDER STEPS [KILL]``: a training whose global batches are those of any number of ranks; rank 1 is killed at a step."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import dovetail as dv
from dovetail import distributed as dist
from dovetail import nn
from dovetail.distributed.checkpoint import ShardedCheckpointer
from dovetail.distributed.optim import ZeroRedundancyOptimizer
from dovetail.nn.parallel import DistributedDataParallel

FOLDER, STEPS = Path(sys.argv[1]), int(sys.argv[2])
KILL = int(sys.argv[3]) if len(sys.argv) > 3 else 0
dist.init_process_group()
RANK, SIZE, START = dist.get_rank(), dist.get_world_size(), int(os.environ.get("DOVETAIL_RESTART", "0"))
ROWS = 12  # of all ranks together: as many on 1, 2, 3 and 4

dv.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1)).double())
optimizer = ZeroRedundancyOptimizer(model.parameters(), dv.optim.AdamW, lr=0.01)
log = FOLDER / "log"
with ShardedCheckpointer(FOLDER / "checkpoints") as checkpoints:
    found = checkpoints.restore({"model": model.module, "optimizer": optimizer})
    step = begun = found["step"] if found else 0
    losses = found["losses"] if found else []
    while step < STEPS:
        x = dv.randn(ROWS, 8, generator=dv.Generator().manual_seed(step)).double()
        mine = x[RANK * ROWS // SIZE : (RANK + 1) * ROWS // SIZE]
        optimizer.zero_grad()
        loss = (model(mine) - mine.sum(1, keepdim=True).sin()).square().sum() * SIZE / ROWS
        loss.backward()
        optimizer.step()
        dist.all_reduce(loss := loss.detach() / SIZE)
        step += 1
        losses = [*losses, float(loss)]
        checkpoints.save({"model": model.module, "optimizer": optimizer, "losses": losses}, step=step)
        if RANK == 0:
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{step}\n")
        if step == KILL and RANK == 1 and START == 0:
            os.kill(os.getpid(), 9)
numbers = [float(p.detach().sum()) for p in model.parameters()]
print("REPORT " + json.dumps({"rank": RANK, "ranks": SIZE, "begun": begun, "losses": losses, "numbers": numbers}), flush=True)
