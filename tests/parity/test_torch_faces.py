"""Modules that only ported programs ask for: the same calls on PyTorch and on Dovetail with dovetail-torch."""

from __future__ import annotations

import collections
import importlib
import pickle
import typing
import warnings
from typing import Any

import pytest
import torch

import dovetail as dv

from .both import caught_alike

pytestmark = pytest.mark.parity
N = collections.namedtuple("N", "a b")
TREE = {"b": 1, "a": [2, (3, None)], "c": collections.OrderedDict(x=4), "d": N(5, [6]), "e": collections.deque([7], maxlen=3)}
TREE["f"] = collections.defaultdict(list, {"z": 8})
NEEDED = (
    "cpu.amp", "multiprocessing", "serialization", "storage", "futures", "library", "utils._pytree", "utils.hooks", "utils.data.datapipes",
    "torch_version", "nn.parallel", "return_types", "jit", "compiler", "backends.cudnn", "backends.mha", "backends.opt_einsum",
)  # fmt: skip


def again(value: Any) -> Any:
    """What comes back from another process."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


def plain(value: Any) -> Any:
    """Tensors as lists, and text without the library's name."""
    if isinstance(value, torch.Tensor | dv.Tensor):
        return ("tensor", str(value.dtype).partition(".")[2], value.tolist())
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | collections.deque) and type(value).__name__ != "Size":
        return (type(value).__name__, [plain(v) for v in value])
    if isinstance(value, bool | int | float | type(None)):
        return value
    text = str(value) if isinstance(value, str) else repr(value)
    return text.replace("torch.", "dovetail.").replace("utils._pytree.", "").partition(" object at ")[0]


