"""Tensors of one's own classes: metadata that follows the results, a log of the functions, overrides of single functions, training with them."""

import functools
import sys

import torch
import torch.nn.functional as F
from torch import nn

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(6)


class MetadataTensor(torch.Tensor):
    def __new__(cls, data, metadata=None, **kwargs):
        out = torch.as_tensor(data, **kwargs).as_subclass(cls)
        out._metadata = metadata
        return out

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        out = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(out, MetadataTensor):
            found = [a._metadata for a in args if isinstance(a, MetadataTensor) and getattr(a, "_metadata", None) is not None]
            out._metadata = found[0] if found else None
        return out


class LoggingTensor(torch.Tensor):
    seen = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        LoggingTensor.seen.append(func.__name__)
        return super().__torch_function__(func, types, args, {} if kwargs is None else kwargs)


HANDLED = {}


def implements(*functions):
    def decorator(own):
        for function in functions:
            HANDLED[function] = functools.wraps(function)(own)
        return own

    return decorator


class NonNegative(torch.Tensor):
    """Differences are cut off at zero; everything else is as usual."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in HANDLED and all(issubclass(t, (torch.Tensor, NonNegative)) for t in types):
            return HANDLED[func](*args, **kwargs)
        return super().__torch_function__(func, types, args, kwargs)


@implements(torch.sub, torch.Tensor.sub)
def clipped_difference(a, b):
    with torch._C.DisableTorchFunctionSubclass():
        return (a - b).clamp(min=0).as_subclass(NonNegative)


class Silent(torch.Tensor):
    __torch_function__ = torch._C._disabled_torch_function_impl


m = MetadataTensor([[1.0, 2.0], [3.0, 4.0]], metadata={"owner": "Ministry of Silly Walks"})
print(m)
for made in (m + 1, 2 * m, m @ m, m.sum(), torch.exp(m), m[0], F.softmax(m, dim=0), m.reshape(4), m.mean(0, keepdim=True), m > 2):
    print(type(made).__name__, made._metadata, made)
print(
    torch.cat([m, m]).shape,
    type(torch.cat([torch.ones(1, 2), m])).__name__,
    [type(t).__name__ for t in m.unbind()],
    type(m.max(0)).__name__,
)
print(type(m.as_subclass(torch.Tensor)).__name__, isinstance(m, torch.Tensor), m.tolist(), m.numpy().sum(), m.shape, len(m))
m[0, 0] = 10
m += 1
print(m, type(m).__name__, m._metadata)

x = torch.arange(4.0).as_subclass(LoggingTensor)
y = (x + 1) * x
y = torch.cat([y, torch.ones(1)]).exp().sum()
print(list(LoggingTensor.seen), y)
n = torch.tensor([3.0, 1.0]).as_subclass(NonNegative)
print(n - torch.tensor([1.0, 5.0]), torch.sub(n, n + 1), n * -1, type(n + 1).__name__)
print(type(torch.ones(2).as_subclass(Silent) + 1).__name__, torch.ones(2).as_subclass(Silent))
with torch._C.DisableTorchFunctionSubclass():
    print(type(m + 1).__name__)

net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
losses = []
for step in range(24):
    batch = MetadataTensor(torch.randn(16, 3), metadata=step)
    out = net(batch)
    loss = F.mse_loss(out, (batch**2).sum(1, keepdim=True))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 8 == 0:
        print(type(out).__name__, out._metadata, type(loss).__name__, f"{loss.item():.4f}", type(net[0].weight.grad).__name__)
weights = torch.randn(3).as_subclass(LoggingTensor).requires_grad_()
(weights**2).sum().backward()
print(weights, weights.grad, weights.detach())


class Mixed(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return NotImplemented


try:
    torch.exp(torch.ones(2).as_subclass(Mixed))
except TypeError:
    print("TypeError")
try:
    torch.ones(2).as_subclass(int)
except TypeError:
    print("TypeError")
print("losses", losses)
