"""What sits between frameworks: arrays and tensors in one expression, pandas and scikit-learn on tensors, figures, copies, pickles of plain things, formats."""

import copy
import io
import math
import random
import sys
from collections import defaultdict

import matplotlib
import numpy as np
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)


class EarlyStopping:
    def __init__(self, patience=3, delta=0):
        self.patience, self.delta, self.counter, self.best, self.early_stop = patience, delta, 0, None, False

    def __call__(self, val_loss, model):
        if self.best is None or val_loss < self.best - self.delta:
            self.best, self.counter, self.state = val_loss, 0, copy.deepcopy(model.state_dict())
        else:
            self.counter += 1
            self.early_stop = self.counter >= self.patience


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
set_seed(42)
losses, history = [], defaultdict(list)
array, tensor = np.linspace(0, 1, 6).reshape(2, 3), torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
print(
    type(tensor * array).__name__,
    (tensor + array)[0],
    np.exp(tensor).dtype,
    np.median(tensor),
    np.std(tensor.numpy()),
    np.argmax(tensor, axis=1),
)
print(
    np.asarray(tensor) is not tensor,
    np.array(tensor, dtype=np.float32).dtype,
    np.stack([tensor, tensor]).shape,
    np.concatenate([tensor, array]).shape,
)
print(
    tensor @ torch.from_numpy(array).T, np.dot(array, tensor.T), np.sqrt(tensor)[1, 1], np.isnan(tensor).any(), np.where(tensor > 2, 1, 0)
)
print(
    np.float64(2.0) * torch.ones(2, dtype=torch.float64),
    torch.ones(2) * np.int64(3),
    torch.tensor(np.float32(0.5)),
    torch.tensor([np.int64(1), 2]),
)
print(
    isinstance(tensor.sum().item(), float),
    math.sqrt(torch.tensor(4.0)),
    int(torch.tensor(3.7)),
    round(float(torch.tensor(2.345)), 2),
    abs(torch.tensor(-1)),
)
print(
    f"{torch.tensor(3.14159):.2f} {torch.tensor(7):03d} {torch.tensor(0.25):.0%} {torch.tensor(12345.678):,.1f} {torch.tensor([1.5]).item():>8}|"
)
print(
    "%.3f %d %s" % (torch.tensor(1.23456), torch.tensor(5), torch.tensor(1.5)),
    "{:.3e}".format(torch.tensor(12345.0)),
    str(torch.tensor([True, False])),
)
print(
    sorted([torch.tensor(3), torch.tensor(1)]),
    max(torch.tensor([1, 5, 2])),
    sum(torch.tensor([1, 2, 3])),
    [*torch.arange(3)],
    list(range(torch.tensor(3))),
)
print(
    torch.tensor(2) in [1, 2, 3],
    2 in torch.tensor([1, 2]),
    {torch.float32: "single"}[torch.float32],
    len(torch.zeros(4, 2)),
    bool(torch.tensor([0])),
)
print(
    array[torch.tensor([1, 0])].shape,
    [10, 20, 30][torch.tensor(1)],
    tensor[np.array([1, 0])].shape,
    tensor[array > 0.5],
    tensor[[0, 1], [1, 2]],
)
print(
    torch.tensor(array).dtype,
    torch.Tensor(array).dtype,
    torch.as_tensor([[1, 2], [3, 4]]).tolist(),
    torch.from_numpy(np.arange(3, dtype=np.int16)),
)
shared = torch.from_numpy(array)
array[0, 0] = 7
shared[1] = 0
print(shared[0, 0].item(), array[1], shared.numpy() is not array, np.shares_memory(shared.numpy(), array))
state = {"a": tensor, "b": [torch.nn.Parameter(torch.ones(2)), {"c": 1}]}
twin = copy.deepcopy(state)
twin["b"][0].data.mul_(2)
print(state["b"][0], twin["b"][0].requires_grad, copy.copy(tensor).data_ptr() == tensor.data_ptr())

xy = np.random.randn(80, 2)
target = (xy[:, 0] * 2 - xy[:, 1] + 0.3 * np.random.randn(80)).astype("float32")
x = torch.tensor(xy, dtype=torch.get_default_dtype())
y = torch.tensor(target).to(x).view(-1, 1)
model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer, stopper = torch.optim.Adagrad(model.parameters(), lr=0.1), EarlyStopping()
for epoch in range(60):
    prediction = model(x[:60])
    loss = ((prediction - y[:60]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        val = np.mean((model(x[60:]).numpy() - y[60:].numpy()) ** 2)
    stopper(float(val), model)
    history["train"].append(loss.detach())
    history["val"].append(val)
    losses.append(loss.item())
    if stopper.early_stop:
        break
print("stopped", stopper.early_stop, epoch, f"best {stopper.best:.4f}", model.load_state_dict(stopper.state))
fig, ax = plt.subplots(1, 3)
ax[0].plot(history["train"], label="train")
ax[0].plot(range(len(history["val"])), history["val"])
ax[1].scatter(x[:, 0], x[:, 1], c=y.squeeze(), s=torch.full((80,), 4.0))
ax[2].imshow(torch.rand(3, 4, 4).permute(1, 2, 0))
ax[0].axhline(torch.tensor(0.5), lw=1)
ax[0].fill_between(torch.arange(3), torch.zeros(3), torch.ones(3))
ax[2].bar(["a", "b"], torch.tensor([1.0, 2.0]))
fig.savefig(io.BytesIO())
plt.close(fig)
print(np.allclose(ax[0].lines[0].get_ydata(), losses, atol=1e-6), len(ax[1].collections))
print(
    torch.tensor([[1.0, float("nan")], [float("inf"), -2.5e-5]]),
    torch.arange(12).reshape(3, 4)[:, ::2],
    torch.zeros(0, 3),
    torch.tensor(1 + 2j),
)
print("losses", losses)
