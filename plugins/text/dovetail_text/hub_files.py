"""Files of the Hugging Face hub by their URLs, ``hf://owner/repo/file``, and models by their names, through huggingface_hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from dovetail.errors import DownloadError

from .errors import HubError, MissingPackage

__all__ = ["fetch_file", "folder_of", "hub_options"]

_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
_SMALL, _WEIGHTS = ["*.json", "*.txt", "*.model", "*.jinja"], (["*.safetensors"], ["pytorch_model*.bin"])
_URL = re.compile(r"hf://(?:(datasets|spaces)/)?([\w.-]+/[\w.-]+)(?:@([^/]+))?/(.+)", re.ASCII)


def fetch_file(url: str, target: str) -> None:
    """Fetch ``hf://owner/repo/file`` (``hf://datasets/owner/repo/file``; ``owner/repo@revision`` for another revision) into ``target``.

    The token and the address of the hub are those of huggingface_hub (``HF_TOKEN``, ``HF_ENDPOINT``). Raises a DownloadError, with the
    ``code`` of the answer, for a file that cannot be fetched.
    """
    where, match = f"download({url!r})", _URL.fullmatch(url)
    if match is None or ".." in match[4].split("/"):
        raise DownloadError(where, "the URL is no file of the hub", "expected hf://owner/repo/file")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise DownloadError(where, "huggingface_hub is not installed", "", "pip install 'dovetail-text[minilm]'") from error
    kind = match[1] and match[1].removesuffix("s")
    folder = Path(target).with_name("hub")
    try:
        found = hf_hub_download(
            match[2], match[4], repo_type=kind, revision=match[3], local_dir=folder, endpoint=os.environ.get("HF_ENDPOINT")
        )
        os.replace(found, target)
    except Exception as error:  # of httpx, of requests, of the hub: its classes change from version to version
        failure = DownloadError(where, f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}")
        failure.code = getattr(getattr(error, "response", None), "status_code", None)
        raise failure from error


def hub_options(options: dict[str, Any]) -> dict[str, Any]:
    """Take out of the options of a ``from_pretrained`` those of the hub, for `folder_of`; no code is ever run, whatever is asked.

    >>> options = {"revision": "main", "trust_remote_code": True, "dtype": "auto"}
    >>> hub_options(options), options
    ({'revision': 'main'}, {'dtype': 'auto'})
    """
    options.pop("trust_remote_code", None)
    return {name: options.pop(name) for name in ("cache_dir", "local_files_only", "revision", "token") if name in options}


def folder_of(name: str | os.PathLike[str], weights: bool = False, inside: str | None = None, **options: Any) -> Path:
    """The folder of a model: ``name`` itself where it is one, or else what the hub has by this name, fetched once and kept.

    Only the files at the top are fetched, with ``weights`` those too: ``safetensors``, or PyTorch's where there are none; and what the
    pattern ``inside`` names, in folders further down. ``options`` are huggingface_hub's: revision, cache_dir, token, local_files_only.
    What is no name of the hub, as a Path, is returned as it is.
    Raises a HubError (OSError) for what cannot be fetched, a MissingPackage (ImportError) without the package.
    """
    path, text = Path(name), os.fspath(name)
    if isinstance(name, Path) or path.exists() or not _NAME.fullmatch(text):
        return path
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        what = f"there is no folder {text!r}, and huggingface_hub, which could fetch it, is not installed"
        raise MissingPackage("from_pretrained", what, "", "pip install 'dovetail-text[minilm]'") from error
    try:
        found = Path(snapshot_download(text, allow_patterns=_SMALL, ignore_patterns=["*/*"], **options))
        if inside is not None:
            snapshot_download(text, allow_patterns=inside, **options)
        for patterns in _WEIGHTS if weights else ():
            if not any(found.glob("*.safetensors")):
                snapshot_download(text, allow_patterns=patterns, ignore_patterns=["*/*"], **options)
    except Exception as error:  # of httpx, of requests, of the hub: its classes change from version to version
        first = str(error).strip().splitlines()[0].rstrip(".") if str(error) else ""
        what = f"{text!r} is no folder, and the hub did not give it: {type(error).__name__}: {first}"
        raise HubError(
            "from_pretrained", what, "expected a folder, or the name of a model on the hub", "check the name and the network"
        ) from error
    return found
