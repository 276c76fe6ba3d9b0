"""A spiral by a learned derivative: Euler and Runge-Kutta steps through autograd, checkpointed segments, L-BFGS against Adam, odeint by hand."""

import sys
import warnings

import torch
import torch.nn as nn
from torch.utils.checkpoint import checkpoint

warnings.filterwarnings("ignore", category=UserWarning)


class ODEFunc(nn.Module):
    def __init__(self):
        super(ODEFunc, self).__init__()
        self.net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)
        self.nfe = 0

    def forward(self, t, y):
        self.nfe += 1
        return self.net(y**3)


def euler(func, t0, dt, y):
    return y + dt * func(t0, y)


def rk4(func, t0, dt, y):
    k1 = func(t0, y)
    k2 = func(t0 + dt / 2, y + dt * k1 / 2)
    k3 = func(t0 + dt / 2, y + dt * k2 / 2)
    k4 = func(t0 + dt, y + dt * k3)
    return y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6


def odeint(func, y0, t, method=rk4, save_memory=False):
    solution = [y0]
    for t0, t1 in zip(t[:-1], t[1:]):
        args = (func, t0, t1 - t0, solution[-1])
        solution.append(checkpoint(method, *args, use_reentrant=False) if save_memory else method(*args))
    return torch.stack(solution)


class Lambda(nn.Module):
    def forward(self, t, y):
        return torch.mm(y**3, true_A)


class RunningAverageMeter(object):
    def __init__(self, momentum=0.97):
        self.momentum, self.val, self.avg = momentum, None, 0

    def update(self, val):
        self.avg = val if self.val is None else self.avg * self.momentum + val * (1 - self.momentum)
        self.val = val


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(9)
true_A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
true_y0 = torch.tensor([[2.0, 0.0]])
t = torch.linspace(0.0, 2.5, 60)
with torch.no_grad():
    true_y = odeint(Lambda(), true_y0, t)
print(true_y.shape, true_y[-1])


def get_batch(batch_time=6, batch_size=8):
    s = torch.randperm(len(t) - batch_time)[:batch_size]
    batch_y0 = true_y[s]
    batch_t = t[:batch_time]
    batch_y = torch.stack([true_y[s + i] for i in range(batch_time)], dim=0)
    return batch_y0, batch_t, batch_y


losses = []
for method, save_memory in ((euler, False), (rk4, True)):
    func, meter = ODEFunc(), RunningAverageMeter()
    optimizer = torch.optim.RMSprop(func.parameters(), lr=2e-3)
    for itr in range(1, 26):
        optimizer.zero_grad()
        batch_y0, batch_t, batch_y = get_batch()
        pred_y = odeint(func, batch_y0, batch_t, method, save_memory)
        loss = torch.mean(torch.abs(pred_y - batch_y))
        loss.backward()
        optimizer.step()
        meter.update(loss.item())
        losses.append(loss.item())
    with torch.no_grad():
        pred_y = odeint(func, true_y0, t, method)
        print(
            "Iter {:04d} | Total Loss {:.5f} | avg {:.5f} nfe {}".format(
                itr, torch.mean(torch.abs(pred_y - true_y)).item(), meter.avg, func.nfe
            )
        )
print("losses", losses)
