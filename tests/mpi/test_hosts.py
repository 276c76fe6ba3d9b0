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
from tests.support.figures import note

AGENT = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
shift
exec ip netns exec NAMEb unshare --uts sh -c 'hostname hostb; exec sh -c "$0"' "$*"
"""
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

    def start(self, folder: Path, steps: int) -> subprocess.Popen[str]:
        """The training of the program resuming.py, one rank on each host."""
        folder.mkdir(exist_ok=True)
        hosts = ",".join(f"{address}:1" for address in ADDRESSES)
        launch = [sys.executable, "-m", "dovetail", "launch", "--no-prefix", "--threads", "1", "--hosts", hosts]
        program = [str(PROGRAMS / "resuming.py"), str(folder), "0", "1", str(steps)]
        inside = ["ip", "netns", "exec", f"{self.name}a", "unshare", "--uts", "sh", "-c", 'hostname hosta; exec "$@"', "sh"]
        variables = environment(PRTE_MCA_plm_ssh_agent=str(self.agent), PRTE_MCA_plm_rsh_agent=str(self.agent))
        pipe = subprocess.PIPE
        return subprocess.Popen([*inside, *launch, *program], stdout=pipe, stderr=subprocess.STDOUT, text=True, env=variables)

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
    calm, _ = hosts.start(tmp_path / "calm", 200).communicate(timeout=120)
    assert len(reports(calm)) == 2, calm
    job, log, end = hosts.start(tmp_path / "cut", 200), tmp_path / "cut" / "log", time.monotonic() + 60
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
    again, _ = hosts.start(tmp_path / "cut", 200).communicate(timeout=120)
    for one, other in zip(reports(calm), reports(again), strict=True):
        assert one["numbers"] == other["numbers"] and other["begun"] >= 39, (calm, again)
