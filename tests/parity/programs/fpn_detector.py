"""Detectors on backbones of one's own: ResNet-18 with an FPN, and a plain convolutional one, with own anchors and RoI poolers; features by name."""

import sys

import torch
import torchvision
from torch import nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import BackboneWithFPN, resnet_fpn_backbone
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, box_iou
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(11)
images = [torch.rand(3, 48, 64) for _ in range(4)]
targets = []
for i, image in enumerate(images):
    x, y = 5 + 6 * i, 8 + 3 * i
    image[:, y : y + 20, x : x + 24] *= 0.2
    targets.append({"boxes": torch.tensor([[x, y, x + 24.0, y + 20.0]]), "labels": torch.tensor([1 + i % 2])})


def small_backbone():
    layers = nn.Sequential()
    for i, (a, b) in enumerate(((3, 8), (8, 16), (16, 24))):
        layers.add_module(f"stage{i}", nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU(inplace=True)))
    return layers


class Wrapped(nn.Module):
    def __init__(self):
        super().__init__()
        m = torchvision.models.resnet18(weights=None)
        train_nodes, eval_nodes = get_graph_node_names(m)
        print(len(train_nodes), eval_nodes[:4], train_nodes == eval_nodes)
        self.body = create_feature_extractor(m, return_nodes={f"layer{k}": str(v) for v, k in enumerate([1, 2, 3, 4])})
        with torch.no_grad():
            out = self.body(torch.randn(2, 3, 64, 64))
        in_channels_list = [o.shape[1] for o in out.values()]
        self.out_channels = 32
        self.fpn = FeaturePyramidNetwork(in_channels_list, out_channels=self.out_channels, extra_blocks=LastLevelMaxPool())

    def forward(self, x):
        return self.fpn(self.body(x))


def detector(kind):
    sizes = ((8,), (16,), (32,), (48,))
    if kind == "extractor":
        backbone = Wrapped()
        sizes += ((64,),)
        names = ["0", "1", "2", "3"]
    elif kind == "resnet_fpn":
        backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5, norm_layer=nn.BatchNorm2d)
        sizes += ((64,),)
        names = ["0", "1", "2", "3"]
    elif kind == "with_fpn":
        backbone = BackboneWithFPN(small_backbone(), {"stage0": "0", "stage1": "1", "stage2": "2"}, [8, 16, 24], 16)
        names = ["0", "1", "2"]
    else:
        backbone = nn.Sequential(*small_backbone().children())
        backbone.out_channels = 24
        sizes, names = ((8, 16, 32),), ["0"]
    return FasterRCNN(
        backbone,
        num_classes=3,
        rpn_anchor_generator=AnchorGenerator(sizes=sizes, aspect_ratios=((0.5, 1.0, 2.0),) * len(sizes)),
        box_roi_pool=MultiScaleRoIAlign(featmap_names=names, output_size=7, sampling_ratio=2),
        min_size=48,
        max_size=64,
        rpn_post_nms_top_n_train=40,
        rpn_post_nms_top_n_test=20,
        box_score_thresh=0.01,
        box_detections_per_img=4,
    )


losses = []
for kind in ("plain", "with_fpn", "resnet_fpn", "extractor"):
    torch.manual_seed(0)
    model = detector(kind)
    print(
        kind,
        type(model.backbone).__name__,
        sum(p.numel() for p in model.parameters()),
        model.rpn.anchor_generator.num_anchors_per_location(),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(2 if kind in ("plain", "with_fpn") else 1):
        out = model(images[2 * step % 4 :][:2], targets[2 * step % 4 :][:2])
        loss = sum(out.values())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses += [v.item() for v in out.values()]
    model.eval()
    with torch.no_grad():
        found = model(images[:2])
        feats = model.backbone(torch.stack(images[:2]))
    for f, t in zip(found, targets):
        losses += f["scores"].tolist() + [box_iou(f["boxes"], t["boxes"]).sum().item()]
        print(f["labels"].tolist(), tuple(f["boxes"].shape))
    print({k: tuple(v.shape) for k, v in feats.items()} if isinstance(feats, dict) else tuple(feats.shape))
getter = IntermediateLayerGetter(torchvision.models.resnet18(), {"layer1": "feat1", "layer3": "feat2"})
print([(k, tuple(v.shape)) for k, v in getter(torch.rand(1, 3, 64, 64)).items()])
print(model.transform, model.roi_heads.box_roi_pool)
print("losses", losses)
