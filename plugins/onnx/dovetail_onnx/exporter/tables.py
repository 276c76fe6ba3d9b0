"""Embeddings with ``max_norm``, which shorten the rows that they look up: a graph has the table with all of its rows shortened."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dovetail as dv
from dovetail import nn

__all__ = ["as_it_was", "shortened"]


def _tables(model: Any) -> list[Any]:
    """The layers with ``max_norm`` whose weight is a parameter of nobody else: elsewhere rows not looked up so far have their length."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    owners = Counter(id(p) for module in modules for p in module.parameters(recurse=False))
    limited = [m for m in modules if isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.max_norm is not None]
    return [m for m in limited if owners[id(m.weight)] == 1]


@contextlib.contextmanager
def shortened(model: Any) -> Iterator[None]:
    """A block in which the layers have other tables, shortened, and no ``max_norm``.

    What a layer gives for a row is the same, since a row that was shortened is not so again: a row of a table that is kept is
    ``w``, if its norm is at most ``max_norm``, else ``w · max_norm / (norm + 1e-7)``.
    """
    kept = [(layer, layer.weight, layer.max_norm) for layer in _tables(model)]
    try:
        for layer, weight, max_norm in kept:
            table = nn.Parameter(weight.detach().clone(), requires_grad=weight.requires_grad)
            with dv.no_grad():
                nn.functional.embedding(dv.arange(len(table)), table, max_norm=max_norm, norm_type=layer.norm_type)
            layer.weight, layer.max_norm = table, None
        yield
    finally:
        for layer, weight, max_norm in kept:
            layer.weight, layer.max_norm = weight, max_norm


@contextlib.contextmanager
def as_it_was(model: Any) -> Iterator[None]:
    """A block after which these tables hold what they held before."""
    kept = [(layer.weight, layer.weight.detach().clone()) for layer in _tables(model)]
    try:
        yield
    finally:
        with dv.no_grad():
            for weight, before in kept:
                weight.copy_(before)
