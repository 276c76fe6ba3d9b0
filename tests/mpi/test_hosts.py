"""Two hosts, made of network namespaces joined by a cable: one program runs across them, and a cut ends it soon, with its cause."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mpi.launching import PROGRAMS, environment, needs_mpi, reports
from tests.mpi.test_launch import same_course
from tests.support.figures import note

AGENT = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
shift
exec ip netns exec NAMEb unshare --uts sh -c 'hostname hostb; exec sh -c "$0"' "$*"
"""
RESUMING = "resuming.py", "0", "1", "200"
ADDRESSES = "10.77.0.1", "10.77.0.2"


def ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True)


class Hosts:
    """The namespaces NAMEa, in which the launcher runs, and NAMEb, which an agent in the place of ssh enters."""

    def __init__(self, folder: Path) -> None:
        self.name, self.folder = f"dvt{os.getpid()}", folder
        self.agent = folder / "agent.sh"
        self.agent.write_text(AGENT.replace("NAME", self.name))
        self.agent.chmod(0o755)

    def make(self) -> None:
        for end in "ab":
            ip("netns", "add", self.name + end)
            ip("-n", self.name + end, "link", "set", "lo", "up")
        ip("link", "add", "vea", "netns", f"{self.name}a", "type", "veth", "peer", "name", "veb", "netns", f"{self.name}b")
        for end, address in zip("ab", ADDRESSES, strict=True):
            ip("-n", self.name + end, "addr", "add", f"{address}/24", "dev", f"ve{end}")
            ip("-n", self.name + end, "link", "set", f"ve{end}", "up")

    def remove(self) -> None:
        for end in "ab":
            subprocess.run(["ip", "netns", "del", self.name + end], capture_output=True, check=False)

    def start(self, folder: Path, *program: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """A program of the folder, one rank on each host."""
        folder.mkdir(exist_ok=True)
        hosts = ",".join(f"{address}:1" for address in ADDRESSES)
        launch = [sys.executable, "-m", "dovetail", "launch", "--no-prefix", "--threads", "1", "--hosts", hosts, *options]
        inside = ["ip", "netns", "exec", f"{self.name}a", "unshare", "--uts", "sh", "-c", 'hostname hosta; exec "$@"', "sh"]
        variables = environment(PRTE_MCA_plm_ssh_agent=str(self.agent), PRTE_MCA_plm_rsh_agent=str(self.agent))
        command = [*inside, *launch, str(PROGRAMS / program[0]), str(folder), *program[1:]]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=variables)

    def left(self) -> list[str]:
        """The processes that run on both hosts."""
        return [pid for end in "ab" for pid in ip("netns", "pids", self.name + end).stdout.split()]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    if not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("two hosts are not tried: there is no ip or no unshare (Debian: iproute2, util-linux)")
    made = Hosts(tmp_path)
    try:
        made.make()
    except subprocess.CalledProcessError as error:
        made.remove()
        pytest.skip(f"two hosts are not tried: network namespaces are not permitted here ({error.stderr.strip()})")
    yield made
    made.remove()


@needs_mpi
@pytest.mark.soak
def test_a_cut_cable(hosts: Hosts, tmp_path: Path) -> None:
    calm, _ = hosts.start(tmp_path / "calm", *RESUMING).communicate(timeout=120)
    assert len(reports(calm)) == 2, calm
    job, log, end = hosts.start(tmp_path / "cut", *RESUMING), tmp_path / "cut" / "log", time.monotonic() + 60
    while not log.exists() or len(log.read_text().split()) < 40:
        assert time.monotonic() < end and job.poll() is None, job.communicate()[0]
        time.sleep(0.01)
    ip("-n", f"{hosts.name}a", "link", "set", "vea", "down")
    cut = time.monotonic()
    text, _ = job.communicate(timeout=60)
    seconds = time.monotonic() - cut
    note("M4", "a job whose cable is cut: seconds until it has ended", round(seconds, 2), "10")
    assert job.returncode and "dovetail launch: the job lost host hostb: it does not answer" in text, text
    assert seconds < 10 and not reports(text)
    while left := hosts.left():
        assert time.monotonic() - cut < 15, left
        time.sleep(0.1)
    ip("-n", f"{hosts.name}a", "link", "set", "vea", "up")
    again, _ = hosts.start(tmp_path / "cut", *RESUMING).communicate(timeout=120)
    for one, other in zip(reports(calm), reports(again), strict=True):
        assert one["numbers"] == other["numbers"] and other["begun"] >= 39, (calm, again)


@needs_mpi
@pytest.mark.soak
def test_the_rest_goes_on_without_a_host_that_is_gone(hosts: Hosts, tmp_path: Path) -> None:
    """`--max-restarts` with `--min-ranks`: one rank goes on with the batches of both, from the last complete checkpoint."""
    calm, _ = hosts.start(tmp_path / "calm", "fewer.py", "120").communicate(timeout=120)
    assert len(reports(calm)) == 2, calm
    job = hosts.start(tmp_path / "cut", "fewer.py", "120", options=("--max-restarts", "1", "--min-ranks", "1"))
    log, end = tmp_path / "cut" / "log", time.monotonic() + 60
    while not log.exists() or len(log.read_text().split()) < 20:
        assert time.monotonic() < end and job.poll() is None, job.communicate()[0]
        time.sleep(0.01)
    ip("-n", f"{hosts.name}b", "link", "set", "veb", "down")  # the launcher's own address stays
    text, _ = job.communicate(timeout=90)
    assert job.returncode == 0 and "lost host hostb" in text and "restart 1 of 1, 1 ranks" in text, text
    (found,) = reports(text)
    assert found["ranks"] == 1 and 18 <= found["begun"] < 120, text
    same_course([found], reports(calm))
    note("M6", "a job of 2 hosts of which one is gone: the step from which the other goes on", found["begun"], "18 to 120")
