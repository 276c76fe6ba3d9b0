"""Kinetics: videos of actions."""

from __future__ import annotations

import os
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from dovetail.errors import ValueRangeError

from ._actions import Actions
from ._fetch import extract, fetch
from ._files import lines, parsed, read_csv
from .folder import find_classes, make_dataset
from .vision import Change, Root, one_of

__all__ = ["Kinetics"]

_URL = "https://s3.amazonaws.com/kinetics/"
_NAME = "{youtube_id}_{start:06}_{end:06}.mp4"
_FOLDERS = {"400": ("400", "k400"), "600": ("600", "k600"), "700": ("700_2020", "k700_2020")}


class Kinetics(Actions):
    """Videos of 400, 600 or 700 actions (``num_classes``), cut into clips, in "train", "val" and "test".

    A sample is ``(video, sound, label)`` as of :class:`UCF101`, the video as ``(T, C, H, W)`` unless ``output_format="THWC"``. Files lie in
    ``root/train/CLASS/….mp4``; ``download=True`` fetches the publisher's archives. Needs PyAV (``dovetail-vision[video]``).

    Source: W. Kay et al., The Kinetics Human Action Video Dataset, 2017, https://arxiv.org/abs/1705.06950, CC BY 4.0.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.kinetics) as root:
    ...     clips = Kinetics(root, 4, split="val", step_between_clips=2)
    ...     clips.classes, clips[0][0].shape
    (['abseiling', 'zumba'], dovetail.Size([4, 3, 16, 24]))
    """

    _TAR_URLS: ClassVar[dict[str, str]] = {
        count: f"{_URL}{folder}/{{split}}/{name}_{{split}}_path.txt" for count, (folder, name) in _FOLDERS.items()
    }
    _ANNOTATION_URLS: ClassVar[dict[str, str]] = {
        count: f"{_URL}{folder}/annotations/{{split}}.csv" for count, (folder, _) in _FOLDERS.items()
    }

    def __init__(
        self,
        root: Root,
        frames_per_clip: int,
        num_classes: str = "400",
        split: str = "train",
        frame_rate: int | None = None,
        step_between_clips: int = 1,
        transform: Change = None,
        extensions: tuple[str, ...] = ("avi", "mp4"),
        download: bool = False,
        num_download_workers: int = 1,
        num_workers: int = 1,
        _precomputed_metadata: dict[str, Any] | None = None,
        _video_width: int = 0,
        _video_height: int = 0,
        _video_min_dimension: int = 0,
        _audio_samples: int = 0,
        _audio_channels: int = 0,
        _legacy: bool = False,
        output_format: str = "TCHW",
    ) -> None:
        super().__init__(root)
        self.num_classes = one_of(self, "num_classes", num_classes, _FOLDERS)
        self.extensions, self.num_download_workers, self._legacy, self.transform = extensions, num_download_workers, _legacy, transform
        if _legacy:
            self.split_folder, self.split, output_format = self.root, "unknown", "THWC"
            if download:
                raise ValueRangeError("Kinetics", "download and _legacy are set", "Cannot download the videos using legacy_structure")
        else:
            self.split = one_of(self, "split", split, ("train", "val", "test"))
            self.split_folder = os.path.join(self.root, split)
        if download:
            self.download_and_process_videos()
        self.classes, class_to_idx = find_classes(self.split_folder)
        self.samples = make_dataset(self.split_folder, class_to_idx, extensions)
        self.indices = list(range(len(self.samples)))
        options = {"num_workers": num_workers, "output_format": output_format}
        self._cut(frames_per_clip, step_between_clips, frame_rate, _precomputed_metadata, options)

    def download_and_process_videos(self) -> None:
        """Fetch the archives of the split and unpack them, then put each video into the folder of its class."""
        if not os.path.exists(self.split_folder):
            url = self._TAR_URLS[self.num_classes].format(split=self.split)
            listed = fetch([url], os.path.join(self.root, "files", os.path.basename(url)))
            archives = [urllib.parse.quote(line, safe="/,:") for line in lines(listed)]
            with ThreadPoolExecutor(max(self.num_download_workers, 1)) as pool:
                list(pool.map(self._fetch_archive, archives))
        self._make_ds_structure()

    def _fetch_archive(self, url: str) -> None:
        extract(fetch([url], os.path.join(self.root, "tars", os.path.basename(url))), self.split_folder)

    def _make_ds_structure(self) -> None:
        url = self._ANNOTATION_URLS[self.num_classes].format(split=self.split)
        path = fetch([url], os.path.join(self.root, "annotations", f"{self.split}.csv"))
        with parsed(path, "a table with label, youtube_id, time_start and time_end"):
            for row in read_csv(path):
                name = _NAME.format(youtube_id=row["youtube_id"], start=int(row["time_start"]), end=int(row["time_end"]))
                label = row["label"].replace(" ", "_").translate({ord(letter): None for letter in "'()"})
                if "/" in name + label or label.startswith("."):
                    raise ValueError(f"a label is {label!r}")
                there = os.path.join(self.split_folder, name)
                os.makedirs(os.path.join(self.split_folder, label), exist_ok=True)
                if os.path.isfile(there):
                    os.replace(there, os.path.join(self.split_folder, label, name))
