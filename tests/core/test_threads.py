"""How many threads native kernels start where the machine has more cores than the process may use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import dovetail as dv
from dovetail.ops import info


class Files:
    """Stands in for ``Path``: a file system of strings."""

    def __init__(self, files):
        self.files = files

    def __call__(self, path):
        self.path = path
        return self

    def read_text(self):
        if self.path not in self.files:
            raise FileNotFoundError(self.path)
        return self.files[self.path]


@pytest.mark.parametrize(
    ("own", "quota", "threads"),
    [
        ("/", "max 100000\n", 16),
        ("/", "250000 100000\n", 3),
        ("/", "50000 100000\n", 1),
        ("/", "9900000 100000\n", 16),
        ("/user.slice/run.scope", "200000 100000\n", 2),
        ("/", None, 16),
        ("/", "", 16),
        ("/", "0 0 0\n", 16),
    ],
)
def test_the_quota_of_a_container_counts(monkeypatch, own, quota, threads):
    files = {"/proc/self/cgroup": f"1:name=systemd:/x\n0::{own}\n"}
    if quota is not None:
        files[f"/sys/fs/cgroup{own}/cpu.max"] = quota
    monkeypatch.setattr(info, "Path", Files(files))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setitem(info._settings, "threads", 0)
    assert dv.get_num_threads() == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert dv.get_num_threads() == 5


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_affinity_counts():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import dovetail; print(dovetail.get_num_threads())"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=environment) == "1\n"


def test_threads_between_operations_are_told_once(monkeypatch):
    monkeypatch.setattr(info, "_settings", dict(info._settings))
    assert dv.get_num_interop_threads() == 1
    for bad, text in (
        (0, "expects a positive integer, got 0"),
        (True, "expects an int, but got bool"),
        (1.0, "expects an int, but got float"),
    ):
        with pytest.raises(RuntimeError, match=text):
            dv.set_num_interop_threads(bad)
    dv.set_num_interop_threads(4)
    assert dv.get_num_interop_threads() == 4
    with pytest.raises(RuntimeError, match="cannot set number of interop threads"):
        dv.set_num_interop_threads(4)
