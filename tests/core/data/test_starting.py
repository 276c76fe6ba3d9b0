"""How workers start: scripts as PyTorch's on Linux, with lambdas and without a guard, and beside threads of others by forkserver."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading

import pytest

from dovetail.data import DataLoader, Dataset, pools, workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")

NO_GUARD = """
import dovetail as dv
from dovetail.utils.data import DataLoader

class Scaled:
    def __init__(self, change):
        self.change = change
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return self.change(index)

factor = 10
def main():
    class Local(Scaled):
        pass
    for dataset in (Scaled(lambda i: i * factor), Local(lambda i: -i)):
        print([b.tolist() for b in DataLoader(dataset, 2, num_workers=2, collate_fn=lambda s: dv.tensor(s), worker_init_fn=lambda w: None)])
main()
"""


def run(tmp_path, source, *more):
    script = tmp_path / "program.py"
    script.write_text(source)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    return subprocess.run([sys.executable, *more, script], env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_script_without_a_guard_and_with_lambdas(tmp_path):
    done = run(tmp_path, NO_GUARD)
    assert done.stdout.splitlines() == ["[[0, 10], [20, 30]]", "[[0, -1], [-2, -3]]"] and done.stderr == ""


BESIDE = """
import threading, dovetail as dv
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
GUARDED = (
    BESIDE
    + """
import multiprocessing
from dovetail.utils.data import DataLoader

class Which:
    def __len__(self):
        return 2
    def __getitem__(self, index):
        return type(multiprocessing.current_process()).__name__, __name__

if __name__ == "__main__":
    print(*DataLoader(Which(), batch_size=None, num_workers=2))
"""
)


def test_beside_threads_of_others_a_program_with_a_guard_starts_workers_by_a_server(tmp_path):
    done = run(tmp_path, GUARDED)
    assert done.stdout.split("\n")[0] == "['ForkServerProcess', '__mp_main__'] ['ForkServerProcess', '__mp_main__']", done.stderr


def test_beside_threads_of_others_a_program_that_cannot_be_imported_forks(tmp_path):
    done = run(tmp_path, BESIDE + NO_GUARD)
    assert done.stdout.splitlines() == ["[[0, 10], [20, 30]]", "[[0, -1], [-2, -3]]"] and "Error" not in done.stderr


class Plain(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return index


def method(dataset=None):
    loader = DataLoader(Plain() if dataset is None else dataset, num_workers=1)
    return pools.start_method(workers.Task(loader.dataset, len, None, 0, 1))


@pytest.fixture
def beside():
    """Start a thread that waits until the test ends."""
    release, made = threading.Event(), []

    def start(kind=threading.Thread, **options):
        made.append(kind(target=release.wait, daemon=True, **options))
        made[-1].start()

    yield start
    release.set()
    for thread in made:
        thread.join()


def test_which_threads_count(beside, monkeypatch):
    assert method() == "fork"
    beside(name="dovetail-writes")
    monitor = type("TMonitor", (threading.Thread,), {"__module__": "tqdm._monitor"})
    beside(monitor)
    assert method() == "fork"
    monkeypatch.setattr(pools, "_guarded", lambda: True)
    beside()
    assert method() == "forkserver"
    assert method([lambda: None]) == "fork"  # cannot be pickled
    monkeypatch.setattr(pools, "_guarded", lambda: False)
    assert method() == "fork"


def test_the_program_s_own_method_counts(monkeypatch):
    for own in ("spawn", "forkserver"):
        monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none=False, own=own: own)
        assert method() == own


def test_a_loader_in_a_thread_and_a_loader_in_a_worker():
    seen = []
    thread = threading.Thread(
        target=lambda: seen.extend(b.item() for b in DataLoader(Plain(), num_workers=1, multiprocessing_context="fork"))
    )
    thread.start()
    thread.join(20)
    assert seen == [0, 1]

    class Nested(Plain):
        def __getitem__(self, index):
            return sum(b.item() for b in DataLoader(Plain(), num_workers=index, multiprocessing_context="thread" if index else None))

    assert [b.item() for b in DataLoader(Nested(), num_workers=1)] == [1, 1]
