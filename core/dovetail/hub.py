"""PyTorch's hub: files of weights by their URL, kept in one folder. Code is not fetched and run."""

from __future__ import annotations

import os
import re
import sys
from typing import Any, NoReturn
from urllib.parse import urlsplit

from .errors import UnsupportedError
from .io.pins import get_dir, set_dir

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Fetch ``url`` into the file ``dst``; ``hash_prefix`` is the beginning of its SHA-256.

    Raises a DownloadError (an URLError) when it cannot be fetched, a HashMismatch (a RuntimeError) when it is another file.
    """
    from .io.download import download

    download(url, dst, sha256_prefix=hash_prefix, progress=progress)


def load_state_dict_from_url(
    url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True, check_hash: bool = False,
    file_name: str | None = None, weights_only: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Load the file at ``url``, fetched once into ``model_dir`` (by default ``checkpoints`` in :func:`get_dir`).

    With ``check_hash`` the file's name, such as ``resnet18-f37072fd.pth``, tells the beginning of its SHA-256; a file that is there
    already is checked as well. Nothing in a file is executed, so ``weights_only`` has no meaning here.
    """
    from .io import load

    name = file_name or os.path.basename(urlsplit(url).path)
    path = os.path.join(os.path.expanduser(model_dir or os.path.join(get_dir(), "checkpoints")), name)
    found = re.search(r"-([a-f0-9]*)\.", name) if check_hash else None
    if found or not os.path.exists(path):
        if not os.path.exists(path):
            sys.stdout.write(f'Downloading: "{url}" to {path}\n')
        download_url_to_file(url, path, found and found[1], progress)
    return load(path, map_location, weights_only=weights_only)


def _refuse(name: str, repository: object) -> NoReturn:
    raise UnsupportedError(
        f"hub.{name}",
        f"it would run hubconf.py of {repository!r}, code that the file's hash does not vouch for",
        remedy="install the package and import it, or see: dovetail search MODEL",
    )


def load(repo_or_dir: str, model: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Not here: PyTorch's runs code of a repository. Always an UnsupportedError."""
    _refuse("load", repo_or_dir)


def list(github: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Not here: PyTorch's runs code of a repository. Always an UnsupportedError."""
    _refuse("list", github)


def help(github: str, model: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Not here: PyTorch's runs code of a repository. Always an UnsupportedError."""
    _refuse("help", github)
