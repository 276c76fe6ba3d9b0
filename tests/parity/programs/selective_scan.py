"""A selective state space: a scan over time with gates from the input, a depthwise causal convolution, and retention in both its forms."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import einsum

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(5)


class Mamba(nn.Module):
    def __init__(self, d=8, n=4):
        super().__init__()
        self.d, self.n = d, n
        self.in_proj = nn.Linear(d, 4 * d, bias=False)
        self.conv = nn.Conv1d(2 * d, 2 * d, 4, groups=2 * d, padding=3)
        self.x_proj = nn.Linear(2 * d, 1 + 2 * n, bias=False)
        self.dt_proj = nn.Linear(1, 2 * d)
        self.A_log = nn.Parameter(torch.log(torch.arange(1, n + 1, dtype=torch.get_default_dtype()).repeat(2 * d, 1)))
        self.A_log._no_weight_decay = True
        self.D = nn.Parameter(torch.ones(2 * d))
        self.out_proj = nn.Linear(2 * d, d, bias=False)

    def forward(self, x):
        length = x.shape[1]
        x, res = self.in_proj(x).split(split_size=[2 * self.d, 2 * self.d], dim=-1)
        x = F.silu(self.conv(x.mT)[..., :length].permute(0, 2, 1))
        delta, B, C = self.x_proj(x).split([1, self.n, self.n], dim=-1)
        delta = F.softplus(self.dt_proj(delta))
        dA = torch.exp(einsum("bld,dn->bldn", delta, -torch.exp(self.A_log)))
        dBx = einsum("bld,bln,bld->bldn", delta, B, x)
        h, ys = x.new_zeros((x.size(0), 2 * self.d, self.n)), []
        for t in range(length):
            h = dA[:, t] * h + dBx[:, t]
            ys.append(einsum("b d n, b n -> b d", h, C[:, t, :]))
        return self.out_proj((torch.stack(ys, dim=1) + x * self.D) * F.silu(res))


model = Mamba()
decay = [p for p in model.parameters() if p.dim() >= 2 and not hasattr(p, "_no_weight_decay")]
rest = [p for p in model.parameters() if p.dim() < 2 or hasattr(p, "_no_weight_decay")]
optimizer = torch.optim.NAdam([{"params": decay, "weight_decay": 1e-2}, {"params": rest}], lr=1e-2)
print(model, len(decay), len(rest))
losses = []
for _ in range(25):
    x = torch.randn(4, 8, 8)
    loss = F.smooth_l1_loss(model(x), 0.3 * x.cumsum(1), beta=0.5)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.item())
gamma = 1 - torch.exp(torch.linspace(-3.0, -6.0, 2))
n, m = torch.arange(5).unsqueeze(1), torch.arange(5).unsqueeze(0)
D = (gamma[0] ** (n - m)) * (n >= m)
q, k, v = torch.randn(3, 1, 5, 4).unbind(0)
parallel, S, recurrent = (q @ k.mT * D) @ v, torch.zeros(1, 4, 4), []
for t in range(5):
    S = gamma[0] * S + k[:, t, :, None] * v[:, t, None, :]
    recurrent.append(einsum("bi,bij->bj", q[:, t], S))
print(torch.allclose(parallel, torch.stack(recurrent, 1), atol=1e-5), D)
print("losses", losses)
