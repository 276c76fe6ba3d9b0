"""The one downloader: files over http(s) and file, checked while they stream, resumed, and renamed into place when they are whole.

What has arrived lies in ``.NAME.part`` beside the target, locked while a process writes it; ``.NAME.part.json`` says what it is part of.
A kill at any moment leaves the old file or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from socket import EAI_NONAME, gaierror
from ssl import SSLCertVerificationError
from typing import Any, BinaryIO
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ..errors import DownloadError, HashMismatch
from ..plugins.manager import get_manager
from .atomic import fcntl, sync_folder  # without fcntl, on Windows, every process has a partial file of its own
from .pins import get_dir

__all__ = ["Expected", "download"]

_CHUNK = 1 << 18
_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_SLOWEST = 100  # bytes a second, over the time of one timeout
_PAUSE = 0.5  # seconds before the second attempt, doubled before each further one


class _Unreachable(DownloadError, URLError):
    """What `download` raises; programs catch PyTorch's as an URLError."""

    __str__ = Exception.__str__


class _Again(Exception):
    """A failure that another attempt may mend."""


class Expected:
    """What is known of a file: its SHA-256, whole or the first digits; its MD5; its size in bytes."""

    def __init__(self, sha256: str | None, sha256_prefix: str | None = None, md5: str | None = None, size: int | None = None) -> None:
        self.prefix, self.md5, self.size = (sha256 or sha256_prefix or "").lower(), (md5 or "").lower(), size

    @property
    def hashed(self) -> bool:
        """Whether a hash is known."""
        return bool(self.prefix or self.md5)

    def check(self, path: Path, sha256: Any, md5: Any, length: int) -> str:
        """Give the SHA-256 of a file whose hashes these are. HashMismatch when they are not those expected."""
        found = sha256.hexdigest()
        if self.size is not None and length != self.size:
            raise HashMismatch(path, None, f"has {length:,} bytes; expected {self.size:,}")
        if not found.startswith(self.prefix):
            raise HashMismatch(path, None, f"SHA-256 is {found}; expected {self.prefix}{'' if len(self.prefix) == 64 else '…'}")
        if self.md5 and md5.hexdigest() != self.md5:
            raise HashMismatch(path, None, f"MD5 is {md5.hexdigest()}; expected {self.md5}")
        return found

    def of(self, path: Path) -> str:
        """Read a file, and give its SHA-256. HashMismatch when it is not the file expected."""
        hashes = _hashes()
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                for one in hashes:
                    one.update(chunk)
            return self.check(path, *hashes, file.tell())


def _hashes() -> tuple[Any, Any]:
    return hashlib.sha256(), hashlib.md5(usedforsecurity=False)


def download(
    url: str, target: str | os.PathLike[str], *, sha256: str | None = None, sha256_prefix: str | None = None, md5: str | None = None,
    size: int | None = None, progress: bool = True, timeout: float = 30.0, retries: int = 4,
) -> str:  # fmt: skip
    """Fetch ``url`` into the file ``target``, whose folder is made, and return its SHA-256.

    With a hash, a file that is already there and fits is left as it is, and what an earlier call fetched is not fetched again. Of two
    processes one waits for the other. Server errors, timeouts and lost connections are tried again ``retries`` times. Proxies are those
    of the environment. With ``DOVETAIL_OFFLINE=1`` nothing but ``file:`` URLs is fetched.

    Raises a DownloadError (also an URLError) when the file cannot be fetched, and a HashMismatch when it is not the one expected.
    """
    path, expected = Path(os.path.realpath(os.path.expanduser(target))), Expected(sha256, sha256_prefix, md5, size)
    scheme, reason = urlsplit(url).scheme.lower(), ""
    if expected.hashed and path.is_file():
        try:
            return expected.of(path)
        except HashMismatch as error:
            reason = f"; the file that is there is another: {error.reason}"
    if scheme not in _RECEIVE and not _claimed(scheme):
        raise _Unreachable(
            f"download({url!r})", f"the scheme is {scheme!r}", "expected http, https or file", "or one that a plugin fetches"
        )
    if scheme != "file" and os.environ.get("DOVETAIL_OFFLINE", "0") not in ("", "0"):
        what = f"DOVETAIL_OFFLINE is set, and {path} is not there{reason}"
        raise _Unreachable(f"download({url!r})", what, "", f"unset it, or fetch the file elsewhere and put it at {path}")
    with _Part(url, path, expected) as part:
        if part.waited and expected.hashed and path.is_file():
            with contextlib.suppress(HashMismatch):
                return expected.of(path)
        return _attempts(part, progress, timeout, retries)


