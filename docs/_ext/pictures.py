"""Pictures for the cards of the registry: a drawn scene as each transform leaves it, and samples of the datasets that ship."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

__all__ = ["of", "save_scene", "scene", "shown"]

FOLDER = Path(__file__).resolve().parent.parent / "_build" / "registry"
SIZE = (240, 160)

#: Arguments with which a transform shows what it does; without any, those that it has by itself.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "center_crop": {"size": (100, 150)},
    "color_jitter": {"brightness": 0.5, "contrast": 0.5, "saturation": 0.8, "hue": 0.4},
    "elastic_transform": {"alpha": 120.0},
    "five_crop": {"size": (80, 120)},
    "gaussian_blur": {"kernel_size": 15, "sigma": 5.0},
    "gaussian_noise": {"sigma": 0.2},
    "grey_classification": {"size": 40, "mean": 0.0, "std": 1.0},
    "image_classification": {"crop_size": 120, "resize_size": 130, "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
    "jpeg": {"quality": 4},
    "normalize": {"mean": (0.4, 0.3, 0.2), "std": (0.8, 0.8, 0.8)},
    "pad": {"padding": 24, "padding_mode": "reflect"},
    "random_adjust_sharpness": {"sharpness_factor": 8.0, "p": 1.0},
    "random_affine": {"degrees": 25, "translate": (0.1, 0.1), "shear": 15},
    "random_autocontrast": {"p": 1.0},
    "random_crop": {"size": (100, 150)},
    "random_equalize": {"p": 1.0},
    "random_erasing": {"p": 1.0, "scale": (0.1, 0.2)},
    "random_grayscale": {"p": 1.0},
    "random_horizontal_flip": {"p": 1.0},
    "random_invert": {"p": 1.0},
    "random_perspective": {"p": 1.0},
    "random_photometric_distort": {"p": 1.0},
    "random_posterize": {"bits": 2, "p": 1.0},
    "random_resize": {"min_size": 40, "max_size": 60},
    "random_resized_crop": {"size": (100, 150), "scale": (0.2, 0.4)},
    "random_rotation": {"degrees": (20, 40)},
    "random_shortest_size": {"min_size": 48},
    "random_solarize": {"threshold": 128, "p": 1.0},
    "random_vertical_flip": {"p": 1.0},
    "random_zoom_out": {"p": 1.0},
    "resize": {"size": (40, 60)},
    "scale_jitter": {"target_size": (120, 120)},
    "ten_crop": {"size": (80, 120)},
}
PLAIN = {
    "identity",
    "to_tensor",
    "pil_to_tensor",
    "to_image",
    "to_pil_image",
    "to_dtype",
    "to_pure_tensor",
    "convert_image_dtype",
    "compose",
}


@functools.cache
def scene() -> Image.Image:
    """A tree on a hill under the sun: no picture of anyone, and it has an up, a left, colours, edges and a sky that changes slowly."""
    width, height = SIZE
    sky = np.linspace([96, 156, 214], [250, 222, 178], height)[:, None].repeat(width, 1)
    image = Image.fromarray(sky.astype("uint8"))
    pen = ImageDraw.Draw(image)
    pen.ellipse((168, 18, 208, 58), fill="#f7d154")
    pen.polygon([(0, 112), (60, 78), (128, 106), (196, 70), (240, 96), (240, 160), (0, 160)], fill="#7c9a6a")
    pen.polygon([(0, 138), (80, 112), (170, 134), (240, 120), (240, 160), (0, 160)], fill="#4f7a4a")
    pen.rectangle((58, 86, 66, 122), fill="#6b3f22")
    for x, y, r, colour in ((46, 78, 17, "#2f6b3a"), (78, 76, 18, "#37773f"), (62, 60, 22, "#3f8748")):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    pen.rectangle((140, 104, 184, 130), fill="#b5563c")
    pen.polygon([(134, 104), (162, 82), (190, 104)], fill="#6d2f22")
    pen.rectangle((156, 112, 168, 130), fill="#f1e3c6")
    return image


def save_scene() -> None:
    """Write the scene itself, for the page of the transforms."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _framed([scene()]).save(FOLDER / "scene.png", optimize=True)


