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
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from ..errors import DovetailError, WorkerError
from ..generator import default_generator
from ..ops.info import set_num_threads
from ..plugins.manager import get_manager
from .fetch import Fetcher, WorkerInfo, set_worker_info
from .shared import Sender

__all__ = ["STACK", "Inbox", "Task", "can_go", "process", "rebuilt", "serve"]

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


def serve(inbox: Inbox, put: Callable[..., None], task: Task, info: WorkerInfo) -> None:
    """Answer each request by (number, worker, "batch", "end" of its stream or "error", value, where the stream is)."""
    set_worker_info(info)
    fetch, failed, why, began = None, None, "", (0, None)
    try:
        _prepare(task, info)
    except Exception as error:
        failed = error
    for number, kind, request in inbox:
        if kind == "begin":
            fetch, began = None, request
            continue
        try:
            if failed is not None:
                raise failed
            fetch = fetch or task.make(info.dataset, epoch=began[0], state=began[1])
            result = ("batch", fetch(request), fetch.state())
        except Exception as error:
            ended = isinstance(error, StopIteration) and fetch is not None and fetch.stream is not None
            result = ("end", None, None) if ended else ("error", _told(error, info, request), None)
            if error is failed:  # it comes out once: kept here, it would keep the frames of who caught it
                why = why or repr(error)
                failed = WorkerError("DataLoader", f"worker {info.id} could not begin", why)
        try:
            put(number, info.id, *result)
        except ConnectionError:  # nobody listens any more
            return
        except Exception as error:  # a batch that cannot be pickled
            put(number, info.id, "error", _told(error, info, request), None)
        del result


def _prepare(task: Task, info: WorkerInfo) -> None:
    """What plugins do in a worker process, then what the program does."""
    manager = get_manager() if info.worker_method != "thread" else None
    if manager and any("worker_init" in plugin.implements for plugin in manager.catalogue.usable):  # else pluggy need not be imported
        manager.call("worker_init", worker_id=info.id, num_workers=info.num_workers, seed=info.seed)
    if task.init is not None:
        task.init(info.id)


class _Plain(str):
    """A text that KeyError shows as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def _told(error: Exception, info: WorkerInfo, request: Any) -> Any:
    """The error of a thread with a note of where it was; of a process what `rebuilt` needs: the nearest class that can be sent,
    PyTorch's text, attributes, and the note."""
    note = f"in DataLoader worker {'thread' if info.worker_method == 'thread' else 'process'} {info.id}, at indices {request}"
    if info.worker_method == "thread":
        error.add_note(note)
        return error
    text = f"Caught {type(error).__name__} in DataLoader worker process {info.id}.\nOriginal {''.join(traceback.format_exception(error))}"
    kind = next(kind for kind in type(error).__mro__ if can_go(kind))
    return kind, text, vars(error) if can_go(vars(error)) else {}, note


def rebuilt(kind: Any, text: str, fields: dict[str, Any], note: str) -> Exception:
    """The error of a process again, with the text that PyTorch gives it; a RuntimeError where its class takes no text."""
    text = _Plain(text) if kind is KeyError else text
    try:
        error = kind(message=text) if getattr(kind, "message", None) else kind(text)
    except Exception:
        error = RuntimeError(text)
        if issubclass(kind, DovetailError):  # one of ours keeps its class and what it knows, as the path of a file
            error = kind.__new__(kind, text)
            error.__dict__.update(fields)
    error.add_note(note)
    return error  # type: ignore[no-any-return]


def can_go(value: Any) -> bool:
    """Whether a value can be sent to another process."""
    with suppress(Exception):
        ForkingPickler.dumps(value)
        return True
    return False


def process(line: Any, stacks: Any, others: list[Any], task: Task, worker: int) -> None:
    """The main function of a worker process. Its random streams are those of PyTorch's worker of this number."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's; it ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a handler of the program is meant for its main process
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for end in others:  # of other workers, which a fork has here too
        end.close()
    if STACK is not None:
        faulthandler.enable(stacks.fileno(), all_threads=False)
        faulthandler.register(STACK, stacks.fileno(), all_threads=False)
        os.write(stacks.fileno(), b"\n")  # from now on it can be asked
    os.environ.update(task.environ)
    set_num_threads(1)
    default_generator.manual_seed(task.seed + worker)
    random.seed(task.seed + worker)
    np.random.seed(np.random.SeedSequence([worker, task.seed & 0xFFFFFFFF, task.seed >> 32, 0]).generate_state(4))
    inbox, sender = Inbox(), Sender(line)
    threading.Thread(target=_listen, args=(line, inbox, sender), daemon=True, name="dovetail-loader-listens").start()
    serve(inbox, sender, task, WorkerInfo(worker, task.num_workers, task.seed + worker, task.dataset))


def _listen(line: Any, inbox: Inbox, sender: Sender) -> None:
    """Take requests as they come, so that the main process never waits to send one, and end the process when the main one is gone."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))  # they are for the main thread
    parent, message = os.getppid(), ()
    try:
        while message is not None and os.getppid() == parent:
            if line.poll(0.5):
                message, freed = line.recv()
                sender.free.extend(freed)
                inbox.put(message)
    except Exception as error:
        if not isinstance(error, EOFError | OSError):  # a request that cannot be read
            traceback.print_exc()
    if message is not None:
        os._exit(1)
