"""Samplers: what they give, and their errors. The order itself is compared with PyTorch in tests/parity/test_data.py."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail.data import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from dovetail.errors import TypeMismatch, ValueRangeError


def test_sequential():
    assert list(SequentialSampler("abc")) == [0, 1, 2] and len(SequentialSampler("abc")) == 3


def test_random_is_a_permutation_that_the_seed_decides():
    dv.manual_seed(3)
    sampler = RandomSampler(range(50))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    dv.manual_seed(3)
    assert list(sampler) == first and list(sampler) == second and len(sampler) == 50


def test_random_with_more_samples_than_data():
    drawn = list(RandomSampler(range(4), num_samples=10))
    assert len(drawn) == 10 and sorted(drawn[:4]) == sorted(drawn[4:8]) == [0, 1, 2, 3] and len(set(drawn[8:])) == 2
    drawn = list(RandomSampler(range(4), replacement=True, num_samples=70))
    assert len(drawn) == 70 and set(drawn) == {0, 1, 2, 3}


def test_subset_random():
    assert sorted(SubsetRandomSampler([5, 7, 9])) == [5, 7, 9] and len(SubsetRandomSampler([5, 7, 9])) == 3


def test_weighted():
    assert set(WeightedRandomSampler([0.0, 1.0, 1.0], 40)) == {1, 2}
    assert sorted(WeightedRandomSampler([1.0, 1.0, 2.0], 3, replacement=False)) == [0, 1, 2]
    assert len(WeightedRandomSampler([1.0], 5)) == 5


@pytest.mark.parametrize("drop_last, batches", [(False, [[0, 1], [2, 3], [4]]), (True, [[0, 1], [2, 3]])])
def test_batch(drop_last, batches):
    sampler = BatchSampler(range(5), 2, drop_last)
    assert list(sampler) == batches and len(sampler) == len(batches)


def test_the_base_asks_for_iter():
    with pytest.raises(NotImplementedError):
        iter(Sampler())


def test_errors():
    positive = "num_samples should be a positive integer value, but got num_samples="
    with pytest.raises(TypeMismatch, match="RandomSampler: replacement should be a boolean value, but got replacement=1"):
        RandomSampler("ab", replacement=1)
    with pytest.raises(ValueRangeError, match=f"{positive}0; is the dataset empty?"):
        RandomSampler([])
    with pytest.raises(ValueRangeError, match=f"{positive}-1"):
        RandomSampler("ab", num_samples=-1)
    with pytest.raises(ValueRangeError, match=f"WeightedRandomSampler: {positive}True"):
        WeightedRandomSampler([1.0], True)
    with pytest.raises(ValueRangeError, match="WeightedRandomSampler: replacement should be a boolean value, but got replacement=1"):
        WeightedRandomSampler([1.0], 1, 1)
    with pytest.raises(ValueRangeError, match=r"weights should be a 1d sequence but given weights have shape \(1, 1\)"):
        WeightedRandomSampler([[1.0]], 1)
    for size in (0, 2.0, True):
        with pytest.raises(ValueRangeError, match=f"batch_size should be a positive integer value, but got batch_size={size}"):
            BatchSampler("ab", size, False)
    with pytest.raises(ValueRangeError, match="drop_last should be a boolean value, but got drop_last=0"):
        BatchSampler("ab", 1, 0)
