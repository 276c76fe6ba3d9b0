"""A gradient penalty: gradients of gradients through a small critic, in the legacy spelling of many repositories."""

import sys

import numpy as np
import torch
import torch.autograd as autograd
import torch.nn as nn
from torch.autograd import Variable

dtype = torch.float64 if "--double" in sys.argv else torch.float32
torch.manual_seed(2)
np.random.seed(2)
Tensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
G = nn.Sequential(nn.Linear(4, 32), nn.LayerNorm(32), nn.LeakyReLU(0.2), nn.Linear(32, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
D = nn.Sequential(
    nn.Conv2d(1, 8, 3, 2, 1), nn.InstanceNorm2d(8, affine=True), nn.LeakyReLU(0.2), nn.Conv2d(8, 8, 3, 2, 1), nn.SiLU(),
    nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 16), nn.ELU(), nn.Linear(16, 1),
)  # fmt: skip
G.to(dtype)
D.to(dtype)
optG = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.0, 0.9))
optD = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.0, 0.9))


def gradient_penalty(real, fake):
    alpha = Tensor(np.random.random((real.size(0), 1, 1, 1))).type_as(real)
    between = (alpha * real + ((1 - alpha) * fake)).requires_grad_(True)
    scores = D(between)
    gradients = autograd.grad(
        outputs=scores,
        inputs=between,
        grad_outputs=torch.ones(scores.size(), dtype=scores.dtype),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    return ((gradients.view(gradients.size(0), -1).norm(2, dim=1) - 1) ** 2).mean()


losses = []
real = torch.randn(16, 1, 8, 8).tanh().to(dtype)
for step in range(50):
    z = Variable(torch.randn(16, 4).to(dtype))
    optD.zero_grad()
    fake = G(z)
    penalty = gradient_penalty(real.data, fake.data)
    d_loss = -torch.mean(D(real)) + torch.mean(D(fake.detach())) + 10 * penalty
    d_loss.backward()
    optD.step()
    losses += [d_loss.item(), penalty.item()]
    if step % 5 == 0:
        optG.zero_grad()
        for p in D.parameters():
            p.requires_grad = False
        g_loss = -D(G(z)).mean()
        g_loss.backward()
        optG.step()
        for p in D.parameters():
            p.requires_grad = True
        losses.append(g_loss.item())
print("losses", losses)
