"""Optical flow: pairs of frames, and how far each pixel moves from one to the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dovetail.utils.data import ConcatDataset

from ._errors import MissingFiles
from ._files import lines, need, parsed, sorted_names
from ._rasters import read_flo, read_pfm, read_png16
from .folder import default_loader
from .vision import Loader, Root, VisionDataset, one_of

__all__ = ["FlowDataset", "FlyingChairs", "FlyingThings3D", "HD1K", "KittiFlow", "Sintel"]

FlowTransforms = Callable[..., Any] | None
_PASSES = {"clean": ["clean"], "final": ["final"], "both": ["clean", "final"]}


def matching(folder: Path, pattern: str) -> list[str]:
    """The paths below a folder that match a pattern, sorted."""
    return sorted(str(path) for path in folder.glob(pattern))


def missing(folder: Path, what: str) -> MissingFiles:
    """The error for a folder without the files that a dataset is made of."""
    return MissingFiles(folder, None, f"Could not find the {what} below this folder; please make sure the directory structure is correct")


class FlowDataset(VisionDataset):
    """The base of flow datasets: a subclass fills ``_image_list`` and ``_flow_list``, and reads flow.

    A sample is ``(image, image, flow)``, or ``(image, image, flow, valid)`` where the files say, or ``transforms`` gives, which pixels
    are valid; ``flow`` is a float32 array ``(2, H, W)``, None where it is not published. ``transforms`` takes and gives all four.
    """

    _has_builtin_flow_mask = False
    _read_flow: Callable[[str], Any] = staticmethod(read_flo)

    def __init__(self, root: Root, transforms: FlowTransforms = None, loader: Loader = default_loader) -> None:
        super().__init__(root)
        self.transforms = transforms
        self._loader = loader
        self._flow_list: list[str] = []
        self._image_list: list[list[str]] = []

    def _add_frames(self, frames: list[str]) -> None:
        self._image_list += [list(pair) for pair in itertools.pairwise(frames)]

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        one, two = (self._loader(path) for path in self._image_list[index])
        flow: Any = self._read_flow(self._flow_list[index]) if self._flow_list else None
        valid = None
        if self._has_builtin_flow_mask and flow is not None:
            flow, valid = flow
        if self.transforms is not None:
            one, two, flow, valid = self.transforms(one, two, flow, valid)
        return (one, two, flow, valid) if self._has_builtin_flow_mask or valid is not None else (one, two, flow)

    def __len__(self) -> int:
        return len(self._image_list)

    def __rmul__(self, v: int) -> ConcatDataset:
        return ConcatDataset([self] * v)


def _read_png_flow(path: str) -> tuple[np.ndarray, np.ndarray]:
    """KITTI's flow: two channels of (value + 2¹⁵) · 64, one that says which are valid."""
    pixels = read_png16(path).transpose(2, 0, 1)
    return (pixels[:2].astype(np.float32) - 2**15) / 64, pixels[2] != 0


class Sintel(FlowDataset):
    """Frames of an animated film, with flow in "train"; ``pass_name`` is "clean", "final" or "both".

    Files lie in ``root/Sintel/training/clean/SCENE``, ``training/flow/SCENE``, ``test/clean/SCENE``; samples as of :class:`FlowDataset`.

    Source: D. Butler et al., A Naturalistic Open Source Movie for Optical Flow Evaluation, 2012, http://sintel.is.tue.mpg.de.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.sintel) as root:
    ...     Sintel(root)[0][2].shape
    (2, 6, 8)
    """

    def __init__(
        self, root: Root, split: str = "train", pass_name: str = "clean", transforms: FlowTransforms = None, loader: Loader = default_loader
    ) -> None:
        super().__init__(root, transforms, loader)
        one_of(self, "split", split, ("train", "test"))
        one_of(self, "pass_name", pass_name, _PASSES)
        base = Path(root) / "Sintel"
        for name in _PASSES[pass_name]:
            images = base / ("training" if split == "train" else "test") / name
            for scene in sorted_names(images, lambda entry: entry.is_dir()):
                self._add_frames(matching(images / scene, "*.png"))
                if split == "train":
                    self._flow_list += matching(base / "training" / "flow" / scene, "*.flo")
        _paired(self, base)


def _paired(dataset: FlowDataset, base: Path) -> None:
    if dataset._flow_list and len(dataset._flow_list) != len(dataset._image_list):
        counts = f"{len(dataset._flow_list):,} files of flow for {len(dataset._image_list):,} pairs of images"
        raise MissingFiles(base, None, f"there are {counts} below this folder; please make sure the directory structure is correct")


class KittiFlow(FlowDataset):
    """Streets seen from a car, with flow and valid pixels in "train".

    Files lie in ``root/KittiFlow/training/image_2``, ``flow_occ``, ``testing/image_2``; samples as of :class:`FlowDataset`.

    Source: M. Menze, A. Geiger, Object Scene Flow for Autonomous Vehicles, 2015, http://www.cvlibs.net/datasets/kitti/.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.kitti_flow) as root:
    ...     _, _, flow, valid = KittiFlow(root)[0]
    >>> flow.dtype.name, valid.shape
    ('float32', (6, 8))
    """

    _has_builtin_flow_mask = True
    _read_flow = staticmethod(_read_png_flow)

    def __init__(self, root: Root, split: str = "train", transforms: FlowTransforms = None, loader: Loader = default_loader) -> None:
        super().__init__(root, transforms, loader)
        one_of(self, "split", split, ("train", "test"))
        base = Path(root) / "KittiFlow" / f"{split}ing"
        first, second = matching(base / "image_2", "*_10.png"), matching(base / "image_2", "*_11.png")
        if not first or not second:
            raise missing(base, "Kitti flow images")
        self._image_list = [list(pair) for pair in zip(first, second, strict=False)]
        if split == "train":
            self._flow_list = matching(base / "flow_occ", "*_10.png")
        _paired(self, base)


