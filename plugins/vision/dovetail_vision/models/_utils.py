"""What several families of models share: results of layers on the way, and channel counts that divide."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dovetail import Tensor, nn
from dovetail.errors import ValueRangeError

from ._api import WeightsEnum, positional

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


# What files of models written after torchvision's import from here.


def handle_legacy_interface(**weights: tuple[str, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a builder take ``pretrained`` for its ``weights``, and by position, with warnings: ``weights=("pretrained", meant)``.

    ``meant`` is what ``pretrained=True`` stands for: a member of an enum, or a function of the keyword arguments. A ValueError where it is
    None.
    """

    def wrap(builder: Callable[..., Any]) -> Callable[..., Any]:
        allowed = [name for name, p in inspect.signature(builder).parameters.items() if p.kind is not p.VAR_KEYWORD]

        @functools.wraps(builder)
        def build(*args: Any, **kwargs: Any) -> Any:
            kwargs = positional(builder.__name__, allowed, args, kwargs)
            for name, (old, meant) in weights.items():
                given = kwargs.get(name)
                new = name in kwargs and (given is None or isinstance(given, WeightsEnum) or (isinstance(given, str) and given != "legacy"))
                if new or not {name, old} & kwargs.keys():
                    continue
                kwargs[old] = kwargs.pop(name) if name in kwargs else kwargs[old]
                chosen = (meant(kwargs) if callable(meant) else meant) if kwargs[old] else None
                if kwargs.pop(old) and not isinstance(chosen, WeightsEnum):
                    raise ValueRangeError(builder.__name__, f"{old} is true", "there are no weights for this model", f"leave {old} out")
                warnings.warn(f"{builder.__name__}: {old} is deprecated since torchvision 0.13; it means {name}={chosen}", stacklevel=2)
                kwargs[name] = chosen
            return builder(**kwargs)

        return build

    return wrap


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    """Put a value that the weights ask for among the arguments; a ValueError where another is given."""
    kwargs[param] = _ovewrite_value_param(param, kwargs.get(param, new_value), new_value)


def _ovewrite_value_param(param: str, actual: Any, expected: Any) -> Any:
    """What the weights ask for; a ValueError where the argument is another value."""
    if actual is not None and actual != expected:
        raise ValueRangeError("weights", f"{param} is {actual}", f"expected {expected}, as these weights have it", f"leave {param} out")
    return expected
