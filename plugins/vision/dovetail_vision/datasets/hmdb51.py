"""HMDB51: videos of actions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from dovetail.errors import ValueRangeError

from ._actions import Actions
from ._errors import MissingFiles
from ._files import lines, parsed
from .folder import find_classes, make_dataset
from .vision import Change, Root

__all__ = ["HMDB51"]


class HMDB51(Actions):
    """6,766 videos of 51 actions, cut into clips; three folds. Samples and arguments are those of :class:`UCF101`.

    Files lie in ``root/CLASS/….avi``, the lists ``CLASS_test_split1.txt`` … in ``annotation_path``; the publisher packs both as .rar.

    Source: H. Kuehne et al., HMDB: A Large Video Database for Human Motion Recognition, 2011.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.hmdb51) as root:
    ...     [label for _, _, label in HMDB51(os.path.join(root, "videos"), os.path.join(root, "lists"), 4, 2, train=False)]
    [1, 1]
    """

    data_url = "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/hmdb51_org.rar"
    splits: ClassVar[dict[str, str]] = {
        "url": "https://serre-lab.clps.brown.edu/wp-content/uploads/2013/10/test_train_splits.rar",
        "md5": "15e67781e70dcfbdce2d7dbb9b3344b5",
    }
    TRAIN_TAG = 1
    TEST_TAG = 2

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
        if fold not in (1, 2, 3):
            raise ValueRangeError("HMDB51", f"fold is {fold}", "fold should be between 1 and 3")
        self.fold, self.train, self.transform = fold, train, transform
        self.classes, class_to_idx = find_classes(self.root)
        self.samples = make_dataset(self.root, class_to_idx, ("avi",))
        self.indices = self._select_fold([path for path, _ in self.samples], annotation_path, fold, train)
        options = {"num_workers": num_workers, "output_format": output_format}
        self._cut(frames_per_clip, step_between_clips, frame_rate, _precomputed_metadata, options)

    def _select_fold(self, video_list: list[str], annotations_dir: str, fold: int, train: bool) -> list[int]:
        found = sorted(Path(annotations_dir).glob(f"*test_split{fold}.txt"))
        if not found:
            raise MissingFiles(annotations_dir, None, f"there is no *test_split{fold}.txt here; the lists come from {self.splits['url']}")
        chosen = set()
        for path in found:
            with parsed(path, "lines of a video and 0, 1 (train) or 2 (test)"):
                rows = [line.split() for line in lines(path)]
                chosen |= {name for name, tag in rows if int(tag) == (self.TRAIN_TAG if train else self.TEST_TAG)}
        return [number for number, video in enumerate(video_list) if os.path.basename(video) in chosen]
