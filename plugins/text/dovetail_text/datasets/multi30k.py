"""The module that torchtext's translation tutorial changes addresses in: nothing is fetched from them here."""

from __future__ import annotations

from .torchtext import Multi30k

__all__ = ["MD5", "URL", "Multi30k"]

#: May be set, as programs do, and has no effect: files are local, or come from the hub.
URL: dict[str, str] = {}
MD5: dict[str, str] = {}
