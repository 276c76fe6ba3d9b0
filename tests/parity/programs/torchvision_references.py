"""Classification as torchvision's reference scripts do it: presets, a policy and a padding of one's own, mix-ups, an averaged model, checkpoints."""

import argparse
import os
import random
import tempfile

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.utils.data.dataloader import default_collate
from torch.utils.model_zoo import tqdm
from torchvision import tv_tensors
from torchvision.transforms import _functional_tensor as F_t
from torchvision.transforms import autoaugment, v2

parser = argparse.ArgumentParser()
parser.add_argument("--double", action="store_true")
parser.add_argument("--epochs", default=4, type=int)
args = parser.parse_args()
if args.double:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
random.seed(0)
numbers = torch.get_default_dtype()
CLASSES = 3


class RandomMixUp(nn.Module):
    def __init__(self, num_classes, alpha):
        super().__init__()
        self.num_classes, self.alpha = num_classes, alpha

    def forward(self, batch, target):
        target = nn.functional.one_hot(target, num_classes=self.num_classes).to(dtype=batch.dtype)
        share = float(torch._sample_dirichlet(torch.tensor([self.alpha, self.alpha]))[0])
        return batch.mul(share).add_(batch.roll(1, 0).mul_(1.0 - share)), target.mul(share).add_(target.roll(1, 0).mul_(1.0 - share))


class PadIfSmaller(v2.Transform):
    def __init__(self, size, fill=0):
        super().__init__()
        self.size, self.fill = size, v2._utils._setup_fill_arg(fill)

    def make_params(self, flat_inputs):
        _, height, width = v2._utils.query_chw(flat_inputs)
        return {"padding": [0, 0, max(self.size - width, 0), max(self.size - height, 0)]}

    def transform(self, inpt, params):
        fill = v2._utils._get_fill(self.fill, type(inpt))
        return v2.functional.pad(inpt, padding=params["padding"], fill=v2._utils._convert_fill_arg(fill))


class Gentle(autoaugment.RandAugment):
    """Fewer operations than RandAugment's, one of them drawn by hand."""

    def _augmentation_space(self, num_bins, image_size):
        space = super()._augmentation_space(num_bins, image_size)
        return {name: space[name] for name in ("Identity", "ShearX", "Brightness", "Posterize", "Solarize", "AutoContrast")}

    def forward(self, img):
        img = autoaugment._apply_op(img, "Rotate", 5.0 * random.random(), interpolation=self.interpolation, fill=self.fill)
        return super().forward(img)


def write_tree(root):
    draw = np.random.default_rng(0)
    for c in range(CLASSES):
        os.makedirs(f"{root}/class{c}")
        for i in range(6):
            pixels = draw.integers(0, 90, (18 + c, 17, 3)) + 55 * c
            Image.fromarray(pixels.astype(np.uint8)).save(f"{root}/class{c}/{i}.png")


def set_weight_decay(model, weight_decay):
    norms = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm, nn.LocalResponseNorm)
    groups = {0.0: [], weight_decay: []}
    for module in model.modules():
        for p in module.parameters(recurse=False):
            groups[0.0 if isinstance(module, norms) else weight_decay].append(p)
    return [{"params": params, "weight_decay": decay} for decay, params in groups.items()]


with tempfile.TemporaryDirectory() as folder:
    write_tree(f"{folder}/train")
    preset = v2.Compose(
        [Gentle(2, 9), v2.PILToTensor(), PadIfSmaller(20, {tv_tensors.Mask: 255, "others": (1, 2, 3)}), v2.RandomCrop(16),
         v2.ToDtype(numbers, scale=True), v2.Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)), v2.ToPureTensor()]
    )  # fmt: skip
    dataset = torchvision.datasets.ImageFolder(f"{folder}/train", preset)
    mixes = v2.RandomChoice([RandomMixUp(CLASSES, 0.4), v2.CutMix(alpha=1.0, num_classes=CLASSES)])
    loader = torch.utils.data.DataLoader(dataset, batch_size=3, shuffle=True, collate_fn=lambda batch: mixes(*default_collate(batch)))
    model = nn.Sequential(
        torchvision.ops.Conv2dNormActivation(3, 8, stride=2), torchvision.ops.SqueezeExcitation(8, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, CLASSES),
    )  # fmt: skip
    optimizer = torch.optim.SGD(set_weight_decay(model, 1e-3), lr=0.2, momentum=0.9, nesterov=True)
    steps = args.epochs * len(loader)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=4)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps - 4)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], milestones=[4])
    ema = torch.optim.swa_utils.AveragedModel(model, avg_fn=lambda old, new, n: 0.8 * old + 0.2 * new, use_buffers=True)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    losses = []
    for epoch in range(args.epochs):
        for image, target in tqdm(loader, disable=True):
            loss = criterion(model(image), target.to(numbers))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            ema.update_parameters(model)
            losses.append(loss.item())
        torch.save({"model": model.state_dict(), "ema": ema.state_dict(), "args": args, "epoch": epoch}, f"{folder}/{epoch}.pth")
    averaged = {}
    for epoch in range(args.epochs):
        where = lambda storage, _: torch.serialization.default_restore_location(storage, "cpu")
        state = torch.load(f"{folder}/{epoch}.pth", map_location=where, weights_only=False)
        for name, value in state["model"].items():
            averaged[name] = averaged.get(name, 0) + value / args.epochs
    print(state["args"].epochs, type(state["args"]).__name__, state["epoch"], preset, mixes)
    model.load_state_dict(averaged)
    plain = v2.Compose([v2.PILToTensor(), v2.CenterCrop(16), v2.ToDtype(numbers, scale=True)])
    test = torch.stack([plain(dataset.loader(path)) for path, _ in dataset.samples])
    with torch.inference_mode():
        losses += [net.eval()(test).square().mean().item() for net in (model, ema)]
    turned = F_t._apply_grid_transform(
        test[:2], F_t._gen_affine_grid(torch.tensor([[[0.9, 0.2, 1.0], [-0.1, 1.1, 0.0]]]), 16, 16, 12, 14), "bilinear", [0.5]
    )
    losses += [turned.mean().item(), F_t._rgb2hsv(test[:2]).mean().item()]
    print(tuple(turned.shape), [tuple(p.shape) for p in model.parameters()])
print("losses", losses)
