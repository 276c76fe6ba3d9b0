"""``resuming.py FOLDER KILLS SEED STEPS``: a training that is killed at random moments and started again; before it one that is not."""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from pathlib import Path

import dovetail as dv
from dovetail import distributed as dist
from dovetail import nn
from dovetail.distributed.checkpoint import ShardedCheckpointer
from dovetail.distributed.optim import ZeroRedundancyOptimizer
from dovetail.nn.parallel import DistributedDataParallel

FOLDER, KILLS, SEED, STEPS = Path(sys.argv[1]), *map(int, sys.argv[2:5])
dist.init_process_group()
RANK, SIZE, START = dist.get_rank(), dist.get_world_size(), int(os.environ.get("DOVETAIL_RESTART", "0"))


def train(folder: Path, kills: int) -> None:
    dv.manual_seed(RANK)
    model = DistributedDataParallel(nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 1)))
    optimizer = ZeroRedundancyOptimizer(model.parameters(), dv.optim.AdamW, lr=0.01)
    checkpoints = ShardedCheckpointer(folder / "checkpoints", keep=2)
    found = checkpoints.restore({"model": model.module, "optimizer": optimizer})
    begun = 0 if found is None else found["step"]
    log = folder / "log"
    complete = int(log.read_text().split()[-1]) if log.exists() and log.read_text() else 0
    assert begun >= complete, f"step {complete} was complete, and {begun} was found"
    dist.barrier()
    if kills > START:
        draw = random.Random(1000 * SEED + START)
        victim, moment = draw.randrange(SIZE), draw.random() * 0.4
        if victim == RANK:
            threading.Thread(target=lambda: (time.sleep(moment), os.kill(os.getpid(), 9)), daemon=True).start()
    step = begun
    while step < STEPS or (kills > START and step < STEPS * 50 and not time.sleep(0)):
        if step < STEPS:
            x = dv.randn(4, 32)
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), x.sum(1, keepdim=True)).backward()
            optimizer.step()
            step += 1
            checkpoints.save({"model": model.module, "optimizer": optimizer}, step=step)
            if RANK == 0 and step > 1:
                with open(log, "a", encoding="utf-8") as file:
                    file.write(f"{step - 1}\n")
        else:
            time.sleep(0.01)  # all is done: the kill is still to come
    checkpoints.wait()
    dist.barrier()
    left = sorted(path.name.partition(".")[0] for path in (folder / "checkpoints").iterdir())
    numbers = [round(float(p.double().sum()), 17) for p in model.parameters()]
    report = {"rank": RANK, "begun": begun, "numbers": numbers, "draw": float(dv.rand(1)), "left": left, "kills": kills}
    print("REPORT " + json.dumps(report), flush=True)


if KILLS and not START:
    train(FOLDER / "calm", 0)
train(FOLDER, KILLS)
