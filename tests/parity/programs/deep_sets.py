"""Functions of sets: sums and attention over elements with masks, nested sizes by scatter, Chamfer distance, orders that do not matter."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F


class PermEqui(nn.Module):
    def __init__(self, in_dim, out_dim):
        super(PermEqui, self).__init__()
        self.Gamma, self.Lambda = nn.Linear(in_dim, out_dim), nn.Linear(in_dim, out_dim, bias=False)

    def forward(self, x):
        xm, _ = x.max(1, keepdim=True)
        return self.Gamma(x) - self.Lambda(xm)


class MAB(nn.Module):
    """A multihead attention block."""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.num_heads, self.dim = num_heads, dim
        self.fc_q, self.fc_k, self.fc_v, self.fc_o = (nn.Linear(dim, dim) for _ in range(4))
        self.ln0, self.ln1 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, Q, K, mask=None):
        Q, K, V = self.fc_q(Q), self.fc_k(K), self.fc_v(K)
        split = self.dim // self.num_heads
        Q_, K_, V_ = (torch.cat(t.split(split, 2), 0) for t in (Q, K, V))
        A = Q_.bmm(K_.transpose(1, 2)) / self.dim**0.5
        if mask is not None:
            A = A.masked_fill(~mask.repeat(self.num_heads, 1).unsqueeze(1), -1e9)
        A = torch.softmax(A, 2)
        O = torch.cat((Q_ + A.bmm(V_)).split(Q.size(0), 0), 2)
        O = self.ln0(O)
        return self.ln1(O + F.relu(self.fc_o(O)))


class SetNet(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.phi = nn.Sequential(PermEqui(2, dim), nn.ELU(inplace=True), PermEqui(dim, dim), nn.ELU(inplace=True))
        self.S = nn.Parameter(torch.Tensor(1, 1, dim))
        nn.init.xavier_uniform_(self.S)
        self.pma = MAB(dim, 2)
        self.rho = nn.Sequential(nn.Linear(2 * dim, dim), nn.Tanh(), nn.Linear(dim, 3))

    def forward(self, x, mask):
        h = self.phi(x * mask.unsqueeze(-1))
        pooled = (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        seed = self.S.repeat(x.size(0), 1, 1)
        return self.rho(torch.hstack([pooled, self.pma(seed, h, mask).squeeze(1)]))


def chamfer(a, b):
    d = ((a[:, :, None] - b[:, None]) ** 2).sum(-1)
    return d.amin(2).mean(1) + d.amin(1).mean(1)


def sets(n, most=7):
    sizes = torch.randint(3, most + 1, (n,))
    mask = torch.arange(most).expand(n, -1) < sizes.unsqueeze(1)
    x = torch.randn(n, most, 2) * mask.unsqueeze(-1)
    owner = torch.repeat_interleave(torch.arange(n), sizes)
    flat = x[mask]
    largest = torch.full((n,), -torch.inf).scatter_reduce(0, owner, flat.norm(dim=1), reduce="amax", include_self=False)
    mean = torch.zeros(n, 2).index_add(0, owner, flat) / sizes[:, None]
    return x, mask, torch.column_stack((largest, mean.prod(1), sizes / most))


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(31)
model = SetNet()
optimizer = torch.optim.RAdam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[25, 40], gamma=0.5)
losses = []
for step in range(50):
    x, mask, y = sets(16)
    loss = F.mse_loss(model(x, mask), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
x, mask, y = sets(4, 5)
order = torch.randperm(5)
with torch.no_grad():
    print(torch.allclose(model(x, mask), model(x[:, order], mask[:, order]), atol=1e-5), scheduler.get_last_lr())
cloud = nn.Parameter(torch.randn(2, 6, 2))
optimizer = torch.optim.Adamax([cloud], lr=0.1)
for step in range(20):
    loss = chamfer(cloud, torch.stack([torch.eye(2).repeat(2, 1), -torch.eye(2).repeat(2, 1)])).sum()
    optimizer.zero_grad(set_to_none=False)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"{loss:.3f} {cloud.grad.abs().max():.3f}", cloud.detach().sort(1)[0].shape, cloud.data_ptr() == cloud.detach().data_ptr())
print("losses", losses)
