"""DataLoader: its options, its lengths, streams, and their errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dovetail as dv
from dovetail.data import BatchSampler, DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler
from dovetail.errors import TypeMismatch, ValueRangeError


class Count(IterableDataset):
    def __init__(self, n=5, stated=None):
        self.n, self.stated = n, stated

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n if self.stated is None else self.stated


def values(loader):
    return [b.tolist() if isinstance(b, dv.Tensor) else b for b in loader]


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, [[0], [1], [2], [3], [4]]),
        ({"batch_size": 2}, [[0, 1], [2, 3], [4]]),
        ({"batch_size": 2, "drop_last": True}, [[0, 1], [2, 3]]),
        ({"batch_size": None}, [0, 1, 2, 3, 4]),
        ({"sampler": [3, 1], "batch_size": 2}, [[3, 1]]),
        ({"batch_sampler": [[0, 4], [2]]}, [[0, 4], [2]]),
        ({"batch_size": 7}, [[0, 1, 2, 3, 4]]),
        ({"batch_size": 2, "collate_fn": sum}, [1, 5, 4]),
    ],
)
def test_map_style(options, expected):
    loader = DataLoader(range(5), **options)
    assert values(loader) == values(loader) == expected and len(loader) == len(iter(loader)) == len(expected)


def test_stream():
    assert values(DataLoader(Count(), batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert values(DataLoader(Count(), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert values(DataLoader(Count(), batch_size=None)) == [0, 1, 2, 3, 4]
    assert len(DataLoader(Count(), 2)) == 3 and len(DataLoader(Count(), 2, drop_last=True)) == 2 and len(DataLoader(Count(), None)) == 5
    with pytest.raises(TypeError):
        len(DataLoader(type("Stream", (IterableDataset,), {"__iter__": lambda self: iter(())})()))


def test_a_stream_that_outgrows_its_length_is_told():
    loader = DataLoader(Count(3, stated=2), batch_size=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(1 for _ in loader) == 3  # nobody has asked for the length
    assert len(loader) == 2
    with pytest.warns(UserWarning, match=r"was reported to be 2 \(by len\(dataloader\)\), but 3 samples have been fetched"):
        list(loader)


def test_without_batches_arrays_become_tensors():
    class Arrays(Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.ones(2), "a"

    (sample,) = DataLoader(Arrays(), batch_size=None)
    assert isinstance(sample, list) and sample[0].tolist() == [1, 1] and sample[1] == "a"


def test_several_at_once():
    class Many(Dataset):
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            return [i * 10 for i in indices]

    assert values(DataLoader(Many(), 2)) == [[0, 10], [20, 30]]


def test_shuffle_is_new_in_each_epoch_and_decided_by_the_seed():
    loader = DataLoader(range(20), batch_size=5, shuffle=True)
    dv.manual_seed(0)
    epochs = [values(loader) for _ in range(3)]
    assert all(sorted(i for b in e for i in b) == list(range(20)) for e in epochs) and epochs[0] != epochs[1] != epochs[2]
    dv.manual_seed(0)
    assert [values(loader) for _ in range(3)] == epochs
    owned = DataLoader(range(20), batch_size=5, shuffle=True, generator=dv.Generator().manual_seed(1))
    state = dv.get_rng_state().tolist()
    values(owned)
    assert dv.get_rng_state().tolist() == state


def test_two_iterators_are_apart():
    loader = DataLoader(range(4), 2)
    first, second = iter(loader), iter(loader)
    assert next(first).tolist() == [0, 1] == next(second).tolist() and next(first).tolist() == [2, 3]


def test_attributes():
    loader = DataLoader(range(4), 2, shuffle=True)
    assert isinstance(loader.sampler, RandomSampler) and isinstance(loader.batch_sampler, BatchSampler) and loader.batch_size == 2
    assert isinstance(DataLoader("ab").sampler, SequentialSampler)
    given = DataLoader("ab", batch_sampler=[[0]])
    assert given.batch_size is None and given.drop_last is False
    loader.timeout = 0
    for name in ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"):
        with pytest.raises(ValueRangeError, match=f"{name} attribute should not be set after DataLoader is initialized"):
            setattr(loader, name, None)


@pytest.mark.parametrize(
    "options, text",
    [
        ({"num_workers": -1}, "num_workers option should be non-negative, got -1; use num_workers=0 to load in line"),
        ({"timeout": -1}, "timeout option should be non-negative, got -1"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiprocessing, got 2; let num_workers > 0"),
        ({"prefetch_factor": -1, "num_workers": 1}, "prefetch_factor option should be non-negative, got -1"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"multiprocessing_context": "spawn"}, "multiprocessing_context can only be used with multi-process loading"),
        ({"sampler": [0], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and"),
        ({"batch_sampler": [[0]], "drop_last": True}, "batch_sampler option is mutually exclusive with"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
        ({"stream": True, "shuffle": True}, "with IterableDataset: expected unspecified shuffle option, but got shuffle=True"),
        ({"stream": True, "sampler": [0]}, r"with IterableDataset: expected unspecified sampler option, but got sampler=\[0\]"),
        ({"stream": True, "batch_sampler": [[0]]}, "with IterableDataset: expected unspecified batch_sampler option"),
    ],
)
def test_options_that_exclude_each_other(options, text):
    dataset = Count() if options.pop("stream", False) else range(4)
    with pytest.raises(ValueRangeError, match=text):
        DataLoader(dataset, **options)


def test_other_errors():
    with pytest.raises(TypeMismatch, match="DataLoader: worker_init_fn is int; expected a function of the worker's id"):
        DataLoader("ab", num_workers=1, worker_init_fn=3)
    with pytest.raises(AssertionError, match="DataLoader: timeout is 1; loading in line requires timeout == 0"):
        iter(DataLoader("ab", timeout=1))
    with pytest.raises(ValueRangeError, match="is the dataset empty?"):
        DataLoader([], shuffle=True)
    assert list(DataLoader([])) == []


def test_pin_memory_says_that_it_has_no_effect():
    with pytest.warns(UserWarning, match="then device pinned memory won.t be used"):
        assert values(DataLoader(range(2), 2, pin_memory=True)) == [[0, 1]]


def test_an_error_leaves_the_loader_usable():
    class Faulty(Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            if index == 1:
                raise KeyError("no sample 1")
            return index

    steps = iter(DataLoader(Faulty()))
    assert next(steps).tolist() == [0]
    with pytest.raises(KeyError, match="no sample 1"):
        next(steps)
    assert next(steps).tolist() == [2] and next(steps, None) is None
