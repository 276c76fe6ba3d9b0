"""Samplers under PyTorch's path."""

from __future__ import annotations

from ...data.sampler import *  # noqa: F403
from ...data.sampler import __all__  # noqa: F401
