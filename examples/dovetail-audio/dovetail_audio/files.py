"""Sound files, read by libsndfile: RIFF/WAVE, and what else the library at hand knows."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

import dovetail as dv
from dovetail.errors import DecodeError

from .clips import Clip

__all__ = ["example", "example_flac", "other_formats", "read", "write"]

_OPEN_ENDED = (0, 0xFFFFFFFF)  # what writes to a pipe, and does not know the size, puts into a RIFF header


def read(data: bytes, kind: str, most: int) -> Clip:
    """The clip in the bytes of a file, with ``most`` values at most. Raises a DecodeError for bytes that are not one.

    The format is described in Microsoft, Multiple Channel Audio Data and WAVE Files, 2007.
    """
    import soundfile

    name = f"sample {kind}"
    if data[:4] == b"RIFF" and len(data) >= 8:
        size = int.from_bytes(data[4:8], "little")
        if size not in _OPEN_ENDED and size + 8 > len(data):  # libsndfile gives what is there, without a word
            raise DecodeError(name, 4, f"declares {size + 8} bytes, but {len(data)} are there; is the file cut off?")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames * file.channels > most:
                what = f"declares {file.frames} samples of {file.channels} channels"
                raise DecodeError(name, None, f"{what}; at most {most} values are allowed")
            values = file.read(dtype="float32", always_2d=True)
            rate, expected = file.samplerate, file.frames
    except (soundfile.SoundFileError, ValueError, OverflowError) as error:
        raise DecodeError(name, None, f"libsndfile says: {error}") from None
    if len(values) != expected or rate <= 0:
        raise DecodeError(name, None, f"holds {len(values)} samples of {expected} at rate {rate}")
    channels = np.ascontiguousarray(values.T)
    return Clip(dv.from_numpy(channels[0] if len(channels) == 1 else channels), rate)


def write(path: str | os.PathLike[str], clip: Clip, subtype: str = "PCM_16") -> None:
    """Write a clip; the suffix says the format."""
    import soundfile

    soundfile.write(os.fspath(path), clip.waveform.numpy().T, clip.rate, subtype=subtype)


def other_formats() -> dict[str, dict[str, Any]]:
    """Rows for what the libsndfile at hand can read besides WAV, which is known at run time only."""
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the package without its library; `dovetail doctor` says so
        return {}
    if "FLAC" not in soundfile.available_formats():
        return {}
    row = {"summary": "FLAC files, as clips", "magic": "fLaC", "example": {"fixture": "dovetail_audio.files:example_flac"}}
    return {".flac": row}


def _tone() -> Clip:
    return Clip(dv.sin(dv.arange(200) / 5.0) * 0.5, 8000)


def example(path: os.PathLike[str]) -> None:
    """Write a small WAV file, for the tests."""
    write(path, _tone())


def example_flac(path: os.PathLike[str]) -> None:
    """Write a small FLAC file, for the tests."""
    write(path, _tone())
