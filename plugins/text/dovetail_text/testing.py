"""Small samples in the true formats, for the conformance kit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["encodings", "news"]


def encodings() -> list[Any]:
    """Three encodings of unequal length."""
    from .tokenizers import Char

    return Char("_abc", pad="_").encode_batch(["abc", "", "ca"])


def news(folder: Path) -> None:
    """AG News as a folder of the hub has it: a parquet file a split, with ``text`` and ``label``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for split, count in (("train", 12), ("test", 4)):
        rows = pa.table({"text": [f"News of {split}, number {i}" for i in range(count)], "label": [i % 4 for i in range(count)]})
        pq.write_table(rows, folder / f"{split}-00000-of-00001.parquet")