class FlyingChairs(FlowDataset):
    """22,872 pairs of rendered chairs before photographs, with flow, in "train" and "val".

    Files lie in ``root/FlyingChairs/data``, and ``root/FlyingChairs/FlyingChairs_train_val.txt`` says which part each is in.

    Source: A. Dosovitskiy et al., FlowNet: Learning Optical Flow with Convolutional Networks, 2015.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.flying_chairs) as root:
    ...     len(FlyingChairs(root)), len(FlyingChairs(root, "val"))
    (2, 1)
    """

    def __init__(self, root: Root, split: str = "train", transforms: FlowTransforms = None) -> None:
        super().__init__(root, transforms)
        one_of(self, "split", split, ("train", "val"))
        base = Path(root) / "FlyingChairs"
        how = "please download it from https://lmb.informatik.uni-freiburg.de/resources/datasets/FlyingChairs.en.html"
        path = need(base / "FlyingChairs_train_val.txt", how)
        images, flows = matching(base / "data", "*.ppm"), matching(base / "data", "*.flo")
        with parsed(path, f"{len(flows):,} lines of 1 (train) or 2 (val), as there are files of flow, and two images for each"):
            parts = [int(line) for line in lines(path)]
            if len(images) != 2 * len(flows) or len(parts) < len(flows):
                raise ValueError(f"{len(parts):,} lines, {len(images):,} images")
        wanted = 1 if split == "train" else 2
        for i, part in enumerate(parts[: len(flows)]):
            if part == wanted:
                self._flow_list.append(flows[i])
                self._image_list.append(images[2 * i : 2 * i + 2])


class FlyingThings3D(FlowDataset):
    """Rendered things that fly, with flow, in "train" and "test".

    ``pass_name`` is "clean", "final" or "both", ``camera`` "left", "right" or "both".

    Files lie in ``root/FlyingThings3D/frames_cleanpass/TRAIN/A/0000/left`` and ``optical_flow/TRAIN/A/0000/into_future/left``.

    Source: N. Mayer et al., A Large Dataset to Train Convolutional Networks for Disparity, Optical Flow, and Scene Flow Estimation, 2016.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.flying_things) as root:
    ...     len(FlyingThings3D(root)), len(FlyingThings3D(root, camera="both"))
    (4, 8)
    """

    _read_flow = staticmethod(read_pfm)

    def __init__(
        self,
        root: Root,
        split: str = "train",
        pass_name: str = "clean",
        camera: str = "left",
        transforms: FlowTransforms = None,
        loader: Loader = default_loader,
    ) -> None:
        super().__init__(root, transforms, loader)
        one_of(self, "split", split, ("train", "test"))
        one_of(self, "pass_name", pass_name, _PASSES)
        one_of(self, "camera", camera, ("left", "right", "both"))
        base = Path(root) / "FlyingThings3D"
        cameras = ["left", "right"] if camera == "both" else [camera]
        for name, side, direction in itertools.product(_PASSES[pass_name], cameras, ("into_future", "into_past")):
            images = matching(base / f"frames_{name}pass" / split.upper(), "*/*")
            flows = matching(base / "optical_flow" / split.upper(), "*/*")
            if not images or not flows:
                raise missing(base, "FlyingThings3D flow images")
            for scene, moves in zip(images, flows, strict=False):
                self._add_scene(matching(Path(scene) / side, "*.png"), matching(Path(moves) / direction / side, "*.pfm"), direction)
        _paired(self, base)

    def _add_scene(self, frames: list[str], flows: list[str], direction: str) -> None:
        pairs = [list(pair) for pair in itertools.pairwise(frames)][: max(len(flows) - 1, 0)]
        self._image_list += pairs if direction == "into_future" else [pair[::-1] for pair in pairs]
        self._flow_list += flows[:-1] if direction == "into_future" else flows[1:]


class HD1K(FlowDataset):
    """Streets of one town, with flow and valid pixels in "train".

    Files lie in ``root/hd1k/hd1k_input/image_2``, ``hd1k_flow_gt/flow_occ``, ``hd1k_challenge/image_2``; samples are as of
    :class:`FlowDataset`.

    Source: D. Kondermann et al., The HCI Benchmark Suite, 2016, http://hci-benchmark.iwr.uni-heidelberg.de.

    >>> from dovetail_vision.datasets import tiny
    >>> with tiny.made(tiny.hd1k) as root:
    ...     len(HD1K(root)), len(HD1K(root, "test"))
    (3, 1)
    """

    _has_builtin_flow_mask = True
    _read_flow = staticmethod(_read_png_flow)

    def __init__(self, root: Root, split: str = "train", transforms: FlowTransforms = None, loader: Loader = default_loader) -> None:
        super().__init__(root, transforms, loader)
        one_of(self, "split", split, ("train", "test"))
        base = Path(root) / "hd1k"
        if split == "train":
            for sequence in range(36):  # the last frame of one and the first of the next are no pair
                flows = matching(base / "hd1k_flow_gt" / "flow_occ", f"{sequence:06d}_*.png")
                self._flow_list += flows[:-1]
                self._add_frames(matching(base / "hd1k_input" / "image_2", f"{sequence:06d}_*.png")[: len(flows)])
        else:
            folder = base / "hd1k_challenge" / "image_2"
            self._image_list = [list(pair) for pair in zip(matching(folder, "*10.png"), matching(folder, "*11.png"), strict=False)]
        if not self._image_list:
            raise missing(base, "HD1K images")
        _paired(self, base)
