"""A model of Hugging Face's transformers beside ours, which was read from the folder that theirs wrote."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if find_spec("transformers") is None:
    pytest.skip("transformers is not installed", allow_module_level=True)

import dovetail as dv
from dovetail_text import models
from tests.parity.torchvision_oracle import torchvision

if find_spec("torchvision"):
    torchvision()  # transformers imports it, and must find its operators named
import transformers

ATOL = 1e-5  # of outputs; the bar is 1e-4
RNG = np.random.default_rng(0)
IDS = RNG.integers(2, 30, (3, 9))
MASK = np.array([[1] * 9, [1] * 5 + [0] * 4, [1] * 8 + [0]])
LABELS = np.where(RNG.random((3, 9)) < 0.4, IDS, -100)


def pair(tmp_path, name, config, **fields):
    """Ours and theirs, both in eval mode; weights are drawn wide, so that a difference shows."""
    torch.manual_seed(0)
    theirs = getattr(transformers, name)(getattr(transformers, config)(**fields)).eval()
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(0.1 * torch.randn_like(p))
    theirs.save_pretrained(tmp_path)
    ours = getattr(models, name).from_pretrained(tmp_path)
    wanted = {n: tuple(t.shape) for n, t in theirs.state_dict().items()}
    assert {n: tuple(t.shape) for n, t in ours.state_dict().items()} == wanted
    return ours, theirs


def both(ours, theirs, **arrays):
    """What each makes of the same arrays."""
    plain = {k: a for k, a in arrays.items() if not isinstance(a, np.ndarray)}
    arrays = {k: np.ascontiguousarray(a) for k, a in arrays.items() if isinstance(a, np.ndarray)}
    got = ours(**{k: dv.from_numpy(a) for k, a in arrays.items()}, **plain)
    return got, theirs(**{k: torch.from_numpy(a) for k, a in arrays.items()}, **plain)


def close(got, want, atol=ATOL, keep=None):
    got, want = got.detach().numpy(), want.detach().numpy()
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got if keep is None else got[keep], want if keep is None else want[keep], rtol=1e-5, atol=atol)


def same_gradients(ours, theirs, atol=3e-5):
    want = {name: p.grad for name, p in theirs.named_parameters(remove_duplicate=False)}
    got = {name: p.grad for name, p in ours.named_parameters(remove_duplicate=False)}
    assert set(got) == set(want)
    for name, grad in want.items():
        if grad is None:
            assert got[name] is None or not got[name].any(), name
        else:
            np.testing.assert_allclose(got[name].numpy(), grad.numpy(), rtol=1e-4, atol=atol, err_msg=name)
