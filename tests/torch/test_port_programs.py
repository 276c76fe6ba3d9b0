"""Programs that use what is not there: each such name is reported with its lines and what to do; what only looks like one is not."""

from __future__ import annotations

import pytest

from dovetail_torch import report

# program, {name: (lines, part of the remedy)}
CRAFTED = [
    ("import torch.fx as fx\ntraced = fx.symbolic_trace(net)\n", {"torch.fx.symbolic_trace": ([2], "dovetail.graph.trace")}),
    ("from torch.export import export\n\nexport(net, (x,))\n", {"torch.export": ([1, 3], "dovetail.onnx.export")}),
    ("import torch\nq = torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)\n", {"torch.quantize_per_tensor": ([2], "no quantization")}),
    ("from torch.ao.quantization import quantize_dynamic\n", {"torch.ao": ([1], "no quantization")}),
    ("from torch.utils.bottleneck import main\nw = main()\n", {"torch.utils.bottleneck": ([1, 2], "dovetail.profiler")}),
    ("import torch\nx = torch.nested.nested_tensor([a, b])\n", {"torch.nested": ([2], "pad_sequence")}),
    ("from torchvision.models.optical_flow import raft_small\n", {"torchvision.models.optical_flow": ([1], "RAFT is not here")}),
    ("from torch.utils.cpp_extension import load\next = load('a', ['a.cpp'])\n", {"torch.utils.cpp_extension": ([1, 2], "dovetail.extend.Kernel")}),
    ("import torch\n\n\ndef f(x):\n    return torch.rellu(torch.sygmoid(x))\n", {"torch.rellu": ([5], "relu"), "torch.sygmoid": ([5], "sigmoid")}),
    ("import torch.nn as nn\nF = nn.functional\nF.softmaxx(x)\n", {"torch.nn.functional.softmaxx": ([3], "softmax")}),
    ("from torch import nn\nnet = nn.Sequential(nn.Linear(1, 2), nn.Reluu())\n", {"torch.nn.Reluu": ([2], "ReLU")}),
]  # fmt: skip

# what follows an import's name only by chance: an argument, a variable, an attribute of an object
NOTHING_MISSING = [
    "import torch.autograd.forward_ad as fwAD\nwith fwAD.dual_level():\n    pass\n",
    "import torch.distributed as dist\nif dist.is_available() and dist.is_initialized():\n    dist.barrier()\n",
    "from torch import optim\ndef train(net, optim):\n    optim.zero_everything()\n",
    "from torch import optim\noptim = optim.SGD(net.parameters())\noptim.learning_rate = 1\n",
    "import torch\nfor torch in range(3):\n    torch.no_such_thing\n",
    "import torch.nn as nn\nclass Net(nn.Module):\n    def forward(self, nn):\n        return nn.whatever\n",
    "from torch import device\ndef f():\n    device = pick()\n    return device.kind\n",
    "import torch\nsum(map(lambda torch: torch.size_of_it, things))\n",
    "import torch\ntorch.ones(2).no_such_method()\ntorch.nn.Linear(1, 2).weight.whatever\n",
    "import torchaudio\ntorchaudio.load('x')\n",
]


@pytest.mark.parametrize(("program", "expected"), CRAFTED, ids=[next(iter(expected)) for _, expected in CRAFTED])
def test_each_missing_name_is_reported_with_lines_and_remedy(program, expected):
    found = {name.name: name for name in report(program).missing}
    assert found.keys() == expected.keys()
    for name, (lines, remedy) in expected.items():
        assert found[name].lines == lines and remedy in found[name].advice
        assert f"{name} is missing: {found[name].advice}" in str(report(program))


@pytest.mark.parametrize("program", NOTHING_MISSING)
def test_what_only_looks_like_pytorch_is_not_reported(program):
    assert report(program).missing == []
