"""utils.data beside PyTorch's: orders for the same seed, collation, lengths, and the types of errors."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from collections import OrderedDict, UserList, deque, namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils import data as td

import dovetail as dv
from dovetail import data as dd
from dovetail.data import collate as our_collate

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

Point = namedtuple("Point", "x y")
SIDES = [(dd, dv), (td, torch)]


def plain(value):
    """A result of either side in comparable form: tensors by type, shape and values, containers by class."""
    if isinstance(value, dv.Tensor | torch.Tensor):
        return str(value.dtype).rpartition(".")[2], tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {k: plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list | deque | UserList):
        return type(value).__name__, [plain(v) for v in value]
    return value if isinstance(value, np.ndarray | str | bytes | int | float | range | set | None) else type(value).__name__


def both(call):
    """What a call gives on either side, errors by the built-in that they are."""
    answers = []
    for module, lib in SIDES:
        try:
            answers.append(plain(call(module, lib)))
        except Exception as error:
            builtin = next(c for c in type(error).__mro__ if c.__module__ == "builtins")
            answers.append(f"error {RuntimeError if issubclass(type(error), RuntimeError) else builtin}")
    return answers


def agree(call):
    ours, theirs = both(call)
    assert ours == theirs
    return ours


SEEDS = [0, 1, 12345]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True},
        {"shuffle": True, "batch_size": 7},
        {"shuffle": True, "batch_size": 7, "drop_last": True},
        {"shuffle": True, "batch_size": None},
        {"batch_size": 4},
    ],
)
def test_epochs_come_in_the_same_order(seed, own, options):
    def call(module, lib):
        lib.manual_seed(seed)
        generator = lib.Generator().manual_seed(seed + 1) if own else None
        loader = module.DataLoader(range(23), generator=generator, **options)
        epochs = [[b.tolist() if hasattr(b, "tolist") else b for b in loader] for _ in range(4)]
        return epochs, lib.rand(1).item(), len(loader)  # and the stream goes on from the same place

    agree(call)


def test_a_pass_that_is_broken_off_leaves_the_same_stream():
    def call(module, lib):
        lib.manual_seed(3)
        loader, seen = module.DataLoader(range(10), 3, shuffle=True), []
        for _ in range(3):
            seen.append(next(iter(loader)))
        return seen, lib.rand(2)

    agree(call)


@pytest.mark.parametrize("options", [{}, {"replacement": True}, {"num_samples": 40}, {"replacement": True, "num_samples": 70}])
@pytest.mark.parametrize("own", [False, True])
def test_random_sampler(options, own):
    def call(module, lib):
        lib.manual_seed(9)
        generator = lib.Generator().manual_seed(4) if own else None
        sampler = module.RandomSampler(range(13), generator=generator, **options)
        return [list(sampler), list(sampler), len(sampler), lib.rand(1)]

    agree(call)


@pytest.mark.parametrize("seed", SEEDS)
def test_other_samplers(seed):
    def call(module, lib):
        lib.manual_seed(seed)
        subset = module.SubsetRandomSampler([3, 1, 4, 1, 5])
        weighted = module.WeightedRandomSampler([0.1, 0.0, 3.0, 0.6], 20)
        without = module.WeightedRandomSampler([0.1, 0.5, 3.0, 0.6], 3, replacement=False)
        batches = module.BatchSampler(module.SequentialSampler("abcdefg"), 3, False)
        return [list(subset), list(subset), list(weighted), list(without), list(batches), len(batches), lib.rand(1)]

    agree(call)


@pytest.mark.parametrize("lengths", [[3, 7], [10], [0.5, 0.5], [0.3, 0.3, 0.4], [0.999, 0.001], [1, 2], [1.5, -0.5], [0, 10]])
@pytest.mark.parametrize("own", [False, True])
def test_random_split(lengths, own):
    def call(module, lib):
        lib.manual_seed(2)
        options = {"generator": lib.Generator().manual_seed(5)} if own else {}
        return [(list(part.indices), len(part)) for part in module.random_split(range(10), lengths, **options)]

    agree(call)


class _Noise:
    """A dataset whose samples are random: what a worker draws depends on its seed."""

    def __init__(self, lib):
        self.lib = lib

    def __len__(self):
        return 7

    def __getitem__(self, index):
        return self.lib.rand(2)


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_draw_the_same_numbers(persistent):
    def call(module, lib):
        lib.manual_seed(8)
        options = {"multiprocessing_context": "fork"} if lib is torch else {}
        loader = module.DataLoader(_Noise(lib), 2, shuffle=True, num_workers=2, persistent_workers=persistent, **options)
        return [[plain(b) for b in loader] for _ in range(2)], lib.rand(1)

    agree(call)


class _Draws:
    """Python's and NumPy's numbers, whose seeds depend on the worker too."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return random.random(), np.random.rand(), np.random.randint(1000)


