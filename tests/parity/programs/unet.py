"""A U-Net that finds discs: double convolutions, transposed or bilinear upsampling, skip connections with padding, Dice and BCE, IoU."""

import sys

import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    """(convolution => [BN] => ReLU) * 2"""

    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(mid_channels), nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True),
        )  # fmt: skip

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(in_channels, out_channels))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diffY = x2.size()[2] - x1.size()[2]
        diffX = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diffX // 2, diffX - diffX // 2, diffY // 2, diffY - diffY // 2])
        x = torch.cat([x2, x1], dim=1)
        return self.conv(x)


class OutConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super(OutConv, self).__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes, bilinear=False):
        super(UNet, self).__init__()
        self.n_channels, self.n_classes, self.bilinear = n_channels, n_classes, bilinear
        self.inc = DoubleConv(n_channels, 4)
        self.down1 = Down(4, 8)
        factor = 2 if bilinear else 1
        self.down2 = Down(8, 16 // factor)
        self.up1 = Up(16, 8 // factor, bilinear)
        self.up2 = Up(8, 4, bilinear)
        self.outc = OutConv(4, n_classes)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x = self.up1(x3, x2)
        x = self.up2(x, x1)
        return self.outc(x)


def dice_coeff(input, target, reduce_batch_first=False, epsilon=1e-6):
    assert input.size() == target.size()
    sum_dim = (-1, -2) if input.dim() == 2 or not reduce_batch_first else (-1, -2, -3)
    inter = 2 * (input * target).sum(dim=sum_dim)
    sets_sum = input.sum(dim=sum_dim) + target.sum(dim=sum_dim)
    sets_sum = torch.where(sets_sum == 0, inter, sets_sum)
    dice = (inter + epsilon) / (sets_sum + epsilon)
    return dice.mean()


def discs(n, size=15):
    ys, xs = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centres, radii = torch.randint(3, size - 3, (n, 2, 1, 1)), torch.randint(2, 5, (n, 1, 1))
    masks = (((ys - centres[:, 0]) ** 2 + (xs - centres[:, 1]) ** 2) <= radii**2).long()
    images = masks.unsqueeze(1) + 0.4 * torch.randn(n, 1, size, size)
    return images, masks


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
losses = []
for bilinear in (False, True):
    images, true_masks = discs(12)
    model = UNet(n_channels=1, n_classes=1, bilinear=bilinear)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, weight_decay=1e-8, momentum=0.9, foreach=True)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=2)
    grad_scaler = torch.amp.GradScaler(enabled=False)
    criterion = nn.BCEWithLogitsLoss()
    for step in range(25):
        batch = slice(step * 4 % 12, step * 4 % 12 + 4)
        x, y = images[batch].to(memory_format=torch.channels_last), true_masks[batch].to(torch.get_default_dtype())
        with torch.autocast("cpu", enabled=False):
            masks_pred = model(x)
            loss = criterion(masks_pred.squeeze(1), y)
            loss += 1 - dice_coeff(torch.sigmoid(masks_pred.squeeze(1)), y, reduce_batch_first=True)
        optimizer.zero_grad(set_to_none=True)
        grad_scaler.scale(loss).backward()
        grad_scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        grad_scaler.step(optimizer)
        grad_scaler.update()
        losses.append(loss.item())
        if step % 6 == 5:
            model.eval()
            with torch.inference_mode():
                mask_pred = (torch.sigmoid(model(images)) > 0.5).squeeze(1)
                val_score = dice_coeff(mask_pred.to(y), true_masks.to(y))
                iou = (mask_pred & true_masks.bool()).sum() / (mask_pred | true_masks.bool()).sum()
            model.train()
            scheduler.step(val_score)
            print(f"Validation Dice score: {val_score:.3f}, IoU {iou:.3f}", optimizer.param_groups[0]["lr"])
print("losses", losses)
