"""``later.py FOLDER``: checkpoints in the background, the last rank slow to write; it is killed while it writes the second."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import dovetail as dv
from dovetail import distributed as dist
from dovetail.distributed import checkpoint
from dovetail_mpi import shards

FOLDER = Path(sys.argv[1])
dist.init_process_group()
RANK, SIZE, AGAIN = dist.get_rank(), dist.get_world_size(), os.environ.get("DOVETAIL_RESTART", "0") != "0"
LAST = RANK == SIZE - 1
write, may = shards.write, threading.Event()


def slowly(*arguments: Any) -> None:
    """Write a part as a slow disk would, or until a kill, which leaves half of a file."""
    if LAST:
        may.wait(60)
        if (FOLDER / "state.json").exists() and not AGAIN:
            time.sleep(0.7)  # the others have written theirs
            (FOLDER / f"state.dead-{RANK}-of-{SIZE}.dvt").write_bytes(b"half")
            os.kill(os.getpid(), 9)
    write(*arguments)


shards.write = slowly
report: dict[str, Any] = {"rank": RANK, "again": AGAIN}
weights = {f"w{i}": dv.full((1000,), float(i)) for i in range(2 * SIZE)}
if AGAIN:
    empty: dict[str, Any] = {name: dv.zeros(1000) for name in weights} | {"step": 0}
    checkpoint.load(empty, checkpoint_id=FOLDER)
    report["found"] = [empty["step"], *(float(empty[name][-1]) for name in weights)]
    dist.barrier()
for step in (1, 2):
    may.clear()
    future = checkpoint.async_save({**weights, "step": step}, checkpoint_id=FOLDER)
    for tensor in weights.values():
        tensor.add_(100)  # what is saved is of the moment of the call
    dist.barrier()
    report["committed at once"] = future.done() and RANK in (0, SIZE - 1)
    report["manifest at once"] = step == 1 and not AGAIN and (FOLDER / "state.json").exists()
    dist.barrier()
    may.set()
    future.result(60)
    report["manifest when done"] = RANK != 0 or (FOLDER / "state.json").exists()
    dist.barrier()
    if step == 1:
        print("REPORT " + json.dumps(report), flush=True)
read: dict[str, Any] = {name: dv.zeros(1000) for name in weights} | {"step": 0}
checkpoint.load(read, checkpoint_id=FOLDER)
report["read"] = [read["step"], *(float(read[name][-1]) for name in weights)]
report["files"] = sorted(path.name.rpartition(".")[2] for path in FOLDER.iterdir())
print("REPORT " + json.dumps({**report, "end": True}), flush=True)
