"""Datasets under PyTorch's path."""

from __future__ import annotations

from ...data.dataset import *  # noqa: F403
from ...data.dataset import __all__  # noqa: F401
