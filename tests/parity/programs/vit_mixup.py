"""Fine-tuning a vision transformer as torchvision's reference trains: MixUp or CutMix in collate_fn, label smoothing, clipping, EMA."""

import sys

import torch
import torchvision
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, default_collate
from torchvision.models import VisionTransformer, ViT_B_16_Weights, vit_b_16
from torchvision.models.vision_transformer import interpolate_embeddings
from torchvision.transforms import autoaugment, v2
from torchvision.transforms.functional import InterpolationMode

if "--double" in sys.argv:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(21)
NUM_CLASSES = 5


class ExponentialMovingAverage(AveragedModel):
    def __init__(self, model, decay, device="cpu"):
        def ema_avg(avg_model_param, model_param, num_averaged):
            return decay * avg_model_param + (1 - decay) * model_param

        super().__init__(model, device, ema_avg, use_buffers=True)


class ClassificationPresetTrain:
    def __init__(self, *, crop_size, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), random_erase_prob=0.25):
        self.transforms = torchvision.transforms.Compose(
            [
                torchvision.transforms.RandomResizedCrop(crop_size, interpolation=InterpolationMode.BILINEAR, antialias=True),
                torchvision.transforms.RandomHorizontalFlip(0.5),
                autoaugment.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR),
                torchvision.transforms.PILToTensor(),
                torchvision.transforms.ConvertImageDtype(torch.float),
                torchvision.transforms.Normalize(mean=mean, std=std),
                torchvision.transforms.RandomErasing(p=random_erase_prob),
            ]
        )

    def __call__(self, img):
        return self.transforms(img)


dataset = torchvision.datasets.FakeData(24, (3, 40, 40), NUM_CLASSES, transform=ClassificationPresetTrain(crop_size=32))
cutmix, mixup = v2.CutMix(num_classes=NUM_CLASSES), v2.MixUp(num_classes=NUM_CLASSES, alpha=0.2)
cutmix_or_mixup = v2.RandomChoice([cutmix, mixup])


def collate_fn(batch):
    return cutmix_or_mixup(*default_collate(batch))


loader = DataLoader(dataset, batch_size=6, shuffle=True, collate_fn=collate_fn)
torch.manual_seed(0)
model = VisionTransformer(image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=24, mlp_dim=48, num_classes=10)
state = interpolate_embeddings(32, 8, model.state_dict())
model = VisionTransformer(image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=24, mlp_dim=48, num_classes=10)
print(model.load_state_dict(state))
model.heads.head = nn.Linear(model.heads.head.in_features, NUM_CLASSES)
no_decay = [p for n, p in model.named_parameters() if p.ndim == 1 or "class_token" in n or "pos_embedding" in n]
decay = [p for n, p in model.named_parameters() if not (p.ndim == 1 or "class_token" in n or "pos_embedding" in n)]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.3}, {"params": no_decay, "weight_decay": 0.0}], lr=0.003)
main = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.033, total_iters=2)
scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, schedulers=[warmup, main], milestones=[2])
criterion = nn.CrossEntropyLoss(label_smoothing=0.11)
ema = ExponentialMovingAverage(model, decay=0.9)
losses = []
for epoch in range(6):
    for step, (image, target) in enumerate(loader):
        output = model(image.to(torch.get_default_dtype()))
        loss = criterion(output, target.to(torch.get_default_dtype()))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 2 == 0:
            ema.update_parameters(model)
            if epoch < 1:
                ema.n_averaged.fill_(0)
        losses.append(loss.item())
    scheduler.step()
    print(f"epoch {epoch} {loss.item():.4f}", [f"{lr:.6f}" for lr in scheduler.get_last_lr()], tuple(target.shape))
ema.eval()
with torch.inference_mode():
    probs = ema(torch.rand(4, 3, 32, 32, dtype=torch.get_default_dtype())).softmax(1)
losses += probs.flatten().tolist()
weights = ViT_B_16_Weights.DEFAULT
print(weights, weights.transforms(), len(weights.meta["categories"]), weights.meta["num_params"], vit_b_16.__name__)
print(model.encoder.layers.encoder_layer_0)
print("losses", losses)
