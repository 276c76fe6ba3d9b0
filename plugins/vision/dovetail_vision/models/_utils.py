"""What several families of models share: results of layers on the way, and channel counts that divide."""

from __future__ import annotations

from collections import OrderedDict

from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

__all__ = ["IntermediateLayerGetter"]


class IntermediateLayerGetter(nn.ModuleDict):
    """A model's own children, called one after another; gives the results of some of them as a dict.

    ``return_layers`` has the children's names and what their results are called. Children after the last of them are left out.
    The children must be registered in the order of their use, and each used once. A ValueError for a name that is not there.

    >>> from dovetail import zeros
    >>> from dovetail_vision.models import resnet18
    >>> features = IntermediateLayerGetter(resnet18(), {"layer1": "low", "layer3": "high"})
    >>> [(name, tuple(out.shape)) for name, out in features(zeros(1, 3, 32, 32)).items()]
    [('low', (1, 64, 8, 8)), ('high', (1, 256, 2, 2))]
    """

    _version = 2

    def __init__(self, model: nn.Module, return_layers: dict[str, str]) -> None:
        children = dict(model.named_children())
        missing = [str(name) for name in return_layers if name not in children]
        if missing:
            what = f"return_layers are not present in model: {', '.join(missing)}"
            raise ValueRangeError("IntermediateLayerGetter", what, f"expected some of {', '.join(children)}")
        names = list(children)
        last = max((names.index(name) for name in return_layers), default=0)
        super().__init__({name: children[name] for name in names[: last + 1]})
        self.return_layers = return_layers

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        out = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                out[self.return_layers[name]] = x
        return out


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of ``divisor`` nearest to ``v``, at least ``min_value`` and not more than a tenth below ``v``: MobileNet's channels."""
    found = max(divisor if min_value is None else min_value, int(v + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * v else found
