"""Where PyTorch 2.13 and Dovetail differ on purpose: (test, row) and why; docs/known-differences.md shows the same rows.

tests/parity/test_ops.py expects each of them to fail (strictly: a row that agrees again fails the run, and leaves the table).
"""

from __future__ import annotations

__all__ = ["KNOWN", "KNOWN_ENTRIES", "KNOWN_MODULES", "KNOWN_SURFACE", "KNOWN_TYPES"]

_LARGER = (
    "PyTorch's gradient of scatter has the index's shape where src is larger, which its own engine refuses; Dovetail pads it with zeros"
)
_SCATTER = "PyTorch has no derivative of scatter with a number and reduce='add'; it is the identity, and Dovetail has it"
_VANDER = "PyTorch's vander changes in place what its own gradient needs, and so has none; Dovetail has one"
_POLAR = "for a negative abs PyTorch's gradient by abs has the wrong sign (finite differences agree with Dovetail)"
_MULTILABEL = "PyTorch returns uninitialised memory as the mean over an empty batch; Dovetail's is NaN, as of the other losses"
_UNSHUFFLE = "PyTorch leaves the shape of an empty input as it is; Dovetail's result has the shape that any other length gives"
_SHUFFLE = "PyTorch's gradient of an empty input has the wrong shape, which its own engine refuses; Dovetail's has the input's"

_EMPTY_BATCH = "PyTorch fails inside on an empty batch (select: index 0 out of range); Dovetail's result is empty"
_AS_REAL = "PyTorch's gradient of an empty input fails inside (last dimension with stride 1); Dovetail's is empty"
_TIES = "which index stands for equal elements is not specified: cast to coarser types the values of this row tie"

KNOWN: dict[tuple[str, str], str] = {
    ("test_gradients", "scatter[larger src]"): _LARGER,
    ("test_second_gradients", "scatter[larger src]"): _LARGER,
    ("test_gradients", "scatter[add a number]"): _SCATTER,
    ("test_second_gradients", "scatter[add a number]"): _SCATTER,
    ("test_gradients", "vander[vander]"): _VANDER,
    ("test_gradients_of_empty", "vander[vander]"): _VANDER,
    ("test_second_gradients", "vander[vander]"): _VANDER,
    ("test_gradients", "polar[polar]"): _POLAR,
    ("test_second_gradients", "polar[polar]"): _POLAR,
    ("test_zero_size", "nn.functional.multilabel_margin_loss"): _MULTILABEL,
    ("test_gradients_of_empty", "nn.functional.multilabel_margin_loss"): _MULTILABEL,
    ("test_zero_size", "pixel_unshuffle"): _UNSHUFFLE,
    ("test_gradients_of_empty", "pixel_unshuffle"): _UNSHUFFLE,
    ("test_gradients_of_empty", "pixel_shuffle"): _SHUFFLE,
    ("test_zero_size", "nn.functional.instance_norm"): _EMPTY_BATCH,
    ("test_gradients_of_empty", "nn.functional.instance_norm"): _EMPTY_BATCH,
    ("test_gradients_of_empty", "view_as_real"): _AS_REAL,
}

# rows of test_types: the types of the arguments for which they differ, and why; all other types are compared
KNOWN_TYPES: dict[str, tuple[tuple[tuple[str, ...], ...], str]] = {
    "kthvalue": ((("uint8",), ("int32",), ("int64",)), _TIES),
    "topk": ((("uint8",), ("int32",), ("int64",)), _TIES),
    "topk[few of many]": ((("uint8",), ("int32",), ("int64",), ("float16",)), _TIES),
}

# samples of tests/parity/surface: (group.name, sample) and what it is: `refused` (a clear error of ours), `bug` (of PyTorch: an error
# or a gap of its own, where ours is right), or `differs` (the name does not count as passed); then why
_PARTIAL = "PyTorch's gradient where the src is larger than the index has the index's shape, which its own engine refuses; Dovetail pads it"
_MODULO = "PyTorch has no derivative of a number modulo a tensor; Dovetail has it"
_DRAWN = "PyTorch has no derivative of a draw; Dovetail's is zero, as of PyTorch's other draws"
_IN_PLACE = "PyTorch's in-place form changes what its own gradient needs, and so has none; Dovetail has one"
_COMPLEX32 = "there are no tensors of complex32; complex64 stands for it, and a conversion is refused"
_COMPLEX = "not for complex numbers, and says so"

