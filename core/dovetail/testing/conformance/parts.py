"""Checks of transforms, tokenizers, metrics, layers, optimizers and commands, made as their examples say."""

from __future__ import annotations

import copy
import functools
import inspect
from typing import Any

import numpy as np

from ...plugins.manager import get_manager
from .case import Skip, Subject, check
from .model import same, tensors_of

__all__ = ["made"]


def made(subject: Subject) -> Any:
    """The target called with the example's ``args`` and ``kwargs``; with ``call = false`` it is the function itself, with ``kwargs``."""
    example, target = subject.example, subject.entry.load()
    how = target if example.get("call", True) else functools.partial(functools.partial, target)
    return how(*example.get("args", ()), **example.get("kwargs", {}))


def _plain(value: Any) -> Any:
    """A result with its tensors as arrays, for comparison."""
    return [t.detach().numpy() for t in tensors_of(value)] or value


def _alike(a: Any, b: Any) -> bool:
    one, other = _plain(a), _plain(b)
    if isinstance(one, list) and all(isinstance(x, np.ndarray) for x in one):
        return len(one) == len(other) and all(np.array_equal(x, y, equal_nan=x.dtype.kind in "fc") for x, y in zip(one, other, strict=True))
    return type(one) is type(other) and bool(np.all(np.asarray(one == other)))


@check("transforms", "layers", "metrics")
def it_works_on_its_example(subject: Subject) -> None:
    """It is made, takes the example's inputs and gives something."""
    import dovetail as dv

    dv.manual_seed(0)
    assert made(subject)(*subject.inputs()) is not None, "it gives None"


@check("transforms", "layers", "metrics")
def inputs_stay_as_they_are(subject: Subject) -> None:
    """It does not write into its inputs."""
    inputs = subject.inputs()
    made(subject)(*inputs)
    assert _alike(inputs, subject.inputs()), "it changes its input"


@check("transforms", "layers", "metrics")
def the_seed_decides(subject: Subject) -> None:
    """After ``manual_seed`` the result is the same, twice."""
    import dovetail as dv

    results = []
    for _ in range(2):
        dv.manual_seed(3)
        results.append(made(subject)(*subject.inputs()))
    assert _alike(*results), "one seed gives two results"


@check("transforms", "tokenizers")
def it_can_be_copied(subject: Subject) -> None:
    """A copy, as a worker gets one, does the same."""
    import dovetail as dv

    one = made(subject)
    two, results = copy.deepcopy(one), []
    for item in (one, two):
        dv.manual_seed(3)
        results.append(item(*(subject.inputs() if subject.kind == "transforms" else subject.example.get("texts", ["a b"])[:1])))
    assert _alike(*results), "its copy does something else"


@check("layers")
def gradients_reach_its_parameters(subject: Subject) -> None:
    """It is a Module, and every parameter gets a gradient."""
    import dovetail as dv

    layer = made(subject)
    assert isinstance(layer, dv.nn.Module), f"it is a {type(layer).__name__}, not a Module"
    if not any(p.requires_grad for p in layer.parameters()):
        raise Skip("it has no parameters that learn")
    tensors_of(layer(*subject.inputs()))[0].abs().sum().backward()
    without = [name for name, p in layer.named_parameters() if p.requires_grad and p.grad is None]
    assert not without, f"no gradient reaches {', '.join(without)}"


@check("layers")
def the_state_makes_the_round_trip(subject: Subject) -> None:
    """The state dict of one layer makes an equal one of another."""
    one, two = made(subject).eval(), made(subject).eval()
    two.load_state_dict(one.state_dict())
    assert same(one(*subject.inputs()), two(*subject.inputs())), "load_state_dict does not give the same layer"


@check("metrics")
def it_gives_finite_numbers(subject: Subject) -> None:
    """The result is a finite number, or a tensor of them."""
    result = made(subject)(*subject.inputs())
    values = np.asarray(result.numpy() if hasattr(result, "numpy") else result, dtype=float)
    assert np.isfinite(values).all(), f"it gives {result}"


