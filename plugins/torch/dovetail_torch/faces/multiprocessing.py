"""``dovetail.multiprocessing``: Python's own, in which tensors are pickled with their values, and PyTorch's `spawn`.

A tensor that is sent is a copy; memory that both sides write into is Python's ``multiprocessing.shared_memory``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from multiprocessing import *  # noqa: F403
from multiprocessing import connection, pool, queues, reduction, util
from typing import Any

from dovetail.errors import AssertedError, DovetailError, UnsupportedError

from ..finder import installed

__all__ = [  # noqa: PLE0604
    *multiprocessing.__all__, "ProcessContext", "ProcessException", "ProcessExitedException", "ProcessRaisedException", "connection",
    "get_all_sharing_strategies", "get_sharing_strategy", "pool", "queues", "reduction", "set_sharing_strategy", "spawn",
    "start_processes", "util",
]  # fmt: skip

_strategy = ["file_descriptor"]


def get_all_sharing_strategies() -> set[str]:
    """The ways in which PyTorch shares memory; here tensors are copied, whichever is chosen."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    """What was chosen; it has no effect."""
    return _strategy[0]


def set_sharing_strategy(new_strategy: str) -> None:
    """Choose a way to share memory, which has no effect. Raises an AssertionError for an unknown one."""
    if new_strategy not in get_all_sharing_strategies():
        raise AssertedError("set_sharing_strategy", f"new_strategy is {new_strategy!r}", "expected 'file_descriptor' or 'file_system'")
    _strategy[0] = new_strategy


class ProcessException(DovetailError):
    """A process that failed: its number among those started, and its process id."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.error_pid = msg, error_index, error_pid

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """A process whose function raised; the message has its traceback."""


class ProcessExitedException(ProcessException):
    """A process that ended by a signal or with a status of its own."""

    def __init__(self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name)


def _run(fn: Callable[..., Any], index: int, args: tuple[Any, ...], report: str) -> None:
    """What a started process does: the function, or the traceback in a file and status 1."""
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        with open(report, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(traceback.format_exc())
        sys.exit(1)


class ProcessContext:
    """Processes that `start_processes` started, and what becomes of them."""

    def __init__(self, processes: list[Any], folder: tempfile.TemporaryDirectory[str]) -> None:
        self.processes, self._folder = processes, folder
        self.sentinels = {process.sentinel: index for index, process in enumerate(processes)}

    def pids(self) -> list[int]:
        """Their process ids."""
        return [int(process.pid) for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait until one of them ends: True when all have ended well.

        The first that failed ends the others, and is raised as a ProcessRaisedException or a ProcessExitedException.
        """
        failed = None
        for sentinel in connection.wait(list(self.sentinels), timeout) if self.sentinels else ():
            index = self.sentinels.pop(sentinel)  # type: ignore[call-overload]
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        self._stop(grace_period)
        self._raise(failed)
        return False

    def _stop(self, grace_period: float | None) -> None:
        """End those that still run: by SIGTERM after the grace period, by SIGKILL after another."""
        self._wait(grace_period or 0)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        self._wait(30 if grace_period is None else grace_period)
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join()

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0, end - time.monotonic()))

    def _raise(self, index: int) -> None:
        process, report = self.processes[index], os.path.join(self._folder.name, str(index))
        if os.path.exists(report):
            with open(report, encoding="utf-8") as file:
                text = f"\n\n-- Process {index:d} terminated with the following error:\n{file.read()}"
            raise ProcessRaisedException(text, index, process.pid)
        code, name = process.exitcode, None
        if code < 0:
            known = {int(s): s.name for s in signal.Signals}
            name = known.get(-code, f"<Unknown signal {-code}>")
        how = f"signal {name}" if name else f"exit code {code:d}"
        raise ProcessExitedException(f"process {index:d} terminated with {how}", index, process.pid, code, name)


def _grouped() -> bool:
    world = sys.modules.get("dovetail.distributed")
    return world is not None and bool(world.is_initialized())


def _as_rank(fn: Callable[..., Any], args: tuple[Any, ...], nprocs: int, join: bool) -> None:
    """Call the function as the process that this rank is."""
    ranks, number = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    if nprocs != ranks or not join:
        what = f"{nprocs} processes with join={join}, inside of one of {ranks} ranks that dovetail launch started on this machine"
        remedy = f"dovetail launch -n {nprocs}, and join=True; processes of another kind: after init_process_group, or without the launcher"
        raise UnsupportedError(
            "multiprocessing.start_processes", what, f"expected {ranks} with join=True, which the ranks then are", remedy
        )
    fn(number, *args)


def start_processes(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """Run ``fn(i, *args)`` in `nprocs` processes; wait for them, or with ``join=False`` return their ProcessContext.

    One that fails ends the others, and its traceback is raised here. In a rank that `dovetail launch` started, before a program has made
    a process group, the ranks of this machine are those processes: each calls the function with its own number, and nothing is started.
    Raises an UnsupportedError (NotImplementedError) there for another number of processes than ranks, and for ``join=False``.
    """
    if "DOVETAIL_RESTART" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1" and not _grouped():
        _as_rank(fn, args, nprocs, join)
        return None
    main = sys.modules["__main__"]
    if installed() and main.__spec__ is None:  # the children find `import torch` answered as it is here
        main.__spec__, os.environ["DOVETAIL_TORCH_MAIN"] = ModuleSpec("dovetail_torch.child", None), os.path.abspath(str(main.__file__))
    context: Any = multiprocessing.get_context(start_method)
    folder = tempfile.TemporaryDirectory(prefix="dovetail-")
    processes = []
    for index in range(nprocs):
        process = context.Process(target=_run, args=(fn, index, args, os.path.join(folder.name, str(index))), daemon=daemon)
        process.start()
        processes.append(process)
    started = ProcessContext(processes, folder)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """`start_processes` with fresh interpreters, as PyTorch's programs call it for one process a GPU."""
    if start_method != "spawn":
        what = f"This method only supports start_method=spawn (got: {start_method}); use start_processes"
        warnings.warn(what, FutureWarning, stacklevel=2)
    return start_processes(fn, args, nprocs, join, daemon, "spawn")
