"""One sample stream for any number of workers, threads and processes; and a pass that goes on in another program, batch by batch."""

from __future__ import annotations

import random

import numpy as np
import pytest

import dovetail as dv
from dovetail.data import BatchSampler, DataLoader, Dataset, DistributedSampler, IterableDataset, WeightedRandomSampler, get_worker_info
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from tests.support.figures import note

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")

WAYS = [(0, None), (1, "fork"), (2, "fork"), (4, "fork"), (2, "thread"), (4, "thread"), pytest.param((2, "spawn"), marks=pytest.mark.soak)]


class Random(Dataset):
    """Samples with random numbers of all three kinds."""

    def __init__(self, n=21, all_kinds=True):
        self.n, self.all_kinds = n, all_kinds

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        own = [random.random(), np.random.rand()] if self.all_kinds else []
        return dv.tensor([index, *dv.rand(2).tolist(), dv.randn(1).item(), *own], dtype=dv.float64)


def masked(samples):
    """A collation that draws too."""
    batch = dv.stack(samples)
    return batch, dv.rand(len(samples)).lt(0.5)


class Stream(IterableDataset):
    """Each worker reads its share of 0…22."""

    def __init__(self):
        self.at = None

    def __iter__(self):
        info = get_worker_info()
        if self.at is None:
            self.at = info.id if info else 0
        while self.at < 23:
            self.at += info.num_workers if info else 1
            yield dv.tensor([float(self.at), *dv.rand(1).tolist()])
        self.at = None


