"""A convolutional autoencoder that removes noise; hooks on layers, a summary table, weights frozen half way, tqdm around the loader."""

import sys
from functools import partial

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm, trange


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(8, 4, 3, stride=2, padding=1), nn.Mish(), nn.Flatten(1)
        )
        self.decoder = nn.Sequential(
            nn.Unflatten(1, (4, 3, 3)),
            nn.ConvTranspose2d(4, 8, 3, stride=2, padding=1, output_padding=1),
            nn.Hardswish(),
            nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def stripes(n):
    phase, angle = torch.rand(n, 1, 1) * 6.28, torch.rand(n, 1, 1) * 3.14
    y, x = torch.meshgrid(torch.linspace(-3, 3, 12), torch.linspace(-3, 3, 12), indexing="xy")
    return (torch.sin(x * angle.cos() + y * angle.sin() + phase).unsqueeze(1) + 1) / 2


def summary(model, size):
    rows = []

    def hook(name, module, inputs, output):
        params = sum(p.numel() for p in module.parameters(recurse=False))
        rows.append("{:<28}{:>22}{:>10,}".format(name, str(list(output.shape)), params))

    handles = [
        m.register_forward_hook(partial(hook, f"{type(m).__name__}-{i}")) for i, m in enumerate(model.modules()) if not list(m.children())
    ]
    model(torch.zeros(2, *size))
    for handle in handles:
        handle.remove()
    print("\n".join(rows))


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(8)
clean = stripes(64)
noisy = torch.clamp(clean + 0.3 * torch.randn_like(clean), 0.0, 1.0)
loader = DataLoader(TensorDataset(noisy, clean), batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(2))
model = Autoencoder()
summary(model, (1, 12, 12))
optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
criterion = nn.SmoothL1Loss(beta=0.1)
losses = []
for epoch in trange(14, file=sys.stderr, disable=None):
    if epoch == 9:
        for name, p in model.named_parameters():
            p.requires_grad_(not name.startswith("encoder.0"))
        optimizer = torch.optim.NAdam(filter(lambda p: p.requires_grad, model.parameters()), lr=2e-3)
    pbar = tqdm(loader, leave=False, file=sys.stderr)
    for inputs, targets in pbar:
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        pbar.set_postfix(loss=loss.item(), lr=optimizer.param_groups[0]["lr"])
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d} loss {loss:.4f} psnr {-10 * torch.log10(nn.functional.mse_loss(outputs, targets)):.2f}")
code = model.encoder(clean[:3])
print(code.shape, [n for n, p in model.named_parameters() if not p.requires_grad], model.encoder[0].weight.grad is None)
print("losses", losses)