def answer(T: Any, call: str) -> tuple[Any, BaseException | None]:
    for name in NEEDED:
        importlib.import_module(f"{T.__name__}.{name}")
    P = T.utils._pytree
    x = T.arange(6.0).reshape(2, 3)
    names = {
        "T": T, "P": P, "S": T.serialization, "tree": TREE, "N": N, "typing": typing, "collections": collections, "x": x, "again": again,
        "s": x.storage(), "u": x.untyped_storage(), "spec": P.tree_structure(TREE), "V": T.torch_version.TorchVersion,
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return plain(eval(call, names)), None  # noqa: S307 - the lines of our own tables
        except Exception as error:
            return None, error


def same(call: str) -> None:
    (theirs, expected), (mine, error) = answer(torch, call), answer(dv, call)
    if expected is None:
        assert error is None and mine == theirs, f"{mine!r} {error!r}; PyTorch {theirs!r}"
    else:
        assert error is not None and caught_alike(error, expected), f"we {error!r} {mine!r}; PyTorch {expected!r}"


TREES = """
P.tree_flatten(tree)[0]
repr(spec)
P.tree_unflatten(range(9), spec)
spec.num_leaves, spec.num_nodes, spec.num_children, spec.type, spec.context, spec.is_leaf()
P.tree_leaves(None), P.tree_flatten(3), P.tree_structure([1, 2]), P.tree_structure(())
P.tree_structure(N(1, [2])), P.tree_structure(collections.deque([1])), P.tree_structure(collections.defaultdict(list, a=1))
P.LeafSpec() == P.tree_structure(3), P.tree_structure([1]) == P.tree_structure([2]), P.tree_structure([1]) == P.tree_structure((2,))
P.tree_map(lambda a, b: (a, b), [1, 2], [3, 4])
P.tree_map(lambda a, b: 1, [1, 2], [3])
P.tree_map(lambda a, b: 1, [1, 2], (3, 4))
P.tree_map(lambda a, b: (a, b), {"b": 1, "a": 2}, {"a": 3, "b": 4})
P.tree_map(lambda a, b: 1, {"a": 1}, {"b": 1})
P.tree_map(lambda a, b: (a, b), [1, 2], [[3], {"x": 4}])
P.tree_unflatten([1], spec)
P.tree_unflatten([1], 3)
P.tree_map(lambda v: -v if isinstance(v, int) else v, tree)
P.tree_map_only(int, lambda v: v + 1, [1, 2.0, "a"]), P.tree_map_only((int, float), lambda v: v + 1, [1, 2.0, "a"])
P.tree_map_only(lambda v: v == 2, lambda v: v + 1, [1, 2])
P.tree_map_only(T.Tensor, lambda t: t * 2, {"x": T.ones(2), "y": 3})
P.tree_all(lambda v: v > 0, [1, 2]), P.tree_any(lambda v: v > 1, [1, [2]]), P.tree_all(lambda v: 0, [])
P.tree_all_only(int, lambda v: v > 0, [1, "a"]), P.tree_any_only(int, lambda v: v > 1, [1, "a"])
P.tree_leaves([1, [2, 3]], is_leaf=lambda v: isinstance(v, list) and v[0] == 2)
P.tree_map(len, [(1, 2), [3]], is_leaf=lambda v: isinstance(v, tuple) or v == [3])
[(P.keystr(k), v) for k, v in P.tree_leaves_with_path(tree)]
P.tree_leaves_with_path((1, {"b": 2}))
P.tree_map_with_path(lambda k, v: (P.keystr(k), v), {"a": [1, N(2, 3)]})
P.key_get({"a": [1, 2]}, P.tree_leaves_with_path({"a": [1, 2]})[1][0])
P.tree_is_leaf([1]), P.tree_is_leaf(1), P.tree_is_leaf(None), P.tree_is_leaf(T.ones(1)), P.tree_is_leaf("ab")
list(P.tree_iter([1, [2]])), P.arg_tree_leaves(1, [2], a=3)
P.tree_structure([1, 2]).unflatten([3, 4]), P.tree_structure([1, [2]]).flatten_up_to([1, [[5]]])
P.tree_structure([1, [2]]).children(), P.tree_structure([1, [2]]).child(0)
P.tree_flatten(T.ones(2, 2).shape)[0], P.tree_map(lambda v: v, T.ones(2, 3).shape)
P.tree_map(lambda v: v, collections.defaultdict(list, a=1)), P.tree_map(lambda v: v, collections.deque([1, 2], maxlen=2)).maxlen
P.tree_leaves(T.ones(2, 2).max(0)), P.tree_map(lambda v: v + 1, N(1, 2))
P.tree_map(lambda v: v, {1: {2: {3: []}}}), P.tree_leaves([[], {}, ()])
P.tree_flatten([1, [2, [3, [4]]]])
P.is_namedtuple(N(1, 2)), P.is_namedtuple(N), P.is_namedtuple((1, 2)), P.is_namedtuple_class(N), P.is_namedtuple_instance(N(1, 2))
""".strip().split("\n")


@pytest.mark.parametrize("call", TREES)
def test_trees(call: str) -> None:
    same(call)


STORAGES = """
s.data_ptr() == x.data_ptr(), u.data_ptr() == x[1:].untyped_storage().data_ptr(), u == x.t().untyped_storage()
u.nbytes(), u.size(), len(u), u.element_size(), s.nbytes(), s.size(), len(s), s.element_size()
s.tolist(), u.tolist(), list(s), list(u)
s[0], s[-1], u[0], u[-1], u[1:3].tolist()
s[99]
u[99]
s[1:3]
u["a"]
s["a"]
s.dtype, s.device, u.device, s.is_cuda, u.is_cuda, s.is_sparse, s.is_shared(), u.is_shared(), s.is_pinned(), s.filename
s.type(), s.pickle_storage_type(), x.storage_type(), x.bfloat16().storage_type()
str(s), str(u[:3]), repr(T.zeros(0).storage()), repr(T.ones(2, dtype=T.bool).storage())
[s.fill_(2), x]
[s.__setitem__(0, 5.0), u.__setitem__(4, 1), x]
[s.copy_(T.ones(6).storage()), x, u.copy_(T.zeros(6).untyped_storage()), x]
s.copy_(T.ones(5).storage())
s.clone().data_ptr() == s.data_ptr(), u.clone().data_ptr() == u.data_ptr(), u.clone() == u, s.clone().tolist()
s.untyped().data_ptr() == u.data_ptr(), s.cpu().tolist(), u.cpu() is u
[getattr(s, n)().dtype for n in ("float", "double", "half", "bfloat16", "long", "int", "short", "char", "byte", "bool")], s.bool().tolist()
T.UntypedStorage(4).nbytes(), T.UntypedStorage([1, 2]).tolist(), T.UntypedStorage().tolist()
T.TypedStorage([1, 2], dtype=T.int64).tolist(), T.TypedStorage().size(), T.TypedStorage(3, dtype=T.int32).dtype
T.FloatStorage([1, 2]).tolist(), T.LongStorage([1]).dtype, T.FloatStorage(3).size(), T.FloatStorage([1.0]).dtype
T.FloatStorage("a")
isinstance(s, T.FloatStorage), isinstance(s, T.LongStorage), isinstance(s, T.TypedStorage), isinstance(u, T.UntypedStorage)
T.is_storage(s), T.is_storage(u), T.is_storage(x), T.is_storage(1)
T.ones(2, 3).expand(4, 2, 3).untyped_storage().nbytes(), T.ones(4)[::2].storage().size(), T.ones(4)[2:].untyped_storage().nbytes()
T.zeros(0).untyped_storage().data_ptr(), T.zeros(0).storage().tolist(), T.tensor(3).storage().tolist()
T.nn.Parameter(T.ones(2)).untyped_storage().nbytes(), T.ones(2).bfloat16().storage().tolist()
T.ones(2, dtype=T.complex64).storage().nbytes()
T.nn.Linear(2, 2).weight.untyped_storage().nbytes(), T.ones(3, requires_grad=True).storage().tolist()
s.share_memory_() is s, s.resizable()
""".strip().split("\n")


@pytest.mark.parametrize("call", STORAGES)
def test_storages(call: str) -> None:
    same(call)


OTHERS = r"""
[S.clear_safe_globals(), S.add_safe_globals([set]), S.get_safe_globals(), S.clear_safe_globals(), S.get_safe_globals()]
S.add_safe_globals(3)
S.get_default_load_endianness(), S.set_default_load_endianness(S.LoadEndianness.LITTLE), S.get_default_load_endianness().name
S.set_default_load_endianness("x")
S.get_crc32_options(), S.set_crc32_options(False), S.get_crc32_options(), S.set_crc32_options(True), S.get_default_mmap_options()
[e.name for e in S.LoadEndianness], issubclass(S.SourceChangeWarning, Warning), S.location_tag(s)
S.validate_cuda_device("cuda:0")
T.multiprocessing.get_sharing_strategy(), sorted(T.multiprocessing.get_all_sharing_strategies())
T.multiprocessing.set_sharing_strategy("nothing")
T.multiprocessing.cpu_count(), T.multiprocessing.get_all_start_methods(), T.multiprocessing.current_process().name
[f := T.futures.Future(), f.done(), g := f.then(lambda f: f.value() + 1), f.set_result(1), f.done(), f.wait(), f.value(), g.wait()][4:]
[f := T.futures.Future(), f.set_result(1), f.set_result(2)]
[f := T.futures.Future(), f.value()]
[f := T.futures.Future(), f.set_exception(KeyError("a")), f.wait()]
[f := T.futures.Future(), g := T.futures.Future(), f.set_result(1), g.set_result(2), T.futures.wait_all([f, g])][4]
[f := T.futures.Future(), h := T.futures.collect_all([f]), h.done(), f.set_result(1), [v.value() for v in h.wait()]][4]
T.jit.wait(T.jit.fork(lambda a, b: a + b, 1, b=2))
T.jit.isinstance([1], list[int]), T.jit.isinstance([1, "a"], list[int]), T.jit.isinstance({"a": 1}, dict[str, int])
T.jit.isinstance((1, "a"), tuple[int, str]), T.jit.isinstance(None, typing.Optional[int]), T.jit.isinstance(x, T.Tensor)
T.jit.isinstance([[1], [2]], typing.List[typing.List[int]]), T.jit.isinstance({"a": [1]}, typing.Dict[str, typing.List[int]])
T.jit.is_scripting(), T.jit.is_tracing(), T.jit.unused(lambda: 3)(), T.jit.export(lambda: 4)(), T.jit.ignore(lambda: 5)()
T.jit.annotate(int, 3), T.jit.onednn_fusion_enabled()
T.jit.Attribute(1, int).value, issubclass(T.jit.Error, Exception), T.compiler.is_compiling(), T.compiler.is_exporting()
T.compiler.keep_tensor_guards_unsafe([]), T.compiler.save_cache_artifacts(), T.compiler.reset()
T.backends.cudnn.enabled, T.backends.cudnn.benchmark, T.backends.cudnn.deterministic
T.backends.cudnn.is_available(), T.backends.cudnn.version()
T.backends.cuda.matmul.allow_fp16_reduced_precision_reduction, T.backends.cuda.math_sdp_enabled()
T.backends.cuda.is_flash_attention_available()
T.backends.mha.get_fastpath_enabled(), T.backends.opt_einsum.is_available(), T.backends.opt_einsum.strategy, T.backends.mps.is_built()
T.nn.parallel.DistributedDataParallel(T.nn.Linear(1, 1))
T.nn.parallel.replicate(T.nn.Linear(1, 1), [0, 1])
V("2.13.0") > "2.9", V("2.13.0") >= (2, 13), V("2.13.0+cpu") == "2.13.0+cpu", V("2.1") < "2.10", V("2.1") == "2.1.0", V("2.1") != (2, 1)
V("2.1") > "parrot", V("1.0") < "parrot", V("2.13.0").split(".")[0], hash(V("2.1")) == hash("2.1"), V("2.13") <= (2, 13, 1)
T.return_types.max is type(T.ones(2, 2).max(0)), T.return_types.sort.__name__, isinstance(T.ones(2).sort(), T.return_types.sort)
T.is_vulkan_available(), T.is_warn_always_enabled(), T.has_lapack, T.has_spectral, T.has_cuda, T.has_mps, T.clear_autocast_cache()
T.get_device_module().__name__[-3:], T.get_device_module("cuda").is_available(), T.get_device_module(T.device("cpu")).device_count()
T.get_device_module("nothing")
issubclass(T.AcceleratorError, RuntimeError), T.wait(T.fork(lambda: 3)) if T.__name__ == "dovetail" else 3, hasattr(T, "no_such_name")
T.version.debug, T.version.hip, T.version.xpu, T.version.rocm, T.version.cuda
[again(v) for v in (x, x[:, 1:], x.t(), x.bfloat16(), T.tensor(1), x > 2, T.tensor([1 + 2j]))]
[again(v).stride() for v in (x, x[:, 1:], x.t(), x[:, ::2], x.expand(2, 2, 3), T.ones(2, 3, 4).permute(1, 0, 2))]
[again(v).stride() for v in (T.ones(1, 2, 3, 3).contiguous(memory_format=T.channels_last), x[1:, 1:], x[::1, :2])]
[(type(v).__name__, v.requires_grad) for v in map(again, (T.nn.Parameter(x), T.nn.Parameter(x, False), x.requires_grad_()))]
[v is again(v) for v in (T.float32, T.bfloat16, T.int64, T.channels_last, T.relu, T.nn.functional.relu, T.nn.Linear, T.Tensor)]
[again(v) for v in (T.device("cpu"), T.device("cuda", 1), T.Size([2, 3]), T.ones(2, 2).max(0))]
[a := T.Generator().manual_seed(3), b := again(a), T.rand(2, generator=a), T.rand(2, generator=b)][2:]
[m := again(T.nn.TransformerEncoderLayer(4, 1)), list(m.state_dict()), str(m.activation)[:14]][1:]
[v := again(T.ones(2, requires_grad=True) * 2), v.requires_grad, v.is_leaf]
[m := T.nn.ModuleList([T.nn.Linear(1, 1)] * 2), n := again(m), n[0] is n[1], n[0].weight is n[1].weight][2:]
""".strip().split("\n")


@pytest.mark.parametrize("call", OTHERS)
def test_others(call: str) -> None:
    same(call)


EQUAL = """
t.assertEqual(x, x + 1e-7)
t.assertEqual(x, x + 1e-3)
t.assertEqual(x, x.double())
t.assertEqual(x, x.double(), exact_dtype=False)
t.assertEqual(x[0], [0.0, 1.0, 2.0])
t.assertEqual([0.0, 1.0, 2.5], x[0])
t.assertEqual([1, 2.0, "a", None], (1, 2.0, "a", None))
t.assertEqual([x], [x, x])
t.assertEqual({"a": [x]}, {"a": [x.clone()]})
t.assertEqual({"a": x}, {"b": x})
t.assertEqual("a", "b")
t.assertEqual(1, 1.0)
t.assertEqual(x[0, 1], 1)
t.assertEqual(x[0, 1], 1.1)
t.assertEqual(x, x + 0.1, atol=0.2, rtol=0)
t.assertEqual(x, x, atol=1.0)
t.assertEqual(x.double().numpy(), x.double())
t.assertEqual(x.numpy(), x.numpy() + 1)
t.assertEqual(x.shape, (2, 3))
t.assertEqual(x.log() * 0, x.log() * 0)
t.assertEqual(float("nan"), float("nan"), equal_nan=False)
t.assertEqual({1, 2}, {2, 1})
t.assertEqual(T.float32, T.float32)
t.assertEqual(True, False)
t.assertNotEqual(x, x)
t.assertNotEqual(x, x + 1)
(t.setUp(), T.rand(2))[1]
U.make_tensor(2, 3, dtype=T.int64, device="cpu", low=0, high=2).shape
"""


@pytest.mark.parametrize("call", [line for line in EQUAL.splitlines() if line])
def test_the_base_of_other_packages_tests(call: str) -> None:
    found = []
    for T, home in (torch, "torch.testing._internal.common_utils"), (dv, "dovetail_torch.faces.test_cases"):
        U = importlib.import_module(home)
        case = type("Case", (U.TestCase,), {"runTest": lambda self: None})
        try:
            found.append((plain(eval(call, {"T": T, "U": U, "t": case(), "x": T.arange(6.0).reshape(2, 3)})), None))  # noqa: S307 - our own table
        except Exception as error:
            found.append((None, error))
    (theirs, expected), (mine, error) = found
    assert mine == theirs and (error is None) == (expected is None), f"{mine!r} {error!r}; PyTorch {theirs!r} {expected!r}"
    assert expected is None or caught_alike(error, expected), f"{error!r}; PyTorch {expected!r}"


INNER = """
aten.add.Tensor(x, x, alpha=2), str(aten.add.Tensor), repr(aten.add), repr(aten.add.Tensor), aten.add.Tensor.name()
aten.add.Tensor is aten.add.Tensor
aten.slice.Tensor(x, 1, 1, 3), aten.slice.Tensor(x, 0, 0, 9, 2), aten.select.int(x, 0, 1), aten.index.Tensor(x, [None, T.tensor([0, 2])])
aten._to_copy.default(x, dtype=T.float64), aten.clone.default(x), aten.alias.default(x).data_ptr() == x.data_ptr()
aten.flip.default(x, [1])
tuple(aten.sort.stable(x, stable=True, dim=0, descending=True)), aten.cat.default([x, x], dim=1)
aten._softmax.default(x.double(), 1, False)
aten.add.Tensor.overloadpacket is aten.add, hasattr(aten, "no_such_operator")
aten.no_such_operator
lbfgs._cubic_interpolate(*map(T.tensor, (0.0, 4.0, -4.0, 3.0, 1.0, 2.0)))
lbfgs._cubic_interpolate(*map(T.tensor, (3.0, 1.0, 2.0, 0.0, 4.0, -4.0)), bounds=(0.0, 1.5))
lbfgs._cubic_interpolate(*map(T.tensor, (0.0, 0.0, 1.0, 1.0, 1.0, 1.0)))
[round(float(v), 9) for v in lbfgs._strong_wolfe(bowl, T.zeros(2).double(), 0.5, d, 4.0, -d, -float(d @ d))[::2]]
[round(float(v), 9) for v in lbfgs._strong_wolfe(bowl, T.zeros(2).double(), 9.0, d, 4.0, -d, -float(d @ d))[::2]]
A._as_tuple(x, "inputs", "f")[0], A._as_tuple((x, x), "inputs", "f")[0]
A._construct_standard_basis_for((x[0, :1], x[0, 1:].double()), (1, 2))
A._as_tuple((x, 1), "inputs", "f")
A._as_tuple(1, "inputs", "f")
A._tuple_postprocess((1,), False), A._tuple_postprocess(((1,), (2,)), (False, False)), A._tuple_postprocess(((1, 2), (3, 4)), (True, False))
A._grad_postprocess((x.clone().requires_grad_() * 2,), False)[0].requires_grad
A._grad_postprocess((x.clone().requires_grad_() * 2,), True)[0].requires_grad
O._get_value(T.tensor(2.0)), O._get_value(3), O._default_to_fused_or_foreach([x], False), O._get_scalar_dtype(), O._stack_if_compiling([1])
C._are_functorch_transforms_active(), C._get_default_device(), C._convert_indices_from_coo_to_csr(T.tensor([0, 0, 2]), 4)
C._convert_indices_from_coo_to_csr(T.tensor([], dtype=T.int64), 2, out_int32=True)
C._convert_indices_from_csr_to_coo(T.tensor([0, 2, 2, 3]), T.tensor([1, 0, 1]))
C._convert_indices_from_csr_to_coo(T.tensor([0, 2, 2, 3]), T.tensor([1, 0, 1]), transpose=True, out_int32=True)
fx.wrap(len)([1]), isinstance(x, fx.Proxy), issubclass(fx.GraphModule, T.nn.Module), hub.HASH_REGEX.search("net-5c106cde.pth").group(1)
S._tensor_str(x, 0), S._tensor_str(x.double().div(3), 4), S.PRINT_OPTS.threshold, S._tensor_str(T.zeros(0), 0)
fake.is_fake(x), isinstance(x, fake.FakeTensor)
"""


@pytest.mark.parametrize("call", [line for line in INNER.splitlines() if line])
def test_parts_of_the_inside_that_packages_take(call: str) -> None:
    faces = {
        "lbfgs": ("torch.optim.lbfgs", "optimizer_parts"), "A": ("torch.autograd.functional", "optimizer_parts"),
        "O": ("torch.optim.optimizer", "optimizer_parts"), "C": ("torch._C", "internals"), "fx": ("torch.fx", "fx"),
        "hub": ("torch.hub", "hub_parts"),
        "S": ("torch._tensor_str", "tensor_str"), "fake": ("torch._subclasses.fake_tensor", "fake_tensor"),
    }  # fmt: skip
    found = []
    for i, T in enumerate((torch, dv)):
        homes = {
            name: importlib.import_module(f"dovetail_torch.faces.{home[1]}" if i else home[0])
            for name, home in faces.items()
            if name != "aten"
        }
        ops = torch.ops if not i else importlib.import_module("dovetail_torch.faces.ops_by_name")
        inside = torch if not i else homes["C"]  # at the top of PyTorch there are functions that its `_C` has through another module
        homes["C"] = type(
            "Both", (), {"__getattr__": lambda self, name, a=homes["C"], b=inside: getattr(a, name, None) or getattr(b, name)}
        )()

        def bowl(x: Any, t: float, d: Any) -> tuple[float, Any]:
            to = x + t * d - 2
            return float(to @ to) / 2 + float((to**4).sum()), to + 4 * to**3

        names = {
            **homes,
            "T": T,
            "aten": ops.aten,
            "x": T.arange(6.0).reshape(2, 3),
            "bowl": bowl,
            "d": T.tensor([1.0, 3.0], dtype=T.float64),
        }
        try:
            found.append((plain(eval(call, names)), None))  # noqa: S307 - our own table
        except Exception as error:
            found.append((None, error))
    (theirs, expected), (mine, error) = found
    assert mine == theirs and (error is None) == (expected is None), f"{mine!r} {error!r}; PyTorch {theirs!r} {expected!r}"
    assert expected is None or caught_alike(error, expected), f"{error!r}; PyTorch {expected!r}"
