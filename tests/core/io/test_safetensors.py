"""Safetensors files of every kind: what the package reads is read the same, or refused; headers cost little."""

from __future__ import annotations

import io
import json
import os
import random
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as pack

import dovetail as dv
from dovetail.errors import FormatError
from dovetail.io.checkpoint import Checkpointer, about
from dovetail.io.container import HEADER_ASKED, HEADER_LIMIT
from dovetail.io.store import verify
from tests.support.figures import note

from .measured import SEEDS, headed, peak


def structural() -> list[bytes]:
    """Three hundred files made by hand: types, shapes, offsets, names, lengths."""
    row = '{"a":{"dtype":%s,"shape":%s,"data_offsets":%s}}'
    dtypes = ['"F32"', '"F8_E4M3"', '"f32"', '"OBJ"', "null", "3", '""', '["F32"]', '"BF16"', '"BOOL"']
    shapes = ["[1]", "[-1]", "[1.5]", "[18446744073709551615]", "[4294967296,4294967296]", "null", '"1"', "[]", "[[1]]", "[0]"]
    offsets = ["[0,4]", "[4,0]", "[-4,0]", "[0,18446744073709551615]", "[1,5]", "[0]", "null", "[0,4,8]", '["0","4"]', "[0,400000000000]"]
    made = [headed(row % (d, s, o), bytes(4)) for d in dtypes for s, o in zip(shapes, offsets, strict=True)]
    made += [headed(row % ('"F32"', s, o), bytes(4)) for s in shapes for o in offsets]
    made += [n.to_bytes(8, "little") + b"{}" for n in (0, 1, 3, 2**31, 2**32, 2**63 - 1, 2**64 - 1, HEADER_LIMIT, HEADER_LIMIT + 1)]
    made += [headed("{" + "[" * n) for n in (1, 10, 1000, 100_000)] + [headed('{"a":' * n + "1" + "}" * n) for n in (1, 10, 500, 50_000)]
    metadata = (
        "null",
        "3",
        "[]",
        '{"a":1}',
        '{"a":null}',
        '"x"',
        '{"dovetail":"{}"}',
        '{"":""}',
        "false",
        '{"a":"1","a":"2"}',
        '{"a":"\\udc00"}',
    )
    made += [headed(f'{{"__metadata__":{m}}}') for m in metadata]
    made += [headed(f'{{"__metadata__":{{"dtype":{v},"shape":{v},"data_offsets":{v}}}}}') for v in ('"F32"', "[]", "[0,0]")]
    entry = '"dtype":"U8","shape":[4],"data_offsets":[0,4]'
    entries = [f'"a":{{{entry}}},"a":{{{entry}}}', *(f'"a":{{{entry},{more}}}' for more in ('"dtype":"U8"', '"more":1', '"more":NaN'))]
    odd = [("[4]", "[-0,4]"), ("[4]", "[0,4.0]"), ("[4]", "[false,4]"), ("[true,4]", "[0,4]"), ("[4e0]", "[0,4]"), ("[4]", "[00,4]")]
    odd += [(f"[{'1,' * n}{last}]", "[0,4]") for n in (62, 63, 64, 100_000) for last in ("4", "2,2")]
    odd += [("[2,-2,-1]", "[0,4]"), ("[0,-1]", "[0,0]"), ("[99999999999,0]", "[0,0]"), ("[4]", "[0,4]")]
    entries += [f'"a":{{"dtype":"U8","shape":{shape},"data_offsets":{offsets}}}' for shape, offsets in odd]
    made += [headed("{" + e + "}", bytes(4)) for e in entries]
    made += [headed(b'{"\xff\xfe":1}'), headed('{"\\ud800":1}'), headed('{"\\ud800":{' + entry + "}}", bytes(4))]
    made += [headed('{"\\ud83d\\ude00":{' + entry + "}}", bytes(4)), headed("{}\0\0"), headed("{},"), headed("[]")]
    made += [headed("{}".encode("utf-16-le")), headed(b"\xef\xbb\xbf{}")]
    draw = random.Random(11)
    while len(made) < 320:
        made.append(SEEDS[0][: draw.randrange(len(SEEDS[0]))])
    return made


