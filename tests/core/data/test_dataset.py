"""Datasets: indexing, lengths, compositions and their errors."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from dovetail.errors import RangeError, UnsupportedError, ValueRangeError


class Squares(Dataset):
    def __init__(self, n=5):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return index * index


class Count(IterableDataset):
    def __init__(self, n=3):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


def test_the_base_asks_for_getitem():
    with pytest.raises(NotImplementedError, match="Subclasses of Dataset should implement __getitem__"):
        Dataset()[0]


def test_a_stream_needs_iter():
    class Nothing(IterableDataset):
        pass

    with pytest.raises(TypeError, match="abstract method '?__iter__"):
        Nothing()


def test_tensor_dataset():
    data = TensorDataset(dv.arange(6).reshape(3, 2), dv.arange(3))
    assert len(data) == 3
    row, label = data[-1]
    assert row.tolist() == [4, 5] and label.item() == 2
    rows, labels = data[0:2]
    assert rows.tolist() == [[0, 1], [2, 3]] and labels.tolist() == [0, 1]
    with pytest.raises(IndexError):
        data[3]


def test_tensor_dataset_errors():
    with pytest.raises(AssertionError, match=r"TensorDataset: Size mismatch between tensors; got shapes \[\(3,\), \(2,\)\]"):
        TensorDataset(dv.arange(3), dv.arange(2))
    with pytest.raises(RangeError, match=r"TensorDataset: got shapes \[\(\)\]; expected one dimension at least"):
        TensorDataset(dv.tensor(1.0))


def test_stack_dataset():
    assert StackDataset(Squares(3), "abc")[2] == (4, "c")
    named = StackDataset(square=Squares(3), letter="abc")
    assert named[1] == {"square": 1, "letter": "b"} and len(named) == 3
    assert named.__getitems__([2, 0]) == [{"square": 4, "letter": "c"}, {"square": 0, "letter": "a"}]
    assert StackDataset(Subset("abcd", [3, 1, 0]), "xyz").__getitems__([0, 2]) == [("d", "x"), ("a", "z")]


def test_stack_dataset_errors():
    with pytest.raises(ValueRangeError, match="StackDataset: At least one dataset should be passed"):
        StackDataset()
    with pytest.raises(ValueRangeError, match="StackDataset: Supported either tuple"):
        StackDataset("a", b="b")
    with pytest.raises(ValueRangeError, match=r"StackDataset: Size mismatch between datasets; got lengths \[3, 2\]"):
        StackDataset("abc", "ab")

    class Short(Squares):
        def __getitems__(self, indices):
            return [0]

    with pytest.raises(ValueRangeError, match="Nested dataset's output size mismatch. Expected 2, got 1"):
        StackDataset(Short(3), "abc").__getitems__([0, 1])


def test_concat_dataset():
    both = Squares(3) + Squares(2)
    assert isinstance(both, ConcatDataset) and len(both) == 5
    assert [both[i] for i in range(5)] == [0, 1, 4, 0, 1] == [both[i] for i in range(-5, 0)]
    assert both.cumulative_sizes == [3, 5]
    with pytest.raises(ValueRangeError, match=r"absolute value of index should not exceed dataset length \(index -6, length 5\)"):
        both[-6]
    with pytest.raises(RangeError, match="ConcatDataset: index 5 is out of range; expected less than 5"):
        both[5]
    with pytest.raises(AssertionError, match="datasets should not be an empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="ConcatDataset does not support IterableDataset; use ChainDataset"):
        ConcatDataset([Count()])


def test_chain_dataset():
    both = Count(2) + Count(3)
    assert isinstance(both, ChainDataset) and list(both) == [0, 1, 0, 1, 2] and len(both) == 5
    for use in (list, len):
        with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset, got Squares; use ConcatDataset"):
            use(ChainDataset([Count(), Squares()]))


def test_subset():
    part = Subset(Squares(), [4, 0, 2])
    assert len(part) == 3 and part[0] == 16 and part.__getitems__([2, 0]) == [4, 16]
    assert Subset(part, [1, 2])[1] == 4
    assert Subset(dv.arange(10), [5, 6, 7])[[0, 2]].tolist() == [5, 7]


def test_subset_asks_for_both_methods():
    class Shifted(Subset):
        def __getitem__(self, index):
            return super().__getitem__(index) + 1

    with pytest.raises(UnsupportedError, match="Shifted overrides __getitem__ but not __getitems__.*define __getitems__"):
        Shifted(Squares(), [1])

    class Whole(Shifted):
        def __getitems__(self, indices):
            return [self[i] for i in indices]

    assert [b.tolist() for b in DataLoader(Whole(Squares(), [1, 3]), 2)] == [[2, 10]]


def test_random_split():
    parts = random_split(range(10), [3, 7], dv.Generator().manual_seed(42))
    assert [len(p) for p in parts] == [3, 7]
    assert sorted(i for p in parts for i in p.indices) == list(range(10))
    again = random_split(range(10), [3, 7], dv.Generator().manual_seed(42))
    assert [p.indices for p in parts] == [p.indices for p in again]


def test_random_split_by_fractions():
    assert [len(p) for p in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        assert [len(p) for p in random_split(range(1), [0.5, 0.5])] == [1, 0]


def test_random_split_errors():
    text = r"Sum of input lengths does not equal the length of the input dataset! \(lengths \[1, 2\], dataset 4\)"
    with pytest.raises(ValueRangeError, match=text):
        random_split(range(4), [1, 2])
    with pytest.raises(ValueRangeError, match=r"Fraction at index 0 is not between 0 and 1 \(got 1.5\)"):
        random_split(range(4), [1.5, -0.5])
