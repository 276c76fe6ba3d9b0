"""Images and captions in one space: two towers, a temperature that is learned, symmetric cross-entropy, retrieval."""

import sys
from collections import OrderedDict
from typing import Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class LayerNorm(nn.LayerNorm):
    """Subclass torch's LayerNorm to handle fp16."""

    def forward(self, x: torch.Tensor):
        orig_type = x.dtype
        ret = super().forward(x.type(torch.get_default_dtype()))
        return ret.type(orig_type)


class QuickGELU(nn.Module):
    def forward(self, x: torch.Tensor):
        return x * torch.sigmoid(1.702 * x)


class ResidualAttentionBlock(nn.Module):
    def __init__(self, d_model: int, n_head: int, attn_mask: torch.Tensor = None):
        super().__init__()
        self.attn = nn.MultiheadAttention(d_model, n_head)
        self.ln_1 = LayerNorm(d_model)
        mlp = [("c_fc", nn.Linear(d_model, d_model * 2)), ("gelu", QuickGELU()), ("c_proj", nn.Linear(d_model * 2, d_model))]
        self.mlp = nn.Sequential(OrderedDict(mlp))
        self.ln_2 = LayerNorm(d_model)
        self.attn_mask = attn_mask

    def attention(self, x: torch.Tensor):
        self.attn_mask = self.attn_mask.to(dtype=x.dtype, device=x.device) if self.attn_mask is not None else None
        return self.attn(x, x, x, need_weights=False, attn_mask=self.attn_mask)[0]

    def forward(self, x: torch.Tensor):
        x = x + self.attention(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class CLIP(nn.Module):
    def __init__(self, width=16, context_length=6, vocab_size=20, embed_dim=8):
        super().__init__()
        self.context_length = context_length
        self.visual = nn.Sequential(
            OrderedDict(
                [
                    ("conv1", nn.Conv2d(3, width, 4, 4, bias=False)),
                    ("act", QuickGELU()),
                    ("flat", nn.Flatten()),
                    ("fc", nn.LazyLinear(embed_dim)),
                ]
            )
        )
        self.transformer = nn.Sequential(*[ResidualAttentionBlock(width, 2, self.build_attention_mask()) for _ in range(2)])
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.positional_embedding = nn.Parameter(torch.empty(self.context_length, width))
        self.ln_final = LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, embed_dim))
        self.logit_scale = nn.Parameter(torch.ones([]) * np.log(1 / 0.07))
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=width**-0.5)

    def build_attention_mask(self):
        mask = torch.empty(self.context_length, self.context_length)
        mask.fill_(float("-inf"))
        mask.triu_(1)
        return mask

    @property
    def dtype(self):
        return self.visual.conv1.weight.dtype

    def encode_text(self, text):
        x = self.token_embedding(text).type(self.dtype)
        x = x + self.positional_embedding.type(self.dtype)
        x = x.permute(1, 0, 2)  # NLD -> LND
        x = self.transformer(x)
        x = x.permute(1, 0, 2)  # LND -> NLD
        x = self.ln_final(x).type(self.dtype)
        return x[torch.arange(x.shape[0]), text.argmax(dim=-1)] @ self.text_projection

    def forward(self, image, text) -> Tuple[torch.Tensor, torch.Tensor]:
        image_features = self.visual(image.type(self.dtype))
        text_features = self.encode_text(text)
        image_features = image_features / image_features.norm(dim=1, keepdim=True)
        text_features = text_features / text_features.norm(dim=1, keepdim=True)
        logit_scale = self.logit_scale.exp()
        logits_per_image = logit_scale * image_features @ text_features.t()
        return logits_per_image, logits_per_image.t()


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(21)
kinds = torch.arange(24) % 6
images = torch.rand(6, 3, 8, 8)[kinds] + 0.2 * torch.rand(24, 3, 8, 8)
texts = torch.randint(1, 18, (6, 6))[kinds]
texts[:, 4] = 19
texts[:, 5:] = 0
model = CLIP()
print(model.visual.fc)
model(images[:2], texts[:2])
print(model.visual.fc, f"{model.logit_scale.item():.4f}")
params = [{"params": [p for n, p in model.named_parameters() if p.ndim < 2 or "ln" in n or "logit_scale" in n], "weight_decay": 0.0}]
params += [{"params": [p for n, p in model.named_parameters() if not (p.ndim < 2 or "ln" in n or "logit_scale" in n)], "weight_decay": 0.2}]
optimizer = torch.optim.AdamW(params, lr=3e-3, betas=(0.9, 0.98), eps=1e-6)
losses = []
for step in range(50):
    batch = torch.randperm(24)[:6]
    logits_per_image, logits_per_text = model(images[batch], texts[batch])
    ground_truth = torch.arange(len(batch))
    total_loss = (F.cross_entropy(logits_per_image, ground_truth) + F.cross_entropy(logits_per_text, ground_truth)) / 2
    optimizer.zero_grad()
    total_loss.backward()
    optimizer.step()
    with torch.no_grad():
        model.logit_scale.clamp_(0, np.log(100))
    losses.append(total_loss.item())
model.eval()
with torch.no_grad():
    probs = model(images, texts)[0].softmax(dim=-1).cpu().numpy()
print("Label probs:", probs.shape, np.round(probs.sum(), 3), (kinds.numpy()[probs.argmax(1)] == kinds.numpy()).mean())
print("losses", losses)
