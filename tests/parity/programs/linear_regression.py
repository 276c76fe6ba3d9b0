"""A line fitted by hand and by a module."""

import sys

import torch
import torch.nn as nn

dtype = torch.float64 if "--double" in sys.argv else torch.float32

torch.manual_seed(0)
x = torch.linspace(-1, 1, 100).unsqueeze(1).to(dtype)
y = 3 * x + 0.5 + 0.1 * torch.randn(x.size()).to(dtype)

model = nn.Linear(1, 1).to(dtype)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
losses = []
for epoch in range(50):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if (epoch + 1) % 10 == 0:
        print(f"Epoch [{epoch + 1}/50], Loss: {loss:.4f}", loss.data, f"{loss}"[:6])
print(model, optimizer, model.weight, model.bias.data)

w = torch.randn(1).to(dtype).requires_grad_()
b = torch.zeros(1, dtype=dtype, requires_grad=True)
for _ in range(50):
    loss = ((x * w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad = None
    losses.append(loss.item())
print("losses", losses)
