"""A file that lies there while a plugin's code is imported: what a crash leaves behind tells the next process whom to leave out.

The process holds a lock on its file, and the system drops the lock when the process dies, however it dies; a file that
nobody holds is the trace of a death. A crash of the process's own writes the Python stack into it, and accuses at once. Without
that (it was killed from outside, ran out of memory, or left by ``os._exit``), a second process must die at the same import.
Where nothing can be written, and on Windows, imports go on without a trace.
"""

from __future__ import annotations

import json
import os
import sys
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


def _hold(file: IO[str], how: int) -> bool:
    """Lock a file without waiting; False when somebody else holds it, in this process or another."""
    with suppress(OSError):
        fcntl.flock(file, how | fcntl.LOCK_NB)
        return True
    return False


@contextmanager
def importing(plugin: str, version: str, what: str) -> Iterator[None]:
    """Leave a trace of what is being imported, for as long as it takes."""
    with ExitStack() as left:
        if fcntl is not None:
            with suppress(OSError):
                os.makedirs(_folder(), exist_ok=True)
                said = {"plugin": plugin, "version": version, "what": what, "prefix": sys.prefix}
                earlier = [path for path, trace in _traces() if said.items() <= trace.items()]
                handle, path = tempfile.mkstemp(".json", f"{plugin}-", _folder())
                file = left.enter_context(os.fdopen(handle, "w", encoding="utf-8"))
                left.callback(_unlink, path)  # before the lock goes, so that nobody takes it for the trace of a crash
                if _hold(file, fcntl.LOCK_EX):
                    print(json.dumps({**said, "again": bool(earlier)}), file=file, flush=True)
                    for old in earlier:
                        _unlink(old)  # from here on this file stands for them
                    _catch(file, left)
        yield


def _catch(file: IO[str], left: ExitStack) -> None:
    """Have a fatal signal of the process's own write the Python stack into ``file``, unless the program has it written elsewhere."""
    import faulthandler

    if not faulthandler.is_enabled():
        faulthandler.enable(file, all_threads=False)
        left.callback(faulthandler.disable)


def _unlink(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _traces() -> Iterator[tuple[str, dict[str, Any]]]:
    """The files that no living process holds, with what they say; ``stack`` is what a crash wrote."""
    if fcntl is None:
        return
    with suppress(OSError):
        for name in sorted(os.listdir(_folder())):
            path = os.path.join(_folder(), name)
            with suppress(OSError, ValueError), open(path, encoding="utf-8", errors="replace") as file:
                if _hold(file, fcntl.LOCK_SH) and (said := json.loads(file.readline())) and {"plugin", "again"} <= said.keys():
                    stack = file.read()  # of a thread that was not inside the import, it says nothing about the plugin
                    yield path, {**said, "stack": stack if " in _contain" in stack else ""}


def quarantine(plugins: Iterable[Plugin]) -> None:
    """Leave out the plugins whose import crashed an earlier process, or ended two in a row, while they have the same version; say so."""
    for _, said in _traces():
        for plugin in plugins:
            if [plugin.name, plugin.version, sys.prefix] != [said[name] for name in ("plugin", "version", "prefix")] or not plugin.usable:
                continue
            fault = said["stack"].partition("\n")[0].removeprefix("Fatal Python error: ")
            reason = f"an earlier process ended while it was {said['what']}" + (f" ({fault})" if fault else "")
            if not fault and not said["again"]:
                plugin.notes.append(f"{reason}; if the next one ends there as well, it is left out")
                continue
            plugin.stop("failed", f"{reason}, {'' if fault else 'as did the one before, '}so it is left out")
            plugin.crashed, plugin.traceback = True, said["stack"]
            warnings.warn(f"plugin {plugin.label}: {plugin.reason}; {plugin.remedy}", RuntimeWarning, stacklevel=4)


def forget(plugin: str) -> None:
    """Remove the traces of a plugin."""
    for path, said in _traces():
        if normalise(said["plugin"]) == plugin:
            _unlink(path)
