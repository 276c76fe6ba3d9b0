"""Sample plugins: sabotaged ones, with the check that must catch each, and honest ones that no check may accuse."""

from __future__ import annotations

__all__ = ["GOOD", "HONEST", "MODEL", "SABOTAGE"]

TARGETS = {"models": "net", "datasets": "Data", "transforms": "Change", "metrics": "measure", "tokenizers": "Words", "layers": "Layer"}
HEAD = "import numpy as np\nimport dovetail as dv\nfrom dovetail import nn\n"
NET = HEAD + "class net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(3, 2)\n"
DATA = HEAD + "class Data:\n    def __init__(self, split='train'):\n        self.n = 9\n    def __len__(self): return self.n\n"
ITEM = "    def __getitem__(self, i):\n        if not -9 <= i < 9: raise IndexError(i)\n        return dv.full((2,), float(i)), int(i)\n"
GOOD = NET + "    def forward(self, x): return self.a(x)\n"
INPUTS = "example = { inputs = [[4, 3]] }"
OPT = HEAD + "class Slow(dv.optim.Optimizer):\n    def __init__(self, params, lr=0.1):\n        super().__init__(params, {'lr': lr})\n"
STEP = "    @dv.no_grad()\n    def step(self, closure=None):\n        for g in self.param_groups:\n            for p in g['params']:\n"
READ = "import dovetail as dv\nfrom dovetail.hooks import hookimpl\n"


def row(kind: str, example: str, **fields: str) -> str:
    more = "".join(f"{name} = {value}\n" for name, value in fields.items())
    return f'[{kind}."bad/thing"]\ntarget = "dovetail_bad.code:{TARGETS[kind]}"\n{example}\n{more}'


def fmt(read: str) -> tuple[str, dict[str, str]]:
    rows = 'hooks = { module = "dovetail_bad.hooks", implements = ["decode_sample"] }\n[formats.".bad"]\nmagic = "BAD"\n'
    rows += 'example = { fixture = "dovetail_bad.code:file" }\n'
    return rows, {"code.py": "def file(path): path.write_bytes(b'BAD' + bytes(range(40)))\n", "hooks.py": READ + read}


MODEL = row("models", INPUTS)
FORMAT_EATS = fmt("@hookimpl\ndef decode_sample(data): return data[3:][data[4]]\n")
FORMAT_MUTE = (
    '[formats.".bad"]\nexample = { fixture = "dovetail_bad.code:file" }\n',
    {"code.py": "def file(path): path.write_bytes(b'x' * 50)\n"},
)
FORMAT_MAGIC = fmt("@hookimpl\ndef decode_sample(data): return data\n")

