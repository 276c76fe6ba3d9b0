"""SBU: photographs with captions, each fetched from its own address."""

from __future__ import annotations

import os
from typing import Any

from dovetail.errors import FormatError

from ._fetch import fetch, fetch_and_extract
from ._files import lines, parsed
from .folder import default_loader
from .vision import Change, Loader, Root, VisionDataset

__all__ = ["SBU"]


class SBU(VisionDataset):
    """Photographs of Flickr with one caption each, a million when it was published; those that are still there.

    A sample is ``(image, caption)``: what ``loader`` makes of the file (an "RGB" PIL image) and a text. Files lie in ``root/dataset``:
    two lists, ``SBU_captioned_photo_dataset_urls.txt`` and ``…_captions.txt``, and the images. As in torchvision they are fetched
    unless ``download=False``; images that are gone are left out.

    Source: V. Ordonez, G. Kulkarni, T. Berg, Im2Text: Describing Images Using 1 Million Captioned Photographs, 2011.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.sbu) as root:
    ...     SBU(root, download=False).captions
    ['a cat', 'a dog runs']
    """

    url = "https://www.cs.rice.edu/~vo9/sbucaptions/SBUCaptionedPhotoDataset.tar.gz"
    filename = "SBUCaptionedPhotoDataset.tar.gz"
    md5_checksum = "9aec147b3488753cf758b4d493422285"

    def __init__(
        self, root: Root, transform: Change = None, target_transform: Change = None, download: bool = True, loader: Loader = default_loader
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        if download:
            self.download()
        addresses, captions = (
            lines(self._path("SBU_captioned_photo_dataset_urls.txt")),
            self._path("SBU_captioned_photo_dataset_captions.txt"),
        )
        with parsed(captions, f"{len(addresses):,} lines, as there are addresses"):
            found = list(zip(map(str.rstrip, addresses), map(str.rstrip, lines(captions)), strict=True))
        there = [(os.path.basename(url), caption) for url, caption in found]
        there = [(name, caption) for name, caption in there if name and os.path.exists(self._path(name))]
        self.photos, self.captions = [name for name, _ in there], [caption for _, caption in there]

    def _path(self, name: str) -> str:
        return os.path.join(self.root, "dataset", name)

    def download(self) -> None:
        """Fetch the lists, then every photograph that is still at its address."""
        if not os.path.isfile(self._path("SBU_captioned_photo_dataset_urls.txt")):
            fetch_and_extract([self.url], self.root, self.md5_checksum, self.filename)
        for line in lines(self._path("SBU_captioned_photo_dataset_urls.txt")):
            try:
                fetch([line.rstrip()], self._path(os.path.basename(line.rstrip())))
            except (OSError, FormatError):  # many are gone
                pass

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self._each(self.loader(self._path(self.photos[index])), self.captions[index])

    def __len__(self) -> int:
        return len(self.photos)
