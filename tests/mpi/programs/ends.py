"""A job that ends as its argument says: well, or because rank 1 is killed, fails, leaves, skips a collective, or has another model."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta

import dovetail as dv
from dovetail import distributed as dist
from dovetail.nn.parallel import DistributedDataParallel

HOW = sys.argv[1]
dist.init_process_group(timeout=timedelta(seconds=4) if HOW == "sleeps" else None)
RANK = dist.get_rank()
place = " ".join(os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "OMP_NUM_THREADS"))
print(f"rank {RANK}: {place} began", flush=True)
dist.barrier()
print(f"AT {time.time()}" if HOW != "well" else "", flush=True)
again = os.environ.get("DOVETAIL_RESTART", "0") != "0"
if RANK == 1 and not again:
    if HOW == "killed":
        os.kill(os.getpid(), 9)
    if HOW == "fails":
        raise ValueError("the data are gone")
    if HOW == "exits":
        sys.exit(3)
    if HOW == "leaves":
        sys.exit()
    if HOW == "skips":
        dist.barrier()
if HOW == "sleeps" and RANK == 1:
    time.sleep(60)
if HOW == "evaluates":
    model = DistributedDataParallel(dv.nn.Sequential(dv.nn.Linear(2, 3), dv.nn.BatchNorm1d(3))).eval()
    if RANK == 0:  # alone, and the model gives its buffers to all before each forward
        model(dv.ones(1, 2))
if HOW == "shape":
    dist.all_reduce(dv.ones(2 + RANK))
if HOW == "model":
    DistributedDataParallel(dv.nn.Sequential(dv.nn.Linear(2, 3), dv.nn.Linear(3, 1 + RANK)))
dist.all_reduce(dv.ones(2))
print(f"rank {RANK} ended", flush=True)
