"""`dovetail predict`: ask a model what is on images, from the command line."""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from .answers import Answer

__all__ = ["predict"]


#: What a model of images has one of, where its plugin says what it is.
_OF_IMAGES = {"image", "classification", "detection", "segmentation"}


class Asked:
    """The model with its weights, what prepares its images, and the names of its classes."""

    def __init__(self, key: str, named: str | None) -> None:
        from dovetail import load, models, nn, weights

        self.key = key
        tags = models.get(key).fields.get("tags", ())
        if tags and not _OF_IMAGES.intersection(tags):
            raise click.ClickException(f"{key} is no model of images, but of {', '.join(tags)}; see 'dovetail models list --tag image'")
        rows = [weights.get(name) for name in weights.list(f"{models.get(key).key}@*")]
        chosen: Any = named or "DEFAULT"
        file = Path(chosen)
        if file.is_file():
            chosen, row = load(file), next((row for row in rows if row.default), rows[0] if rows else None)
        elif not rows:
            raise click.ClickException(f"{key} comes without trained weights; give a file of your own: --weights FILE")
        elif file.suffix in (".pth", ".pt", ".safetensors", ".dvt"):
            raise click.ClickException(f"--weights {chosen}: there is no such file")
        else:
            row = self._row(rows, chosen)
            chosen = row.key
        # the file has the backbone too: none is to be fetched for it
        config = {"weights_backbone": None} if "weights_backbone" in signature(models.get(key).load()).parameters else {}
        self.model = (chosen if isinstance(chosen, nn.Module) else models.create(key, weights=chosen, **config)).eval()
        said = {} if row is None else row.fields
        given = {name: said[name] for name in ("transforms", "transforms_config", "meta") if name in said}
        self.about = models.get(key).fields | given  # what is said of inputs and classes
        self.listed = "detection" in self.about.get("tags", ())
        self.prepare = self._prepare()
        self.classes = self._classes()

    def _row(self, rows: list[Any], name: str) -> Any:
        if name == "DEFAULT":
            return next((row for row in rows if row.default), rows[0])
        key = name if "/" in name else f"{rows[0].model}@{name.lower()}"
        for row in rows:
            if row.key == key:
                return row
        have = ", ".join(row.key.partition("@")[2] for row in rows)
        raise click.ClickException(f"{self.key} has no weights {name!r}; it has {have}, and --weights takes a file too")

    def _prepare(self) -> Any:
        from dovetail import dtypes, plugins

        from ..transforms import ConvertImageDtype, _presets

        if "transforms" in self.about:
            return plugins.transforms.load(self.about["transforms"])(**self.about.get("transforms_config", {}))
        if "classification" in self.about.get("tags", ()):
            return _presets.ImageClassification(crop_size=224)
        return ConvertImageDtype(dtypes.float32)

    def _classes(self) -> list[str] | None:
        from ..models._api import categories_of

        return categories_of(self.about.get("meta", {}))


def _read(path: str) -> Any:
    """An image file as uint8 ``(3, H, W)``, turned as its camera says; of an animation the first picture."""
    from dovetail import dtypes

    from ..io import read_image
    from ..transforms.v2.functional import to_dtype

    image = read_image(path, "RGB", apply_exif_orientation=True)
    return to_dtype(image if image.ndim == 3 else image[0], dtypes.uint8, scale=True)


def _target(path: str, out: Path | None, several: bool) -> Path:
    """Where the picture of an answer goes: beside nothing else, as NAME.predicted.png, into the folder or file that --out names."""
    name = f"{Path(path).stem}.predicted.png"
    if out is None:
        return Path(name)
    if several or out.is_dir():
        out.mkdir(parents=True, exist_ok=True)
        return out / name
    out.parent.mkdir(parents=True, exist_ok=True)
    return out


def _write(picture: Any, target: Path) -> None:
    from PIL import Image

    from dovetail.io.atomic import replacing

    from ..transforms.functional import to_pil_image

    Image.init()
    kind = Image.EXTENSION.get(target.suffix.lower())
    if kind not in Image.SAVE:
        raise click.ClickException(f"--out {target}: there is no format for {target.suffix!r}; take .png or .jpg")
    with replacing(target) as temporary:
        to_pil_image(picture).save(temporary, format=kind)


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _say(path: str, found: Answer, target: Path | None) -> None:
    from dovetail.cli.manage import show

    click.secho(path, bold=True)
    if found.rows:
        show(found.columns, ([_cell(row[name]) for name in found.columns] for row in found.rows))
    else:
        click.echo("  nothing found; a lower --threshold may show more")
    if target is not None:
        click.echo(f"  drawn: {target}")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("images", nargs=-1, required=True, metavar="IMAGE…")
@click.option("--model", "key", required=True, metavar="KEY", help="A model of 'dovetail models list', such as vision/resnet18.")
@click.option(
    "--weights", "named", metavar="KEY|FILE", help="Its weights: one of 'dovetail weights list', or a file. By default those it recommends."
)
@click.option("--out", type=click.Path(path_type=Path), help="File or folder for the drawn answers; by default NAME.predicted.png here.")
@click.option("--threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="The least score of a box.")
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="How many classes are shown.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list with one object an image.")
def predict(images: tuple[str, ...], key: str, named: str | None, out: Path | None, threshold: float, top: int, as_json: bool) -> None:
    """Ask a model what is on images: classes are printed, boxes and segmentations are printed and drawn."""
    from dovetail.errors import DovetailError

    from .answers import answer

    try:
        asked = Asked(key, named)
        results = []
        for path in images:
            found = answer(asked.model, asked.prepare, _read(path), asked.classes, threshold, top, asked.listed)
            target = None if found.picture is None else _target(path, out, len(images) > 1)
            if target is not None:
                _write(found.picture, target)
            results.append({"image": path, "task": found.task, "found": found.rows, "picture": target and str(target)})
            if not as_json:
                _say(path, found, target)
    except (DovetailError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(results, indent=2, ensure_ascii=False))
