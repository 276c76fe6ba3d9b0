"""Checks of a model, built small by the ``config`` of its example: ``example = { config = { width = 4 }, inputs = [[2, 64]] }``."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from .case import Skip, Subject, check

__all__ = ["built", "same", "tensors_of"]

LARGE = 6_000_000


def built(subject: Subject, seed: int = 0) -> Any:
    """The model of the example, built by key."""
    import dovetail as dv

    dv.manual_seed(seed)
    return dv.models.create(subject.key, **subject.example.get("config", {}))


def tensors_of(value: Any) -> list[Any]:
    """All tensors in a result, nested in lists, tuples and dicts as they may be."""
    import dovetail as dv

    if isinstance(value, dv.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [t for part in parts for t in tensors_of(part)]


def same(a: Any, b: Any) -> bool:
    """Whether two results hold equal tensors, NaN equal to NaN."""
    one, other = tensors_of(a), tensors_of(b)
    return len(one) == len(other) and all(
        np.array_equal(x.detach().numpy(), y.detach().numpy(), equal_nan=True) for x, y in zip(one, other)
    )


def _loss(result: Any) -> Any:
    """A number that depends on all floating results."""
    parts = [t.abs().sum() for t in tensors_of(result) if t.is_floating_point()]
    assert parts, "the model returns no floating-point tensor"
    return sum(parts[1:], parts[0])


@check("models")
def forward_and_backward(subject: Subject) -> None:
    """A batch goes through, the result is finite, and every parameter that wants one gets a finite gradient."""
    import dovetail as dv

    model = built(subject).train()
    loss = _loss(model(*subject.inputs()))
    assert np.isfinite(loss.item()), f"the result is not finite: {loss.item()}"
    loss.backward()
    wanting = {name: p for name, p in model.named_parameters() if p.requires_grad}
    without = [name for name, p in wanting.items() if p.grad is None]
    assert not without, f"no gradient reaches {', '.join(without)}"
    bad = [name for name, p in wanting.items() if not dv.isfinite(p.grad).all()]
    assert not bad, f"gradients of {', '.join(bad)} are not finite"


@check("models")
def it_is_a_module(subject: Subject) -> None:
    """``models.create`` gives a Module."""
    import dovetail as dv

    assert isinstance(built(subject), dv.nn.Module), f"{subject.fields['target']} gives {type(built(subject)).__name__}"


@check("models")
def batches_of_one_and_none(subject: Subject) -> None:
    """In eval mode a batch of one and an empty batch go through, and results follow the size of the batch."""
    import dovetail as dv

    model = built(subject).eval()
    for size in (1, 0):
        with dv.no_grad():
            results = tensors_of(model(*subject.inputs(size)))
        assert results[0].shape[0] == size, f"a batch of {size} gives a result of shape {tuple(results[0].shape)}"


@check("models")
def rows_do_not_depend_on_each_other(subject: Subject) -> None:
    """In eval mode the first sample gives the same alone as in its batch (to float32 rounding)."""
    import dovetail as dv

    model = built(subject).eval()
    inputs = subject.inputs()
    with dv.no_grad():
        whole, alone = tensors_of(model(*inputs)), tensors_of(model(*(t[:1] for t in inputs)))
    close = all(np.allclose(a[:1].numpy(), b.numpy(), rtol=1e-3, atol=1e-4) for a, b in zip(whole, alone, strict=True))
    assert close, "the first sample's result changes with the rest of its batch"


@check("models")
def the_seed_decides(subject: Subject) -> None:
    """One seed gives the same weights and the same results, twice; another seed gives others."""
    one, two, other = built(subject), built(subject), built(subject, 1)
    assert same(one.state_dict(), two.state_dict()), "two models of one seed differ"
    random = any(p.numel() for p in one.parameters())
    assert not random or not same(dict(one.named_parameters()), dict(other.named_parameters())), "the seed has no influence on the weights"
    one.eval(), two.eval()
    assert same(one(*subject.inputs()), two(*subject.inputs())), "equal models give different results in eval mode"


@check("models")
def inputs_stay_as_they_are(subject: Subject) -> None:
    """The forward pass does not write into its inputs."""
    inputs, before = subject.inputs(), subject.inputs()
    built(subject)(*inputs)
    assert same(inputs, before), "the forward pass changed its input"


@check("models")
def train_and_eval_reach_every_part(subject: Subject) -> None:
    """``eval()`` and ``train()`` switch every sub-module; eval does not move running statistics."""
    model = built(subject)
    assert all(m.training for m in model.train().modules()), "train() leaves a part in eval mode"
    assert not any(m.training for m in model.eval().modules()), "eval() leaves a part in train mode"
    before = {name: t.clone() for name, t in model.named_buffers()}
    model(*subject.inputs())
    assert same(before, dict(model.named_buffers())), "a forward pass in eval mode changes buffers"


@check("models")
def the_state_makes_the_round_trip(subject: Subject) -> None:
    """The state dict of one model makes an equal one of another, also through a file; the file alone rebuilds the model by its key."""
    import dovetail as dv

    model, other = built(subject).eval(), built(subject, 1).eval()
    other.load_state_dict(model.state_dict())
    assert same(model(*subject.inputs()), other(*subject.inputs())), "load_state_dict does not give the same model"
    with tempfile.TemporaryDirectory() as folder:
        dv.save(model, path := os.path.join(folder, "model.safetensors"))
        again = dv.load(path).eval()
    assert type(again) is type(model) and same(model(*subject.inputs()), again(*subject.inputs())), "the saved model comes back another"


@check("models")
def the_number_of_parameters_is_as_declared(subject: Subject) -> None:
    """``params`` in the manifest is the number of parameters of the model as it is built without a configuration."""
    import dovetail as dv

    declared = subject.fields.get("params")
    if declared is None:
        raise Skip("the manifest declares no number of parameters")
    if declared > LARGE:
        raise Skip(f"with more than {LARGE:,} parameters it is too large to build just for counting")
    count = sum(p.numel() for p in dv.models.create(subject.key).parameters())
    assert count == declared, f"it has {count:,} parameters, the manifest says {declared:,}"


@check("models")
def it_is_written_as_onnx(subject: Subject) -> None:
    """A model whose row says ``onnx = true`` is exported by dovetail-onnx, and gives in onnxruntime what it gives here."""
    import importlib.util

    import dovetail as dv

    if not subject.fields.get("onnx"):
        raise Skip("the manifest does not say onnx = true")
    missing = [name for name in ("dovetail_onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise Skip(f"{' and '.join(missing)} would be needed")
    runtime = importlib.import_module("onnxruntime")
    model, inputs = built(subject).eval(), subject.inputs()
    with tempfile.TemporaryDirectory() as folder:
        dv.onnx.export(model, tuple(inputs), path := os.path.join(folder, "model.onnx"))
        session = runtime.InferenceSession(path)
        found = session.run(None, {i.name: t.numpy() for i, t in zip(session.get_inputs(), inputs, strict=True)})
    with dv.no_grad():
        expected = tensors_of(model(*inputs))
    close = [np.allclose(a, b.numpy(), rtol=1e-3, atol=1e-4) for a, b in zip(found, expected, strict=True)]
    assert all(close), "onnxruntime gives other numbers for the exported file"


@check("models")
def gradients_are_right(subject: Subject) -> None:
    """In float64 the directional derivative of a random weighted sum of the results equals the finite difference."""
    import dovetail as dv

    model = built(subject).double().eval()
    inputs = [t.double() if t.is_floating_point() else t for t in subject.inputs()]
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise Skip("it has no parameters")
    draw = np.random.RandomState(0)
    with dv.no_grad():
        for p in parameters:  # biases of 0 leave a channel whose inputs are 0 at the kink of a ReLU
            p.add_(dv.from_numpy(draw.uniform(1e-3, 1e-2, tuple(p.shape))))

    def value() -> Any:
        return sum(
            (t * dv.from_numpy(np.random.RandomState(1).standard_normal(tuple(t.shape)))).sum() for t in results() if t.is_floating_point()
        )

    def results() -> list[Any]:
        return tensors_of(model(*inputs))

    steps = [dv.from_numpy(draw.standard_normal(tuple(p.shape))) for p in parameters]
    grads = dv.autograd.grad(value(), parameters, allow_unused=True)
    slope = sum(float((g * d).sum()) for g, d in zip(grads, steps, strict=True) if g is not None)
    ends, step = [], min(1e-6, 1e-5 / sum(p.numel() for p in parameters) ** 0.5)  # a long step of many parameters passes kinks
    for h in (step, -step):
        with dv.no_grad():
            for p, d in zip(parameters, steps, strict=True):
                p.add_(d, alpha=h)
            ends.append(float(value()))
            for p, d in zip(parameters, steps, strict=True):
                p.sub_(d, alpha=h)
    rough = (ends[0] - ends[1]) / (2 * step)
    assert abs(slope - rough) <= 1e-3 * max(1.0, abs(rough), abs(slope)), f"derivative {slope:.6g}, by finite differences {rough:.6g}"
