"""How layers make their tensors, and what a layer that is a face of one function needs not say."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from ..autograd.node import Tensor
from ..errors import ValueRangeError
from ._ops import dv
from .module import Module
from .parameter import Parameter

__all__ = ["InPlace", "Layer", "fields", "need", "parameter", "parameters", "unusual"]


def parameter(*shape: int, device: Any = None, dtype: Any = None) -> Parameter:
    """A parameter without values yet; ``reset_parameters`` gives them."""
    return Parameter(dv.empty(shape, device=device, dtype=dtype))


def parameters(module: Module, device: Any = None, dtype: Any = None, **shapes: tuple[int, ...] | None) -> None:
    """Register parameters by name: of a shape, or absent (None)."""
    for name, shape in shapes.items():
        if shape is None:
            module.register_parameter(name, None)
        else:
            setattr(module, name, parameter(*shape, device=device, dtype=dtype))


def need(holds: Any, where: str, what: str, expected: str = "", kind: type[Exception] = ValueRangeError) -> None:
    """Raise an error of a kind unless something holds: for constructors, where the price of a message not needed is small."""
    if not holds:
        raise kind(where, what, expected)


def fields(module: Module, names: str) -> str:
    """``a=1, b=2`` for the attributes named, for ``extra_repr``; ``!a`` stands for the bare value, ``?a`` for whether there is one.

    >>> import dovetail as dv
    >>> fields(dv.nn.Flatten(), "start_dim !end_dim")
    'start_dim=1, -1'
    >>> fields(dv.nn.Linear(2, 3, bias=False), "in_features ?bias")
    'in_features=2, bias=False'
    """
    shown = []
    for name in names.split():
        value = getattr(module, name.lstrip("!?"))
        value = value is not None if name[0] == "?" else value
        shown.append(str(value) if name[0] == "!" else f"{name.lstrip('?')}={value}")
    return ", ".join(shown)


def unusual(module: Module, show: Callable[[Any], str] = str, **usual: Any) -> str:
    """``, a=1`` for each attribute whose value is not the usual one."""
    values = {name: getattr(module, name) for name in usual}
    return "".join(f", {name}={show(value)}" for name, value in values.items() if value != usual[name])


class Layer(Module):
    """A layer that keeps its arguments as attributes and calls one function: a subclass says which with ``calls=function``.

    The function gets the input and the attributes named in ``passes``, and the repr shows those named in ``shows``: of
    both, the parameters of the constructor where nothing is said. A family whose forward does more than that writes it
    out, with ``self._calls`` in it, and ``n``, ``dims`` and ``mode`` tell its members apart (``self._n`` …).

    >>> import dovetail as dv
    >>> class Power(Layer, calls=dv.pow):
    ...     def __init__(self, exponent: float = 2.0) -> None:
    ...         self._keep(exponent=exponent)
    >>> Power(3.0), Power(3.0)(dv.tensor([2.]))
    (Power(exponent=3.0), tensor([8.]))
    """

    _calls: Any
    _n: int  # spatial dimensions
    _dims: tuple[int, ...]  # how many dimensions an input may have
    _mode: str
    _passes: str | None = None
    _shows: str | None = None
    _made: Any = Module.forward  # the forward, where it is not written out

    def __init_subclass__(cls, calls: Callable[..., Any] | None = None, **given: Any) -> None:
        for name in {"n", "dims", "mode", "passes", "shows"} & given.keys():
            setattr(cls, f"_{name}", given.pop(name))
        super().__init_subclass__(**given)
        if calls is None:
            return
        cls._calls = staticmethod(calls)
        code = cls.__init__.__code__
        kept = " ".join(code.co_varnames[1 : code.co_argcount])
        cls._shows = kept if cls._shows is None else cls._shows
        if cls.forward is cls._made:
            cls.forward = cls._made = cls._face(calls, (kept if cls._passes is None else cls._passes).split())

    def _keep(self, **arguments: Any) -> None:
        """Start the module, with these attributes."""
        super().__init__()
        for name, value in arguments.items():
            setattr(self, name, value)

    @staticmethod
    def _face(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
        """A forward as quick as one that is written out."""
        read: Any = attrgetter(*names) if names else None

        def forward(self: Any, input: Tensor) -> Tensor:
            return function(input)

        def forward_one(self: Any, input: Tensor) -> Tensor:
            return function(input, read(self))

        def forward_many(self: Any, input: Tensor) -> Tensor:
            return function(input, *read(self))

        return (forward, forward_one, forward_many)[min(len(names), 2)]

    def extra_repr(self) -> str:
        return fields(self, self._shows or "")


class InPlace(Layer):
    """A layer with an ``inplace`` flag, which its repr shows where it is set."""

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        self._keep(inplace=inplace)

    def extra_repr(self) -> str:
        names = [name for name in (self._shows or "").split() if name != "inplace" or self.inplace]
        return fields(self, " ".join(names))
