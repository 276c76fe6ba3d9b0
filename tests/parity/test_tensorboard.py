"""TensorBoard's own reader finds in our files what it finds in those of PyTorch's SummaryWriter."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

import dovetail as dv

pytest.importorskip("tensorboardX")
pytest.importorskip("dovetail_train")
accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
EVERYTHING = dict.fromkeys(("scalars", "histograms", "images", "tensors"), 0)


def written(T: Any, folder: Path) -> Path:
    SummaryWriter = importlib.import_module(f"{T.__name__}.utils.tensorboard").SummaryWriter
    x = T.arange(24.0).reshape(1, 4, 6) / 24
    with SummaryWriter(str(folder), purge_step=0) as w:
        for step in range(3):
            w.add_scalar("loss", T.tensor(1.5) * step, step)
        w.add_scalars("group/both", {"a": 1.0, "b": T.tensor(2.0)}, 4)
        w.add_histogram("h", x, 1)
        w.add_histogram("auto", x, 1, bins="auto")
        w.add_image("image", x.expand(3, 4, 6), 2)
        w.add_images("images", x.expand(5, 3, 4, 6), 2)
        w.add_text("text", "a *b*", 3)
        w.add_pr_curve("curve", T.tensor([0, 1, 1, 0]), T.tensor([0.2, 0.8, 0.4, 0.6]), 5, num_thresholds=9)
    return folder


def read(folder: Path) -> dict[str, Any]:
    events = accumulator.EventAccumulator(str(folder), size_guidance=EVERYTHING).Reload()
    tags = events.Tags()
    found: dict[str, Any] = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    for tag in tags["histograms"]:
        values = [(e.step, e.histogram_value) for e in events.Histograms(tag)]
        found[tag] = [(n, h.min, h.max, h.num, h.sum, h.sum_squares, [*h.bucket_limit], [*h.bucket]) for n, h in values]
    for tag in tags["images"]:
        found[tag] = [(e.step, e.width, e.height) for e in events.Images(tag)]
    for tag in tags["tensors"]:
        found[tag] = [(e.step, [*e.tensor_proto.float_val], [*e.tensor_proto.string_val]) for e in events.Tensors(tag)]
    return found


@pytest.mark.filterwarnings("ignore")
def test_the_same_is_read(tmp_path: Path) -> None:
    mine, theirs = written(dv, tmp_path / "mine"), written(torch, tmp_path / "theirs")
    folders = [sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_dir()) for root in (mine, theirs)]
    assert folders[0] == folders[1] == ["group_both_a", "group_both_b"]
    for folder in (".", *folders[0]):
        ours, right = read(mine / folder), read(theirs / folder)
        assert ours.keys() == right.keys() and ours
        for tag in right:
            assert ours[tag] == right[tag], tag


@pytest.mark.parametrize("value", ["abc", "1.5", ["a", "b"], [1.0], (1,), {"a": 1}, None, True, [[1.0]], b"2"])
def test_a_scalar_is_a_number(value: Any, tmp_path: Path) -> None:
    found = []
    for T in (torch, dv):
        with importlib.import_module(f"{T.__name__}.utils.tensorboard").SummaryWriter(str(tmp_path / T.__name__)) as w:
            try:
                w.add_scalar("a", value)
                found.append(read(Path(w.log_dir)))
            except Exception as error:
                found.append(next(c for c in type(error).__mro__ if c.__module__ == "builtins" and c is not object))
    assert found[0] == found[1]