def _attempts(part: _Part, progress: bool, timeout: float, retries: int) -> str:
    """Fetch and finish, again where that may help."""
    receive = _RECEIVE.get(urlsplit(part.url).scheme.lower(), _fetch)
    with _bar(part, progress) as bar:
        for attempt in range(retries + 1):
            try:
                if part.length != part.total or not part.length:
                    receive(part, timeout, bar)
                return part.finish()
            except _Again as failure:
                if attempt == retries:
                    error = _Unreachable(f"download({part.url!r})", f"{failure} ({retries + 1} attempts)", "", "try again later")
                    error.code = getattr(failure.__cause__, "code", None)
                    raise error from failure.__cause__
            time.sleep(_PAUSE * 2**attempt)
    raise AssertionError


@contextlib.contextmanager
def _bar(part: _Part, progress: bool) -> Iterator[Any]:
    """A progress bar, on a terminal."""
    if not (progress and sys.stderr is not None and sys.stderr.isatty()):
        yield None
        return
    from tqdm import tqdm

    with tqdm(initial=part.length, unit="B", unit_scale=True, unit_divisor=1024, desc=part.target.name) as bar:
        yield bar


class _Part:
    """The partial file of a target: opened, locked, written, renamed."""

    file: BinaryIO

    def __init__(self, url: str, target: Path, expected: Expected) -> None:
        self.url, self.target, self.expected = url, target, expected
        self.path, self.waited, self.keep = target.with_name(f".{target.name[:200]}.part"), False, expected.hashed
        self.validator, self.total, self.resumed = "", None, False  # type: str, int | None, bool

    def __enter__(self) -> _Part:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self.file = self._open()
            self._take_up()
        except OSError as error:
            raise self._unwritable(error) from error
        return self

    def _open(self) -> BinaryIO:
        while True:
            fd = os.open(self.path, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0), 0o666)
            if not self.path.name.endswith(".part") or self._lock(fd):
                return os.fdopen(fd, "r+b")
            os.close(fd)

    def _lock(self, fd: int) -> bool:
        """Wait for the lock; False when the file was renamed meanwhile. The lock of a process that was killed is gone with it."""
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.waited = True
                fcntl.flock(fd, fcntl.LOCK_EX)
        except (AttributeError, OSError):  # no locks here: a file of one's own
            self.path, self.keep = self.path.with_name(f"{self.path.name}-{secrets.token_hex(6)}"), False
            return False
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(fd))
        except FileNotFoundError:
            return False

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def _take_up(self) -> None:
        """Go on with what an earlier process left, where a hash will tell whether that was right."""
        try:
            note = json.loads(self._note.read_bytes())
            fits = self.keep and note["url"] == self.url and isinstance(note["validator"], str) and isinstance(note["size"], int | None)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            fits = False
        self.restart()  # hashes of nothing
        if fits:
            self.file.seek(0)
            while chunk := self.file.read(_CHUNK):
                self._count(chunk)
            self.validator, self.total, self.resumed = note["validator"], note["size"], self.length > 0

    def _count(self, chunk: bytes) -> None:
        self.length += len(chunk)
        for one in self.hashes:
            one.update(chunk)

    def restart(self, validator: str = "", total: int | None = None) -> None:
        """Begin at the first byte (of what ``validator`` stands for); with no arguments the bytes themselves stay."""
        self.length, self.hashes, self.resumed = 0, _hashes(), False
        self.validator, self.total = validator, total

    def begin(self, validator: str, total: int | None) -> None:
        """Drop what is there; a note says what will be."""
        self.restart(validator, total)
        with contextlib.suppress(FileNotFoundError):
            self._note.unlink()
        self.file.seek(0)
        self.file.truncate()
        if self.keep and validator:
            self._note.write_text(json.dumps({"url": self.url, "validator": validator, "size": total}))

    def write(self, chunk: bytes) -> None:
        """Append; a file that grows past its declared size is not the one expected."""
        try:
            self.file.write(chunk)
            self.file.flush()  # so that a kill leaves what has arrived
        except OSError as error:
            self.keep = False
            raise self._unwritable(error) from error
        self._count(chunk)
        if self.expected.size is not None and self.length > self.expected.size:
            self.keep = False
            raise HashMismatch(self.target, None, f"{self.url} sends more than the {self.expected.size:,} bytes expected")

    def finish(self) -> str:
        """Check the whole, and put it in place."""
        try:
            found = self.expected.check(self.target, *self.hashes, self.length)
        except HashMismatch as error:
            if self.resumed:  # it came in parts that may not belong together
                self.restart()
                raise _Again(str(error)) from error
            self.keep = False
            raise HashMismatch(self.target, None, f"what {self.url} sends is not the file expected: {error.reason}") from None
        try:
            os.fsync(self.file.fileno())
            if fcntl is None:
                self.file.close()
            os.replace(self.path, self.target)
        except OSError as error:
            raise self._unwritable(error) from error
        self.keep = False
        sync_folder(self.target.parent)
        return found

    def _unwritable(self, error: OSError) -> DownloadError:
        what = f"{self.target} cannot be written: {error.strerror or error}"
        remedy = "set DOVETAIL_HOME to a folder that can be" if Path(get_dir()).resolve() in self.target.parents else ""
        return _Unreachable(f"download({self.url!r})", what, "", remedy)

    def __exit__(self, *_: object) -> None:
        """Keep the part for the next call where that can go on with it."""
        with contextlib.suppress(OSError):
            if not (self.keep and self.validator and self.length):
                self._note.unlink(missing_ok=True)
                if not self.file.closed and os.path.samestat(os.stat(self.path), os.fstat(self.file.fileno())):
                    if fcntl is None:
                        self.file.close()
                    self.path.unlink()
        self.file.close()


