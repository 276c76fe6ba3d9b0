"""What the tests of export share: a model in onnxruntime, and the same by Dovetail."""

from __future__ import annotations

from typing import Any

import numpy as np

import dovetail as dv
from dovetail_onnx.exporter.arguments import Inputs, leaves

__all__ = ["assert_same", "run"]


def run(proto: Any, feed: dict[str, Any]) -> list[np.ndarray]:
    """The outputs of a model in onnxruntime."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = ort.InferenceSession(proto if isinstance(proto, str) else proto.SerializeToString(), options)
    return session.run(None, {i.name: np.asarray(feed[i.name]) for i in session.get_inputs()})


def assert_same(proto: Any, model: Any, args: Any, sizes: dict[str, int], spec: Any = None, kwargs: Any = None, tol: float = 1e-4) -> None:
    """The exported model gives, at these sizes, what the model gives."""
    inputs = Inputs(model, args, kwargs, None, spec, None)
    for turn in (3, 0):  # other values, or the same ones where the model takes no others
        given = inputs.resized(sizes, turn)
        feed = {k: v.copy() for k, v in inputs.arrays(given).items()}
        try:
            with dv.no_grad():
                expected = [t.detach().numpy() for _, t in leaves(model(*given[0], **given[1]))]
            break
        except Exception:
            if not turn:
                raise
    found = run(proto, feed)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, f"{a.dtype}{a.shape} and {b.dtype}{b.shape}"
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol * max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0))) if b.size else 0)
