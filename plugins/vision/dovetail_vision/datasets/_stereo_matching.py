"""Stereo: pairs of pictures of two cameras, and how far apart each pixel lies in them."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dovetail.errors import ValueRangeError

from ._errors import DamagedFile, MissingFiles
from ._fetch import extract, fetch
from ._files import need, parsed, read_json
from ._image import open_image
from ._optical_flow import matching, missing
from ._rasters import read_pfm
from .vision import Root, VisionDataset, one_of

__all__ = [
    "CREStereo", "CarlaStereo", "ETH3DStereo", "FallingThingsStereo", "InStereo2k", "Kitti2012Stereo", "Kitti2015Stereo",
    "Middlebury2014Stereo", "SceneFlowStereo", "SintelStereo", "StereoMatchingDataset",
]  # fmt: skip

StereoTransforms = Callable[..., Any] | None
Disparity = tuple[np.ndarray | None, np.ndarray | None]
_MIDDLEBURY = "https://vision.middlebury.edu/stereo/"
_PASSES = {"clean": ["clean"], "final": ["final"], "both": ["clean", "final"]}


class StereoMatchingDataset(VisionDataset):
    """The base of stereo datasets: a subclass fills ``_images`` and ``_disparities``, pairs of paths, and reads one disparity.

    A sample is ``(left, right, disparity)``, or with ``valid`` as fourth where the files say, or ``transforms`` gives, which pixels are
    valid: two "RGB" PIL images, an array ``(1, H, W)`` in pixels and a bool array ``(H, W)``, or None where they are not published.
    ``transforms`` takes and gives three pairs, of images, disparities and masks.
    """

    _has_built_in_disparity_mask = False
    _images: list[tuple[Any, Any]]
    _disparities: list[tuple[Any, Any]]

    def __init__(self, root: Root, transforms: StereoTransforms = None) -> None:
        super().__init__(root)
        self.transforms = transforms
        self._images, self._disparities = [], []

    def _pairs(self, folder: Path, left: str, right: str | None = None) -> list[tuple[str, str | None]]:
        """Paths that match two patterns, side by side; without a second pattern, None stands there."""
        ones = matching(folder, left)
        others: list[Any] = [None] * len(ones) if right is None else matching(folder, right)
        for found, pattern in ((ones, left), (others, right)):
            if not found:
                raise missing(folder, f"files {pattern}")
        if len(ones) != len(others):
            raise DamagedFile(folder, None, f"Found {len(ones)} left files ({left}) but {len(others)} right files ({right})")
        return list(zip(ones, others, strict=True))

    def _add(self, images: list[tuple[Any, Any]], disparities: list[tuple[Any, Any]] | None) -> None:
        """Take pairs of images with those of disparities, None where these are not published."""
        if disparities is not None and len(disparities) != len(images):
            counts = f"{len(disparities):,} such disparities for {len(images):,} pairs of images"
            raise MissingFiles(disparities[0][0], None, f"there are {counts}; please make sure the directory structure is correct")
        self._images += images
        self._disparities += [(None, None)] * len(images) if disparities is None else disparities

    def _read_img(self, path: Any) -> Any:
        return open_image(path, "RGB")

    def _read_disparity(self, path: str) -> Disparity:
        raise NotImplementedError(f"{type(self).__name__} does not read disparities")

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        images = tuple(self._read_img(path) for path in self._images[index])
        found = [(None, None) if path is None else self._read_disparity(path) for path in self._disparities[index]]
        disparities, valid = zip(*found, strict=True)
        if self.transforms is not None:
            images, disparities, valid = self.transforms(images, disparities, valid)
        if self._has_built_in_disparity_mask or valid[0] is not None:
            return images[0], images[1], disparities[0], valid[0]
        return images[0], images[1], disparities[0]

    def __len__(self) -> int:
        return len(self._images)


def _pfm(path: str) -> np.ndarray:
    return np.abs(read_pfm(path, slice_channels=1))


class CarlaStereo(StereoMatchingDataset):
    """Streets of the simulator Carla; files lie in ``root/carla-highres/trainingF/SCENE``: im0.png, im1.png, disp0GT.pfm, disp1GT.pfm.

    Source: J. Li et al., Practical Stereo Matching via Cascaded Recurrent Network, 2022, https://arxiv.org/abs/2203.11483.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.carla_stereo) as root:
    ...     CarlaStereo(root)[0][2].shape
    (1, 6, 8)
    """

    def __init__(self, root: Root, transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        base = Path(root) / "carla-highres" / "trainingF"
        self._add(self._pairs(base, "*/im0.png", "*/im1.png"), self._pairs(base, "*/disp0GT.pfm", "*/disp1GT.pfm"))

    def _read_disparity(self, path: str) -> Disparity:
        return _pfm(path), None


class _KittiStereo(StereoMatchingDataset):
    """Disparities of 16 bits, in 256ths of a pixel."""

    _has_built_in_disparity_mask = True
    _places: ClassVar[tuple[str, str, str, str, str | None]]  # folder, left and right images, left and right disparities

    def __init__(self, root: Root, split: str = "train", transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        one_of(self, "split", split, ("train", "test"))
        folder, left, right, left_disparity, right_disparity = self._places
        base = Path(root) / folder / f"{split}ing"
        published = split == "train"
        self._add(self._pairs(base, left, right), self._pairs(base, left_disparity, right_disparity) if published else None)

    def _read_disparity(self, path: str) -> Disparity:
        return np.asarray(open_image(path))[None] / 256.0, None


class Kitti2012Stereo(_KittiStereo):
    """Streets seen from a car, 2012; files lie in ``root/Kitti2012/training``: colored_0, colored_1, disp_noc.

    Source: A. Geiger, P. Lenz, R. Urtasun, Are we ready for Autonomous Driving?, 2012, http://www.cvlibs.net/datasets/kitti/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.kitti_stereo) as root:
    ...     Kitti2012Stereo(root, "test")[0][2:]
    (None, None)
    """

    _places = ("Kitti2012", "colored_0/*_10.png", "colored_1/*_10.png", "disp_noc/*.png", None)


class Kitti2015Stereo(_KittiStereo):
    """Streets seen from a car, 2015; files lie in ``root/Kitti2015/training``: image_2, image_3, disp_occ_0, disp_occ_1.

    Source: M. Menze, A. Geiger, Object Scene Flow for Autonomous Vehicles, 2015.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.kitti_stereo) as root:
    ...     Kitti2015Stereo(root)[0][2].dtype.name
    'float64'
    """

    _places = ("Kitti2015", "image_2/*.png", "image_3/*.png", "disp_occ_0/*.png", "disp_occ_1/*.png")


class Middlebury2014Stereo(StereoMatchingDataset):
    """33 scenes indoors: "train", "additional" and, without disparities, "test" (with ``calibration=None``).

    ``calibration`` is "perfect", "imperfect" or "both"; ``use_ambient_views`` draws the right image, with Python's ``random``, from those
    of other light and exposure. Files lie in ``root/Middlebury2014/train/SCENE-perfect``.

    Source: D. Scharstein et al., High-Resolution Stereo Datasets with Subpixel-Accurate Ground Truth, 2014.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.middlebury_stereo) as root:
    ...     len(Middlebury2014Stereo(root)), len(Middlebury2014Stereo(root, calibration="both"))
    (1, 2)
    """

    _has_built_in_disparity_mask = True
    splits: ClassVar[dict[str, list[str]]] = {
        "train": "Adirondack Jadeplant Motorcycle Piano Pipes Playroom Playtable Recycle Shelves Vintage".split(),
        "additional": "Backpack Bicycle1 Cable Classroom1 Couch Flowers Mask Shopvac Sticks Storage Sword1 Sword2 Umbrella".split(),
        "test": (
            "Plants Classroom2E Classroom2 Australia DjembeL CrusadeP Crusade Hoops Bicycle2 Staircase Newkuba AustraliaP Djembe "
            "Livingroom Computer"
        ).split(),
    }
    _ENDS: ClassVar[dict[str | None, list[str]]] = {
        None: [""], "perfect": ["-perfect"], "imperfect": ["-imperfect"], "both": ["-perfect", "-imperfect"],
    }  # fmt: skip

    def __init__(
        self,
        root: Root,
        split: str = "train",
        calibration: str | None = "perfect",
        use_ambient_views: bool = False,
        transforms: StereoTransforms = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transforms)
        self.split = one_of(self, "split", split, self.splits)
        if calibration is not None:
            one_of(self, "calibration", calibration, ("perfect", "imperfect", "both"))
        if (calibration is None) != (split == "test"):
            expected = "calibration=None, as it has no settings" if split == "test" else "'perfect', 'imperfect' or 'both'"
            raise ValueRangeError("Middlebury2014Stereo", f"calibration is {calibration!r} for the split {split!r}", f"expected {expected}")
        self.use_ambient_views = use_ambient_views
        if download:
            self._download_dataset(root)
        base = need(Path(root) / "Middlebury2014" / split)
        if not any(name.startswith(tuple(self.splits[split])) for name in os.listdir(base)):
            raise missing(base, f"scenes of the split {split!r}")
        for end in self._ENDS[calibration]:
            images = self._pairs(base, f"*{end}/im0.png", f"*{end}/im1.png")
            self._add(images, None if split == "test" else self._pairs(base, f"*{end}/disp0.pfm", f"*{end}/disp1.pfm"))

    def _read_img(self, path: Any) -> Any:
        path = Path(path)
        if path.name == "im1.png" and self.use_ambient_views:
            others = [path.with_name(name) for name in ("im1E.png", "im1L.png")]
            path = random.choice([other for other in others if other.exists()] + [path])
        return super()._read_img(path)

    def _read_disparity(self, path: str) -> Disparity:
        disparity = _pfm(path)
        disparity[disparity == np.inf] = 0
        return disparity, disparity[0] > 0

    def _download_dataset(self, root: Root) -> None:
        folder = Path(root) / "Middlebury2014" / self.split
        if self.split != "test":
            for scene in (f"{name}{end}" for name in self.splits[self.split] for end in self._ENDS["both"]):
                if not (folder / scene).exists():
                    archive = fetch([f"{_MIDDLEBURY}data/scenes2014/zip/{scene}.zip"], folder / f"{scene}.zip")
                    extract(archive, folder)
                    archive.unlink()
        elif not all((folder / scene).is_dir() for scene in self.splits["test"]):
            archive = fetch([f"{_MIDDLEBURY}submit3/zip/MiddEval3-data-F.zip"], folder.parent / "MiddEval3-data-F.zip")
            extract(archive, folder.parent)
            folder.mkdir(exist_ok=True)
            for scene in (folder.parent / "MiddEval3" / "testF").iterdir():
                os.replace(scene, folder / scene.name)
            shutil.rmtree(folder.parent / "MiddEval3")
            archive.unlink()


class CREStereo(StereoMatchingDataset):
    """Rendered scenes; files lie in ``root/CREStereo/tree`` (hole, reflective, shapenet): X_left.jpg, X_right.jpg, X_left.disp.png …

    Source: J. Li et al., Practical Stereo Matching via Cascaded Recurrent Network, 2022, https://arxiv.org/abs/2203.11483.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.cre_stereo) as root:
    ...     len(CREStereo(root))
    4
    """

    _has_built_in_disparity_mask = True

    def __init__(self, root: Root, transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        for kind in ("shapenet", "reflective", "tree", "hole"):
            base = Path(root) / "CREStereo" / kind
            self._add(self._pairs(base, "*_left.jpg", "*_right.jpg"), self._pairs(base, "*_left.disp.png", "*_right.disp.png"))

    def _read_disparity(self, path: str) -> Disparity:
        return np.asarray(open_image(path), np.float32)[None] / 32.0, None


class FallingThingsStereo(StereoMatchingDataset):
    """Rendered things that fall; ``variant`` is "single", "mixed" or "both".

    Files lie in ``root/FallingThings/single/THING/SCENE`` and ``mixed/SCENE``: X.left.jpg, X.left.depth.png, _camera_settings.json …

    Source: J. Tremblay, T. To, S. Birchfield, Falling Things: A Synthetic Dataset for 3D Object Detection and Pose Estimation, 2018.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.falling_things_stereo) as root:
    ...     FallingThingsStereo(root)[0][2].dtype.name
    'float32'
    """

    def __init__(self, root: Root, variant: str = "single", transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        one_of(self, "variant", variant, ("single", "mixed", "both"))
        for kind in ("single", "mixed") if variant == "both" else (variant,):
            base, inside = Path(root) / "FallingThings" / kind, "*/*" if kind == "single" else "*"
            images = self._pairs(base, f"{inside}/*.left.jpg", f"{inside}/*.right.jpg")
            self._add(images, self._pairs(base, f"{inside}/*.left.depth.png", f"{inside}/*.right.depth.png"))

    def _read_disparity(self, path: str) -> Disparity:
        settings = Path(path).parent / "_camera_settings.json"
        with parsed(settings, "a list of camera_settings with intrinsic_settings"):
            focal = read_json(settings)["camera_settings"][0]["intrinsic_settings"]["fx"]
            baseline, pixel_constant = 6, 100  # centimetres between the cameras; the depth is in hundredths of them
            with np.errstate(divide="ignore"):
                return (baseline * focal * pixel_constant) / np.asarray(open_image(path)).astype(np.float32)[None], None


class SceneFlowStereo(StereoMatchingDataset):
    """Rendered scenes; ``variant`` is "FlyingThings3D", "Monkaa" or "Driving", ``pass_name`` "clean", "final" or "both".

    Files lie in ``root/SceneFlow/VARIANT/frames_cleanpass/…/left`` and ``disparity/…/left``.

    Source: N. Mayer et al., A Large Dataset to Train Convolutional Networks for Disparity, Optical Flow, and Scene Flow Estimation, 2016.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.scene_flow_stereo) as root:
    ...     len(SceneFlowStereo(root, "Monkaa", "both"))
    2
    """

    def __init__(self, root: Root, variant: str = "FlyingThings3D", pass_name: str = "clean", transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        one_of(self, "variant", variant, ("FlyingThings3D", "Driving", "Monkaa"))
        one_of(self, "pass_name", pass_name, _PASSES)
        base, inside = Path(root) / "SceneFlow" / variant, "*" if variant == "Monkaa" else "*/*/*"
        for name in _PASSES[pass_name]:
            images = self._pairs(base / f"frames_{name}pass", f"{inside}/left/*.png", f"{inside}/right/*.png")
            self._add(images, self._pairs(base / "disparity", f"{inside}/left/*.pfm", f"{inside}/right/*.pfm"))

    def _read_disparity(self, path: str) -> Disparity:
        return _pfm(path), None


class SintelStereo(StereoMatchingDataset):
    """Frames of an animated film; ``pass_name`` is "final", "clean" or "both".

    Files lie in ``root/Sintel/training``: final_left, final_right, disparities, occlusions, outofframe, each with one folder a scene.

    Source: D. Butler et al., A Naturalistic Open Source Movie for Optical Flow Evaluation, 2012, http://sintel.is.tue.mpg.de/stereo.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.sintel_stereo) as root:
    ...     SintelStereo(root)[0][3].shape
    (6, 8)
    """

    _has_built_in_disparity_mask = True

    def __init__(self, root: Root, pass_name: str = "final", transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        one_of(self, "pass_name", pass_name, _PASSES)
        base = Path(root) / "Sintel" / "training"
        for name in reversed(_PASSES[pass_name]):
            self._add(self._pairs(base, f"{name}_left/*/*.png", f"{name}_right/*/*.png"), self._pairs(base, "disparities/*/*.png"))

    def _read_disparity(self, path: str) -> Disparity:
        place = Path(path)
        scene, base = place.parent.name, place.parent.parent.parent
        hidden, outside = (np.asarray(open_image(need(base / kind / scene / place.name))) for kind in ("occlusions", "outofframe"))
        with parsed(path, "a disparity in three channels"):
            red, green, blue = np.asarray(open_image(path), np.float32).transpose(2, 0, 1)[:, None]
            return red * 4 + green / (2**6) + blue / (2**14), (outside == 0) & (hidden == 0)


class InStereo2k(StereoMatchingDataset):
    """2,050 scenes indoors, in "train" and "test"; files lie in ``root/InStereo2k/train/SCENE``: left.png, right.png, left_disp.png …

    Source: W. Bao et al., InStereo2K: a large real dataset for stereo matching in indoor scenes, 2020.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.in_stereo_2k) as root:
    ...     InStereo2k(root)[0][2].shape
    (1, 6, 8)
    """

    def __init__(self, root: Root, split: str = "train", transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        one_of(self, "split", split, ("train", "test"))
        base = Path(root) / "InStereo2k" / split
        self._add(self._pairs(base, "*/left.png", "*/right.png"), self._pairs(base, "*/left_disp.png", "*/right_disp.png"))

    def _read_disparity(self, path: str) -> Disparity:
        return np.asarray(open_image(path), np.float32)[None] / 1024.0, None


class ETH3DStereo(StereoMatchingDataset):
    """Grey scenes indoors and outdoors: 27 in "train", 20 without disparities in "test".

    Files lie in ``root/ETH3D``: two_view_training/SCENE (im0.png, im1.png), two_view_training_gt/SCENE (disp0GT.pfm, mask0nocc.png),
    two_view_test.

    Source: T. Schöps et al., A Multi-View Stereo Benchmark with High-Resolution Images and Multi-Camera Videos, 2017.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.eth3d_stereo) as root:
    ...     ETH3DStereo(root)[0][3].dtype.name
    'bool'
    """

    _has_built_in_disparity_mask = True

    def __init__(self, root: Root, split: str = "train", transforms: StereoTransforms = None) -> None:
        super().__init__(root, transforms)
        one_of(self, "split", split, ("train", "test"))
        base = Path(root) / "ETH3D"
        images = self._pairs(base / f"two_view_{'training' if split == 'train' else 'test'}", "*/im0.png", "*/im1.png")
        self._add(images, self._pairs(base / "two_view_training_gt", "*/disp0GT.pfm") if split == "train" else None)

    def _read_disparity(self, path: str) -> Disparity:
        return _pfm(path), np.asarray(open_image(Path(path).parent / "mask0nocc.png")).astype(bool)
