"""Oxford 102 Flowers: photographs with labels from MATLAB files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._fetch import fetch, fetch_and_extract
from ._files import intact, is_intact, need, parsed
from ._listed import Listed
from ._mat import read_mat
from .folder import default_loader
from .vision import Change, Loader, Root, one_of

__all__ = ["Flowers102"]

_CLASSES = """
pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold, tiger lily, moon orchid, bird of
paradise, monkshood, globe thistle, snapdragon, colt's foot, king protea, spear thistle, yellow iris, globe-flower, purple
coneflower, peruvian lily, balloon flower, giant white arum lily, fire lily, pincushion flower, fritillary, red ginger, grape
hyacinth, corn poppy, prince of wales feathers, stemless gentian, artichoke, sweet william, carnation, garden phlox, love in the
mist, mexican aster, alpine sea holly, ruby-lipped cattleya, cape flower, great masterwort, siam tulip, lenten rose, barbeton
daisy, daffodil, sword lily, poinsettia, bolero deep blue, wallflower, marigold, buttercup, oxeye daisy, common dandelion,
petunia, wild pansy, primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium, orange dahlia, pink-yellow dahlia?,
cautleya spicata, japanese anemone, black-eyed susan, silverbush, californian poppy, osteospermum, spring crocus, bearded iris,
windflower, tree poppy, gazania, azalea, water lily, rose, thorn apple, morning glory, passion flower, lotus, toad lily,
anthurium, frangipani, clematis, hibiscus, columbine, desert-rose, tree mallow, magnolia, cyclamen, watercress, canna lily,
hippeastrum, bee balm, ball moss, foxglove, bougainvillea, camellia, mallow, mexican petunia, bromelia, blanket flower, trumpet
creeper, blackberry lily
"""


class Flowers102(Listed):
    """Photographs of 102 kinds of flowers: 1,020 to train on, 1,020 to validate, 6,149 to test on.

    A sample is ``(image, label)``: what ``loader`` makes of the file (an "RGB" PIL image) and an int. Files lie in ``root/flowers-102``:
    ``jpg/image_00001.jpg`` and so on, ``imagelabels.mat``, ``setid.mat``; ``verify=False`` takes ones with another MD5.
    Raises MissingFiles, HashMismatch, FormatError.

    Source: M.-E. Nilsback, A. Zisserman, Automated Flower Classification over a Large Number of Classes, 2008.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.flowers102) as root:
    ...     flowers = Flowers102(root, verify=False)
    >>> flowers.classes[flowers._labels[0]]
    'hard-leaved pocket orchid'
    """

    classes: list[str] = " ".join(_CLASSES.split()).split(", ")
    _download_url_prefix = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
    _file_dict: dict[str, tuple[str, str]] = {
        "image": ("102flowers.tgz", "52808999861908f626f3c1f4e79d11fa"),
        "label": ("imagelabels.mat", "e0620be6f572b9609742df49c70aed4d"),
        "setid": ("setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c"),
    }
    _splits_map: dict[str, str] = {"train": "trnid", "val": "valid", "test": "tstid"}

    def __init__(
        self,
        root: Root,
        split: str = "train",
        transform: Change = None,
        target_transform: Change = None,
        download: bool = False,
        loader: Loader = default_loader,
        *,
        verify: bool = True,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, self._splits_map)
        self._base_folder = Path(self.root) / "flowers-102"
        self._images_folder = self._base_folder / "jpg"
        self.loader = loader
        if download:
            self.download()
        need(self._images_folder)
        ids = self._mat("setid", verify, self._splits_map[split])
        labels = self._mat("label", verify, "labels")
        with parsed(self._base_folder / "setid.mat", f"lists of numbers from 1 to {len(labels)}"):
            if ids and min(ids) < 1:
                raise ValueError(f"a number is {min(ids)}")
            self._labels = [int(labels[i - 1]) - 1 for i in ids]
            self._image_files = [self._images_folder / f"image_{i:05d}.jpg" for i in ids]

    def _mat(self, kind: str, verify: bool, name: str) -> list[Any]:
        file, md5 = self._file_dict[kind]
        path = intact(self._base_folder / file, md5 if verify else None)
        found = read_mat(path)
        with parsed(path, f"a MATLAB file with a row of numbers, {name}"):
            return [int(number) for number in found[name].reshape(-1).tolist()]

    def download(self) -> None:
        """Fetch the images and the two files of labels, unless they are there."""
        if not self._images_folder.is_dir():
            fetch_and_extract([self._download_url_prefix + self._file_dict["image"][0]], self._base_folder, self._file_dict["image"][1])
        for file, md5 in (self._file_dict["label"], self._file_dict["setid"]):
            if not is_intact(self._base_folder / file, md5):
                fetch([self._download_url_prefix + file], self._base_folder / file, md5)

    def extra_repr(self) -> str:
        """The line that names the split."""
        return f"split={self._split}"
