"""Tiny sets of videos, without loss, so that their frames are known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from .make import pixels, text

__all__ = ["hmdb51", "kinetics", "ucf101", "video"]


def video(path: Path, frames: np.ndarray, rate: int = 10, sound: int = 0) -> None:
    """Write frames ``(T, H, W, 3)`` in the codec FFV1, and a tone of ``sound`` hertz where it is not 0."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="matroska" if path.suffix == ".mp4" else None) as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
        tone = container.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24").reformat(format="bgr0")
            picture.pts, picture.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(picture))
            if tone is not None:
                times = (number * 8000 // rate + np.arange(8000 // rate)) / 8000
                wave = (np.sin(2 * np.pi * sound * times) * 20000).astype(np.int16)
                part = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
                part.sample_rate, part.pts, part.time_base = 8000, number * 8000 // rate, Fraction(1, 8000)
                container.mux(tone.encode(part))
        container.mux(stream.encode())
        if tone is not None:
            container.mux(tone.encode())


def _clips(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        video(folder / name, pixels(number, 8 - 2 * (number % 2), 16, 24, 3), sound=0 if number % 2 else 440)


def ucf101(folder: Path) -> None:
    """Two videos of one action and one of another; the first two to train on in the first fold, as in the second the last."""
    names = ("Archery/v_Archery_g01_c01.avi", "Archery/v_Archery_g02_c01.avi", "Biking/v_Biking_g01_c01.avi")
    _clips(folder / "videos", names[0], names[2], names[1])
    text(folder / "lists" / "trainlist01.txt", f"{names[0]} 1", f"{names[1]} 1")
    text(folder / "lists" / "testlist01.txt", names[2])
    text(folder / "lists" / "trainlist02.txt", f"{names[2]} 2")


def hmdb51(folder: Path) -> None:
    """Two actions with one video each in the first part, one with one in the second."""
    _clips(folder / "videos", "cartwheel/a.avi", "climb/b.avi", "climb/c.avi")
    text(folder / "lists" / "cartwheel_test_split1.txt", "a.avi 1 ")
    text(folder / "lists" / "climb_test_split1.txt", "b.avi 2 ", "c.avi 1 ")


def kinetics(folder: Path) -> None:
    """Two actions to validate."""
    _clips(folder / "val", "abseiling/a_000000_000010.avi", "zumba/b_000000_000010.avi")