@check("optimizers")
def a_quadratic_gets_smaller(subject: Subject) -> None:
    """A hundred steps make ``(w - 3)²`` smaller, parameters without gradients stay, and the state makes the round trip."""
    import dovetail as dv

    kind, example = subject.entry.load(), subject.example
    w, idle = dv.nn.Parameter(dv.zeros(3)), dv.nn.Parameter(dv.ones(2))
    optimizer = kind([w, idle], *example.get("args", ()), **example.get("kwargs", {}))
    assert isinstance(optimizer, dv.optim.Optimizer), f"it is a {type(optimizer).__name__}, not an Optimizer"

    def loss() -> Any:
        optimizer.zero_grad()
        value = ((w - 3) ** 2).sum()
        value.backward()
        return value

    before = loss().item()
    closure = (loss,) if "closure" in inspect.signature(kind.step).parameters else ()
    for _ in range(100):
        loss()
        optimizer.step(*closure)
    assert loss().item() < before, f"the loss went from {before} to {loss().item()}"
    assert idle.tolist() == [1.0, 1.0], "a parameter without a gradient was changed"
    other = kind([w, idle], *example.get("args", ()), **example.get("kwargs", {}))
    other.load_state_dict(optimizer.state_dict())
    assert str(other.state_dict()) == str(optimizer.state_dict()), "the state dict does not make the round trip"


def _texts(subject: Subject) -> list[str]:
    return subject.example.get("texts", ["A small text.", "", "  spaces\tand\nlines ", "naïve café 漢字 🙂", "a" * 2000])


def _encode(tokenizer: Any, text: str) -> Any:
    found = tokenizer.encode(text) if hasattr(tokenizer, "encode") else tokenizer(text)
    return getattr(found, "ids", found)  # of an encoding, the numbers


@check("tokenizers")
def any_text_becomes_a_list(subject: Subject) -> None:
    """Every text, the empty one and foreign scripts among them, gives a list, and the same one twice."""
    tokenizer = made(subject)
    for text in _texts(subject):
        first, again = _encode(tokenizer, text), _encode(tokenizer, text)
        assert isinstance(first, list | tuple), f"{text[:20]!r} gives a {type(first).__name__}; expected a list"
        assert first == again, f"{text[:20]!r} gives two results"


@check("tokenizers")
def decoding_undoes_encoding(subject: Subject) -> None:
    """``decode(encode(text))`` is the text, where the manifest says ``lossless = true``."""
    tokenizer = made(subject)
    if not hasattr(tokenizer, "decode") or not subject.fields.get("lossless"):
        raise Skip("it does not claim to be lossless (lossless = true), or has no decode")
    for text in _texts(subject):
        assert tokenizer.decode(_encode(tokenizer, text)) == text, (
            f"{text[:20]!r} comes back as {tokenizer.decode(_encode(tokenizer, text))[:40]!r}"
        )


@check("commands")
def it_has_a_help_text(subject: Subject) -> None:
    """``dovetail NAME --help`` says what the command does, with status 0."""
    from click.testing import CliRunner

    from ...cli.main import dovetail as program

    result = CliRunner().invoke(program, [subject.key, "--help"])
    assert result.exit_code == 0 and result.output.strip(), f"status {result.exit_code}: {result.output[-300:]}"


@check("collates")
def samples_become_a_batch(subject: Subject) -> None:
    """Samples of the class, which the example's ``fixture`` makes, become a batch: several, one, and inside a tuple."""
    from ...data import default_collate

    fixture = subject.example.get("fixture")
    if fixture is None:
        raise Skip("its example has no fixture that makes a list of samples")
    samples = get_manager().load(fixture, subject.plugin)()
    kind = type(samples[0])
    assert f"{kind.__module__}.{kind.__qualname__}" == subject.key, f"{fixture} gives a {kind.__module__}.{kind.__qualname__}"
    for batch in (samples, samples[:1]):
        assert default_collate(batch) is not None, "its batch is None"
    assert len(default_collate([(sample, 0) for sample in samples])) == 2


@check("devices", "namespaces", "lowerings")
def it_can_be_imported(subject: Subject) -> None:
    """The target is there."""
    found = subject.entry.load()
    assert subject.kind == "namespaces" or callable(found), f"{subject.fields['target']} is a {type(found).__name__}; expected a callable"


@check("aliases")
def it_leads_somewhere(subject: Subject) -> None:
    """The new name is registered, in any kind."""
    from ...plugins.names import HOOK_KINDS
    from ...plugins.registry import registry

    assert any(subject.fields["new"] in registry(kind) for kind in HOOK_KINDS), f"nobody has {subject.fields['new']!r}"
