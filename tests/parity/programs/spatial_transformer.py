"""A network that learns how to turn and shift its input before it looks at it (Jaderberg and others, 2015), on random pictures."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision import datasets, transforms, utils

torch.manual_seed(0)
if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5)
        self.classes = nn.Linear(4 * 12 * 12, 10)
        self.localization = nn.Sequential(
            nn.Conv2d(1, 8, 7), nn.MaxPool2d(2, stride=2), nn.ReLU(True), nn.Conv2d(8, 10, 5), nn.MaxPool2d(2, stride=2), nn.ReLU(True)
        )
        self.theta = nn.Sequential(nn.Linear(10 * 3 * 3, 32), nn.ReLU(True), nn.Linear(32, 6))
        self.theta[2].weight.data.zero_()
        self.theta[2].bias.data.copy_(torch.tensor([0.9, 0.1, 0.05, -0.1, 0.9, 0.02], dtype=torch.float))

    def straightened(self, x):
        theta = self.theta(self.localization(x).view(-1, 90)).view(-1, 2, 3)
        return F.grid_sample(x, F.affine_grid(theta, x.size(), align_corners=False), align_corners=False)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv(self.straightened(x)), 2))
        return F.log_softmax(self.classes(x.flatten(1)), dim=1)


prepare = transforms.Compose(
    [transforms.ToTensor(), transforms.Lambda(lambda x: x.to(torch.get_default_dtype())), transforms.Normalize((0.5,), (0.25,))]
)
dataset = datasets.FakeData(80, (1, 28, 28), 10, transform=prepare)
loader = torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
losses = []
for epoch in range(5):
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: loss {loss.item():.6f}")
with torch.no_grad():
    print(tuple(utils.make_grid(model.straightened(images)).shape))
print("losses", losses)
