"""A world of one process: programs that make a group of one run without MPI; what has more members is refused."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail.distributed.algorithms.join import Join
from dovetail.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from dovetail.distributed.optim import ZeroRedundancyOptimizer
from dovetail.errors import UnknownNameError, UnsupportedError


@pytest.fixture
def world():
    dv.distributed.init_process_group("gloo", rank=0, world_size=1)
    yield dv.distributed
    dv.distributed.destroy_process_group()


def test_collectives_among_one(world):
    t, got, objects = dv.ones(2), [dv.zeros(2)], [None]
    assert world.all_reduce(t) is None and world.all_reduce(t, async_op=True).wait() and t.tolist() == [1, 1]
    world.all_gather(got, t)
    world.all_gather_object(objects, {"a": 1})
    world.scatter(t, [dv.full((2,), 3.0)])
    assert got[0].tolist() == [1, 1] and objects == [{"a": 1}] and t.tolist() == [3, 3]
    assert (world.get_rank(), world.get_world_size(), world.get_backend()) == (0, 1, "gloo")
    with pytest.raises(RuntimeError, match="invalid root rank: 1; expected 0, in a world of one process"):
        world.broadcast(t, 1)
    with pytest.raises(ValueError, match="twice"):
        world.init_process_group("gloo", rank=0, world_size=1)


def test_more_than_one_and_other_backends_are_refused(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UnsupportedError, match="rank 0 of 2 processes, which no MPI launcher started.*dovetail launch -n 2"):
        dv.distributed.init_process_group("gloo", rank=0, world_size=2)
    with pytest.raises(RuntimeError, match="Distributed package doesn't have NCCL built in"):
        dv.distributed.init_process_group("nccl", rank=0, world_size=1)
    with pytest.raises(ValueError, match="environment variable RANK expected, but not set"):
        dv.distributed.init_process_group("gloo")
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        dv.distributed.get_rank()


def test_one_process_needs_no_launcher(monkeypatch):
    dist = dv.distributed
    for options, variables in (
        ({"backend": "mpi"}, {}),
        ({}, {"RANK": "0", "WORLD_SIZE": "1"}),
        ({"backend": "cpu:gloo,cuda:nccl"}, {"RANK": "0", "WORLD_SIZE": "1"}),
    ):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        dist.init_process_group(**options)
        model = dv.nn.parallel.DistributedDataParallel(dv.nn.Linear(2, 1))
        with model.no_sync():
            model(dv.ones(1, 2)).sum().backward()
        assert list(model.state_dict()) == ["module.weight", "module.bias"] and model.module.weight.grad.tolist() == [[1, 1]]
        assert list(dv.utils.data.DistributedSampler(range(3), shuffle=False)) == [0, 1, 2]
        assert dist.new_group([0]).size() == 1 and dist.is_initialized()
        dist.destroy_process_group()
    assert dist.is_available() and not dist.is_initialized() and dist.is_backend_available("mpi") == dist.is_mpi_available()


def test_objects_are_plain_values(world):
    with pytest.raises(
        TypeError, match="all_gather_object: cannot save value of type builtins.object; expected tensors and plain values; send its"
    ):
        world.all_gather_object([None], object())


def test_what_is_decided_otherwise_says_so(world):
    model = dv.nn.parallel.DistributedDataParallel(dv.nn.Linear(2, 1))
    with pytest.raises(UnsupportedError, match="Join: SGD has no join_hook; expected a Joinable"):
        Join([dv.optim.SGD(model.parameters(), lr=0.1)])
    with pytest.raises(UnsupportedError, match="Work.result: barrier\\(\\) has none; use the tensors that were given"):
        world.barrier(async_op=True).get_future()
    with pytest.raises(NotImplementedError, match="register_comm_hook: there are no communication hooks; change .grad between"):
        model.register_comm_hook(None, lambda state, bucket: None)
    with pytest.raises(UnsupportedError, match="DistributedDataParallel: mixed_precision: not there; expected no such option"):
        dv.nn.parallel.DistributedDataParallel(dv.nn.Linear(2, 1), mixed_precision=object())
    with pytest.raises(ValueError, match=r"device_ids are \[0\] and output_device is None, and the module's parameters are on the CPU"):
        dv.nn.parallel.DistributedDataParallel(dv.nn.Linear(2, 1), device_ids=[0])
    with pytest.raises(UnsupportedError, match="ZeroRedundancyOptimizer: overlap_with_ddp is not there; expected False"):
        ZeroRedundancyOptimizer(model.parameters(), dv.optim.SGD, lr=0.1, overlap_with_ddp=True)


def test_a_future_calls_what_waits_for_it(world):
    told = []
    future = world.all_reduce(dv.ones(2), async_op=True).get_future()
    half = future.then(lambda f: f.value()[0] / 2)
    future.add_done_callback(lambda f: told.append(f.done()))
    assert future.wait()[0].tolist() == [1, 1] and half.wait().tolist() == [0.5, 0.5] and future.done() and told == [True]


def test_subgroups_that_do_not_come_out_even_are_refused(world):
    own, every = world.new_subgroups(1)
    assert own is every[0] and own.size() == 1
    for size, says in ((None, "group_size is None"), (0, "must be positive"), (2, "must not exceed the world size")):
        with pytest.raises(ValueError, match=says):
            world.new_subgroups(size)
    with pytest.raises(ValueError, match="cannot be empty"):
        world.new_subgroups_by_enumeration([])
    with pytest.raises(ValueError, match="Rank 0 has appeared in two subgroups"):
        world.new_subgroups_by_enumeration([[0], [0]])


def test_one_process_of_mpiexec_needs_no_variables(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "1")
    dv.distributed.init_process_group()
    assert (dv.distributed.get_rank(), dv.distributed.get_world_size()) == (0, 1)
    dv.distributed.destroy_process_group()


def test_states_have_the_names_of_the_bare_model(world):
    model = dv.nn.Sequential(dv.nn.Linear(2, 3), dv.nn.BatchNorm1d(3))
    wrapped = dv.nn.parallel.DistributedDataParallel(model)
    optimizer = dv.optim.AdamW(wrapped.parameters(), lr=0.1)
    state, of_optimizer = get_state_dict(wrapped, optimizer)
    assert list(state) == list(model.state_dict()) and list(of_optimizer["state"]) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert optimizer.param_groups[0]["lr"] == 0.1 and model[0].weight.grad is None
    of_optimizer["state"]["0.bias"]["exp_avg"] = dv.ones(3)
    assert str(set_state_dict(model, optimizer, model_state_dict=state, optim_state_dict=of_optimizer)) == "<All keys matched successfully>"
    assert optimizer.state[model[0].bias]["exp_avg"].tolist() == [1, 1, 1]
    with pytest.raises(UnsupportedError, match="get_model_state_dict: broadcast_from_rank0: not there; expected other options"):
        get_state_dict(wrapped, optimizer, options=StateDictOptions(broadcast_from_rank0=True))
    with pytest.raises(UnknownNameError, match="set_optimizer_state_dict: no state of 0.weight"):
        set_state_dict(model, optimizer, model_state_dict=state, optim_state_dict={"state": {}, "param_groups": []})
    with pytest.raises(UnknownNameError, match=r"a parameter of shape \(1,\) that is not the model's"):
        get_state_dict(model, dv.optim.SGD([dv.nn.Parameter(dv.ones(1))], lr=0.1))
