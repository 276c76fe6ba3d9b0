"""What the datasets of actions share: videos in one folder a class, cut into clips."""

from __future__ import annotations

from typing import Any

from .video_utils import VideoClips
from .vision import Change, VisionDataset

__all__ = ["Actions"]


class Actions(VisionDataset):
    """Clips of videos, each with its class: a sample is ``(video, sound, label)``.

    A subclass sets ``samples``, ``indices`` (which of them are in its part) and both sets of clips.
    """

    samples: list[tuple[str, int]]
    indices: list[int]
    full_video_clips: VideoClips
    video_clips: VideoClips
    transform: Change

    def _cut(self, frames_per_clip: int, step: int, frame_rate: float | None, metadata: Any, options: dict[str, Any]) -> None:
        paths = [path for path, _ in self.samples]
        self.full_video_clips = VideoClips(paths, frames_per_clip, step, frame_rate, metadata, **options)
        whole = len(self.indices) == len(paths)
        self.video_clips = self.full_video_clips if whole else self.full_video_clips.subset(self.indices)

    @property
    def metadata(self) -> dict[str, Any]:
        """What :class:`VideoClips` needs to know of all videos, for ``_precomputed_metadata``."""
        return self.full_video_clips.metadata

    def __getitem__(self, idx: int) -> tuple[Any, Any, int]:
        video, sound, _, number = self.video_clips.get_clip(idx)
        label = self.samples[self.indices[number]][1]
        return video if self.transform is None else self.transform(video), sound, label

    def __len__(self) -> int:
        return self.video_clips.num_clips()
