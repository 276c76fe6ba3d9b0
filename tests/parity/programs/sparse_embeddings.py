"""A small recommender: embeddings with sparse gradients, SparseAdam beside Adam, and a light graph convolution over the interactions."""

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(3)
users, items, width = 30, 20, 6
taste = torch.randn(users, 2) @ torch.randn(2, items)
seen = (taste + 0.3 * torch.randn(users, items)) > 0.8
pairs = seen.nonzero()
graph = torch.sparse_coo_tensor(pairs.t(), torch.ones(len(pairs)), (users, items)).coalesce()
degree = torch.sparse.sum(graph, dim=1).to_dense().clamp(min=1)
graph = graph * (1 / degree).unsqueeze(1)
print(graph._nnz(), graph.shape, graph.is_coalesced())


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Embedding(users, width, sparse=True)
        self.item = nn.Embedding(items, width, sparse=True)
        self.history = nn.EmbeddingBag(items + 1, width, mode="mean", sparse=True, padding_idx=items)
        self.mix = nn.Linear(width, width)
        for table in (self.user, self.item):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, u, i, bags):
        neighbours = torch.sparse.mm(graph, self.item.weight.detach())[u]
        profile = self.user(u) + self.history(bags) + self.mix(neighbours)
        return (profile * self.item(i)).sum(1)


model = Recommender()
print(model)
tables = [*model.user.parameters(), *model.item.parameters(), *model.history.parameters()]
sparse = torch.optim.SparseAdam(tables, lr=0.05)
dense = torch.optim.Adam(model.mix.parameters(), lr=0.01)
losses = []
for step in range(40):
    u = torch.randint(0, users, (16,))
    i = torch.randint(0, items, (16,))
    bags = torch.randint(0, items + 1, (16, 4))
    target = seen[u, i].to(torch.get_default_dtype())
    loss = F.binary_cross_entropy_with_logits(model(u, i, bags), target)
    sparse.zero_grad()
    dense.zero_grad()
    loss.backward()
    if step == 0:
        print(model.user.weight.grad.is_sparse, model.user.weight.grad.coalesce()._nnz() == len(u.unique()))
    sparse.step()
    dense.step()
    losses.append(loss.item())

plain = nn.Embedding(items, width, sparse=True)
sgd = torch.optim.SGD(plain.parameters(), lr=0.1)
for step in range(5):
    sgd.zero_grad()
    loss = plain(torch.randint(0, items, (8,))).pow(2).sum()
    loss.backward()
    sgd.step()
    losses.append(loss.item())
print("losses", losses)