# name → (rows, code, the check that must fail)
SABOTAGE: dict[str, tuple[str, str | dict[str, str], str]] = {
    "weights that are not loaded": (
        MODEL + '[weights."bad/thing@v1"]\nmodel = "bad/thing"\n',
        GOOD.replace("__init__(self)", "__init__(self, weights=None)"),
        "weights.bad/thing@v1:what_ships_is_loaded",
    ),
    "weights whose file is another": (
        MODEL + f'[weights."bad/thing@v1"]\nmodel = "bad/thing"\nfile = "__init__.py"\nsha256 = "{"0" * 64}"\nbytes = 0\nlicense = "MIT"\n',
        GOOD,
        "weights.bad/thing@v1:its_file_is_whole",
    ),
    "a collate that stumbles over a single sample": (
        'hooks = { module = "dovetail_bad.code", implements = ["collate"] }\n'
        '[collates."dovetail_bad.code.Clip"]\nexample = { fixture = "dovetail_bad.code:some" }\n',
        READ + "class Clip: pass\ndef some(): return [Clip(), Clip()]\n@hookimpl\ndef collate(samples): return samples[1]\n",
        "collates.dovetail_bad.code.Clip:samples_become_a_batch",
    ),
    "a metric by code that fails": (
        'hooks = { module = "dovetail_bad.code", implements = ["register_metrics"] }\n',
        READ + "@hookimpl\ndef register_metrics():\n"
        "    return {'bad/m': {'target': 'dovetail_bad.code:m', 'example': {'call': False, 'inputs': [[2]]}}}\ndef m(x): return x / 0 * 0\n",
        "metrics.bad/m:it_gives_finite_numbers",
    ),
    "an import that raises": (MODEL, "1 / 0\n", "plugin:imports_work"),
    "an import that exits": (MODEL, "raise SystemExit\n", "plugin:every_target_and_hook_is_there"),
    "an import that takes its time": (MODEL, "import time\nend = time.process_time() + 1.3\nwhile time.process_time() < end: pass\n" + GOOD, "plugin:imports_are_quick"),
    "an import that prints": (MODEL, "print('hello')\n" + GOOD, "plugin:imports_print_nothing"),
    "an import that looks up a host": (MODEL, "import socket\ntry: socket.getaddrinfo('localhost', 1)\nexcept OSError: pass\n" + GOOD, "plugin:imports_touch_no_network"),
    "an import that runs a program": (MODEL, "import subprocess\nsubprocess.run(['true'])\n" + GOOD, "plugin:imports_start_no_process"),
    "an import that starts a thread": (MODEL, "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n" + GOOD, "plugin:imports_start_no_thread"),
    "an import that writes a file": (MODEL, "import tempfile\ntempfile.NamedTemporaryFile()\n" + GOOD, "plugin:imports_write_no_file"),
    "an import that seeds": (MODEL, "import random\nrandom.seed(3)\n" + GOOD, "plugin:imports_change_no_global_state"),
    "an import that sets the default type": (MODEL, HEAD + "dv.set_default_dtype(dv.float64)\n" + GOOD, "plugin:imports_change_no_global_state"),
    "an import that patches Tensor": (MODEL, HEAD + "dv.Tensor.blur = lambda self: self\n" + GOOD, "plugin:imports_change_no_global_state"),
    "an import that changes the environment": (MODEL, "import os\nos.environ['BAD'] = '1'\n" + GOOD, "plugin:imports_change_no_global_state"),
    "a private name": (MODEL, "from dovetail.ops._op import OPS\n" + GOOD, "plugin:it_uses_public_names_only"),
    "a target that is not there": (MODEL, HEAD, "plugin:every_target_and_hook_is_there"),
    "a table that nobody knows": (MODEL + '[nonsense]\na = 1\n', GOOD, "plugin:manifest_is_right"),
    "a hook that asks for what is not given": (
        'hooks = { module = "dovetail_bad.code", implements = ["build_model"] }\n',
        READ + "@hookimpl\ndef build_model(entry, colour): return None\n",
        "plugin:every_target_and_hook_is_there",
    ),
    "a model that is no module": (MODEL, "def net(): return lambda x: x\n", "models.bad/thing:it_is_a_module"),
    "a parameter without a gradient": (MODEL, NET + "        self.b = nn.Parameter(dv.ones(2))\n    def forward(self, x): return self.a(x)\n", "models.bad/thing:forward_and_backward"),
    "a model for one batch size": (MODEL, NET + "    def forward(self, x): return self.a(x.reshape(4, 3))\n", "models.bad/thing:batches_of_one_and_none"),
    "a model that mixes its batch": (MODEL, NET + "    def forward(self, x): return self.a(x - x.mean(0)) if len(x) else self.a(x)\n", "models.bad/thing:rows_do_not_depend_on_each_other"),
    "a model with a random stream of its own": (MODEL, NET + "        with dv.no_grad(): self.a.weight.copy_(dv.from_numpy(np.random.default_rng().random((2, 3)).astype('f4')))\n    def forward(self, x): return self.a(x)\n", "models.bad/thing:the_seed_decides"),
    "a model that writes into its input": (MODEL, NET + "    def forward(self, x):\n        x += 1\n        return self.a(x)\n", "models.bad/thing:inputs_stay_as_they_are"),
    "a model that never leaves training": (MODEL, NET + "    def eval(self): return self\n    def forward(self, x): return self.a(x)\n", "models.bad/thing:train_and_eval_reach_every_part"),
    "a state that is not all": (MODEL, NET + "        self.k = dv.randn(2)\n    def forward(self, x): return self.a(x) * self.k\n", "models.bad/thing:the_state_makes_the_round_trip"),
    "a wrong number of parameters": (row("models", INPUTS, params="9"), GOOD, "models.bad/thing:the_number_of_parameters_is_as_declared"),
    "a wrong gradient": (MODEL, HEAD + "class F(dv.autograd.Function):\n    @staticmethod\n    def forward(ctx, x): return x * 2\n    @staticmethod\n    def backward(ctx, g): return g * 3\n" + NET.removeprefix(HEAD) + "    def forward(self, x): return F.apply(self.a(x))\n", "models.bad/thing:gradients_are_right"),
    "a dataset without an end": (row("datasets", "example = {}"), DATA + "    def __getitem__(self, i): return i\n", "datasets.bad/thing:indices_behave_as_a_lists"),
    "a dataset that is empty": (row("datasets", "example = {}"), DATA.replace("9", "0") + "    def __getitem__(self, i): raise IndexError\n", "datasets.bad/thing:samples_can_be_read"),
    "a dataset that changes": (row("datasets", "example = {}"), DATA + ITEM.replace("float(i)", "np.random.random()"), "datasets.bad/thing:opening_twice_gives_the_same"),
    "a dataset that must be read in order": (row("datasets", "example = {}"), DATA + "    def __getitem__(self, i):\n        if not -9 <= i < 9: raise IndexError(i)\n        self.seen = getattr(self, 'seen', set()) | {int(i)}\n        return dv.full((2,), float(len(self.seen)))\n", "datasets.bad/thing:resuming_gives_what_was_left"),
    "a model that claims ONNX": (row("models", INPUTS, onnx="true"), NET + "    def forward(self, x): return self.a(dv.fft.fft(dv.fft.ifft(x)).real)\n", "models.bad/thing:it_is_written_as_onnx"),
    "a split that is not there": (row("datasets", "example = {}", splits='["train", "dev"]'), DATA.replace("self.n = 9", "self.n = {'train': 9}[split]") + ITEM, "datasets.bad/thing:declared_splits_open"),
    "a download without a hash": (row("datasets", "example = {}", url='"https://x/y"', md5=f'"{"0" * 32}"'), DATA + ITEM, "datasets.bad/thing:what_is_downloaded_has_a_hash"),
    "damage that nobody sees": (
        row("datasets", 'example = { fixture = "dovetail_bad.code:files" }'),
        HEAD + "def files(folder): (folder / 'x').write_bytes(bytes(80))\nclass Data:\n    def __init__(self, root): self.b = open(root + '/x', 'rb').read()\n    def __len__(self): return 5\n    def __getitem__(self, i):\n        if not -5 <= i < 5: raise IndexError(i)\n        return len(self.b[:1])\n",
        "datasets.bad/thing:damaged_files_are_typed_errors",
    ),
    "a transform that writes into its input": (row("transforms", INPUTS), "class Change:\n    def __call__(self, x): return x.add_(1)\n", "transforms.bad/thing:inputs_stay_as_they_are"),
    "a transform that cannot be copied": (row("transforms", INPUTS), "class Change:\n    def __init__(self): self.f = open('/dev/null')\n    def __call__(self, x): return x\n", "transforms.bad/thing:it_can_be_copied"),
    "a transform with its own randomness": (row("transforms", INPUTS), "import random\nclass Change:\n    def __call__(self, x): return x * random.random()\n", "transforms.bad/thing:the_seed_decides"),
    "a metric that is not a number": (row("metrics", "example = { call = false, inputs = [[4], [4]] }"), "def measure(a, b): return float('nan')\n", "metrics.bad/thing:it_gives_finite_numbers"),
    "a tokenizer that loses text": (row("tokenizers", "example = {}", lossless="true"), "class Words:\n    def encode(self, t): return t.split()\n    def decode(self, t): return ' '.join(t)\n    __call__ = encode\n", "tokenizers.bad/thing:decoding_undoes_encoding"),
    "a layer out of reach of gradients": (row("layers", "example = { inputs = [[2, 3]] }"), HEAD + "class Layer(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.w = nn.Parameter(dv.ones(3))\n    def forward(self, x): return (x * self.w.detach()).requires_grad_()\n", "layers.bad/thing:gradients_reach_its_parameters"),
    "an optimizer that climbs": ('[optimizers."bad/thing"]\ntarget = "dovetail_bad.code:Slow"\nexample = {}\n', OPT + STEP + "                if p.grad is not None: p.add_(p.grad, alpha=g['lr'])\n", "optimizers.bad/thing:a_quadratic_gets_smaller"),
    "a format that breaks on damage": (*FORMAT_EATS, "formats..bad:damaged_files_are_format_errors"),
    "a format without a reader": (*FORMAT_MUTE, "formats..bad:a_good_file_is_read"),
    "a format with another magic": (FORMAT_MAGIC[0].replace('"BAD"', '"GOOD"'), FORMAT_MAGIC[1], "formats..bad:magic_is_as_declared"),
    "a command that does not start": ('[commands.bad]\ntarget = "dovetail_bad.code:main"\n', "def main(arguments): raise OSError\n", "commands.bad:it_has_a_help_text"),
    "a kernel for no op": ('[kernels.nonsense]\ntarget = "dovetail_bad.code:k"\ndevice = "cpu"\ndtypes = ["float32"]\n', "def k(x): return x\n", "kernels.nonsense@cpu:float32:its_op_is_there"),
    "a kernel that is wrong": ('[kernels.expm1]\ntarget = "dovetail_bad.code:k"\ndevice = "cpu"\ndtypes = ["float64"]\n', "import numpy as np\ndef k(input): return np.expm1(input) + 1e-3\n", "kernels.expm1@cpu:float64:it_equals_the_reference"),
    "a kernel with a wrong gradient": ('[kernels.expm1]\ntarget = "dovetail_bad.code:k"\ndevice = "cpu"\ndtypes = ["float64"]\n', "import numpy as np\nfrom dovetail.extend import Kernel\nk = Kernel(np.expm1, lambda g, out: g * out)\n", "kernels.expm1@cpu:float64:its_gradient_equals_the_reference"),
    "a kernel that writes into its input": ('[kernels.exp]\ntarget = "dovetail_bad.code:k"\ndevice = "cpu"\ndtypes = ["float64"]\n', "import numpy as np\ndef k(input): return np.exp(input, out=input)\n", "kernels.exp@cpu:float64:it_leaves_its_inputs"),
}  # fmt: skip

