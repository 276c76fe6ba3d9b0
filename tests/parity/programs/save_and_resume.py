"""Training that stops, is saved, and goes on as if nothing had happened; hooks, an average of weights, surgery."""

import copy
import os
import sys
import tempfile
from collections import OrderedDict

import torch
import torch.nn as nn


def make():
    torch.manual_seed(1)
    parts = [("fc1", nn.Linear(5, 9)), ("bn", nn.BatchNorm1d(9)), ("act", nn.Tanh()), ("fc2", nn.Linear(9, 1))]
    return nn.Sequential(OrderedDict(parts))


def train(model, optimizer, scheduler):
    for _ in range(5):
        loss = nn.functional.huber_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
x, y, losses = torch.randn(20, 5), torch.randn(20, 1), []
for name, options in (("Adam", {"amsgrad": True}), ("SGD", {"lr": 0.05, "momentum": 0.9}), ("RMSprop", {"centered": True}), ("NAdam", {})):
    model = make()
    optimizer = getattr(torch.optim, name)(model.parameters(), **options)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
    train(model, optimizer, scheduler)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pth")
        torch.save({"epoch": 5, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "lr": scheduler.state_dict()}, path)
        saved = torch.load(path, map_location="cpu")
    print(saved["epoch"], list(saved["model"]), saved["optimizer"]["param_groups"], saved["lr"])
    again = make()
    print(again.load_state_dict(saved["model"]))
    resumed = getattr(torch.optim, name)(again.parameters(), **options)
    resumed.load_state_dict(saved["optimizer"])
    schedule = torch.optim.lr_scheduler.ExponentialLR(resumed, 0.95)
    schedule.load_state_dict(saved["lr"])
    train(model, optimizer, scheduler)
    train(again, resumed, schedule)
    print(losses[-5:] == losses[-10:-5])

seen = {}
handle = model.fc1.register_forward_hook(lambda module, args, out: seen.update(out=out.detach()))
model.fc1.weight.register_hook(lambda g: g.clamp(-0.01, 0.01))
average = copy.deepcopy(model)
for _ in range(10):
    train(model, optimizer, scheduler)
    with torch.no_grad():
        for e, p in zip(average.parameters(), model.parameters()):
            e.lerp_(p, 0.1)
    losses += [seen["out"].mean().item(), average.fc1.weight.sum().item()]
handle.remove()
model.fc2 = nn.Identity()
print(model, model[:2], len(model.fc1._forward_hooks), model.fc1.weight.grad.abs().max() <= 0.01)
print("losses", losses)
