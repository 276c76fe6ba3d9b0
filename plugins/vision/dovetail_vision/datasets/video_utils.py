"""Clips of a fixed number of frames, from lists of videos."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dovetail import Tensor, arange, as_strided, from_numpy, int64
from dovetail.errors import RangeError, ValueRangeError

from ._video import read_frames, read_sound, read_times

__all__ = ["VideoClips", "unfold"]


def unfold(tensor: Tensor, size: int, step: int, dilation: int = 1) -> Tensor:
    """Windows of ``size`` elements of a tensor ``(N,)``, one every ``step``: a view ``(windows, size)``.

    >>> unfold(arange(5), 3, 2).tolist()
    [[0, 1, 2], [2, 3, 4]]
    """
    if tensor.dim() != 1:
        raise ValueRangeError("unfold", f"tensor should have 1 dimension instead of {tensor.dim()}")
    stride = tensor.stride(0)
    count = (tensor.numel() - (dilation * (size - 1) + 1)) // step + 1
    return as_strided(tensor, (max(count, 0), size), (step * stride, dilation * stride))


class VideoClips:
    """Every clip of ``clip_length_in_frames`` frames of some videos, one starting every ``frames_between_clips``.

    ``frame_rate`` resamples the videos, in frames a second. ``metadata`` says how many frames each video has; given as
    ``_precomputed_metadata`` the files need not be looked through again. ``output_format`` is "THWC" or "TCHW". The arguments of older
    decoders, for size and sound, make no difference, as in torchvision. Needs PyAV (``dovetail-vision[video]``).

    >>> from dovetail_vision.datasets import tiny
    >>> import glob
    >>> with tiny.made(tiny.ucf101) as root:
    ...     clips = VideoClips(sorted(glob.glob(f"{root}/videos/*/*.avi")), 4, 2)
    ...     video, sound, info, number = clips.get_clip(3)
    >>> len(clips), video.shape, number
    (8, dovetail.Size([4, 16, 24, 3]), 1)
    """

    def __init__(
        self,
        video_paths: list[str],
        clip_length_in_frames: int = 16,
        frames_between_clips: int = 1,
        frame_rate: float | None = None,
        _precomputed_metadata: dict[str, Any] | None = None,
        num_workers: int = 0,
        _video_width: int = 0,
        _video_height: int = 0,
        _video_min_dimension: int = 0,
        _video_max_dimension: int = 0,
        _audio_samples: int = 0,
        _audio_channels: int = 0,
        output_format: str = "THWC",
    ) -> None:
        self.video_paths, self.num_workers = video_paths, num_workers
        self.output_format = output_format.upper()
        if self.output_format not in ("THWC", "TCHW"):
            raise ValueRangeError("VideoClips", f"output_format is {output_format!r}", "expected 'THWC' or 'TCHW'")
        if _precomputed_metadata is None:
            self._compute_frame_pts()
        else:
            self._init_from_metadata(_precomputed_metadata)
        self.compute_clips(clip_length_in_frames, frames_between_clips, frame_rate)

    def _compute_frame_pts(self) -> None:
        with ThreadPoolExecutor(max(self.num_workers, 1)) as pool:
            found = list(pool.map(read_times, self.video_paths))
        self.video_pts = [arange(len(times)) for times, _ in found]
        self.video_fps = [rate for _, rate in found]

    def _init_from_metadata(self, metadata: dict[str, Any]) -> None:
        self.video_paths, self.video_pts, self.video_fps = (metadata[key] for key in ("video_paths", "video_pts", "video_fps"))
        if not len(self.video_paths) == len(self.video_pts) == len(self.video_fps):
            counts = f"{len(self.video_paths)}, {len(self.video_pts)} and {len(self.video_fps)}"
            raise ValueRangeError("VideoClips", f"the metadata have {counts} paths, frames and rates", "expected as many of each")

    @property
    def metadata(self) -> dict[str, Any]:
        """The paths, the numbers of the frames and the frames a second of every video."""
        return {"video_paths": self.video_paths, "video_pts": self.video_pts, "video_fps": self.video_fps}

    def subset(self, indices: Sequence[int]) -> VideoClips:
        """The clips of some of the videos."""
        chosen = {key: [value[i] for i in indices] for key, value in self.metadata.items()}
        options: dict[str, Any] = {"num_workers": self.num_workers, "output_format": self.output_format}
        return type(self)(chosen["video_paths"], self.num_frames, self.step, self.frame_rate, chosen, **options)

    @staticmethod
    def compute_clips_for_video(
        video_pts: Tensor, num_frames: int, step: int, fps: float | None, frame_rate: float | None = None
    ) -> tuple[Tensor, Any]:
        """The numbers of the frames of each clip of one video, and what picks them after resampling."""
        fps = 1 if fps is None else fps
        frame_rate = fps if frame_rate is None else frame_rate
        chosen = VideoClips._resample_video_idx(math.floor(len(video_pts) * frame_rate / fps), fps, frame_rate)
        clips = unfold(video_pts[chosen], num_frames, step)
        if not clips.numel():
            warnings.warn(
                "There aren't enough frames in the current video to get a clip for the given clip length and "
                "frames between clips. The video (and potentially others) will be skipped.",
                stacklevel=2,
            )
        return clips, [chosen] * len(clips) if isinstance(chosen, slice) else unfold(chosen, num_frames, step)

    def compute_clips(self, num_frames: int, step: int, frame_rate: float | None = None) -> None:
        """Find the clips anew, of another length, distance or rate."""
        self.num_frames, self.step, self.frame_rate = num_frames, step, frame_rate
        videos = zip(self.video_pts, self.video_fps, strict=True)
        found = [self.compute_clips_for_video(pts, num_frames, step, fps, frame_rate) for pts, fps in videos]
        self.clips, self.resampling_idxs = [clips for clips, _ in found], [chosen for _, chosen in found]
        self.cumulative_sizes = list(itertools.accumulate(len(clips) for clips in self.clips))

    def __len__(self) -> int:
        return self.num_clips()

    def num_videos(self) -> int:
        """How many videos there are."""
        return len(self.video_paths)

    def num_clips(self) -> int:
        """How many clips there are in all videos."""
        return self.cumulative_sizes[-1] if self.cumulative_sizes else 0

    def get_clip_location(self, idx: int) -> tuple[int, int]:
        """Which video a clip is of, and which of its clips it is."""
        video = bisect.bisect_right(self.cumulative_sizes, idx)
        return video, idx - (self.cumulative_sizes[video - 1] if video else 0)

    @staticmethod
    def _resample_video_idx(num_frames: int, original_fps: float, new_fps: float) -> slice | Tensor:
        step = original_fps / new_fps
        if float(step).is_integer():
            return slice(None, None, int(step))
        return from_numpy(np.floor(np.arange(num_frames, dtype=np.float32) * np.float32(step)).astype(np.int64))

    def get_clip(self, idx: int) -> tuple[Tensor, Tensor, dict[str, Any], int]:
        """The frames (uint8), the sound (float32 ``(channels, samples)``), the frames a second, and the number of the video."""
        if not -self.num_clips() <= idx < self.num_clips():
            raise RangeError("VideoClips", f"Index {idx} out of range ({self.num_clips()} number of clips)")
        number, clip = self.get_clip_location(int(idx) % self.num_clips())
        path, numbers = self.video_paths[number], self.clips[number][clip]
        start, stop = int(numbers[0].item()), int(numbers[-1].item()) + 1
        video = from_numpy(read_frames(path, start, stop))
        _, fps = read_times(path)
        sound = from_numpy(read_sound(path, start / fps, stop / fps)) if fps else from_numpy(np.zeros((1, 0), np.float32))
        info: dict[str, Any] = {"video_fps": fps}
        if self.frame_rate is not None:
            chosen = self.resampling_idxs[number][clip]
            video = video[chosen if isinstance(chosen, slice) else (chosen - chosen[0]).to(int64)]
            info["video_fps"] = self.frame_rate
        return video if self.output_format == "THWC" else video.permute(0, 3, 1, 2).contiguous(), sound, info, number
