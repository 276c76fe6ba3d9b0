"""The MNIST example on synthetic digits."""

import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset

dtype = torch.float64 if "--double" in sys.argv else torch.float32


class Digits(Dataset):
    def __init__(self, n):
        rng = np.random.RandomState(0)
        self.targets = rng.randint(0, 10, n)
        base = rng.rand(10, 14, 14)
        self.data = (base[self.targets] * 255 + rng.rand(n, 14, 14) * 100).clip(0, 255).astype(np.uint8)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, i):
        image = torch.from_numpy(self.data[i]).to(dtype).div(255).unsqueeze(0)
        return (image - 0.13) / 0.3, int(self.targets[i])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, 1)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=3, padding=1)
        self.dropout = nn.Dropout(0.25)
        self.fc = nn.Linear(8 * 3 * 3, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x), inplace=True), 2)
        x = self.dropout(x).view(-1, 8 * 3 * 3)
        return F.log_softmax(self.fc(x), dim=1)


torch.manual_seed(1)
loader = DataLoader(Digits(160), batch_size=16, shuffle=True, num_workers=0, drop_last=True)
model = Net().to(dtype)
print(model)
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
losses = []
for _ in range(5):
    model.train()
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
model.eval()
with torch.no_grad():
    correct = sum(model(data).argmax(dim=1, keepdim=True).eq(target.view(-1, 1)).sum().item() for data, target in loader)
print(correct, model.bn1.running_mean, model.bn1.num_batches_tracked)
print("losses", losses)
