"""Every family of models of vision and text: exported, run by onnxruntime at other sizes, read again, with equal results and gradients."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
import dovetail_onnx
from dovetail_onnx.exporter.arguments import Inputs, leaves
from dovetail_onnx.exporter.verification import distance
from tests.onnx.families import FAMILIES
from tests.onnx.running import run
from tests.support.figures import note

#: Those that every run tries; the long one tries all.
SHORT = {"regnet", "vision_transformer", "shapes_segmenter", "gpt", "lstm_lm", "bert", "t5_encoder"}
SAME = 1e-5
SEEN: Counter[str] = Counter()
FAR: dict[str, float] = {"onnxruntime": 0.0, "read again": 0.0, "gradients": 0.0}


def far(what, ours, theirs):
    """Note how far results are apart, as a share of the largest element, and hold it to the bar."""
    assert [t.shape for t in ours] == [t.shape for t in theirs] and [t.dtype for t in ours] == [t.dtype for t in theirs]
    most = max(map(distance, ours, theirs), default=0.0)
    FAR[what] = max(FAR[what], most)
    assert most <= SAME, (what, most)


@pytest.mark.parametrize("name", sorted(SHORT))
@pytest.mark.filterwarnings("ignore")
def test_family(name):
    family(name)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore")
def test_every_family():
    """One test, so that the figures are of all of them."""
    SEEN.clear()
    FAR.update(dict.fromkeys(FAR, 0.0))
    for name in FAMILIES:
        family(name)
    print(dict(SEEN), FAR)
    what = "model families exported, equal in onnxruntime at two sizes, and read again with equal results and gradients"
    note("onnx", what, SEEN["families"], str(len(FAMILIES)))
    for what, most in FAR.items():
        note("onnx", f"model families: the largest difference, {what}", f"{most:.1e}", "1e-5")


def family(name):
    make, arguments, free = FAMILIES[name]
    dv.manual_seed(0)
    model, args = make().eval(), arguments()
    names = Inputs(model, args, None, None, None, None).names
    spec = dict(zip(names, free.values(), strict=False))
    proto = dovetail_onnx.export(model, args, dynamic_shapes=spec)
    module = dovetail_onnx.load(proto)
    inputs = Inputs(model, args, None, None, spec, None)
    longer = {"batch": 3, "length": 11, "target": 7, "h": inputs.base.get("h", 0) + 32, "w": inputs.base.get("w", 0) + 64}
    for turn, sizes in enumerate([inputs.base, {dim: longer[dim] for dim in inputs.base}]):
        given = inputs.resized(sizes, turn)
        feed = {k: v.copy() for k, v in inputs.arrays(given).items()}
        expected = [t for _, t in leaves(model(*given[0]))]
        found = module(**feed)
        found = list(found) if isinstance(found, tuple) else [found]
        arrays = [t.detach().numpy() for t in expected]
        far("onnxruntime", run(proto, feed), arrays)
        far("read again", [t.detach().numpy() for t in found], arrays)
    assert not module.handed_over
    gradients(model, module, expected, found)
    SEEN["families"] += 1


def gradients(model, module, expected, found):
    """At the larger sizes; parameters that stand in the file transposed, or are not in it, are left out and counted."""
    for tensors in (expected, found):
        sum((t * t.detach().cos()).sum() for t in tensors).backward()
    names, mine = module.names, dict(module.named_parameters())
    pairs = [(p, mine.get(names.get(name))) for name, p in model.named_parameters() if p.grad is not None]
    pairs = [(p, other) for p, other in pairs if other is not None and other.shape == p.shape]
    assert len(pairs) > len(list(model.parameters())) / 3
    for theirs, ours in pairs:
        far("gradients", [ours.grad.numpy()], [theirs.grad.numpy()])
    SEEN["parameters with the same gradient"] += len(pairs)
    SEEN["parameters"] += len(list(model.parameters()))
