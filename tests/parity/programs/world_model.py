"""A world model: recurrent state with categorical latents through a straight line, KL balancing, distributions as heads."""

import sys

import torch
import torch.distributions as td
import torch.nn as nn
import torch.nn.functional as F

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(9)


class OneHotST(td.OneHotCategorical):
    has_rsample = True

    def rsample(self, sample_shape=()):
        sample = self.sample(sample_shape)
        return sample + (self.probs - self.probs.detach())


class RSSM(nn.Module):
    def __init__(self, obs, act, deter=16, cats=4, classes=4):
        super().__init__()
        self.cats, self.classes, self.deter = cats, classes, deter
        self.inp = nn.Sequential(nn.Linear(cats * classes + act, deter), nn.LayerNorm(deter), nn.ELU())
        self.cell = nn.GRUCell(deter, deter)
        self.prior, self.post = nn.Linear(deter, cats * classes), nn.Linear(deter + obs, cats * classes)
        self.decoder = nn.Sequential(nn.Linear(deter + cats * classes, 32), nn.ELU(), nn.Linear(32, 2 * obs))
        self.reward, self.cont = nn.Linear(deter + cats * classes, 1), nn.Linear(deter + cats * classes, 1)

    def dist(self, logits, detach=False):
        logits = logits.unflatten(-1, (self.cats, self.classes))
        probs = 0.99 * F.softmax(logits.detach() if detach else logits, -1) + 0.01 / self.classes
        return td.Independent(OneHotST(probs=probs), 1)

    def forward(self, obs, act):
        B, T = obs.shape[:2]
        h, z = obs.new_zeros(B, self.deter), obs.new_zeros(B, self.cats * self.classes)
        priors, posts, feats = [], [], []
        for t in range(T):
            h = self.cell(self.inp(torch.cat([z, act[:, t]], -1)), h)
            prior, post = self.prior(h), self.post(torch.cat([h, obs[:, t]], -1))
            z = self.dist(post).rsample().flatten(-2)
            priors.append(prior), posts.append(post), feats.append(torch.cat([h, z], -1))
        return torch.stack(priors, 1), torch.stack(posts, 1), torch.stack(feats, 1)


def lambda_return(reward, value, pcont, bootstrap, lambda_=0.95):
    next_values = torch.cat([value[1:], bootstrap[None]], 0)
    inputs = reward + pcont * next_values * (1 - lambda_)
    outputs, agg = [], bootstrap
    for t in reversed(range(len(reward))):
        agg = inputs[t] + pcont[t] * lambda_ * agg
        outputs.append(agg)
    return torch.stack(outputs[::-1], 0)


obs_dim, act_dim = 5, 2
model = RSSM(obs_dim, act_dim)
actor, critic = nn.Linear(32, 2 * act_dim), nn.Sequential(nn.Linear(32, 16), nn.SiLU(), nn.Linear(16, 1))
opt = torch.optim.Adam(model.parameters(), lr=3e-3, eps=1e-5)
opt_ac = torch.optim.Adam([{"params": actor.parameters(), "lr": 1e-3}, {"params": critic.parameters()}], lr=3e-3)
t = torch.arange(12.0).to(torch.get_default_dtype())
obs = torch.sin(t[None, :, None] * 0.5 + torch.arange(6)[:, None, None] + torch.arange(obs_dim))
act = torch.randn(6, 12, act_dim)
rew, done = obs.sum(-1), (torch.arange(12) == 11).expand(6, 12)
losses = []
for step in range(30):
    prior, post, feat = model(obs, act)
    kl_lhs = td.kl_divergence(model.dist(post, detach=True), model.dist(prior))
    kl_rhs = td.kl_divergence(model.dist(post), model.dist(prior, detach=True))
    kl = 0.8 * torch.clamp(kl_lhs.mean(), min=0.1) + 0.2 * torch.maximum(kl_rhs.mean(), torch.tensor(0.1))
    mean, std = model.decoder(feat).chunk(2, -1)
    recon = -td.Independent(td.Normal(mean, F.softplus(std) + 0.1), 1).log_prob(obs).mean()
    reward = -td.Normal(model.reward(feat).squeeze(-1), 1.0).log_prob(rew).mean()
    cont = -td.Bernoulli(logits=model.cont(feat).squeeze(-1)).log_prob((~done).to(obs.dtype)).mean()
    loss = recon + reward + cont + kl
    opt.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.5)
    opt.step()
    feat = feat.detach()
    mu, log_std = actor(feat).chunk(2, -1)
    policy = td.TransformedDistribution(td.Normal(mu, log_std.clamp(-4, 1).exp()), [td.TanhTransform(cache_size=1)])
    policy = td.Independent(policy, 1)
    a = policy.rsample()
    value = critic(feat).squeeze(-1).transpose(0, 1)
    target = lambda_return(rew.t(), value.detach(), 0.99 * torch.ones_like(rew.t()), value.detach()[-1])
    actor_loss = -(policy.log_prob(a) * (target - value.detach()).t()).mean() + 1e-3 * a.pow(2).mean()
    critic_loss = F.smooth_l1_loss(value, target)
    opt_ac.zero_grad()
    (actor_loss + critic_loss).backward()
    opt_ac.step()
    losses.append((loss + critic_loss + actor_loss).item())
ent = td.Categorical(logits=prior[0, 0].view(4, 4)).entropy()
print(f"kl {kl.item():.4f} entropy {ent.sum():.4f} {model.dist(prior[:1, :1])}", model.dist(post).base_dist.mode.shape)
print("losses", losses)
