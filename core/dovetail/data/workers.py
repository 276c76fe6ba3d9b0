"""The life of a worker: requests come in, batches and errors go out, until None arrives or the main process is gone."""

from __future__ import annotations

import faulthandler
import os
import queue
import random
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from typing import Any

from ..errors import DovetailError, WorkerError
from ..generator import default_generator
from ..ops.info import set_num_threads
from ..plugins.manager import get_manager
from .fetch import Fetcher, WorkerInfo, set_worker_info
from .shared import Sender

__all__ = ["STACK", "Failure", "Inbox", "Task", "can_go", "process", "serve"]

STACK: Any = getattr(signal, "SIGUSR1", None)  # the main process asks for the Python stack of a worker that hangs


@dataclass
class Task:
    """What all workers of a loader are told at their start."""

    dataset: Any
    make: Callable[..., Fetcher]
    init: Callable[[int], None] | None
    seed: int
    num_workers: int
    environ: dict[str, str] = field(default_factory=dict)


class Inbox:
    """Requests as (number, kind, what); those of an earlier pass, with numbers below `first`, are passed over."""

    def __init__(self) -> None:
        self.first: float = 0
        self.queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, message: Any) -> None:
        """Add a request; "begin" makes those before it void, None all of them."""
        if message is None or message[1] == "begin":
            self.first = float("inf") if message is None else message[0]
        self.queue.put(message)

    def __iter__(self) -> Iterator[tuple[int, str, Any]]:
        while (message := self.queue.get()) is not None:
            if message[0] >= self.first:
                yield message


def serve(inbox: Inbox, put: Callable[..., None], task: Task, info: WorkerInfo, failed: Exception | None = None) -> None:
    """Answer each request by (number, worker, "batch", "end" of its stream or "error", value, where the stream is)."""
    set_worker_info(info)
    try:
        if task.init is not None and failed is None:
            task.init(info.id)
    except Exception as error:
        failed = error
    fetch, first, broken = None, None, ""
    began: tuple[Any, Any] = (0, None)
    for number, kind, request in inbox:
        if kind == "begin":
            fetch, began = None, request
            continue
        try:
            if failed is not None:  # the error itself comes out once: kept here, it would keep the frames of who caught it
                first, failed = failed, None
                broken = repr(first)
                raise first
            if broken:
                raise WorkerError("DataLoader", f"worker {info.id} could not begin", broken)
            fetch = fetch or task.make(info.dataset, epoch=began[0], state=began[1])
            value = fetch(request) if kind == "fetch" else fetch.skip(request)
            result = ("batch", value, fetch.state())
            del value
        except Exception as error:
            first = None
            ended = isinstance(error, StopIteration) and fetch is not None and fetch.stream is not None
            result = ("end", None, None) if ended else ("error", _failure(error, info, request), None)
        try:
            put(number, info.id, *result)
        except ConnectionError:  # nobody listens any more
            return
        except Exception as error:  # a batch that cannot be pickled
            put(number, info.id, "error", _failure(error, info, request), None)
        del result


@dataclass
class Failure:
    """An error of a worker process on its way: the nearest class that can be sent, its attributes, PyTorch's text, and where it was."""

    kind: type
    text: str
    fields: dict[str, Any]
    note: str

    def rebuilt(self) -> Exception:
        """The error again, with the text that PyTorch gives it; a RuntimeError where its class takes no text."""
        text = _Plain(self.text) if self.kind is KeyError else self.text
        try:
            error = self.kind(message=text) if getattr(self.kind, "message", None) else self.kind(text)
        except Exception:
            error = RuntimeError(text)
            if issubclass(self.kind, DovetailError):  # one of ours keeps its class and what it knows, as the path of a file
                error = self.kind.__new__(self.kind, text)
                error.__dict__.update(self.fields)
        error.add_note(self.note)
        return error  # type: ignore[no-any-return]


class _Plain(str):
    """A text that KeyError shows as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def _failure(error: Exception, info: WorkerInfo, request: Any) -> Exception | Failure:
    """The error of a thread with a note of where it was; a process sends what it needs to be made again."""
    thread = info.worker_method == "thread"
    note = f"in DataLoader worker {'thread' if thread else 'process'} {info.id}, at indices {request}"
    if thread:
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return error
    text = f"Caught {type(error).__name__} in DataLoader worker process {info.id}.\nOriginal {''.join(traceback.format_exception(error))}"
    kind = next(kind for kind in type(error).__mro__ if can_go(kind))
    return Failure(kind, text, vars(error) if can_go(vars(error)) else {}, note)


def can_go(value: Any) -> bool:
    """Whether a value can be sent to another process."""
    try:
        ForkingPickler.dumps(value)
    except Exception:
        return False
    return True


def process(line: Any, stacks: Any, others: list[Any], task: Task, worker: int) -> None:
    """The main function of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's; it ends this one
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for end in others:  # of other workers, which a fork has here too
        end.close()
    faulthandler.enable(stacks.fileno(), all_threads=False)
    if STACK is not None:
        faulthandler.register(STACK, stacks.fileno(), all_threads=False)
    os.write(stacks.fileno(), b"\n")  # from now on it can be asked
    os.environ.update(task.environ)
    set_num_threads(1)
    _seed(task.seed, worker)
    inbox, sender = Inbox(), Sender(line)
    threading.Thread(target=_listen, args=(line, inbox, sender), daemon=True, name="dovetail-loader-listens").start()
    info = WorkerInfo(worker, task.num_workers, task.seed + worker, task.dataset)
    serve(inbox, sender, task, info, _tell_plugins(info))


def _seed(base: int, worker: int) -> None:
    """The streams of PyTorch's worker of this number: Dovetail's, Python's and NumPy's."""
    import numpy.random as numpy_random

    default_generator.manual_seed(base + worker)
    random.seed(base + worker)
    words = numpy_random.SeedSequence([worker, base & 0xFFFFFFFF, base >> 32, 0])
    numpy_random.seed(words.generate_state(4))


def _tell_plugins(info: WorkerInfo) -> Exception | None:
    """Call the hook; with its error the worker answers every request."""
    try:
        manager = get_manager()
        if any("worker_init" in plugin.implements for plugin in manager.catalogue.usable):  # else pluggy need not be imported
            manager.call("worker_init", worker_id=info.id, num_workers=info.num_workers, seed=info.seed)
    except Exception as error:
        return error
    return None


def _listen(line: Any, inbox: Inbox, sender: Sender) -> None:
    """Take requests as they come, so that the main process never waits to send one, and end the process when the main one is gone."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))  # they are for the main thread
    parent = os.getppid()
    try:
        while os.getppid() == parent:
            if line.poll(0.5):
                message, freed = line.recv()
                sender.free.extend(freed)
                inbox.put(message)
                if message is None:
                    return
    except (EOFError, OSError):
        pass
    os._exit(1)
