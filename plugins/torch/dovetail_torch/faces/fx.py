"""``torch.fx``, of which there is no tracer: `wrap`, which marks a function for one, and classes of which nothing is an instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from dovetail import nn
from dovetail.absent import instead
from dovetail.errors import UnsupportedError

__all__ = ["Graph", "GraphModule", "Interpreter", "Node", "Proxy", "Tracer", "Transformer", "has_side_effect", "wrap"]

__path__: list[str] = []  # `import torch.fx.proxy` asks for a package


def wrap(fn_or_name: str | Callable[..., Any]) -> str | Callable[..., Any]:
    """What a module says of its functions at its head, so that a tracer would not look into them: the function, as it is."""
    return fn_or_name


def has_side_effect(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function, as it is: no graph is cleaned."""
    return fn


def get_proxy_mode() -> None:
    """None: nothing is traced."""


class _Absent:
    """Of a graph of PyTorch's. To make one is an UnsupportedError; ``isinstance(x, Proxy)`` is False, as outside a tracer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise UnsupportedError(f"fx.{type(self).__name__}", "there is no fx", "", instead("fx"))


class Proxy(_Absent):
    """What a tracer calls a module with."""


class Node(_Absent):
    """A step of a graph."""


class Graph(_Absent):
    """The steps of a traced module."""


class GraphModule(_Absent, nn.Module):
    """A module made of a graph."""


class Tracer(_Absent):
    """What follows a module's calls."""


class Interpreter(_Absent):
    """What runs a graph node by node."""


class Transformer(Interpreter):
    """What makes one graph of another."""


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"torch.fx.{name}: Dovetail does not have it; {instead('fx')}")
