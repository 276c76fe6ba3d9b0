"""Models that see."""

from __future__ import annotations

from .digits_cnn import DigitsCNN, digits_cnn

__all__ = ["DigitsCNN", "digits_cnn"]
