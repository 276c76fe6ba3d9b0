"""The v2 transforms as functions, for PIL images, tensors and every kind of ``tv_tensors``, which comes back as it went in.

``resize(boxes, …)`` calls what is attached to its kind; the functions for plain tensors have torchvision's names (``resize_image``,
``resize_mask``, ``resize_bounding_boxes``, ``resize_keypoints`` …), and ``register_kernel`` adds kinds of one's own.
"""

from __future__ import annotations

from typing import Any

from ... import functional as _v1
from ..._interpolation import InterpolationMode
from . import _box_moves, _boxes, _color, _faces, _geometry, _masks, _misc, _point_moves, _sizes
from ._box_moves import *
from ._boxes import *
from ._color import *
from ._faces import *
from ._geometry import *
from ._kernels import is_pure_tensor, register_kernel
from ._masks import *
from ._misc import *
from ._point_moves import *
from ._sizes import *

_PARTS = (_box_moves, _boxes, _color, _faces, _geometry, _masks, _misc, _point_moves, _sizes)
__all__ = ["InterpolationMode", "get_image_size", "is_pure_tensor", "register_kernel", "to_tensor"]
__all__ += sorted(name for part in _PARTS for name in part.__all__)  # noqa: PLE0605


def get_image_size(inpt: Any) -> list[int]:
    """``[width, height]``; ``get_size`` gives the height first.

    >>> import dovetail
    >>> get_image_size(dovetail.zeros(3, 2, 4))
    [4, 2]
    """
    return _v1.get_image_size(inpt)


def to_tensor(inpt: Any) -> Any:
    """An image or array as a float tensor in 0..1, as ``transforms.functional.to_tensor`` makes it.

    >>> from PIL import Image
    >>> to_tensor(Image.new("L", (1, 1), 255))
    tensor([[[1.]]])
    """
    return _v1.to_tensor(inpt)


def __getattr__(name: str) -> Any:
    """Say what there is."""
    from dovetail.errors import UnknownAttribute

    raise UnknownAttribute(__name__, f"there is no {name}", "expected a function of torchvision.transforms.v2.functional")
