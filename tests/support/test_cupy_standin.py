"""The stand-in refuses what CuPy refuses, counts what CuPy copies, and answers in CuPy's types."""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np
import pytest

from tests.support.cupy_standin import HostCopyError, Standin, install, standin
from tests.support.cupy_standin.names import BFLOAT16, names

__all__ = ["standin"]

# Ufuncs that NumPy and SciPy cannot compute on complex numbers, where CuPy lists them.
NOT_EMULATED = {"arctan2", "atan2", "copysign", "hypot", "i0", "nextafter", "exprel"}


@pytest.fixture
def cp(standin: Standin) -> Any:
    return standin.cupy


@pytest.fixture
def x(cp: Any) -> Any:
    return cp.arange(6.0).reshape(2, 3)


def same(array: Any, expected: Any, dtype: Any = None) -> None:
    host = array.get()
    np.testing.assert_array_equal(host, expected)
    assert dtype is None or host.dtype == dtype


# Installation and names.


def test_install_gives_and_takes_away_the_module() -> None:
    before = sys.modules.get("cupy")
    with install() as session:
        import cupy
        import cupyx.scipy.special

        assert cupy is session.cupy and sys.modules["cupy.linalg"] is cupy.linalg and cupyx.scipy.special.erf
    assert sys.modules.get("cupy") is before and "cupyx.scipy.special" not in sys.modules


def test_names_are_cupys_and_no_others(cp: Any) -> None:
    public = {n for n in vars(cp) if not n.startswith("_")}
    assert public == {n for n in names("cupy") if not n.startswith("_")} - {"testing", "polynomial", "typing"}
    for missing in ("errstate", "block", "einsum_path", "unstack", "nanquantile", "vecdot", "object_", "getbufsize"):
        with pytest.raises(AttributeError, match=f"module 'cupy' has no attribute '{missing}'"):
            getattr(cp, missing)


def test_array_has_cupys_attributes_and_no_others(cp: Any, x: Any) -> None:
    python = {"__weakref__", "__annotations__", "__dict__", "__slots__", "__getstate__", "__module__", *dir(object)}
    assert {n for n in dir(cp.ndarray) if not n.startswith("_") or n.startswith("__")} - python <= set(names("cupy.ndarray"))
    for missing in ("ctypes", "resize", "setflags", "__index__", "__contains__", "__imatmul__", "__array_interface__"):
        assert not hasattr(x, missing)
    assert not isinstance(x, np.ndarray) and not hasattr(x.flags, "writeable")
    with pytest.raises(AttributeError):
        x.note = 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)


def test_a_name_that_is_not_emulated_says_so(cp: Any) -> None:
    with pytest.raises(NotImplementedError, match="does not emulate cupy.ElementwiseKernel"):
        cp.ElementwiseKernel("T x", "T y", "y = x")


# Refusals.


