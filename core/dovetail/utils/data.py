"""``dovetail.data`` under PyTorch's path."""

from __future__ import annotations

from ..data import *  # noqa: F403
from ..data import __all__  # noqa: F401
