"""Flickr8k and Flickr30k: photographs with five captions each."""

from __future__ import annotations

import os
from html.parser import HTMLParser
from typing import Any

from ._files import beside, lines, parsed, read_text, sorted_names
from .folder import default_loader
from .vision import Change, Loader, Root, VisionDataset

__all__ = ["Flickr8k", "Flickr8kParser", "Flickr30k"]

_HOW = "The publisher sends it to those who ask, see https://shannon.cs.illinois.edu/DenotationGraph/"


class Flickr8kParser(HTMLParser):
    """Finds the captions in Flickr8k's web page: ``annotations`` has those of each image, by its path below ``root``.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.flickr) as root:
    ...     parser = Flickr8kParser(root)
    ...     parser.feed("<table><a>http://flickr.com/17/</a><li>a cat</li></table>")
    >>> list(parser.annotations.values())
    [['a cat']]
    """

    def __init__(self, root: Root) -> None:
        super().__init__()
        self.root = root
        self.annotations: dict[str, list[str]] = {}
        self.in_table = False
        self.current_tag: str | None = None
        self.current_img: str | None = None
        self._names: dict[str, str] = {}
        for name in sorted_names(root, lambda entry: entry.name.endswith(".jpg")):
            self._names.setdefault(name.partition("_")[0], name)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember where we are."""
        self.current_tag = tag
        self.in_table |= tag == "table"

    def handle_endtag(self, tag: str) -> None:
        """Remember where we are no more."""
        self.current_tag = None
        self.in_table &= tag != "table"

    def handle_data(self, data: str) -> None:
        """Take an address of an image, or a caption of the last one."""
        if not self.in_table:
            return
        if data == "Image Not Found":
            self.current_img = None
        elif self.current_tag == "a":
            self.current_img = os.path.join(self.root, self._names[data.split("/")[-2]])
            self.annotations[self.current_img] = []
        elif self.current_tag == "li" and self.current_img:
            self.annotations[self.current_img].append(data.strip())


class Flickr8k(VisionDataset):
    """8,000 photographs with five captions each; a sample is ``(image, captions)``, what ``loader`` makes of the file and a list of texts.

    ``root`` has the images, ``ann_file`` is the web page with the captions. Raises MissingFiles, FormatError, Unreadable.

    Source: M. Hodosh, P. Young, J. Hockenmaier, Framing Image Description as a Ranking Task, 2013.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.flickr) as root:
    ...     Flickr8k(root, os.path.join(root, "captions.html"))[0][1]
    ['a cat', 'a cat sits']
    """

    def __init__(
        self, root: Root, ann_file: str, transform: Change = None, target_transform: Change = None, loader: Loader = default_loader
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.ann_file = beside(self.root, ann_file)
        parser = Flickr8kParser(self.root)
        with parsed(self.ann_file, "the web page of Flickr8k's captions, of images that are in root"):
            parser.feed(read_text(self.ann_file, _HOW))
            if not parser.annotations:
                raise ValueError("there is no table with captions")
        self.annotations = parser.annotations
        self.ids = sorted(self.annotations)
        self.loader = loader

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        name = self.ids[index]
        return self._each(self.loader(name), self.annotations[name])

    def __len__(self) -> int:
        return len(self.ids)


class Flickr30k(VisionDataset):
    """31,783 photographs with five captions each; a sample is ``(image, captions)``, what ``loader`` makes of the file and a list of texts.

    ``root`` has the images, ``ann_file`` is a list of lines ``17.jpg#0`` and a caption, with a tab between.

    Source: P. Young et al., From image descriptions to visual denotations, 2014.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.flickr) as root:
    ...     Flickr30k(root, os.path.join(root, "captions.token"))[1][1]
    ['a dog', 'a dog runs']
    """

    def __init__(
        self, root: Root, ann_file: str, transform: Change = None, target_transform: Change = None, loader: Loader = default_loader
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.ann_file = beside(self.root, ann_file)
        self.annotations: dict[str, list[str]] = {}
        with parsed(self.ann_file, "lines of an image with a number and a caption, a tab between them"):
            for line in lines(self.ann_file, _HOW):
                name, caption = line.strip().split("\t")
                self.annotations.setdefault(name[:-2], []).append(caption)
        self.ids = sorted(self.annotations)
        self.loader = loader

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        name = self.ids[index]
        return self._each(self.loader(os.path.join(self.root, name)), self.annotations[name])

    def __len__(self) -> int:
        return len(self.ids)
