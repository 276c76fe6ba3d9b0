"""A graph convolutional network on two communities: normalized adjacency, index_add over edges, dropout, early layers without bias."""

import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.parameter import Parameter

dtype = torch.float64 if "--double" in sys.argv else torch.float32
torch.manual_seed(42)
n = 24
labels = (torch.arange(n) >= n // 2).long()
probability = torch.where(labels.unsqueeze(0) == labels.unsqueeze(1), torch.tensor(0.4), torch.tensor(0.05))
adjacency = (torch.rand(n, n) < probability).triu(1)
adjacency = (adjacency | adjacency.t()).to(dtype) + torch.eye(n, dtype=dtype)
rows, cols = adjacency.nonzero(as_tuple=True)
degree = torch.bincount(rows, minlength=n).to(adjacency.dtype)
norm = degree.rsqrt()[rows] * degree.rsqrt()[cols]
features = torch.randn(n, 6) + labels.unsqueeze(1) * 0.5
features = features.to(dtype)


class GraphConvolution(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(torch.empty(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.empty(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input):
        support = torch.mm(input, self.weight)
        output = torch.zeros(input.size(0), self.out_features, dtype=input.dtype).index_add_(0, rows, norm.unsqueeze(1) * support[cols])
        return output + self.bias if self.bias is not None else output

    def __repr__(self):
        return self.__class__.__name__ + " (" + str(self.in_features) + " -> " + str(self.out_features) + ")"


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.gc1 = GraphConvolution(6, 8, bias=False)
        self.gc2 = GraphConvolution(8, 2)

    def forward(self, x):
        x = F.relu(self.gc1(x))
        x = F.dropout(x, 0.5, training=self.training)
        return F.log_softmax(self.gc2(x), dim=1)


model = GCN().to(dtype)
print(model)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05, weight_decay=5e-4)
idx_train = torch.randperm(n)[:10]
losses = []
for epoch in range(50):
    model.train()
    optimizer.zero_grad()
    output = model(features)
    loss_train = F.nll_loss(output[idx_train], labels[idx_train])
    loss_train.backward()
    optimizer.step()
    losses.append(loss_train.item())
model.eval()
output = model(features)
preds = output.max(1)[1].type_as(labels)
correct = preds.eq(labels).double().sum()
print("accuracy: {:.4f}".format((correct / len(labels)).item()))
print("losses", losses)
