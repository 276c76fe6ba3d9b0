"""Data as people arrange it: map and iterable datasets, samplers, collate functions, splits with seeds, worker seeds, chained loaders, a class-balanced epoch."""

import itertools
import os
import random
import sys
import tempfile

import numpy as np
import torch
from torch import nn
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    default_collate,
    random_split,
)


class CsvDataset(Dataset):
    def __init__(self, path, transform=None):
        self.rows = np.genfromtxt(path, delimiter=",", skip_header=1)
        self.transform = transform

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        sample = {"x": self.rows[idx, :-1], "y": self.rows[idx, -1], "id": idx, "name": f"row{idx}"}
        return self.transform(sample) if self.transform else sample


class ToTensor(object):
    def __call__(self, sample):
        out = dict(sample)
        out["x"] = torch.from_numpy(sample["x"]).to(torch.get_default_dtype())
        return out


class Stream(IterableDataset):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        assert info is None
        generator = np.random.default_rng(5)
        for _ in range(self.n):
            yield generator.normal(size=4), generator.integers(0, 3)


class BucketSampler(Sampler):
    """Batches of like length, in random order."""

    def __init__(self, lengths, batch_size):
        self.lengths, self.batch_size = lengths, batch_size

    def __iter__(self):
        order = sorted(range(len(self.lengths)), key=lambda i: (self.lengths[i], i))
        batches = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        random.shuffle(batches)
        return iter(batches)

    def __len__(self):
        return (len(self.lengths) + self.batch_size - 1) // self.batch_size


def pad_collate(batch):
    (xx, yy) = zip(*batch)
    x_lens = [len(x) for x in xx]
    xx_pad = nn.utils.rnn.pad_sequence(xx, batch_first=True, padding_value=0)
    return xx_pad, torch.stack(yy), x_lens


def seed_worker(worker_id):
    worker_seed = torch.initial_seed() % 2**32
    np.random.seed(worker_seed)
    random.seed(worker_seed)


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
random.seed(0)
np.random.seed(0)
torch.manual_seed(0)
path = os.path.join(tempfile.mkdtemp(), "table.csv")
table = np.random.randn(60, 4)
np.savetxt(path, np.c_[table, (table.sum(1) > 0)], delimiter=",", header="a,b,c,d,y", comments="", fmt="%.6f")
dataset = CsvDataset(path, ToTensor())
train, valid, test = random_split(dataset, [40, 12, 8], generator=torch.Generator().manual_seed(42))
both = ConcatDataset([train, valid])
print(len(both), both.cumulative_sizes, train.indices[:5], dataset[torch.tensor(3)]["name"], both[45]["id"])
g = torch.Generator()
g.manual_seed(7)
loader = DataLoader(train, batch_size=8, shuffle=True, generator=g, worker_init_fn=seed_worker, pin_memory=False)
batch = next(iter(loader))
print({k: (v.dtype, tuple(v.shape)) if torch.is_tensor(v) else v for k, v in batch.items()})
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
losses = []
for epoch in range(6):
    for sample in loader:
        loss = nn.functional.binary_cross_entropy_with_logits(model(sample["x"]).squeeze(1), sample["y"].to(sample["x"]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
indices = np.random.permutation(len(dataset))
samplers = [SubsetRandomSampler(indices[:20]), SequentialSampler(valid), RandomSampler(test, replacement=True, num_samples=5)]
for sampler, source in zip(samplers, (dataset, valid, test)):
    print(
        type(sampler).__name__,
        len(sampler),
        [n for s in DataLoader(source, batch_size=4, sampler=sampler, drop_last=True) for n in s["id"].tolist()],
    )
for values, classes in DataLoader(Stream(10), batch_size=4):
    print(values.shape, values.dtype, classes)
    losses.append(values.abs().mean().item())
sequences = [(torch.arange(1, n + 1), torch.tensor(n % 2)) for n in np.random.randint(2, 9, 14).tolist()]
embedding, head = nn.Embedding(12, 6, padding_idx=0), nn.Linear(6, 2)
optimizer = torch.optim.Adam(itertools.chain(embedding.parameters(), head.parameters()), lr=0.05)
loader = DataLoader(sequences, batch_sampler=BucketSampler([len(x) for x, _ in sequences], 4), collate_fn=pad_collate)
for epoch in range(6):
    for xx, yy, lens in loader:
        mask = (xx != 0).unsqueeze(2)
        pooled = (embedding(xx) * mask).sum(1) / torch.tensor(lens).unsqueeze(1)
        loss = nn.functional.cross_entropy(head(pooled), yy)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
print(xx.shape, len(loader), default_collate([(1, 2.5, "a", {"k": np.float32(1)}), (2, 3.5, "b", {"k": np.float32(2)})]))
print(Subset(dataset, [1, 2])[1]["name"], embedding.weight[0].abs().sum(), embedding.weight.grad[0].count_nonzero())
print("losses", losses)
