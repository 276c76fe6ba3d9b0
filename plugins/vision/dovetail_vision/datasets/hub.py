"""Any dataset of images of Hugging Face's, and local files, through the ``datasets`` package and its NumPy format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from dovetail import from_numpy
from dovetail.errors import DovetailError, FormatError, RangeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.utils.data import IterableDataset, get_worker_info

from ._errors import HubError, package
from ._image import decode_image, open_image
from .vision import Change, Joint, StandardTransform, VisionDataset, one_of

__all__ = ["HFDataset", "HFIterableDataset", "hf"]

_DAMAGED = {
    "ArrowException", "BadZipFile", "DatasetGenerationError", "EmptyDataError", "JSONDecodeError", "ParserError", "UnicodeDecodeError",
}  # fmt: skip


class _Rows:
    """How rows become samples: images decoded here, arrays of numbers as tensors, ``input`` and ``target`` picked out."""

    def __init__(self, source: Any, input: str | None, target: str | Sequence[str] | None, images: str, columns: Any) -> None:
        one_of(self, "images", images, ("pil", "array", "tensor"))
        features = dict(source.features or {})
        wanted = list(columns) if columns is not None else [input, *self._names(target)] if input is not None else None
        if wanted is not None:
            if missing := [name for name in wanted if features and name not in features]:
                what = f"there is no column {', '.join(map(repr, missing))}"
                raise ValueRangeError("hf", what, f"expected some of {', '.join(features)}")
            source = source.select_columns(wanted)
        if input is None and target is not None:
            raise ValueRangeError("hf", "target is given without input", "expected the name of the column of images as input")
        hub = package("datasets", "hf", "hub")
        self.pictures = [name for name in source.features or {} if isinstance(features[name], hub.Image)]
        # NumPy's texts of bytes lose the zeros at their end: bytes go the way of images too.
        self.bytes = [name for name in source.features or {} if getattr(features[name], "dtype", "") in ("binary", "large_binary")]
        for name in (*self.pictures, *self.bytes):
            source = source.cast_column(name, hub.Image(decode=False))
        self.source, self.input, self.target, self.images = source.with_format("numpy"), input, target, images

    @staticmethod
    def _names(target: str | Sequence[str] | None) -> list[str]:
        return [target] if isinstance(target, str) else list(target or ())

    def sample(self, row: dict[str, Any], where: str) -> Any:
        found = {name: self._value(name, value, where) for name, value in row.items()}
        if self.input is None:
            return found
        if self.target is None or isinstance(self.target, str):
            return found[self.input], found[self.target] if self.target else None
        return found[self.input], {name: found[name] for name in self.target}

    def _value(self, name: str, value: Any, where: str) -> Any:
        if name in self.pictures and value is not None:
            data = value.get("bytes")
            image = open_image(value["path"]) if data is None else decode_image(data, f"{value.get('path') or where} ({name})")
            array = image if self.images == "pil" else np.array(image)
            return array if self.images != "tensor" else from_numpy(array.reshape(*array.shape[:2], -1).transpose(2, 0, 1).copy())
        return value["bytes"] if name in self.bytes and value is not None else plain(value)


def plain(value: Any) -> Any:
    """Arrays of numbers as tensors, other arrays as lists, NumPy's numbers and texts as Python's."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biufc":
            return from_numpy(value if value.flags.writeable else value.copy())
        return [plain(part) for part in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    return [plain(part) for part in value] if isinstance(value, list) else value


class HFDataset(VisionDataset):
    """A ``datasets.Dataset`` as samples.

    A sample is a dict of its columns, images as PIL images (``images="array"``: uint8 arrays ``(H, W, C)``, "tensor": ``(C, H, W)``),
    arrays of numbers as tensors. With ``input``, the column of images, it is a pair, ``(image, target)``, ``target`` naming a column
    or several (a dict of them). ``transform``, ``target_transform`` and ``transforms`` are torchvision's; without ``input``,
    ``transform`` takes the dict. ``source`` is the original, ``features`` says what the columns hold, ``classes`` are the names of
    the target's labels.

    >>> import datasets
    >>> from PIL import Image
    >>> rows = datasets.Dataset.from_dict({"image": [Image.new("RGB", (4, 3))], "box": [[1, 2, 3, 3]], "label": [0]})
    >>> HFDataset(rows, input="image", target=["box", "label"])[0][1]
    {'box': tensor([1, 2, 3, 3]), 'label': 0}
    """

    def __init__(
        self,
        source: Any,
        *,
        input: str | None = None,
        target: str | Sequence[str] | None = None,
        images: str = "pil",
        columns: Sequence[str] | None = None,
        transform: Change = None,
        target_transform: Change = None,
        transforms: Joint = None,
    ) -> None:
        if not isinstance(source, package("datasets", "hf", "hub").Dataset):
            raise TypeMismatch("HFDataset", f"source is {type(source).__name__}", "expected a datasets.Dataset", "use hf(…, split=…)")
        super().__init__(None, transforms, transform, target_transform)
        self._rows = _Rows(source, input, target, images, columns)
        self.source = source

    @property
    def features(self) -> Any:
        """What the columns hold, as the package says it."""
        return self.source.features

    @property
    def classes(self) -> list[str] | None:
        """The names of the target's labels, where it has names."""
        return getattr(self.source.features.get(self._rows.target if isinstance(self._rows.target, str) else ""), "names", None)

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise RangeError("HFDataset", f"index is {index}", f"expected {-len(self)} to {len(self) - 1}")
        index = int(index) % len(self)
        return self._sample(self._rows.source[index], index)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Several samples at once, as a DataLoader asks for them."""
        columns = self._rows.source[[int(index) for index in indices]]
        return [self._sample({name: column[at] for name, column in columns.items()}, indices[at]) for at in range(len(indices))]

    def _sample(self, row: dict[str, Any], index: int) -> Any:
        return _changed(self, self._rows, self._rows.sample(row, f"sample {index}"))

    def __len__(self) -> int:
        return len(self._rows.source)


class HFIterableDataset(IterableDataset):
    """A ``datasets.IterableDataset``: samples as they arrive, without a length; the arguments are those of :class:`HFDataset`.

    Loader workers share its files among them. ``shuffle`` draws from a buffer; ``set_epoch`` makes it draw anew.
    """

    def __init__(
        self,
        source: Any,
        *,
        input: str | None = None,
        target: str | Sequence[str] | None = None,
        images: str = "pil",
        columns: Sequence[str] | None = None,
        transform: Change = None,
        target_transform: Change = None,
        transforms: Joint = None,
    ) -> None:
        if not isinstance(source, package("datasets", "hf", "hub").IterableDataset):
            remedy = "use hf(…, split=…, streaming=True)"
            raise TypeMismatch("HFIterableDataset", f"source is {type(source).__name__}", "expected a datasets.IterableDataset", remedy)
        self._options: dict[str, Any] = {"input": input, "target": target, "images": images, "columns": columns}
        self._rows = _Rows(source, input, target, images, columns)
        self.source, self.transform, self.target_transform = source, transform, target_transform
        checked = VisionDataset(None, transforms, transform, target_transform)
        self.transforms = checked.transforms

    def shuffle(self, seed: int | None = None, buffer_size: int = 1000) -> HFIterableDataset:
        """The same samples in another order: drawn from a buffer of ``buffer_size``."""
        given = isinstance(self.transforms, StandardTransform)
        changes = {"transform": self.transform, "target_transform": self.target_transform} if given else {"transforms": self.transforms}
        return HFIterableDataset(self.source.shuffle(seed=seed, buffer_size=buffer_size), **self._options, **changes)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self._rows.source.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        source, worker = self._rows.source, get_worker_info()
        if worker is not None:
            parts = min(worker.num_workers, source.num_shards)
            if worker.id >= parts:
                return
            source = source.shard(parts, worker.id) if parts > 1 else source
        rows = iter(source)
        for number in range(1 << 62):
            with _typed("HFIterableDataset", "the stream"):
                row = next(rows, None)
            if row is None:
                return
            yield _changed(self, self._rows, self._rows.sample(row, f"sample {number}"))


def _changed(dataset: Any, rows: _Rows, sample: Any) -> Any:
    if rows.input is None:
        return sample if dataset.transform is None else dataset.transform(sample)
    if dataset.transforms is not None and not isinstance(dataset.transforms, StandardTransform):
        return dataset.transforms(*sample)
    return VisionDataset._each(dataset, *sample)


def hf(
    path: str | os.PathLike[str],
    name: str | None = None,
    *,
    split: str | None = None,
    streaming: bool = False,
    input: str | None = None,
    target: str | Sequence[str] | None = None,
    images: str = "pil",
    columns: Sequence[str] | None = None,
    transform: Change = None,
    target_transform: Change = None,
    transforms: Joint = None,
    **options: Any,
) -> Any:
    """Open a dataset by its name on the hub (or the path of a folder of files) and the name of its configuration.

    Gives an :class:`HFDataset`, with ``streaming`` an :class:`HFIterableDataset`; without ``split``, a dict of one for each split.
    ``options`` go to ``datasets.load_dataset``: data_files, data_dir, cache_dir, revision, token … Code that comes with a dataset is
    never run, and images are decoded here, within the bounds of all datasets.

    Raises MissingPackage (an ImportError) without the package (``dovetail-vision[hub]``), HubError (an OSError) where the data cannot be
    fetched, ValueRangeError for an unknown split or configuration, FormatError for damaged files.
    """
    if options.pop("trust_remote_code", None):
        raise UnsupportedError("hf", "trust_remote_code is set", "code of datasets is not run", "leave it out")
    if not os.fspath(path):
        raise ValueRangeError("hf", "path is empty", "expected the name of a dataset or a folder")
    hub = package("datasets", "hf", "hub")
    with _typed(f"hf({os.fspath(path)!r})", os.fspath(path)):
        found = hub.load_dataset(os.fspath(path), name, split=split, streaming=streaming, **options)
    kind: Any = HFIterableDataset if streaming else HFDataset
    given = {
        "input": input, "target": target, "images": images, "columns": columns, "transform": transform,
        "target_transform": target_transform, "transforms": transforms,
    }  # fmt: skip
    return {key: kind(part, **given) for key, part in found.items()} if hasattr(found, "items") else kind(found, **given)


@contextmanager
def _typed(where: str, what: str) -> Iterator[None]:
    """Whatever ``datasets`` raises, typed: it has some twenty classes, from five packages."""
    try:
        yield
    except (DovetailError, MemoryError):
        raise
    except Exception as error:
        names, first = {kind.__name__ for kind in type(error).__mro__}, str(error).strip().split("\n")[0] or type(error).__name__
        if names & _DAMAGED:
            cause = error.__cause__ or error
            raise FormatError(what, None, f"its files cannot be read ({type(cause).__name__}: {cause})") from error
        wrong = ("Unknown split", "Bad split", "BuilderConfig", "Config name is missing")
        if isinstance(error, ValueError) and any(word in first for word in wrong):
            raise ValueRangeError(where, first) from error
        remedy = "check the name and the network; once fetched it opens offline (HF_HUB_OFFLINE=1); or give a folder with its files"
        raise HubError(where, f"it cannot be opened: {type(error).__name__}: {first}", "", remedy) from error
