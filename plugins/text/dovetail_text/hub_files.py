"""Files of the Hugging Face hub by their URLs: ``hf://owner/repo/file``, through the package huggingface_hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dovetail.errors import DownloadError

__all__ = ["fetch_file"]

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
