"""As the ImageNet example: --dist-url, AverageMeter.all_reduce, warm start with map_location, DDP checkpoint with module. prefix, SyncBatchNorm."""

import os
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.nn as nn
import torch.nn.parallel
import torch.optim
import torch.utils.data
import torch.utils.data.distributed
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import Subset, TensorDataset


class AverageMeter:
    def __init__(self, name):
        self.name = name
        self.sum = self.count = 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count

    def all_reduce(self):
        device = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
        total = torch.tensor([self.sum, self.count], dtype=torch.float32, device=device)
        dist.all_reduce(total, dist.ReduceOp.SUM, async_op=False)
        self.sum, self.count = total.tolist()
        self.avg = self.sum / self.count


rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group(backend="gloo", init_method="env://", world_size=world_size, rank=rank, timeout=timedelta(seconds=60))
torch.manual_seed(1)
model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
model = torch.nn.parallel.DistributedDataParallel(model)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
scheduler = StepLR(optimizer, step_size=2, gamma=0.1)
g = torch.Generator().manual_seed(3)
x, y = torch.randn(100, 1, 6, 6, generator=g), torch.randint(0, 4, (100,), generator=g)
train = TensorDataset(x[:64], y[:64])
val = TensorDataset(x[64:], y[64:])
train_sampler = torch.utils.data.distributed.DistributedSampler(train)
val_sampler = torch.utils.data.distributed.DistributedSampler(val, shuffle=False, drop_last=True)
train_loader = torch.utils.data.DataLoader(
    train, batch_size=8, shuffle=(train_sampler is None), num_workers=0, pin_memory=False, sampler=train_sampler
)
val_loader = torch.utils.data.DataLoader(val, batch_size=8, shuffle=False, num_workers=0, sampler=val_sampler)


def validate():
    model.eval()
    losses, top1 = AverageMeter("Loss"), AverageMeter("Acc@1")
    with torch.no_grad():
        for images, target in val_loader:
            output = model(images)
            losses.update(criterion(output, target).item(), images.size(0))
            top1.update((output.argmax(1) == target).float().mean().item() * 100, images.size(0))
    losses.all_reduce()
    top1.all_reduce()
    if len(val_loader.sampler) * world_size < len(val_loader.dataset):
        aux = Subset(val_loader.dataset, range(len(val_loader.sampler) * world_size, len(val_loader.dataset)))
        print("aux", len(aux))
    return losses.avg, top1.avg


for epoch in range(3):
    train_sampler.set_epoch(epoch)
    model.train()
    for images, target in train_loader:
        loss = criterion(model(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss, acc = validate()
    scheduler.step()
    if rank == 0:
        print(f"epoch {epoch} val {loss:.4f} {acc:.2f} lr {scheduler.get_last_lr()[0]:.4f}", flush=True)
        torch.save(
            {
                "epoch": epoch + 1,
                "arch": "conv",
                "state_dict": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
            },
            "checkpoint.pth.tar",
        )
dist.barrier()
checkpoint = torch.load("checkpoint.pth.tar", map_location={"cuda:%d" % 0: "cuda:%d" % rank}, weights_only=True)
print(sorted(checkpoint["state_dict"])[0], checkpoint["epoch"], flush=True)
model.load_state_dict(checkpoint["state_dict"])
plain = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(checkpoint["state_dict"], "module.")
print(plain.load_state_dict(checkpoint["state_dict"]), flush=True)
dist.destroy_process_group()
