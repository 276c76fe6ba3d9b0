"""Checks of a dataset, opened as its example says: ``example = { split = "train", options = {}, fixture = "pkg.testing:files" }``.

The fixture is called with an empty folder, writes small files of the true format into it, and the folder is the dataset's root.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DovetailError
from ...plugins.manager import get_manager
from .case import Skip, Subject, check
from .model import same

__all__ = ["opened"]


@contextmanager
def opened(subject: Subject, damage: bool = False) -> Iterator[Any]:
    """The dataset of the example, in a folder of its own."""
    import dovetail as dv

    example = subject.example
    with tempfile.TemporaryDirectory() as folder:
        root = None
        if fixture := example.get("fixture"):
            get_manager().load(fixture, subject.plugin)(Path(folder))
            root = folder
        if damage:
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            for path in files:
                path.write_bytes(b"\x00\xff" * 20 + path.read_bytes()[40 : path.stat().st_size // 2])
        yield dv.datasets.load(subject.key, root=root, split=example.get("split"), **example.get("options", {}))


def _sized(subject: Subject, dataset: Any) -> int:
    if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
        raise Skip("it is an iterable dataset")
    return len(dataset)


def _equal(a: Any, b: Any) -> bool:
    """Whether two samples are equal: tensors, arrays, images, dataclasses and plain values, nested."""
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(_equal, a, b))
    if is_dataclass(a):
        return type(a) is type(b) and _equal(vars(a), vars(b))
    if hasattr(a, "numpy"):
        return same([a], [b])
    return type(a) is type(b) and bool(np.array_equal(np.asarray(a), np.asarray(b)))


@check("datasets")
def samples_can_be_read(subject: Subject) -> None:
    """There is at least one sample, the length is that of an iteration, and indices from either end agree."""
    with opened(subject) as dataset:
        count = _sized(subject, dataset)
        assert count > 0, "it is empty"
        assert _equal(dataset[0], dataset[0]) or "transform" in subject.example.get("options", {}), (
            "reading a sample twice gives two things"
        )
        dataset[count - 1]


@check("datasets")
def indices_behave_as_a_lists(subject: Subject) -> None:
    """NumPy integers are indices; one past the end is an IndexError (or any exception that ends a for loop)."""
    with opened(subject) as dataset:
        count = _sized(subject, dataset)
        assert _equal(dataset[np.int64(0)], dataset[0]), "dataset[numpy.int64(0)] is not dataset[0]"
        try:
            dataset[count]
        except IndexError:
            return
        raise AssertionError(f"dataset[{count}] of {count} samples gives something; expected an IndexError")


@check("datasets")
def iterable_ones_can_be_read_again(subject: Subject) -> None:
    """A dataset without a length gives samples, and gives them again."""
    with opened(subject) as dataset:
        if hasattr(dataset, "__getitem__"):
            raise Skip("it has indices")
        first, again = next(iter(dataset)), next(iter(dataset))
        assert _equal(first, again), "a second iteration starts with another sample"


@check("datasets")
def opening_twice_gives_the_same(subject: Subject) -> None:
    """Two openings hold the same samples in the same order."""
    with opened(subject) as one, opened(subject) as two:
        count = _sized(subject, one)
        assert len(two) == count
        assert all(_equal(one[i], two[i]) for i in range(min(count, 20))), "two openings differ"


@check("datasets")
def workers_change_nothing(subject: Subject) -> None:
    """A DataLoader with two workers gives the batches of one without, in the same order."""
    from ...data import DataLoader

    def batches(dataset: Any, workers: int) -> list[Any]:
        return [batch for batch, _ in zip(DataLoader(dataset, batch_size=4, num_workers=workers, collate_fn=list), range(3), strict=False)]

    with opened(subject) as dataset:
        one, two = batches(dataset, 0), batches(dataset, 2)
    assert _equal(one, two), "the batches differ between 0 and 2 workers"


@check("datasets")
def resuming_gives_what_was_left(subject: Subject) -> None:
    """A loader that goes on in the middle of a pass, in another opening, gives the batches that were left, transforms included."""
    from ...data import DataLoader

    def loader(dataset: Any) -> Any:
        return DataLoader(dataset, batch_size=2, shuffle=hasattr(dataset, "__getitem__") or None, sample_seed=1, collate_fn=list)

    with opened(subject) as one, opened(subject) as two:
        first, second = loader(one), loader(two)
        batches = iter(first)
        if next(batches, None) is None:
            raise Skip("it is empty")
        second.load_state_dict(first.state_dict())
        left, again = ([batch for batch, _ in zip(rest, range(3), strict=False)] for rest in (batches, second))
    assert _equal(left, again), "the batches after resuming are others; does a sample depend on what was read before it?"


@check("datasets")
def declared_splits_open(subject: Subject) -> None:
    """Every split that the manifest declares can be opened, and one that it does not declare is refused."""
    import dovetail as dv

    splits = subject.fields.get("splits")
    if not splits or "fixture" in subject.example:
        raise Skip("the manifest declares no splits" if not splits else "its files come from a fixture, for one split")
    for split in splits:
        dv.datasets.load(subject.key, split=split, **subject.example.get("options", {}))
    try:
        dv.datasets.load(subject.key, split="no such split", **subject.example.get("options", {}))
    except ValueError:
        return
    raise AssertionError("a split that does not exist is opened")


@check("datasets")
def damaged_files_are_typed_errors(subject: Subject) -> None:
    """Files that were cut and overwritten raise an error of Dovetail's (FormatError, DecodeError …), not something else, nor pass."""
    if "fixture" not in subject.example:
        raise Skip("its example has no fixture that writes files")
    try:
        with opened(subject, damage=True) as dataset:
            for i in range(_sized(subject, dataset)):
                dataset[i]
    except DovetailError:
        return
    except Exception as error:
        raise AssertionError(f"a damaged file raises {type(error).__name__}: {error}; expected a FormatError") from error
    raise AssertionError("damaged files are read as if nothing were wrong with them")


