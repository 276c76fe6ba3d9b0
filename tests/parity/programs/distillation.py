"""A small network taught by a large one: soft targets, hints by hooks, label smoothing, mixup and cutmix, temperature; torch.compile of both."""

import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothingCrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing, self.confidence = smoothing, 1.0 - smoothing

    def forward(self, x, target):
        logprobs = F.log_softmax(x, dim=-1)
        nll_loss = -logprobs.gather(dim=-1, index=target.unsqueeze(1))
        nll_loss = nll_loss.squeeze(1)
        smooth_loss = -logprobs.mean(dim=-1)
        loss = self.confidence * nll_loss + self.smoothing * smooth_loss
        return loss.mean()


def loss_fn_kd(outputs, labels, teacher_outputs, alpha=0.9, T=4.0):
    kd = nn.KLDivLoss(reduction="batchmean")(F.log_softmax(outputs / T, dim=1), F.softmax(teacher_outputs / T, dim=1))
    return kd * (alpha * T * T) + F.cross_entropy(outputs, labels) * (1.0 - alpha)


def mixup_data(x, y, alpha=1.0):
    lam = np.random.beta(alpha, alpha) if alpha > 0 else 1
    index = torch.randperm(x.size(0))
    return lam * x + (1 - lam) * x[index, :], y, y[index], lam


def rand_bbox(size, lam):
    W, H = size[2], size[3]
    cut_rat = np.sqrt(1.0 - lam)
    cut_w, cut_h = int(W * cut_rat), int(H * cut_rat)
    cx, cy = np.random.randint(W), np.random.randint(H)
    return (np.clip(cx - cut_w // 2, 0, W), np.clip(cy - cut_h // 2, 0, H), np.clip(cx + cut_w // 2, 0, W), np.clip(cy + cut_h // 2, 0, H))


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        maxk = max(topk)
        batch_size = target.size(0)
        _, pred = output.topk(maxk, 1, True, True)
        pred = pred.t()
        correct = pred.eq(target.view(1, -1).expand_as(pred))
        res = []
        for k in topk:
            correct_k = correct[:k].reshape(-1).float().sum(0, keepdim=True)
            res.append(correct_k.mul_(100.0 / batch_size))
        return res


def net(width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding="same", padding_mode="reflect"), nn.BatchNorm2d(width), nn.ReLU6(), nn.AdaptiveMaxPool2d(3),
        nn.Flatten(), nn.Dropout(0.1), nn.Linear(width * 9, 6),
    )  # fmt: skip


if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(14)
np.random.seed(14)
labels = torch.arange(48) % 6
images = torch.rand(6, 3, 8, 8)[labels] * 0.6 + torch.rand(48, 3, 8, 8) * 0.4
losses = []
teacher, student = net(12), net(3)
optimizer = torch.optim.SGD(teacher.parameters(), lr=0.1, momentum=0.9, dampening=0.1)
criterion = LabelSmoothingCrossEntropy()
for step in range(24):
    batch = torch.randperm(48)[:16]
    input, target = images[batch], labels[batch]
    if step % 2:
        inputs, targets_a, targets_b, lam = mixup_data(input, target)
        outputs = teacher(inputs)
        loss = lam * criterion(outputs, targets_a) + (1 - lam) * criterion(outputs, targets_b)
    else:
        lam = np.random.beta(1.0, 1.0)
        rand_index = torch.randperm(input.size()[0])
        bbx1, bby1, bbx2, bby2 = rand_bbox(input.size(), lam)
        input[:, :, bbx1:bbx2, bby1:bby2] = input[rand_index, :, bbx1:bbx2, bby1:bby2]
        lam = 1 - ((bbx2 - bbx1) * (bby2 - bby1) / (input.size()[-1] * input.size()[-2]))
        output = teacher(input)
        loss = criterion(output, target) * lam + criterion(output, target[rand_index]) * (1.0 - lam)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
teacher.eval()
prec1, prec3 = accuracy(teacher(images), labels, topk=(1, 3))
print(f"teacher {prec1[0]:.1f} {prec3.item():.1f}", prec1)

hints = {}
student[3].register_forward_hook(lambda m, i, o: hints.__setitem__("student", o))
teacher[3].register_forward_hook(lambda m, i, o: hints.__setitem__("teacher", o.detach()))
adapter = nn.Conv2d(3, 12, kernel_size=1)
optimizer = torch.optim.Adam(list(student.parameters()) + list(adapter.parameters()), lr=1e-2)
for step in range(30):
    batch = torch.randperm(48)[:16]
    with torch.no_grad():
        teacher_outputs = teacher(images[batch])
    outputs = student(images[batch])
    loss = loss_fn_kd(outputs, labels[batch], teacher_outputs) + 0.1 * F.mse_loss(adapter(hints["student"]), hints["teacher"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
student.eval()
confusion = torch.zeros(6, 6, dtype=torch.int64)
for t, p in zip(labels.view(-1), student(images).argmax(1).view(-1)):
    confusion[t.long(), p.long()] += 1
print(confusion.diag().sum() / confusion.sum(), confusion.sum(1).tolist(), confusion.dtype)
print("losses", losses)
