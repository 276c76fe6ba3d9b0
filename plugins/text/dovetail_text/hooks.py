"""What happens when: encodings become a batch, a dataset or folder of Hugging Face's is opened, a file of the hub fetched."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dovetail.hooks import hookimpl

__all__ = ["build_dataset", "build_model", "collate", "doctor", "fetch", "worker_init"]


@hookimpl
def collate(samples: list[Any]) -> Any:
    """Encodings as a padded batch: a dict of int64 tensors ``(N, L)``, ``input_ids``, ``attention_mask`` …"""
    from .data.collate import pad_features

    return pad_features(samples, pad_id=samples[0].pad_id, return_tensors="pt")


@hookimpl
def build_dataset(entry: Any, root: Any, split: str | None, options: dict[str, Any]) -> Any:
    """Rows of this plugin with ``hf``: opened by that name, or, where ``root`` has its files, from there: the original ones too.

    A ``root`` without data is the cache, where it is put once fetched.
    """
    if not entry.key.startswith("text/") or "hf" not in entry.fields:
        return None
    from .datasets.hub import hf

    if root is not None and "published" in entry.fields and not options:
        from .datasets.published import published

        if (found := published(entry.fields["published"], root, split)) is not None:
            return found
    options = {"name": entry.fields.get("hf_name"), **options}
    if root is not None and _has_data(Path(root)):
        return hf(root, split=split, **{**options, "name": None})
    if root is not None:
        options.setdefault("cache_dir", os.fspath(root))
    return hf(entry.fields["hf"], split=split, **options)


def _has_data(folder: Path) -> bool:
    suffixes = (".parquet", ".csv", ".json", ".jsonl", ".arrow", ".txt", ".tsv")
    if not folder.is_dir():
        return False
    own = [path for path in folder.glob("*") if not path.name.startswith(".")]
    return any(p.suffix in suffixes for p in own) or any(p.suffix == ".parquet" for d in own if d.name == "data" for p in d.glob("*"))


@hookimpl
def fetch(url: str, target: str) -> bool:
    """``hf://owner/repo/file``, through huggingface_hub."""
    from .hub_files import fetch_file

    fetch_file(url, target)
    return True


@hookimpl
def doctor() -> list[tuple[str, bool, str]]:
    """The two packages that this one uses: ``tokenizers`` always, ``datasets`` where datasets of the hub are wanted."""
    found = {}
    for name in ("tokenizers", "datasets"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return [
        ("tokenizers", bool(found["tokenizers"]), found["tokenizers"] or "not installed: pip install tokenizers"),
        ("datasets", True, found["datasets"] or "not installed; for those of the hub: pip install 'dovetail-text[hub]'"),
    ]


@hookimpl
def build_model(entry: Any, config: dict[str, Any], weights: Any) -> Any:
    """``models.create("text/bert", weights=Path("folder"))``: the folder's config.json, changed by ``config``, and its weights."""
    architecture = entry.fields.get("architecture") if entry.plugin.name == "text" else None
    if architecture is None or not isinstance(weights, os.PathLike) or not os.path.isdir(weights):
        return None
    from . import models

    model = getattr(models, architecture).from_pretrained(weights, **config)
    config.update(asdict(model.config))  # so that a file of the model alone builds it again
    return model


@hookimpl
def worker_init() -> None:
    """Tokenizers of a worker process use no threads: their pool does not survive a fork, and N workers fill N cores."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
