"""Mutated models: read, or refused with a typed error that says where; no crash, no hang, no memory, no file from outside."""

from __future__ import annotations

import json
import mmap
import os
import re
import resource
import signal
import struct
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dovetail.errors import FormatError, UnsupportedError
from tests.support.figures import note

onnx = pytest.importorskip("onnx")

from dovetail_onnx import importer
from tests.onnx import models, seeds
from tests.onnx.test_import_hostile import OPENED, WATCHING

SECONDS, ROOM, GROWTH = 5, 1 << 30, 64 << 20
# What an error about a part of a model begins with, after the file's name.
PLACED = re.compile(r"(\S+: )?(node |tensor |sparse tensor |an initializer|an input|names |has an initializer)")


def mutated(data, rng):
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data)))
        match int(rng.integers(6)):
            case 0:
                data[at] = int(rng.integers(256))
            case 1:
                data[at] ^= 1 << int(rng.integers(8))
            case 2:
                del data[at : at + int(rng.integers(1, 9))]
            case 3:
                data[at:at] = rng.integers(0, 256, int(rng.integers(1, 9)), dtype=np.uint8).tobytes()
            case 4:
                data[at:at] = data[int(rng.integers(len(data))) :][: int(rng.integers(1, 40))]
            case 5:
                del data[at:]
        if not data:
            return b""
    return bytes(data)


def _messages(message):
    """A message and all that are in it."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if hasattr(value, "append") or hasattr(value, "add") else [value]:
                yield from _messages(one)


def altered(model, rng, words=()):
    """A model that is well-formed, with fields that are changed, doubled or taken away; ``words`` are texts that it may come to have."""
    names = [name for node in model.graph.node for name in (*node.input, *node.output, node.op_type)]
    names += ["", "x", "no", "Loop", "Cast", *words]
    numbers = [0, 1, -1, 2, 7, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63)]
    for _ in range(int(rng.integers(1, 4))):
        found = [(one, field) for one in _messages(model) for field, _ in one.ListFields()]
        message, field = found[int(rng.integers(len(found)))]
        value = getattr(message, field.name)
        if hasattr(value, "append") or hasattr(value, "add"):
            at = int(rng.integers(len(value)))
            match int(rng.integers(3)):
                case 0:
                    del value[at]
                case 1:
                    value.append(value[at])
                case 2 if field.type in (field.TYPE_INT64, field.TYPE_INT32):
                    value[at] = numbers[int(rng.integers(7))]
                case 2 if field.type == field.TYPE_STRING:
                    value[at] = names[int(rng.integers(len(names)))]
        elif field.type == field.TYPE_STRING:
            setattr(message, field.name, names[int(rng.integers(len(names)))])
        elif field.type == field.TYPE_BYTES:
            setattr(message, field.name, value[: int(rng.integers(len(value) + 1))])
        elif field.type == field.TYPE_INT64:
            setattr(message, field.name, numbers[int(rng.integers(len(numbers)))])
        elif field.type == field.TYPE_INT32:
            setattr(message, field.name, int(rng.integers(30)))
        elif field.type == field.TYPE_ENUM:
            setattr(message, field.name, field.enum_type.values[int(rng.integers(len(field.enum_type.values)))].number)
        else:
            message.ClearField(field.name)
    return model


class Hang(BaseException):
    """A model took longer than it may."""


def turns(count, seed, folder, at):
    """What became of `count` mutations; ``at`` is where the number of the current one is kept, should the process die."""
    rng, made = np.random.default_rng(seed), {name: make() for name, make in seeds.SEEDS.items()}
    words = [row["location"] for row in models.attacks(folder / "outside", folder / "model").values() if row.get("location")]
    seen, file = Counter(), folder / "model" / "m.onnx"
    allowed, outside, slowest = {str(file), str(file.parent), *os.listdir(file.parent), "m.onnx"}, [], 0.0
    for turn in range(count):
        name = list(made)[turn // 2 % len(made)]
        if turn % 2:
            copy = onnx.ModelProto()
            copy.CopyFrom(made[name])
            data = altered(copy, rng, words if name in seeds.FROM_FILE else ()).SerializeToString()
        else:
            data = mutated(made[name].SerializeToString(), rng)
        at[:8] = struct.pack("q", turn)
        if name in seeds.FROM_FILE:
            file.write_bytes(data)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        began = time.perf_counter()
        seen[outcome(file if name in seeds.FROM_FILE else data)] += 1
        slowest = max(slowest, time.perf_counter() - began)
        signal.setitimer(signal.ITIMER_REAL, 0)
        outside += [f"turn {turn} ({name}): {one}" for one in map(str, OPENED) if one not in allowed and not one.isdigit()]
    return seen, outside, slowest


def outcome(model):
    """One word for what `load` did."""
    OPENED.clear()
    WATCHING.append(True)
    try:
        importer.load(model)
        return "read"
    except (FormatError, UnsupportedError) as error:
        if type(error) is UnsupportedError or PLACED.match(error.reason):
            return "refused, and the part named"
        return "refused as a whole"
    except Hang:
        return "hung"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    finally:
        WATCHING.clear()


def child(count, seed, folder, at, end):
    """Run the turns within bounds, and write what was seen to the pipe."""

    def hang(*_):
        raise Hang

    signal.signal(signal.SIGALRM, hang)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (pages + ROOM, pages + ROOM))
    seen, outside, slowest = turns(count, seed, folder, at)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    os.write(end, json.dumps([seen, outside[:5], slowest, grown]).encode())


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize("count", [5_000, pytest.param(50_000, marks=pytest.mark.soak)])
def test_mutations_are_read_or_refused(count, tmp_path):
    for name in ("model", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / {"model": "w.bin", "outside": "secret.bin"}[name]).write_bytes(bytes(96))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in seeds.SEEDS.items():  # what is imported on the way is imported now
            (tmp_path / "model" / "m.onnx").write_bytes(make().SerializeToString())
            importer.load(tmp_path / "model" / "m.onnx" if name in seeds.FROM_FILE else make())
    at, (start, end) = mmap.mmap(-1, 8), os.pipe()
    process = os.fork()
    if not process:
        code = 1
        try:
            child(count, count, tmp_path, at, end)
            code = 0
        finally:
            os._exit(code)
    os.close(end)
    with os.fdopen(start, "rb") as file:
        said = file.read()
    _, status = os.waitpid(process, 0)
    assert status == 0 and said, f"the process ended with status {status} in turn {struct.unpack('q', at[:8])[0]}"
    seen, outside, slowest, grown = json.loads(said)
    typed = sum(seen.get(what, 0) for what in ("read", "refused, and the part named", "refused as a whole"))
    note("S3", "mutated ONNX models that were read, or refused by FormatError or UnsupportedError", f"{typed:,} of {count:,}", "all")
    note("S3", "files that mutated ONNX models had opened outside their folder", len(outside), "0")
    note("S3", "the slowest mutated ONNX model, s", round(slowest, 2), "5")
    note("S3", "memory grown over all mutated ONNX models, MB", round(grown / 1e6, 1), "64")
    print(seen, f"{slowest:.2f} s, {grown / 1e6:.1f} MB")
    assert typed == count, seen
    assert not outside and slowest < SECONDS and grown < GROWTH
    assert seen["read"] > count / 20 and seen["refused, and the part named"] > count / 4
