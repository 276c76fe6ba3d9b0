"""AdamW: Adam with weight decay apart from the gradient."""

from __future__ import annotations

from typing import Any

from .adam import Adam
from .optimizer import checked

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly: ``p *= 1 - lr λ`` before the step.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2017. Raises a ValueError for settings out
    of range.

    >>> import dovetail as dv
    >>> w = dv.nn.Parameter(dv.ones(2)); (w * 3).sum().backward()
    >>> dv.optim.AdamW([w], lr=0.5, weight_decay=0.5).step(); w.detach()
    tensor([0.2500, 0.2500])
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2,
        amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None, capturable: bool = False,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(params, **checked(self, locals()), decoupled_weight_decay=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # a state dict that was saved before PyTorch 2.7 has no such entry
            group["decoupled_weight_decay"] = True
