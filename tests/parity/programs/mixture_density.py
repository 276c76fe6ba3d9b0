"""A density of many humps: mixtures by hand with logsumexp, by MixtureSameFamily, and quantiles by pinball loss; noise that depends on x."""

import math
import sys

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Categorical, MixtureSameFamily, Normal
from torch.nn.functional import gaussian_nll_loss, log_softmax, softplus

ONEOVERSQRT2PI = 1.0 / math.sqrt(2 * math.pi)


class MDN(nn.Module):
    def __init__(self, in_features, out_features, num_gaussians):
        super(MDN, self).__init__()
        self.in_features, self.out_features, self.num_gaussians = in_features, out_features, num_gaussians
        self.hidden = nn.Sequential(nn.Linear(in_features, 20), nn.Tanh())
        self.pi = nn.Sequential(nn.Linear(20, num_gaussians), nn.Softmax(dim=1))
        self.sigma = nn.Linear(20, out_features * num_gaussians)
        self.mu = nn.Linear(20, out_features * num_gaussians)

    def forward(self, minibatch):
        h = self.hidden(minibatch)
        sigma = torch.exp(self.sigma(h)).view(-1, self.num_gaussians, self.out_features)
        mu = self.mu(h).view(-1, self.num_gaussians, self.out_features)
        return self.pi(h), sigma, mu


def gaussian_probability(sigma, mu, target):
    target = target.unsqueeze(1).expand_as(sigma)
    ret = ONEOVERSQRT2PI * torch.reciprocal(sigma) * torch.exp(-0.5 * ((target - mu) / sigma) ** 2)
    return torch.prod(ret, 2)


def mdn_loss(pi, sigma, mu, target):
    prob = pi * gaussian_probability(sigma, mu, target)
    nll = -torch.log(torch.sum(prob, dim=1) + 1e-12)
    return torch.mean(nll)


def sample(pi, sigma, mu):
    pis = Categorical(pi).sample().view(pi.size(0), 1, 1)
    gaussian_noise = torch.randn((sigma.size(2), sigma.size(0)), requires_grad=False)
    variance_samples = sigma.gather(1, pis).detach().squeeze()
    mean_samples = mu.detach().gather(1, pis).squeeze()
    return (gaussian_noise * variance_samples + mean_samples).transpose(0, 1)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(12)
np.random.seed(12)
Y = np.random.uniform(-10.5, 10.5, (120, 1))
X = np.sin(0.75 * Y) * 7.0 + Y * 0.5 + np.random.normal(size=(120, 1))
x_data, y_data = (torch.as_tensor(a / 10).to(torch.get_default_dtype()) for a in (X, Y))
losses = []
model = MDN(1, 1, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
for epoch in range(25):
    model.zero_grad()
    pi, sigma, mu = model(x_data)
    loss = mdn_loss(pi, sigma, mu, y_data)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(sample(pi, sigma, mu).shape, f"{pi.mean(0).sum():.2f}")

torch.nn.init.zeros_(model.mu.weight)
optimizer = torch.optim.Rprop(model.parameters(), lr=1e-3)
for epoch in range(15):
    pi, sigma, mu = model(x_data)
    mixture = MixtureSameFamily(Categorical(probs=pi), Normal(mu.squeeze(-1), sigma.squeeze(-1)))
    by_hand = torch.logsumexp(torch.log(pi) + Normal(mu, sigma).log_prob(y_data.unsqueeze(1)).squeeze(-1), dim=1)
    loss = -mixture.log_prob(y_data.squeeze(1)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(
    torch.allclose(by_hand, mixture.log_prob(y_data.squeeze(1)), atol=1e-5),
    mixture.batch_shape,
    mixture.mean.shape,
    mixture.variance.min() > 0,
)

net = nn.Sequential(nn.Linear(1, 12), nn.Softplus(), nn.Linear(12, 3))
quantiles = torch.tensor([0.1, 0.5, 0.9])
optimizer = torch.optim.ASGD(net.parameters(), lr=0.1)
for epoch in range(20):
    error = y_data - net(x_data)
    pinball = torch.maximum(quantiles * error, (quantiles - 1) * error).mean()
    mean, rest = net(x_data)[:, :1], softplus(net(x_data)[:, 1:2]) + 1e-3
    loss = pinball + 0.1 * gaussian_nll_loss(mean, y_data, rest, full=True) + 0.01 * log_softmax(net(x_data), 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
inside = ((y_data > net(x_data).detach()[:, :1]) & (y_data < net(x_data).detach()[:, 2:])).to(torch.float32).mean()
print(f"coverage {inside:.2f}", torch.quantile(y_data, quantiles).shape, y_data.quantile(0.5).ndim)
print("losses", losses)