@pytest.mark.parametrize("seed", SEEDS)
def test_workers_seed_python_and_numpy_alike(seed):
    def call(module, lib):
        lib.manual_seed(seed)
        return list(module.DataLoader(_Draws(), batch_size=None, num_workers=2, multiprocessing_context="fork"))

    agree(call)


class _Asks:
    def __init__(self, module):
        self.module = module

    def __len__(self):
        return 3

    def __getitem__(self, index):
        info = self.module.get_worker_info()
        return info.id, info.num_workers, info.seed, info.dataset is self, info.worker_method, info.rng


def test_workers_know_the_same_of_themselves():
    def call(module, lib):
        lib.manual_seed(4)
        return list(module.DataLoader(_Asks(module), batch_size=None, num_workers=2, multiprocessing_context="fork", collate_fn=list))

    agree(call)


class _Raises:
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == 1:
            raise self.make()
        return index


class _Message(Exception):
    def __init__(self, message=""):
        self.message = message
        super().__init__(message)


class _Two(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


ERRORS = [
    lambda: ValueError("bad"),
    lambda: KeyError("bad"),
    lambda: IndexError(3),
    lambda: _Two(1, 2),
    lambda: OSError(2, "gone", "f"),
    _Message,
]


@pytest.mark.parametrize("make", ERRORS, ids=lambda make: type(make()).__name__)
def test_errors_of_workers_have_the_same_class_and_text(make):
    told = []
    for module, _ in SIDES:
        steps = iter(module.DataLoader(_Raises(make), num_workers=1, multiprocessing_context="fork"))
        next(steps)
        with pytest.raises(Exception) as caught:
            next(steps)
        lines = [line for line in str(caught.value).splitlines() if "File" not in line and not line.startswith("    ")]
        told.append((type(caught.value), [line for line in lines if "DataLoader: at index" not in line], [b.item() for b in steps]))
    assert told[0] == told[1]


def test_a_worker_that_dies_is_told_in_the_same_words():
    for module, _ in SIDES:
        with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"):
            list(module.DataLoader(_Raises(lambda: os._exit(1)), num_workers=1, multiprocessing_context="fork"))


@pytest.mark.parametrize("context", ["no", 3, "fork", "spawn", None])
def test_contexts_are_refused_alike(context):
    agree(lambda module, lib: module.DataLoader("ab", num_workers=1, multiprocessing_context=context) and None)
    agree(lambda module, lib: setattr(module.DataLoader("ab", num_workers=1), "multiprocessing_context", context))
    agree(lambda module, lib: setattr(module.DataLoader("ab"), "multiprocessing_context", context))


@pytest.mark.parametrize("options", [{"num_workers": 500}, {"pin_memory": True}], ids=str)
def test_warnings_have_the_same_words(options):
    told = []
    for module, _ in SIDES:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            loader = module.DataLoader([1], **options)
            if "pin_memory" in options:
                list(loader)
        told.append(str(seen[0].message))
    assert told[1].startswith(told[0])


@pytest.mark.parametrize(
    "options", [{"in_order": False}, {"prefetch_factor": 1}, {"persistent_workers": True}, {"worker_init_fn": id}], ids=str
)
def test_options_of_workers(options):
    def call(module, lib):
        loader = module.DataLoader(range(12), 3, num_workers=2, multiprocessing_context="fork", **options)
        return [sorted(plain(b) for b in loader) for _ in range(2)], len(loader), loader.prefetch_factor

    agree(call)


def shared_stream(module, n):
    class Stream(module.IterableDataset):
        def __iter__(self):
            info = module.get_worker_info()
            return iter(range(info.id, n, info.num_workers))

    return Stream()


@pytest.mark.parametrize("options", [{}, {"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}], ids=str)
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_streams_of_workers(workers, options):
    def call(module, lib):
        loader = module.DataLoader(shared_stream(module, 17), num_workers=workers, multiprocessing_context="fork", **options)
        return sorted(str(plain(b)) for b in loader)

    agree(call)


def batches():
    for lib, array in ((dv, dv.tensor), (torch, torch.tensor)):
        f32 = np.float32
        yield (
            lib,
            {
                "ints": [1, 2],
                "bools": [True, False],
                "floats": [1.0, 2],
                "int then float": [1, 2.5],
                "text": ["a", "b"],
                "bytes": [b"a"],
                "numpy text": [np.str_("a")],
                "scalars": [f32(1), f32(2)],
                "scalars of two types": [np.float32(1), np.float64(2)],
                "int8": [np.int8(1)],
                "bool_": [np.bool_(True)],
                "arrays": [np.ones((2, 1), f32), np.zeros((2, 1), f32)],
                "0-d arrays": [np.array(1, np.int16)],
                "empty arrays": [np.zeros((0, 2))] * 3,
                "tensors": [array([1.0]), array([2.0])],
                "0-d tensors": [array(1), array(2)],
                "tensors of two types": [array([1]), array([2.5])],
                "tuples": [(1, "a", array([1.0])), (2, "b", array([2.0]))],
                "lists": [[1, 2.0], [3, 4.0]],
                "nested": [(1, (2, [3, "c"])), (4, (5, [6, "d"]))],
                "dicts": [{"a": 1, "b": [2]}, {"a": 3, "b": [4]}],
                "ordered": [OrderedDict(b=1, a="x")],
                "named": [Point(1, "a"), Point(2, "b")],
                "deque": [deque([1, 2])],
                "user list": [UserList([1])],
                "range": [range(2), range(2)],
                "no elements": [[], []],
                "None": [None],
                "object": [object()],
                "set": [{1}],
                "complex": [1j],
                "date": [np.datetime64("2020")],
                "text array": [np.array(["a"])],
                "unequal tensors": [array([1.0]), array([1.0, 2.0])],
                "unequal lists": [[1], [1, 2]],
                "another key": [{"a": 1}, {"b": 1}],
                "nothing": [],
                "a None inside": [(1, None)],
            },
        )


OURS, THEIRS = batches()


@pytest.mark.parametrize("name", OURS[1])
def test_collate(name):
    given = {lib: samples[name] for lib, samples in (OURS, THEIRS)}
    agree(lambda module, lib: module.default_collate(given[lib]))


@pytest.mark.parametrize("name", sorted(set(OURS[1]) - {"date"}))  # PyTorch fails on a date, which could stay as it is
def test_convert(name):
    given = {lib: samples[name] for lib, samples in (OURS, THEIRS)}
    agree(lambda module, lib: module.default_convert(given[lib]))


def test_collate_error_text():
    texts = []
    for module, _ in SIDES:
        with pytest.raises(TypeError) as caught:
            module.default_collate([None])
        texts.append(str(caught.value))
    assert texts[0].startswith(texts[1])


def test_collate_with_rules():
    from torch.utils.data._utils.collate import collate as their_collate

    rules = {str: lambda batch, *, collate_fn_map: f"text {batch}", int: lambda batch, *, collate_fn_map: type(batch).__name__}
    for batch in ([("a", 1), ("b", 2)], [{"k": "a"}, {"k": "b"}], [[1, True]], [Point("a", 1)], [1.5]):
        answers = []
        for collate in (our_collate.collate, their_collate):
            try:
                answers.append(plain(collate(batch, collate_fn_map=rules)))
            except TypeError:
                answers.append("TypeError")
        if batch != [1.5]:  # PyTorch's knows no numbers but by its own rules
            assert answers[0] == answers[1]


def test_own_types_join_the_rules_of_all():
    from torch.utils.data._utils.collate import default_collate_fn_map as theirs

    from dovetail.utils.data._utils.collate import default_collate_fn_map as ours

    class Scan:
        pass

    answers = []
    for rules, collate in ((ours, dd.default_collate), (theirs, td.default_collate)):
        rules[Scan] = lambda batch, *, collate_fn_map=None: f"{len(batch)} scans"
        try:
            answers.append(plain(collate([{"scan": Scan(), "at": 1.5, "name": "a"}] * 2)))
        finally:
            del rules[Scan]
        with pytest.raises(TypeError, match="batch must contain"):
            collate([Scan()])
    assert answers[0] == answers[1]
    assert {k for k in ours if isinstance(k, type) and k.__module__ == "builtins"} <= set(theirs)
    for rules in (ours, theirs):
        assert plain(rules[int]([1, 2])) == plain(theirs[int]([1, 2]))
        assert plain(rules[float]([1.5])) == plain(theirs[float]([1.5]))


def stream(module, n, stated=None):
    class Stream(module.IterableDataset):
        def __iter__(self):
            return iter(range(n))

        if stated is not None:

            def __len__(self):
                return stated

    return Stream()


@pytest.mark.parametrize("options", [{}, {"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}])
@pytest.mark.parametrize("n", [0, 6, 7])
def test_streams(n, options):
    agree(
        lambda module, lib: [
            list(module.DataLoader(stream(module, n, n), **options)),
            len(module.DataLoader(stream(module, n, n), **options)),
        ]
    )
    agree(lambda module, lib: len(module.DataLoader(stream(module, n), **options)))


def test_both_warn_when_a_stream_outgrows_its_length():
    for module, _ in SIDES:
        loader = module.DataLoader(stream(module, 3, 2))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            len(loader), [b for b in loader]
        assert len(seen) == 1 and "was reported to be 2" in str(seen[0].message)


OPTIONS = [
    {"num_workers": -1},
    {"timeout": -1},
    {"timeout": 1},
    {"prefetch_factor": 2},
    {"prefetch_factor": -1, "num_workers": 1},
    {"persistent_workers": True},
    {"multiprocessing_context": "fork"},
    {"sampler": [0], "shuffle": True},
    {"sampler": [0], "shuffle": False},
    {"batch_sampler": [[0]], "batch_size": 2},
    {"batch_sampler": [[0]], "shuffle": True},
    {"batch_sampler": [[0]], "sampler": [0]},
    {"batch_sampler": [[0]], "drop_last": True},
    {"batch_sampler": [[0, 1]], "batch_size": 1},
    {"batch_size": None, "drop_last": True},
    {"batch_size": 0},
    {"batch_size": 2.0},
    {"drop_last": 1},
    {"sampler": (0, 1)},
    {"no_such_option": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_are_refused_alike(options):
    agree(lambda module, lib: list(module.DataLoader(range(3), **options)))


@pytest.mark.parametrize(
    "options", [{"shuffle": True}, {"shuffle": False}, {"sampler": [0]}, {"batch_sampler": [[0]]}, {"batch_size": 2}], ids=str
)
def test_options_of_streams_are_refused_alike(options):
    agree(lambda module, lib: list(module.DataLoader(stream(module, 3), **options)))


CALLS = {
    "empty shuffle": lambda m, lib: m.DataLoader([], shuffle=True),
    "empty": lambda m, lib: list(m.DataLoader([])),
    "set batch_size": lambda m, lib: setattr(m.DataLoader([1]), "batch_size", 2),
    "set timeout": lambda m, lib: setattr(m.DataLoader([1]), "timeout", 2),
    "concat": lambda m, lib: [m.ConcatDataset(["ab", "cde"])[i] for i in (0, 2, -1, 4)],
    "concat past": lambda m, lib: m.ConcatDataset(["ab"])[2],
    "concat before": lambda m, lib: m.ConcatDataset(["ab"])[-3],
    "concat none": lambda m, lib: m.ConcatDataset([]),
    "concat stream": lambda m, lib: m.ConcatDataset([stream(m, 3)]),
    "chain": lambda m, lib: list(stream(m, 2) + stream(m, 3)),
    "chain lists": lambda m, lib: list(m.ChainDataset([[1], [2]])),
    "chain length": lambda m, lib: len(m.ChainDataset([stream(m, 2, 2), stream(m, 3, 3)])),
    "chain length of lists": lambda m, lib: len(m.ChainDataset([[1]])),
    "tensors": lambda m, lib: [m.TensorDataset(lib.arange(6).reshape(3, 2), lib.arange(3))[i] for i in (0, -1, slice(1, 3), [0, 2])],
    "tensors past": lambda m, lib: m.TensorDataset(lib.arange(3))[3],
    "tensors unequal": lambda m, lib: m.TensorDataset(lib.arange(3), lib.arange(2)),
    "tensors 0-d": lambda m, lib: m.TensorDataset(lib.tensor(1)),
    "no tensors": lambda m, lib: m.TensorDataset() and None,
    "stack": lambda m, lib: m.StackDataset("ab", "cd").__getitems__([1, 0]),
    "stack named": lambda m, lib: m.StackDataset(a="ab", b=m.Subset("xyz", [2, 0])).__getitems__([1, 0]),
    "stack none": lambda m, lib: m.StackDataset(),
    "stack both": lambda m, lib: m.StackDataset("a", b="b"),
    "stack unequal": lambda m, lib: m.StackDataset("a", "bc"),
    "subset": lambda m, lib: m.Subset("abcd", [3, 1]).__getitems__([1, 0]),
    "subset override": lambda m, lib: type("S", (m.Subset,), {"__getitem__": lambda s, i: i})("ab", [0]),
    "stream without iter": lambda m, lib: type("S", (m.IterableDataset,), {})(),
    "stream index": lambda m, lib: stream(m, 3)[0],
    "dataset index": lambda m, lib: m.Dataset()[0],
    "dataset length": lambda m, lib: len(m.Dataset()),
    "replacement": lambda m, lib: m.RandomSampler("ab", replacement=1),
    "num_samples": lambda m, lib: m.RandomSampler("ab", num_samples=0),
    "weights 2-d": lambda m, lib: m.WeightedRandomSampler([[1.0]], 1),
    "weights too few": lambda m, lib: list(m.WeightedRandomSampler([1.0, 0.0], 2, replacement=False)),
    "weights negative": lambda m, lib: list(m.WeightedRandomSampler([-1.0, 2.0], 2)),
    "sampler": lambda m, lib: iter(m.Sampler()),
    "worker info": lambda m, lib: m.get_worker_info(),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(name):
    agree(CALLS[name])


def test_a_program_of_loaders_prints_the_same():
    program = Path(__file__).with_name("data_program.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    told = []
    for name in ("dovetail", "torch"):
        done = subprocess.run([sys.executable, program, name], env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout.replace("TypeMismatch", "TypeError").splitlines())
    assert [line[: len(other)] for line, other in zip(*told, strict=True)] == told[1] and len(told[0]) > 20
