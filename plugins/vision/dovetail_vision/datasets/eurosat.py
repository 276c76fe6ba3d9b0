"""EuroSAT: land seen by the satellite Sentinel-2."""

from __future__ import annotations

import os

from ._fetch import fetch_and_extract
from ._files import need
from .folder import ImageFolder, default_loader
from .vision import Change, Loader, Root

__all__ = ["EuroSAT"]


class EuroSAT(ImageFolder):
    """27,000 satellite images of 64 × 64 in 10 kinds of land use, one folder a class in ``root/eurosat/2750``.

    Source: P. Helber et al., EuroSAT: A Novel Dataset and Deep Learning Benchmark for Land Use and Land Cover Classification, 2019.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.eurosat) as root:
    ...     EuroSAT(root).classes
    ['Forest', 'River']
    """

    _URL = "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd/EuroSAT.zip"
    _MD5 = "c8fa014336c82ac7804f0398fcb19387"

    def __init__(
        self, root: Root, transform: Change = None, target_transform: Change = None, download: bool = False, loader: Loader = default_loader
    ) -> None:
        folder = os.path.expanduser(root)
        self._base_folder = os.path.join(folder, "eurosat")
        self._data_folder = os.path.join(self._base_folder, "2750")
        if download:
            self.download()
        super().__init__(need(self._data_folder), transform, target_transform, loader)
        self.root = folder

    def download(self) -> None:
        """Fetch the archive and unpack it, unless the images are there."""
        if not os.path.isdir(self._data_folder):
            fetch_and_extract([self._URL], self._base_folder, self._MD5)
