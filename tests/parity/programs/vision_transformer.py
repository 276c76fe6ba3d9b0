"""A vision transformer: patches by a strided convolution, a class token, pre-norm blocks, label smoothing, warm-up then cosine."""

import sys

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR


class PatchExtractor(nn.Module):
    def __init__(self, patch_size=4):
        super().__init__()
        self.patch_size = patch_size

    def forward(self, input_data):
        batch_size, channels, height, width = input_data.size()
        assert height % self.patch_size == 0 and width % self.patch_size == 0
        patches = input_data.unfold(2, self.patch_size, self.patch_size).unfold(3, self.patch_size, self.patch_size)
        patches = patches.permute(0, 2, 3, 1, 4, 5).contiguous().view(batch_size, -1, channels * self.patch_size**2)
        return patches


class Attention(nn.Module):
    def __init__(self, dim, heads=2, dropout=0.0):
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.to_qkv = nn.Linear(dim, dim * 3, bias=False)
        self.attend = nn.Softmax(dim=-1)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))

    def forward(self, x):
        b, n, _ = x.shape
        qkv = self.to_qkv(x).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        attn = self.attend((q @ k.transpose(-2, -1)) * self.scale)
        out = torch.einsum("bhij,bhjd->bhid", attn, v)
        return self.to_out(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim, eps=1e-6), Attention(dim, dropout=0.1)
        self.norm2, self.mlp = (
            nn.LayerNorm(dim),
            nn.Sequential(nn.Linear(dim, dim * 2), nn.GELU(approximate="tanh"), nn.Linear(dim * 2, dim)),
        )

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, dim=16, depth=2, classes=5):
        super().__init__()
        self.patches = PatchExtractor()
        self.embed = nn.Linear(48, dim)
        self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
        self.pos_embedding = nn.Parameter(torch.zeros(1, 5, dim))
        nn.init.trunc_normal_(self.pos_embedding, std=0.02)
        self.blocks = nn.ModuleList(Block(dim) for _ in range(depth))
        self.encoder = nn.TransformerEncoderLayer(
            dim, nhead=2, dim_feedforward=24, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, classes))

    def forward(self, img):
        x = self.embed(self.patches(img))
        cls_tokens = self.cls_token.expand(x.shape[0], -1, -1)
        x = torch.cat((cls_tokens, x), dim=1)
        x += self.pos_embedding[:, : x.size(1)]
        for block in self.blocks:
            x = block(x)
        return self.head(self.encoder(x)[:, 0])


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(11)
labels = torch.arange(20) % 5
images = torch.rand(5, 3, 8, 8)[labels] + 0.3 * torch.randn(20, 3, 8, 8)
model = ViT()
print(model.encoder, sum(p.numel() for p in model.parameters() if p.requires_grad))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
warmup = LinearLR(optimizer, start_factor=0.1, total_iters=10)
scheduler = SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, T_max=40, eta_min=1e-5)], milestones=[10])
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
losses = []
for step in range(50):
    order = torch.randperm(20)[:10]
    logits = model(images[order])
    loss = criterion(logits, labels[order])
    optimizer.zero_grad()
    loss.backward()
    grad_norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0, norm_type=2)
    optimizer.step()
    scheduler.step()
    losses.append(loss.item())
    if step % 10 == 9:
        print(step, f"lr {scheduler.get_last_lr()[0]:.2e} loss {loss.item():.4f} norm {grad_norm:.3f} {grad_norm}"[:44])
model.eval()
values, classes = torch.topk(model(images).softmax(-1), k=2, dim=-1)
print(classes[:, 0].eq(labels).float().mean(), values.shape, classes.dtype)
print("losses", losses)