_NEEDED = "PyTorch changes in place what its own gradient needs, and so has none; Dovetail has one"
_ZEROS = "where a result does not depend on an input, Dovetail has no gradient by it, and PyTorch one of zeros"
_ASKED = "   @classmethod\n   def __torch_function__(cls, func, types, args=(), kwargs=None):\n"
_RECORDED = "steps of optimizers are not recorded for gradients"
_HUB = (
    "d = tempfile.mkdtemp()\nopen(os.path.join(d, 'hubconf.py'), 'w').write("
    "\"dependencies = []\\ndef tiny(k=1, **kw):\\n    'A tiny one.'\\n    return k + 1\\n\")\nout = "
)

KNOWN_SURFACE: dict[tuple[str, str], tuple[str, str]] = {
    ("nn_norm.CrossMapLRN2d", "layer(nn.CrossMapLRN2d(3, 0.1, 0.5, 2), img)"): (
        "bug",
        "PyTorch's gradient sums over other channels than its result (finite differences agree with Dovetail)",
    ),
    ("shape.where", "T.where(b, x, c)"): ("bug", "PyTorch's gradient for a real operand of a complex result fails inside; Dovetail has it"),
    ("shape.scatter_", "x.clone().scatter_(1, i[:, :1], y)"): ("bug", _PARTIAL),
    ("shape.scatter", "x.scatter(1, i[:, :1], y)"): ("bug", _PARTIAL),
    ("shape.scatter", "T.scatter(x, 1, i, y, reduce='add')"): ("bug", "PyTorch has no derivative of scatter of a tensor with reduce='add'"),
    ("shape.scatter_add", "x.scatter_add(1, i[:, :2], y)"): ("bug", _PARTIAL),
    ("shape.scatter_reduce", "x.scatter_reduce(1, i[:, :1], y, 'prod', include_self=False)"): (
        "bug",
        "PyTorch's gradient of scatter_reduce with 'prod' and a smaller index is not that of its result (its own gradcheck says so)",
    ),
    ("random.bernoulli", "T.bernoulli(x, 0.3)"): ("bug", _DRAWN),
    ("random.bernoulli", "x.bernoulli(p=0.7)"): ("bug", _DRAWN),
    ("random.binomial", "T.binomial(pos.round() + 3, unit)"): ("bug", _DRAWN),
    ("elementwise.remainder", "T.remainder(2.0, x)"): ("bug", _MODULO),
    ("elementwise.nan_to_num", "T.nan_to_num(c.requires_grad_())"): ("bug", "PyTorch has no derivative of nan_to_num of complex numbers"),
    ("elementwise.atanh", "(unit * 1).atanh_()"): ("bug", _IN_PLACE),
    ("elementwise.acosh", "(pos + 1).acosh_()"): ("bug", _IN_PLACE),
    ("elementwise.acosh", "((pos + 1) * 1).acosh_()"): ("bug", _IN_PLACE),
    ("elementwise.asinh", "(x * 1).asinh_()"): ("bug", _IN_PLACE),
    ("reductions.dist", "T.dist(x, y, 0)"): ("bug", "PyTorch's gradient of the 0-norm of a difference fails inside; it is zero"),
    **{
        ("protocol_operators.__rmod__", sample): ("bug", _MODULO)
        for sample in ("2 % pos", "0.5 % pos", "True % pos", "pos.__rmod__(3)", "2.5 % s", "2 % z", "2 % x")
    },
    ("protocol_operators.__rpow__", "True ** pos"): ("bug", "PyTorch's gradient of True to a power fails inside; it is zero"),
    ("elementwise.logaddexp", "T.logaddexp(c, c)"): ("refused", _COMPLEX),
    ("elementwise.logaddexp", "T.logaddexp(x, c)"): ("refused", _COMPLEX),
    ("reductions.logcumsumexp", "c.logcumsumexp(0)"): ("refused", _COMPLEX),
    ("elementwise.floor_divide", "T.floor_divide(x, y, out=T.empty(2, 3))"): (
        "bug",
        "PyTorch lets the out= of floor_divide take part in a graph, although it has no derivative",
    ),
    **{
        ("protocol_distributions.GeneralizedPareto", f"d = T.distributions.GeneralizedPareto(x, pos, unit)\nout = d.{name}(x + pos)"): (
            "bug",
            "PyTorch's GeneralizedPareto mixes float32 into float64, and fails",
        )
        for name in ("log_prob", "cdf")
    },
    ("protocol_distributions.Wishart", "d = T.distributions.Wishart(T.tensor(4.0, dtype=m.dtype), m @ m.t())\nout = d.rsample((2,))"): (
        "bug",
        _NEEDED,
    ),
    **{
        ("protocol_linalg.cond", f"T.linalg.cond({args})"): ("bug", _NEEDED)
        for args in ("m, 1", "m, 'fro'", "m.expand(2, 3, 3), float('inf')")
    },
    ("linalg_core.triangular_solve", "T.triangular_solve(x.t(), m)[1].contiguous()"): ("differs", _ZEROS),
    ("protocol_autograd.func.jacfwd", "T.func.jacfwd(lambda q, r: (q * r).sum(), argnums=1)(x, y)"): ("differs", _ZEROS),
    ("protocol_autograd.func.vmap", "T.vmap(lambda q: (q, q.exp()))(x)"): (
        "differs",
        "where the function of vmap returns its argument, PyTorch's result is the tensor itself; Dovetail's is a stack of its parts",
    ),
    **{
        ("protocol_info.qscheme", sample): ("differs", "there is no quantization yet, and no tensor that has a qscheme")
        for sample in (
            "T.per_tensor_affine",
            "T.per_channel_affine",
            "type(T.per_tensor_affine).__name__",
            "T.qscheme.__name__",
            "T.per_tensor_symmetric == T.per_tensor_affine",
        )
    },
    **{
        ("protocol_conversions.to_mkldnn", sample): ("differs", "tensors have no layout of oneDNN's: kernels pack what they need")
        for sample in ("x.float().detach().to_mkldnn().to_dense()", "T.ones(2).to_mkldnn().is_mkldnn", "i.to_mkldnn()")
    },
    **{
        ("protocol_operators.__torch_function__", sample): (
            "differs",
            "results of a subclass of Tensor without a `__torch_function__` of its own are plain Tensors",
        )
        for sample in ("class A(T.Tensor):\n   pass\nout = type(x.as_subclass(A) * 2).__name__, type(T.exp(x.as_subclass(A))).__name__",)
    },
    **{
        ("protocol_operators.__torch_dispatch__", sample): ("differs", "there is no dispatcher below the functions to take part in")
        for sample in (
            "from importlib import import_module\nmodes = import_module(T.__name__ + '.utils._python_dispatch')\nnames = []\n"
            "class M(modes.TorchDispatchMode):\n   def __torch_dispatch__(self, func, types, args=(), kwargs=None):\n"
            "       names.append(str(func))\n       return func(*args, **(kwargs or {}))\n"
            "with M():\n   T.ones(2) + 1\nout = len(names) > 0",
            "hasattr(T.Tensor, '__torch_dispatch__')",
            "T.ones(2).__torch_dispatch__ is None",
        )
    },
    ("protocol_dtypes.complex32", "T.ones(2, dtype=T.complex32).dtype"): ("refused", _COMPLEX32),
    ("protocol_dtypes.complex32", "c.to(T.complex32).to(T.complex64)"): ("refused", _COMPLEX32),
    **{
        (f"optim.{name}", f"optim.{name}([nn.Parameter(T.ones(2, 2))], lr=0.1, differentiable=True)"): ("refused", _RECORDED)
        for name in ("Adam", "AdamW", "SGD")
    },
    ("optimizer_protocol.differentiable", "optim.Adam([nn.Parameter(T.ones(2))], differentiable=True)"): ("refused", _RECORDED),
    ("optimizer_protocol.capturable", "p = nn.Parameter(T.ones(2))\no = optim.Adam([p], capturable=True)\np.grad = T.ones(2)\no.step()"): (
        "differs",
        "PyTorch refuses capturable=True on a CPU; there is nothing to capture here, and it changes nothing",
    ),
    ("save_load.serialization.skip_data", "with T.serialization.skip_data():\n    r = 3\nout = r"): (
        "refused",
        "files without their data are not written",
    ),
    **{
        ("save_load.hub.load", _HUB + sample): ("refused", "it would run a repository's code, which no hash vouches for")
        for sample in ("T.hub.load(d, 'tiny', source='local')", "T.hub.load(d, 'tiny', 5, source='local')")
    },
    ("functional.scaled_grouped_mm", "F.scaled_grouped_mm(x, y)"): (
        "differs",
        "it is not there: scaled products of float8 are made for a GPU",
    ),
    ("functional.scaled_grouped_mm", "F.scaled_grouped_mm()"): ("differs", "it is not there: scaled products of float8 are made for a GPU"),
    ("functional.scaled_mm", "F.scaled_mm(x, y)"): ("differs", "it is not there: scaled products of float8 are made for a GPU"),
    ("functional.scaled_mm", "F.scaled_mm()"): ("differs", "it is not there: scaled products of float8 are made for a GPU"),
    ("save_load.package", "from importlib import import_module\nout = import_module(T.__name__ + '.package').PackageExporter.__name__"): (
        "differs",
        "saved modules hold no code here",
    ),
    ("save_load.package", "from importlib import import_module\nout = import_module(T.__name__ + '.package').PackageImporter.__name__"): (
        "differs",
        "saved modules hold no code here",
    ),
    ("save_load.package", "from importlib import import_module\nout = callable(import_module(T.__name__ + '.package').is_from_package)"): (
        "differs",
        "saved modules hold no code here",
    ),
    (
        "big_models.distributed.fsdp.fully_shard",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.fsdp').fully_shard.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.fsdp.fully_shard",
        "from importlib import import_module\nout = callable(import_module(T.__name__ + '.distributed.fsdp').fully_shard)",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.fsdp.fully_shard",
        "from importlib import import_module\nimport_module(T.__name__ + '.distributed.fsdp').fully_shard()",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.tensor.DTensor",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.tensor').DTensor.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.tensor.DTensor",
        "from importlib import import_module\nout = callable(import_module(T.__name__ + '.distributed.tensor').DTensor)",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.tensor.DTensor",
        "from importlib import import_module\nimport_module(T.__name__ + '.distributed.tensor').DTensor()",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.device_mesh.DeviceMesh",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.device_mesh').DeviceMesh.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.device_mesh.DeviceMesh",
        "from importlib import import_module\nout = callable(import_module(T.__name__ + '.distributed.device_mesh').DeviceMesh)",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.device_mesh.DeviceMesh",
        "from importlib import import_module\nimport_module(T.__name__ + '.distributed.device_mesh').DeviceMesh()",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.tensor.parallel",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.tensor.parallel').ColwiseParallel.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.tensor.parallel",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.tensor.parallel').RowwiseParallel.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.tensor.parallel",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.tensor.parallel').parallelize_module.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.pipelining",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.pipelining').ScheduleGPipe.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.pipelining",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.pipelining').Schedule1F1B.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "big_models.distributed.pipelining",
        "from importlib import import_module\nout = import_module(T.__name__ + '.distributed.pipelining').PipelineStage.__name__",
    ): ("differs", "it splits a model over many machines; `distributed` has data parallel training alone"),
    (
        "other_surfaces.fx",
        "from importlib import import_module\ndef mod(name): return import_module(T.__name__ + '.' + name)\ng = mod('fx').symbolic_trace(nn.Sequential(nn.Linear(3, 2, dtype=x.dtype), nn.ReLU()))\nout = g(x)",
    ): ("differs", "there is no fx; the error names dovetail.graph.trace"),
    (
        "other_surfaces.fx",
        "from importlib import import_module\ndef mod(name): return import_module(T.__name__ + '.' + name)\nout = mod('fx').GraphModule.__name__",
    ): ("differs", "there is no fx; the error names dovetail.graph.trace"),
    (
        "other_surfaces.fx",
        "from importlib import import_module\ndef mod(name): return import_module(T.__name__ + '.' + name)\ng = mod('fx').symbolic_trace(lambda a: a * 2 + 1)\nout = [k.op for k in g.graph.nodes]",
    ): ("differs", "there is no fx; the error names dovetail.graph.trace"),
    ("other_surfaces.library.register_fake", "T.library.register_fake('nowhere::op', lambda a: a)"): (
        "refused",
        "there is no dispatcher to register with",
    ),
    ("other_surfaces.library.register_autocast", "T.library.register_autocast()"): ("refused", "there is no dispatcher to register with"),
    ("other_surfaces.library.register_autocast", "T.library.register_autocast('nowhere::op', 'cpu', T.float32)"): (
        "refused",
        "there is no dispatcher to register with",
    ),
    ("other_surfaces.library.register_vmap", "T.library.register_vmap()"): ("refused", "there is no dispatcher to register with"),
    ("other_surfaces.library.register_vmap", "T.library.register_vmap('nowhere::op', lambda a: a)"): (
        "refused",
        "there is no dispatcher to register with",
    ),
}

# types in which a module of PyTorch's own table is not compared, and why
KNOWN_MODULES: dict[tuple[str, str], str] = {
    ("TransformerEncoder", "torch.bfloat16"): "several layers of sums, each rounded to bfloat16 in an order of its own"
}

# entries of PyTorch's older tables of layers that are not compared, and why
KNOWN_ENTRIES: dict[str, str] = {"CrossMapLRN2d": "PyTorch's gradient sums over other channels than its result"}
