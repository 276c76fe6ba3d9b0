"""Search in all that plugins bring, and in what the first-party distributions would bring."""

from __future__ import annotations

from typing import Any

from .catalogue import first_party
from .kinds import KINDS
from .manager import get_manager

__all__ = ["search"]

_TEXTS = ("summary", "model", "op", "license", "paper", "target")


def search(words: str, kind: str | None = None) -> list[dict[str, str]]:
    """Find rows that hold every word in key, tags, summary or another text: best first, as dicts of kind, key, summary and plugin.

    What no installed plugin brings comes last, with the command that would install it under ``plugin``.
    """
    wanted = words.lower().split()
    manager = get_manager(strict=False)
    hits = []
    for name in (kind,) if kind else KINDS:
        for key, (plugin, fields) in manager.table(name, code=False).rows.items():
            rank = _rank(wanted, [key, " ".join(fields.get("tags", ())), *(str(fields.get(text, "")) for text in _TEXTS)])
            if rank is not None:
                hits.append((rank, name, key, str(fields.get("summary", "")), plugin.label))
    installed = {plugin.name for plugin in manager.catalogue.plugins}
    for owner, about in first_party().items():
        names = [name for name in about["names"] if _rank(wanted, [name]) is not None]
        if kind is None and owner not in installed and (names or _rank(wanted, [owner, about["summary"]]) is not None):
            hits.append((99, "plugin", ", ".join(names[:6]) or owner, about["summary"], f"pip install {about['distribution']}"))
    labels = ("kind", "key", "summary", "plugin")
    return [dict(zip(labels, hit[1:], strict=True)) for hit in sorted(hits, key=lambda hit: (hit[0], hit[2]))]


def _rank(wanted: list[str], texts: list[Any]) -> int | None:
    """How late in ``texts`` the last of the words is found; None when one is in none of them."""
    places = [next((i for i, text in enumerate(texts) if word in text.lower()), None) for word in wanted]
    return None if None in places or not places else max(place for place in places if place is not None)
