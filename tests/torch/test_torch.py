"""`import torch` gives Dovetail while installed; reports name what a program uses; commands end as they say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

import dovetail as dv
import dovetail_torch
from dovetail_torch.commands import port


def run(code: str, *arguments: str, tmp_path) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "program.py"
    script.write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "dovetail", "run-torch", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_program_runs_unmodified(tmp_path):
    (tmp_path / "beside.py").write_text("width = 3\n")
    code = (
        "import sys, torch, torch.nn as nn\nimport torch.nn.functional as F\nfrom torch.utils.data import DataLoader, TensorDataset\n"
        "from torch.optim.lr_scheduler import StepLR\nfrom torch import Tensor\nfrom beside import width\n"
        "net = nn.Linear(width, 1)\nassert isinstance(net.weight, Tensor) and 'dovetail' in torch.__version__\n"
        "assert torch.__version__ >= '2.0' and tuple(map(int, torch.__version__.split('+')[0].split('.'))) == (2, 13, 0)\n"
        "batch = next(iter(DataLoader(TensorDataset(torch.ones(4, width)), batch_size=2)))[0]\n"
        "F.mse_loss(net(batch), torch.zeros(2, 1)).backward()\nprint('well', sys.argv[1:], __name__)\n"
    )
    done = run(code, "--epochs", "3", tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "well ['--epochs', '3'] __main__\n"


def test_an_import_of_gradcheck_leaves_the_function_of_that_name(tmp_path):
    code = (
        "import torch\nfrom torch.autograd.gradcheck import gradcheck\nimport torch.autograd.gradcheck as module\n"
        "x = torch.ones(2, dtype=torch.float64, requires_grad=True)\n"
        "print(torch.autograd.gradcheck(torch.sin, x), module is gradcheck, torch.autograd.gradcheck is gradcheck)\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True True True\n"


def test_functorch_is_there(tmp_path):
    code = (
        "import functorch, torch\nfrom functorch import make_functional, grad, vmap\nfrom functorch.experimental import chunk_vmap\n"
        "call, params = make_functional(torch.nn.Linear(2, 1))\n"
        "print(functorch.__version__ == torch.__version__, [g.tolist() for g in grad(lambda p: call(p, torch.ones(1, 2)).sum())(params)])\n"
        "try:\n    import functorch.compile\nexcept ImportError as error:\n    print(error)"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True [[[1.0, 1.0]], [1.0]]\nimport functorch.compile: there is no counterpart; torch.compile compiles")


def test_what_programs_take_from_the_inside(tmp_path):
    code = (
        "import torch\nfrom torch.nn.utils.stateless import _reparametrize_module\n"
        "layer = torch.nn.Linear(1, 1)\nx = torch.ones(1)\n"
        "with _reparametrize_module(layer, {'weight': torch.tensor([[2.]]), 'bias': torch.tensor([1.])}):\n    print(layer(x).tolist())\n"
        "torch._check(True)\ntorch._assert_async(x)\n"
        "a = torch.tensor([2.], requires_grad=True)\ntorch._standard_gamma(a).sum().backward()\nprint(a.grad.item() > 0)\n"
        "for call in (lambda: torch._check(False, lambda: 'no'), lambda: torch._check_value(False), lambda: torch._check_index(False),\n"
        "             lambda: torch._check(1), lambda: torch._check_not_implemented(False), lambda: torch._assert_async(x * 0)):\n"
        "    try:\n        call()\n    except Exception as error:\n        print(type(error).__name__, str(error)[:8])\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[3.0]", "True", "RuntimeError no", "ValueError Expected", "IndexError Expected", "TypeError cond mus",
        "NotImplementedError Expected", "RuntimeError Expected",
    ]  # fmt: skip


def test_what_strangers_packages_import(tmp_path):
    code = (
        "import torch, torch.utils.checkpoint as whole\n"
        "from torch.utils.checkpoint import checkpoint, get_device_states, set_device_states\n"
        "from torch.nn.parallel.scatter_gather import scatter\nfrom torch.distributed import nn\n"
        "print(torch.torch is torch, get_device_states(torch.ones(2)), whole.checkpoint is checkpoint)\n"
        "print(scatter.__name__, nn.all_reduce.__name__, torch.cuda._initialized == torch.cuda.is_available())\n"
        "set_device_states([], [])\n"
        "class Named(torch.nn.Parameter):\n"
        "    def __new__(cls, data, name):\n"
        "        made = torch.Tensor._make_subclass(cls, data, True)\n        made.name = name\n        return made\n"
        "p = Named(torch.ones(2), 'p')\n(p * 3).sum().backward()\nprint(type(p).__name__, p.name, p.grad.tolist(), p.is_leaf)\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True ([], []) True\nscatter all_reduce True\nNamed p [3.0, 3.0] True\n"


def test_the_switches_for_how_modules_are_converted(tmp_path):
    code = (
        "import torch\nprint(torch.__future__.get_swap_module_params_on_conversion())\n"
        "from torch.__future__ import set_swap_module_params_on_conversion, set_overwrite_module_params_on_conversion\n"
        "set_swap_module_params_on_conversion(True)\nlayer = torch.nn.Linear(1, 1)\nweight = layer.weight\n"
        "print(torch.__future__.get_swap_module_params_on_conversion(), layer.double().weight is weight, weight.dtype)\n"
        "layer.load_state_dict({'weight': torch.ones(1, 1), 'bias': torch.zeros(1)})\n"
        "print(layer.weight is weight, weight.item(), weight.dtype)\n"
        "set_overwrite_module_params_on_conversion(False)\n"
        "try:\n    set_overwrite_module_params_on_conversion(True)\n"
        "except NotImplementedError as error:\n    print(str(error).split('; ')[-1][:27])\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "False", "True True torch.float64", "True 1.0 torch.float64", "assign new ones: module.wei",
    ]  # fmt: skip


def test_more_of_what_strangers_packages_import(tmp_path):
    code = (
        "import torch\n"
        "from torch.utils._foreach_utils import _group_tensors_by_device_and_dtype as groups, _get_fused_kernels_supported_devices\n"
        "from torch._vmap_internals import _vmap\nfrom torch.serialization import DEFAULT_PROTOCOL\n"
        "x = [torch.ones(1), torch.ones(2).double(), torch.zeros(1)]\n"
        "for (device, dtype), (lists, places) in groups([x, [None, 'b', 'c'], []], True).items(): print(device, dtype, lists, places)\n"
        "print(groups([x[:1]]), 'cpu' in _get_fused_kernels_supported_devices(), DEFAULT_PROTOCOL, _vmap(torch.neg)(x[1]).tolist())\n"
        "for lists in [], [[]], [x, x[:1]]:\n"
        "    try:\n        groups(lists)\n    except RuntimeError as error:\n        print('RuntimeError', "
        "f'got lists of {[len(a) for a in lists]} elements' in str(error))\n"
        "try:\n    _vmap(torch.neg, allow_none_pass_through=True)\nexcept RuntimeError as error:\n    print('zeros' in str(error))\n"
        "print('USE_MKL=OFF' in torch.__config__.show(), 'USE_CUDA=' in torch.__config__.show(), torch.__config__._cxx_flags() == '')\n"
        "print('at::get_num_threads() : ' in torch.__config__.parallel_info(), torch.cuda._is_in_bad_fork())\n"
        "from torch.testing._internal.common_utils import TestCase, run_tests, set_rng_seed\n"
        "class Case(TestCase):\n    def test_it(self):\n        self.assertEqual(torch.ones(2), [1.0, 1.0])\n"
        "import io, unittest\n"
        "print(unittest.TextTestRunner(io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromTestCase(Case)).wasSuccessful())\n"
        "file = io.BytesIO()\ntorch.save([1], file, pickle_module=torch.serialization.pickle, pickle_protocol=DEFAULT_PROTOCOL)\n"
        "try:\n    torch.serialization.pickle.loads\nexcept AttributeError as error:\n"
        "    print('nothing is pickled here' in str(error), file.tell() > 0)\n"
        "print(torch.utils.data.dataloader.default_collate([1, 2]), torch.utils.data.sampler.Sampler.__name__, "
        "torch.utils.data.dataset.Dataset.__name__)\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "cpu torch.float32 [[tensor([1.]), tensor([0.])], [None, 'c'], []] [0, 2]",
        "cpu torch.float64 [[tensor([1., 1.], dtype=torch.float64)], ['b'], []] [1]",
        "{(device(type='cpu'), torch.float32): ([[tensor([1.])]], [])} True 2 [-1.0, -1.0]",
        "RuntimeError True", "RuntimeError True", "RuntimeError True", "True", "True True True", "True False",
        "True", "True True", "tensor([1, 2]) Sampler Dataset",
    ]  # fmt: skip


def test_modules_of_the_inside_are_imported_by_their_names(tmp_path):
    code = (
        "import torch, torch.fx, torch.fx.experimental.proxy_tensor as p, torch._subclasses.fake_tensor as fake, torch._tensor_str\n"
        "from torch.jit.annotations import List\nfrom torch._jit_internal import _copy_to_script_wrapper\n"
        "from torch.distributed import rpc\n"
        "from torch.utils.tensorboard.writer import SummaryWriter\nfrom torch.utils.data.dataloader import DataLoader, "
        "_BaseDataLoaderIter\n"
        "from torch.optim.optimizer import Optimizer, _use_grad_for_differentiable\nfrom torch.hub import HASH_REGEX, urlparse, get_dir\n"
        "from torch._C import Value, Graph\nfrom torch.serialization import FILE_LIKE, MAP_LOCATION\nimport torch.ops\n"
        "print(p.get_proxy_mode(), rpc.is_available(), hasattr(rpc, 'rpc_async'), Optimizer is torch.optim.Optimizer, "
        "DataLoader is torch.utils.data.DataLoader)\n"
        "class Halving(Optimizer):\n    @_use_grad_for_differentiable\n    def step(self):\n        return torch.is_grad_enabled()\n"
        "w = [torch.nn.Parameter(torch.ones(1))]\n"
        "print(Halving(w, {'differentiable': False}).step(), Halving(w, {'differentiable': True}).step())\n"
        "@torch.library.custom_op('here::twice', mutates_args=())\ndef twice(x: torch.Tensor) -> torch.Tensor:\n    return x * 2\n"
        "print(torch.ops.here.twice(w[0].detach()).item(), torch.ops.here.twice.default(w[0].detach()).item(), "
        "hasattr(torch.ops.here, 'thrice'))\n"
        "for refused in lambda: torch.fx.Graph(), lambda: fake.FakeTensorMode(), lambda: torch.ops.load_library('a.so'), "
        "lambda: torch.fx.symbolic_trace:\n"
        "    try:\n        refused()\n    except (RuntimeError, AttributeError) as error:\n        print(type(error).__name__, "
        "str(error)[:60])\n"
    )  # fmt: skip
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "None False False True True", "False True", "2.0 2.0 False",
        "UnsupportedError fx.Graph: there is no fx; dovetail.graph.trace records a run",
        "UnsupportedError FakeTensorMode: there are no fake tensors; make tensors with",
        "UnsupportedError ops.load_library: a.so was built against PyTorch; use what t",
        "AttributeError torch.fx.symbolic_trace: Dovetail does not have it; dovetail",
    ]  # fmt: skip


def test_what_a_program_spawns_runs_on_dovetail_too(tmp_path):
    code = (
        "import torch, torch.multiprocessing as mp\n"
        "def work(rank, queue):\n    queue.put((rank, torch.__version__, torch.ones(2).sum().item()))\n"
        "if __name__ == '__main__':\n    queue = mp.get_context('spawn').SimpleQueue()\n    mp.spawn(work, args=(queue,), nprocs=2)\n"
        "    print(sorted([queue.get(), queue.get()]))\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[(0, '2.13.0+dovetail', 2.0), (1, '2.13.0+dovetail', 2.0)]\n"


def test_types_and_sizes_print_as_programs_know_them(tmp_path):
    code = (
        "import torch\nx = torch.ones(2, 1).double()\nprint(x.dtype, x.shape, x.type(), x.layout, f'{x.layout}', torch.contiguous_format)\n"
        "print(type(x), type(x.shape), type(x.dtype), type(torch.device('cpu')), type(torch.nn.Parameter(x)))\n"
        "print(x.max(0), x, str(x.dtype) == 'torch.float64', x.untyped_storage()[:0])\n"
        "print(torch.__file__.endswith('__init__.py'))\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "torch.float64 torch.Size([2, 1]) torch.DoubleTensor torch.strided torch.strided torch.contiguous_format\n"
        "<class 'torch.Tensor'> <class 'torch.Size'> <class 'torch.dtype'> <class 'torch.device'> <class 'torch.nn.parameter.Parameter'>\n"
        "torch.return_types.max(\nvalues=tensor([1.], dtype=torch.float64),\nindices=tensor([0])) tensor([[1.],\n        [1.]], "
        "dtype=torch.float64) True  \n[torch.storage.UntypedStorage(device=cpu) of size 0]\nTrue\n"
    )


def test_packages_are_found_after_their_import_and_no_import_warns(tmp_path):
    code = (
        "import importlib.util, warnings\nwarnings.simplefilter('error', ImportWarning)\n"
        "import torch, torch.nn.functional as F\nfrom torch.optim import lr_scheduler\n"
        "print([importlib.util.find_spec(n) is not None for n in ('torch', 'torch.nn', 'torch.nn.functional')], torch.__spec__.name)\n"
    )
    done = run(code, tmp_path=tmp_path)
    assert (done.returncode, done.stdout) == (0, "[True, True, True] torch\n"), done.stderr


def test_types_print_under_our_name_when_the_import_is_ours():
    dovetail_torch.install()
    dovetail_torch.uninstall()
    assert [repr(x) for x in (dv.float32, dv.Size([2]), dv.strided, dv.preserve_format, dv.Tensor)] == [
        "dovetail.float32", "dovetail.Size([2])", "dovetail.strided", "dovetail.preserve_format", "<class 'dovetail.Tensor'>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("torch.onees(2)", "torch.onees: Dovetail does not have it; nearest: ones"),
        ("import torch.fx.passes", "import torch.fx.passes: there is no counterpart; dovetail.graph.trace records a run as a graph"),
        ("import torch.distributed.fsdp", "leave the calls out where the world has one member"),
        ("import torchaudio", "No module named 'torchaudio'"),
    ],
)
def test_what_is_missing_says_what_to_use(line, says, tmp_path):
    done = run(f"import torch\n{line}\n", tmp_path=tmp_path)
    assert done.returncode != 0 and says in done.stderr, done.stderr


def test_install_can_be_undone():
    before = sys.modules.get("torch")
    dovetail_torch.install()
    dovetail_torch.install()
    try:
        import torch
        import torch.nn.functional as functional

        assert dovetail_torch.installed() and torch.Tensor is dv.Tensor and functional is dv.nn.functional
        assert functional.__spec__.name == "dovetail.nn.functional"
        with pytest.raises(AttributeError, match=r"torch.tensr: Dovetail does not have it; nearest: tensor"):
            torch.tensr([1])
        assert "tensor" in dir(torch) and not hasattr(torch, "__wrapped__")
    finally:
        dovetail_torch.uninstall()
    assert not dovetail_torch.installed() and sys.modules.get("torch") is before


def test_nothing_happens_unless_asked():
    code = (
        "import sys, dovetail, dovetail_torch\nassert 'torch' not in sys.modules\n"
        "assert not any('dovetail_torch' in type(f).__module__ for f in sys.meta_path)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


PROGRAM = """\
import torch
import torch.nn as nn, torchvision
from torch.nn import functional as F, Lineer
import torch.fx.passes

