"""Frames and sound of video files, through PyAV (the package av)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from dovetail.errors import DovetailError

from ._errors import DamagedFile, package
from ._files import need
from ._image import MOST_PIXELS

__all__ = ["read_frames", "read_sound", "read_times"]


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    av = package("av", "videos", "video")
    need(path)
    try:
        with av.open(path, mode="r") as container:
            yield container
    except (DovetailError, MemoryError):
        raise
    except Exception as error:  # FFmpeg's readers raise whatever a damaged file leads them to
        reason = f"cannot be read as a video ({type(error).__name__}: {error}); is the file damaged?"
        raise DamagedFile(path, None, reason) from error


def _stream(container: Any, path: str) -> Any:
    if not container.streams.video:
        raise DamagedFile(path, None, "has no stream of images")
    stream = container.streams.video[0]
    size = stream.codec_context.width, stream.codec_context.height
    if not 0 < size[0] * size[1] <= MOST_PIXELS:
        raise DamagedFile(path, None, f"has frames of {size[0]} × {size[1]} pixels; at most {MOST_PIXELS:,} are allowed")
    return stream


def read_times(path: str) -> tuple[tuple[int | None, ...], float | None]:
    """When each frame is shown, in order and in the stream's own unit (None where it does not say), and frames a second."""
    return _times(path, os.path.getmtime(need(path)))


@lru_cache(maxsize=1024)
def _times(path: str, changed: float) -> tuple[tuple[int | None, ...], float | None]:
    with _opened(path) as container:
        stream = _stream(container, path)
        times = [packet.pts for packet in container.demux(stream) if packet.size]
        if not times:
            raise DamagedFile(path, None, "has no frames")
        rate = stream.average_rate
    known = None not in times and len(set(times)) == len(times)
    return tuple(sorted(times)) if known else (None,) * len(times), float(rate) if rate else None


def read_frames(path: str, start: int, stop: int) -> np.ndarray:
    """The frames from ``start`` to before ``stop``, uint8 ``(T, H, W, 3)``; fewer where the file is cut."""
    times, _ = read_times(path)
    found: dict[int, np.ndarray] = {}
    with _opened(path) as container:
        stream = _stream(container, path)
        place = {time: number for number, time in enumerate(times)} if times[0] is not None else None
        if place is not None and start:
            container.seek(times[start], stream=stream, backward=True)
        for count, frame in enumerate(container.decode(stream)):
            number = count if place is None else place.get(frame.pts, -1)
            if start <= number < stop:
                found[number] = frame.to_ndarray(format="rgb24")
            if len(found) == stop - start or (place is None and number >= stop):
                break
    if len(found) != stop - start:
        raise DamagedFile(path, None, f"gives {len(found)} of the frames {start} to {stop - 1}; is the file damaged?")
    return np.stack([found[number] for number in range(start, stop)])


def read_sound(path: str, start: float, stop: float) -> np.ndarray:
    """The sound between two times in seconds, float32 ``(channels, samples)`` from -1 to 1; ``(1, 0)`` where there is none."""
    with _opened(path) as container:
        if not container.streams.audio:
            return np.zeros((1, 0), np.float32)
        stream = container.streams.audio[0]
        converter = package("av", "videos", "video").AudioResampler(format="fltp")
        parts, begin, rate = [], None, stream.rate
        for frame in container.decode(stream):
            begin = frame.time if begin is None else begin
            if frame.time is not None and frame.time >= stop:
                break
            parts += [part.to_ndarray() for part in converter.resample(frame)]
    if not parts:
        return np.zeros((1, 0), np.float32)
    sound, first = np.concatenate(parts, 1), begin or 0.0
    return sound[:, max(round((start - first) * rate), 0) : max(round((stop - first) * rate), 0)].astype(np.float32)
