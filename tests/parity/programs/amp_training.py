"""Mixed precision on a CPU: autocast to bfloat16, a scaler that is switched off and on, accumulated steps, dtypes of what comes out."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.amp import GradScaler, autocast

torch.manual_seed(18)
double = "--double" in sys.argv
x, y = torch.randn(32, 10), torch.randint(0, 3, (32,))
losses = []


def make():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(10, 32), nn.GELU(), nn.LayerNorm(32), nn.Linear(32, 3))


if double:
    torch.set_default_dtype(torch.float64)
    x = x.double()
plain = make()
optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2)
scaler = GradScaler("cpu", init_scale=2.0**10, growth_interval=10)
for step in range(40):
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(plain(x), y)
    scaler.scale(loss).backward()
    if step % 5 == 4:
        scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
    if step == 20:
        plain[0].weight.grad[0, 0] = float("inf")
    scaler.step(optimizer)
    scaler.update()
    losses.append(loss.item())
print(scaler.get_scale(), scaler.is_enabled(), sorted(scaler.state_dict()), norm > 0)

model = make().to(torch.float32)
with autocast(device_type="cpu", dtype=torch.bfloat16):
    hidden = model[0](x.float())
    normed = model[2](hidden)
    logits = model(x.float())
    loss = F.cross_entropy(logits, y)
    print(hidden.dtype, normed.dtype, logits.dtype, loss.dtype, torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"))
    with autocast("cpu", enabled=False):
        print(model[0](x.float()).dtype)
loss.backward()
print({p.grad.dtype for p in model.parameters()}, round(loss.item(), 1))


@torch.autocast("cpu", dtype=torch.bfloat16)
def forward(a, b):
    return a @ b


print(forward(torch.ones(2, 2), torch.ones(2, 2)), torch.is_autocast_enabled("cpu"))
half = make().bfloat16()
print(half(x.bfloat16()).dtype, sum(p.element_size() * p.nelement() for p in half.parameters()), torch.finfo(torch.bfloat16).eps)
ddp_like = make()
for p in ddp_like.parameters():
    p.register_hook(lambda g: g / 2)
optimizer = torch.optim.SGD(ddp_like.parameters(), lr=0.5)
for step in range(20):
    for part in range(2):
        loss = F.cross_entropy(ddp_like(x[part::2].to(torch.get_default_dtype())), y[part::2])
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    optimizer.zero_grad()
print("losses", losses)
