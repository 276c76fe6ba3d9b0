"""Experts chosen by a router, adapters of low rank by parametrization, weight and spectral norm, dilated convolutions, a hypernetwork by vmap over stacked modules."""

import copy
import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.utils.parametrize as parametrize
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm


class MoE(nn.Module):
    def __init__(self, dim, experts=4, k=2):
        super().__init__()
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)) for _ in range(experts)])
        self.gate, self.k = nn.Linear(dim, experts, bias=False), k

    def forward(self, inputs):
        inputs_squashed = inputs.view(-1, inputs.shape[-1])
        gate_logits = self.gate(inputs_squashed)
        weights, selected_experts = torch.topk(gate_logits, self.k)
        weights = F.softmax(weights, dim=1).type_as(inputs)
        results = torch.zeros_like(inputs_squashed)
        for i, expert in enumerate(self.experts):
            batch_idx, nth_expert = torch.where(selected_experts == i)
            results[batch_idx] += weights[batch_idx, nth_expert, None] * expert(inputs_squashed[batch_idx])
        load = F.one_hot(selected_experts, len(self.experts)).to(inputs.dtype).mean((0, 1))
        self.balance = (load * gate_logits.softmax(-1).mean(0)).sum() * len(self.experts)
        return results.view_as(inputs)


class LoRA(nn.Module):
    def __init__(self, features_in, features_out, rank=2, alpha=4):
        super().__init__()
        self.lora_A = nn.Parameter(torch.zeros((rank, features_out)))
        self.lora_B = nn.Parameter(torch.zeros((features_in, rank)))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, original_weights):
        return original_weights + torch.matmul(self.lora_B, self.lora_A).view(original_weights.shape) * self.scale


class Chomp1d(nn.Module):
    def __init__(self, chomp_size):
        super().__init__()
        self.chomp_size = chomp_size

    def forward(self, x):
        return x[:, :, : -self.chomp_size].contiguous()


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(25)
x = torch.randn(6, 10, 8)
y = torch.cumsum(x.tanh(), 1).mean(-1)
losses = []
moe, head = MoE(8), nn.Linear(8, 1)
optimizer = torch.optim.Adam([{"params": moe.parameters()}, {"params": head.parameters(), "lr": 1e-3}], lr=5e-3)
for step in range(20):
    loss = F.mse_loss(head(x + moe(x)).squeeze(-1), y) + 0.01 * moe.balance
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print([round(p.grad.norm().item(), 3) >= 0 for p in moe.gate.parameters()], moe.balance.ndim)

base = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
frozen = copy.deepcopy(base.state_dict())
for layer in (base[0], base[2]):
    parametrize.register_parametrization(layer, "weight", LoRA(*layer.weight.shape))
for name, p in base.named_parameters():
    p.requires_grad = "lora" in name
print(base, sorted(base.state_dict()), sum(p.numel() for p in base.parameters() if p.requires_grad))
optimizer = torch.optim.Adam((p for p in base.parameters() if p.requires_grad), lr=1e-2)
for step in range(15):
    loss = F.mse_loss(base(x).squeeze(-1), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(torch.equal(base[0].parametrizations.weight.original, frozen["0.weight"]), parametrize.is_parametrized(base[0], "weight"))
parametrize.remove_parametrizations(base[0], "weight", leave_parametrized=True)
print(type(base[0]).__name__, (base[0].weight - frozen["0.weight"]).abs().max() > 0)

tcn = nn.Sequential(
    weight_norm(nn.Conv1d(8, 6, 2, padding=1, dilation=1)), Chomp1d(1), nn.ReLU(),
    weight_norm(nn.Conv1d(6, 6, 2, padding=2, dilation=2)), Chomp1d(2), nn.ReLU(),
    spectral_norm(nn.Conv1d(6, 4, 1)), nn.Flatten(1, 1), nn.Conv1d(4, 1, 1),
)  # fmt: skip
mixing = orthogonal(nn.Linear(8, 8, bias=False))
optimizer = torch.optim.Adam([*tcn.parameters(), *mixing.parameters()], lr=1e-2)
for step in range(15):
    loss = F.mse_loss(tcn(mixing(x).transpose(1, 2)).squeeze(1), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(torch.allclose(mixing.weight @ mixing.weight.T, torch.eye(8), atol=1e-5), [n for n, _ in tcn[0].named_parameters()])

models = [nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 1)) for _ in range(3)]
params, buffers = stack_module_state(models)
template = copy.deepcopy(models[0])
optimizer = torch.optim.SGD(params.values(), lr=0.05)
for step in range(10):
    outs = vmap(lambda p, b: functional_call(template, (p, b), (x,)))(params, buffers)
    loss = (outs.squeeze(-1) - y).pow(2).mean(dim=(1, 2)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
vector = parameters_to_vector(models[0].parameters())
vector_to_parameters(vector * 0 + 1, models[1].parameters())

print(outs.shape, vector.shape, models[1][0].bias)
print("losses", losses)