class Net(nn.Module):
    def forward(self, x):
        return F.relu(x).no_such_method()

torch.save(Net().state_dict(), "x")
torch.cuda.is_available()
raise SystemExit("this program must not be run")
"""


def test_reports():
    names = {name.name: name for name in dovetail_torch.report(PROGRAM).names}
    assert names["torch.nn.functional.relu"].state == "there" and names["torch.nn.functional.relu"].lines == [8]
    assert names["torch.nn.Lineer"].state == "missing" and "Linear" in names["torch.nn.Lineer"].advice
    assert names["torch.fx.passes"].state == "missing" and "graph.trace" in names["torch.fx.passes"].advice
    assert names["torch.save"].state == "different" and "safetensors" in names["torch.save"].advice
    text = str(dovetail_torch.report(PROGRAM))
    assert text.splitlines()[0].endswith("1 differs, 2 are missing") and "line 3: torch.nn.Lineer is missing: nearest: " in text
    with pytest.raises(SyntaxError):
        dovetail_torch.report("def")


def test_what_is_said_of_compile_is_so():
    (name,) = [name for name in dovetail_torch.report("import torch\n\ndouble = torch.compile(lambda x: x * 2)\n").names]
    assert name.state == "different" and name.advice.startswith("records the first call of a kind and replays it")
    double = lambda x: x * 2
    assert dv.compile(double) is not double


def test_the_port_command(tmp_path):
    good, bad, broken = (tmp_path / name for name in ("good.py", "bad.py", "broken.py"))
    good.write_text("import torch\ntorch.ones(2)\n")
    bad.write_text(PROGRAM)
    broken.write_text("def")
    assert CliRunner().invoke(port, [str(good)]).exit_code == 0
    found = CliRunner().invoke(port, [str(good), str(bad)])
    assert found.exit_code == 1 and "torch.fx.passes is missing" in found.output
    assert f"{good}: 1 name is there, 0 differ, 0 are missing" in found.output
    rows = json.loads(CliRunner().invoke(port, [str(bad), "--json"]).output)[str(bad)]
    assert {"name": "torch.fx.passes", "lines": [4], "state": "missing", "advice": "dovetail.graph.trace records a run as a graph"} in rows
    found = CliRunner().invoke(port, [str(broken)])
    assert found.exit_code == 1 and "this is no Python program" in found.output


def test_einops_takes_our_tensors():
    pytest.importorskip("einops")
    code = (
        "import dovetail_torch\ndovetail_torch.install()\nimport torch\nfrom einops import rearrange, reduce, einsum\n"
        "from einops.layers.torch import Rearrange\nx = torch.arange(6.).reshape(2, 3).requires_grad_()\n"
        "y = reduce(rearrange(x, 'a b -> b a'), 'b a -> b', 'sum')\nassert y.tolist() == [3.0, 5.0, 7.0]\n"
        "y.sum().backward()\nassert x.grad.tolist() == [[1.0] * 3] * 2\nassert Rearrange('a b -> (a b)')(x).shape == (6,)\n"
        "assert einsum(x, x, 'a b, a b -> a').shape == (2,)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
