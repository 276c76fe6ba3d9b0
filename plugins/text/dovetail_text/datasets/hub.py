"""Any dataset of Hugging Face's, and local files, through the ``datasets`` package."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import DovetailError, FormatError, RangeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.utils.data import Dataset, IterableDataset, get_worker_info

from ..errors import HubError, MissingPackage

__all__ = ["HFDataset", "HFIterableDataset", "from_files", "hf"]

_DAMAGED = {
    "ArrowException", "BadZipFile", "DatasetGenerationError", "EmptyDataError", "JSONDecodeError", "ParserError", "UnicodeDecodeError",
}  # fmt: skip
_BUILDERS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".parquet": "parquet", ".arrow": "arrow", ".txt": "text"}


class HFDataset(Dataset):
    """A ``datasets.Dataset`` as samples: dicts in which arrays of numbers are tensors, and the rest plain values.

    ``dataset[i]`` is a sample, ``dataset[2:5]`` or a list of indices a dict of columns, ``dataset["text"]`` a column.
    ``columns`` keeps some of the columns; ``transform`` is called with each sample. ``dataset.source`` is the original,
    with ``map``, ``filter``, ``shuffle`` and the rest; ``dataset.features`` says what the columns hold.

    >>> import datasets
    >>> lines = HFDataset(datasets.Dataset.from_dict({"text": ["it fits", "well"], "ids": [[1, 2], [3]], "label": [0, 1]}))
    >>> lines[0]
    {'text': 'it fits', 'ids': tensor([1, 2]), 'label': 0}
    """

    def __init__(self, source: Any, *, columns: Sequence[str] | None = None, transform: Callable[[Any], Any] | None = None) -> None:
        if not isinstance(source, _package().Dataset):
            raise TypeMismatch("HFDataset", f"source is {type(source).__name__}", "expected a datasets.Dataset", "use hf(…, split=…)")
        self.source = _chosen(source, columns)
        self.transform = transform

    @property
    def features(self) -> Any:
        """What the columns hold, with the names of labels."""
        return self.source.features

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        return self.source.column_names

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> Any:
        if hasattr(index, "__index__"):
            index = index.__index__()
            if not -len(self) <= index < len(self):
                raise RangeError("HFDataset", f"index is {index}", f"expected -{len(self)} to {len(self) - 1}")
            return self._sample(self.source[index])
        if isinstance(index, str) and index not in self.column_names:
            raise ValueRangeError("HFDataset", f"there is no column {index!r}", f"expected one of {', '.join(self.column_names)}")
        found = self.source[index]
        return _plain(found[:] if isinstance(index, str) else found)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Several samples at once, as a DataLoader asks for them: ten times as quick as one by one."""
        columns = self.source[[int(index) for index in indices]]
        return [self._sample({name: column[at] for name, column in columns.items()}) for at in range(len(indices))]

    def __iter__(self) -> Iterator[Any]:
        return map(self._sample, self.source)

    def _sample(self, row: dict[str, Any]) -> Any:
        sample = _plain(row)
        return sample if self.transform is None else self.transform(sample)

    def __repr__(self) -> str:
        return f"HFDataset({len(self)} samples of {', '.join(self.column_names)})"


class HFIterableDataset(IterableDataset):
    """A ``datasets.IterableDataset``: samples as they arrive, without a length; see `HFDataset`.

    Loader workers share its files among them, so that only as many work as there are files. ``shuffle`` draws from a
    buffer; ``set_epoch`` makes it draw anew.
    """

    def __init__(self, source: Any, *, columns: Sequence[str] | None = None, transform: Callable[[Any], Any] | None = None) -> None:
        if not isinstance(source, _package().IterableDataset):
            what = f"source is {type(source).__name__}"
            raise TypeMismatch("HFIterableDataset", what, "expected a datasets.IterableDataset", "use hf(…, split=…, streaming=True)")
        self.source = _chosen(source, columns)
        self.transform = transform

    def shuffle(self, seed: int | None = None, buffer_size: int = 1000) -> HFIterableDataset:
        """The same samples in another order: drawn from a buffer of ``buffer_size``."""
        return HFIterableDataset(self.source.shuffle(seed=seed, buffer_size=buffer_size), transform=self.transform)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.source.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        source, worker = self.source, get_worker_info()
        if worker is not None:
            parts = min(worker.num_workers, source.num_shards)
            if worker.id >= parts:
                return
            source = source.shard(parts, worker.id) if parts > 1 else source
        with _opening("HFIterableDataset", "the stream"):
            for row in source:
                sample = _plain(row)
                yield sample if self.transform is None else self.transform(sample)


