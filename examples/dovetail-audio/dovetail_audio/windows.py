"""The hook ``audio/window``: the windows that frames are multiplied with. Other plugins may bring more.

[hooks]
module = "dovetail_tapers.hooks"
implements = ["audio/window"]

@hookimpl
def audio_window(name, length): ...
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail.hooks import hookspec

__all__ = ["built_in", "window"]


@hookspec(firstresult=True)
def window(name: str, length: int) -> Any:
    """A window of this name as an array of ``length`` float64 values, or None to leave it to the next plugin."""


def built_in(name: str, length: int) -> Any:
    """The periodic Hann and Hamming windows (Harris, On the Use of Windows for Harmonic Analysis with the DFT, 1978), and ones.

    >>> built_in("hann", 4).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    turn = np.cos(2 * np.pi * np.arange(length) / length)
    made = {"hann": 0.5 - 0.5 * turn, "hamming": 0.54 - 0.46 * turn, "ones": np.ones(length)}
    return made.get(name)
