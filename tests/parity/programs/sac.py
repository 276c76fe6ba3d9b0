"""Soft actor-critic's updates on recorded steps: a squashed Gaussian by TransformedDistribution, twin critics, temperature, soft targets."""

import copy
import math
import random
import sys
from collections import deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import distributions as pyd
from torch import nn


class TanhTransform(pyd.transforms.Transform):
    domain = pyd.constraints.real
    codomain = pyd.constraints.interval(-1.0, 1.0)
    bijective = True
    sign = +1

    def __init__(self, cache_size=1):
        super().__init__(cache_size=cache_size)

    @staticmethod
    def atanh(x):
        return 0.5 * (x.log1p() - (-x).log1p())

    def __eq__(self, other):
        return isinstance(other, TanhTransform)

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return self.atanh(y)

    def log_abs_det_jacobian(self, x, y):
        return 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))


class SquashedNormal(pyd.transformed_distribution.TransformedDistribution):
    def __init__(self, loc, scale):
        self.loc, self.scale = loc, scale
        self.base_dist = pyd.Normal(loc, scale)
        super().__init__(self.base_dist, [TanhTransform()])

    @property
    def mean(self):
        mu = self.loc
        for tr in self.transforms:
            mu = tr(mu)
        return mu


def mlp(input_dim, hidden_dim, output_dim, hidden_depth=1):
    mods = [nn.Linear(input_dim, hidden_dim), nn.ReLU(inplace=True)]
    for i in range(hidden_depth - 1):
        mods += [nn.Linear(hidden_dim, hidden_dim), nn.ReLU(inplace=True)]
    mods.append(nn.Linear(hidden_dim, output_dim))
    return nn.Sequential(*mods)


def weight_init(m):
    if isinstance(m, nn.Linear):
        nn.init.orthogonal_(m.weight.data)
        if hasattr(m.bias, "data"):
            m.bias.data.fill_(0.0)


class Actor(nn.Module):
    def __init__(self, obs_dim, action_dim, log_std_bounds=(-5, 2)):
        super().__init__()
        self.log_std_bounds = log_std_bounds
        self.trunk = mlp(obs_dim, 16, 2 * action_dim)
        self.apply(weight_init)

    def forward(self, obs):
        mu, log_std = self.trunk(obs).chunk(2, dim=-1)
        log_std = torch.tanh(log_std)
        log_std_min, log_std_max = self.log_std_bounds
        log_std = log_std_min + 0.5 * (log_std_max - log_std_min) * (log_std + 1)
        return SquashedNormal(mu, log_std.exp())


class Critic(nn.Module):
    def __init__(self, obs_dim, action_dim):
        super().__init__()
        self.Q1, self.Q2 = mlp(obs_dim + action_dim, 16, 1), mlp(obs_dim + action_dim, 16, 1)
        self.apply(weight_init)

    def forward(self, obs, action):
        assert obs.size(0) == action.size(0)
        obs_action = torch.cat([obs, action], dim=-1)
        return self.Q1(obs_action), self.Q2(obs_action)


class ReplayBuffer:
    def __init__(self, capacity):
        self.memory = deque(maxlen=capacity)

    def push(self, *transition):
        self.memory.append(transition)

    def sample(self, n):
        rows = zip(*random.sample(self.memory, n))
        return [torch.as_tensor(np.stack(r), device="cpu").to(torch.get_default_dtype()) for r in rows]


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
random.seed(0)
rng = np.random.RandomState(0)
buffer = ReplayBuffer(200)
for _ in range(200):
    obs, action = rng.randn(3), rng.uniform(-1, 1, 2).clip(-0.99, 0.99)
    buffer.push(obs, action, [-np.square(action - obs[:2]).sum()], rng.randn(3), [float(rng.rand() > 0.1)])
actor, critic = Actor(3, 2), Critic(3, 2)
critic_target = copy.deepcopy(critic)
log_alpha = torch.tensor(np.log(0.1)).to(torch.get_default_dtype()).requires_grad_(True)
actor_optimizer = torch.optim.Adam(actor.parameters(), lr=1e-3, betas=(0.9, 0.999))
critic_optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
log_alpha_optimizer = torch.optim.Adam([log_alpha], lr=1e-2)
losses = []
for step in range(30):
    obs, action, reward, next_obs, not_done = buffer.sample(32)
    with torch.no_grad():
        dist = actor(next_obs)
        next_action = dist.rsample()
        log_prob = dist.log_prob(next_action).sum(-1, keepdim=True)
        target_Q1, target_Q2 = critic_target(next_obs, next_action)
        target_V = torch.min(target_Q1, target_Q2) - log_alpha.exp().detach() * log_prob
        target_Q = reward + (not_done * 0.99 * target_V)
    current_Q1, current_Q2 = critic(obs, action)
    critic_loss = F.mse_loss(current_Q1, target_Q) + F.mse_loss(current_Q2, target_Q)
    critic_optimizer.zero_grad()
    critic_loss.backward()
    critic_optimizer.step()
    dist = actor(obs)
    new_action = dist.rsample()
    log_prob = dist.log_prob(new_action).sum(-1, keepdim=True)
    actor_Q = torch.min(*critic(obs, new_action))
    actor_loss = (log_alpha.exp().detach() * log_prob - actor_Q).mean()
    actor_optimizer.zero_grad()
    actor_loss.backward()
    actor_optimizer.step()
    log_alpha_optimizer.zero_grad()
    alpha_loss = (log_alpha.exp() * (-log_prob + 2).detach()).mean()
    alpha_loss.backward()
    log_alpha_optimizer.step()
    for param, target_param in zip(critic.parameters(), critic_target.parameters()):
        target_param.data.copy_(0.05 * param.data + 0.95 * target_param.data)
    losses += [critic_loss.item(), actor_loss.item()]
with torch.no_grad():
    greedy = actor(torch.zeros(1, 3)).mean.clamp(-1, 1)
print(type(dist).__name__, greedy.ndim, greedy.cpu().numpy()[0].shape, f"{log_alpha.exp():.4f}", dist.base_dist)
print("losses", losses)
