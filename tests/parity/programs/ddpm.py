"""Denoising diffusion on two moons: betas by linspace, gathered schedules, sinusoidal time, SiLU residuals, EMA, ancestral sampling."""

import copy
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        device = x.device
        half_dim = self.dim // 2
        emb = math.log(10000) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=device) * -emb)
        emb = x[:, None] * emb[None, :]
        emb = torch.cat((emb.sin(), emb.cos()), dim=-1)
        return emb


class Denoiser(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.time = nn.Sequential(SinusoidalPosEmb(8), nn.Linear(8, width), nn.SiLU(), nn.Linear(width, 2 * width))
        self.inp, self.norm, self.mid, self.out = nn.Linear(2, width), nn.GroupNorm(4, width), nn.Linear(width, width), nn.Linear(width, 2)

    def forward(self, x, t):
        scale, shift = self.time(t).chunk(2, dim=1)
        h = self.norm(self.inp(x)) * (scale + 1) + shift
        return self.out(F.silu(self.mid(F.silu(h))) + h)


def extract(a, t, x_shape):
    b, *_ = t.shape
    out = a.gather(-1, t)
    return out.reshape(b, *((1,) * (len(x_shape) - 1)))


class GaussianDiffusion(nn.Module):
    def __init__(self, model, timesteps=20):
        super().__init__()
        self.model, self.num_timesteps = model, timesteps
        betas = torch.linspace(1e-3, 0.2, timesteps)
        alphas = 1.0 - betas
        alphas_cumprod = torch.cumprod(alphas, dim=0)
        alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
        self.register_buffer("betas", betas)
        self.register_buffer("alphas_cumprod", alphas_cumprod)
        self.register_buffer("sqrt_alphas_cumprod", torch.sqrt(alphas_cumprod))
        self.register_buffer("sqrt_one_minus_alphas_cumprod", torch.sqrt(1.0 - alphas_cumprod))
        self.register_buffer("posterior_variance", betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod), persistent=False)

    def q_sample(self, x_start, t, noise=None):
        noise = noise if noise is not None else torch.randn_like(x_start)
        return (
            extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start
            + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise
        )

    def forward(self, x):
        t = torch.randint(0, self.num_timesteps, (x.shape[0],), device=x.device).long()
        noise = torch.randn_like(x)
        return F.mse_loss(self.model(self.q_sample(x, t, noise=noise), t), noise, reduction="none").flatten(1).mean(1).mean()

    @torch.inference_mode()
    def sample(self, shape):
        img = torch.randn(shape)
        for i in reversed(range(0, self.num_timesteps)):
            t = torch.full((shape[0],), i, dtype=torch.long)
            beta, eps = extract(self.betas, t, img.shape), self.model(img, t)
            mean = (img - beta / extract(self.sqrt_one_minus_alphas_cumprod, t, img.shape) * eps) / (1 - beta).sqrt()
            img = mean + (0.5 * torch.log(extract(self.posterior_variance, t, img.shape).clamp(min=1e-20))).exp() * torch.randn_like(
                img
            ) * (i > 0)
        return img


def ema_update(averaged, current, decay=0.9):
    for old, new in zip(averaged.state_dict().values(), current.state_dict().values()):
        old.copy_(old * decay + (1 - decay) * new)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(17)
angles = torch.rand(256) * math.pi
moons = torch.stack([torch.stack([angles.cos(), angles.sin()], 1), torch.stack([1 - angles.cos(), 0.5 - angles.sin()], 1)]).flatten(0, 1)
diffusion = GaussianDiffusion(Denoiser())
ema = copy.deepcopy(diffusion).eval().requires_grad_(False)
opt = torch.optim.AdamW(diffusion.parameters(), lr=2e-3)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=1e-2, total_steps=60)
losses = []
for step in range(60):
    batch = moons[torch.randint(0, len(moons), (64,))]
    loss = diffusion(batch)
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
    opt.step()
    sched.step()
    ema_update(ema, diffusion)
    losses.append(loss.item())
print(list(dict(diffusion.named_buffers())), len(diffusion.state_dict()), "posterior_variance" in diffusion.state_dict())
sampled = ema.sample((200, 2))
print(f"mean {sampled.mean(0)} std {sampled.std(dim=0, unbiased=False)}", sampled.is_inference(), torch.isfinite(sampled).all().item())
print("losses", losses)
