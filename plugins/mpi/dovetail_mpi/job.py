"""A job: mpiexec found and started, its ranks' output with prefixes, and what it says of its end in one sentence."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from .errors import DistBackendError
from .mpi import INSTALL
from .rank import HELLO

__all__ = ["Ending", "Job", "command", "find_mpiexec"]

_TAG = re.compile(r"\[\d+,(\d+)\]<(?:stdout|stderr)>: ?(.*)")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_FAR = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV", *_THREADS)  # what ranks on other hosts are told of the environment
_SIGNAL = re.compile(r"process rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)")
_CODE = re.compile(r"Process name:\s+\[\S+?,(\d+)\]\s+Exit code:\s+(\d+)")
_LOST = re.compile(r"(?:Remote host|on node|Lost node|hostname|Node(?: name)?):?\s+(\S+)")
_GONE = re.compile(r"lost communication with a remote daemon.*?Remote daemon: \[\S+\] on node (\S+)", re.S)
_OWN = re.compile(r"rank (\d+) on (\S+) (failed: .*|ended with exit code \d+)")


def find_mpiexec() -> str:
    """The mpiexec of this Python's environment, or the first on the path. Raises a DistBackendError that says what to install."""
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec") or shutil.which("mpirun")
    if found is None:
        raise DistBackendError("dovetail launch", "there is no mpiexec", "expected one beside this Python, or on PATH", INSTALL)
    return found


def command(mpiexec: str, ranks: int, hosts: Sequence[tuple[str, int]], bind: int, program: Sequence[str]) -> list[str]:
    """The command that starts the ranks; ``bind`` cores for each, or 0 for none.

    >>> command("mpiexec", 2, [], 1, ["train.py"])[:6]
    ['mpiexec', '-n', '2', '--output', 'tag', '--map-by']
    """
    text = (
        subprocess.run([mpiexec, "--version"], capture_output=True, text=True, check=False).stdout if os.path.isabs(mpiexec) else "Open MPI"
    )
    rank = [sys.executable, "-u", "-m", "dovetail_mpi.rank", *program]
    where = ",".join(f"{name}:{slots}" for name, slots in hosts)
    if "Open MPI" not in text and "OpenRTE" not in text:  # MPICH and its kin
        return [mpiexec, "-prepend-rank", "-n", str(ranks), *(["-hosts", where] if where else []), *rank]
    how = ["--map-by", f"slot:PE={bind}", "--bind-to", "core:if-supported"] if bind else ["--map-by", ":OVERSUBSCRIBE", "--bind-to", "none"]
    made = [mpiexec, "-n", str(ranks), "--output", "tag", *how]
    if where:
        keep = {"time": 2, "intvl": 1, "probes": 3}  # seconds until a host that answers no more is given up
        made += ["--host", where, *(f for k, v in keep.items() for f in ("--prtemca", f"oob_tcp_keepalive_{k}", str(v)))]
        made += [part for name in _FAR if name in os.environ for part in ("-x", name)]
        made += [part for name in os.environ if name.startswith("DOVETAIL_") and name not in _FAR for part in ("-x", name)]
    return [*made, *rank]


class Ending:
    """How a job ended: its exit code, and of the first rank that failed its number, its host and the cause."""

    def __init__(self, code: int, rank: int | None = None, host: str = "", cause: str = "") -> None:
        self.code, self.rank, self.host, self.cause = code, rank, host, cause
        self.hosts: dict[int, str] = {}  # of all ranks, as they call themselves

    def __str__(self) -> str:
        of = "the job" if self.rank is None else f"rank {self.rank}" + (f" on {self.host}" if self.host else "")
        return f"{of} {self.cause}"


