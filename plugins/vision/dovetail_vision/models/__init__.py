"""Models that see."""

from __future__ import annotations

from .digits_cnn import DigitsCNN, digits_cnn
from .digits_resnet import DigitsResNet, digits_resnet

__all__ = ["DigitsCNN", "DigitsResNet", "digits_cnn", "digits_resnet"]