class Counted(Stream):
    """A stream that can say where it is."""

    def state_dict(self):
        return {"at": 23 if self.at is None else self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


def made(way, dataset=None, **options):
    count, context = way
    extra = {"num_workers": count, "multiprocessing_context": context} if count else {}
    return DataLoader(Random(all_kinds=context != "thread") if dataset is None else dataset, **{"batch_size": 4, **options, **extra})


def rows(batches):
    return [repr([p.tolist() for p in b] if isinstance(b, list | tuple) else b.tolist()) for b in batches]


@pytest.mark.parametrize("way", WAYS[1:], ids=str)
@pytest.mark.parametrize(
    "options", [{"shuffle": True}, {"shuffle": True, "collate_fn": masked}, {"batch_size": None}], ids=["shuffled", "collated", "single"]
)
def test_samples_do_not_depend_on_the_workers(way, options):
    all_kinds = way[1] != "thread"  # the streams of `random` and NumPy belong to all threads
    here = made((0, None), Random(all_kinds=all_kinds), sample_seed=5, **options)
    there = made(way, sample_seed=5, **options)
    epochs = [rows(here) for _ in range(3)]
    assert epochs == [rows(there) for _ in range(3)] and epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != rows(made((0, None), Random(all_kinds=all_kinds), sample_seed=6, **options))
    there.set_epoch(1)
    assert rows(there) == epochs[1]


def test_a_sample_is_a_function_of_its_index():
    """Not of the batch that it is in, nor of what came before."""
    one, four = (dv.cat(list(DataLoader(Random(), size, sample_seed=1))) for size in (1, 4))
    other = dv.cat(list(DataLoader(Random(), sampler=np.arange(20, -1, -1), batch_size=5, sample_seed=1))).flip(0)
    assert dv.equal(one, four) and dv.equal(one, other)


def test_other_streams_are_left_alone():
    random.seed(0), np.random.seed(0), dv.manual_seed(0)
    want = random.random(), np.random.rand(), (dv.tensor(0).random_(), dv.rand(1).item())[1]
    random.seed(0), np.random.seed(0), dv.manual_seed(0)
    list(DataLoader(Random(), 4, shuffle=True, sample_seed=1))
    assert want == (random.random(), np.random.rand(), dv.rand(1).item())  # but for PyTorch's draw of a seed


def test_samplers_draw_from_the_seed():
    weighted = WeightedRandomSampler([1.0] * 21, 10)
    orders = [rows(DataLoader(range(21), 4, sampler=weighted, sample_seed=2)) for _ in range(2)]
    assert orders[0] == orders[1]
    shared = DistributedSampler(range(21), 2, 0)
    loader = DataLoader(range(21), 4, sampler=shared, sample_seed=2)
    first = rows(loader)
    assert shared.epoch == 0 and rows(loader) != first and shared.epoch == 1


DATA = {"order": lambda: range(21), "samples": Random, "stream": Stream, "stream with a state": Counted}


def resumed_everywhere(name, way, other, epochs=2, **options):
    """At every point of the epochs, another loader goes on with what was left. Returns the number of points."""
    stream = name.startswith("stream")
    options = {"shuffle": not stream or None, **options}
    other = way if stream else other
    points = 0
    dv.manual_seed(0)
    whole = made(way, DATA[name](), **options)
    seen, states = [], []
    for epoch in range(epochs):
        seen.append([])
        for batch in whole:
            seen[-1] += rows([batch])
            states.append((epoch, len(seen[-1]), whole.state_dict(), dv.get_rng_state()))
    for epoch, given, state, rng in states:
        again = made(other, DATA[name](), **options)
        again.load_state_dict(state)
        dv.set_rng_state(rng)
        assert rows(again) == seen[epoch][given:], (epoch, given)
        if epoch == 0 < epochs - 1:
            assert rows(again) == seen[1], given
        points += 1
    assert points >= 5 * epochs
    return points


def masks(loader, passes):
    """What a program draws beside its loader, as dropout does; with the states after each batch and each pass."""
    for _ in range(passes):
        for _ in loader:
            yield dv.rand(1).item(), loader.state_dict(), dv.get_rng_state()
        yield dv.rand(1).item(), loader.state_dict(), dv.get_rng_state()


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("way, stay", [((0, None), False), ((2, "fork"), False), ((2, "fork"), True), ((1, "thread"), True)], ids=str)
def test_what_the_program_draws_goes_on_too(way, stay, seed):
    """Also where the workers would have stayed; with a sample_seed it does not depend on the workers at all."""
    options = {"batch_size": 11, "shuffle": True, "sample_seed": seed, **({"persistent_workers": True} if stay else {})}
    dv.manual_seed(0)
    numbers, states, generators = zip(*masks(made(way, **options), 3), strict=True)
    if seed is not None:
        dv.manual_seed(0)
        assert [n for n, *_ in masks(made((0, None), **{**options, "persistent_workers": False}), 3)] == list(numbers)
    for at in range(6):
        again = made(way, **options)
        again.load_state_dict(states[at])
        dv.set_rng_state(generators[at])
        rest = [n for n, *_ in masks(again, 3)]
        assert rest[: 8 - at] == list(numbers[at + 1 :]), at


@pytest.mark.parametrize("name", ["samples", "stream", "stream with a state"])
@pytest.mark.parametrize(
    "way", [(0, None), (1, "fork"), (2, "fork"), (2, "thread"), pytest.param((4, "fork"), marks=pytest.mark.soak)], ids=str
)
def test_what_is_left_is_what_would_have_come(name, way):
    if name == "samples" and way[1] == "thread":
        pytest.skip("see test_samples_do_not_depend_on_the_workers")
    points = resumed_everywhere(name, way, (2, "fork") if way[0] != 2 else (0, None), sample_seed=3)
    note("R7", f"resume of {name} with {way[0]} workers, points", f"{points} of {points}", "all equal")


@pytest.mark.parametrize("way", [(0, None), (2, "fork")], ids=str)
@pytest.mark.parametrize("name", ["stream", "stream with a state"])
def test_single_samples_of_streams_go_on(name, way):
    resumed_everywhere(name, way, way, epochs=1, sample_seed=3, batch_size=None)


@pytest.mark.parametrize("way", [(0, None), (1, "fork"), (2, "fork"), (2, "thread")], ids=str)
def test_a_stream_that_is_read_again_draws_the_same(way):
    resumed_everywhere("stream", way, way, epochs=1)


@pytest.mark.parametrize("way", [(0, None), (2, "fork")], ids=str)
@pytest.mark.parametrize("name", ["order", "stream"])
def test_the_order_goes_on_without_a_sample_seed(name, way):
    resumed_everywhere("order" if name == "order" else "stream with a state", way, (2, "fork"), sample_seed=None if name == "order" else 1)


@pytest.mark.parametrize("name", ["samples", "order", "stream with a state"])
def test_persistent_workers_go_on_too(name):
    resumed_everywhere(name, (2, "fork"), (1, "fork"), sample_seed=None if name == "order" else 3, persistent_workers=True)


def test_in_line_random_samples_go_on_with_the_program_s_stream():
    resumed_everywhere("samples_in_line", (0, None), (0, None))


DATA["samples_in_line"] = lambda: Noise()


class Noise(Dataset):
    def __len__(self):
        return 21

    def __getitem__(self, index):
        return dv.rand(3)


def test_a_generator_of_one_s_own_goes_on():
    def loader():
        return DataLoader(range(20), 4, shuffle=True, num_workers=2, generator=dv.Generator().manual_seed(4))

    whole = loader()
    steps = iter(whole)
    next(steps), next(steps)
    state = whole.state_dict()
    left, after = rows(steps), rows(whole)
    again = loader()
    again.load_state_dict(state)
    assert rows(again) == left and rows(again) == after


def test_a_state_is_a_file(tmp_path):
    whole = made((2, "fork"), sample_seed=1, shuffle=True)
    steps = iter(whole)
    next(steps)
    dv.save(whole.state_dict(), tmp_path / "loader.dvt")
    left = rows(steps)
    again = made((0, None), sample_seed=1, shuffle=True)
    again.load_state_dict(dv.load(tmp_path / "loader.dvt"))
    assert rows(again) == left and len(left) == 5


def test_before_and_after_a_pass():
    loader = DataLoader(range(4), 2, shuffle=True, sample_seed=0)
    assert loader.state_dict() == {"epoch": 0, "given": 0, "seed": 0}
    epochs = [rows(loader) for _ in range(3)]
    assert loader.state_dict() == {"epoch": 3, "given": 0, "seed": loader.state_dict()["seed"]}
    again = DataLoader(range(4), 2, shuffle=True, sample_seed=0)
    again.load_state_dict({"epoch": 1, "given": 0})
    assert again.state_dict()["epoch"] == 1 and rows(again) == epochs[1] and rows(again) == epochs[2]


def test_samples_that_were_given_are_not_loaded_again():
    loaded = []

    class Told(Dataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            loaded.append(index)
            return index

    loader = DataLoader(Told(), 2)
    next(iter(loader))
    again = DataLoader(Told(), 2)
    again.load_state_dict(loader.state_dict())
    loaded.clear()
    assert len(list(again)) == 2 and loaded == [2, 3, 4, 5]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_that_failed_is_found_again_unless_the_program_went_on(workers):
    class Faulty(Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, index):
            if index == 2:
                raise ValueError("bad")
            return index

    loader = DataLoader(Faulty(), num_workers=workers)
    steps, given = iter(loader), []
    for want in (0, 1, None, 3):
        if want is None:
            with pytest.raises(ValueError, match="bad"):
                next(steps)
        else:
            assert next(steps).item() == want
        given.append(loader.state_dict()["given"])
    assert given == [1, 2, 2, 4]
    rest = DataLoader(range(5))
    rest.load_state_dict(loader.state_dict())
    assert [b.item() for b in rest] == [4]


def test_errors():
    loader = DataLoader(range(8), 2, num_workers=1)
    with pytest.raises(TypeMismatch, match="load_state_dict: state_dict is int; expected what DataLoader.state_dict returned"):
        loader.load_state_dict(3)
    with pytest.raises(TypeMismatch, match="state_dict is dict"):
        loader.load_state_dict({"epoch": 1})
    state = {}
    for _ in loader:
        state = loader.state_dict()
    short = DataLoader(range(4), 2)
    short.load_state_dict(state)
    with pytest.raises(
        ValueRangeError, match="the state is of a pass with 4 batches given, this one has 2; use the same dataset and batch_size"
    ):
        list(short)
    stream = made((2, "fork"), Stream())
    next(iter(stream))
    with pytest.raises(ValueRangeError, match="the state is of 2 workers, the loader has num_workers=0; a stream is shared among as many"):
        made((0, None), Stream()).load_state_dict(stream.state_dict())
    with pytest.raises(UnsupportedError, match="with in_order=False what is left is not known; use in_order=True"):
        DataLoader(range(4), num_workers=1, in_order=False).state_dict()
    with pytest.raises(ValueRangeError, match="sample_seed and generator would both decide the order; give one of the two"):
        DataLoader(range(4), sample_seed=1, generator=dv.Generator())
    other = DataLoader(range(8), batch_sampler=BatchSampler(WeightedRandomSampler([1.0] * 8, 8, generator=dv.Generator()), 2, False))
    other.load_state_dict(state)
    with pytest.raises(ValueRangeError, match="the state has 1 generators, the loader has 2; make the loader with the same sampler"):
        list(other)
