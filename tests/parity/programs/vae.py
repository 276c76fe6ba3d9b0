"""A variational autoencoder on blobs: reparameterized draws, KL by hand, Adam."""

import sys

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
dtype = torch.float64 if "--double" in sys.argv else torch.float32


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc21 = nn.Linear(32, 4)
        self.fc22 = nn.Linear(32, 4)
        self.fc3 = nn.Linear(4, 32)
        self.fc4 = nn.Linear(32, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn(std.size()).to(std)
        return mu + eps * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def blobs(n):
    centre = torch.rand(n, 2, 1, 1) * 7
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    distance = (y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2
    return torch.exp(-distance / 4).unsqueeze(1)


model = VAE().to(device, dtype)
optimizer = optim.Adam(model.parameters(), lr=1e-2)
loader = DataLoader(TensorDataset(blobs(160)), batch_size=32, shuffle=True)
losses = []
for epoch in range(10):
    model.train()
    train_loss = 0
    for batch_idx, (data,) in enumerate(loader):
        data = data.to(device, dtype=dtype)
        optimizer.zero_grad()
        recon, mu, logvar = model(data)
        loss = loss_function(recon, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        losses.append(loss.item() / len(data))
    print(f"====> Epoch: {epoch} Average loss: {train_loss / len(loader.dataset):.3f}")
with torch.no_grad():
    sample = model.decode(torch.randn(4, 4).to(device, dtype)).cpu()
    print(sample.view(4, 1, 8, 8).shape)
print("losses", losses)
