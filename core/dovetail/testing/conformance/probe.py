"""A program: import the modules of a plugin in this fresh process and print, as one line of JSON, what that did."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
import threading
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

WATCHED: dict[str, list[str]] = {"network": [], "processes": [], "written": []}
_EVENTS = {
    "socket.connect": "network", "socket.bind": "network", "socket.getaddrinfo": "network", "socket.sendto": "network",
    "subprocess.Popen": "processes", "os.system": "processes", "os.posix_spawn": "processes", "os.fork": "processes",
    "os.exec": "processes",
}  # fmt: skip
_watching = False


def _hook(event: str, arguments: Any) -> None:
    if not _watching:
        return
    if event in _EVENTS:
        WATCHED[_EVENTS[event]].append(f"{event} {arguments!r}"[:200])
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+") and not isinstance(arguments[0], int):
        path = str(arguments[0])
        if ".pyc" not in path and "__pycache__" not in path and path != os.devnull:
            WATCHED["written"].append(path)


def _state() -> dict[str, Any]:
    import faulthandler
    import gc
    import locale
    import logging
    import multiprocessing
    import random
    import socket

    import numpy as np

    import dovetail as dv

    name, keys, *rest = np.random.get_state()
    return {
        "Python's random state": random.getstate(),
        "NumPy's random state": (name, keys.tobytes(), rest),
        "Dovetail's random state": dv.get_rng_state().numpy().tobytes(),
        "the default dtype": str(dv.get_default_dtype()),
        "gradient mode": dv.is_grad_enabled(),
        "os.environ": dict(os.environ),
        "sys.path": list(sys.path),
        "the working folder": os.getcwd(),
        "signal handlers": {str(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
        "faulthandler": faulthandler.is_enabled(),
        "warnings filters": [row for row in warnings.filters if row[1] is row[3] is None and row[2].__module__ == "builtins"],
        "the root logger": (logging.root.level, list(map(str, logging.root.handlers))),
        "the recursion limit": sys.getrecursionlimit(),
        "the garbage collector": (gc.isenabled(), gc.get_threshold()),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the start method of processes": multiprocessing.get_start_method(allow_none=True),
        "the timeout of sockets": socket.getdefaulttimeout(),
        "tracing": (str(sys.gettrace()), str(sys.getprofile())),
        "NumPy's error state": np.geterr(),
        "the umask": _umask(),
        "sys.excepthook": str(sys.excepthook),
        "Tensor's methods": sorted(vars(dv.Tensor)),
        "NumPy's print options": repr(sorted(np.get_printoptions().items())),
    }


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _queued() -> float:
    """Seconds for which other programs kept this thread from a processor: no waiting of its own. 0 where the system does not say."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def main(package: str, modules: list[str]) -> dict[str, Any]:
    """Look at listing first, then import, then switch the plugin off and list again."""
    global _watching
    import dovetail as dv
    from dovetail import plugins
    from dovetail.plugins.kinds import KINDS
    from dovetail.plugins.manager import get_manager
    from dovetail.testing import conformance  # noqa: F401 - what the kit itself needs is not the plugin's doing

    found: dict[str, Any] = {"models": dv.models.list(), "error": ""}
    for kind in KINDS:
        get_manager().table(kind, code=False)
    top = package.partition(".")[0]
    found["imported_by_listing"] = sorted(name for name in sys.modules if name.partition(".")[0] == top)
    before, threads, out = _state(), set(threading.enumerate()), io.StringIO()
    sys.addaudithook(_hook)
    _watching, start, clock, queued = True, time.process_time(), time.perf_counter(), _queued()
    with redirect_stdout(out), redirect_stderr(out):
        try:
            for module in modules:
                importlib.import_module(module)
        except (Exception, SystemExit) as error:
            found["error"] = f"{type(error).__name__}: {error}"
    found["seconds"] = time.process_time() - start
    found["waited"] = time.perf_counter() - clock - found["seconds"] - (_queued() - queued)
    _watching = False
    after = _state()
    found["empty"] = [name for name in modules if name in sys.modules and getattr(sys.modules[name], "__file__", None) is None]
    found |= {name: sorted(set(seen)) for name, seen in WATCHED.items()}
    found["printed"] = out.getvalue()[:500]
    found["threads"] = [thread.name for thread in threading.enumerate() if thread not in threads]
    found["changed"] = [name for name in before if before[name] != after[name]]
    os.environ["DOVETAIL_DISABLE_PLUGINS"] = next((p.name for p in plugins.installed() if p.package == package), "")
    plugins.reset()
    found["listed_without"] = [(kind, key) for kind in KINDS for key in get_manager().table(kind, code=False).rows]
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2:])))
    sys.stdout.flush()
    os._exit(0)  # threads that an import left running do not hold this process
