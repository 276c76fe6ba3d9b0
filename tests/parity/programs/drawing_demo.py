"""The visualization tour: boxes, masks and key points drawn into pictures, grids, errors."""

import os
import sys
import tempfile

import numpy as np
import torch
import torchvision.transforms.functional as F
from PIL import Image
from torchvision.ops import box_convert, masks_to_boxes
from torchvision.transforms.functional import convert_image_dtype, to_pil_image
from torchvision.utils import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks, make_grid, save_image

double = "--double" in sys.argv
if double:
    torch.set_default_dtype(torch.float64)
torch.manual_seed(2)
folder = tempfile.mkdtemp()
ys, xs = torch.meshgrid(torch.arange(60), torch.arange(80), indexing="ij")
picture = torch.stack([xs * 3, ys * 4, (xs + ys) * 255 // 140]).clamp(0, 255).to(torch.uint8)
F.to_pil_image(picture).save(os.path.join(folder, "dog1.png"))
F.to_pil_image(picture).save(os.path.join(folder, "dog2.jpg"), quality=95)
dog1, dog2 = (F.pil_to_tensor(Image.open(os.path.join(folder, name))) for name in ("dog1.png", "dog2.jpg"))
grey = F.rgb_to_grayscale(dog1)
print(dog1.shape, dog1.dtype, torch.equal(dog1, picture), grey.shape)
values = [dog1, dog2, grey]

boxes = torch.tensor([[5, 5, 40, 30], [30, 20, 70, 55]], dtype=torch.float)
values.append(draw_bounding_boxes(dog1, boxes, colors=["blue", "yellow"], width=2))
values.append(draw_bounding_boxes(dog1, boxes, labels=["a", "bee"], colors=[(255, 0, 0), "#00FF00"], fill=True))
values.append(draw_bounding_boxes(convert_image_dtype(dog1, torch.float32), boxes, width=3))
masks = torch.zeros(2, 60, 80, dtype=torch.bool)
masks[0, 10:30, 10:40] = True
masks[1, 20:50, 30:70] = True
values.append(draw_segmentation_masks(dog1, masks, alpha=0.7, colors=["red", "blue"]))
values.append(draw_segmentation_masks(dog1, masks[0], alpha=0.4, colors=(10, 200, 10)))
points = torch.tensor([[[20, 20], [30, 30], [40, 25]], [[60, 40], [50, 45], [55, 30]]], dtype=torch.float)
values.append(draw_keypoints(dog1, points, colors="blue", radius=3))
values.append(draw_keypoints(dog1, points, connectivity=[(0, 1), (1, 2)], visibility=torch.tensor([[1, 1, 0], [1, 1, 1]]).bool(), width=2))
print(masks_to_boxes(masks), box_convert(boxes, "xyxy", "cxcywh").tolist())
classes = torch.arange(3)[:, None, None]
all_masks = torch.randint(0, 3, (60, 80)) == classes
values.append(draw_segmentation_masks(dog1, masks=all_masks, alpha=0.6))
grid = make_grid([dog1, dog2, values[3]], nrow=2, padding=3)
values.append(grid)
save_image(grid / 255.0, os.path.join(folder, "grid.jpg"))
imgs = grid if isinstance(grid, list) else [grid]
for img in imgs:
    img = F.to_pil_image(img.detach())
    print(img.size, img.mode, np.asarray(img).sum())
for make in (
    lambda: draw_bounding_boxes(dog1, torch.tensor([[30.0, 5, 10, 30]])),
    lambda: draw_segmentation_masks(dog1, masks.long()),
    lambda: draw_bounding_boxes(dog1[0], boxes),
    lambda: F.pil_to_tensor(dog1),
    lambda: draw_bounding_boxes(dog1, boxes, labels=["a"]),
    lambda: draw_keypoints(dog1, points[0]),
    lambda: draw_segmentation_masks(dog1.float(), masks),
    lambda: to_pil_image(torch.rand(2, 3, 4, 4)),
):
    try:
        make()
        print("drawn")
    except (ValueError, TypeError, RuntimeError) as error:
        print(next(k.__name__ for k in (ValueError, TypeError, RuntimeError) if isinstance(error, k)))
losses = [v.double().mean().item() / 255 for v in values] + [v.double().std().item() / 255 for v in values]
print([tuple(v.shape) for v in values])
print("losses", losses)
