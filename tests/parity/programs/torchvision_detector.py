"""A small one-stage detector written by hand from torchvision's parts: a sliced ResNet, FPN, anchors, a matcher, focal and CIoU loss."""

import sys
from collections import OrderedDict

import torch
import torchvision
from torch import nn
from torchvision import ops

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
utils = torchvision.models.detection._utils


class Detector(nn.Module):
    def __init__(self, num_anchors=3, num_classes=4):
        super().__init__()
        resnet = torchvision.models.resnet18(num_classes=2)
        self.body = torchvision.models._utils.IntermediateLayerGetter(resnet, {"layer1": "0", "layer2": "1"})
        self.fpn = ops.FeaturePyramidNetwork([64, 128], 16, extra_blocks=ops.feature_pyramid_network.LastLevelMaxPool())
        self.cls = nn.Conv2d(16, num_anchors * num_classes, 3, padding=1)
        self.reg = nn.Conv2d(16, num_anchors * 4, 3, padding=1)
        self.num_classes = num_classes

    def forward(self, images):
        maps = list(self.fpn(self.body(images)).values())
        flat = [
            torch.cat([head(m).permute(0, 2, 3, 1).reshape(len(images), -1, n) for m in maps], 1)
            for head, n in ((self.cls, self.num_classes), (self.reg, 4))
        ]
        return maps, *flat


net = Detector()
anchors_of = torchvision.models.detection.anchor_utils.AnchorGenerator(((8,), (16,), (32,)), ((0.5, 1.0, 2.0),) * 3)
coder = utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
matcher = utils.Matcher(0.5, 0.4, allow_low_quality_matches=True)
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
images = torch.rand(2, 3, 32, 32)
boxes = [torch.tensor([[3.0, 2, 15, 20]]), torch.tensor([[10.0, 5, 25, 15], [0, 0, 9, 9]])]
labels = [torch.tensor([1]), torch.tensor([2, 3])]
losses = []
for step in range(24):
    maps, scores, deltas = net(images)
    anchors = anchors_of(torchvision.models.detection.image_list.ImageList(images, [(32, 32)] * 2), maps)
    loss = 0
    for i in range(2):
        matched = matcher(ops.box_iou(boxes[i], anchors[i]))
        positive, counted = torch.where(matched >= 0)[0], matched != -2
        target = torch.zeros_like(scores[i])
        target[positive, labels[i][matched[positive]]] = 1
        loss = loss + ops.sigmoid_focal_loss(scores[i][counted], target[counted], reduction="sum") / max(1, len(positive))
        found = coder.decode_single(deltas[i][positive], anchors[i][positive])
        loss = loss + ops.complete_box_iou_loss(found, boxes[i][matched[positive]], reduction="mean")
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.item())
    print(step, [tuple(a.shape) for a in anchors], len(positive), f"{losses[-1]:.4f}")
net.eval()
with torch.no_grad():
    maps, scores, deltas = net(images)
    best, kind = scores[0].sigmoid().max(-1)
    found = ops.clip_boxes_to_image(coder.decode_single(deltas[0], anchors[0]), (32, 32))
    kept = ops.batched_nms(found, best, kind, 0.5)[:5]
    pooled = ops.MultiScaleRoIAlign(["a", "b"], 3, 2)(OrderedDict(a=maps[0], b=maps[1]), [found[kept]], [(32, 32)])
print(list(net.body.keys()), tuple(pooled.shape), kind[kept].tolist())
losses += [best[kept].sum().item(), found[kept].mean().item(), pooled.mean().item()]
print("losses", losses)
