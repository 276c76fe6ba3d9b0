"""torch.func: per-sample gradients, ensembles with stack_module_state, jacobians, hessians, MAML by functional_call, NTK."""

import copy
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad, grad_and_value, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(0)


class SimpleMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(16, 12), nn.Linear(12, 12), nn.Linear(12, 4)

    def forward(self, x):
        x = x.flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


data, targets = torch.randn(3, 8, 4, 4), torch.randint(4, (3, 8))
models = [SimpleMLP() for _ in range(3)]
minibatches = data[:3]
params, buffers = stack_module_state(models)
base_model = copy.deepcopy(models[0]).to("meta")
print(base_model, next(base_model.parameters()).device, [(k, v.shape) for k, v in params.items()])


def fmodel(params, buffers, x):
    return functional_call(base_model, (params, buffers), (x,))


p1 = vmap(fmodel)(params, buffers, minibatches)
p2 = vmap(fmodel, in_dims=(0, 0, None))(params, buffers, data[0])
print(p1.shape, p2.shape, torch.allclose(p1, torch.stack([m(d) for m, d in zip(models, minibatches)]), atol=1e-3, rtol=1e-5))


def loss_all(params, x, y):
    return vmap(lambda p, b, x, y: F.cross_entropy(functional_call(base_model, (p, b), (x,)), y), in_dims=(0, 0, 0, 0))(
        params, buffers, x, y
    )


opt = torch.optim.SGD(list(params.values()), lr=0.1, momentum=0.9, nesterov=True)
losses = []
for step in range(20):
    opt.zero_grad()
    l = loss_all(params, data, targets)
    l.sum().backward()
    opt.step()
    losses.extend(l.tolist())
print(l.detach())
model = models[0]
p = {k: v.detach() for k, v in model.named_parameters()}
b = {k: v.detach() for k, v in model.named_buffers()}


def compute_loss(p, b, sample, target):
    return F.cross_entropy(functional_call(model, (p, b), (sample.unsqueeze(0),)), target.unsqueeze(0))


per = vmap(grad(compute_loss), in_dims=(None, None, 0, 0))(p, b, data[0], targets[0])
print({k: v.shape for k, v in per.items()}, per["fc3.bias"][:2])
g, v = grad_and_value(compute_loss)(p, b, data[0, 0], targets[0, 0])
print(v, g["fc3.bias"])
norms = torch.stack([q.flatten(1).norm(dim=1) for q in per.values()], 1).norm(dim=1)
clip = (1.0 / norms).clamp(max=1.0)
print("dp", norms, {k: torch.einsum("n,n...->...", clip, q).norm().item() > 0 for k, q in per.items()})


def fnet_single(p, x):
    return functional_call(model, p, (x.unsqueeze(0),)).squeeze(0)


def ntk(p, x1, x2):
    j1, j2 = (vmap(jacrev(fnet_single), (None, 0))(p, x) for x in (x1, x2))
    j1, j2 = ([j.flatten(2) for j in q.values()] for q in (j1, j2))
    return torch.stack([torch.einsum("Naf,Mbf->NMab", a, b) for a, b in zip(j1, j2)]).sum(0)


k = ntk(p, data[0, :3], data[1, :2])
print(k.shape, k[0, 0])
f = lambda x: torch.stack([x[0] ** 2 * x[1], x.sin().sum(), (x[0] * x[1]).exp()])
x = torch.tensor([0.5, 1.5])
print(jacrev(f)(x), jacfwd(f)(x), hessian(lambda x: f(x).sum())(x))
out, pull = vjp(f, x)
print(out, pull(torch.ones(3)), jvp(f, (x,), (torch.tensor([1.0, 0.0]),)))
print(
    vmap(torch.dot)(torch.ones(3, 2), torch.arange(6.0).view(3, 2)),
    vmap(lambda a: (a.sum(), {"m": a.mean(0)}))(torch.arange(6.0).view(2, 3)),
    vmap(lambda x: x * 2, in_dims=1, out_dims=1)(torch.ones(2, 3)).shape,
)
print(
    vmap(lambda a: a + torch.randn(2), randomness="different")(torch.zeros(2, 2)).shape,
    vmap(vmap(lambda a, b: a * b), in_dims=(None, 0))(torch.ones(3), torch.ones(2, 3)),
)
inner = lambda p, x, y: {
    k: q - 0.1 * gq for (k, q), gq in zip(p.items(), grad(lambda p: F.mse_loss(functional_call(model, p, (x,)), y))(p).values())
}
meta = torch.optim.Adam(model.parameters(), lr=1e-2)
for it in range(10):
    xs, ys = torch.randn(2, 5, 16), torch.randn(2, 5, 4)
    meta.zero_grad()
    q = dict(model.named_parameters())
    total = sum(F.mse_loss(functional_call(model, inner(q, xs[t], ys[t]), (xs[t],)), ys[t]) for t in range(2))
    total.backward()
    meta.step()
    losses.append(total.item())
refused = (
    lambda: vmap(lambda a: a, in_dims=0)(3),
    lambda: vmap(torch.add)(torch.ones(2), torch.ones(3)),
    lambda: vmap(lambda a: a, in_dims=(0, 0))(torch.ones(2)),
    lambda: grad(lambda a: a * 2)(torch.ones(2)),
    lambda: vmap(lambda a: a.item())(torch.ones(2)),
    lambda: vmap(lambda a: a + torch.rand(1))(torch.ones(2)),
    lambda: stack_module_state([]),
    lambda: jacrev(f, argnums=3)(x),
    lambda: vmap(lambda a: a, in_dims=2)(torch.ones(2)),
    lambda: vmap(lambda a: a, out_dims=2)(torch.ones(2)),
    lambda: jvp(f, x, x),
)
for bad in refused:
    try:
        bad()
        print("no error")
    except Exception as e:
        print(next(c.__name__ for c in type(e).__mro__ if c.__module__ == "builtins"))
print("losses", losses)
