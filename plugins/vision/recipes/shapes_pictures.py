"""How docs/_static/vision/shapes_*.png were drawn: what the two small models answer on pictures of vision/shapes that were held out.

pip install dovetail dovetail-vision
python plugins/vision/recipes/shapes_pictures.py docs/_static/vision
"""

from __future__ import annotations

from pathlib import Path

import dovetail as dv
from dovetail import Tensor
from dovetail.nn import functional as F
from dovetail_vision.datasets import Shapes
from dovetail_vision.transforms import functional as TF
from dovetail_vision.utils import draw_bounding_boxes, draw_segmentation_masks, make_grid

SCALE, SHOWN, COLOURS = 2, 8, ["", "red", "lime", "dodgerblue", "yellow", "magenta"]


def larger(image: Tensor) -> Tensor:
    """Each pixel as a square of so many."""
    return F.interpolate(image[None].float(), scale_factor=SCALE, mode="nearest")[0].to(image.dtype)


def boxes(model: dv.nn.Module, image: Tensor) -> Tensor:
    """The boxes of an image (3, H, W), uint8, with class and score."""
    found = model([image.float() / 255])[0]
    found = {name: column[found["scores"] > 0.5] for name, column in found.items()}
    words = [f"{Shapes.categories[label]} {score:.2f}" for label, score in zip(found["labels"].tolist(), found["scores"].tolist())]
    colours = [COLOURS[label] for label in found["labels"].tolist()]
    return draw_bounding_boxes(larger(image), found["boxes"] * SCALE, words, colours, width=2, label_colors="white")


def classes(model: dv.nn.Module, image: Tensor) -> Tensor:
    """An image coloured by the classes of its pixels."""
    prepare = dv.weights.transforms("vision/shapes_segmenter@v1")
    answers = larger(model(prepare(image)[None])["out"].argmax(1))[0]
    masks = dv.stack([answers == k for k in range(1, len(COLOURS))])
    return draw_segmentation_masks(larger(image), masks, 0.6, COLOURS[1:])


@dv.no_grad()
def main(folder: str) -> None:
    """Draw both."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    images = [TF.pil_to_tensor(image) for image, _ in Shapes(split="test", size=SHOWN)]
    for name, answer in (("detector", boxes), ("segmenter", classes)):
        model = dv.models.create(f"vision/shapes_{name}", weights="v1").eval()
        answered = [answer(model, image) for image in images]
        grid = TF.to_pil_image(make_grid(answered, nrow=SHOWN // 2, pad_value=255))
        grid.quantize(96).save(Path(folder, f"shapes_{name}.png"), optimize=True)


if __name__ == "__main__":
    from _arguments import arguments  # its neighbour, where this is run as a program

    main(*arguments(__doc__, written="folder"))
