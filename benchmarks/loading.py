"""Loading by two worker processes beside PyTorch's DataLoader: JPEGs with their usual transforms, and small arrays in memory.

Each framework loads in a process of its own, epoch by epoch in turn; what counts is the median of the ratios. In the first epoch, which is
not measured, what both load is compared: every sample once, the same shapes and types, and the same mean where nothing is drawn. The
workers' memory is looked at over 20 epochs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.duel import Side
from benchmarks.record import record

__all__ = ["BARS", "main", "pictures"]

BARS = {"jpeg": 1.0, "arrays": 2.0, "tensors": 2.0}  # times PyTorch's samples a second
COUNTS = {"jpeg": 500, "arrays": 60_000, "tensors": 60_000}


def pictures(folder: Path, count: int) -> None:
    """Write JPEGs of 500 × 375, with smooth colours and some noise, as photographs have."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for at in range(count):
        small = Image.fromarray(draw.integers(0, 256, (24, 32, 3), np.uint8)).resize((500, 375), Image.Resampling.BICUBIC)
        noisy = np.asarray(small, np.int16) + draw.integers(-12, 13, (375, 500, 3), np.int16)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"{at}.jpg", quality=90)


class Pictures:
    """Decode, random resized crop, flip, to a tensor, normalize."""

    def __init__(self, folder: str, transforms: Any) -> None:
        t = transforms
        self.files = sorted(Path(folder).glob("*.jpg"))
        self.change = t.Compose(
            [t.RandomResizedCrop(224), t.RandomHorizontalFlip(), t.ToTensor(), t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Any:
        from PIL import Image

        with Image.open(self.files[index]) as image:
            return self.change(image.convert("RGB")), index % 10


class Arrays:
    """Arrays of 28 × 28 in memory, and a number each."""

    def __init__(self, count: int) -> None:
        self.images = np.random.default_rng(0).random((count, 28, 28), np.float32)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.images[index], index % 10


def _dataset(case: str, framework: str, count: int, folder: str) -> Any:
    lib = importlib.import_module(framework)
    if case == "tensors":
        return lib.utils.data.TensorDataset(lib.from_numpy(Arrays(count).images), lib.arange(count))
    if case == "arrays":
        return Arrays(count)
    if framework == "torch":
        from tests.parity.torchvision_oracle import prepare

        prepare()
    package = "torchvision" if framework == "torch" else "dovetail_vision"
    return Pictures(folder, importlib.import_module(f"{package}.transforms"))


def _serve(case: str, framework: str, count: int, folder: str) -> None:
    """A side: a pass for each line that comes in, answered by its seconds and the memory of the workers in MB, or by what was loaded."""
    data = importlib.import_module(f"{framework}.utils.data")
    loader = data.DataLoader(
        _dataset(case, framework, count, folder), 32 if case == "jpeg" else 128, shuffle=True, num_workers=2, persistent_workers=True
    )
    for line in sys.stdin:
        if line == "look\n":
            print(json.dumps(_seen(loader)), flush=True)
            continue
        start, samples = time.perf_counter(), 0
        for images, _labels in loader:
            samples += len(images)
        seconds = time.perf_counter() - start
        assert samples == count
        print(json.dumps([seconds, _workers_memory()]), flush=True)


def _seen(loader: Any) -> list[Any]:
    """What a pass loads: samples, the sum of the labels, a sample's shape and type, the mean of all."""
    count = labels = total = 0.0
    for images, given in loader:
        count, labels, total = count + len(images), labels + given.sum().item(), total + images.double().mean().item() * len(images)
    return [count, labels, [*images.shape[1:]], str(images.dtype).rpartition(".")[2], total / count]


def _same(case: str, mine: list[Any], other: list[Any]) -> None:
    """Stop where the two do not load the same; random crops of pictures have nearly the same mean."""
    near = abs(mine[-1] - other[-1]) < (0.1 if case == "jpeg" else 1e-6)
    if mine[:-1] != other[:-1] or not near:
        raise SystemExit(f"{case}: ours are {mine}, PyTorch's {other}: they do not load the same")


def _workers_memory() -> float:
    pages = sum(int(Path(f"/proc/{p.pid}/statm").read_text().split()[1]) for p in multiprocessing.active_children())
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


class _Side:
    """A framework in a process of its own."""

    def __init__(self, framework: str, case: str, count: int, folder: str) -> None:
        command = [sys.executable, "-m", "benchmarks.loading", "--serve", case, framework, str(count), folder]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=Side(framework).environment()
        )

    def ask(self, what: str = "epoch") -> list[Any]:
        """Seconds of an epoch, and the memory of the workers after it; or what is seen in a ``look``."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


def _rounds(case: str, count: int, folder: str, rounds: int) -> Iterator[tuple[float, float, float]]:
    """Seconds of ours and of theirs, and the memory of our workers, round by round, behind a first look, in which workers start."""
    ours, theirs = (_Side(framework, case, count, folder) for framework in ("dovetail", "torch"))
    _same(case, ours.ask("look"), theirs.ask("look"))
    for _ in range(rounds):
        (mine, memory), (other, _) = ours.ask(), theirs.ask()
        yield mine, other, memory
    for side in (ours, theirs):
        side.process.communicate()


def main(arguments: list[str]) -> int:
    """Print and record the figures; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.loading")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--share", type=float, default=1.0, help="of the samples, for a quick look")
    parser.add_argument("--only", choices=list(BARS))
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        case, framework, count, folder = options.serve
        _serve(case, framework, int(count), folder)
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in [options.only] if options.only else list(BARS):
            count = int(COUNTS[case] * options.share)
            if case == "jpeg":
                pictures(Path(folder), count)
            found[case] = _judged(case, count, list(_rounds(case, count, folder, options.rounds)))
        if not options.only:
            memory = [m for _, _, m in _rounds("arrays", int(COUNTS["arrays"] * options.share), folder, 20)]
            print(f"memory of our two workers over 20 epochs: {memory[0]:.1f} MB after the second, {memory[-1]:.1f} MB after the last")
            found["memory"] = {"first": memory[0], "last": memory[-1], "met": memory[-1] <= memory[0] * 1.02}
    record("loading", found, rounds=options.rounds, share=options.share)
    return int(not all(each["met"] for each in found.values()))


def _judged(case: str, count: int, times: list[tuple[float, float, float]]) -> dict[str, Any]:
    ours, theirs = (count / statistics.median(column) for column in list(zip(*times, strict=True))[:2])
    ratios = [b / a for a, b, _ in times]
    ratio = statistics.median(ratios)
    print(f"{case}: ours {ours:,.0f} samples/s, torch {theirs:,.0f}, {ratio:.2f} times as many (bar {BARS[case]})", flush=True)
    row = {"ours": ours, "theirs": theirs, "speed": ratio, "low": min(ratios), "high": max(ratios), "bar": BARS[case]}
    return {**row, "met": ratio >= BARS[case]}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
