"""Tiny sets for optical flow and stereo: .flo, .pfm and PNG of 16 bits."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from .make import photo, pixels, text

__all__ = [
    "carla_stereo", "cre_stereo", "eth3d_stereo", "falling_things_stereo", "flo", "flying_chairs", "flying_things", "hd1k", "in_stereo_2k",
    "kitti_flow", "kitti_stereo", "middlebury_stereo", "pfm", "png16", "scene_flow_stereo", "sintel", "sintel_stereo",
]  # fmt: skip


FILTERS = (0, 1, 2, 3, 4)


def _floats(seed: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-9, 9, shape).astype(np.float32)


def flo(path: Path, flow: np.ndarray) -> None:
    """Write flow ``(2, H, W)`` in Middlebury's format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, height, width = flow.shape
    path.write_bytes(b"PIEH" + struct.pack("<ii", width, height) + flow.transpose(1, 2, 0).astype("<f4").tobytes())


def pfm(path: Path, values: np.ndarray, order: str = "<") -> None:
    """Write a map of floats ``(C, H, W)``, C 1 or 3, from the bottom row up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels, height, width = values.shape
    head = f"{'PF' if channels == 3 else 'Pf'}\n{width} {height}\n{'-1.0' if order == '<' else '1.0'}\n"
    path.write_bytes(head.encode() + values.transpose(1, 2, 0)[::-1].astype(f"{order}f4").tobytes())


def png16(path: Path, values: np.ndarray) -> None:
    """Write a PNG of 16 bits from uint16 ``(H, W, 3)``; its rows take the filters by turns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = values.shape
    plain = np.zeros((height + 1, width + 1, 6), np.int64)
    plain[1:, 1:] = values.astype(">u2").view(np.uint8).reshape(height, width, 6)
    now, left, above, corner = plain[1:, 1:], plain[1:, :-1], plain[:-1, 1:], plain[:-1, :-1]
    near = left + above - corner
    distance = np.abs(np.stack([near - left, near - above, near - corner]))
    paeth = np.choose(distance.argmin(0), [left, above, corner])
    guesses = [0 * now, left, above, (left + above) // 2, paeth]
    turns = ((y, FILTERS[y % len(FILTERS)]) for y in range(height))
    rows = (bytes([kind]) + ((now[y] - guesses[kind][y]) % 256).astype(np.uint8).tobytes() for y, kind in turns)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b""))


def _flow_png(path: Path, seed: int) -> None:
    draw = np.random.RandomState(seed)
    values = draw.randint(0, 1 << 16, (6, 8, 3)).astype(np.uint16)
    values[:, :, 2] = draw.randint(0, 2, (6, 8))
    png16(path, values)


def _grey16(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.RandomState(seed).randint(1, 1 << 16, (6, 8)).astype(np.uint16)).save(path)


def sintel(folder: Path) -> None:
    """Three frames of one scene and two of another to train on, two to test on."""
    base = folder / "Sintel"
    for number, (scene, count) in enumerate((("alley_1", 3), ("bandage_1", 2))):
        for i in range(1, count + 1):
            for name in ("clean", "final"):
                photo(base / "training" / name / scene / f"frame_000{i}.png", 10 * number + i)
            if i < count:
                flo(base / "training" / "flow" / scene / f"frame_000{i}.flo", _floats(10 * number + i, 2, 6, 8))
    for i in (1, 2):
        photo(base / "test" / "clean" / "market_1" / f"frame_000{i}.png", i)


def kitti_flow(folder: Path) -> None:
    """Two pairs to train on, one to test on."""
    base = folder / "KittiFlow"
    for part, count in (("training", 2), ("testing", 1)):
        for i in range(count):
            for frame in (10, 11):
                photo(base / part / "image_2" / f"00000{i}_{frame}.png", 2 * i + frame)
            if part == "training":
                _flow_png(base / part / "flow_occ" / f"00000{i}_10.png", i)


def flying_chairs(folder: Path) -> None:
    """Three pairs, two of them to train on."""
    base = folder / "FlyingChairs"
    for i in range(1, 4):
        for side in (1, 2):
            photo(base / "data" / f"0000{i}_img{side}.ppm", 2 * i + side)
        flo(base / "data" / f"0000{i}_flow.flo", _floats(i, 2, 6, 8))
    text(base / "FlyingChairs_train_val.txt", "1", "2", "1")


def flying_things(folder: Path) -> None:
    """Three frames of one scene, for both cameras and both directions."""
    base, scene = folder / "FlyingThings3D", "TRAIN/A/0000"
    for number, side in enumerate(("left", "right")):
        for i in range(6, 9):
            for name in ("clean", "final"):
                photo(base / f"frames_{name}pass" / scene / side / f"000{i}.png", 10 * number + i)
            for direction in ("into_future", "into_past"):
                name = f"OpticalFlow{direction.title().replace('_', '')}_000{i}_{side[0].upper()}.pfm"
                pfm(base / "optical_flow" / scene / direction / side / name, _floats(10 * number + i, 3, 6, 8))


