"""Two views of each image pulled together: augmentations on tensors, the NT-Xent loss, LARS by hand, then a linear probe on frozen features."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset


class LARS(Optimizer):
    def __init__(self, params, lr, weight_decay=0, momentum=0.9, eta=0.02):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum, eta=eta))

    @torch.no_grad()
    def step(self, closure=None):
        for g in self.param_groups:
            for p in g["params"]:
                dp = p.grad
                if dp is None:
                    continue
                if p.ndim > 1:
                    dp = dp.add(p, alpha=g["weight_decay"])
                    param_norm, update_norm = torch.norm(p), torch.norm(dp)
                    one = torch.ones_like(param_norm)
                    q = torch.where(param_norm > 0.0, torch.where(update_norm > 0, (g["eta"] * param_norm / update_norm), one), one)
                    dp = dp.mul(q)
                param_state = self.state[p]
                if "mu" not in param_state:
                    param_state["mu"] = torch.zeros_like(p)
                mu = param_state["mu"]
                mu.mul_(g["momentum"]).add_(dp)
                p.add_(mu, alpha=-g["lr"])


class TwoViews(Dataset):
    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def augment(self, x):
        if torch.rand(1) < 0.5:
            x = torch.flip(x, dims=[2])
        top, left = torch.randint(0, 3, (2,)).tolist()
        x = F.interpolate(x[None, :, top : top + 6, left : left + 6], size=8, mode="bilinear", align_corners=False)[0]
        x = x * (1 + 0.4 * (torch.rand(3, 1, 1) - 0.5)) + 0.05 * torch.randn_like(x)
        return torch.clip(x, 0, 1)

    def __getitem__(self, i):
        return (self.augment(self.images[i]), self.augment(self.images[i])), self.labels[i]

    def __len__(self):
        return len(self.images)


class SimCLR(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(1)
        )
        self.projector = nn.Sequential(nn.Linear(12, 12), nn.BatchNorm1d(12, affine=False), nn.ReLU(), nn.Linear(12, dim, bias=False))

    def forward(self, x):
        h = self.backbone(x).flatten(1)
        return F.normalize(self.projector(h), dim=1)


def info_nce_loss(features, batch_size, temperature=0.2):
    labels = torch.cat([torch.arange(batch_size) for i in range(2)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).to(features.dtype)
    similarity_matrix = torch.matmul(features, features.T)
    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels[~mask].view(labels.shape[0], -1)
    similarity_matrix = similarity_matrix[~mask].view(similarity_matrix.shape[0], -1)
    positives = similarity_matrix[labels.bool()].view(labels.shape[0], -1)
    negatives = similarity_matrix[~labels.bool()].view(similarity_matrix.shape[0], -1)
    logits = torch.cat([positives, negatives], dim=1)
    return logits / temperature, torch.zeros(logits.shape[0], dtype=torch.long)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(16)
labels = torch.randint(0, 4, (40,))
images = (torch.rand(4, 3, 8, 8)[labels] + 0.3 * torch.rand(40, 3, 8, 8)).clamp_(max=1)
loader = DataLoader(TwoViews(images, labels), batch_size=8, shuffle=True, drop_last=True)
model = SimCLR()
optimizer = LARS(model.parameters(), lr=0.5, weight_decay=1e-6)
scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=8, power=2.0)
losses = []
for epoch in range(7):
    for views, _ in loader:
        logits, target = info_nce_loss(model(torch.cat(views, dim=0)), 8)
        loss = F.cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    print(f"epoch {epoch} loss {loss.item():.4f} lr {scheduler.get_last_lr()[0]:.4f}")
model.eval()
with torch.no_grad():
    features = model.backbone(images).flatten(1)
probe = nn.Linear(12, 4)
optimizer = torch.optim.LBFGS(probe.parameters(), max_iter=15, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = F.cross_entropy(probe(features), labels) + 1e-3 * sum(p.pow(2).sum() for p in probe.parameters())
    loss.backward()
    losses.append(loss.item())
    return loss


optimizer.step(closure)
print(f"probe {(probe(features).argmax(1) == labels).float().mean():.2f}", optimizer, [*model.backbone.state_dict()][:2])
print("losses", losses)
