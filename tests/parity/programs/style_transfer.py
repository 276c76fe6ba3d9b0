"""An image optimised by LBFGS until its Gram matrices match; the network is cut, frozen and extended."""

import copy
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    return torch.mm(features, features.t()).div(a * b * c * d)


class StyleLoss(nn.Module):
    def __init__(self, target_feature):
        super().__init__()
        self.target = gram_matrix(target_feature).detach()

    def forward(self, input):
        self.loss = F.mse_loss(gram_matrix(input), self.target)
        return input


dtype = torch.float64 if "--double" in sys.argv else torch.float32
torch.manual_seed(0)
cnn = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU())
cnn = cnn.eval()[:-1].to(dtype)
style, image = torch.rand(1, 3, 12, 12).to(dtype), torch.rand(1, 3, 12, 12).to(dtype)
model, parts = nn.Sequential(), []
for i, layer in enumerate(copy.deepcopy(cnn).children()):
    model.add_module(f"part_{i}", nn.ReLU(inplace=False) if isinstance(layer, nn.ReLU) else layer)
    if isinstance(layer, nn.Conv2d):
        parts.append(StyleLoss(model(style).detach()))
        model.add_module(f"style_loss_{i}", parts[-1])
print(model, len(model), model[-1])
model.eval()
model.requires_grad_(False)
image.requires_grad_(True)
optimizer = optim.LBFGS([image], lr=0.2)
losses, run = [], [0]
while run[0] < 60:

    def closure():
        with torch.no_grad():
            image.clamp_(0, 1)
        optimizer.zero_grad()
        model(image)
        style_score = 0
        for part in parts:
            style_score += part.loss
        loss = style_score * 1e5 + F.mse_loss(image, style)
        loss.backward()
        run[0] += 1
        if run[0] % 20 == 0:
            print(f"run {run}: Style Loss : {style_score.item():4f}")
        losses.append(loss.item())
        return loss

    optimizer.step(closure)
print(image.shape[1:] == style.shape[1:], all(p.grad is None for p in model.parameters()))
print("losses", losses)
