"""Workers that die or hang are told at once, with who, how and where; and nothing outlives the main process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dovetail as dv
from dovetail.data import DataLoader, passes
from dovetail.errors import WorkerError
from tests.core.data.dying import DEATHS, HANGS, Dying, Hanging
from tests.support.figures import note

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the signals and limits of Linux")

METHODS = ("fork", "forkserver", "spawn")
STEADY = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts programs in the background with interrupts ignored
import dovetail as dv
from dovetail.data import DataLoader
from tests.core.data.dying import Steady
if __name__ == "__main__":
    for at, batch in enumerate(DataLoader(Steady(), 8, num_workers=2, multiprocessing_context=sys.argv[1])):
        if at == 3:
            import multiprocessing
            print(*[p.pid for p in multiprocessing.active_children()], flush=True)
"""


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", DEATHS)
def test_a_death_is_told_at_once(how, method, times, tmp_path):
    took = []
    for at in range(times):
        written = tmp_path / str(at)
        with pytest.raises((RuntimeError, ValueError, MemoryError)) as caught:
            for _ in DataLoader(Dying(how, written), 2, num_workers=2, multiprocessing_context=method):
                pass
        took.append(time.monotonic() - float(written.read_text()))
        error, (_, kind, text) = caught.value, DEATHS[how]
        assert type(error).__name__ == kind and text in str(error), error
        if kind == "WorkerError":
            assert isinstance(error, RuntimeError) and "DataLoader worker (pid(s) " in str(error)
            assert "exited unexpectedly: worker 1 " in str(error) and "in flight were the indices [6, 7]" in str(error)
        else:
            assert error.__notes__ == ["in DataLoader worker process 1, at indices [6, 7]"]
        if how == "SIGSEGV":
            assert 'dying.py", line' in str(error) and "in __getitem__" in str(error)  # the worker's own stack
        if kind == "WorkerError":  # a worker that had an error lives as long as its pass, which the error's frames hold
            assert not [p for p in multiprocessing.active_children() if p.name.startswith("dovetail-loader")]
        del error, caught
    note("R10", f"{how}, {method}: longest of {times}", round(max(took), 3), "1 s, 5 s at the most")
    assert sorted(took)[len(took) // 2] < 1 and max(took) < 5


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.soak)])
@pytest.mark.parametrize("how", HANGS)
def test_a_hang_is_told_with_its_stack(how, times):
    timeout, took = 0.4, []
    for _ in range(times):
        steps = iter(DataLoader(Hanging(how), 1, num_workers=2, timeout=timeout))
        assert [next(steps).item() for _ in range(3)] == [0, 1, 2]
        start = time.monotonic()
        with pytest.raises(WorkerError, match="DataLoader timed out after 0.4 seconds; batch 3 has not come from worker 1") as caught:
            next(steps)
        took.append(time.monotonic() - start - timeout)
        assert f"in {how}\n" in str(caught.value) and "in __getitem__" in str(caught.value)
        del steps, caught  # ends the workers, outside of what is measured
    note("R11", f"{how}: longest of {times} beyond the timeout", round(max(took), 3), "1 s")
    assert max(took) < 1


def test_without_a_timeout_the_stack_is_shown_once(monkeypatch, capsys):
    monkeypatch.setattr(passes, "SHOWN", 0.2)
    monkeypatch.setattr(passes, "TICK", 0.1)

    class Late(Hanging):
        def __getitem__(self, index):
            if index == 3:
                time.sleep(1)
            return index

    assert [b.item() for b in DataLoader(Late(""), 1, num_workers=1)] == list(range(8))
    told = capsys.readouterr().err
    assert told.count("nothing has come for 0.2 seconds; batch 3 has not come from worker 0, at indices [3]") == 1
    assert "in __getitem__" in told


def test_the_loader_goes_on_after_a_death(tmp_path):
    loader = DataLoader(Dying("SIGKILL", tmp_path / "note"), 2, num_workers=2, persistent_workers=True)
    for _ in range(2):
        steps, seen = iter(loader), []
        with pytest.raises(WorkerError):
            seen += [b.tolist() for b in steps]
        with pytest.raises(WorkerError, match="this pass has ended; DataLoader worker .* was killed by SIGKILL .is memory short"):
            next(steps)
    state = loader.state_dict()
    assert state["given"] == 3
    whole = DataLoader(range(40), 2, num_workers=2)
    whole.load_state_dict(state)
    assert next(b.tolist() for b in whole) == [6, 7]


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


ENDS = {signal.SIGKILL: "fork", signal.SIGTERM: "spawn", signal.SIGINT: "forkserver"}  # and by which method outside of the long run
CELLS = [(end, method, 1) for end, method in ENDS.items()]
CELLS += [pytest.param(end, method, 12, marks=pytest.mark.soak) for end in ENDS for method in METHODS]


@pytest.mark.parametrize(("end", "method", "times"), CELLS)
def test_nothing_outlives_the_main_process(end, method, times, tmp_path):
    script = tmp_path / "steady.py"
    script.write_text(STEADY)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    gone = []
    for _ in range(times):
        main = subprocess.Popen(
            [sys.executable, script, method],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        workers = [int(pid) for pid in main.stdout.readline().split()]
        assert len(workers) == 2 and all(map(alive, workers))
        for pid in (main.pid, *workers):  # nothing is there that could be left
            maps = Path(f"/proc/{pid}/maps").read_text()
            assert "memfd:dovetail-batch" in maps and "/dev/shm" not in maps
        start, again = time.monotonic(), end == signal.SIGINT
        os.killpg(main.pid, end) if end == signal.SIGINT else main.send_signal(end)
        while any(map(alive, [main.pid, *workers])):
            # Python loses an interrupt that comes while a finalizer runs: a person presses again, once.
            if again and time.monotonic() - start > 5:
                start, again = time.monotonic(), False
                os.killpg(main.pid, end)
            assert time.monotonic() - start < 10
            time.sleep(0.01)
        gone.append(time.monotonic() - start)
        _, told = main.communicate(timeout=10)
        assert told.count("Traceback") == (1 if end == signal.SIGINT else 0), told
    note("R12", f"{end.name}, {method}: longest of {times}", round(max(gone), 3), "2 s")
    assert max(gone) < 2


def test_memory_of_workers_stays(tmp_path):
    """Batches go through the same blocks again: the memory of the workers does not grow with the epochs."""
    loader = DataLoader(dv.data.TensorDataset(dv.ones(256, 20_000)), 16, num_workers=2, persistent_workers=True)

    def used():
        pids = [p.pid for p in multiprocessing.active_children() if p.name.startswith("dovetail-loader")]
        fields = [Path(f"/proc/{pid}/statm").read_text().split() for pid in pids]
        return sum(int(rss) for _, rss, *_ in fields) * os.sysconf("SC_PAGESIZE")

    sizes = []
    for _ in range(20):
        for _ in loader:
            pass
        sizes.append(used())
    note(
        "R14",
        "growth of the workers over 20 epochs, of the first 5 to the last 5, MB",
        round((min(sizes[-5:]) - max(sizes[:5])) / 2**20, 2),
        "0",
    )
    assert min(sizes[-5:]) <= max(sizes[:5]) + 2**20
