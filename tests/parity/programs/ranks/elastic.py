"""As torchrun's examples: env://, DDP, DistributedSampler.set_epoch, a snapshot by rank 0 and map_location."""

import argparse
import os

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.functional as F
from torch.distributed import destroy_process_group, init_process_group
from torch.distributed.elastic.multiprocessing.errors import record
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.distributed import DistributedSampler


def ddp_setup():
    init_process_group(backend="nccl" if torch.cuda.is_available() else "gloo", init_method="env://")


class Points(Dataset):
    def __init__(self, size):
        g = torch.Generator().manual_seed(7)
        self.x = torch.randn(size, 20, generator=g)
        self.y = self.x.sin().sum(1, keepdim=True)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Trainer:
    def __init__(self, model, data, optimizer, save_every, path):
        self.local_rank = int(os.environ["LOCAL_RANK"])
        self.global_rank = int(os.environ["RANK"])
        self.model, self.data, self.optimizer, self.save_every, self.path = model, data, optimizer, save_every, path
        self.epochs_run = 0
        if os.path.exists(path):
            snapshot = torch.load(path, map_location="cpu")
            self.model.load_state_dict(snapshot["MODEL_STATE"])
            self.optimizer.load_state_dict(snapshot["OPT"])
            self.epochs_run = snapshot["EPOCHS_RUN"]
            print(f"Resuming training from snapshot at Epoch {self.epochs_run}")
        self.model = DDP(self.model, device_ids=None, output_device=None, find_unused_parameters=False)

    def run_epoch(self, epoch):
        size = len(next(iter(self.data))[0])
        print(f"[RANK{self.global_rank}] Epoch {epoch} | Batchsize: {size} | Steps: {len(self.data)}", flush=True)
        self.data.sampler.set_epoch(epoch)
        total = 0.0
        for source, targets in self.data:
            self.optimizer.zero_grad()
            loss = F.mse_loss(self.model(source), targets)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        mean = torch.tensor(total / len(self.data))
        dist.all_reduce(mean, op=dist.ReduceOp.SUM)
        mean /= dist.get_world_size()
        if self.global_rank == 0:
            print(f"epoch {epoch} loss {mean.item():.5f}", flush=True)

    def save(self, epoch):
        torch.save({"MODEL_STATE": self.model.module.state_dict(), "OPT": self.optimizer.state_dict(), "EPOCHS_RUN": epoch + 1}, self.path)

    def train(self, epochs):
        for epoch in range(self.epochs_run, epochs):
            self.run_epoch(epoch)
            if self.global_rank == 0 and epoch % self.save_every == 0:
                self.save(epoch)
            dist.barrier()


@record
def main(epochs, save_every, batch, path):
    ddp_setup()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    data = Points(333)
    loader = DataLoader(data, batch_size=batch, pin_memory=False, shuffle=False, sampler=DistributedSampler(data))
    trainer = Trainer(model, loader, optimizer, save_every, path)
    trainer.train(epochs)
    print(sorted(trainer.model.state_dict())[:2], flush=True)
    destroy_process_group()


if __name__ == "__main__":
    # run twice, the second time it goes on from the snapshot
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--path", default="snapshot.pt")
    args = parser.parse_args()
    main(args.epochs + os.path.exists(args.path), 1, 32, args.path)
