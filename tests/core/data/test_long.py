"""Many steps of training from a loader: memory, files and threads stay, and nothing is left to the collector of cycles."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.data import DataLoader, Dataset
from tests.support.figures import note

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Digits(Dataset):
    def __len__(self):
        return 4000

    def __getitem__(self, index):
        return dv.rand(64), index % 10


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


@pytest.mark.parametrize("steps", [1500, pytest.param(20_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("persistent", [False, True])
def test_training_for_long(steps, persistent):
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = dv.optim.SGD(net.parameters(), lr=0.01)
    loader = DataLoader(Digits(), 16, shuffle=True, num_workers=2, persistent_workers=persistent)
    done, seen = 0, []
    while done < steps:
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
            done += 1
        seen.append((done, resident(), len(os.listdir("/proc/self/fd")), threading.active_count()))
    gc.collect()
    gc.disable()
    try:
        for x, y in loader:
            nn.functional.cross_entropy(net(x), y).backward()
        del x, y
        before = sum(type(o) is dv.Tensor for o in gc.get_objects())
        gc.collect()
        cyclic = before - sum(type(o) is dv.Tensor for o in gc.get_objects())
    finally:
        gc.enable()
    (first, m0, *rest0), (last, m1, *rest1) = seen[len(seen) // 3], seen[-1]
    slope = (m1 - m0) / (last - first) * 1000
    note("R14", f"{steps} steps, persistent={persistent}: MB a 1,000 steps", round(slope, 3), "1")
    note("R14", f"{steps} steps, persistent={persistent}: tensors that only the collector frees", cyclic, "0")
    assert slope <= 1 and rest0 == rest1 and cyclic == 0
