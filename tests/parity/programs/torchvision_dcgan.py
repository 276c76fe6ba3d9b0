"""DCGAN with its pictures: samples kept as grids by torchvision.utils, normalized, read back with Pillow."""

import os
import sys
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torchvision.utils as vutils
from PIL import Image
from torchvision import datasets, transforms

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(999)
folder = tempfile.mkdtemp()
nz, ngf, ndf, nc, image_size = 8, 6, 6, 3, 16
dataset = datasets.FakeData(
    size=32,
    image_size=(3, 20, 24),
    num_classes=3,
    transform=transforms.Compose(
        [
            transforms.Resize(image_size),
            transforms.CenterCrop(image_size),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    ),
)
dataloader = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, num_workers=0)
real_batch = next(iter(dataloader))
grid = vutils.make_grid(real_batch[0][:8], padding=2, normalize=True)
print(dataset, tuple(grid.shape), real_batch[1].tolist())


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.02)
        nn.init.constant_(m.bias.data, 0)


netG = nn.Sequential(
    nn.ConvTranspose2d(nz, ngf * 2, 4, 1, 0, bias=False), nn.BatchNorm2d(ngf * 2), nn.ReLU(True),
    nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False), nn.BatchNorm2d(ngf), nn.ReLU(True),
    nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh(),
)  # fmt: skip
netD = nn.Sequential(
    nn.Conv2d(nc, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
    nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(ndf * 2), nn.LeakyReLU(0.2, inplace=True),
    nn.Conv2d(ndf * 2, 1, 4, 1, 0, bias=False), nn.Sigmoid(), nn.Flatten(0),
)  # fmt: skip
netG.apply(weights_init)
netD.apply(weights_init)
criterion = nn.BCELoss()
fixed_noise = torch.randn(8, nz, 1, 1)
optimizerD = torch.optim.Adam(netD.parameters(), lr=0.002, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netG.parameters(), lr=0.002, betas=(0.5, 0.999))
losses, img_list = [], []
for epoch in range(4):
    for i, data in enumerate(dataloader, 0):
        netD.zero_grad()
        real = data[0].to(torch.get_default_dtype())
        b_size = real.size(0)
        label = torch.full((b_size,), 1.0)
        errD_real = criterion(netD(real), label)
        errD_real.backward()
        fake = netG(torch.randn(b_size, nz, 1, 1))
        label.fill_(0.0)
        errD_fake = criterion(netD(fake.detach()), label)
        errD_fake.backward()
        optimizerD.step()
        netG.zero_grad()
        label.fill_(1.0)
        errG = criterion(netD(fake), label)
        errG.backward()
        optimizerG.step()
        losses += [errD_real.item() + errD_fake.item(), errG.item()]
    with torch.no_grad():
        fake = netG(fixed_noise).detach().cpu()
    img_list.append(vutils.make_grid(fake, padding=2, normalize=True))
    print(f"[{epoch}] Loss_D: {losses[-2]:.4f} Loss_G: {losses[-1]:.4f}")
for name, options in {
    "plain.png": {"normalize": True},
    "rows.png": {"nrow": 3, "padding": 1, "pad_value": 0.5, "normalize": True, "scale_each": True},
    "range.png": {"normalize": True, "value_range": (-1, 1), "nrow": 2},
}.items():
    path = os.path.join(folder, name)
    vutils.save_image(fake, path, **options)
    back = torch.from_numpy(np.array(Image.open(path)))
    print(name, tuple(back.shape), back.dtype)
    losses.append(back.double().mean().item() / 255)
losses += [float(grid.mean()), *(float(g.std()) for g in img_list)]
print("losses", losses)
