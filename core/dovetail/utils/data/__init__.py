"""``dovetail.data`` under PyTorch's path."""

from __future__ import annotations

from ...absent import answers
from ...data import *
from ...data import __all__
from . import distributed

_, __getattr__, __dir__ = answers(__name__)
