"""Training for quantization in the manner of research repositories, which take names from PyTorch's inside and set its compiler's switches."""

import argparse

import torch
import torch._dynamo
import torch._inductor.config as inductor_config
from torch import _assert, nn
from torch._utils import ExceptionWrapper, _flatten_dense_tensors, _take_tensors, _unflatten_dense_tensors
from torch.autograd.function import InplaceFunction
from torch.autograd.grad_mode import no_grad
from torch.cuda.amp.grad_scaler import OptState
from torch.functional import F
from torch.nn import _reduction as reductions
from torch.nn.modules.module import _addindent
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--double", action="store_true")
torch.set_default_dtype(torch.float64 if parser.parse_args().double else torch.float32)
torch.manual_seed(3)

torch._dynamo.config.suppress_errors = True
torch._dynamo.config.cache_size_limit = 64
inductor_config.coordinate_descent_tuning = True
inductor_config.triton.unique_kernel_names = True
torch._C._jit_set_profiling_executor(False)
torch._C._jit_set_profiling_mode(False)
torch._C._jit_override_can_fuse_on_cpu(True)
with torch._dynamo.config.patch(suppress_errors=False):
    print("settings", torch._dynamo.config.suppress_errors, torch._dynamo.config.cache_size_limit)
print("settings", torch._dynamo.config.suppress_errors, torch._C._jit_set_profiling_mode(True), torch._C._get_tracing_state())


class Uniform(InplaceFunction):
    """Activations on a grid between their extremes; the gradient goes through."""

    @staticmethod
    def forward(ctx, x, bits):
        low, high = x.min(), x.max()
        step = (high - low).clamp(min=1e-6) / (2**bits - 1)
        return torch.round((x - low) / step) * step + low

    @staticmethod
    def backward(ctx, g):
        return g, None


class QLinear(nn.Linear):
    """A linear layer whose weight is on a grid of its own for each row."""

    def forward(self, x):
        scale = (self.weight.detach().abs().amax(1) / 7).float()
        zero = torch.zeros(len(scale), dtype=torch.int32)
        weight = torch.fake_quantize_per_channel_affine(self.weight, scale, zero, 0, -8, 7)
        _assert(x.dim() == 2, "rows are expected")
        return F.linear(Uniform.apply(x, 6), weight, self.bias)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Sequential(QLinear(width, width), nn.ReLU6())

    def forward(self, x):
        return x + self.inner(x)

    def __repr__(self):
        return "Block(\n  " + _addindent(repr(self.inner), 2) + "\n)"


def weighted(loss, weight=None, reduction="mean"):
    loss = loss if weight is None else loss * weight
    number = F._Reduction.get_enum(reduction)
    return loss if number == 0 else loss.mean() if number == 1 else loss.sum()


@torch._dynamo.disable
def evaluate(net, x, y):
    with no_grad():
        return (net(x).argmax(1) == y).sum().item()


net = nn.Sequential(nn.Linear(8, 12), Block(12), QLinear(12, 4))
print(net)
x = torch.randn(64, 8)
y = (x[:, :4] * x[:, 4:]).argmax(1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
losses = []
for _ in range(8):
    for inputs, labels in loader:
        each = F.cross_entropy(net(inputs), labels, reduction="none")
        loss = weighted(each, torch.where(labels == 0, 2.0, 1.0).to(each.dtype))
        optimizer.zero_grad()
        loss.backward()
        grads = [p.grad for p in net.parameters()]
        for group in _take_tensors(grads, 256):  # as workers would send them, a few at a time
            for grad, sent in zip(group, _unflatten_dense_tensors(_flatten_dense_tensors(group) * 0.5, group)):
                grad.copy_(sent)
        optimizer.step()
        losses.append(loss.item())

print("right", evaluate(net, x, y) > 16, OptState.READY.value, reductions.legacy_get_string(None, False, emit_warning=False))
print("sizes", torch._C._infer_size(torch.Size([3, 1]), torch.Size([1, 2])), torch._shape_as_tensor(x))
q = torch.tensor([0.26, 9.0, -3.0, 0.04], requires_grad=True)
out = torch.fake_quantize_per_tensor_affine(q, 0.1, 0, -8, 7)
out.sum().backward()
print("grid", out.detach(), q.grad)
print("branch", torch.cond(q.sum() > 0, torch.sin, torch.cos, (q.detach(),)))
for attempt in (lambda: _assert(q.sum() < 0, "a sum above zero"), lambda: reductions.get_enum("median")):
    try:
        attempt()
    except (AssertionError, ValueError) as error:
        print(type(error).__mro__[-3].__name__, "median" in str(error) or "above zero" in str(error))
try:
    try:
        raise KeyError("x")
    except KeyError:
        kept = ExceptionWrapper(where="in replica 0")
    kept.reraise()
except KeyError as error:
    print("Caught KeyError in replica 0" in str(error))
print("losses", losses)
