"""Datasets of files that lie in one folder a class."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from dovetail.errors import UnsupportedError, ValueRangeError

from ._errors import MissingFiles
from ._image import open_image
from .vision import VisionDataset

__all__ = [
    "IMG_EXTENSIONS", "DatasetFolder", "ImageFolder", "accimage_loader", "default_loader", "find_classes", "has_file_allowed_extension",
    "is_image_file", "make_dataset", "pil_loader",
]  # fmt: skip

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

Folder = str | Path
Samples = list[tuple[str, int]]


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Whether a file's name ends, in either case, with one of the ``extensions`` (in lower case).

    >>> has_file_allowed_extension("a/B.PNG", (".png", ".jpg"))
    True
    """
    return filename.lower().endswith(extensions if isinstance(extensions, str) else tuple(extensions))


def is_image_file(filename: str) -> bool:
    """Whether a file's name ends as those of images do.

    >>> is_image_file("a.tiff"), is_image_file("a.txt")
    (True, False)
    """
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: Folder) -> tuple[list[str], dict[str, int]]:
    """The names of the folders in ``directory``, sorted, and the number of each; MissingFiles where there are none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("dog", "cat"):
    ...         (Path(root) / name).mkdir()
    ...     find_classes(root)
    (['cat', 'dog'], {'cat': 0, 'dog': 1})
    """
    try:
        classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    except OSError as error:
        raise MissingFiles(directory, None, f"{error.strerror}; expected a folder with one folder a class in it") from error
    if not classes:
        raise MissingFiles(directory, None, "Couldn't find any class folder; expected one folder a class, root/CLASS/image.png")
    return classes, {name: index for index, name in enumerate(classes)}


def make_dataset(
    directory: Folder,
    class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> Samples:
    """Every file of every class as ``(path, class number)``, folders inside folders too, in sorted order.

    A file counts when its name ends with one of ``extensions``, or when ``is_valid_file`` says so; just one of the two is given.
    Raises MissingFiles for a class without files, unless ``allow_empty``.
    """
    directory = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    elif not class_to_idx:
        raise ValueRangeError("make_dataset", "class_to_idx is empty", "expected at least one class")
    if (extensions is None) == (is_valid_file is None):
        both = "neither" if extensions is None else "both"
        raise ValueRangeError("make_dataset", f"{both} of extensions and is_valid_file were given", "expected one of them")
    valid = is_valid_file or (lambda path: has_file_allowed_extension(path, extensions or ()))
    samples, empty = [], []
    for name in sorted(class_to_idx):
        found = [path for path in _files(os.path.join(directory, name)) if valid(path)]
        samples += [(path, class_to_idx[name]) for path in found]
        empty += [] if found else [name]
    if empty and not allow_empty:
        ends = (
            ""
            if extensions is None
            else f"; Supported extensions are: {extensions if isinstance(extensions, str) else ', '.join(extensions)}"
        )
        reason = f"Found no valid file for the classes {', '.join(empty)}{ends}; allow_empty=True keeps empty classes"
        raise MissingFiles(directory, None, reason)
    return samples


def _files(folder: str) -> list[str]:
    return [os.path.join(root, name) for root, _, names in sorted(os.walk(folder, followlinks=True)) for name in sorted(names)]


def accimage_loader(path: str) -> Any:
    """Refused: images are read by Pillow alone. It is here for programs that import it and do not use it.

    Raises an UnsupportedError.
    """
    raise UnsupportedError(
        "accimage_loader", f"{path!r} cannot be read by accimage", "expected pil_loader", "images are read by Pillow alone"
    )


def pil_loader(path: Folder) -> Image.Image:
    """An image file as a PIL image of mode "RGB"; Unreadable (a DecodeError and an OSError) for what Pillow cannot read."""
    return open_image(path, "RGB")


def default_loader(path: Folder) -> Any:
    """Read an image file with Pillow."""
    return pil_loader(path)


class DatasetFolder(VisionDataset):
    """Files in one folder a class, ``root/CLASS/…/file``; ``loader(path)`` turns a file into a sample.

    Attributes: ``classes`` (sorted names), ``class_to_idx``, ``samples`` (``(path, class number)`` of each), ``targets``. A subclass
    may override ``find_classes`` and ``make_dataset``. Files count as in :func:`make_dataset`.
    """

    def __init__(
        self,
        root: Folder,
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.loader = loader
        self.extensions = extensions
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(
        directory: Folder,
        class_to_idx: dict[str, int],
        extensions: tuple[str, ...] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> Samples:
        """List the samples; see :func:`make_dataset`."""
        if class_to_idx is None:
            raise ValueRangeError("DatasetFolder.make_dataset", "class_to_idx is None", "expected what find_classes gave")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: Folder) -> tuple[list[str], dict[str, int]]:
        """List the classes; see :func:`find_classes`."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        sample: Any = self.loader(path)
        return self._each(sample, target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images in one folder a class, ``root/dog/1.png``, ``root/cat/a/2.jpg``; a sample is ``(image, class number)``.

    The image is a PIL image of mode "RGB", unless another ``loader`` is given; ``imgs`` is ``samples``. Raises MissingFiles for a
    folder without classes and for a class without images (unless ``allow_empty``), Unreadable for an image that cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for name in ("cat", "dog"):
    ...         (Path(root) / name).mkdir()
    ...         Image.new("L", (4, 3)).save(Path(root) / name / "1.png")
    ...     images = ImageFolder(root)
    ...     images.classes, len(images), images[1][0].size, images[1][1]
    (['cat', 'dog'], 2, (4, 3), 1)
    """

    def __init__(
        self,
        root: Folder,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