@pytest.mark.parametrize("call", [np.sum, np.asarray, np.array, np.exp, np.shape, np.result_type, np.copy, np.from_dlpack])
def test_numpy_functions_are_refused(x: Any, call: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        call(x)


def test_numpy_functions_on_sequences_and_pairs_are_refused(x: Any) -> None:
    for call in (lambda: np.concatenate([x, x]), lambda: np.add(x, 1.0), lambda: np.stack([x]), lambda: np.where(x, x, x)):
        with pytest.raises(TypeError, match="was called on a cupy.ndarray"):
            call()
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        np.asarray(x)


@pytest.mark.parametrize("other", [np.ones((2, 3)), np.array(1.0), [1.0, 2.0, 3.0], None, "a"], ids=repr)
def test_operators_take_arrays_and_scalars_alone(x: Any, other: Any) -> None:
    for call in (lambda: x + other, lambda: other * x, lambda: x == other, lambda: x @ other):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(TypeError, match="Unsupported type"):
        x += other


@pytest.mark.parametrize(
    "call",
    [
        lambda cp, x: cp.sum([1.0]),
        lambda cp, x: cp.sum(np.ones(2)),
        lambda cp, x: cp.concatenate([x, np.ones((2, 3))]),
        lambda cp, x: cp.where(np.ones((2, 3), bool), x, x),
        lambda cp, x: cp.maximum(x, [1.0, 2.0, 3.0]),
        lambda cp, x: cp.matmul(x, np.ones((3, 1))),
        lambda cp, x: cp.linalg.norm(np.ones(3)),
        lambda cp, x: cp.dot(x, [1.0, 2.0, 3.0]),
        lambda cp, x: cp.add(x, 1.0, where=True),
        lambda cp, x: cp.sum(x, where=x > 1),
        lambda cp, x: cp.sum(x, initial=0.0),
        lambda cp, x: x.max(initial=0.0),
        lambda cp, x: x.item(0),
        lambda cp, x: cp.argsort(x, stable=True),
        lambda cp, x: cp.einsum("ij->i", x, out=x),
        lambda cp, x: cp.std(x, correction=1),
        lambda cp, x: range(x.sum()),
        lambda cp, x: x.__setitem__(0, [1.0, 2.0, 3.0]),
        lambda cp, x: cp.subtract(x > 1, x > 1),
        lambda cp, x: cp.add(x.astype("i4"), 1.5, x.astype("i4")),
        lambda cp, x: cp.array([x[0, 0], 1.0]),
    ],
)
def test_cupys_type_errors(cp: Any, x: Any, call: Any) -> None:
    with pytest.raises(TypeError):
        call(cp, x)


def test_other_refusals_and_their_texts(cp: Any, x: Any) -> None:
    with pytest.raises(ValueError, match="kind can only be None or 'stable'"):
        cp.sort(x, kind="quicksort")
    with pytest.raises(NotImplementedError, match="Sorting non-contiguous array"):
        x.T.sort()
    with pytest.raises(ValueError, match="mode 'median' is not supported"):
        cp.pad(x, 1, mode="median")
    with pytest.raises(ValueError, match="Unsupported dtype object"):
        cp.ones(3, object)
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cp.array(["a"])
    with pytest.raises(ValueError, match="non-scalar numpy.ndarray cannot be used for fill"):
        x[0] = np.ones(3)
    with pytest.raises(OverflowError):
        cp.ones(2, "i1") + 300
    with pytest.raises(NotImplementedError, match="cupy_maximum.reduce"):
        cp.maximum.reduce(x)
    with pytest.raises(NotImplementedError, match="cupy_multiply.at"):
        cp.multiply.at(x, 0, 1.0)
    with pytest.raises(TypeError, match="maximum.at only supports int32, int64, float32, float64"):
        cp.maximum.at(x.astype("f2"), cp.array([0]), 1.0)
    with pytest.raises(ValueError, match="truth value"):
        bool(x)


# Host copies.


@pytest.mark.parametrize(
    "read",
    [float, int, bool, complex, str, repr, "{}".format, lambda a: a.item(), lambda a: a.get(), lambda a: a.tolist(), lambda a: a.tobytes()],
)
def test_host_copies_are_counted_and_can_be_forbidden(standin: Standin, x: Any, read: Any) -> None:
    total = x.sum()
    assert standin.host_copies == 0
    read(total)
    assert standin.host_copies == 1
    with pytest.raises(HostCopyError, match="no_host_copies"), standin.no_host_copies():
        read(total)


def test_computing_copies_nothing(standin: Standin, cp: Any, x: Any) -> None:
    with standin.no_host_copies():
        y = (x @ x.T).sum() * 2.0 + cp.exp(x).mean()
        y[...] = 1.0
        x[:, 1] += 3.0
    assert (standin.host_copies, standin.uploads, standin.synchronizations) == (0, 0, 0)


def test_uploads_and_synchronizations_are_counted(standin: Standin, cp: Any, x: Any) -> None:
    cp.asarray(np.ones(3))
    cp.array([1.0, 2.0])
    x[[0, 1]]
    assert standin.uploads == 3
    x[x > 1], cp.nonzero(x), cp.unique(x)
    assert standin.synchronizations == 3 and standin.host_copies == 0
    assert isinstance(cp.asnumpy(x), np.ndarray) and standin.host_copies == 1


# Types.


def test_reductions_give_0d_arrays(cp: Any, x: Any) -> None:
    for result in (x.sum(), cp.max(x), x.mean(), cp.argmax(x), x.any(), cp.allclose(x, x), cp.linalg.norm(x), x[0, 0], cp.dot(x[0], x[0])):
        assert type(result) is cp.ndarray and result.shape == ()
    assert cp.ndim(x) == 2 and cp.result_type(x, 1.0) == np.float64 and cp.iscomplexobj(x) is False


def test_python_scalars_are_weak_and_numpy_scalars_are_not(cp: Any) -> None:
    single = cp.ones(2, "f4")
    assert (single * 2.0).dtype == (2 * single).dtype == np.float32
    assert (single * np.float64(2)).dtype == (np.float64(2) * single).dtype == np.float64
    assert (cp.ones(2, "i4") / 2).dtype == np.float64 and (cp.ones(2, "u1") + 1).dtype == np.uint8
    assert (cp.ones((), "f4") + cp.ones(2, "f2")).dtype == np.float32


def test_where_cupy_and_numpy_disagree_on_types_it_is_cupys(standin: Standin, cp: Any) -> None:
    special = standin.cupyx.scipy.special
    assert special.erf(cp.ones(2, "f2")).dtype == np.float64
    assert cp.power(cp.ones(2, "?"), cp.ones(2, "?")).dtype == np.int8
    same(cp.power(cp.array([2, 1, -1]), -1), [0, 1, -1])
    same(cp.equal(cp.array([1], "u8"), -1), [False])


@pytest.mark.skipif(BFLOAT16 is None, reason="needs ml_dtypes, as CuPy's own bfloat16 does")
def test_bfloat16(cp: Any) -> None:
    half = cp.ones(4, BFLOAT16)
    assert (half + half).dtype == BFLOAT16 and (half * 2).dtype == BFLOAT16
    assert (half * 2.0).dtype == np.float32  # NumPy's promotion makes CuPy choose this, too
    assert half.sum().dtype == half.mean().dtype == half.max().dtype == BFLOAT16
    assert cp.where(half > 0, half, half).dtype == np.float32  # CuPy's where has no bfloat16 line


def test_every_ufunc_runs_on_every_type_it_lists(standin: Standin, cp: Any) -> None:
    ran, missing = 0, set()
    for path, module in (("cupy", cp), ("cupyx", standin.cupyx), ("cupyx.scipy.special", standin.cupyx.scipy.special)):
        for name in (n for n, entry in names(path).items() if entry.kind == "ufunc"):
            function = getattr(module, name)
            for loop in function._loops.lines:
                if loop.refused:
                    continue
                try:
                    results = function(*(cp.ones(2, t) for t in loop.ins))
                except NotImplementedError:
                    missing.add(name)
                    continue
                results = results if isinstance(results, tuple) else (results,)
                assert tuple(r.dtype for r in results) == function._loops.pick(name, list(loop.ins)).outs, (name, loop)
                ran += 1
    assert ran > 1000 and missing == NOT_EMULATED


def test_division_by_zero_neither_warns_nor_raises(cp: Any, recwarn: pytest.WarningsRecorder) -> None:
    same(cp.array([1, 2]) // 0, [0, 0])
    assert cp.isinf(cp.ones(1) / 0.0).all() and not recwarn.list


# Layout and views.


def test_new_arrays_are_in_c_order_and_views_know_their_base(cp: Any, x: Any) -> None:
    assert x.T.flags.f_contiguous and not x.T.flags.c_contiguous
    for result in (x.T + 1, cp.exp(x.T), cp.maximum(x.T, 0.0), cp.cumsum(x.T, axis=0), x.T.copy()):
        assert result.flags.c_contiguous and result.flags.owndata and result.base is None
    assert cp.empty_like(x.T).flags.f_contiguous and cp.copy(x.T).flags.f_contiguous
    root = x.base
    assert x[0].base is root and x.T.base is root and not x[0].flags.owndata and x.transpose(1, 0).base is root
    x[0][:] = 7.0
    same(root, [7, 7, 7, 3, 4, 5])
    assert cp.asarray(x) is x and x.astype(x.dtype, copy=False) is x and cp.array(x) is not x
    assert x.real is x and x.conj() is x and x.data.ptr == root.data.ptr


def test_fresh_memory_is_poisoned(cp: Any, x: Any) -> None:
    assert cp.isnan(cp.empty((2, 2))).all() and cp.isnan(cp.empty_like(x)).all() and cp.isnan(cp.ndarray((2,), "f4")).all()
    assert int(cp.empty((1,), "i4")[0]) == 2**31 - 1


def test_broadcast_views_cannot_be_written(cp: Any) -> None:
    with pytest.raises(ValueError, match="read-only"):
        cp.broadcast_to(cp.zeros(3), (2, 3))[0] = 1.0


# Indexing.


def test_out_of_range_index_arrays_wrap_around(cp: Any, x: Any) -> None:
    same(x[cp.array([2, -3])], x[cp.array([0, 1])].get())
    same(cp.take(x, cp.array([4]), axis=1), x[:, 1:2].get())
    with pytest.raises(IndexError):
        x[2]


def test_index_kinds(cp: Any, x: Any) -> None:
    host = x.get()
    rows, mask = cp.array([1, 0]), x > 1
    for key, host_key in (
        ((slice(None), 1), (slice(None), 1)),
        ((None, ..., -1), (None, ..., -1)),
        (rows, [1, 0]),
        ((rows, cp.array([2, 2])), ([1, 0], [2, 2])),
        (mask, host > 1),
        ((slice(None), cp.array(1)), (slice(None), 1)),
        ([1, 0], [1, 0]),
        ((rows[:, None], rows), (np.array([[1], [0]]), [1, 0])),
    ):
        same(x[key], host[host_key])
        y, z = x.copy(), host.copy()
        y[key], z[host_key] = -1.0, -1.0
        same(y, z)
    for key in (1.5, cp.array([0.5]), "a"):
        with pytest.raises(IndexError):
            x[key]


def test_storing_through_repeated_indices_keeps_no_order(cp: Any) -> None:
    y = cp.zeros(2)
    y[cp.array([0, 0])] = cp.array([1.0, 2.0])
    same(y, [1, 0])  # NumPy would keep 2


def test_scatter_counts_every_repetition(standin: Standin, cp: Any) -> None:
    y = cp.zeros(3, "f4")
    cp.add.at(y, cp.array([0, 0, 2, 5]), cp.array([1.0, 2.0, 3.0, 4.0], "f4"))
    standin.cupyx.scatter_add(y, cp.array([1]), 1.0)
    same(y, [3, 1, 7])


# The rest of the machine.


def test_failed_factorizations_give_nan_unless_told_to_raise(standin: Standin, cp: Any) -> None:
    singular = cp.zeros((2, 2))
    assert cp.isnan(cp.linalg.inv(singular)).all() and cp.isnan(cp.linalg.cholesky(-cp.eye(2))).all()
    with standin.cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
        cp.linalg.inv(singular)
    assert type(cp.linalg.svd(cp.eye(2))) is tuple


def test_devices() -> None:
    with install(devices=2) as session:
        cp = session.cupy
        assert cp.cuda.runtime.getDeviceCount() == 2
        here = cp.ones(3)
        with cp.cuda.Device(1) as second:
            there = cp.ones(3)
            assert cp.cuda.runtime.getDevice() == 1 and there.device == second and there.device.id == 1
            assert cp.array(here).device.id == 1
            assert there[0].device.id == there.T.device.id == 1
        assert here.device.id == 0 == copy.deepcopy(here).device.id
        with pytest.raises(ValueError, match=r"resides \(1\) is different from the current device \(0\)"):
            here + there
        with pytest.raises(RuntimeError, match="invalid device ordinal"):
            cp.cuda.Device(2).use()
        cp.cuda.get_current_stream().synchronize()
        assert session.synchronizations == 1 and cp.get_default_memory_pool().used_bytes() == 0


def test_dlpack_shares_memory_and_never_reaches_numpy(standin: Standin, cp: Any, x: Any) -> None:
    cp.from_dlpack(x)[0, 0] = 9.0
    assert float(x[0, 0]) == 9.0 and x.__dlpack_device__() == (2, 0)
    with pytest.raises(TypeError, match="CPU arrays cannot be directly imported"):
        cp.from_dlpack(np.ones(3))
    before = standin.host_copies
    assert np.from_dlpack(x, device="cpu")[0, 0] == 9.0 and standin.host_copies == before + 1


def test_random(cp: Any) -> None:
    cp.random.seed(1)
    first = cp.random.uniform(-1, 1, (3,), dtype="f4")
    cp.random.seed(1)
    same(cp.random.uniform(-1, 1, (3,), dtype=np.float32), first.get(), np.float32)
    assert cp.random.default_rng(0).standard_normal((2,)).shape == (2,) == cp.random.randn(2).shape
    with pytest.raises(AttributeError, match="normal"):
        cp.random.default_rng(0).normal()


def test_a_foreign_operand_gets_its_turn(x: Any) -> None:
    class Tensor:
        __array_ufunc__ = None

        def __radd__(self, other: Any) -> str:
            return "tensor"

    assert x + Tensor() == "tensor"
