"""Country211: photographs by the country where they were taken."""

from __future__ import annotations

import os
from pathlib import Path

from ._fetch import fetch_and_extract
from ._files import need
from .folder import ImageFolder, default_loader
from .vision import Change, Loader, Root, one_of

__all__ = ["Country211"]


class Country211(ImageFolder):
    """Photographs from 211 countries: of each 150 to train on ("train"), 50 to validate ("valid"), 100 to test on ("test").

    One folder a country, by its ISO-3166 code, in ``root/country211/train`` and so on; a sample is as of :class:`ImageFolder`.

    Source: A. Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.country211) as root:
    ...     Country211(root).classes
    ['AD', 'ZW']
    """

    _URL = "https://openaipublic.azureedge.net/clip/data/country211.tgz"
    _MD5 = "84988d7644798601126c29e9877aab6a"

    def __init__(
        self,
        root: Root,
        split: str = "train",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
    ) -> None:
        self._split = one_of(self, "split", split, ("train", "valid", "test"))
        folder = os.path.expanduser(root)
        self._base_folder = Path(folder) / "country211"
        if download and not self._base_folder.is_dir():
            fetch_and_extract([self._URL], folder, self._MD5)
        super().__init__(need(self._base_folder / split), transform, target_transform, loader)
        self.root = str(folder)
