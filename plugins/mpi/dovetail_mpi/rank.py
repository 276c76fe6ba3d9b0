"""What `dovetail launch` starts in every rank: the variables that programs ask for, the program, and an end that nobody waits for.

``python -m dovetail_mpi.rank program.py …`` or ``-m module …``, under mpiexec.
"""

from __future__ import annotations

import faulthandler
import os
import runpy
import signal
import socket
import sys
import time
from pathlib import Path

from .mpi import place

__all__ = ["HELLO", "main", "variables"]

HELLO = "dovetail rank is on host "  # the launcher reads it, and shows it to nobody
_SAVED = 75  # the exit code of what was stopped, and saved: no failure


def variables() -> dict[str, str]:
    """RANK, WORLD_SIZE, LOCAL_RANK … from what MPI's launcher has set.

    >>> variables()["RANK"], variables()["WORLD_SIZE"]
    ('0', '1')
    """
    rank, size, local, locals_ = place()
    found = {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": local, "LOCAL_WORLD_SIZE": locals_, "GROUP_RANK": rank // max(1, locals_)}
    return {name: str(value) for name, value in found.items()}


def main() -> None:
    """Run the program of the command line as this rank."""
    faulthandler.enable()
    os.environ.update(variables())
    os.environ.setdefault("MASTER_ADDR", "localhost")
    os.environ.setdefault("MASTER_PORT", "29500")
    rank = os.environ["RANK"]
    if rank != "0":
        os.environ.setdefault("TQDM_DISABLE", "1")  # one progress bar
    print(f"{HELLO}{socket.gethostname()}", file=sys.stderr, flush=True)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    module = sys.argv[1] == "-m"
    del sys.argv[: 2 if module else 1]
    try:
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if end.code.__class__ is str:
            print(end.code, file=sys.stderr)
        if code not in (0, _SAVED):
            _stop(rank, f"ended with exit code {code}", code)
        raise
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)  # where there is a world, this ends the job
        _stop(rank, f"failed: {type(error).__name__}: {error}", 1)


def _stop(rank: str, what: str, code: int) -> None:
    """End the job: other ranks may wait for this one, and would wait in MPI's own end too."""
    print(f"rank {rank} on {socket.gethostname()} {what}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    if "mpi4py.MPI" in sys.modules:
        time.sleep(0.5)  # what others have to say of the same error comes out too
        sys.modules["mpi4py.MPI"].COMM_WORLD.Abort(code)
    os._exit(code)


if __name__ == "__main__":
    main()