def edited(header: dict, draw: random.Random) -> str:
    """A header with one thing changed as a program would: some of these are right, and say something else."""
    name = draw.choice([key for key in header if key != "__metadata__"])
    entry = header[name] = dict(header[name])
    match draw.randrange(8):
        case 0:
            header[draw.choice(["other", "", "é", "a" * 300])] = header.pop(name)
        case 1:
            entry["shape"] = [*entry["shape"], 1] if draw.random() < 0.5 else entry["shape"][::-1]
        case 2:
            entry["dtype"] = draw.choice(["I32", "F16", "BF16", "I16", "F64", "U64", "C64", "BOOL", "F8_E5M2"])
        case 3:
            at = draw.randrange(2)
            entry["data_offsets"] = [n + draw.choice([-1, 1, 8, 2**40]) * (i == at) for i, n in enumerate(entry["data_offsets"])]
        case 4:
            del entry[draw.choice(list(entry))]
        case 5:
            entry[draw.choice(["more", "shape", "dtype"])] = draw.choice([None, 1, "F32", [], {}, 1.5, True])
        case 6:
            header["__metadata__"] = draw.choice([{}, {"a": "b"}, {"a": 1}, None, {"dovetail.header": "0" * 8}])
        case 7:
            header = dict(draw.sample(list(header.items()), len(header)))
    return json.dumps(header, indent=draw.choice([None, 1]), ensure_ascii=draw.random() < 0.5)


def mutated(draw: random.Random) -> tuple[str, bytes]:
    """A kind of change, and a file that was changed so, once to three times."""
    data = bytearray(draw.choice(SEEDS))
    head, kind = 8 + int.from_bytes(data[:8], "little"), draw.choice([*KINDS, KINDS[0]])
    if kind == "header edited":
        return kind, headed(edited(json.loads(data[8:head]), draw), bytes(data[head:]))
    for _ in range(draw.randint(1, 3)):
        at, n = draw.randrange(len(data) or 1), draw.randrange(1, 9)
        match kind:
            case "data changed":
                data[draw.randrange(head, len(data))] = draw.randrange(256)
            case "header bit":
                data[draw.randrange(8, head)] ^= 1 << draw.randrange(8)
            case "header number":
                digits = [i for i in range(8, head) if 48 <= data[i] < 58]
                data[(i := draw.choice(digits)) : i + 1] = str(draw.choice([0, 1, 2, 9, 2**31, 2**63, -1])).encode()
                head = data.rfind(b"}") + 1
                data[:8] = (head - 8).to_bytes(8, "little")
            case "length":
                data[draw.randrange(8)] ^= 1 << draw.randrange(8)
            case "any bytes":
                data[at : at + n] = draw.randbytes(n)
            case "bytes lost":
                del data[at : at + n]
            case "bytes added":
                data[at:at] = draw.choice([bytes(data[:n]), draw.randbytes(n), b" " * n])
            case "cut":
                del data[at:]
    if kind in ("any bytes", "bytes lost", "bytes added") and draw.random() < 0.5 and data:  # with a length that fits
        data[:8] = max(data.rfind(b"}") - 7, 0).to_bytes(8, "little")
    return kind, bytes(data)


KINDS = ["data changed", "header edited", "header number", "header bit", "length", "any bytes", "bytes lost", "bytes added", "cut"]


