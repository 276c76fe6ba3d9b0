"""`dovetail launch -n 4 train.py`: a program in several processes, on this machine or others, by the MPI that is there."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from dovetail.errors import DovetailError

from .job import Ending, Job, command, environment, find_mpiexec, pause

__all__ = ["launch"]

_OPTIONS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=_OPTIONS)
@click.option("-n", "--ranks", type=click.IntRange(1), help="How many processes; by default one for each core, or all that --hosts has.")
@click.option("--hosts", metavar="A:4,B:4", help="Hosts with their numbers of processes, reached by ssh or the site's scheduler.")
@click.option("--threads", type=click.IntRange(1), help="Threads of each process; by default an equal share of the cores.")
@click.option("--oversubscribe", is_flag=True, help="Allow more processes than cores.")
@click.option("--no-bind", is_flag=True, help="Do not bind processes to cores.")
@click.option("--no-prefix", is_flag=True, help="Show lines as they are, without the rank before them.")
@click.option("--max-restarts", type=click.IntRange(0), default=0, show_default=True, help="Start again so often, when a process dies.")
@click.option("--min-ranks", type=click.IntRange(1), help="On a restart without a host that was lost, be content with so many.")
@click.option("-m", "module", is_flag=True, help="PROGRAM is a module, as for python -m.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def launch(
    ranks: int | None, hosts: str | None, threads: int | None, oversubscribe: bool, no_bind: bool, no_prefix: bool, max_restarts: int,
    min_ranks: int | None, module: bool, program: str, arguments: tuple[str, ...],
) -> None:  # fmt: skip
    """Run PROGRAM in several processes that find each other by distributed.init_process_group().

    PROGRAM is a file, with -m a module, or `dovetail` and one of its commands.
    Exit codes: 0 all ended well; 2 the command line is wrong; else that of the first process that failed, 128 + number for a signal.
    """
    try:
        mpiexec = find_mpiexec()
    except DovetailError as error:
        raise click.ClickException(str(error)) from error
    machines = _hosts(hosts)
    target = _target(program, module)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    slots = sum(count for _, count in machines) or cores
    ranks = ranks or slots
    if ranks > slots and not oversubscribe:
        what = f"hosts {hosts} have {slots} slots" if machines else f"this machine has {cores} cores"
        raise click.UsageError(f"{ranks} processes, and {what}; expected at most {slots}; --oversubscribe lets them share")
    for restart in range(max_restarts + 1):
        here = max(1, -(-ranks // len(machines))) if machines else ranks
        share = 0 if threads is None and "OMP_NUM_THREADS" in os.environ else threads or max(1, cores // here)
        bind = 0 if no_bind or oversubscribe or machines else min(share or 1, max(1, cores // here))
        ending = _once(command(mpiexec, ranks, machines, bind, [*target, *arguments]), environment(share, restart), not no_prefix)
        if ending.code == 0:
            return
        click.secho(f"dovetail launch: {ending}; the other ranks were stopped", fg="red", err=True)
        machines, ranks = _without(machines, ending, ranks, min_ranks)
        if restart == max_restarts or ending.code == 75 or not ranks:
            break
        click.secho(f"dovetail launch: restart {restart + 1} of {max_restarts}, {ranks} ranks", err=True)
        pause(restart + 1)
    sys.exit(ending.code)


def _once(arguments: list[str], variables: dict[str, str], prefix: bool) -> Ending:
    """One start; SIGTERM to this process goes to the job."""
    job = Job(arguments, variables, prefix)

    def forward(number: int, frame: Any) -> None:
        job.stop(number)
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, forward)
    try:
        return job.wait()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)


def _hosts(text: str | None) -> list[tuple[str, int]]:
    """Names and numbers of ``a:4,b``; a host without a number has one slot."""
    made = []
    for part in (text or "").split(",") if text else ():
        name, _, count = part.strip().partition(":")
        if not name or (count and not count.isdigit()):
            raise click.BadParameter(f"{part!r} is no host; expected names with numbers of processes, as a:4,b:4", param_hint="--hosts")
        made.append((name, int(count or 1)))
    return made


def _target(program: str, module: bool) -> list[str]:
    if module:
        return ["-m", program]
    if Path(program).is_file():
        return [program]
    if program == "dovetail":
        return ["-m", "dovetail"]
    raise click.BadParameter(f"there is no file {program!r}; -m runs a module", param_hint="PROGRAM")


def _without(machines: list[tuple[str, int]], ending: Ending, ranks: int, least: int | None) -> tuple[list[tuple[str, int]], int]:
    """The hosts without one that was lost, and how many processes they can have; 0 when those are too few."""
    lost = _given(machines, ending)
    left = [machine for machine in machines if machine[0] != lost or ending.rank is not None]
    if len(left) == len(machines):
        return machines, ranks
    fewer = min(ranks, sum(count for _, count in left))
    return left, fewer if fewer >= (least or ranks) else 0


def _given(machines: list[tuple[str, int]], ending: Ending) -> str:
    """The lost host's name in --hosts, which may be an address: its own name is known from its ranks, which fill the slots in order."""
    slots = [name for name, count in machines for _ in range(count)]
    said = {slots[rank] for rank, host in ending.hosts.items() if host == ending.host and rank < len(slots)}
    return said.pop() if len(said) == 1 and ending.host not in slots else ending.host
