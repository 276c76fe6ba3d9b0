"""``backends.opt_einsum``: the order of contractions comes from opt_einsum, as ever."""

from __future__ import annotations

from ..absent import answers

__all__, __getattr__, __dir__ = answers(__name__)
