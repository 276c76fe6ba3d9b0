"""A character-level GPT: tied weights, groups of weight decay, clipping, warm-up and cosine."""

import math
import sys

import torch
import torch.nn as nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = (t.view(B, T, self.heads, -1).transpose(1, 2) for t in self.c_attn(self.ln_1(x)).split(C, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocabulary, context, width=16):
        super().__init__()
        parts = {"wte": nn.Embedding(vocabulary, width), "wpe": nn.Embedding(context, width)}
        self.transformer = nn.ModuleDict({**parts, "h": nn.ModuleList([Block(width, 2) for _ in range(2)])})
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.apply(lambda m: nn.init.normal_(m.weight, std=0.02) if isinstance(m, nn.Linear | nn.Embedding) else None)

    def forward(self, idx, targets):
        x = self.transformer.wte(idx) + self.transformer.wpe(torch.arange(idx.size(1), device=idx.device))
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1), ignore_index=-1)


torch.manual_seed(1337)
dtype = torch.float64 if "--double" in sys.argv else torch.float32
text = "the quick brown fox jumps over the lazy dog. " * 30
letters = {c: i for i, c in enumerate(sorted(set(text)))}
data = torch.tensor([letters[c] for c in text], dtype=torch.long)
model = GPT(len(letters), 16).to(dtype)
print(model, sum(p.numel() for p in model.parameters()), list(model.state_dict()))
params = [p for p in model.parameters() if p.requires_grad]
groups = [{"params": [p for p in params if p.dim() >= 2], "weight_decay": 0.1}]
groups.append({"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0})
optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))
print(optimizer)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: (t + 1) / 5 if t < 5 else 0.5 + 0.5 * math.cos(t / 20))
losses = []
for _ in range(50):
    ix = torch.randint(len(data) - 16, (4,))
    _, loss = model(torch.stack([data[i : i + 16] for i in ix]), torch.stack([data[i + 1 : i + 17] for i in ix]))
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    optimizer.zero_grad(set_to_none=True)
    losses += [loss.item(), norm.item()]
print("losses", losses)
