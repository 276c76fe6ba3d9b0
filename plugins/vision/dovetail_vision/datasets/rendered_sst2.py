"""RenderedSST2: sentences drawn as images, by their sentiment."""

from __future__ import annotations

from pathlib import Path

from ._fetch import fetch_and_extract
from ._files import need
from ._listed import Listed
from .folder import default_loader, make_dataset
from .vision import Change, Loader, Root, one_of

__all__ = ["RenderedSST2"]


class RenderedSST2(Listed):
    """Film reviews drawn as images, negative or positive: 6,920 in "train", 872 in "val", 1,821 in "test".

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and 0 or 1. Files lie in
    ``root/rendered-sst2/train/positive`` and so on. Raises MissingFiles, Unreadable.

    Source: A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.rendered_sst2) as root:
    ...     [label for _, label in RenderedSST2(root, "val")]
    [0, 1]
    """

    _URL = "https://openaipublic.azureedge.net/clip/data/rendered-sst2.tgz"
    _MD5 = "2384d08e9dcfa4bd55b324e610496ee5"

    def __init__(
        self,
        root: Root,
        split: str = "train",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "val", "test"))
        self._base_folder = Path(self.root) / "rendered-sst2"
        self.classes = ["negative", "positive"]
        self.class_to_idx = {"negative": 0, "positive": 1}
        self.loader = loader
        folder = self._base_folder / ("valid" if split == "val" else split)
        if download and not all((folder / name).is_dir() for name in self.classes):
            fetch_and_extract([self._URL], self.root, self._MD5)
        for name in self.classes:
            need(folder / name)
        samples = make_dataset(str(folder), extensions=("png",))
        self._image_files, self._labels = [path for path, _ in samples], [label for _, label in samples]

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"split={self._split}"
