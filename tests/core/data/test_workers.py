"""Workers, as processes and as threads: order, streams, random numbers, restarts, errors, and that none is left over."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import namedtuple

import numpy as np
import pytest

import dovetail as dv
from dovetail.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset, get_worker_info
from dovetail.errors import FormatError, TypeMismatch, ValueRangeError, WorkerError

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

both = pytest.mark.parametrize("context", ["fork", "thread"])


class Slow(Dataset):
    """Even samples take longer, so that later batches are ready first."""

    def __init__(self, n=12):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if index % 2 == 0:
            time.sleep(0.003)
        return index


class Shared(IterableDataset):
    """A stream that its workers share, unequally."""

    def __iter__(self):
        info = get_worker_info()
        return iter(range(5)) if info is None else iter(range(info.id * 10, info.id * 10 + 2 + 3 * info.id))


def values(loader):
    return [b.tolist() if isinstance(b, dv.Tensor) else b for b in loader]


def workers():
    threads = [t for t in threading.enumerate() if t.name.startswith("dovetail-loader")]
    return threads + [p for p in multiprocessing.active_children() if p.name.startswith("dovetail-loader")]


def none_left():
    gc.collect()
    for _ in range(200):
        if not workers():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(autouse=True, scope="module")
def alone():
    """No worker that a loader of another test file left, broken off and not yet collected, is counted here."""
    assert none_left()


@both
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_order_is_the_sampler_s(count, context):
    for options in ({"batch_size": 2}, {"batch_size": 5, "drop_last": True}, {"batch_size": None}, {"prefetch_factor": 4}):
        loader = DataLoader(Slow(), num_workers=count, multiprocessing_context=context, **options)
        options.pop("prefetch_factor", None)
        assert values(loader) == values(DataLoader(Slow(), **options))
    assert none_left()


@both
def test_any_order_gives_what_is_ready(context):
    class OneSlow(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            time.sleep(0.3 if index == 0 else 0)
            return index

    options = {"num_workers": 2, "multiprocessing_context": context}
    loader = DataLoader(OneSlow(), batch_size=None, in_order=False, **options)
    seen = values(loader)
    assert sorted(seen) == list(range(6)) and seen[0] != 0
    assert values(DataLoader(OneSlow(), batch_size=None, **options)) == list(range(6))


def test_shuffle_does_not_depend_on_the_workers():
    orders = []
    for count in (0, 2):
        dv.manual_seed(5)
        loader = DataLoader(range(30), 4, shuffle=True, num_workers=count)
        orders.append([values(loader) for _ in range(3)])
    assert orders[0] == orders[1]


@both
def test_streams(context):
    options = {"multiprocessing_context": context}
    loader = DataLoader(Shared(), batch_size=2, num_workers=2, **options)
    assert values(loader) == [[0, 1], [10, 11], [12, 13], [14]]
    assert values(DataLoader(Shared(), batch_size=2, num_workers=2, drop_last=True, **options)) == [[0, 1], [10, 11], [12, 13]]
    assert sorted(values(DataLoader(Shared(), batch_size=None, num_workers=3, **options))) == [0, 1, *range(10, 15), *range(20, 28)]
    assert none_left()


class Who(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        info = get_worker_info()
        return info.id, info.num_workers, info.dataset is self, info.seed, os.getpid(), info.worker_method


@both
def test_a_worker_knows_itself(context):
    dv.manual_seed(0)
    seen = list(DataLoader(Who(), batch_size=None, num_workers=2, multiprocessing_context=context))
    assert [row[:3] for row in seen] == [[0, 2, True], [1, 2, True]] * 2
    assert seen[1][3] == seen[0][3] + 1 and seen[0] == seen[2] and get_worker_info() is None
    assert len({row[4] for row in seen} | {os.getpid()}) == (1 if context == "thread" else 3)
    assert seen[0][5] == ("thread" if context == "thread" else "multiprocessing")


@both
def test_each_worker_has_its_own_dataset(context):
    """PyTorch's documented way to share a stream: worker_init_fn changes this worker's copy."""

    class Range(IterableDataset):
        def __init__(self, start, end):
            self.start, self.end = start, end

        def __iter__(self):
            return iter(range(self.start, self.end))

    def share(worker):
        dataset = get_worker_info().dataset
        dataset.start, dataset.end = (3, 5) if worker == 0 else (5, 7)

    dataset = Range(3, 7)
    loader = DataLoader(dataset, None, num_workers=2, worker_init_fn=share, multiprocessing_context=context)
    assert sorted(values(loader)) == [3, 4, 5, 6]
    assert (dataset.start, dataset.end) == (3, 7)


class Noise(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return dv.rand(2)


@both
def test_random_numbers_are_the_workers_own(context):
    options = {"num_workers": 2, "multiprocessing_context": context}
    dv.manual_seed(0)
    first = values(DataLoader(Noise(), 2, **options))
    after = dv.rand(1).item()
    dv.manual_seed(0)
    assert values(DataLoader(Noise(), 2, **options)) == first and dv.rand(1).item() == after
    assert len({str(row) for batch in first for row in batch}) == 6
    dv.manual_seed(1)
    assert values(DataLoader(Noise(), 2, **options)) != first


def test_threads_and_processes_draw_the_same():
    seen = []
    for context in ("fork", "thread"):
        dv.manual_seed(3)
        seen.append(values(DataLoader(Noise(), 2, num_workers=2, multiprocessing_context=context)))
    assert seen[0] == seen[1]


@both
def test_persistent_workers_go_on(context):
    assert none_left()  # those of the test before
    loader = DataLoader(Noise(), 2, num_workers=2, persistent_workers=True, multiprocessing_context=context)
    epochs = [values(loader), values(loader)]
    before = {w.name for w in workers()}
    assert epochs[0] != epochs[1] and before >= {"dovetail-loader-0", "dovetail-loader-1"}
    values(loader)
    assert {w.name for w in workers()} == before and iter(loader) is iter(loader)
    gc.collect()
    gc.disable()
    try:
        del loader  # no cycle keeps it
        assert not [w for w in workers() if context == "fork"]
    finally:
        gc.enable()
    assert none_left()


@both
def test_persistent_workers_after_a_break(context):
    options = {"multiprocessing_context": context, "prefetch_factor": 3}
    loader = DataLoader(Slow(20), 2, num_workers=3, persistent_workers=True, **options)
    for stop in (1, 2, 0, 3):
        for at, batch in enumerate(loader):
            assert batch.tolist() == [2 * at, 2 * at + 1]
            if at == stop:
                break
    assert values(loader) == values(DataLoader(Slow(20), 2))


@both
def test_persistent_streams_begin_again(context):
    loader = DataLoader(Shared(), batch_size=2, num_workers=2, persistent_workers=True, multiprocessing_context=context)
    assert values(loader) == values(loader) == [[0, 1], [10, 11], [12, 13], [14]]


@both
def test_workers_end_after_a_break(context):
    for _ in DataLoader(Slow(40), num_workers=3, multiprocessing_context=context):
        break
    assert none_left()


Pair = namedtuple("Pair", "image label")


class Nested(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        wide = dv.full((40, 40), float(index))
        return {"pair": Pair(wide, index), "text": f"sample {index}", "half": wide.bfloat16(), "array": np.full((600,), index)}


def test_nested_batches_come_back_as_they_were():
    kept = list(DataLoader(Nested(), 4, num_workers=2))
    for at, (ours, here) in enumerate(zip(kept, DataLoader(Nested(), 4), strict=True)):
        assert type(ours["pair"]) is Pair and ours["text"] == here["text"] and ours["pair"].label.tolist() == here["pair"].label.tolist()
        for a, b in ((ours["pair"].image, here["pair"].image), (ours["half"], here["half"]), (ours["array"], here["array"])):
            assert a.dtype is b.dtype and dv.equal(a, b), at
        ours["pair"].image.add_(1)  # it is the caller's own


def test_batches_outlive_their_workers():
    images = dv.arange(64 * 1000.0).reshape(64, 1000)
    kept = [b for _ in range(2) for (b,) in DataLoader(TensorDataset(images), 1, num_workers=2)]
    assert none_left() and dv.equal(dv.cat(kept), dv.cat([images, images]))


def test_shared_memory_is_used_again_and_files_do_not_grow():
    loader = DataLoader(TensorDataset(dv.ones(400, 1000)), 4, num_workers=2, persistent_workers=True)
    list(loader)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        for (batch,) in loader:
            assert batch.sum().item() == 4000
    assert len(os.listdir("/proc/self/fd")) <= before + 4
    kept = list(loader)  # 100 batches that are all in use: those beyond a bound are copied, so that files stay few
    assert len(kept) == 100 and len(os.listdir("/proc/self/fd")) < before + 80


def test_whole_batches_of_tensors_equal_those_of_samples():
    data = TensorDataset(dv.rand(20, 3), dv.arange(20))

    class Same(TensorDataset):
        """A subclass may have its own samples: they are taken one by one."""

        def __getitem__(self, index):
            return tuple(t[index] for t in self.tensors)

    for dataset in (data, Subset(data, range(4, 17)), Subset(Subset(data, [3, 1, 4, 9, 9]), [4, 0, 1])):
        plain = Same(*data.tensors) if dataset is data else [dataset[i] for i in range(len(dataset))]
        for ours, theirs in zip(DataLoader(dataset, 3), DataLoader(plain, 3), strict=True):
            assert type(ours) is type(theirs) is list and all(dv.equal(a, b) for a, b in zip(ours, theirs, strict=True))


class Faulty(Dataset):
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index == 2:
            raise self.make()
        return index


class Awkward(Exception):
    def __init__(self, code, text):
        super().__init__(code, text)


class Worded(Exception):
    def __init__(self, message="x"):
        self.message = message
        super().__init__(message)


def local_error():
    class Local(ValueError):
        pass

    return Local("bad", lambda: None)


FAULTS = {
    "ValueError": (lambda: ValueError("bad"), ValueError),
    "KeyError": (lambda: KeyError("bad"), KeyError),
    "two arguments": (lambda: Awkward(3, "bad"), RuntimeError),
    "Unicode": (lambda: UnicodeDecodeError("utf8", b"bad", 0, 1, "bad"), RuntimeError),
    "message": (lambda: Worded("bad"), Worded),
    "local": (local_error, ValueError),
    "unpicklable": (lambda: ValueError("bad", lambda: None), ValueError),
    "memory": (lambda: MemoryError("bad"), MemoryError),
}


@pytest.mark.parametrize("name", FAULTS)
def test_errors_come_out_where_their_batch_was_due(name):
    make, kind = FAULTS[name]
    steps = iter(DataLoader(Faulty(make), num_workers=2))
    assert [next(steps).item(), next(steps).item()] == [0, 1]
    with pytest.raises(kind) as caught:
        next(steps)
    text = str(caught.value)
    assert text.startswith(f"Caught {type(make()).__name__} in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n")
    assert "in __getitem__" in text and "bad" in text and "DataLoader: at index 2 of [2]" in text
    assert caught.value.__notes__ == ["in DataLoader worker process 0, at indices [2]"]
    assert [b.item() for b in steps] == [3, 4, 5]


def test_our_own_errors_keep_their_class_and_what_they_know():
    with pytest.raises(FormatError, match=r"Caught FormatError in DataLoader worker process 0") as caught:
        list(DataLoader(Faulty(lambda: FormatError("f.png", 3, "bad")), num_workers=2))
    assert caught.value.path == "f.png" and caught.value.offset == 3 and "f.png at byte 3: bad" in str(caught.value)


def test_errors_of_threads_are_the_very_ones():
    steps = iter(DataLoader(Faulty(lambda: KeyError("bad")), 2, num_workers=2, multiprocessing_context="thread"))
    next(steps)
    with pytest.raises(KeyError, match="bad") as caught:
        next(steps)
    assert caught.value.__notes__ == ["DataLoader: at index 2 of [2, 3]", "in DataLoader worker thread 1, at indices [2, 3]"]
    assert "__getitem__" in [entry.name for entry in caught.traceback]


def test_a_batch_that_cannot_be_sent():
    class Odd(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return threading.Lock() if index == 0 else index

    steps = iter(DataLoader(Odd(), batch_size=None, num_workers=1))
    with pytest.raises(TypeError, match="cannot pickle '_thread.lock' object"):
        next(steps)
    assert next(steps) == 1


@both
def test_a_faulty_start(context):
    def start(worker):
        raise OSError(f"no licence for {worker}")

    steps = iter(DataLoader(range(4), num_workers=2, worker_init_fn=start, multiprocessing_context=context))
    for worker in (0, 1):
        with pytest.raises(OSError, match=f"no licence for {worker}"):
            next(steps)
    with pytest.raises(WorkerError, match=r"worker 0 could not begin; OSError\('no licence for 0'\)"):
        next(steps)


@both
def test_a_stream_that_fails(context):
    class Broken(IterableDataset):
        def __iter__(self):
            yield 0
            raise ValueError("the disk is gone")

    steps = iter(DataLoader(Broken(), num_workers=1, multiprocessing_context=context))
    assert next(steps).tolist() == [0]
    with pytest.raises(ValueError, match="the disk is gone"):
        next(steps)
    assert next(steps, None) is None


def test_a_thread_that_exits():
    steps = iter(DataLoader(Faulty(lambda: SystemExit(3)), batch_size=3, num_workers=1, multiprocessing_context="thread"))
    with pytest.raises(WorkerError, match=r"worker thread 0 ended by SystemExit 3; in flight were the indices \[0, 1, 2\] and \[3, 4, 5\]"):
        next(steps)
    with pytest.raises(WorkerError, match="this pass has ended; worker thread 0 ended by SystemExit 3; begin another one"):
        next(steps)


def test_a_late_thread():
    release = threading.Event()

    class Hanging(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index == 1:
                release.wait(5)
            return index

    steps = iter(DataLoader(Hanging(), num_workers=1, timeout=0.05, multiprocessing_context="thread"))
    assert next(steps).tolist() == [0]
    with pytest.raises(WorkerError, match="DataLoader timed out after 0.05 seconds; batch 1 has not come from worker 0, at indices"):
        next(steps)
    release.set()
    assert next(steps).tolist() == [1]  # late, not lost


def test_contexts():
    for given in ("spawn", multiprocessing.get_context("spawn")):
        loader = DataLoader("ab", num_workers=1, multiprocessing_context=given)
        assert loader.multiprocessing_context.get_start_method() == "spawn"
    with pytest.raises(ValueRangeError, match=r"should specify a valid start method in \['fork', 'spawn', 'forkserver'\], but got .*='no'"):
        DataLoader("ab", num_workers=1, multiprocessing_context="no")
    with pytest.raises(TypeMismatch, match="should be a valid context object or a string specifying the start method; but got"):
        DataLoader("ab", num_workers=1, multiprocessing_context=3)


def test_what_cannot_be_pickled_is_told():
    with pytest.raises((AttributeError, TypeError)) as caught:
        list(DataLoader(Faulty(lambda: None), num_workers=1, multiprocessing_context="spawn"))
    assert any("are sent dataset, collate_fn and worker_init_fn by pickle" in note for note in caught.value.__notes__)
    del caught
    assert none_left(), workers()


def test_the_number_of_workers_is_judged():
    with pytest.warns(UserWarning, match="This DataLoader will create 999 worker processes in total. Our suggested max number of worker"):
        DataLoader("ab", num_workers=999)


def test_python_s_and_numpy_s_numbers_differ_by_worker():
    class Draw(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return random.random(), np.random.rand()

    rows = [row for _ in range(2) for row in DataLoader(Draw(), batch_size=None, num_workers=2)]
    assert len({value for row in rows for value in row}) == 16


def test_shared_tensors_are_written_by_workers_and_read_by_all():
    counts, net = dv.zeros(6).share_memory_(), dv.nn.Linear(2, 1).share_memory()
    assert counts.is_shared() and net.weight.is_shared() and not dv.ones(1).is_shared() and net.weight.requires_grad

    class Counting(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            counts[index] += index
            return dv.ones(1000)

    batch = next(iter(DataLoader(Counting(), 3, num_workers=2, multiprocessing_context="fork")))
    list(DataLoader(Counting(), num_workers=2, multiprocessing_context="fork"))
    assert counts[3:].tolist() == [6, 8, 10] or counts[3:].tolist() == [3, 4, 5]
    assert counts[:3].tolist() == [0, 2, 4] and batch.is_shared()


def test_a_handler_of_the_program_is_not_run_in_workers(tmp_path):
    """A program that saves a checkpoint on SIGTERM does so once, and its workers end by the signal."""
    seen = tmp_path / "seen"
    before = signal.signal(signal.SIGTERM, lambda *_: seen.write_text("ran"))
    try:
        loader = DataLoader(Faulty(lambda: os.kill(os.getpid(), signal.SIGTERM)), num_workers=1, multiprocessing_context="fork")
        with pytest.raises(WorkerError, match="killed by SIGTERM"):
            list(loader)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not seen.exists()


def test_batches_come_through_the_pipe_where_there_is_no_shared_memory(monkeypatch):
    """As on systems without memfd."""
    from dovetail.data import shared

    data = dv.arange(240_000, dtype=dv.float32).reshape(6, 40_000)
    monkeypatch.setattr(shared, "SHARED", False)
    for _ in range(2):
        batches = list(DataLoader(TensorDataset(data), batch_size=2, num_workers=2))
        assert [b[0].tolist() for b in batches] == [data[i : i + 2].tolist() for i in (0, 2, 4)]
