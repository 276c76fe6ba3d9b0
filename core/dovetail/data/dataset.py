"""Datasets: something with a length and an index, or something to iterate."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from ..errors import AssertedError, RangeError, UnsupportedError, ValueRangeError
from ..tensor import Tensor

__all__ = ["ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "StackDataset", "Subset", "TensorDataset", "random_split"]

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by index: subclass it with ``__getitem__`` and ``__len__``.

    >>> class Squares(Dataset):
    ...     def __len__(self): return 3
    ...     def __getitem__(self, i): return i * i
    >>> (Squares() + Squares())[4]
    1
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[T_co]) -> ConcatDataset[T_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """Samples in a stream: subclass it with ``__iter__``; with several workers, ask ``get_worker_info()`` for your share.

    Raises a TypeError where ``__iter__`` is missing.

    >>> class Stream(IterableDataset):
    ...     def __iter__(self): return iter(range(3))
    >>> list(Stream())
    [0, 1, 2]
    """

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Any, ...]]):
    """Tensors that share their first dimension, as a dataset of their rows.

    >>> import dovetail as dv
    >>> TensorDataset(dv.arange(3), dv.arange(3) * 2)[1]
    (tensor(1), tensor(2))
    """

    def __init__(self, *tensors: Any) -> None:
        if not all(t.ndim for t in tensors):
            raise RangeError("TensorDataset", f"got shapes {[tuple(t.shape) for t in tensors]}", "expected one dimension at least")
        if len({t.shape[0] for t in tensors}) > 1:
            raise AssertedError("TensorDataset", "Size mismatch between tensors", f"got shapes {[tuple(t.shape) for t in tensors]}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(t[index] for t in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class StackDataset(Dataset[Any]):
    """Several datasets side by side: a sample is a tuple (or a dict) of theirs.

    >>> StackDataset("ab", [1, 2])[1], StackDataset(letter="ab", number=[1, 2])[0]
    (('b', 2), {'letter': 'a', 'number': 1})
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not args and not kwargs:
            raise ValueRangeError("StackDataset", "At least one dataset should be passed")
        if args and kwargs:
            what = "Supported either tuple- (via args) or dict- (via kwargs) like input/output, but both types are given."
            raise ValueRangeError("StackDataset", what)
        self.datasets: Any = args or kwargs
        every = list(args or kwargs.values())
        if any(len(d) != len(every[0]) for d in every):
            raise ValueRangeError("StackDataset", "Size mismatch between datasets", f"got lengths {[len(d) for d in every]}")
        self._length = len(every[0])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {k: d[index] for k, d in self.datasets.items()}
        return tuple(d[index] for d in self.datasets)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Several samples at once, for a loader."""
        named = isinstance(self.datasets, dict)
        columns = [several(d, indices) for d in (self.datasets.values() if named else self.datasets)]
        for items in columns:
            if len(items) != len(indices):
                what = f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}"
                raise ValueRangeError("StackDataset", what, "", "let its __getitems__ return a list with one sample an index")
        rows = list(zip(*columns, strict=True))
        return [dict(zip(self.datasets, row, strict=True)) for row in rows] if named else rows

    def __len__(self) -> int:
        return self._length


def several(dataset: Any, indices: list[Any]) -> Any:
    """Some samples of a dataset, all at once where it can."""
    many = getattr(dataset, "__getitems__", None)
    return many(indices) if callable(many) else [dataset[i] for i in indices]


def whole_batch(dataset: Any, indices: Any) -> list[Any] | None:
    """What `default_collate` makes of these samples, taken from the tensors at once; None where a dataset is not of tensors alone."""
    while type(dataset) is Subset:
        indices, dataset = [dataset.indices[i] for i in indices], dataset.dataset
    if type(dataset) is not TensorDataset or not indices or not all(type(i) is int for i in indices):
        return None
    return [t[indices] for t in dataset.tensors] if all(type(t) is Tensor for t in dataset.tensors) else None


class ConcatDataset(Dataset[T_co]):
    """Datasets one after another.

    >>> both = ConcatDataset(["ab", "cde"])
    >>> len(both), both[2], both[-1]
    (5, 'c', 'e')
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertedError("ConcatDataset", "datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertedError("ConcatDataset", "ConcatDataset does not support IterableDataset", "", "use ChainDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    @staticmethod
    def cumsum(sequence: Sequence[Any]) -> list[int]:
        """The end of each dataset in the whole."""
        return list(itertools.accumulate(len(d) for d in sequence))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T_co:
        if index < 0:
            if -index > len(self):
                what = f"absolute value of index should not exceed dataset length (index {index}, length {len(self)})"
                raise ValueRangeError("ConcatDataset", what)
            index += len(self)
        at = bisect.bisect_right(self.cumulative_sizes, index)
        if at == len(self.datasets):
            raise RangeError("ConcatDataset", f"index {index} is out of range", f"expected less than {len(self)}")
        return self.datasets[at][index - (self.cumulative_sizes[at - 1] if at else 0)]


class ChainDataset(IterableDataset[Any]):
    """Streams one after another.

    >>> class Count(IterableDataset):
    ...     def __iter__(self): return iter(range(2))
    >>> list(Count() + Count())
    [0, 1, 0, 1]
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[Any]:
        for d in self.datasets:
            if not isinstance(d, IterableDataset):
                what = f"ChainDataset only supports IterableDataset, got {type(d).__name__}"
                raise AssertedError("ChainDataset", what, "", "use ConcatDataset")
            yield d

    def __iter__(self) -> Iterator[Any]:
        for d in self._streams():
            yield from d

    def __len__(self) -> int:
        return sum(len(d) for d in self._streams())


class Subset(Dataset[T_co]):
    """The samples of a dataset at some indices.

    >>> Subset("abcd", [2, 0])[0]
    'c'
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            what = f"{kind.__name__} overrides __getitem__ but not __getitems__"
            remedy = "define __getitems__(self, indices) too, for example: return [self[i] for i in indices]"
            raise UnsupportedError(kind.__name__, what, "a DataLoader asks for several samples at once", remedy)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> Any:
        """Several samples at once, for a loader."""
        return several(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Any = None) -> list[Subset[Any]]:
    """Split a dataset at random into parts of these lengths, or of these fractions that sum to 1.

    Raises a ValueError for lengths that do not sum to the dataset's.

    >>> import dovetail as dv
    >>> [len(s) for s in random_split(range(10), [0.7, 0.3], dv.Generator().manual_seed(0))]
    [7, 3]
    """
    from ..ops import random

    n = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        counts = []
        for i, part in enumerate(lengths):
            if not 0 <= part <= 1:
                raise ValueRangeError("random_split", f"Fraction at index {i} is not between 0 and 1 (got {part})")
            counts.append(math.floor(n * part))
        for i in range(n - sum(counts)):
            counts[i % len(counts)] += 1
        lengths = counts
        for i, count in enumerate(lengths):
            if count == 0:
                warnings.warn(f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2)
    if sum(lengths) != n:
        what = f"Sum of input lengths does not equal the length of the input dataset! (lengths {list(lengths)}, dataset {n})"
        raise ValueRangeError("random_split", what)
    whole: Any = sum(lengths)
    order = random.randperm(whole, generator=generator).tolist()
    ends = list(itertools.accumulate(int(count) for count in lengths))
    return [Subset(dataset, order[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
