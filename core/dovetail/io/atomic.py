"""Crash-safe writing: a temporary file, fsynced, renamed over the old one, and the folder fsynced.

A kill at any moment leaves the old file or the new one, whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be renamed or removed: that is lock enough
    fcntl = None  # type: ignore[assignment]

__all__ = ["fcntl", "replacing", "sync_folder"]


class MissingFolder(FileNotFoundError, RuntimeError):
    """A folder to save in that is not there; PyTorch raises a RuntimeError."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], group: str = "") -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well, it takes the place of ``path``.

    A new file's mode follows the umask, an old one's is kept; a symbolic link stays one, and its target is replaced.
    A device or a pipe, such as ``/dev/null``, is written into and stays what it is.
    What writers that were killed left behind is removed first: of this path, or of every path of its ``group``.
    Raises a FileNotFoundError where there is no folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "note.txt") as temporary:
    ...         _ = temporary.write_text("kept")
    ...     (Path(folder) / "note.txt").read_text()
    'kept'
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise MissingFolder(errno.ENOENT, "cannot save: there is no such folder", str(target.parent))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "cannot save: the path is a folder; add a file name", str(target))
    if target.exists() and not target.is_file():  # a device or a pipe is written into, and never replaced
        from tempfile import TemporaryDirectory  # seldom asked for

        with TemporaryDirectory() as folder:
            yield (made := Path(folder) / "made")
            with target.open("wb") as into:
                into.write(made.read_bytes())
        return
    prefix = f".{(group or target.name)[:200]}."  # a name may have 255 bytes in all
    _sweep(target, prefix)
    temporary, fd = _create(target, prefix)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        yield temporary
        os.fsync(fd)
        if fcntl is None:
            fd = os.close(fd)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    finally:
        if fd is not None:
            os.close(fd)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside this folder durable (a no-op where folders cannot be opened, as on Windows)."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        pass
    finally:
        os.close(fd)


def _create(target: Path, prefix: str) -> tuple[Path, int]:
    """Make a temporary file, locked for as long as it is being written: the lock goes when its writer is killed."""
    while True:
        temporary = target.with_name(f"{prefix}{secrets.token_hex(6)}.tmp")
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        _lock(fd)
        if temporary.exists():  # else a sweep took it for a left-over before it was locked
            return temporary, fd
        os.close(fd)


def _lock(fd: int) -> bool:
    """Take the lock; False while a living writer has it. Where the file system has no locks, every writer counts as living."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep(target: Path, prefix: str) -> None:
    """Remove temporary files of the same target, or group, that nobody is writing."""
    with os.scandir(target.parent) as entries:
        names = [e.name for e in entries if e.name.startswith(prefix) and e.name.endswith(".tmp")]
    for name in names:
        if len(name) != len(prefix) + 16:  # the target "a" is not asked about the files of "a.b"
            continue
        left = target.with_name(name)
        with contextlib.suppress(OSError):
            fd = os.open(left, os.O_RDWR)
            try:
                if _lock(fd):
                    if fcntl is None:
                        fd = os.close(fd)
                    left.unlink()
            finally:
                if fd is not None:
                    os.close(fd)
