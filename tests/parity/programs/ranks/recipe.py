"""As PyTorch's recipes on distributed checkpoints: Stateful, get_state_dict, save, load, async_save."""

import os

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.nn as nn
from torch.distributed.checkpoint.state_dict import get_model_state_dict, get_state_dict, set_state_dict
from torch.distributed.checkpoint.stateful import Stateful
from torch.nn.parallel import DistributedDataParallel as DDP

CHECKPOINT_DIR = "checkpoint"


class AppState(Stateful):
    def __init__(self, model, optimizer=None):
        self.model = model
        self.optimizer = optimizer

    def state_dict(self):
        model_state_dict, optimizer_state_dict = get_state_dict(self.model, self.optimizer)
        return {"model": model_state_dict, "optim": optimizer_state_dict}

    def load_state_dict(self, state_dict):
        set_state_dict(self.model, self.optimizer, model_state_dict=state_dict["model"], optim_state_dict=state_dict["optim"])


class ToyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.net1 = nn.Linear(16, 16)
        self.relu = nn.ReLU()
        self.net2 = nn.Linear(16, 8)

    def forward(self, x):
        return self.net2(self.relu(self.net1(x)))


def numbers(model):
    return [round(p.detach().double().sum().item(), 4) for p in model.parameters()]


def say(*what):
    print(*what, flush=True)


dist.init_process_group("gloo")
rank = dist.get_rank()


def made():
    torch.manual_seed(rank)
    model = DDP(ToyModel())
    return model, torch.optim.Adam(model.parameters(), lr=0.1)


def step(model, optimizer, value):
    optimizer.zero_grad()
    model(torch.full((8, 16), value)).sum().backward()
    optimizer.step()


model, optimizer = made()
for i in range(3):
    step(model, optimizer, 0.1 * (i + rank))
dcp.save({"app": AppState(model, optimizer), "epoch": 3}, checkpoint_id=CHECKPOINT_DIR)
writer = dcp.FileSystemWriter("later")
own = dist.new_group(backend="gloo")  # the thread that saves talks while gradients are averaged
future = dcp.async_save({"app": AppState(model, optimizer)}, storage_writer=writer, process_group=own)
step(model, optimizer, 5.0)
future.result()
dist.barrier()
after = numbers(model)

for place, extra in ((CHECKPOINT_DIR, {"epoch": 0}), ("later", {})):
    model, optimizer = made()
    state = {"app": AppState(model, optimizer), **extra}
    dcp.load(state_dict=state, checkpoint_id=place)
    step(model, optimizer, 5.0)
    if rank == 0:
        say(place, numbers(model), [abs(a - b) < 1e-3 for a, b in zip(numbers(model), after)], state.get("epoch"))
plain = ToyModel()
state = {"app": {"model": get_model_state_dict(plain)}}
dcp.load(state, storage_reader=dcp.FileSystemReader(CHECKPOINT_DIR))
if rank == 0:
    say(sorted(state["app"]["model"]), numbers(plain) != after)
    model_state, optim_state = get_state_dict(model, optimizer)
    say(
        sorted(model_state),
        sorted(optim_state["state"]),
        sorted(optim_state["state"]["net1.bias"]),
        optim_state["param_groups"][0]["params"],
        optim_state["param_groups"][0]["lr"],
    )
dist.barrier()
dist.destroy_process_group()
