"""Datasets that end, hang or hinder the process that loads them; in a module of their own, so that spawned workers find them."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import sys
import time
from pathlib import Path

from dovetail.data import Dataset

__all__ = ["DEATHS", "HANGS", "Dying", "Hanging", "Steady"]


def local_error():
    class Local(ValueError):
        """Found by no name, and its argument cannot be pickled."""

    raise Local(lambda: None)


def exception():
    raise ValueError("bad sample")


def out_of_memory():
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))
    bytearray(2**30)


# What is done in the worker, the class of error that comes out, and what its text says.
DEATHS = {
    "SIGKILL": (lambda: os.kill(os.getpid(), signal.SIGKILL), "WorkerError", "killed by SIGKILL"),
    "SIGSEGV": (lambda: ctypes.string_at(0), "WorkerError", "killed by SIGSEGV"),
    "SIGTERM": (lambda: os.kill(os.getpid(), signal.SIGTERM), "WorkerError", "killed by SIGTERM"),
    "os._exit": (lambda: os._exit(7), "WorkerError", "ended with exit code 7"),
    "sys.exit": (lambda: sys.exit(3), "WorkerError", "ended with exit code 3"),
    "exception": (exception, "ValueError", "Caught ValueError in DataLoader worker process 1."),
    "unpicklable error": (local_error, "ValueError", "Caught Local in DataLoader worker process 1."),
    "RLIMIT_AS": (out_of_memory, "MemoryError", "Caught MemoryError in DataLoader worker process 1."),
}


class Dying(Dataset):
    """Sample 6 does what `how` names, and writes down when."""

    def __init__(self, how, note):
        self.how, self.note = how, str(note)

    def __len__(self):
        return 40

    def __getitem__(self, index):
        if index == 6:
            Path(self.note).write_text(str(time.monotonic()))
            DEATHS[self.how][0]()
            time.sleep(30)
        return index


def asleep():
    time.sleep(60)


def spinning():
    while True:
        pass


def lost_in_c():
    re.match(r"(a+)+$", "a" * 40 + "b")  # holds the interpreter's lock for ever


HANGS = {"asleep": asleep, "spinning": spinning, "lost_in_c": lost_in_c}


class Hanging(Dataset):
    """Sample 3 never comes."""

    def __init__(self, how):
        self.how = how

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 3:
            HANGS[self.how]()
        return index


class Steady(Dataset):
    """Large samples, slowly and for ever."""

    def __len__(self):
        return 10**6

    def __getitem__(self, index):
        import dovetail as dv

        time.sleep(0.01)
        return dv.ones(40_000)