def of(kind: str, entry: Any) -> str:
    """The path of a picture, from the folder of the documentation; empty where there is none."""
    space, made = entry.key.partition("/")[0], None
    if space == "vision" and kind == "transforms" and _name(entry) not in PLAIN:
        made = shown(entry)
    elif kind == "datasets" and "offline" in entry.fields.get("tags", ()) and space == "vision":
        made = _samples(entry.key)
    if made is None:
        return ""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{entry.key.partition('/')[2].replace('@', '-')}.png"
    made.save(FOLDER / name, optimize=True)
    return f"/_build/registry/{name}"


def shown(entry: Any) -> Image.Image | None:
    """The scene as a transform leaves it; None for one that wants something else, or that changes nothing that can be seen."""
    import dovetail as dv

    dv.manual_seed(2)
    result = _applied(entry)
    several = list(result) if isinstance(result, tuple | list) else [result]
    if not all(isinstance(one, Image.Image) or (isinstance(one, dv.Tensor) and one.ndim == 3) for one in several):
        return None
    parts = [one if isinstance(one, Image.Image) else _image(one) for one in several]
    unchanged = len(parts) == 1 and parts[0].size == SIZE and np.array_equal(np.asarray(parts[0].convert("RGB")), np.asarray(scene()))
    return None if unchanged else _framed(parts)


def _applied(entry: Any) -> Any:
    """What a transform makes of the scene: of the PIL image, of a tensor of shares, or of bytes, whichever it takes."""
    from dovetail.vision.transforms import functional

    tensor = functional.pil_to_tensor(scene())
    inputs = [scene()] if "pil" in entry.fields.get("tags", ()) else []
    for given in (*inputs, tensor / 255, tensor):
        try:
            return entry.load()(**ARGUMENTS.get(_name(entry), {}))(given)
        except (TypeError, ValueError, RuntimeError, AttributeError):
            continue
    return None


def _name(entry: Any) -> str:
    """The name of a transform without its namespace and its version."""
    return entry.key.partition("/")[2].partition("@")[0]


def _image(result: Any) -> Image.Image:
    import dovetail as dv
    from dovetail.vision.transforms import functional

    if isinstance(result, Image.Image):
        return result
    return functional.to_pil_image(result if result.dtype == dv.uint8 else (result.float().clamp(0, 1) * 255).round().to(dv.uint8))


def _framed(parts: list[Image.Image]) -> Image.Image:
    """Pictures on a ground of one size, so that what is small stays small."""
    columns = 1 if len(parts) == 1 else (len(parts) + 1) // 2
    rows = -(-len(parts) // columns)
    ground = Image.new("RGB", (SIZE[0] + 16, SIZE[1] + 16), "#fffdf9")
    cell = (ground.width // columns, ground.height // rows)
    for number, part in enumerate(parts):
        small = part.convert("RGB")
        small.thumbnail((cell[0] - 4, cell[1] - 4))
        left, top = (number % columns) * cell[0], (number // columns) * cell[1]
        ground.paste(small, (left + (cell[0] - small.width) // 2, top + (cell[1] - small.height) // 2))
    return ground


def _samples(key: str) -> Image.Image | None:
    """The first pictures of a dataset that ships inside its package."""
    from dovetail import datasets

    try:
        made = datasets.load(key)
        found = [made[index][0] for index in range(6)]
    except (TypeError, ValueError, RuntimeError, OSError):
        return None
    if not all(isinstance(one, Image.Image) for one in found):
        return None
    return _framed([one.resize((72, 72), Image.Resampling.NEAREST) for one in found])
