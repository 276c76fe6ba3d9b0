"""``torch._tensor_str``: the settings of `set_printoptions`, and the numbers of a tensor as text."""

from __future__ import annotations

from dovetail import Tensor
from dovetail.tensor_repr import Options, body

__all__ = ["PRINT_OPTS"]

PRINT_OPTS = Options


def _tensor_str(self: Tensor, indent: int) -> str:
    """What stands in the brackets of ``tensor(…)``, whose lines after the first begin `indent` columns further.

    >>> import dovetail as dv
    >>> print(_tensor_str(dv.tensor([[1.0, 2.0], [3.0, 4.5]]), 0))
    [[1.0000, 2.0000],
     [3.0000, 4.5000]]
    """
    return body(self.detach().cpu().numpy(), indent) if self.numel() else "[]"
