"""The shipped .pth gives in Dovetail the scores that it gives in PyTorch, and its recipe still makes that network."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch

import dovetail as dv
from tests.contracts.sources import ROOT

pytest.importorskip("dovetail_vision")
FOLDER = ROOT / "plugins" / "vision"
FILE = FOLDER / "dovetail_vision" / "weights" / "digits_resnet_torch.pth"


def recipe() -> Any:
    spec: Any = importlib.util.spec_from_file_location("digits_resnet_torch", FOLDER / "recipes" / "digits_resnet_torch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_scores_are_pytorch_s() -> None:
    made = recipe()
    theirs = made.DigitsResNet().eval()
    assert str(theirs.load_state_dict(torch.load(FILE, weights_only=True))) == "<All keys matched successfully>"
    images, labels = made.digits("test")
    mine = dv.models.create("vision/digits_resnet", weights="torch").eval()
    with torch.no_grad(), dv.no_grad():
        a, b = theirs(images), mine(dv.from_numpy(images.numpy()))
    np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-4, atol=1e-4)
    assert int((a.argmax(1) == labels).sum()) == 445
