"""A file that lies there while a plugin's code is imported: what a crash leaves behind tells the next process whom to leave out.

The process holds a lock on its file, and the system drops the lock when the process dies, however it dies; a file that
nobody holds is the trace of a crash. Where nothing can be written, and on Windows, imports go on without a trace.
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

from .cache import cache_folder
from .names import normalise

try:
    import fcntl
except ImportError:  # Windows: no trace is left
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from .catalogue import Plugin

__all__ = ["forget", "importing", "quarantine"]


def _folder() -> str:
    return os.path.join(cache_folder(), "importing")


def _hold(file: IO[str]) -> bool:
    """Lock a file without waiting; False when somebody else holds it, in this process or another."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def importing(plugin: str, version: str, what: str) -> Iterator[None]:
    """Leave a trace of what is being imported, for as long as it takes."""
    with ExitStack() as left:
        if fcntl is not None:
            with suppress(OSError):
                os.makedirs(_folder(), exist_ok=True)
                handle, path = tempfile.mkstemp(".json", f"{plugin}-", _folder())
                file = left.enter_context(os.fdopen(handle, "w", encoding="utf-8"))
                left.callback(_unlink, path)  # before the lock goes, so that nobody takes it for the trace of a crash
                if _hold(file):
                    json.dump({"plugin": plugin, "version": version, "what": what}, file)
                    file.flush()
        yield


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _traces() -> Iterator[tuple[str, dict[str, Any]]]:
    """The files that no living process holds, with what they say."""
    if fcntl is None:
        return
    with suppress(OSError):
        for name in sorted(os.listdir(_folder())):
            path = os.path.join(_folder(), name)
            with suppress(OSError, ValueError), open(path, "r+", encoding="utf-8") as file:
                if _hold(file) and (said := json.load(file)) and {"plugin", "version", "what"} <= said.keys():
                    yield path, said


def quarantine(plugins: Iterable[Plugin]) -> None:
    """Leave out the plugins whose import ended an earlier process, while they have the same version, and say so."""
    for _, said in _traces():
        for plugin in plugins:
            if plugin.name == said["plugin"] and plugin.version == said["version"] and plugin.usable:
                plugin.stop("failed", f"an earlier process ended while it was {said['what']}, so it is left out")
                plugin.crashed = True
                warnings.warn(f"plugin {plugin.label}: {plugin.reason}; {plugin.remedy}", RuntimeWarning, stacklevel=4)


def forget(plugin: str) -> int:
    """Remove the traces of a plugin, and say how many there were."""
    found = [path for path, said in _traces() if normalise(said["plugin"]) == plugin]
    for path in found:
        _unlink(path)
    return len(found)