def look(data: bytes, path: Path, mapped: bool) -> tuple[bool, bool]:
    """Whether the package reads it, and whether we do: only what it reads, and as it does; no other error, and no waiting."""
    try:
        theirs = dict(deserialize(data))
    except (SafetensorError, ValueError, TypeError):
        theirs = None
    if mapped:
        path.write_bytes(data)
    start = time.process_time()
    try:
        found = dv.load(path, mmap=True) if mapped else dv.load(io.BytesIO(data))
    except FormatError as error:
        found = None
        assert len(str(error)) < 1000
    assert time.process_time() - start < 1
    if found is not None:
        assert theirs is not None and found.keys() == theirs.keys()
        for name, entry in theirs.items():
            a = found[name].view(dv.int16).numpy() if entry["dtype"] == "BF16" else found[name].numpy()
            assert a.tobytes() == bytes(entry["data"]) and list(found[name].shape) == list(entry["shape"])
    return theirs is not None, found is not None


def alone(check) -> None:
    """Run in a child with little memory, so that a crash or an allocation is seen."""
    if (child := os.fork()) == 0:
        code = 1
        try:
            statm = Path("/proc/self/statm")
            if statm.exists():
                size = int(statm.read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + (192 << 20), -1))
            check()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_AS is POSIX's")
