"""Tiny sets of files in the true formats, for tests: each function writes one below a folder that becomes a dataset's root."""

from __future__ import annotations

from . import archives, basic, boxes, databases, faces, make, numbers, pairs, pictures, videos
from .archives import *
from .basic import *
from .boxes import *
from .databases import *
from .faces import *
from .make import *
from .numbers import *
from .pairs import *
from .pictures import *
from .videos import *

__all__ = archives.__all__ + basic.__all__ + boxes.__all__ + databases.__all__ + faces.__all__
__all__ += make.__all__ + numbers.__all__ + pairs.__all__ + pictures.__all__ + videos.__all__
