"""Tensors on GPUs travel by NCCL: here on the stand-in for CuPy, whose NCCL meets in a folder; on a GPU in tests/gpu/test_nccl.py."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

import dovetail as dv
from dovetail_mpi.errors import DistBackendError
from dovetail_mpi.nccl import TYPES, WAYS, Landing, Link, nccl
from tests.mpi.launching import launch, needs_mpi, reports
from tests.support.cupy_standin import Standin, install, no_host_copies, standin
from tests.support.cupy_standin.names import names
from tests.support.figures import note

__all__ = ["standin"]

BAR = 1e-12
ROOT = Path(__file__).parents[2]


def check(ranks: int) -> None:
    """The program nccl.py on so many ranks: collectives, refusals, trainings, and a rank that leaves."""
    with tempfile.TemporaryDirectory() as folder:  # where the ranks meet
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = launch("nccl.py", ranks, timeout=400, TMPDIR=folder, PYTHONPATH=path)
    found, left = reports(done.text, "tried"), reports(done.text, "tried at the end")
    assert len(found) == ranks and len(left) == ranks - 1, done.text
    for report in found:
        assert not report["wrong"] and report["tried"] > 150, report
        assert report["on the GPU"] == report["through the host"] == f"cuda:{report['rank']}" and report["buckets"] >= 3, report
        for case in ("apart", "zero", "joined"):
            assert report[case] < BAR, report
            note("M1", f"training by NCCL on {ranks} ranks of the stand-in beside one process: {case}", report[case], f"{BAR} relative")
        assert report["ended"] == ["the process group was destroyed"], report
    assert all(not report["wrong"] and report["tried at the end"] == 2 for report in left), left


@needs_mpi
def test_two_ranks() -> None:
    check(2)


@needs_mpi
@pytest.mark.soak
def test_three_ranks() -> None:
    check(3)


def landed(landing: Landing) -> None:
    """Return when the calls are done."""
    end = time.monotonic() + 60
    while not landing.Test():
        assert time.monotonic() < end, "NCCL did not come back"


def each_call_of_one_rank() -> None:
    """Each call of NCCL with each type of elements, in a communicator of one: what comes back is what was given."""
    link = Link(1, 0, nccl().get_unique_id(), 0)
    for kind in TYPES:
        dtype = getattr(dv, kind)
        given = (dv.arange(6) % (2 if dtype is dv.bool else 7)).to(dtype)
        for way in WAYS:
            if (dtype.is_complex and way not in ("SUM", "AVG")) or (dtype is dv.bool and way == "AVG"):
                continue
            tensor, into = given.to("cuda"), dv.zeros(6, dtype=dtype, device="cuda")
            landed(link.all_reduce(tensor, way))
            landed(link.reduce(tensor, way, 0))
            landed(link.reduce_scatter(tensor, into, way))
            assert tensor.tolist() == into.tolist() == given.tolist(), (kind, way)
        for call in (lambda tensor, into: link.all_gather(tensor, into), lambda tensor, into: link.exchange(tensor, [6], into, [6])):
            tensor, into = given.to("cuda"), dv.zeros(6, dtype=dtype, device="cuda")
            landed(call(tensor, into))
            landed(link.spread([tensor, into], [0, 0]))
            assert tensor.tolist() == into.tolist() == given.tolist(), kind
    landed(link.spread([dv.zeros(0, device="cuda")], [0]))
    assert not link.busy()
    link.close()
    with pytest.raises(DistBackendError, match="NCCL: the communicator was ended before: the process group was destroyed"):
        link.broadcast(dv.ones(1, device="cuda"), 0)


def world_of_one() -> None:
    """A world of one process whose tensors are on a GPU."""
    dist = dv.distributed
    assert dist.is_nccl_available() and dist.is_backend_available("nccl") and dist.is_backend_available("cpu:gloo,cuda:nccl")
    dist.init_process_group("nccl", rank=0, world_size=1, device_id=dv.device("cuda:0"))
    try:
        assert dist.get_backend() == "nccl" and dv.cuda.current_device() == 0
        tensor, got = dv.ones(2, device="cuda"), [dv.zeros(2, device="cuda")]
        dist.all_reduce(tensor)
        dist.all_gather(got, tensor)
        dist.reduce_scatter(tensor, [got[0] * 3])
        dist.all_to_all(got, [tensor])
        model = dv.nn.parallel.DistributedDataParallel(dv.nn.Linear(2, 1).to("cuda"), device_ids=[0])
        model(tensor[None]).sum().backward()
        assert got[0].tolist() == [3, 3] == model.module.weight.grad[0].tolist()
        for call in (dist.all_reduce, dist.broadcast, dist.isend):
            with pytest.raises(RuntimeError, match="No backend type associated with device type cpu; .*'nccl'; .*'cpu:gloo,cuda:nccl'"):
                call(dv.ones(2))
    finally:
        dist.destroy_process_group()


def test_each_call_of_one_rank(standin: Standin) -> None:
    each_call_of_one_rank()


def test_world_of_one(standin: Standin) -> None:
    world_of_one()


def test_names_of_backends(standin: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    dist = dv.distributed
    for given, told in ((None, "cpu:gloo,cuda:nccl"), ("cuda:nccl,cpu:gloo", "cuda:nccl,cpu:gloo"), ("GLOO", "gloo")):
        dist.init_process_group(given, rank=0, world_size=1)
        own, tensor = dist.get_backend(), dv.ones(2, device="cuda")
        with no_host_copies():
            dist.all_reduce(tensor)
        assert own == told and dist.new_group(backend="nccl").name() == "nccl"
        dist.destroy_process_group()
    for text, says in (("cpu:gloo,", "Invalid device:backend pairing: "), ("cpu:gloo,cpu:gloo", "Duplicate device type cpu")):
        with pytest.raises(ValueError, match=says):
            dist.init_process_group(text, rank=0, world_size=1)
    with pytest.raises(ValueError, match="Please use a device_id with index"):
        dist.init_process_group("nccl", rank=0, world_size=1, device_id=dv.device("cuda"))
    monkeypatch.setattr(nccl(), "available", False)
    assert not dist.is_nccl_available() and not dist.is_backend_available("cpu:gloo,cuda:nccl")
    with pytest.raises(RuntimeError, match="Distributed package doesn't have NCCL built in; .*cupy.cuda.nccl.available"):
        dist.init_process_group("nccl", rank=0, world_size=1)
    dist.init_process_group("cpu:gloo,cuda:nccl", rank=0, world_size=1)  # a program for either machine, until a tensor needs NCCL
    dist.all_reduce(dv.ones(2))
    with pytest.raises(RuntimeError, match="No backend type associated with device type cuda; .*NCCL is not here"):
        dist.all_reduce(dv.ones(2, device="cuda"))
    dist.destroy_process_group()


def test_device_id_is_where_new_tensors_are() -> None:
    with install(2):
        dv.distributed.init_process_group(rank=0, world_size=1, device_id=1)
        assert dv.distributed.get_backend() == "nccl" and str(dv.ones(1, device="cuda").device) == "cuda:1"
        dv.distributed.destroy_process_group()
        dv.cuda.set_device(0)


def test_the_stand_in_is_strict(standin: Standin) -> None:
    module: Any = nccl()
    assert {name for name in names("cupy.cuda.nccl") if not hasattr(module, name)} == set()
    known = set(names("cupy.cuda.nccl.NcclCommunicator"))
    assert {name for name in dir(module.NcclCommunicator) if not name.startswith("_")} == known
    with pytest.raises(TypeError, match="expected bytes, got tuple"):
        module.NcclCommunicator(1, (0,) * 128, 0)
    with pytest.raises(ValueError, match="commId length 5 != 128"):
        module.NcclCommunicator(1, bytes(5), 0)
    one, tensor = module.NcclCommunicator(1, module.get_unique_id(), 0), dv.ones(2, device="cuda")
    at = tensor.data_ptr()
    for arguments, error in (
        ((at, at, 2.0, 7, 0, 0), TypeError), ((at, at, -2, 7, 0, 0), OverflowError), ((at, at, 2, 7, 0), TypeError),
        ((at, at, 2, 10, 0, 0), module.NcclError), ((at, at, 2, 7, 5, 0), module.NcclError), ((at, at, 2, 7, 0, 12345), module.NcclError),
    ):  # fmt: skip
        with pytest.raises(error):
            one.allReduce(*arguments)
    assert (one.size(), one.rank_id(), one.device_id(), one.check_async_error()) == (1, 0, 0, None)
    one.abort()
    with pytest.raises(module.NcclError, match="NCCL_ERROR_INVALID_ARGUMENT"):
        one.check_async_error()
