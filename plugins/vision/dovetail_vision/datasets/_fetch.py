"""How datasets get their files: the core's downloader and extractor, and what is known of the files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from dovetail.errors import DovetailError, FormatError

__all__ = ["PINNED", "drive", "extract", "fetch", "fetch_and_extract", "md5_of"]

#: MD5, as the publishers and torchvision give it → (SHA-256, bytes), where they are known.
PINNED: dict[str, tuple[str, int]] = {
    # MNIST
    "f68b3c2dcbeaaa9fbdd348bbdeb94873": ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
    "d53e105ee54ea40749a09fcbcd1e9432": ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
    "9fb629c4189551a2d022fa330f9573f3": ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
    "ec29112dd5afa0611ce80d1b7f02629c": ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542),
    # FashionMNIST
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d": ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
    "25c81989df183df01b3e8a0aad5dffbe": ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
    "bef4ecab320f06d8554ea6380940ec79": ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
    "bb300cfdad3c16e7a12a480ee83cd310": ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
    # CIFAR-10 and CIFAR-100
    "c58f30108f718f92721af3b95e74349a": ("6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce", 170498071),
    "eb9058c3a382ffc7106e4002c42a8d85": ("85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7", 169001437),
}


def md5_of(path: str | os.PathLike[str]) -> str:
    """The MD5 of a file: 32 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def drive(file_id: str) -> str:
    """The address of a file on Google Drive that is asked for without the page in between; a page that comes instead fails the MD5.

    >>> drive("abc")
    'https://drive.usercontent.google.com/download?id=abc&export=download&confirm=t'
    """
    return f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t"


def fetch(urls: Sequence[str], target: str | os.PathLike[str], md5: str | None = None) -> Path:
    """Download a file from the first mirror that has it, checked against its SHA-256 where known and its MD5 otherwise.

    A file that is there and right is not fetched again. Raises a FormatError that says what each mirror answered.
    """
    target = Path(target)
    if target.is_file() and (md5 is None or md5_of(target) == md5):
        return target
    sha256, size = PINNED.get(md5 or "", (None, None))
    target.parent.mkdir(parents=True, exist_ok=True)
    failed = []
    for url in urls:
        try:
            import_module("dovetail.io.download").download(url, target, sha256=sha256, md5=md5, size=size)
            return target
        except (DovetailError, OSError) as error:
            failed.append(f"{url}: {error}")
    raise FormatError(target, None, "no mirror could give it: " + "; ".join(failed) + "; or put the file there by other means")


def fetch_and_extract(urls: Sequence[str], folder: str | os.PathLike[str], md5: str | None = None, filename: str | None = None) -> None:
    """Download an archive into ``folder``, and unpack it there."""
    name = filename or urls[0].rpartition("/")[2]
    extract(fetch(urls, Path(folder) / name, md5), folder)


def extract(archive: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack an archive into a folder."""
    import_module("dovetail.io.archive").extract(archive, folder)
