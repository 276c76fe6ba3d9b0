"""A program of the first years: Variable, FloatTensor, .data, volatile-free evaluation, functional leftovers, view with size, cuda flags, xrange-like loops."""

from __future__ import print_function

import argparse
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.init as init
import torch.optim as optim
import torch.utils.data
from torch.autograd import Function, Variable
from torch.nn.modules.module import Module
from torch.nn.modules.utils import _pair
from torch.nn.parameter import Parameter

parser = argparse.ArgumentParser(description="legacy")
parser.add_argument("--cuda", action="store_true", default=False)
parser.add_argument("--double", action="store_true", default=False)
opt = parser.parse_args()
opt.cuda = opt.cuda and torch.cuda.is_available()
if opt.double:
    torch.set_default_tensor_type("torch.DoubleTensor")
torch.manual_seed(7)
if opt.cuda:
    torch.cuda.manual_seed(7)
FloatTensor = torch.cuda.FloatTensor if opt.cuda else torch.DoubleTensor if opt.double else torch.FloatTensor
LongTensor = torch.LongTensor


class BinActive(Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return input.sign()

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input.ge(1)] = 0
        grad_input[input.le(-1)] = 0
        return grad_input


class ScaledConv(Module):
    def __init__(self, in_channels, out_channels, kernel_size):
        super(ScaledConv, self).__init__()
        self.kernel_size = _pair(kernel_size)
        self.weight = Parameter(torch.Tensor(out_channels, in_channels, *self.kernel_size))
        self.register_buffer("scale", torch.ones(1))
        self.register_parameter("bias", None)
        n = in_channels * self.kernel_size[0] * self.kernel_size[1]
        self.weight.data.normal_(0, (2.0 / n) ** 0.5)

    def forward(self, input):
        return F.conv2d(input, self.weight * Variable(self.scale), self.bias, padding=1)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv", ScaledConv(1, 4, 3))
        self.features.add_module("norm", nn.BatchNorm2d(4))
        self.features.add_module("pool", nn.MaxPool2d(2, 2))
        self.fc = nn.Linear(4 * 4 * 4, 6)
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        x = F.relu(self.features(x))
        x = x.view(x.size(0), -1)
        x = F.dropout(torch.tanh(self.fc(x)), training=self.training, p=0.2)
        return F.log_softmax(self.out(BinActive.apply(x) * 0.5 + x * 0.5), dim=1)


def weights_init(m):
    if isinstance(m, nn.Linear):
        init.kaiming_normal_(m.weight.data, a=0, mode="fan_in")
        init.constant_(m.bias.data, 0.0)


def adjust_learning_rate(optimizer, epoch):
    lr = 0.1 * (0.5 ** (epoch // 4))
    for param_group in optimizer.param_groups:
        param_group["lr"] = lr


data = torch.rand(36, 1, 8, 8).type(FloatTensor)
target = (data.view(36, -1).mean(1) * 100 % 3).long()
data += target.view(-1, 1, 1, 1).type_as(data)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data, target), batch_size=6, shuffle=True)
model = Net()
model.apply(weights_init)
print(model)
if opt.cuda:
    model.cuda()
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
losses = []
for epoch in range(1, 10):
    adjust_learning_rate(optimizer, epoch)
    model.train()
    correct = 0
    for batch_idx, (x, y) in enumerate(loader):
        x, y = Variable(x), Variable(y, requires_grad=False)
        optimizer.zero_grad()
        output = model(x)
        loss = F.nll_loss(output, y, reduction="sum") / len(x)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2)
        optimizer.step()
        pred = output.data.max(1, keepdim=True)[1]
        correct += pred.eq(y.data.view_as(pred)).cpu().sum()
        losses.append(loss.data.item())
    print("Epoch {}: {}/{}, lr {:.3f}".format(epoch, correct, len(loader.dataset), optimizer.param_groups[0]["lr"]))
model.eval()
with torch.no_grad():
    output = model(Variable(data[:4]))
v = Variable(torch.ones(2, 2), requires_grad=True)
u = v.clone().fill_(3).mul_(v)
u.backward(torch.ones(2, 2))
print(v.grad.data, output.data.size(), isinstance(v, Variable), torch.is_tensor(v.data), v.data.new(2, 3).size(), v.data.new().numel())
print(
    torch.FloatTensor([1, 2]).type(), LongTensor(3).zero_().type(), torch.ByteTensor([1, 0]).bool().type(), data.type() == data.data.type()
)
folder = tempfile.mkdtemp()
torch.save(model.state_dict(), os.path.join(folder, "model_epoch_%d.pth" % epoch))
model.load_state_dict(torch.load(os.path.join(folder, "model_epoch_%d.pth" % epoch), map_location=lambda storage, loc: storage))
print(
    sum([p.data.nelement() for p in model.parameters()]),
    [p.data.size() for p in model.parameters()][:2],
    model.features.norm.weight.data.new_zeros(1),
)
print("losses", losses)