class _Redirects(request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        old, new = req.type, urlsplit(newurl).scheme
        if new != "https" and new != old:
            raise _Unreachable(f"download({req.full_url!r})", f"the server sends to {newurl!r}", f"expected {old} or https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(part: _Part, timeout: float) -> Any:
    """Ask for the file, or for its rest."""
    headers = {"User-Agent": "dovetail", "Accept-Encoding": "identity"}
    if part.length and part.validator:
        headers |= {"Range": f"bytes={part.length}-", "If-Range": part.validator}
    opener = request.OpenerDirector()
    for handler in (request.ProxyHandler, request.HTTPHandler, request.HTTPSHandler, _Redirects, request.HTTPDefaultErrorHandler,
                    request.HTTPErrorProcessor):  # fmt: skip
        opener.add_handler(handler())
    return opener.open(request.Request(part.url, headers=headers), timeout=timeout)


def _receive(part: _Part, timeout: float, bar: Any) -> None:
    """One attempt over http(s); what arrived of it stays for the next."""
    try:
        with _open(part, timeout) as response:
            _begin(part, response)
            if bar is not None:
                bar.total, bar.n = part.total, part.length
            mark, since = part.length, time.monotonic()
            while chunk := response.read1(_CHUNK):
                part.write(chunk)
                if bar is not None:
                    bar.update(len(chunk))
                if (now := time.monotonic()) - since > timeout:
                    if part.length - mark < _SLOWEST * timeout:
                        raise _Again(f"only {part.length - mark} bytes came in {timeout:g} s")
                    mark, since = part.length, now
        if part.total is not None and part.length != part.total:
            raise _Again(f"the connection ended after {part.length:,} of {part.total:,} bytes")
    except DownloadError:
        raise
    except HTTPError as error:
        if error.code == 416:  # our part is as long as the file, or longer
            part.restart()
        if error.code in _AGAIN or error.code == 416:
            raise _Again(f"the server answers {error.code} {error.reason}") from error
        failure = _Unreachable(f"download({part.url!r})", f"the server answers {error.code} {error.reason}", "", "is the address right?")
        failure.code = error.code
        raise failure from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, SSLCertVerificationError):
            raise _Unreachable(f"download({part.url!r})", f"the server's certificate is not trusted: {reason}") from error
        if isinstance(reason, gaierror) and reason.errno == EAI_NONAME:
            raise _Unreachable(f"download({part.url!r})", f"the host is not known: {reason}", "", "is there a network?") from error
        raise _Again(f"{type(reason).__name__}: {reason}" if isinstance(reason, BaseException) else str(reason)) from error
    except ValueError as error:
        raise _Unreachable(f"download({part.url!r})", f"the URL cannot be used: {error}") from error


def _begin(part: _Part, response: Any) -> None:
    """Settle from the headers whether this is the rest of what we have or the whole, and how long that is."""
    headers = response.headers
    tag = headers.get("ETag", "")
    validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
    if response.status == 206:
        unit, _, span = headers.get("Content-Range", "").partition(" ")
        start, total = span.partition("-")[0], span.rpartition("/")[2]
        if unit != "bytes" or start != str(part.length) or validator not in ("", part.validator):
            part.restart()
            raise _Again("the server sends a part that does not fit to what is there")
        part.total, part.resumed = int(total) if total.isdigit() else None, True
    else:
        length = headers.get("Content-Length", "")
        part.begin(validator, int(length) if length.isdigit() else None)
    packed = headers.get("Content-Encoding", "identity")
    if packed != "identity" and not (part.expected.hashed or urlsplit(part.url).path.endswith((".gz", ".tgz"))):
        raise _Unreachable(f"download({part.url!r})", f"the server sends it as {packed}, unasked", "", "give a hash of the bytes it sends")
    size = part.expected.size
    if size is not None and part.total is not None and part.total != size:
        part.keep = False
        raise HashMismatch(part.target, None, f"{part.url} has {part.total:,} bytes; expected {size:,}")


def _copy(part: _Part, timeout: float, bar: Any) -> None:
    """Read a ``file:`` URL."""
    parts = urlsplit(part.url)
    part.begin("", None)
    try:
        if parts.netloc not in ("", "localhost"):
            raise OSError(f"it is on the host {parts.netloc!r}")
        with open(request.url2pathname(parts.path), "rb") as file:
            while chunk := file.read(_CHUNK):
                part.write(chunk)
    except DownloadError:
        raise
    except (OSError, ValueError) as error:
        raise _Unreachable(f"download({part.url!r})", f"the file cannot be read: {error}") from error


def _claimed(scheme: str) -> bool:
    """Whether a plugin fetches URLs of this scheme."""
    table = get_manager().table("schemes")
    return scheme in table.rows or scheme in table.clashes


def _fetch(part: _Part, timeout: float, bar: Any) -> None:
    """Have the plugin that claims the scheme fetch it into a file beside; that is hashed as what came any other way."""
    part.begin("", None)
    sha256 = part.expected.prefix if len(part.expected.prefix) == 64 else ""
    with tempfile.TemporaryDirectory(dir=part.target.parent, prefix=f".{part.target.name[:200]}.") as folder:
        place = os.path.join(folder, "file")
        asked = {"url": part.url, "target": place, "sha256": sha256, "size": part.expected.size, "progress": bar is not None}
        if get_manager().ask("fetch", urlsplit(part.url).scheme.lower(), **asked) is None or not os.path.isfile(place):
            raise _Unreachable(f"download({part.url!r})", "the plugin that claims its scheme fetched nothing")
        with open(place, "rb") as file:
            while chunk := file.read(_CHUNK):
                part.write(chunk)


_RECEIVE = {"http": _receive, "https": _receive, "file": _copy}