@check("datasets", "weights")
def what_is_downloaded_has_a_hash(subject: Subject) -> None:
    """A row with a url has a licence and the full SHA-256 with the size; or, of a file of others, what hash its publisher gives."""
    if "url" not in subject.fields:
        raise Skip("it has no url")
    foreign = subject.fields.keys() & {"sha256_prefix", "md5"} and "sha256" not in subject.fields
    missing = [name for name in (("license",) if foreign else ("sha256", "bytes", "license")) if name not in subject.fields]
    assert not missing, f"the manifest lacks {', '.join(missing)}"


@check("weights")
def its_model_is_there(subject: Subject) -> None:
    """The model that the weights are of is registered."""
    from ...plugins.registry import registry

    assert subject.fields["model"] in registry("models"), f"there is no model {subject.fields['model']!r}"


@check("weights")
def its_transform_is_built(subject: Subject) -> None:
    """The transform that prepares inputs is made, with ``transforms_config``."""
    import dovetail as dv

    if "transforms" not in subject.fields:
        raise Skip("the manifest names no transform for it")
    assert callable(dv.weights.transforms(subject.entry)), "it cannot be called"


@check("weights")
def its_file_is_whole(subject: Subject) -> None:
    """A file in the package is there and has its hash, full size and a licence."""
    import dovetail as dv

    if "file" not in subject.fields:
        raise Skip("it has no file in the package")
    missing = [name for name in ("sha256", "bytes", "license") if name not in subject.fields]
    assert not missing, f"the manifest lacks {', '.join(missing)}"
    assert dv.weights.path(subject.entry).is_file()


@check("weights")
def what_ships_is_loaded(subject: Subject) -> None:
    """Weights without a url are part of the package: they can be loaded as they are, and no seed changes them."""
    import dovetail as dv

    if "url" in subject.fields:
        raise Skip("it is downloaded")
    states = []
    for seed in (0, 1):
        dv.manual_seed(seed)
        states.append(dv.models.create(subject.fields["model"], weights=subject.key).state_dict())
    assert same(*states), "two models with these weights differ; are they loaded?"
