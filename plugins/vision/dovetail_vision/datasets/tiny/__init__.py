"""Tiny sets of files in the true formats, for tests: each function writes one below a folder that becomes a dataset's root."""

from __future__ import annotations

from . import basic, boxes, make, numbers, pictures
from .basic import *
from .boxes import *
from .make import *
from .numbers import *
from .pictures import *

__all__ = basic.__all__ + boxes.__all__ + make.__all__ + numbers.__all__ + pictures.__all__
