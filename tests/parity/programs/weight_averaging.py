"""Averages of weights: SWA with its schedule and batch-norm update, EMA by AveragedModel, shadow weights by hand, gradient accumulation, clipping by value."""

import sys

import torch
import torch.nn as nn
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.data import DataLoader, TensorDataset


class EMA:
    def __init__(self, model, decay):
        self.model, self.decay, self.shadow, self.backup = model, decay, {}, {}

    def register(self):
        for name, param in self.model.named_parameters():
            if param.requires_grad:
                self.shadow[name] = param.data.clone()

    def update(self):
        for name, param in self.model.named_parameters():
            if param.requires_grad:
                assert name in self.shadow
                self.shadow[name] = (1.0 - self.decay) * param.data + self.decay * self.shadow[name].clone()

    def apply_shadow(self):
        for name, param in self.model.named_parameters():
            if param.requires_grad:
                self.backup[name] = param.data
                param.data = self.shadow[name]

    def restore(self):
        for name, param in self.model.named_parameters():
            if param.requires_grad:
                param.data = self.backup[name]
        self.backup = {}


class AverageMeter(object):
    """Computes and stores the average and current value."""

    def __init__(self, name, fmt=":f"):
        self.name, self.fmt = name, fmt
        self.reset()

    def reset(self):
        self.val, self.avg, self.sum, self.count = 0, 0, 0, 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count

    def __str__(self):
        fmtstr = "{name} {val" + self.fmt + "} ({avg" + self.fmt + "})"
        return fmtstr.format(**self.__dict__)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(15)
w = torch.randn(8, 3)
x = torch.randn(120, 8)
y = (x @ w + 0.5 * torch.randn(120, 3)).argmax(1)
loader = DataLoader(TensorDataset(x, y), batch_size=12, shuffle=True)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
loss_fn, accumulate = nn.CrossEntropyLoss(), 2
swa_model = AveragedModel(model)
ema_model = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
ema = EMA(model, 0.9)
ema.register()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=3, T_mult=2)
swa_scheduler = SWALR(optimizer, anneal_strategy="linear", anneal_epochs=2, swa_lr=0.05)
losses, meter = [], AverageMeter("Loss", ":.4e")
for epoch in range(8):
    model.train()
    optimizer.zero_grad()
    for i, (input, target) in enumerate(loader):
        loss = loss_fn(model(input), target) / accumulate
        loss.backward()
        meter.update(loss.item(), input.size(0))
        losses.append(loss.item())
        if (i + 1) % accumulate == 0:
            torch.nn.utils.clip_grad_value_(model.parameters(), clip_value=0.5)
            optimizer.step()
            optimizer.zero_grad()
            ema.update()
            ema_model.update_parameters(model)
            if epoch < 4:
                scheduler.step(epoch + i / len(loader))
    if epoch >= 4:
        swa_model.update_parameters(model)
        swa_scheduler.step()
    print(epoch, meter, "lr %.4f" % optimizer.param_groups[0]["lr"])
update_bn(loader, swa_model)
with torch.no_grad():
    for name, m in (("model", model), ("swa", swa_model), ("ema", ema_model)):
        m.eval()
        losses.append(loss_fn(m(x), y).item())
        print(f"{name:>6}: {losses[-1]:.4f} acc {(m(x).argmax(-1) == y).double().mean():.3f}")
    ema.apply_shadow()
    losses.append(loss_fn(model(x), y).item())
    ema.restore()
print(
    swa_model.n_averaged, list(swa_model.state_dict())[:3], all(torch.equal(p, model.state_dict()[n]) for n, p in model.named_parameters())
)
torch.save(swa_model.module.state_dict(), "/dev/null")
print("losses", losses)
