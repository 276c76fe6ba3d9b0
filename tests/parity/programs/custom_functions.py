"""Custom autograd functions of many kinds: quantization through a straight line, gradient reversal, in-place, several outputs, second derivatives."""

import sys

import numpy as np
import torch
from torch import nn
from torch.autograd import Function, gradcheck
from torch.autograd.function import once_differentiable

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(4)


class RoundSTE(Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x, scale)
        return torch.round(x / scale) * scale

    @staticmethod
    def backward(ctx, grad_output):
        x, scale = ctx.saved_tensors
        grad_x = grad_scale = None
        if ctx.needs_input_grad[0]:
            grad_x = grad_output * (x.abs() <= 4 * scale)
        if ctx.needs_input_grad[1]:
            grad_scale = (grad_output * (torch.round(x / scale) - x / scale)).sum().reshape(scale.shape)
        return grad_x, grad_scale


class GradientReversal(Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.neg() * ctx.alpha, None


class Swish(Function):
    @staticmethod
    def forward(ctx, i):
        ctx.save_for_backward(i)
        return i * torch.sigmoid(i)

    @staticmethod
    def backward(ctx, grad_output):
        (i,) = ctx.saved_tensors
        sigmoid_i = torch.sigmoid(i)
        return grad_output * (sigmoid_i * (1 + i * (1 - sigmoid_i)))


class Clip_(Function):
    @staticmethod
    def forward(ctx, x, low, high):
        mask = (x >= low) & (x <= high)
        ctx.save_for_backward(mask)
        ctx.mark_dirty(x)
        x.clamp_(low, high)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (mask,) = ctx.saved_tensors
        return g * mask, None, None


class MeanVar(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        mean, var = x.mean(0), x.var(0, unbiased=False)
        order = var.argsort()
        ctx.save_for_backward(x, mean)
        ctx.mark_non_differentiable(order)
        return mean, var, order

    @staticmethod
    def backward(ctx, gm, gv, go):
        x, mean = ctx.saved_tensors
        g = torch.zeros_like(x)
        if gm is not None:
            g = g + gm.expand_as(x) / len(x)
        if gv is not None:
            g = g + gv * 2 * (x - mean) / len(x)
        return g


class NumpyExp(Function):
    @staticmethod
    def forward(ctx, x):
        result = torch.from_numpy(np.exp(x.detach().cpu().numpy()))
        ctx.result = result
        return result

    @staticmethod
    def backward(ctx, g):
        return g * ctx.result


class LinearFunction(Function):
    @staticmethod
    def forward(input, weight, bias):
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def setup_context(ctx, inputs, output):
        input, weight, bias = inputs
        ctx.save_for_backward(input, weight, bias)

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(16, 6).uniform_(-0.3, 0.3))
        self.bias = nn.Parameter(torch.zeros(16))
        self.scale = nn.Parameter(torch.tensor([0.1]))
        self.classify, self.domain = nn.Linear(16, 3), nn.Linear(16, 2)

    def forward(self, x, alpha):
        h = Swish.apply(LinearFunction.apply(x, self.weight, self.bias))
        h = RoundSTE.apply(h, 0.1 + self.scale.abs())
        h = Clip_.apply(h * 1.0, -1.5, 1.5)
        mean, var, order = MeanVar.apply(h)
        h = (h - mean) / (var + 1e-2).sqrt()
        return self.classify(h), self.domain(GradientReversal.apply(h, alpha)), mean


x = torch.randn(24, 6)
y, d = (x[:, 0] + x[:, 1] > 0).long() + (x[:, 2] > 1).long(), torch.arange(24) % 2
x = x + d.unsqueeze(1).to(x.dtype)
net = Net()
opt = torch.optim.RMSprop(net.parameters(), lr=1e-3, momentum=0.5, centered=True)
losses = []
for step in range(30):
    p = step / 30
    alpha = 2.0 / (1.0 + np.exp(-10 * p)) - 1
    x_in = x.clone().requires_grad_(True)
    logits, domain, mean = net(x_in, alpha)
    loss = nn.functional.cross_entropy(logits, y) + nn.functional.nll_loss(domain.log_softmax(1), d)
    loss = loss + 0.01 * NumpyExp.apply(mean).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
w = torch.randn(5, dtype=torch.double, requires_grad=True)
print(gradcheck(Swish.apply, (w,), eps=1e-6, atol=1e-4), torch.autograd.gradgradcheck(Swish.apply, (w,)))
(g,) = torch.autograd.grad(Swish.apply(w).sum(), w, create_graph=True)
(gg,) = torch.autograd.grad(g.sum(), w)
s = torch.sigmoid(w)
print(torch.allclose(gg, s * (1 - s) * (2 + w * (1 - 2 * s))), type(Swish.apply(w).grad_fn).__name__, x_in.grad.norm() > 0)
try:
    v = torch.randn(3, requires_grad=True)
    (gv,) = torch.autograd.grad(Clip_.apply(v * 2, -1, 1).sum(), v, create_graph=True)
    gv.sum().backward()
except RuntimeError as e:
    print("once:", type(e).__mro__[-4].__name__, "does not require grad" in str(e))
print("losses", losses)