HONEST = {
    "a model": (MODEL, GOOD),
    "a model with dropout and batch norm": (
        MODEL,
        NET + "        self.b, self.c = nn.BatchNorm1d(2), nn.Dropout(0.5)\n    def forward(self, x): return self.c(self.b(self.a(x)))\n",
    ),
    "a model with units at the kink of a ReLU": (
        MODEL,
        NET + "        nn.init.zeros_(self.a.bias)\n    def forward(self, x): return dv.relu(self.a(x * (x > 1)))\n",
    ),
    "a dataset": (
        row("datasets", "example = {}", splits='["train"]'),
        DATA.replace("self.n = 9", "self.n = {'train': 9}.get(split)") + ITEM,
    ),
    "a dataset of dataclasses": (
        row("datasets", "example = {}"),
        "import dataclasses\n"
        + DATA.replace("class Data", "@dataclasses.dataclass\nclass Pair:\n    x: object\n    y: int\nclass Data")
        + ITEM.replace("return dv.full((2,), float(i)), int(i)", "return Pair(dv.full((2,), float(i)), int(i))"),
    ),
    "a transform": (row("transforms", INPUTS), HEAD + "class Change:\n    def __call__(self, x): return x + dv.randn_like(x)\n"),
    "a kernel": (
        '[kernels.expm1]\ntarget = "dovetail_bad.code:k"\ndevice = "cpu"\ndtypes = ["float32", "float64"]\n',
        "import numpy as np\nfrom dovetail.extend import Kernel\n"
        "def f(input): return np.expm1(input) if input.size else NotImplemented\nk = Kernel(f, lambda g, out: g * (out + 1))\n",
    ),
}