def hd1k(folder: Path) -> None:
    """Two sequences of three and two frames to train on, a pair to test on."""
    base = folder / "hd1k"
    for sequence, count in ((0, 3), (5, 2)):
        for i in range(count):
            name = f"{sequence:06d}_{10 + i:04d}.png"
            photo(base / "hd1k_input" / "image_2" / name, 10 * sequence + i)
            _flow_png(base / "hd1k_flow_gt" / "flow_occ" / name, 10 * sequence + i)
    for frame in (10, 11):
        photo(base / "hd1k_challenge" / "image_2" / f"000000_{frame}.png", frame)


def carla_stereo(folder: Path) -> None:
    """Two scenes."""
    for number in range(2):
        base = folder / "carla-highres" / "trainingF" / f"scene{number}"
        for side in (0, 1):
            photo(base / f"im{side}.png", 2 * number + side)
            pfm(base / f"disp{side}GT.pfm", _floats(2 * number + side, 1, 6, 8), "<>"[side])


def kitti_stereo(folder: Path) -> None:
    """Two pairs to train on, one to test on, as in 2012 and 2015."""
    for part, count in (("training", 2), ("testing", 1)):
        for i in range(count):
            for number, name in enumerate(
                ("Kitti2012/{}/colored_0", "Kitti2012/{}/colored_1", "Kitti2015/{}/image_2", "Kitti2015/{}/image_3")
            ):
                photo(folder / name.format(part) / f"00000{i}_10.png", 5 * number + i)
            for number, name in enumerate(("Kitti2012/{}/disp_noc", "Kitti2015/{}/disp_occ_0", "Kitti2015/{}/disp_occ_1")):
                if part == "training":
                    _grey16(folder / name.format(part) / f"00000{i}_10.png", 7 * number + i)


def middlebury_stereo(folder: Path) -> None:
    """A scene to train on in both calibrations, and one to test on."""
    base = folder / "Middlebury2014"
    for number, scene in enumerate(("train/Adirondack-perfect", "train/Adirondack-imperfect", "test/Plants")):
        for i, name in enumerate(("im0", "im1", "im1E", "im1L") if number < 2 else ("im0", "im1")):
            photo(base / scene / f"{name}.png", 9 * number + i)
        for side in (0, 1) if number < 2 else ():
            disparity = _floats(9 * number + side, 1, 6, 8)
            disparity[0, 2, 3:5] = np.inf, 0
            pfm(base / scene / f"disp{side}.pfm", disparity)


def cre_stereo(folder: Path) -> None:
    """One pair of each kind."""
    for number, kind in enumerate(("shapenet", "reflective", "tree", "hole")):
        for i, side in enumerate(("left", "right")):
            photo(folder / "CREStereo" / kind / f"0_{side}.jpg", 2 * number + i)
            photo(folder / "CREStereo" / kind / f"0_{side}.disp.png", 2 * number + i, mode="L")


def falling_things_stereo(folder: Path) -> None:
    """A scene of each variant."""
    for number, scene in enumerate(("single/002_chips/kitchen_0", "mixed/kitchen_1")):
        base = folder / "FallingThings" / scene
        for i, side in enumerate(("left", "right")):
            photo(base / f"000000.{side}.jpg", 2 * number + i)
            _grey16(base / f"000000.{side}.depth.png", 2 * number + i)
        text(base / "_camera_settings.json", json.dumps({"camera_settings": [{"intrinsic_settings": {"fx": 768.16 + number}}]}))


def scene_flow_stereo(folder: Path) -> None:
    """One frame of each variant."""
    for number, (variant, inside) in enumerate((("Monkaa", "a"), ("FlyingThings3D", "TRAIN/A/0000"), ("Driving", "15mm/forwards/fast"))):
        base = folder / "SceneFlow" / variant
        for i, side in enumerate(("left", "right")):
            for name in ("clean", "final"):
                photo(base / f"frames_{name}pass" / inside / side / "0006.png", 2 * number + i)
            pfm(base / "disparity" / inside / side / "0006.pfm", _floats(2 * number + i, 1, 6, 8))


def sintel_stereo(folder: Path) -> None:
    """Two frames of one scene."""
    base = folder / "Sintel" / "training"
    for i in range(2):
        for number, name in enumerate(("final_left", "final_right", "clean_left", "clean_right", "disparities")):
            photo(base / name / "alley_1" / f"frame_000{i}.png", 5 * number + i)
        for number, name in enumerate(("occlusions", "outofframe")):
            path = base / name / "alley_1" / f"frame_000{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels(number + i, 6, 8, most=2) * 255).save(path)


def in_stereo_2k(folder: Path) -> None:
    """Two scenes to train on, one to test on."""
    for number, scene in enumerate(("train/000000", "train/000001", "test/000002")):
        for i, side in enumerate(("left", "right")):
            photo(folder / "InStereo2k" / scene / f"{side}.png", 2 * number + i)
            _grey16(folder / "InStereo2k" / scene / f"{side}_disp.png", 2 * number + i)


def eth3d_stereo(folder: Path) -> None:
    """Two scenes to train on, one to test on."""
    base = folder / "ETH3D"
    for number, scene in enumerate(("two_view_training/delivery", "two_view_training/forest", "two_view_test/lakeside")):
        for side in (0, 1):
            photo(base / scene / f"im{side}.png", 2 * number + side, mode="L")
        if number < 2:
            truth = base / scene.replace("training", "training_gt")
            pfm(truth / "disp0GT.pfm", _floats(number, 1, 6, 8))
            photo(truth / "mask0nocc.png", number, mode="L", most=2)
