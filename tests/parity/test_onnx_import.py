"""Networks that PyTorch wrote as ONNX train here as they train there."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
import torch

import dovetail as dv

pytest.importorskip("onnx")
pytest.importorskip("dovetail_onnx")

pytestmark = pytest.mark.parity


class Block(torch.nn.Module):
    """Two convolutions with a way around, as ResNets have."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False), torch.nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False), torch.nn.BatchNorm2d(channels)

    def forward(self, x):
        out = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(out)))


class Recurrent(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(20, 8)
        self.lstm = torch.nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True)
        self.gru = torch.nn.GRU(12, 5, batch_first=True)
        self.head = torch.nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.gru(self.lstm(self.embed(x))[0])[0]).mean(1)


def convnet():
    layers = [
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        Block(8),
        Block(8),
    ]
    return distinct(torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 3)))


def distinct(net):
    """With weights and statistics that all differ: the exporter writes equal ones once."""
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) / 2 + 0.5 if name.endswith("running_var") else torch.randn_like(value) * 0.2)
    return net


def transformer():
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, activation="gelu", batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return distinct(torch.nn.Sequential(encoder, torch.nn.Flatten(), torch.nn.Linear(80, 3)))


def imported(net, x, mode, opset=17):
    """The network as ONNX, by PyTorch's exporter that needs no further package, read again."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (x,), file, dynamo=False, opset_version=opset, training=mode, do_constant_folding=False, input_names=["x"])
    return dv.onnx.load(file.getvalue())


NETS = {
    "convnet": (convnet, lambda: torch.randn(4, 3, 16, 16)),
    "recurrent": (Recurrent, lambda: torch.randint(0, 20, (4, 7))),
    "transformer": (transformer, lambda: torch.randn(4, 5, 16)),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("opset", [14, 17])
def test_results_and_gradients(name, opset):
    torch.manual_seed(0)
    make, sample = NETS[name]
    net, x = make().eval(), sample()
    module = imported(net, x, torch.onnx.TrainingMode.EVAL, opset)
    np.testing.assert_allclose(module(x.numpy()).detach().numpy(), net(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    net(x).square().sum().backward()
    module(x.numpy()).square().sum().backward()
    assert not module.handed_over and all(parameter.grad is not None for parameter in module.parameters())
    theirs, ours = dict(net.named_parameters()), dict(module.named_parameters())
    shared = [key for key in theirs if key in ours and ours[key].shape == tuple(theirs[key].shape)]
    assert len(shared) >= 3
    for key in shared:
        np.testing.assert_allclose(ours[key].grad.numpy(), theirs[key].grad.numpy(), rtol=1e-3, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("mode", ["TRAINING", "PRESERVE"])
def test_training(mode):
    """Ten steps of SGD on a network with BatchNormalization, exported for training: losses, weights and running statistics."""
    torch.manual_seed(0)
    net, x, labels = convnet().train(mode == "TRAINING"), torch.randn(8, 3, 16, 16), torch.arange(8) % 3
    module = imported(net, x, getattr(torch.onnx.TrainingMode, mode))
    state = {key: value for key, value in net.state_dict().items() if "num_batches" not in key}
    for key, value in state.items():  # exporting ran the network once
        np.testing.assert_array_equal(module.state_dict()[key].numpy(), value.numpy(), err_msg=key)
    net.train(), module.train()
    losses = []
    for run, library, data, target in (
        (net, torch, x, labels), (module, dv, dv.from_numpy(x.numpy()), dv.from_numpy(labels.numpy())),
    ):  # fmt: skip
        optimizer = library.optim.SGD(run.parameters(), lr=0.05, momentum=0.9)
        row = []
        for _ in range(10):
            optimizer.zero_grad()
            loss = library.nn.functional.cross_entropy(run(data), target)
            loss.backward()
            optimizer.step()
            row.append(loss.item())
        losses.append(row)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    for key, value in net.state_dict().items():
        if "num_batches" not in key:
            np.testing.assert_allclose(module.state_dict()[key].numpy(), value.numpy(), rtol=1e-3, atol=1e-5, err_msg=key)
    if mode == "PRESERVE":
        np.testing.assert_allclose(module.eval()(x.numpy()).detach().numpy(), net.eval()(x).detach().numpy(), rtol=1e-3, atol=1e-4)
