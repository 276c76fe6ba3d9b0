"""Which clips of each video a loader takes, and how processes share them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from importlib import import_module

import dovetail
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError
from dovetail.utils.data import Sampler

from ..video_utils import VideoClips

__all__ = ["DistributedSampler", "RandomClipSampler", "UniformClipSampler"]


class DistributedSampler(Sampler):
    """The share of one of ``num_replicas`` processes: groups of ``group_size`` consecutive indices go to them by turns.

    >>> list(DistributedSampler(range(8), num_replicas=2, rank=1, group_size=2))
    [2, 3, 6, 7]
    """

    def __init__(
        self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = False, group_size: int = 1
    ) -> None:
        if num_replicas is None or rank is None:
            try:
                world = import_module("dovetail.distributed")
            except ImportError as error:
                remedy = "pass num_replicas and rank"
                raise UnsupportedError("DistributedSampler", "Requires distributed package to be available", "", remedy) from error
            num_replicas = world.get_world_size() if num_replicas is None else num_replicas
            rank = world.get_rank() if rank is None else rank
        if len(dataset) % group_size != 0:
            what = f"dataset length {len(dataset)} is no multiple of the group size {group_size}"
            raise ValueRangeError("DistributedSampler", what, "dataset length must be a multiplier of group size")
        self.dataset, self.group_size, self.num_replicas, self.rank = dataset, group_size, num_replicas, rank
        self.epoch, self.shuffle = 0, shuffle
        self.num_group_samples = math.ceil(len(dataset) // group_size / num_replicas)
        self.num_samples = self.num_group_samples * group_size
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        draw = dovetail.Generator().manual_seed(self.epoch)
        indices = dovetail.randperm(count, generator=draw).tolist() if self.shuffle else list(range(count))
        indices += indices[: self.total_size - count]  # so that every process has as many
        groups = [indices[at : at + self.group_size] for at in range(0, self.total_size, self.group_size)]
        chosen = [index for group in groups[self.rank :: self.num_replicas] for index in group]
        if isinstance(self.dataset, Sampler):
            own = list(self.dataset)
            chosen = [own[index] for index in chosen]
        return iter(chosen)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch


class _ClipSampler(Sampler):
    def __init__(self, video_clips: VideoClips, count: int) -> None:
        if not isinstance(video_clips, VideoClips):
            what = f"video_clips is {type(video_clips)}"
            raise TypeMismatch(type(self).__name__, what, "Expected video_clips to be an instance of VideoClips")
        self.video_clips, self._count = video_clips, count

    def _starts(self) -> Iterator[tuple[int, int]]:
        """The first clip and the number of clips of each video that has any."""
        start = 0
        for clips in self.video_clips.clips:
            if len(clips):
                yield start, len(clips)
            start += len(clips)


class UniformClipSampler(_ClipSampler):
    """As many clips of each video, at equal distances; those of a short video several times."""

    def __init__(self, video_clips: VideoClips, num_clips_per_video: int) -> None:
        super().__init__(video_clips, num_clips_per_video)
        self.num_clips_per_video = num_clips_per_video

    def __iter__(self) -> Iterator[int]:
        steps = self.num_clips_per_video
        for start, count in self._starts():
            yield from dovetail.linspace(start, start + count - 1, steps=steps).floor().to(dovetail.int64).tolist()

    def __len__(self) -> int:
        return sum(self.num_clips_per_video for _ in self._starts())


class RandomClipSampler(_ClipSampler):
    """At most so many clips of each video, drawn and then shuffled with those of the others."""

    def __init__(self, video_clips: VideoClips, max_clips_per_video: int) -> None:
        super().__init__(video_clips, max_clips_per_video)
        self.max_clips_per_video = max_clips_per_video

    def __iter__(self) -> Iterator[int]:
        chosen = [start + i for start, count in self._starts() for i in dovetail.randperm(count)[: self.max_clips_per_video].tolist()]
        return iter([chosen[i] for i in dovetail.randperm(len(chosen)).tolist()])

    def __len__(self) -> int:
        return sum(min(count, self.max_clips_per_video) for _, count in self._starts())
