"""Optical flow as colours."""

from __future__ import annotations

import math

import dovetail
from dovetail import Tensor
from dovetail.errors import ValueRangeError

__all__ = ["flow_to_image"]

# How many steps there are from red to yellow, green, cyan, blue, magenta and back to red, and which channel changes which way.
_WHEEL = ((15, (255, 1, 0)), (6, (-1, 255, 0)), (4, (0, 255, 1)), (11, (0, -1, 255)), (13, (1, 0, 255)), (6, (255, 0, -1)))


def _colours() -> Tensor:
    """The colour wheel ``(55, 3)``; Baker et al., "A Database and Evaluation Methodology for Optical Flow", ICCV 2007."""
    parts = []
    for steps, channels in _WHEEL:
        rising = (255 * dovetail.arange(steps) / steps).floor()
        table = {1: rising, -1: 255 - rising}
        parts.append(dovetail.stack([table.get(part, dovetail.full((steps,), float(part))) for part in channels], 1))
    return dovetail.cat(parts)


@dovetail.no_grad()
def flow_to_image(flow: Tensor) -> Tensor:
    """A float32 flow ``(2, H, W)`` or ``(N, 2, H, W)``, x and y, as uint8 ``(3, H, W)`` or ``(N, 3, H, W)``.

    The colour says the direction, and how far it is from white the length, over the longest of all.

    >>> flow_to_image(dovetail.zeros(2, 1, 1)).flatten().tolist()
    [255, 255, 255]
    """
    if flow.dtype != dovetail.float32:
        raise ValueRangeError("flow_to_image", f"flow is {flow.dtype}", "expected float32")
    if flow.ndim not in (3, 4) or flow.shape[-3] != 2:
        raise ValueRangeError("flow_to_image", f"flow has shape {tuple(flow.shape)}", "expected (2, H, W) or (N, 2, H, W)")
    longest = flow.pow(2).sum(-3).sqrt().max()
    x, y = (flow / (longest + dovetail.finfo(flow.dtype).eps)).unbind(-3)
    wheel = _colours().to(flow.device) / 255.0
    place = (dovetail.atan2(-y, -x) / math.pi + 1) / 2 * (len(wheel) - 1)
    first = place.floor().long()
    share = (place - first).unsqueeze(-1)
    colour = (1 - share) * wheel[first] + share * wheel[(first + 1) % len(wheel)]
    colour = 1 - (x.pow(2) + y.pow(2)).sqrt().unsqueeze(-1) * (1 - colour)
    return (255 * colour).floor().to(dovetail.uint8).moveaxis(-1, -3)
