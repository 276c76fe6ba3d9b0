"""A training on a GPU, by the strict stand-in for CuPy: nothing is mixed with host arrays, and it is saved and continued."""

from __future__ import annotations

import dovetail as dv
from tests.support.cupy_standin import standin

from .conftest import make

__all__ = ["standin"]


def test_a_training_on_a_gpu_is_saved_and_continued(standin, tmp_path):
    options = {
        "device": "cuda",
        "clip_grad_norm": 1.0,
        "accumulate": 2,
        "checkpoints": tmp_path,
        "metrics": {"mean": lambda o, t: o.mean()},
    }
    first = make(**options, epochs=2)
    first.fit()
    assert {p.device.type for p in first.model.parameters()} == {"cuda"}
    second = make(**options, epochs=3)
    state = second.fit("auto")
    assert state.epoch == 3 and state.history[:2] == first.state.history and {p.device.type for p in second.model.parameters()} == {"cuda"}
    slots = [value for one in second.state.optimizer.state_dict()["state"].values() for value in one.values()]
    assert {t.device.type for t in slots if isinstance(t, dv.Tensor) and t.ndim} == {"cuda"}
