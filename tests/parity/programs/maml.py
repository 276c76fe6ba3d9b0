"""Sine waves learned from ten points: MAML by create_graph, then again by functional_call, grad and vmap over tasks."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, vmap

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
tasks, shots, inner_lr = 4, 10, 0.05


def sample_tasks(n):
    amplitude, phase = torch.empty(n, 1, 1).uniform_(0.5, 2.0), torch.empty(n, 1, 1).uniform_(0.0, 3.0)
    x = torch.empty(n, 2 * shots, 1).uniform_(-4.0, 4.0)
    y = amplitude * torch.sin(x + phase)
    return x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.out = nn.Linear(1, 20), nn.Linear(20, 20), nn.Linear(20, 1)

    def forward(self, x):
        return self.out(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))

    def argforward(self, x, weights):
        x = torch.tanh(F.linear(x, weights[0], weights[1]))
        x = torch.tanh(F.linear(x, weights[2], weights[3]))
        return F.linear(x, weights[4], weights[5])


losses = []
model = Net()
meta_optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for iteration in range(20):
    meta_optimizer.zero_grad()
    meta_loss = 0
    for xs, ys, xq, yq in zip(*sample_tasks(tasks)):
        fast = [w for w in model.parameters()]
        for _ in range(2):
            loss = F.mse_loss(model.argforward(xs, fast), ys)
            grads = torch.autograd.grad(loss, fast, create_graph=True)
            fast = [w - inner_lr * g for w, g in zip(fast, grads)]
        meta_loss = meta_loss + F.mse_loss(model.argforward(xq, fast), yq) / tasks
    meta_loss.backward()
    meta_optimizer.step()
    losses.append(meta_loss.item())
print(f"by autograd.grad: {losses[0]:.3f} -> {losses[-1]:.3f}", model.fc1.weight.grad.shape)

model = Net()
params = {k: v.detach().clone().requires_grad_() for k, v in model.named_parameters()}
meta_optimizer = torch.optim.Adam(params.values(), lr=1e-2)


def inner_loss(params, x, y):
    return F.mse_loss(functional_call(model, params, (x,)), y)


def adapted_loss(params, xs, ys, xq, yq):
    gradients = grad(inner_loss)(params, xs, ys)
    new = {k: p - inner_lr * gradients[k] for k, p in params.items()}
    return inner_loss(new, xq, yq)


for iteration in range(20):
    each = vmap(adapted_loss, in_dims=(None, 0, 0, 0, 0))(params, *sample_tasks(tasks))
    meta_loss = each.mean()
    meta_optimizer.zero_grad()
    meta_loss.backward()
    meta_optimizer.step()
    losses.append(meta_loss.item())
print(f"by torch.func: {losses[20]:.3f} -> {losses[-1]:.3f}", each.shape, sorted(params))

# Reptile: a plain average of weights that were trained apart
state = {k: v.clone() for k, v in model.state_dict().items()}
for iteration in range(10):
    xs, ys, xq, yq = (t[0] for t in sample_tasks(1))
    model.load_state_dict(state)
    optimizer = torch.optim.SGD(model.parameters(), lr=inner_lr)
    for _ in range(3):
        loss = F.mse_loss(model(torch.cat([xs, xq])), torch.cat([ys, yq]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = model.state_dict()
    state = {name: state[name] + 0.5 * (after[name] - state[name]) for name in state}
    losses.append(loss.item())
print("losses", losses)
