"""ImageNet: its published archives, unpacked into one folder a class."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dovetail.io.atomic import replacing

from ._fetch import extract
from ._files import intact, lines, need, parsed, read_json
from ._mat import read_mat
from .folder import ImageFolder
from .vision import Root, one_of

__all__ = ["ARCHIVE_META", "ImageNet", "load_meta_file", "parse_devkit_archive", "parse_train_archive", "parse_val_archive"]

#: What → the file as it is published and its MD5.
ARCHIVE_META = {
    "train": ("ILSVRC2012_img_train.tar", "1d675b47d978889d74fa0da5fadfb00e"),
    "val": ("ILSVRC2012_img_val.tar", "29b22e2961454d5413ddabcf34fc5622"),
    "devkit": ("ILSVRC2012_devkit_t12.tar.gz", "fa75699e90414af021442c21a62c3abf"),
}
META_FILE = "meta.bin"
_OURS = "meta.json"
_HOW = "Download it from https://image-net.org/download.php, which asks for an account, and put it there"

Meta = tuple[dict[str, tuple[str, ...]], list[str]]


class ImageNet(ImageFolder):
    """Photographs of 1,000 kinds of things (ILSVRC 2012): 1,281,167 in "train", 50,000 in "val".

    A sample is as of :class:`ImageFolder`; ``classes`` are tuples of names, ``wnids`` the WordNet ids, ``class_to_idx`` has every name.
    The archives ``ILSVRC2012_devkit_t12.tar.gz`` and ``ILSVRC2012_img_train.tar`` or ``…_val.tar`` lie in ``root``, where they are
    unpacked once; they cannot be fetched. ``verify=False`` takes archives with another MD5. A ``meta.bin`` of torchvision is read.

    Source: O. Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015, https://arxiv.org/abs/1409.0575.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.imagenet) as root:
    ...     images = ImageNet(root, "val", verify=False)
    >>> images.classes, images.wnids, images.targets
    ([('tench', 'Tinca tinca'), ('goldfish',)], ['n01440764', 'n01443537'], [0, 0, 1])
    """

    def __init__(self, root: Root, split: str = "train", *, verify: bool = True, **kwargs: Any) -> None:
        self.root = folder = os.path.expanduser(root)
        self.split = one_of(self, "split", split, ("train", "val"))
        self._verify = verify
        self.parse_archives()
        names, _ = load_meta_file(folder)
        super().__init__(self.split_folder, **kwargs)
        self.root = folder
        self.wnids, self.wnid_to_idx = self.classes, self.class_to_idx
        with parsed(self.split_folder, "a folder with one folder a WordNet id of ImageNet"):
            self.classes = [names[wnid] for wnid in self.wnids]  # type: ignore[misc]
        self.class_to_idx = {name: number for number, several in enumerate(self.classes) for name in several}

    def parse_archives(self) -> None:
        """Unpack what is not unpacked yet."""
        if not any(os.path.isfile(os.path.join(self.root, name)) for name in (META_FILE, _OURS)):
            parse_devkit_archive(self.root, verify=self._verify)
        if not os.path.isdir(self.split_folder):
            {"train": parse_train_archive, "val": parse_val_archive}[self.split](self.root, verify=self._verify)

    @property
    def split_folder(self) -> str:
        """The folder of the images."""
        return os.path.join(self.root, self.split)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"Split: {self.split}"


def load_meta_file(root: Root, file: str | None = None) -> Meta:
    """The names of each WordNet id and the ids of the images of "val": from our ``meta.json`` or torchvision's ``meta.bin``."""
    path = Path(root, file or (_OURS if Path(root, _OURS).is_file() else META_FILE))
    if path.suffix == ".json":
        found = read_json(path)
    else:
        from dovetail.io import load

        need(path, "It is made by ImageNet(root)")
        found = load(path)
    with parsed(path, "names by WordNet id, and a list of ids"):
        names, ids = found
        return {str(wnid): tuple(map(str, several)) for wnid, several in names.items()}, [str(wnid) for wnid in ids]


def _archive(root: Root, file: str | None, kind: str, verify: bool) -> Path:
    name, md5 = ARCHIVE_META[kind]
    return intact(Path(root, file or name), md5 if verify else None, _HOW)


def _unpacked(archive: Path, folder: Path, then: Callable[[Path], None]) -> None:
    """Unpack beside ``folder`` and let ``then`` arrange it, so that after a stop in between the folder is not there."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    extract(archive, partial)
    then(partial)
    os.replace(partial, folder)


def parse_devkit_archive(root: Root, file: str | None = None, *, verify: bool = True) -> None:
    """Read names and ids from the development kit, and write them to ``meta.json``."""
    kit = Path(root, ".devkit.partial")
    shutil.rmtree(kit, ignore_errors=True)
    extract(_archive(root, file, "devkit", verify), kit)
    data = kit / "ILSVRC2012_devkit_t12" / "data"
    synsets = read_mat(data / "meta.mat", _HOW)
    with parsed(data / "meta.mat", "a list of synsets, each with number, id, names … and how many it has below it"):
        rows = [[_scalar(value) for value in row] for row in synsets["synsets"].reshape(-1)]
        leaves = {int(row[0]): str(row[1]) for row in rows if row[4] == 0}
        names = {str(row[1]): str(row[2]).split(", ") for row in rows if row[4] == 0}
    truth = data / "ILSVRC2012_validation_ground_truth.txt"
    with parsed(truth, "one number of a class on each line"):
        ids = [leaves[int(line)] for line in lines(truth, _HOW)]
    with replacing(Path(root, _OURS)) as temporary:
        temporary.write_text(json.dumps([names, ids]), encoding="utf-8")
    shutil.rmtree(kit)


def _scalar(value: Any) -> Any:
    return value.reshape(-1)[0] if value.size else ""


def parse_train_archive(root: Root, file: str | None = None, folder: str = "train", *, verify: bool = True) -> None:
    """Unpack the training images: an archive of one archive for each class."""

    def classes(partial: Path) -> None:
        for inner in sorted(partial.glob("*.tar")):
            extract(inner, inner.with_suffix(""))
            inner.unlink()

    _unpacked(_archive(root, file, "train", verify), Path(root, folder), classes)


def parse_val_archive(
    root: Root, file: str | None = None, wnids: list[str] | None = None, folder: str = "val", *, verify: bool = True
) -> None:
    """Unpack the validation images, and move each into the folder of its class."""
    ids = wnids if wnids is not None else load_meta_file(root)[1]
    archive = _archive(root, file, "val", verify)

    def sort(partial: Path) -> None:
        images = sorted(partial.iterdir())
        with parsed(archive, f"an archive of {len(ids):,} images"):
            pairs = list(zip(ids, images, strict=True))
        for wnid in set(ids):
            (partial / wnid).mkdir()
        for wnid, image in pairs:
            os.replace(image, partial / wnid / image.name)

    _unpacked(archive, Path(root, folder), sort)
