"""CLEVR: rendered scenes, classified by how many things are in them."""

from __future__ import annotations

from pathlib import Path

from ._fetch import fetch_and_extract
from ._files import need, parsed, read_json, sorted_names
from ._listed import Listed
from .folder import default_loader
from .vision import Change, Loader, Root, one_of

__all__ = ["CLEVRClassification"]


class CLEVRClassification(Listed):
    """Rendered scenes and the number of things in each: 70,000 in "train", 15,000 in "val" and, without labels, in "test".

    A sample is ``(image, count)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int, None in "test". Files lie in
    ``root/clevr/CLEVR_v1.0/images`` and ``scenes``. Raises MissingFiles, FormatError, Unreadable.

    Source: J. Johnson et al., CLEVR: A Diagnostic Dataset for Compositional Language and Elementary Visual Reasoning, 2017.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.clevr) as root:
    ...     [count for _, count in CLEVRClassification(root)]
    [3, 1]
    """

    _URL = "https://dl.fbaipublicfiles.com/clevr/CLEVR_v1.0.zip"
    _MD5 = "b11922020e72d0cd9154779b2d3d07d2"

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
        self.loader = loader
        self._base_folder = Path(self.root) / "clevr"
        self._data_folder = self._base_folder / "CLEVR_v1.0"
        if download and not self._data_folder.is_dir():
            fetch_and_extract([self._URL], self._base_folder, self._MD5)
        folder = need(self._data_folder) / "images" / split
        self._image_files = [folder / name for name in sorted_names(folder)]
        self._labels = [None] * len(self._image_files) if split == "test" else self._counts()

    def _counts(self) -> list[int]:
        path = self._data_folder / "scenes" / f"CLEVR_{self._split}_scenes.json"
        found = read_json(path)
        with parsed(path, "a list of scenes with image_filename and objects, one for each image"):
            counts = {scene["image_filename"]: len(scene["objects"]) for scene in found["scenes"]}
            return [counts[file.name] for file in self._image_files]

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"split={self._split}"