@pytest.mark.parametrize("cases", [2000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_files_of_every_kind(tmp_path, cases):
    """S1."""

    def check() -> None:
        made, theirs, read, before = Counter(), Counter(), Counter(), peak()
        for data in structural():
            assert look(data, tmp_path / "f", True) == look(data, tmp_path / "f", False)
        draw = random.Random(cases)
        for number in range(cases):
            kind, data = mutated(draw)
            made[kind] += 1
            package, ours = look(data, tmp_path / "f", number % 8 == 0)
            theirs[kind] += package
            read[kind] += ours
        grown = peak() - before
        assert grown < 64 << 10, grown
        assert read["data changed"] == made["data changed"] and min(made.values()) > cases // (2 * len(KINDS)), made
        assert read["header edited"] > made["header edited"] // 4 and read.total() > cases // 5, read
        what = f"mutations, and {len(structural())} files by hand: as the package reads them or FormatError, ≤ 1 s"
        note("S1", what, f"{cases} of {cases}", "100,000; no other type, no crash")
        note("S1", "of the mutations: read, by the package", f"{read.total():,}, {theirs.total():,}", "none that the package refuses")
        note("S1", "memory that all of these took", f"+{grown // 1024} MB", "2 × file + 64 MB")

    alone(check)


def struck(path: Path, draw: random.Random, way: str) -> bool:
    """Flip one bit of the file, load it, and flip it back: True where it was read."""
    at = draw.randrange(8, 120) if draw.random() < 0.5 else draw.randrange(200, path.stat().st_size)
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes([old[0] ^ 1 << draw.randrange(8)]))
        file.flush()
        file.seek(0)
        try:
            return len(dv.load(file if way == "stream" else path, mmap=way == "mmap")) == 2
        except FormatError:
            return False
        finally:
            file.seek(at)
            file.write(old)


@pytest.mark.skipif(os.name == "nt", reason="RLIMIT_AS is POSIX's")
@pytest.mark.parametrize("cases", [20, pytest.param(200, marks=pytest.mark.soak)])
@pytest.mark.parametrize("way", ["path", "mmap", "stream"])
def test_memory_of_a_large_file(tmp_path, way, cases):
    """S1: the memory is the file's, however it is damaged; of a stream its bytes are there too."""
    size, path = 16 << 20, tmp_path / "f"
    path.write_bytes(pack({"w": np.zeros(size // 8, np.float32), "v": np.zeros(size // 16, np.float64)}))

    def check() -> None:
        draw, before = random.Random(cases), peak()
        read = sum(struck(path, draw, way) for _ in range(cases))
        taken = (peak() - before) * 1024
        note("S1", f"memory for damaged files of {size >> 20} MB ({way}), in their bytes", f"{taken / size:.1f}", "2, and 64 MB")
        assert cases > read > cases // 3 and taken < 2 * size + (64 << 20), (read, taken)

    alone(check)


def test_the_package_refuses_some():
    refused = 0
    for data in structural():
        try:
            deserialize(data)
        except (SafetensorError, ValueError):
            refused += 1
    assert len(structural()) >= 300 and refused > 200


HEADERS = {
    "many tensors": lambda n: {f"tensor.{i:06d}": {"dtype": "U8", "shape": [1], "data_offsets": [i, i + 1]} for i in range(n // 75)},
    "empty tensors": lambda n: {f"{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(n // 55)},
    "names of 60 letters": lambda n: {
        f"model.decoder.layers.{i:05d}.feed_forward.intermediate.weight": {"dtype": "U8", "shape": [1, 1], "data_offsets": [i, i + 1]}
        for i in range(n // 118)
    },
    "one long text": lambda n: {"__metadata__": {"text": "x" * n}},
    "small metadata": lambda n: {"__metadata__": {str(i): "" for i in range(n // 12)}},
}
MEASURE = """
import gc, sys, time, dovetail as dv
from tests.core.io.measured import peak
small, large, limit = sys.argv[1:]
dv.load(small)
gc.collect()
before, start = peak(), time.process_time()
dv.load(large, max_header=int(limit))
print(peak() - before, time.process_time() - start)
"""


def cost(folder: Path, data: bytes, length: int, small: bytes = SEEDS[0]) -> tuple[float, float]:
    """What loading it costs a process that does nothing else: memory in bytes of its header, and seconds for 10 MB of it."""
    (folder / "small").write_bytes(small)
    (folder / "large").write_bytes(data)
    command = [sys.executable, "-c", MEASURE, str(folder / "small"), str(folder / "large"), str(HEADER_LIMIT)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    grown, seconds = map(float, done.stdout.split())
    return grown * 1024 / length, seconds / (length / 1e7)


@pytest.mark.parametrize(
    "size", [2_500_000, pytest.param(20_000_000, marks=pytest.mark.soak), pytest.param(90_000_000, marks=pytest.mark.soak)]
)
@pytest.mark.parametrize("kind", HEADERS)
def test_the_cost_of_a_header(tmp_path, kind, size):
    """S2."""
    header = HEADERS[kind](size)
    text = json.dumps(header, separators=(",", ":"))
    data = headed(text, bytes(len(header) if kind in ("many tensors", "names of 60 letters") else 0))
    times, pace = cost(tmp_path, data, len(text))
    note("S2", f"memory for a header of {len(text) / 1e6:.1f} MB, {kind}, in its bytes", f"{times:.1f}", "10")
    note("S2", f"seconds for 10 MB of a header of {len(text) / 1e6:.1f} MB, {kind}", f"{pace:.2f}", "1")
    assert times < 10 and pace < 3, (times, pace)  # a slow machine may miss the bar of 1: the page has the figure


@pytest.mark.figures
def test_the_cost_of_a_header_of_ours(tmp_path):
    """S2: with checksums and a tree of values, which say every name three times."""
    dv.save({f"layer.{i}.weight": dv.ones(1) for i in range(8_000)}, tmp_path / "own")
    data = (tmp_path / "own").read_bytes()
    length = int.from_bytes(data[:8], "little")
    dv.save({"layer.0.weight": dv.ones(1)}, tmp_path / "small")
    times, pace = cost(tmp_path, data, length, (tmp_path / "small").read_bytes())
    note("S2", f"memory for a header of {length / 1e6:.1f} MB of dovetail.save, in its bytes", f"{times:.1f}", "10")
    note("S2", f"seconds for 10 MB of a header of {length / 1e6:.1f} MB of dovetail.save", f"{pace:.2f}", "1")
    assert times < 10 and pace < 3, (times, pace)


@pytest.mark.parametrize(
    "members, text",
    [
        ('"a":{E},"a":{E}', "ends at 4 where 0 is right|one name"),
        ('"a":{F},"a#complex128":{G}', "two of its tensors have one name"),
        ('"a":{E},', "is no entry of a header"),
        ('"a":{E}"b":{E}', "is no entry of a header"),
        ('"a":{E,}', "is no entry of a header"),
        ('"__metadata__":{},"a":{E},"__metadata__":{}', "is no entry of a header"),
        ('"__metadata__":{"dovetail":"1","dovetail":"2"},"a":{E}', "its metadata have 'dovetail' twice"),
        ('"\\u005f_metadata__":{E}', "is no entry of a header"),
        ('"a":{"dtype":"U8","shape":[3],"data_offsets":[0,4]}', "tensor 'a' has offsets for 4 bytes and needs 3"),
        ('"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}', "tensor 'a' ends at 4 where 16 is right"),
        ('"a":{"dtype":"U8","shape":[12],"data_offsets":[4,16]}', "the first 4 bytes behind the header belong to no tensor"),
    ],
)
def test_what_a_header_may_not_say(members, text):
    for mark, entry in {"E": ("U8", [4], [0, 4]), "F": ("U8", [0], [0, 0]), "G": ("F64", [1, 2], [0, 16])}.items():
        fields = json.dumps({"dtype": entry[0], "shape": entry[1], "data_offsets": entry[2]})[1:-1]
        members = members.replace("{" + mark, "{" + fields)
    size = 4 if text.startswith("ends at 4") else 16
    with pytest.raises(FormatError, match=f"is not a whole safetensors file .*({text})"):
        dv.load(io.BytesIO(headed("{" + members + "}", bytes(size))))


def test_a_header_in_any_order_with_spaces_and_escapes():
    member = '\n "\\u00e9\\n" :\t{ "data_offsets" : [ 0 , 4 ] , "dtype":"U8","shape":[ 2 ,2 ]\r} '
    found = dv.load(io.BytesIO(headed("{" + member + ', "__metadata__" : { "a" : "\\ud83d\\ude00" , "b":"" }} \n', bytes(4))))
    assert list(found) == ["\u00e9\n"] and found["\u00e9\n"].shape == (2, 2)


def test_a_long_header_is_read_when_it_is_asked_for(tmp_path):
    path, entry = tmp_path / "f", b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    length = HEADER_ASKED + 1
    path.write_bytes(headed(entry + b" " * (length - len(entry) - 1) + b"}", b"x"))
    text = f"declares a header of {length} bytes; at most 25000000 are read; if you trust the file, load it with max_header={length}"
    for mapped in (False, True):
        with pytest.raises(FormatError, match=text):
            dv.load(path, mmap=mapped)
        assert dv.load(path, mmap=mapped, max_header=length)["a"].tolist() == [120]
    with open(path, "rb") as file:
        assert dv.load(file, max_header=length)["a"].tolist() == [120]
    path.write_bytes(SEEDS[1])
    with pytest.raises(FormatError, match="at most 1000 are read"):
        dv.load(path, max_header=1000)
    path.write_bytes((HEADER_LIMIT + 1).to_bytes(8, "little") + b"{")
    os.truncate(path, HEADER_LIMIT + 100)
    with pytest.raises(FormatError, match=r"declares a header of 100000001 bytes; at most 100000000 are read$"):
        dv.load(path, max_header=10**9)


def test_a_checkpointer_reads_what_it_wrote(tmp_path):
    with Checkpointer(tmp_path) as run:
        path = run.save({"note": "x" * HEADER_ASKED})
        assert len(run.restore()["note"]) == HEADER_ASKED and about(path)["step"] == 1 and verify(path)["kind"] == "value"
    with pytest.raises(FormatError, match="if you trust the file"):
        dv.load(path)


class Pipe(io.RawIOBase):
    """A stream that cannot go back, and gives no more than it is asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, into) -> int:
        return self.data.readinto(into)


def test_streams_of_every_kind(tmp_path):
    for data in SEEDS:
        behind = io.BytesIO(b"before" + data)
        behind.seek(6)
        whole = dv.load(io.BytesIO(data))
        assert all(dv.load(stream).keys() == whole.keys() for stream in (behind, Pipe(data), io.BufferedReader(Pipe(data))))
