"""Sine waves continued by two LSTM layers: the last half of each wave is what the first half foretells."""

import sys

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x, state=None):
        out, state = self.lstm(x, state)
        return self.head(out), state


def repackage(state):
    return tuple(s.detach() for s in state)


np.random.seed(2)
torch.manual_seed(0)
dtype = torch.float64 if "--double" in sys.argv else torch.float32
shifts = np.random.randint(-40, 40, 12).reshape(12, 1)
waves = np.sin((np.arange(60) + shifts) / 5.0).astype("float64")
data = torch.from_numpy(waves).to(dtype).unsqueeze(-1)
model = Sequence().to(dtype)
print(model, f"{sum(p.numel() for p in model.parameters()):,} parameters")
criterion, optimizer = nn.MSELoss(), optim.RMSprop(model.parameters(), lr=1e-2, alpha=0.9)
losses = []
for epoch in range(18):
    state = None
    for start in range(0, 45, 15):
        chunk, target = data[:, start : start + 15], data[:, start + 1 : start + 16]
        out, state = model(chunk, state)
        state = repackage(state)
        loss = criterion(out, target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.item())
model.eval()
with torch.no_grad():
    x, state = data[:1, :30], None
    out, state = model(x, state)
    future = [out[:, -1:]]
    for _ in range(5):
        out, state = model(future[-1], state)
        future.append(out)
print("future", torch.cat(future, 1).squeeze().round(decimals=2).shape, "hidden", state[0].shape, state[1].size(0))
print("losses", losses)
