"""Ratings by factors and biases: sparse gradients of embeddings, SGD and SparseAdam, weighted sampling, a split by mask, pandas-like habits."""

import sys

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, WeightedRandomSampler


class Ratings(Dataset):
    def __init__(self, users=20, items=15, n=300):
        rng = np.random.RandomState(0)
        self.users, self.items = rng.randint(0, users, n), rng.randint(0, items, n)
        p, q = rng.randn(users, 3), rng.randn(items, 3)
        self.ratings = np.clip(np.round(3 + (p[self.users] * q[self.items]).sum(1)), 1, 5).astype(np.float32)

    def __len__(self):
        return len(self.ratings)

    def __getitem__(self, i):
        return self.users[i], self.items[i], self.ratings[i]


class MF(nn.Module):
    def __init__(self, num_users, num_items, emb_size=4, sparse=False):
        super(MF, self).__init__()
        self.user_emb = nn.Embedding(num_users, emb_size, sparse=sparse)
        self.item_emb = nn.Embedding(num_items, emb_size, sparse=sparse)
        self.user_bias = nn.Embedding(num_users, 1, sparse=sparse)
        self.item_bias = nn.Embedding(num_items, 1, max_norm=None, sparse=sparse)
        self.register_buffer("mean", torch.tensor(3.0))
        self.user_emb.weight.data.uniform_(0, 0.5)
        self.item_emb.weight.data.uniform_(0, 0.5)
        self.user_bias.weight.data.zero_()
        self.item_bias.weight.data.uniform_(-0.01, 0.01)

    def forward(self, u, v):
        U, V = self.user_emb(u), self.item_emb(v)
        b_u, b_v = self.user_bias(u).squeeze(), self.item_bias(v).squeeze()
        return (U * V).sum(1) + b_u + b_v + self.mean


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
np.random.seed(3)
torch.manual_seed(3)
dataset = Ratings()
msk = np.random.rand(len(dataset)) < 0.8
train, valid = Subset(dataset, np.where(msk)[0]), Subset(dataset, np.where(~msk)[0].tolist())
counts = np.bincount(dataset.ratings[msk].astype(int), minlength=6)
weights = 1.0 / torch.from_numpy(counts)[dataset.ratings[msk].astype(int)]
loader = DataLoader(train, batch_size=32, sampler=WeightedRandomSampler(weights, len(train)))
print(len(train), len(valid), counts, weights.dtype, torch.unique(torch.as_tensor(dataset.ratings), return_counts=True))
losses = []
for sparse in (False, True):
    model = MF(20, 15, sparse=sparse)
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.05) if sparse else torch.optim.Adagrad(model.parameters(), lr=0.2)
    criterion = nn.MSELoss()
    for epoch in range(4):
        model.train()
        for users, items, ratings in loader:
            loss = criterion(model(users, items), ratings.to(torch.get_default_dtype()))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(model.user_emb.weight.grad.is_sparse, model.user_emb.weight.grad.layout)
    model.eval()
    with torch.no_grad():
        users, items, ratings = next(iter(DataLoader(valid, batch_size=len(valid))))
        y_hat = model(users.long(), torch.LongTensor(items))
        print("test loss %.3f " % torch.sqrt(criterion(y_hat, ratings.to(y_hat.dtype))), np.corrcoef(y_hat, ratings)[0, 1].round(2))
print("losses", losses)
