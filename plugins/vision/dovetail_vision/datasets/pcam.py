"""PCAM: patches of tissue from HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from dovetail.errors import RangeError

from ._errors import DamagedFile, package
from ._fetch import drive, extract, fetch
from ._files import need, parsed
from .vision import Change, Root, VisionDataset, one_of

__all__ = ["PCAM"]


class PCAM(VisionDataset):
    """Patches of lymph nodes, 96 × 96, with or without a metastasis: 262,144 in "train", 32,768 in "val" and in "test".

    A sample is ``(image, label)``: an "RGB" PIL image and 0 or 1. The files ``camelyonpatch_level_2_split_train_x.h5``, ``…_y.h5`` lie in
    ``root/pcam``. Needs the package h5py (``dovetail-vision[hdf5]``).

    Source: B. Veeling et al., Rotation Equivariant CNNs for Digital Pathology, 2018, https://arxiv.org/abs/1806.03962, CC0.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.pcam) as root:
    ...     PCAM(root)[2][1]
    1
    """

    #: Split → (file, Google Drive's id of it packed, MD5 of it packed) of images and labels.
    _FILES: ClassVar[dict[str, dict[str, tuple[str, str, str]]]] = {
        split: {"images": (f"camelyonpatch_level_2_split_{name}_x.h5", *x), "targets": (f"camelyonpatch_level_2_split_{name}_y.h5", *y)}
        for split, name, x, y in (
            ("train", "train", ("1Ka0XfEMiwgCYPdTI-vv6eUElOBnKFKQ2", "1571f514728f59376b705fc836ff4b63"),
             ("1269yhu3pZDP8UYFQs-NYs3FPwuK-nGSG", "35c2d7259d906cfc8143347bb8e05be7")),
            ("test", "test", ("1qV65ZqZvWzuIVthK8eVDhIwrbnsJdbg_", "d8c2d60d490dbd479f8199bdfa0cf6ec"),
             ("17BHrSrwWKjYsOgTMmoqrIjDy6Fa2o_gP", "60a7035772fbdb7f34eb86d4420cf66a")),
            ("val", "valid", ("1hgshYGWK8V-eGRy8LToWJJgDU_rXWVJ3", "d5b63470df7cfa627aeec8b9dc0c066e"),
             ("1bH8ZRbhSVAhScTS0p9-ZzGnX91cHT3uO", "2b85f58b927af9964a4c15b8f7e8f179")),
        )
    }  # fmt: skip

    def __init__(
        self, root: Root, split: str = "train", transform: Change = None, target_transform: Change = None, download: bool = False
    ) -> None:
        package("h5py", "PCAM", "hdf5")
        super().__init__(root, transform=transform, target_transform=target_transform)
        self._split = one_of(self, "split", split, ("train", "test", "val"))
        self._base_folder = Path(self.root) / "pcam"
        if download:
            self._download()
        self._length, labels = self._read("images", "x", None), self._read("targets", "y", None)
        if self._length != labels:
            raise DamagedFile(self._path("targets"), None, f"has {labels:,} labels for {self._length:,} images; fetch it again")

    def _path(self, kind: str) -> Path:
        return self._base_folder / self._FILES[self._split][kind][0]

    def _read(self, kind: str, name: str, index: int | None) -> Any:
        """One row of a table, or its length; the file is opened each time, so that any process may ask."""
        path = need(self._path(kind))
        try:
            with package("h5py", "PCAM", "hdf5").File(path, "r") as file:
                return len(file[name]) if index is None else file[name][index]
        except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
            raise DamagedFile(
                path, None, f"cannot be read as HDF5 with {name!r} ({type(error).__name__}: {error}); fetch it again"
            ) from error

    def _download(self) -> None:
        for name, file_id, md5 in self._FILES[self._split].values():
            if not (self._base_folder / name).exists():
                extract(fetch([drive(file_id)], self._base_folder / f"{name}.gz", md5), self._base_folder / name)

    def __getitem__(self, idx: int) -> tuple[Any, Any]:
        if not -len(self) <= idx < len(self):
            raise RangeError("PCAM", f"index is {idx}", f"expected {-len(self)} to {len(self) - 1}")
        with parsed(self._path("images"), "a table x of uint8 (N, 96, 96, 3)"):
            image = Image.fromarray(self._read("images", "x", idx)).convert("RGB")
        with parsed(self._path("targets"), "a table y of (N, 1, 1, 1)"):
            label = int(self._read("targets", "y", idx).reshape(-1)[0])
        return self._each(image, label)

    def __len__(self) -> int:
        return self._length
