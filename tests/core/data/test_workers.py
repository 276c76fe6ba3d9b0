"""Worker threads: order, streams, restarts, faults, timeouts, and that none is left over."""

from __future__ import annotations

import gc
import threading
import time

import pytest

import dovetail as dv
from dovetail.data import DataLoader, Dataset, IterableDataset, get_worker_info
from dovetail.errors import FormatError, WorkerError

pytestmark = pytest.mark.filterwarnings("ignore:DataLoader. num_workers")


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


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("dovetail-loader")]


@pytest.fixture(autouse=True, scope="module")
def alone():
    """No worker thread that a loader of another test file left, broken off and not yet collected, is counted here."""
    assert none_left()


def none_left():
    gc.collect()
    for _ in range(200):
        if not threads():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_the_order_is_the_sampler_s(workers):
    for options in ({"batch_size": 2}, {"batch_size": 5, "drop_last": True}, {"batch_size": None}, {"prefetch_factor": 4}):
        loader = DataLoader(Slow(), num_workers=workers, **options)
        options.pop("prefetch_factor", None)
        assert values(loader) == values(DataLoader(Slow(), **options))
    assert none_left()


def test_the_warning_says_threads():
    with pytest.warns(UserWarning, match="num_workers=1 starts threads; worker processes are not available yet"):
        list(DataLoader("ab", num_workers=1))


def test_shuffle_does_not_depend_on_the_workers():
    orders = []
    for workers in (0, 2):
        dv.manual_seed(5)
        loader = DataLoader(range(30), 4, shuffle=True, num_workers=workers)
        orders.append([values(loader) for _ in range(3)])
    assert orders[0] == orders[1]


def test_streams():
    loader = DataLoader(Shared(), batch_size=2, num_workers=2)
    assert values(loader) == [[0, 1], [10, 11], [12, 13], [14]]
    assert values(DataLoader(Shared(), batch_size=2, num_workers=2, drop_last=True)) == [[0, 1], [10, 11], [12, 13]]
    assert sorted(values(DataLoader(Shared(), batch_size=None, num_workers=3))) == [0, 1, *range(10, 15), *range(20, 28)]
    assert none_left()


def test_a_worker_knows_itself():
    class Who(Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            info = get_worker_info()
            return info.id, info.num_workers, info.dataset is self, info.seed

    dv.manual_seed(0)
    seen = list(DataLoader(Who(), batch_size=None, num_workers=2))
    assert [row[:3] for row in seen] == [[0, 2, True], [1, 2, True]] * 2
    assert seen[1][3] == seen[0][3] + 1 and seen[0] == seen[2] and get_worker_info() is None


def test_each_worker_has_its_own_dataset():
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
    assert sorted(values(DataLoader(dataset, None, num_workers=2, worker_init_fn=share))) == [3, 4, 5, 6]
    assert (dataset.start, dataset.end) == (3, 7)


class Noise(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return dv.rand(2)


def test_random_numbers_are_the_workers_own():
    dv.manual_seed(0)
    first = values(DataLoader(Noise(), 2, num_workers=2))
    after = dv.rand(1).item()
    dv.manual_seed(0)
    assert values(DataLoader(Noise(), 2, num_workers=2)) == first and dv.rand(1).item() == after
    assert len({str(row) for batch in first for row in batch}) == 6
    dv.manual_seed(1)
    assert values(DataLoader(Noise(), 2, num_workers=2)) != first


def test_persistent_workers_go_on():
    assert none_left()  # those of the test before
    loader = DataLoader(Noise(), 2, num_workers=2, persistent_workers=True)
    epochs = [values(loader), values(loader)]
    before = threads()
    assert epochs[0] != epochs[1] and len(before) == 2
    values(loader)
    assert threads() == before and iter(loader) is iter(loader)
    del loader
    assert none_left()


def test_persistent_workers_after_a_break():
    loader = DataLoader(Slow(20), 2, num_workers=3, persistent_workers=True, prefetch_factor=3)
    for stop in (1, 2, 0, 3):
        for at, batch in enumerate(loader):
            assert batch.tolist() == [2 * at, 2 * at + 1]
            if at == stop:
                break
    assert values(loader) == values(DataLoader(Slow(20), 2))


def test_persistent_streams_begin_again():
    loader = DataLoader(Shared(), batch_size=2, num_workers=2, persistent_workers=True)
    assert values(loader) == values(loader) == [[0, 1], [10, 11], [12, 13], [14]]


def test_threads_end_after_a_break():
    for _ in DataLoader(Slow(40), num_workers=3):
        break
    assert none_left()


class Faulty(Dataset):
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 6

    def __getitem__(self, index):
        if index == 2:
            raise self.make()
        return index


@pytest.mark.parametrize("make", [lambda: ValueError("bad"), lambda: KeyError("bad"), lambda: FormatError("f.png", 3, "bad")])
def test_errors_come_out_where_their_batch_was_due(make):
    steps = iter(DataLoader(Faulty(make), num_workers=2))
    assert [next(steps).item(), next(steps).item()] == [0, 1]
    with pytest.raises(type(make()), match="bad") as caught:
        next(steps)
    assert caught.value.__notes__ == ["in DataLoader worker thread 0, at indices [2]"]
    assert "__getitem__" in [entry.name for entry in caught.traceback]
    assert [b.item() for b in steps] == [3, 4, 5]


def test_a_worker_that_exits():
    steps = iter(DataLoader(Faulty(lambda: SystemExit(3)), batch_size=3, num_workers=1))
    with pytest.raises(WorkerError, match=r"DataLoader: worker thread 0 ended by SystemExit 3; at indices \[0, 1, 2\]"):
        next(steps)
    assert next(steps).tolist() == [3, 4, 5]


def test_a_faulty_start():
    def start(worker):
        raise OSError(f"no licence for {worker}")

    steps = iter(DataLoader(range(4), num_workers=2, worker_init_fn=start))
    for worker in (0, 1, 0):
        with pytest.raises(OSError, match=f"no licence for {worker}"):
            next(steps)


def test_a_stream_that_fails():
    class Broken(IterableDataset):
        def __iter__(self):
            yield 0
            raise ValueError("the disk is gone")

    steps = iter(DataLoader(Broken(), num_workers=1))
    assert next(steps).tolist() == [0]
    with pytest.raises(ValueError, match="the disk is gone"):
        next(steps)
    assert next(steps, None) is None


def test_timeout():
    release = threading.Event()

    class Hanging(Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index == 1:
                release.wait(5)
            return index

    steps = iter(DataLoader(Hanging(), num_workers=1, timeout=0.05))
    assert next(steps).tolist() == [0]
    with pytest.raises(WorkerError, match="DataLoader timed out after 0.05 seconds; batch 1 has not come; raise timeout="):
        next(steps)
    release.set()
    assert next(steps).tolist() == [1]  # late, not lost