def hf(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    split: str | None = None,
    streaming: bool = False,
    columns: Sequence[str] | None = None,
    transform: Callable[[Any], Any] | None = None,
    **options: Any,
) -> Any:
    """Open a dataset by its name on the hub (or the path of a folder of files) and the name of its configuration.

    Gives an `HFDataset`, with ``streaming`` an `HFIterableDataset`; without ``split``, a dict of one for each split.
    ``options`` go to ``datasets.load_dataset``: data_files, data_dir, cache_dir, revision, token … Code that comes with
    a dataset is never run.

    Raises MissingPackage (an ImportError) without the ``datasets`` package, HubError (an OSError) where the data cannot
    be fetched, ValueRangeError for an unknown split or configuration, FormatError for damaged files.
    """
    if options.pop("trust_remote_code", None):
        raise UnsupportedError("hf", "trust_remote_code is set", "code of datasets is not run", "leave it out")
    if not os.fspath(path):
        raise ValueRangeError("hf", "path is empty", "expected the name of a dataset or a folder")
    return _opened(os.fspath(path), os.fspath(path), name, split, streaming, columns, transform, options)


def _opened(what: str, path: str, name: Any, split: Any, streaming: bool, columns: Any, transform: Any, options: dict[str, Any]) -> Any:
    package = _package()
    with _opening(f"hf({what!r})", what):
        found = package.load_dataset(path, name, split=split, streaming=streaming, **options)
    kind = HFIterableDataset if streaming else HFDataset
    if hasattr(found, "items"):
        return {key: kind(part, columns=columns, transform=transform) for key, part in found.items()}
    return kind(found, columns=columns, transform=transform)


def from_files(files: Any, *, split: str | None = "train", format: str | None = None, **options: Any) -> Any:
    """Open local files: csv, tsv, json, jsonl, parquet, arrow or txt (a sample a line), by their suffix or ``format``.

    ``files`` is a path, a list of them, or a dict of one or several for each split. The rest as for `hf`; options of the
    formats too, such as ``delimiter`` of csv.
    """
    groups = files if isinstance(files, dict) else {split or "train": files}
    groups = {key: [os.fspath(f) for f in ([part] if isinstance(part, str | os.PathLike) else part)] for key, part in groups.items()}
    every = [file for part in groups.values() for file in part]
    for file in every:
        if not os.path.isfile(file):
            raise FileNotFoundError(f"from_files: there is no file {file!r}")
    suffixes = {os.path.splitext(file)[1].lower() for file in every}
    builders = {_BUILDERS.get(suffix) for suffix in suffixes} if format is None else {format}
    if len(builders) != 1 or not builders <= set(_BUILDERS.values()):
        what = f"the files end in {', '.join(sorted(suffixes)) or 'nothing'}" if format is None else f"format is {format!r}"
        raise ValueRangeError("from_files", what, f"expected one of {', '.join(sorted(set(_BUILDERS.values())))}", "pass format=")
    if suffixes == {".tsv"}:
        options.setdefault("delimiter", "\t")
    split = None if isinstance(files, dict) and split not in groups else split
    streaming, columns, transform = (options.pop(name, None) for name in ("streaming", "columns", "transform"))
    what = ", ".join(every[:3]) + (" …" if len(every) > 3 else "")
    return _opened(what, builders.pop(), None, split, bool(streaming), columns, transform, {**options, "data_files": groups})


def _package() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise MissingPackage("hf", "the package datasets is not installed", "", "pip install 'dovetail-text[hub]'") from error
    return datasets


def _chosen(source: Any, columns: Sequence[str] | None) -> Any:
    if columns is not None:
        known = source.column_names
        if known is not None and (missing := [name for name in columns if name not in known]):
            what = f"there is no column {', '.join(map(repr, missing))}"
            raise ValueRangeError("columns", what, f"expected some of {', '.join(known)}")
        source = source.select_columns(list(columns))
    return source.with_format("numpy")


def _plain(value: Any) -> Any:
    """Arrays of numbers as tensors, other arrays as lists, NumPy's numbers and strings as Python's."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biufc":
            return dv.from_numpy(value if value.flags.writeable else value.copy())
        return [_plain(part) for part in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(part) for part in value] if isinstance(value, list) else value


@contextmanager
def _opening(where: str, what: str) -> Iterator[None]:
    """Whatever ``datasets`` raises, typed: it has some twenty classes, from five packages."""
    try:
        yield
    except (DovetailError, MemoryError):
        raise
    except Exception as error:
        raise _typed(where, what, error) from error


def _typed(where: str, what: str, error: Exception) -> Exception:
    names = {kind.__name__ for kind in type(error).__mro__}
    first = str(error).strip().split("\n")[0] or type(error).__name__
    if names & _DAMAGED:
        cause = error.__cause__ or error
        return FormatError(what, None, f"its files cannot be read ({type(cause).__name__}: {cause})")
    if "ValueError" in names and any(word in first for word in ("Unknown split", "Bad split", "BuilderConfig", "Config name is missing")):
        return ValueRangeError(where, first)
    if names & {"DataFilesNotFoundError", "EmptyDatasetError"}:
        return HubError(where, first, "", "a folder needs files such as train.parquet or test.csv")
    remedy = "check the name and the network; once fetched it opens offline (HF_HUB_OFFLINE=1); or give a folder with its files: root="
    return HubError(where, f"it cannot be opened: {type(error).__name__}: {first}", "expected a dataset on the hub or in its cache", remedy)
