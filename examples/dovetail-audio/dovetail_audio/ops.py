"""An op of the plugin's own: μ-law, as telephones have it."""

from __future__ import annotations

import math
from typing import Any

import dovetail as dv
from dovetail.extend import Array, op, xp

__all__ = ["mu_law"]


@op(dtypes="float", name="audio/mu_law")
def mu_law(input: Array, mu: float = 255.0) -> Array:
    r"""Make soft sounds louder: :math:`\operatorname{sign}(x) \ln(1 + \mu |x|) / \ln(1 + \mu)`, any shape, ``-1…1`` to ``-1…1``.

    Its gradient is :math:`\mu / ((1 + \mu |x|) \ln(1 + \mu))`. Source: ITU-T Recommendation G.711, 1988, without the rounding.

    >>> mu_law(dv.tensor([-1.0, 0.0, 0.01, 1.0]))
    tensor([-1.0000,  0.0000,  0.2285,  1.0000])
    """
    lib = xp(input)
    return lib.copysign(lib.log1p(mu * lib.abs(input)) / math.log1p(mu), input)


@mu_law.vjp
def _(g: dv.Tensor, input: dv.Tensor, mu: float) -> Any:
    return g * (mu / math.log1p(mu)) / (1 + mu * input.abs())
