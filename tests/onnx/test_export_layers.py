"""Every layer: all dimensions free that it takes at other sizes, compared in onnxruntime at sizes never traced; and the oldest opset."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import dovetail as dv
from dovetail.errors import DovetailError
from dovetail_onnx import export
from dovetail_onnx.exporter.arguments import Inputs
from tests.onnx.running import assert_same
from tests.parity.layer_table import CASES, Case

ROWS = [case for case in CASES if not case.construct_only]

#: Rows that cannot have all their free dimensions free, and what the error says; with fixed ones they are exported.
REFUSED = {
    "AdaptiveMaxPool1d(3)": "the model calls max_pool",
    "AdaptiveMaxPool2d((2, 3), return_indices=True)": "the model calls max_pool",
    "AdaptiveMaxPool3d(2)": "the model calls max_pool",
    "EmbeddingBag(10, 3, mode='sum')": "a constant of shape",
    "EmbeddingBag(10, 3, mode='sum', include_last_offset=True)": "a constant of shape",
    "EmbeddingBag(10, 3, mode='max', padding_idx=1)": "a constant of shape",
    "LSTM(3, 5, 2, proj_size=2, bidirectional=True)": "stack: at d0 = 6 the model calls getitem",
    "LSTM(3, 5, proj_size=2, bias=False)": "stack: at d0 = 6 the model calls getitem",
    "Unfold(2)": "im2col: the size input.shape[1] is needed as a number",
    "Unfold((2, 3), dilation=1, padding=1, stride=2)": "im2col: the size input.shape[1] is needed as a number",
    "Fold((4, 5), 2)": "col2im: the size input.shape[1] is needed as a number",
    "Fold((4, 4), (2, 2), stride=2)": "col2im: the size input.shape[1] is needed as a number",
}

SEEN: Counter[str] = Counter()


def made(case: Case) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The layer in float32 and evaluation, its arguments, and those by name."""
    rng = np.random.default_rng(5)

    def tensor(spec: Any) -> Any:
        if isinstance(spec, tuple):
            return tuple(map(tensor, spec))
        if not hasattr(spec, "make"):
            return dv.tensor(spec) if isinstance(spec, np.ndarray) else spec
        t = dv.tensor(np.array(spec.make(rng)))
        return t.float() if t.is_floating_point() else t

    dv.manual_seed(11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = getattr(dv.nn, case.name)(*map(tensor, case.args), **{k: tensor(v) for k, v in case.kwargs.items()})
    args, kwargs = tuple(map(tensor, case.inputs)), {k: tensor(v) for k, v in case.call.items()}
    if case.name.startswith("Lazy"):
        layer(*args)
    return layer.float().eval(), args, kwargs


def takes(layer: Any, args: Any, kwargs: Any, spec: Any, size: int) -> bool:
    """Whether a layer runs with one dimension (of several inputs) of this size."""
    given = Inputs(layer, args, kwargs, None, spec, None).resized({"d": size})
    try:
        with dv.no_grad():
            layer(*given[0], **given[1])
    except Exception:
        return False
    return True


def free(layer: Any, args: Any, kwargs: Any) -> tuple[dict[str, dict[int, str]], dict[str, tuple[int, int]]]:
    """The dimensions that can change, alone or with equal ones of the other inputs, and for each its size and a step."""
    inputs = Inputs(layer, args, kwargs, None, None, None)
    spec: dict[str, dict[int, str]] = {name: {} for name in inputs.names}
    steps: dict[str, tuple[int, int]] = {}
    places = [(i, axis, n) for i, t in enumerate(inputs.tensors) for axis, n in enumerate(t.shape)]
    for i, axis, size in places:
        if axis in spec[inputs.names[i]]:
            continue
        equal = [(j, k) for j, k, n in places if j != i and n == size and k not in spec[inputs.names[j]]]
        for others in (equal, [p for p in equal if p[1] == axis], []):
            group = [(i, axis), *others]
            trial = {name: {k: "d" for j, k in group if inputs.names[j] == name} for name in inputs.names}
            step = next((u for u in (1, 2, 4, 8) if all(takes(layer, args, kwargs, trial, size + u * m) for m in (1, 5))), 0)
            if step:
                name = f"d{len(steps)}"
                steps[name] = (size, step)
                for j, k in group:
                    spec[inputs.names[j]][k] = name
                break
    return spec, steps


@pytest.mark.parametrize("case", ROWS, ids=str)
@pytest.mark.filterwarnings("ignore")
def test_every_layer(case: Case) -> None:
    layer, args, kwargs = made(case)
    spec, steps = free(layer, args, kwargs)
    refusal = REFUSED.get(str(case).rpartition("[")[0])
    if refusal:
        with pytest.raises(DovetailError) as caught:
            export(layer, args, kwargs=kwargs, dynamic_shapes=spec)
        assert refusal in str(caught.value)
        export(layer, args, kwargs=kwargs)
        SEEN["refused"] += 1
        return
    export(layer, args, kwargs=kwargs, opset=16 if case.name == "AdaptiveLogSoftmaxWithLoss" else 13)
    proto = export(layer, args, kwargs=kwargs, dynamic_shapes=spec)  # which verifies it, at the given sizes too
    for more in (4, 7) if steps else (0,):
        sizes = {name: size + step * more for name, (size, step) in steps.items()}
        assert_same(proto, layer, args, sizes, spec, kwargs)
        SEEN["compared"] += 1
    SEEN["exported"] += 1
    SEEN["free"] += len(steps)


def test_the_count() -> None:
    if sum(SEEN[k] for k in ("exported", "refused")) < len(ROWS):
        pytest.skip("only some rows were run")
    print(dict(SEEN), len({case.name for case in ROWS}), "layers")
    assert SEEN["exported"] == 267 and SEEN["refused"] == 12
    assert SEEN["free"] > 600 and SEEN["compared"] > 500
