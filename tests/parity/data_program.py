"""A stranger's program of loaders: run as it is by either framework, named by the first argument, it prints the same."""

import importlib
import multiprocessing as mp
import os
import random
import sys
import warnings
from dataclasses import dataclass

import numpy as np

warnings.simplefilter("ignore")
torch = importlib.import_module(sys.argv[1])
data = importlib.import_module(sys.argv[1] + ".utils.data")
DataLoader, Dataset = data.DataLoader, data.Dataset


def show(*values):
    print(*map(plain, values), flush=True)


def plain(x):
    if hasattr(x, "tolist"):
        return x.tolist()
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return [plain(v) for v in x] if isinstance(x, list | tuple) else x


class Named(Dataset):
    def __init__(self):
        self.cache = {}

    def __len__(self):
        return 10

    def __getitem__(self, i):
        self.cache[i] = 1
        return {"x": torch.full((2,), float(i)), "text": f"s{i}", "label": i, "cached": len(self.cache)}


torch.manual_seed(0)
loader = DataLoader(Named(), 4, shuffle=True, num_workers=2)
show(list(zip(loader, loader, strict=True)))
for at, batch in enumerate(loader):  # noqa: B007 - the last one is shown
    if at == 1:
        break
show(batch, next(iter(loader)), next(iter(loader)), len(iter(loader)))


@dataclass
class Batch:
    x: object
    y: object


def gather(samples):
    return Batch(torch.stack([s["x"] for s in samples]), [s["text"] for s in samples])


show([(b.x, b.y) for b in DataLoader(Named(), 4, num_workers=2, collate_fn=gather)])


class Mine(DataLoader):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.extra = 3

    def __iter__(self):
        for batch in super().__iter__():
            yield batch, self.extra

    def __getattr__(self, name):
        if name.startswith("inner"):
            return getattr(self.wrapped, name)
        raise AttributeError(name)


show(list(Mine(Named(), 5, num_workers=1)))


def start(worker):
    np.random.seed(worker)
    random.seed(worker)


class Draws(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, i):
        return np.random.randint(100), random.randint(0, 99), torch.rand(1)


torch.manual_seed(3)
show(list(DataLoader(Draws(), 2, num_workers=2, worker_init_fn=start)))
show(list(DataLoader(Draws(), 2, num_workers=2, persistent_workers=True, prefetch_factor=1, timeout=20)))


class Raises(Dataset):
    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 4

    def __getitem__(self, i):
        if i == 2:
            raise self.error
        return i


for error in (KeyError("k"), ValueError("v"), StopIteration("s"), AssertionError("a")):
    seen = []
    try:
        for batch in DataLoader(Raises(error), 1, num_workers=2):
            seen.append(batch)
    except Exception as caught:
        show(type(caught).__name__, str(caught).splitlines()[0])
    show(seen)


class Nothing(Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return None


try:
    list(DataLoader(Nothing(), 2, num_workers=1))
except TypeError as caught:
    show(str(caught).splitlines()[0])
show(list(DataLoader(Nothing(), 2, num_workers=1, collate_fn=lambda samples: samples)))


class Stream(data.IterableDataset):
    def __iter__(self):
        info = data.get_worker_info()
        for i in range(7):
            if info is None or i % info.num_workers == info.id:
                yield i, torch.tensor([i] * 3)

    def __len__(self):
        return 7


for workers in (0, 1, 2, 3):
    loader = DataLoader(Stream(), 2, num_workers=workers)
    show(len(loader), list(loader), list(DataLoader(Stream(), None, num_workers=workers)))
    show(list(DataLoader(Stream(), 3, num_workers=workers, drop_last=True, persistent_workers=workers > 0)))
show(list(DataLoader(torch.arange(12).reshape(6, 2), batch_size=None, num_workers=2)))
show(list(DataLoader(Named(), batch_sampler=[[1, 2], [3]], num_workers=2)))
show(list(DataLoader(Named(), sampler=data.WeightedRandomSampler([1.0] * 10, 6), num_workers=2, batch_size=2)))

value, shared = mp.Value("i", 0), torch.zeros(8).share_memory_()


class Counts(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        with value.get_lock():
            value.value += 1
        shared[i] += 1
        return i


list(DataLoader(Counts(), 2, num_workers=2))
show(value.value, shared)
large = data.TensorDataset(torch.arange(200000).reshape(100, 2000))
show(sum(int(b.sum()) for (b,) in list(DataLoader(large, 10, num_workers=2))))
file = open(__file__, "rb")  # noqa: SIM115 - workers inherit it


class Reads(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return os.pread(file.fileno(), 6, 0)


show(list(DataLoader(Reads(), 1, num_workers=2)))


class Odd(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, i):
        return "x" * 300000, np.zeros(5), torch.zeros(0), torch.ones(3, 40).t()


for text, array, empty, turned in DataLoader(Odd(), batch_size=None, num_workers=2):
    show(len(text), tuple(array.shape), tuple(empty.shape), turned.stride(), turned)
show(torch.rand(1))
