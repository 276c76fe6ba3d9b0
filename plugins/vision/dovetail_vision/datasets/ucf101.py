"""UCF101: videos of actions."""

from __future__ import annotations

import os
from typing import Any

from dovetail.errors import ValueRangeError

from ._actions import Actions
from ._files import lines
from .folder import find_classes, make_dataset
from .vision import Change, Root

__all__ = ["UCF101"]


class UCF101(Actions):
    """13,320 videos of 101 actions, cut into clips of ``frames_per_clip`` frames, one every ``step_between_clips``; three folds.

    A sample is ``(video, sound, label)``: a uint8 tensor ``(T, H, W, C)`` (``output_format="TCHW"``: ``(T, C, H, W)``), a float32 tensor
    ``(channels, samples)`` and an int. Files lie in ``root/CLASS/….avi``, the lists ``trainlist01.txt`` … in ``annotation_path``. Needs
    PyAV (``dovetail-vision[video]``). Raises MissingFiles, MissingPackage, FormatError.

    Source: K. Soomro, A. Zamir, M. Shah, UCF101: A Dataset of 101 Human Actions Classes From Videos in The Wild, 2012.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.ucf101) as root:
    ...     clips = UCF101(os.path.join(root, "videos"), os.path.join(root, "lists"), 4, 2)
    ...     len(clips), clips[0][0].shape, clips[0][2]
    (6, dovetail.Size([4, 16, 24, 3]), 0)
    """

    def __init__(
        self,
        root: Root,
        annotation_path: str,
        frames_per_clip: int,
        step_between_clips: int = 1,
        frame_rate: int | None = None,
        fold: int = 1,
        train: bool = True,
        transform: Change = None,
        _precomputed_metadata: dict[str, Any] | None = None,
        num_workers: int = 1,
        _video_width: int = 0,
        _video_height: int = 0,
        _video_min_dimension: int = 0,
        _audio_samples: int = 0,
        output_format: str = "THWC",
    ) -> None:
        super().__init__(root)
        if not 1 <= fold <= 3:
            raise ValueRangeError("UCF101", f"fold is {fold}", "fold should be between 1 and 3")
        self.fold, self.train, self.transform = fold, train, transform
        self.classes, class_to_idx = find_classes(self.root)
        self.samples = make_dataset(self.root, class_to_idx, ("avi",))
        self.indices = self._select_fold([path for path, _ in self.samples], annotation_path, fold, train)
        options = {"num_workers": num_workers, "output_format": output_format}
        self._cut(frames_per_clip, step_between_clips, frame_rate, _precomputed_metadata, options)

    def _select_fold(self, video_list: list[str], annotation_path: str, fold: int, train: bool) -> list[int]:
        path = os.path.join(annotation_path, f"{'train' if train else 'test'}list{fold:02d}.txt")
        names = (line.strip().split(" ")[0] for line in lines(path, "The lists come from https://www.crcv.ucf.edu/data/UCF101.php"))
        chosen = {os.path.join(self.root, *name.split("/")) for name in names}
        return [number for number, video in enumerate(video_list) if video in chosen]
