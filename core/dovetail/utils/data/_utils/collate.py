"""Collation under PyTorch's private path."""

from __future__ import annotations

from ....data.collate import *  # noqa: F403
from ....data.collate import __all__, default_collate_fn_map  # noqa: F401
