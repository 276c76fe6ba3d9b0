"""``dovetail.data`` under PyTorch's path."""

from __future__ import annotations

from ...data import *
from ...data import __all__
from . import distributed
