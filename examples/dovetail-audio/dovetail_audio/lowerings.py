"""How `mu_law` is said in ONNX, and read from it: one node of the plugin's own domain, ``dovetail.audio::MuLaw``."""

from __future__ import annotations

from typing import Any

from .ops import mu_law

__all__ = ["MuLaw", "mu_law_node"]


def mu_law_node(g: Any, input: Any, mu: float) -> Any:
    """The node of a call; `dovetail.onnx.export` calls this, with its builder in front of the op's arguments."""
    return g.node("MuLaw", input, domain="dovetail.audio", version=1, mu=float(mu))


def MuLaw(X: Any, *, mu: float = 255.0) -> Any:
    """What the node computes; `dovetail.onnx.load` calls this, with the node's inputs and attributes."""
    return mu_law(X, mu)
