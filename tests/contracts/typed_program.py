"""A program as users write them: every line says which type a checker must find."""

from typing import Any, assert_type

import dovetail as dv
import dovetail.nn.functional as F
from dovetail import Tensor, nn, optim

x = dv.randn(4, 3)
assert_type(x, Tensor)
assert_type(dv.tensor([1.0, 2.0]), Tensor)
assert_type(dv.zeros(2, 3, dtype=dv.float32, device="cpu"), Tensor)
assert_type(x.sum(dim=1, keepdim=True), Tensor)
assert_type(x.max(), Tensor)
assert_type(x.max(dim=0).values, Tensor)
assert_type(dv.max(x, 1).indices, Tensor)
assert_type(x.shape, dv.Size)
assert_type(x.shape[0], int)
assert_type(x.shape[1:], dv.Size)
assert_type(x.size(), dv.Size)
assert_type(x.size(0), int)
assert_type(x.item(), int | float | bool)
assert_type(x.dtype, dv.dtype)
assert_type(x.device, dv.device)
assert_type(dv.bfloat16, dv.dtype)
assert_type(x.grad, Tensor | None)
assert_type(x.requires_grad, bool)
assert_type(x + 1, Tensor)
assert_type(2 * x, Tensor)
assert_type(1.0 / x - x**2, Tensor)
assert_type(-x, Tensor)
assert_type(x @ x.T, Tensor)
assert_type(x == 0, Tensor)
assert_type((x > 0) & (x < 1), Tensor)
assert_type(x[0, :2], Tensor)
assert_type(x[x > 0], Tensor)
assert_type(x.add_(1).mul_(2).clamp_(0, 1), Tensor)
assert_type(dv.add(x, 1, alpha=2, out=x), Tensor)
assert_type(len(x), int)
assert_type(float(x.sum()), float)
assert_type(x.sort(1).indices, Tensor)
assert_type(x.topk(2).values, Tensor)
assert_type(dv.where(x > 0, x, 0.0), Tensor)
assert_type(dv.where(x > 0), tuple[Tensor, ...])
assert_type(dv.cat([x, x], dim=0), Tensor)
assert_type(x.chunk(2), tuple[Tensor, ...])
assert_type(dv.unique(x), Tensor)
assert_type(dv.unique(x, return_inverse=True), tuple[Tensor, Tensor])
assert_type(x.nonzero(as_tuple=True), tuple[Tensor, ...])
assert_type(x.to("cpu").float().detach().clone(), Tensor)
assert_type(x.view(-1).reshape(2, 6).permute(1, 0), Tensor)
assert_type(dv.linalg.svd(x).S, Tensor)
assert_type(dv.linalg.norm(x), Tensor)
assert_type(dv.fft.fft(x), Tensor)
assert_type(dv.einsum("ij,kj->ik", x, x), Tensor)
assert_type(dv.is_tensor(x), bool)
assert_type(F.relu(x), Tensor)
assert_type(F.cross_entropy(x, dv.zeros(4, dtype=dv.long)), Tensor)
assert_type(F.max_pool2d(x, 2), Tensor)
assert_type(F.max_pool2d(x, 2, return_indices=True), tuple[Tensor, Tensor])
assert_type(nn.init.xavier_uniform_(x), Tensor)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.first(x)) + self.first.weight.sum()


net = Net()
assert_type(net(x), Any)  # as of PyTorch's modules
assert_type(net.first, nn.Linear)
assert_type(net.first.weight, nn.Parameter)
optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=3)
for _ in range(2):
    optimizer.zero_grad()
    loss = F.mse_loss(net(x), x)
    loss.backward()
    optimizer.step()
    scheduler.step()
with dv.no_grad():
    x[0] = 1.0
    x += 1
for row in x:
    assert_type(row, Tensor)
net.load_state_dict(net.state_dict())


@dv.no_grad()
def evaluate(model: nn.Module, batch: Tensor) -> float:
    return model(batch).sum().item()


assert_type(evaluate(net, x), float)
assert_type(nn.Parameter(x), nn.Parameter)
