"""onnxruntime-web: three files of the npm package, fetched once into the cache, each known by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

from dovetail.errors import FormatError, HashMismatch
from dovetail.hub import get_dir
from dovetail.io import atomic
from dovetail.io.download import download

__all__ = ["VERSION", "folder", "parts"]

VERSION = "1.30.0"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA256, SIZE = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71", 33_106_585

#: What a page needs of it: the script, the module that it loads, and the compiled code.
FILES = {
    "script": ("ort.wasm.min.js", "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81"),
    "glue": ("ort-wasm-simd-threaded.mjs", "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"),
    "wasm": ("ort-wasm-simd-threaded.wasm", "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"),
}


def folder() -> Path:
    """Where the files are kept."""
    return Path(get_dir()) / f"onnxruntime-web-{VERSION}"


def parts(package: str | os.PathLike[str] | None = None) -> dict[str, bytes]:
    """The three files by what they are for: from a package (its folder, or the .tgz of ``npm pack``), from the cache, or fetched.

    Raises a HashMismatch for files of another version, or that were changed.
    """
    if package is None:
        if not all((folder() / name).is_file() for name, _ in FILES.values()):
            _fetch()
        return _checked(folder(), {key: (folder() / name).read_bytes() for key, (name, _) in FILES.items()})
    source = Path(package)
    if source.is_dir():
        inside = next((place for place in (source / "dist", source / "package" / "dist") if place.is_dir()), source)
        return _checked(inside, {key: (inside / name).read_bytes() for key, (name, _) in FILES.items()})
    return _checked(source, _members(source))


def _fetch() -> None:
    archive = folder() / "package.tgz"
    download(URL, archive, sha256=SHA256, size=SIZE)
    for key, data in _checked(archive, _members(archive)).items():
        with atomic.replacing(folder() / FILES[key][0]) as temporary:
            temporary.write_bytes(data)
    archive.unlink(missing_ok=True)  # another process may have fetched it too


def _members(archive: Path) -> dict[str, bytes]:
    """The three files of a .tgz, by their names in it; nothing else is read."""
    found = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for key, (name, _) in FILES.items():
                file = tar.extractfile(f"package/dist/{name}")
                found[key] = file.read(64 << 20) if file else b""
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise FormatError(archive, None, f"is not the package onnxruntime-web {VERSION} ({error})") from error
    return found


def _checked(where: Path, found: dict[str, bytes]) -> dict[str, bytes]:
    for key, data in found.items():
        name, expected = FILES[key]
        digest = hashlib.sha256(data).hexdigest()
        if digest != expected:
            raise HashMismatch(where, None, f"{name}: SHA-256 is {digest}; expected {expected}, of onnxruntime-web {VERSION}")
    return found
