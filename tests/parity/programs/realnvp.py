"""A normalizing flow of masked affine couplings on two blobs; log-likelihood, samples by the inverse, a change of variables that is checked."""

import sys

import torch
import torch.nn as nn
from torch import distributions


class RealNVP(nn.Module):
    def __init__(self, nets, nett, mask, prior):
        super(RealNVP, self).__init__()
        self.prior = prior
        self.mask = nn.Parameter(mask, requires_grad=False)
        self.t = torch.nn.ModuleList([nett() for _ in range(len(mask))])
        self.s = torch.nn.ModuleList([nets() for _ in range(len(mask))])

    def g(self, z):
        x = z
        for i in range(len(self.t)):
            x_ = x * self.mask[i]
            s = self.s[i](x_) * (1 - self.mask[i])
            t = self.t[i](x_) * (1 - self.mask[i])
            x = x_ + (1 - self.mask[i]) * (x * torch.exp(s) + t)
        return x

    def f(self, x):
        log_det_J, z = x.new_zeros(x.shape[0]), x
        for i in reversed(range(len(self.t))):
            z_ = self.mask[i] * z
            s = self.s[i](z_) * (1 - self.mask[i])
            t = self.t[i](z_) * (1 - self.mask[i])
            z = (1 - self.mask[i]) * (z - t) * torch.exp(-s) + z_
            log_det_J -= s.sum(dim=1)
        return z, log_det_J

    def log_prob(self, x):
        z, logp = self.f(x)
        return self.prior.log_prob(z) + logp

    def sample(self, batchSize):
        z = self.prior.sample((batchSize,))
        return self.g(z)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(4)
masks = torch.tensor([[0, 1], [1, 0]] * 2).to(torch.get_default_dtype())
prior = distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
flow = RealNVP(
    lambda: nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(), nn.Linear(16, 2), nn.Tanh()),
    lambda: nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(), nn.Linear(16, 2)),
    masks,
    prior,
)
optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad == True], lr=5e-3)  # noqa: E712
mixture = distributions.MixtureSameFamily(
    distributions.Categorical(torch.ones(2)),
    distributions.Independent(distributions.Normal(torch.tensor([[-2.0, 0.0], [2.0, 1.0]]), 0.5), 1),
)
data = torch.randn(400, 2) * 0.5 + torch.tensor([[-2.0, 0.0], [2.0, 1.0]])[torch.randint(2, (400,))]
losses = []
for t in range(60):
    loss = -flow.log_prob(data[torch.randint(0, 400, (64,))]).mean()
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    losses.append(loss.item())
    if t % 20 == 19:
        print("iter %s:" % t, "loss = %.3f" % loss)
with torch.no_grad():
    print(f"entropy of the data {-mixture.log_prob(data).mean():.3f}, of the flow {-flow.log_prob(data).mean():.3f}", mixture)
    x = flow.sample(8)
    print(torch.allclose(flow.g(flow.f(x)[0]), x, atol=1e-5), x.shape)
jacobian = torch.autograd.functional.jacobian(lambda p: flow.f(p.unsqueeze(0))[0].squeeze(0), data[0])
print(torch.allclose(torch.linalg.slogdet(jacobian).logabsdet, flow.f(data[:1])[1], atol=1e-5), torch.det(jacobian) > 0)
print("losses", losses)
