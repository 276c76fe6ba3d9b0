"""The main process's side of workers: start them, send requests, receive results, say how one died, and end them."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from typing import Any

from .. import plugins
from ..generator import thread_generator
from .fetch import WorkerInfo
from .shared import Receiver
from .workers import STACK, Inbox, Task, can_go, process, rebuilt, serve

__all__ = ["ProcessPool", "ThreadPool", "start_method"]

TICK = 0.5  # seconds between looks at whether all workers live, where no message comes
PATIENCE = 1.0  # seconds that workers have to finish what they do when they are to end
HARMLESS = {"tqdm", "tensorboardX"}  # packages whose threads only sleep or write files: forking beside them, as beside our own, is safe
_ENDS: weakref.WeakSet[Any] = weakref.WeakSet()  # the main process's ends of all connections, which forked workers close


class ThreadPool:
    """Workers that are threads of this process."""

    def __init__(self, task: Task, copies: list[Any]) -> None:
        self.results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.inboxes = [Inbox() for _ in copies]
        for worker, dataset in enumerate(copies):
            info = WorkerInfo(worker, task.num_workers, task.seed + worker, dataset, worker_method="thread")
            args = (self.inboxes[worker], self.results, task, info)
            threading.Thread(target=_thread, args=args, daemon=True, name=f"dovetail-loader-{worker}").start()

    def send(self, worker: int, message: Any) -> None:
        """Ask a worker for something: (number, kind, what)."""
        self.inboxes[worker].put(message)

    def receive(self, timeout: float | None) -> Any:
        """The next result, or None when none has come after so many seconds."""
        with suppress(queue.Empty):
            return self.results.get(timeout=timeout)

    def stack(self, worker: int) -> str:
        """The Python stack of a worker: not asked for, as a debugger shows it for threads."""
        return ""

    def stop(self) -> None:
        """Let the threads end; requests that they have not begun are dropped."""
        for inbox in self.inboxes:
            inbox.put(None)


def _thread(inbox: Inbox, results: queue.SimpleQueue[Any], task: Task, info: WorkerInfo) -> None:
    with thread_generator(info.seed):
        try:
            serve(inbox, lambda *result: results.put(result), task, info)
        except BaseException as error:  # what would end a process
            results.put((None, info.id, "dead", f"worker thread {info.id} ended by {type(error).__name__} {error}", None))


class ProcessPool:
    """Workers that are processes, each with a connection of its own, so that the death of one harms no other."""

    def __init__(self, task: Task, context: Any) -> None:
        method = context.get_start_method()
        if method != "fork":
            task.environ = {name: value for name, value in plugins.environment().items() if name.startswith("DOVETAIL_")}
        self.receivers: list[Receiver] = []
        self.stacks: list[Any] = []
        self.processes: list[Any] = []
        self.begun: set[int] = set()  # those that can be asked for their stack
        self.workers: dict[Any, int] = {}  # by connection; those that are known to be dead are out
        self.stop = weakref.finalize(self, _stop, os.getpid(), self.receivers, self.processes)
        for worker in range(task.num_workers):
            ours, theirs = context.Pipe()
            stack, stack_in = context.Pipe(duplex=False)
            _ENDS.update((ours, stack))
            others = list(_ENDS) if method == "fork" else []
            args = (theirs, stack_in, others, task, worker)
            made = context.Process(target=process, args=args, daemon=True, name=f"dovetail-loader-{worker}")
            with _starting(method):
                made.start()
            theirs.close()
            stack_in.close()
            self.receivers.append(Receiver(ours))
            self.stacks.append(stack)
            self.processes.append(made)
            self.workers[ours] = worker

    def send(self, worker: int, message: Any) -> None:
        """Ask a worker for something: (number, kind, what). It is told as well which blocks of memory are free again."""
        _tell(self.receivers[worker], message)

    def receive(self, timeout: float | None) -> Any:
        """The next result, or None when none has come after so many seconds; of a worker that died, (None, worker, "dead", how, None)."""
        for line in wait(list(self.workers), timeout):
            try:
                *head, kind, value, state = self.receivers[self.workers[line]]()
                return *head, kind, rebuilt(*value) if kind == "error" else value, state
            except (EOFError, OSError):
                return self._dead(self.workers.pop(line))
            except Exception as error:
                return None, self.workers[line], "dead", f"what worker {self.workers[line]} sent cannot be read: {error!r}", None
        for line, worker in self.workers.items():  # a grandchild may hold the connection of a dead worker open
            if not self.processes[worker].is_alive():
                return self._dead(self.workers.pop(line))
        return None

    def _dead(self, worker: int) -> Any:
        dead = self.processes[worker]
        dead.join(1)
        code = dead.exitcode
        how = f"DataLoader worker (pid(s) {dead.pid}) exited unexpectedly: worker {worker} "
        if code is not None and code < 0:
            name = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
            how += f"was killed by {name}{' (is memory short?)' if name == 'SIGKILL' else ''}"
        else:
            how += "closed its connection" if code is None else f"ended with exit code {code}"
        stack = self._written(worker, 0)
        return None, worker, "dead", how + (f"\n{stack}\n" if stack else ""), None

    def stack(self, worker: int) -> str:
        """The Python stack of a worker that hangs, as it writes it itself when it is sent a signal."""
        self._written(worker, 0)
        if STACK is None or worker not in self.begun or not self.processes[worker].is_alive():
            return ""
        os.kill(self.processes[worker].pid, STACK)
        return self._written(worker, 0.5)

    def _written(self, worker: int, patience: float) -> str:
        """What a worker has written of its stacks, once it begins within so many seconds."""
        text, pipe = b"", self.stacks[worker]
        with suppress(OSError):
            while pipe.poll(patience) and (got := os.read(pipe.fileno(), 65536)):
                text, patience = text + got, 0.05
        self.begun |= {worker} if text else set()
        return text.decode(errors="replace").strip()


def _tell(receiver: Receiver, message: Any) -> None:
    freed = [getattr(one, "number", one) for one in (receiver.freed.popleft() for _ in range(len(receiver.freed)))]
    with suppress(OSError):  # it is dead, which `receive` will find
        receiver.line.send((message, freed))


def _stop(pid: int, receivers: list[Receiver], processes: list[Any]) -> None:
    """End the workers: when they have done what they are at, or by force."""
    if os.getpid() != pid:  # a forked process has these objects too, and is not the one to end them
        return
    for receiver in receivers:
        _tell(receiver, None)
        receiver.line.close()
    until = time.monotonic() + PATIENCE
    for made in processes:
        made.join(max(0.0, until - time.monotonic()))
        for end in (made.terminate, made.kill):
            if made.is_alive():
                end()
                made.join(1)


@contextmanager
def _starting(method: str) -> Iterator[None]:
    """Ctrl-C while a worker starts comes to the main process, after it; an error says what is sent to workers."""
    mask = getattr(signal, "pthread_sigmask", None) if method != "forkserver" else None
    before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
    try:
        yield
    except Exception as error:
        if method != "fork":
            what = f"DataLoader: workers that start by {method!r} are sent dataset, collate_fn and worker_init_fn by pickle"
            error.add_note(f"{what}: define them at the top of a module, or pass multiprocessing_context='fork'")
        raise
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)


def start_method(task: Task) -> str:
    """How workers start where the program does not say: as multiprocessing.set_start_method said; else, on Linux, by fork, where a
    script needs no guard and nothing is pickled. Beside threads of others, which may hold a lock at that moment, by forkserver, if the
    program can run so.
    """
    method = multiprocessing.get_start_method(allow_none=True)
    if not sys.platform.startswith("linux") or method not in (None, "fork"):
        return method or multiprocessing.get_context().get_start_method()
    mine = (threading.main_thread(), threading.current_thread())
    others = [t for t in threading.enumerate() if t not in mine and not t.name.startswith("dovetail")]
    risky = any(type(t).__module__.partition(".")[0] not in HARMLESS for t in others)
    return "forkserver" if risky and _guarded() and can_go((task.dataset, task.make, task.init)) else "fork"


def _guarded() -> bool:
    """Whether the program can be imported by another process: a file that says what it does only where it is the main program."""
    with suppress(AttributeError, OSError, ValueError), open(sys.modules["__main__"].__file__ or "", encoding="utf-8") as file:
        return "__name__" in file.read()
    return False
