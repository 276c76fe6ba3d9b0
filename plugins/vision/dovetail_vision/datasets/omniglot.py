"""Omniglot: handwritten characters of fifty alphabets."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from ._fetch import fetch_and_extract
from ._files import need, sorted_names
from ._image import open_image
from .vision import Change, Loader, Root, VisionDataset

__all__ = ["Omniglot"]


class Omniglot(VisionDataset):
    """Characters of 50 alphabets, each by 20 writers, 105 × 105: 19,280 of 964 in the background set, 13,180 of 659 to evaluate.

    A sample is ``(image, label)``: a PIL image of mode "L" (or what ``loader`` makes of the file) and the number of the character, in
    the sorted order of folders. Files lie in ``root/omniglot-py/images_background`` and ``images_evaluation``.

    Source: B. Lake, R. Salakhutdinov, J. Tenenbaum, Human-level concept learning through probabilistic program induction, 2015.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.omniglot) as root:
    ...     [label for _, label in Omniglot(root)]
    [0, 0, 1, 2]
    """

    folder = "omniglot-py"
    download_url_prefix = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
    zips_md5: ClassVar[dict[str, str]] = {
        "images_background": "68d2efa1b9178cc56df9314c21c6e718",
        "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
    }

    def __init__(
        self,
        root: Root,
        background: bool = True,
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader | None = None,
    ) -> None:
        super().__init__(os.path.join(root, self.folder), transform=transform, target_transform=target_transform)
        self.background = background
        self.loader = loader
        self.target_folder = os.path.join(self.root, self._get_target_folder())
        if download:
            self.download()
        need(self.target_folder)
        self._alphabets = self._folders("")
        self._characters = [os.path.join(alphabet, name) for alphabet in self._alphabets for name in self._folders(alphabet)]
        self._flat_character_images = [
            (image, label)
            for label, character in enumerate(self._characters)
            for image in sorted_names(os.path.join(self.target_folder, character), lambda entry: entry.name.endswith(".png"))
        ]

    def _folders(self, inside: str) -> list[str]:
        return sorted_names(os.path.join(self.target_folder, inside), lambda entry: entry.is_dir())

    def _get_target_folder(self) -> str:
        return "images_background" if self.background else "images_evaluation"

    def download(self) -> None:
        """Fetch the archive of the set and unpack it, unless its folder is there."""
        name = self._get_target_folder()
        if not os.path.isdir(self.target_folder):
            fetch_and_extract([f"{self.download_url_prefix}/{name}.zip"], self.root, self.zips_md5[name])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        name, label = self._flat_character_images[index]
        path = os.path.join(self.target_folder, self._characters[label], name)
        return self._each(open_image(path, "L") if self.loader is None else self.loader(path), label)

    def __len__(self) -> int:
        return len(self._flat_character_images)
