"""Sub-pixel convolution: an image of half the size enlarged again by PixelShuffle; PSNR from the mean squared error."""

import sys
from math import log10

import torch
import torch.nn as nn
import torch.nn.init as init
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, upscale_factor):
        super(Net, self).__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(1, 8, (5, 5), (1, 1), (2, 2))
        self.conv2 = nn.Conv2d(8, 8, (3, 3), (1, 1), (1, 1))
        self.conv3 = nn.Conv2d(8, 4, (3, 3), (1, 1), (1, 1))
        self.conv4 = nn.Conv2d(4, upscale_factor**2, (3, 3), (1, 1), (1, 1))
        self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
        self._initialize_weights()

    def forward(self, x):
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        x = self.relu(self.conv3(x))
        x = self.pixel_shuffle(self.conv4(x))
        return x

    def _initialize_weights(self):
        init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv2.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv3.weight, init.calculate_gain("relu"))
        init.orthogonal_(self.conv4.weight)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(123)
rows = torch.linspace(0, 3, 16)
fine = torch.stack([torch.outer(torch.sin(rows * a), torch.cos(rows * b)) for a, b in torch.rand(32, 2) * 3 + 0.5]).unsqueeze(1)
coarse = nn.functional.interpolate(fine, scale_factor=0.5, mode="bicubic", align_corners=False)
loader = DataLoader(dataset=TensorDataset(coarse, fine), num_workers=0, batch_size=4, shuffle=True)
model = Net(upscale_factor=2)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.01)
losses = []
for epoch in range(1, 8):
    epoch_loss = 0
    for iteration, batch in enumerate(loader, 1):
        input, target = batch[0], batch[1]
        optimizer.zero_grad()
        loss = criterion(model(input), target)
        epoch_loss += loss.item()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("===> Epoch {} Complete: Avg. Loss: {:.4f}".format(epoch, epoch_loss / len(loader)))
    with torch.no_grad():
        mse = criterion(model(coarse), fine)
        print("===> Avg. PSNR: {:.3f} dB".format(10 * log10(1 / mse.item())))
out = model(coarse[:1]).cpu()[0].detach().numpy()
out *= 255.0
print(out.clip(0, 255).astype("uint8").shape, model)
print("losses", losses)
