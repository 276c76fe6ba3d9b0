"""transforms.v2 on tensors beside torchvision's, on one thread, turn by turn: `python -m benchmarks.transforms`.

An image of 500 × 375, as bytes and as float32; what counts is the median of the ratios of both, round by round.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.record import record

__all__ = ["CASES", "main"]

#: What builds a transform from the module.
CASES: dict[str, Callable[[Any], Any]] = {
    "RandomResizedCrop": lambda t: t.RandomResizedCrop(224),
    "Resize to 256": lambda t: t.Resize(256),
    "Resize, bicubic": lambda t: t.Resize((224, 224), t.InterpolationMode.BICUBIC),
    "Resize, without antialias": lambda t: t.Resize((224, 224), antialias=False),
    "Resize to 600": lambda t: t.Resize((600, 600)),
    "Resize, nearest": lambda t: t.Resize((224, 224), t.InterpolationMode.NEAREST),
    "RandomHorizontalFlip": lambda t: t.RandomHorizontalFlip(1.0),
    "ColorJitter": lambda t: t.ColorJitter(0.4, 0.4, 0.4, 0.1),
    "RandomRotation": lambda t: t.RandomRotation(30, t.InterpolationMode.BILINEAR),
    "RandomAffine": lambda t: t.RandomAffine(15, (0.1, 0.1), (0.8, 1.2), 5, t.InterpolationMode.BILINEAR),
    "RandomPerspective": lambda t: t.RandomPerspective(p=1.0),
    "ElasticTransform": lambda t: t.ElasticTransform(),
}


def _seconds(transform: Any, image: Any, seed: Callable[[int], Any], calls: int) -> float:
    seed(1)  # both draw the same crops
    start = time.perf_counter()
    for _ in range(calls):
        transform(image)
    return time.perf_counter() - start


def main(arguments: list[str]) -> int:
    """Print and record the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks.transforms")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=8)
    options = parser.parse_args(arguments)
    import torch

    import dovetail
    from tests.parity.torchvision_oracle import prepare

    prepare()
    torch.set_num_threads(1)
    ours, theirs = (importlib.import_module(f"{package}.transforms.v2") for package in ("dovetail_vision", "torchvision"))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 375, 500), dtype=np.uint8)
    found: dict[str, Any] = {}
    for name, build in CASES.items():
        for array in (pixels, (pixels / 255).astype(np.float32)):
            sides = (
                (build(ours), dovetail.from_numpy(array), dovetail.manual_seed),
                (build(theirs), torch.from_numpy(array), torch.manual_seed),
            )
            times = [[_seconds(*side, options.calls) / options.calls for side in sides] for _ in range(options.rounds + 1)][1:]
            mine, yours = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
            ratio = statistics.median(b / a for a, b in times)
            print(
                f"{name:26} {array.dtype.name:8} ours {mine:7.2f} ms  torchvision {yours:7.2f} ms  {ratio:5.2f} times as fast", flush=True
            )
            found[f"{name}, {array.dtype.name}"] = {"ours": mine, "theirs": yours, "speed": ratio}
    record("transforms", found, rounds=options.rounds, calls=options.calls)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