class Job:
    """The ranks of one start, with their output shown as it comes, ``[rank] `` before each line."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], prefix: bool = True) -> None:
        self.prefix = prefix
        self.hosts: dict[int, str] = {}
        self.own: list[tuple[int, str, str]] = []  # what ranks themselves say of their end: rank, host, cause
        self.said: list[str] = []
        self.aborting: set[int] = set()
        self.lock = threading.Lock()
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            list(arguments), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, errors="replace", env=environment
        )
        pairs = ((self.process.stdout, sys.stdout), (self.process.stderr, sys.stderr))
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in pairs]
        for reader in self.readers:
            reader.start()

    def _read(self, source: IO[str], target: IO[str]) -> None:
        for line in source:
            found = _TAG.match(line)
            if found is None:
                self.said.append(line)  # mpiexec's own words
                continue
            rank, text = int(found[1]), found[2]
            if text.startswith(HELLO):
                self.hosts[rank] = text.removeprefix(HELLO).strip()
            elif not self._of_abort(rank, text):
                self._show(rank, text, target)

    def _show(self, rank: int, text: str, target: IO[str]) -> None:
        if own := _OWN.match(text):
            self.own.append((int(own[1]), own[2], own[3]))
        with self.lock, suppress(OSError, ValueError):
            print(f"[{rank}] {text}" if self.prefix else text, file=target, flush=True)

    def _of_abort(self, rank: int, text: str) -> bool:
        """Whether a line is of what MPI says when a rank ends the job, which is said here in one sentence."""
        rule = text.startswith("-" * 60)
        if "MPI_ABORT was invoked" in text:
            self.aborting.add(rank)
        elif rule and rank in self.aborting:
            self.aborting.discard(rank)
            return True
        return rule or rank in self.aborting

    def wait(self) -> Ending:
        """Return when all ranks have ended."""
        try:
            code = self.process.wait()
        except KeyboardInterrupt:
            self.stop(signal.SIGINT)
            raise
        for reader in self.readers:
            reader.join(5)
        ending = self._ending(code)
        ending.hosts = self.hosts
        return ending

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask all ranks to end, and end them when they do not within ten seconds."""
        for how in (number, signal.SIGKILL):
            with suppress(ProcessLookupError):
                self.process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
                return

    def _ending(self, code: int) -> Ending:
        text = "".join(self.said)
        if gone := _GONE.search(text):  # mpiexec may say so with exit code 0
            return Ending(code or 1, None, gone[1], f"lost host {gone[1]}: it does not answer, or its daemon has died")
        if code == 0:
            return Ending(0)
        if killed := _SIGNAL.search(text):
            number = int(killed[3])
            with suppress(ValueError):
                name = signal.Signals(number).name
                return Ending(128 + number, int(killed[1]), killed[2], f"was killed by signal {number} ({name})")
        if self.own:  # mpiexec's own code may be another: where two ranks end the job at once, Open MPI's has been seen to crash
            said = re.fullmatch(r"ended with exit code (\d+)", self.own[0][2])
            return Ending(int(said[1]) if said else 1, *self.own[0])
        if code < 0:
            return Ending(128 - code, None, "", f"ended because mpiexec was killed by signal {-code}\n{text.strip()}")
        if ended := _CODE.search(text):
            return Ending(code, int(ended[1]), self.hosts.get(int(ended[1]), ""), f"ended with exit code {ended[2]}")
        if "daemon" in text or "node" in text.lower():
            lost = _LOST.findall(text)
            host = lost[-1].rstrip(".,") if lost else ""
            return Ending(code, None, host, f"lost host {host or '(unknown)'}, or could not reach it\n{text.strip()}")
        return Ending(code, None, "", f"ended with exit code {code}\n{text.strip()}")


def environment(threads: int, restart: int) -> dict[str, str]:
    """The environment of the ranks: a budget of threads for each, and which start this is."""
    made = {**os.environ, "DOVETAIL_RESTART": str(restart), "TORCHELASTIC_RESTART_COUNT": str(restart), "PYTHONUNBUFFERED": "1"}
    made.update(dict.fromkeys(_THREADS, str(threads)) if threads else {})
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container there is often nobody else
        made.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return made


def pause(restart: int) -> None:
    """Let what ended be gone before it is started again."""
    time.sleep(min(5.0, 0.1 * restart))
