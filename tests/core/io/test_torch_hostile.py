"""Hostile and damaged PyTorch files: a typed error or a plain value; nothing is called, nothing is imported."""

from __future__ import annotations

import io
import random
import struct
import sys
import time
import warnings
import zipfile

import pytest

import dovetail as dv
from dovetail.errors import DeviceError, FormatError
from tests.support.figures import note

from .torch_files.make import FOLDER

WATCHED = {
    "pickle.find_class", "import", "exec", "compile", "os.system", "subprocess.Popen", "socket.connect", "ctypes.dlopen", "os.exec",
    "os.spawn", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir", "shutil.rmtree",
}  # fmt: skip
EVENTS: list[str] | None = None


def _listen(event, arguments):
    if EVENTS is not None and event in WATCHED:
        EVENTS.append(f"{event} {arguments[:1]}")


@pytest.fixture(scope="module", autouse=True)
def hooked(tmp_path_factory):
    sys.addaudithook(_listen)  # which cannot be taken away again, and is silent outside of `quietly`
    for name in ("dtypes.pth", "plain.legacy.pth"):
        dv.load(FOLDER / name)  # what the reader itself imports, once
    dv.load(FOLDER / "views.pth", mmap=True)
    path = tmp_path_factory.mktemp("warm") / "f"
    path.write_bytes(zipped(P(b"N")))
    dv.load(path)  # names in the encoding of old zip files
    dv.save({"w": dv.ones(1)}, path)
    dv.load(path)


def quietly(path, **options):
    """Load the file and see that nothing happened besides."""
    global EVENTS
    EVENTS = []
    try:
        return dv.load(path, **options)
    finally:
        seen, EVENTS = EVENTS, None
        assert not seen, seen


def test_the_hook_hears():
    global EVENTS
    EVENTS = []
    try:
        compile("1", "", "eval")
    finally:
        seen, EVENTS = EVENTS, None
    assert seen


# A pickle in short words.
def u(text):
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def g(full):
    module, _, name = full.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def i(number):
    return b"J" + struct.pack("<i", number)


def big(number):
    data = number.to_bytes((number.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def tup(*items):
    return b"(" + b"".join(items) + b"t"


def call(full, *arguments):
    return g(full) + tup(*arguments) + b"R"


ZERO, CPU, FOUR, STORAGE = u("0"), u("cpu"), i(4), u("storage")


def storage(kind="Float", key=ZERO, place=CPU, count=FOUR, word=STORAGE, more=b""):
    return tup(word, g(f"torch.{kind}Storage"), key, place, count, more) + b"Q"


HOOKS, OFFSET, SIZE, STRIDE, MEMORY = call("collections.OrderedDict"), i(0), tup(i(4)), tup(i(1)), struct.pack("<q", 4) + bytes(16)


def tensor(memory=None, offset=OFFSET, size=SIZE, stride=STRIDE, grad=b"\x89", hooks=HOOKS, *more):
    return call("torch._utils._rebuild_tensor_v2", memory or storage(), offset, size, stride, grad, hooks, *more)


def zipped(pickle, records=None, compression=zipfile.ZIP_STORED, top="archive"):
    """The pickle in PyTorch's zip format."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in {"data.pkl": pickle, "byteorder": b"little", "data/0": bytes(16), "version": b"3\n", **(records or {})}.items():
            archive.writestr(f"{top}/{name}", data)
    return out.getvalue()


MAGIC = b"\x80\x02" + big(0x1950A86A20F9469CFC6C) + b"."


def legacy(pickle, keys=b"\x80\x02](X\x01\x00\x00\x000e.", memory=MEMORY):
    """The pickle in the format before 1.6, as its value; tensors in it have an argument more."""
    return MAGIC + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + pickle + keys + memory


def P(body):
    return b"\x80\x02" + body + b"."


GLOBALS = [
    "os.system", "posix.system", "nt.system", "builtins.eval", "__builtin__.eval", "builtins.exec", "builtins.getattr",
    "builtins.__import__", "subprocess.Popen", "sys.exit", "importlib.import_module", "operator.attrgetter", "functools.partial",
    "torch.load", "torch.jit.load", "torch.hub.load", "numpy.load", "numpy.core.multiarray._reconstruct",
    "numpy.testing._private.utils.runstring", "dovetail.load",
    "dovetail.io.torch_pickle.Builder", "collections.defaultdict", "builtins.bytes.fromhex", "pip.main", "webbrowser.open", "code.interact",
    "torch._utils._rebuild_qtensor", "torch._utils._rebuild_sparse_tensor", "torch.storage._load_from_bytes", "copyreg._reconstructor",
]  # fmt: skip


def deep(count, last=b""):
    return P(b")" + b"\x85" * count + last)


CONJ = b"}" + u("conj") + b"\x88s"


def copies(name, argument, count=20_000):
    """One long value, and a builder that copies it again and again."""
    return P(b"(" + argument + b"\x85q\x00" + g(name) + b"q\x01h\x00R" + b"h\x01h\x00R" * count + b"t")


TWICE = b"".join(b"h" + bytes([k, 104, k]) + b"\x86q" + bytes([k + 1]) for k in range(40))  # tuples of two times the tuple before


def laughs(count, opening=b"]"):
    """Lists of twice the list before: 2**count values in a file of a few bytes."""
    body = opening + b"q\x00"
    for k in range(count):
        body += b"]q" + bytes([k + 1]) + b"(h" + bytes([k]) + b"h" + bytes([k]) + b"e"
    return P(b"(" + body + b"t")


CRAFTED = {
    **{f"GLOBAL and REDUCE of {name}": P(call(name, u("touch pwned"))) for name in GLOBALS},
    **{f"STACK_GLOBAL of {m} {n}": P(u(m) + u(n) + b"\x93" + tup(u("true")) + b"R") for m, n in (
        ("os", "system"), ("posix", "system"), ("torch", "_utils._rebuild_tensor_v2"), ("collections", "OrderedDict.__init__.__globals__"),
        ("torch", "nn.parameter.Parameter.__class__"), ("dovetail", "io.store.os.system"),
    )},
    "STACK_GLOBAL of numbers": P(i(1) + i(2) + b"\x93"),
    "INST": P(b"(" + u("id") + b"ios\nsystem\n"),
    "OBJ": P(b"(" + b"cos\nsystem\n" + u("id") + b"o"),
    "NEWOBJ of a type": P(g("builtins.type") + tup(u("A")) + b"\x81"),
    "NEWOBJ of a storage type": P(g("torch.FloatStorage") + b")" + b"\x81"),
    "NEWOBJ_EX": P(g("collections.OrderedDict") + b")}" + b"\x92"),
    "EXT1": P(b"\x82\x01"),
    "PERSID": P(b"Pcommand\n"),
    "NEXT_BUFFER": P(b"\x97"),
    "REDUCE of a list": P(b"]" + b")R"),
    "REDUCE of a string": P(u("os.system") + tup(u("id")) + b"R"),
    "REDUCE with a list of arguments": P(g("collections.OrderedDict") + b"]R"),
    "REDUCE of what a call gave": P(call("collections.OrderedDict") + b")R"),
    "REDUCE of a type of element": P(g("torch.float32") + b")R"),
    "BUILD of a dict": P(b"}" + b"}" + u("x") + i(1) + b"sb"),
    "BUILD of a tensor": P(tensor() + b"}b"),
    "BUILD that hides a method": P(HOOKS + b"}" + u("items") + i(1) + b"sb"),
    "BUILD of __class__": P(HOOKS + b"}" + u("__class__") + g("collections.Counter") + b"sb"),
    "BUILD with a number": P(HOOKS + i(3) + b"b"),
    "CVE-2026-24747: SETITEM of a tensor": P(tensor() + i(0) + i(7) + b"s"),
    "CVE-2026-24747: SETITEMS of a list": P(b"]" + b"(" + i(0) + i(7) + b"u"),
    "CVE-2026-24747: a storage that is longer than its record": P(tensor(storage(count=i(1000)), size=tup(i(1000)))),
    "APPEND to a dict": P(b"}" + i(0) + b"a"),
    "APPENDS to a tensor": P(tensor() + b"(" + i(0) + b"e"),
    "ADDITEMS to a list": P(b"](" + i(0) + b"\x90"),
    "an odd SETITEMS": P(b"}(" + i(0) + b"u"),
    "a list as key": P(b"}]" + i(0) + b"s"),
    "a tuple of tuples as key": P(b"()q\x00" + TWICE + b"}h\x28" + i(0) + b"st"),
    "a deep tuple as key": P(b"})" + b"\x85" * 100_000 + i(0) + b"s"),
    "deep tuples": deep(100_000),
    "deep lists": P(b"]" * 100_000 + b"a" * 99_999),
    "deep marks": P(b"(" * 100_000),
    "deep dicts": P((b"}" + u("k")) * 50_000 + i(0) + b"s" * 50_000),
    "2**60 lists in a few bytes": laughs(60),
    "a memo that is not there": P(b"h\x07"),
    "a memo of nothing": P(b"q\x07"),
    "LONG4 of 4 GB": P(b"\x8b\xff\xff\xff\x7f"),
    "LONG1 that is cut off": P(b"\x8a\xff\x01"),
    "a string of 4 GB": P(b"X\xff\xff\xff\xff"),
    "a string of 2**63 bytes": P(b"\x8d" + b"\xff" * 8),
    "BINSTRING of negative length": P(b"T\xff\xff\xff\xff"),
    "a bytearray of 10**12": P(call("builtins.bytearray", big(10**12))),
    "bytes of another encoding": P(call("_codecs.encode", u("x"), u("rot13"))),
    "text of no UTF-8": P(b"X\x01\x00\x00\x00\xff"),
    "an empty stack": P(b"")[:2] + b"0.",
    "nothing": P(b""),
    "two values": P(b"NN"),
    "a mark that stays": P(b"(N"),
    "a type of storage as value": P(g("torch.FloatStorage")),
    "a bare storage": P(storage()),
    "a builder as value": P(b"]" + g("torch._utils._rebuild_tensor_v2") + b"a"),
    "a class as value": P(g("collections.OrderedDict")),
    "a circle through a builder": P(b"]q\x00h\x00a" + g("torch.device") + b"a"),
    "persistent id: a number": P(i(0) + b"Q"),
    "persistent id: a module": P(storage(word=u("module"))),
    "persistent id: a name that is no text": P(storage(key=i(0))),
    "persistent id: a type that is no type": P(tup(u("storage"), u("torch.FloatStorage"), u("0"), u("cpu"), i(4)) + b"Q"),
    "persistent id: too long": P(storage(more=b"NNN")),
    "storage of -1": P(tensor(storage(count=i(-1)))),
    "storage of 2**60": P(tensor(storage(count=big(2**60)))),
    "storage of True": P(tensor(storage(count=b"\x88"))),
    "storage of too few": P(tensor(storage(count=i(3)), size=tup(i(3)))),
    "storage that is not there": P(tensor(storage(key=u("1")))),
    "storage with a path": P(tensor(storage(key=u("../../etc/passwd")))),
    "storage that is the pickle": P(tensor(storage(key=u("../data.pkl")))),
    "storage of two types": P(b"](" + tensor() + tensor(storage("Int")) + b"e"),
    "storage of two sizes": P(b"](" + tensor() + tensor(storage(count=i(2)), size=tup(i(2))) + b"e"),
    "storage of a type that is not here": P(tensor(storage("QInt8"))),
    "offset out of the storage": P(tensor(offset=i(1))),
    "offset below 0": P(tensor(offset=i(-1))),
    "offset of 2**62": P(tensor(offset=big(2**62))),
    "size out of the storage": P(tensor(size=tup(i(5)))),
    "size below 0": P(tensor(size=tup(i(-4)))),
    "size of 2**62": P(tensor(size=tup(big(2**62), big(2**62)), stride=tup(i(0), i(0)))),
    "size of text": P(tensor(size=u("4"))),
    "size of floats": P(tensor(size=tup(b"G" + struct.pack(">d", 4.0)))),
    "100 dimensions": P(tensor(size=tup(*[i(1)] * 100), stride=tup(*[i(1)] * 100))),
    "stride out of the storage": P(tensor(stride=tup(i(2)))),
    "stride below 0": P(tensor(offset=i(3), stride=tup(i(-1)))),
    "stride of 2**62": P(tensor(size=tup(i(2)), stride=tup(big(2**62)))),
    "strides that are missing": P(tensor(stride=b")")),
    "a gradient of integers": P(tensor(storage("Int"), grad=b"\x88")),
    "a gradient of 1": P(tensor(grad=i(1))),
    "metadata that is unknown": P(tensor(None, i(0), tup(i(4)), tup(i(1)), b"\x89", HOOKS, b"}" + u("x") + b"\x88s")),
    "metadata that is no dict": P(tensor(None, i(0), tup(i(4)), tup(i(1)), b"\x89", HOOKS, u("conj"))),
    "too few arguments": P(call("torch._utils._rebuild_tensor_v2", storage())),
    "a tensor of a dict": P(tensor(b"}")),
    "a tensor as its own storage": P(tensor(tensor())),
    "a parameter of a list": P(call("torch._utils._rebuild_parameter", b"]", b"\x88", HOOKS)),
    "a parameter with a state that hides": P(
        call("torch._utils._rebuild_parameter_with_state", tensor(), b"\x88", HOOKS, b"}" + u("data") + i(1) + b"s")
    ),
    "another class of tensor": P(
        call("torch._tensor._rebuild_from_type_v2", g("torch._utils._rebuild_tensor_v2"), g("torch.Size"), b")", b"}")
    ),
    "a class built by os.system": P(call("torch._tensor._rebuild_from_type_v2", u("os.system"), g("torch.Tensor"), tup(u("id")), b"}")),
    "a Tensor without storage": P(call("torch.Tensor", tup(big(2**40)))),
    "a size below 0 as value": P(call("torch.Size", tup(i(-1)))),
    "a device that is none": P(call("torch.device", u("moon"))),
    "a layout that is not here": P(call("torch.serialization._get_layout", u("torch.sparse_coo"))),
    "a Counter of a list": P(call("collections.Counter", b"](" + b"]" + b"e")),
    "an OrderedDict of numbers": P(call("collections.OrderedDict", b"](" + i(1) + b"e")),
    "a conjugate of 2**40 elements": P(
        tensor(storage("ComplexFloat", count=i(2)), i(0), tup(big(2**40)), tup(i(0)), b"\x89", HOOKS, CONJ)
    ),
    "1,000 conjugates of one storage": P(
        b"(" + b"q\x07".join([tensor(storage("ComplexFloat", count=i(2)), i(0), tup(i(2)), STRIDE, b"\x89", HOOKS, CONJ)] * 1000) + b"t"
    ),
    "20,000 copies of 100,000 bytes": copies("builtins.bytearray", b"B" + struct.pack("<I", 100_000) + bytes(100_000)),
    "20,000 copies of a text": copies("builtins.bytearray", u("x" * 100_000)),
    "20,000 copies of a list": copies("builtins.frozenset", b"](" + b"N" * 100_000 + b"e"),
    "20,000 copies of a dict": copies("collections.Counter", b"}(" + b"".join(i(k) + b"N" for k in range(50_000)) + b"u"),
    "20,000 copies of a state": P(
        b"(}(" + b"".join(u(f"k{k}") + b"N" for k in range(50_000)) + b"uq\x00" + (HOOKS + b"h\x00b") * 20_000 + b"t"
    ),
    "20,000 times a long key": P(b"((" + b"N" * 200 + b"tq\x00}" + b"h\x00Ns" * 20_000 + b"t"),
    "no protocol": b"garbage",
    "cut off": P(tensor())[:-30],
}  # fmt: skip


def refused(path, data, **options):
    path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(FormatError) as caught:
        quietly(path, **options)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 2000
    assert time.process_time() - start < 1.5
    return str(caught.value)


def test_the_words_make_whole_files(tmp_path):
    path = tmp_path / "f.pth"
    path.write_bytes(zipped(P(tensor())))
    assert quietly(path).tolist() == [0] * 4
    path.write_bytes(legacy(P(tensor(storage(more=b"N")))))
    assert quietly(path).tolist() == [0] * 4
    path.write_bytes(zipped(P(HOOKS + b"}" + u("_metadata") + b"}sb")))
    assert quietly(path)._metadata == {}
    assert len(CRAFTED) > 120


@pytest.mark.figures
@pytest.mark.parametrize("name", CRAFTED)
def test_crafted(tmp_path, name):
    refused(tmp_path / "f.pth", zipped(CRAFTED[name]))
    refused(tmp_path / "f.pth", legacy(CRAFTED[name]) if CRAFTED[name][:1] == b"\x80" else MAGIC + CRAFTED[name])
    note("S7", f"crafted pickle: {name}", "refused, nothing called or imported", "60 crafted pickles")


@pytest.mark.parametrize("name", GLOBALS)
def test_what_is_named_is_said(tmp_path, name):
    text = refused(tmp_path / "f.pth", zipped(P(call(name, u("touch pwned")))), weights_only=False)
    assert f"names {name.replace('__builtin__', 'builtins')!r}, which is not among" in text or name == "builtins.bytes.fromhex"


def test_a_value_that_leads_back_to_itself_is_read(tmp_path):
    path = tmp_path / "f.pth"
    path.write_bytes(zipped(P(b"]q\x00h\x00a")))
    found = quietly(path)
    assert found[0] is found


def test_keys_may_be_tuples(tmp_path):
    path = tmp_path / "f.pth"
    path.write_bytes(zipped(P(b"}(" + b"K\x01" * 90 + b"tq\x00Ns" + b"h\x00Ns" * 5_000)))
    start = time.process_time()
    assert quietly(path) == {(1,) * 90: None}
    assert time.process_time() - start < 1.5


def test_few_bytes_give_few_values(tmp_path):
    path = tmp_path / "f.pth"
    path.write_bytes(zipped(laughs(20)))  # a million values, which is no more than PyTorch reads
    assert len(quietly(path)) == 21


def entries(*pairs, **options):
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", **options) as archive:
        warnings.simplefilter("ignore")  # names that repeat
        for name, data in pairs:
            archive.writestr(zipfile.ZipInfo(name), data, options.get("compression"))
    return out.getvalue()


GOOD = zipped(P(tensor()))


def moved(data, name, by):
    """The zip file with the place of one entry changed in its directory."""
    out, at = bytearray(data), data.rindex(name)
    where = at - 4
    out[where:at] = (int.from_bytes(out[where:at], "little") + by).to_bytes(4, "little")
    return bytes(out)


def sized(data, name, size):
    """The zip file with the size of one entry changed in its directory."""
    out, at = bytearray(data), data.rindex(name)
    out[at - 26 : at - 18] = struct.pack("<II", size, size)
    return bytes(out)


@pytest.mark.parametrize(
    "data, text",
    [
        (zipped(P(tensor()), compression=zipfile.ZIP_DEFLATED), "compressed or encrypted; torch.save stores records as they are"),
        (zipped(P(tensor()), {"data/0": bytes(50_000_000)}, zipfile.ZIP_DEFLATED), "compressed or encrypted"),
        (entries(("a/data.pkl", P(b"N")), ("a/data.pkl", P(b"}")), ("a/version", b"3")), "records that repeat or overlap"),
        (entries(("a/data.pkl", P(b"N")), ("b/data.pkl", P(b"}")), ("a/version", b"3")), "has no data.pkl"),
        (entries(("data.pkl", P(b"N")), ("version", b"3")), "has no data.pkl"),
        (entries(("../a/data.pkl", P(b"N")), ("../a/version", b"3")), "has no data.pkl"),
        (entries(("/a/data.pkl", P(b"N"))), "has no data.pkl"),
        (entries(("word/document.xml", b"<x/>")), "is a zip archive but not one that torch.save wrote"),
        (entries(("a/data.pkl", P(b"N")), ("a/constants.pkl", P(b")"))), "is a TorchScript program; .*save its state_dict"),
        (entries(("a/data.pkl", P(b"N")), ("a/version", b"99")), "has the format version '99'"),
        (entries(("a/data.pkl", P(b"N")), ("a/version", b"9" * 5000)), "has the format version '9999"),
        (entries(("a/data.pkl", P(b"N")), ("a/version", b"\xb2")), "has the format version"),
        (entries(("a/data.pkl", P(b"N"))), "has the format version ''"),
        (zipped(P(tensor()), {"byteorder": b"middle"}), "byte order 'middle'"),
        (zipped(P(tensor(storage("Untyped", count=i(16)))), {"byteorder": b"big"}), "untyped storage of another byte order"),
        (moved(GOOD, b"archive/data/0", -10), "has no record 'archive/data/0' where its directory says"),
        (moved(GOOD, b"archive/data/0", 2**31), "is not a whole zip archive|where its directory says"),
        (moved(GOOD, b"archive/version", -(len(GOOD) // 4)), "where its directory says|is not a whole zip archive"),
        (sized(GOOD, b"archive/data/0", 2**32 - 2), "records that repeat or overlap"),
        (sized(GOOD, b"archive/data/0", 60), "records that repeat or overlap"),
        (sized(GOOD, b"archive/data/0", 8), "the storage '0' of 16 bytes, of which the file has 8"),
        (GOOD[:-30], "is not a whole zip archive"),
        (GOOD[:200], "is not a whole zip archive"),
        (b"PK\x03\x04", "is not a whole zip archive"),
        (b"PK\x03\x04" * 100, "is not a whole zip archive"),
        (GOOD.replace(bytes(16), bytes(15) + b"\1"), "record 'archive/data/0' that does not match its checksum; the file was changed"),
        (GOOD.replace(b"J\x04", b"J\x05", 1), "record 'archive/data.pkl' that does not match its checksum"),
    ],
)  # fmt: skip
def test_archives(tmp_path, data, text):
    import re

    assert re.search(text, refused(tmp_path / "f.pth", data))


@pytest.mark.parametrize(
    "data, text",
    [
        (MAGIC, "ends inside a pickle"),
        (P(b"}"), "is a pickle, but not one that torch.save wrote"),
        (P(b"\x88"), "is a pickle, but not one that torch.save wrote"),
        (MAGIC + P(i(1000)), "has an unknown version of PyTorch's format before 1.6"),
        (legacy(P(tensor(storage(more=b"N"))), P(b"]")), "does not list the storages that its tensors name"),
        (legacy(P(tensor(storage(more=b"N"))), P(b"](" + u("0") * 2 + b"e")), "does not list the storages"),
        (legacy(P(tensor(storage(more=b"N"))), P(b"N")), "does not list the storages"),
        (legacy(P(tensor(storage(more=b"N"))), P(b"](" + i(0) + b"e")), "a int where a name belongs"),
        (legacy(P(tensor(storage(more=b"N"))), memory=struct.pack("<q", 5) + bytes(20)), "has another size for the storage '0'"),
        (legacy(P(tensor(storage(more=b"N"))), memory=struct.pack("<q", -4) + bytes(16)), "has another size for the storage '0'"),
        (legacy(P(tensor(storage(more=b"N"))), memory=struct.pack("<q", 4) + bytes(15)), "ends inside a tensor; it was cut off"),
        (legacy(P(tensor(storage(count=i(2**30), more=b"N")))), "of 4294967296 bytes, more than the file has"),
        (legacy(P(tensor(storage(more=tup(u("v"), i(1), i(4)))))), "a storage outside the one it is part of"),
        (legacy(P(tensor(storage(more=tup(u("v"), i(-1), i(4)))))), "a storage outside the one it is part of"),
        (legacy(P(tensor(storage(more=i(3))))), "opcode b'Q' cannot be carried out"),
    ],
)  # fmt: skip
def test_the_older_format(tmp_path, data, text):
    assert text in refused(tmp_path / "f.pth", data)


def test_a_tar_of_the_oldest_format(tmp_path):
    """The shape of CVE-2025-32434: a tar archive, which PyTorch unpickled with full powers."""
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = P(call("os.system", u("touch pwned")))
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    refused(tmp_path / "f.pth", out.getvalue())


def test_part_of_a_storage(tmp_path):
    path = tmp_path / "f.pth"
    part = storage(more=tup(u("v"), i(1), i(2)))
    path.write_bytes(legacy(P(tensor(part, size=tup(i(2)))), memory=struct.pack("<q", 4) + struct.pack("<4f", 1, 2, 3, 4)))
    assert quietly(path).tolist() == [2, 3]


def test_another_byte_order(tmp_path):
    path = tmp_path / "f.pth"
    path.write_bytes(zipped(P(tensor()), {"byteorder": b"big", "data/0": struct.pack(">4f", 1, 2, 3, 4)}))
    assert quietly(path).tolist() == [1, 2, 3, 4]


def touched(value, seen):
    """Read all memory that a value looks at; see that it is of the plain kinds."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dv.Tensor):
        if value.numel() < 100_000:
            value.detach().numpy().tobytes()
    elif isinstance(value, dict):
        for pair in value.items():
            touched(pair, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            touched(inner, seen)
    else:
        plain = (bool, int, float, complex, str, bytes, bytearray, dv.dtype, dv.device, type(None), type(dv.strided))
        assert isinstance(value, plain), type(value)


def damaged(data, draw):
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 4)):
        at, n = draw.randrange(len(changed) or 1), draw.randrange(1, 12)
        match draw.randrange(6):
            case 0:
                del changed[at : at + n]
            case 1:
                changed[at:at] = draw.randbytes(n)
            case 2:
                changed[at : at + n] = draw.randbytes(n)
            case 3:
                start = draw.randrange(len(changed) or 1)
                changed[at : at + n] = changed[start : start + n]
            case 4:
                changed[at : at + 1] = draw.choice(
                    [b"(", b"R", b"c", b"t", b"\x85", b"}", b"]", b"s", b"u", b"e", b"a", b"b", b"\x81", b"Q", b"\x93", b"0"]
                )
            case 5:
                del changed[at:]
    return bytes(changed)


@pytest.mark.parametrize("cases", [200, pytest.param(20_000, marks=pytest.mark.soak)])
def test_random_damage(tmp_path, cases):
    path, draw = tmp_path / "f.pth", random.Random(cases)
    names = ["plain", "dtypes", "views", "checkpoint"]
    texts, counts = {}, {True: 0, False: 0}
    for name in names:
        with zipfile.ZipFile(FOLDER / f"{name}.pth") as archive:
            texts[name] = {entry.partition("/")[2]: archive.read(entry) for entry in archive.namelist()}
    for case in range(cases):
        name = draw.choice(names)
        if case % 3 == 0:  # the pickle, in an archive whose checksums are right
            records = {**texts[name], "data.pkl": damaged(texts[name]["data.pkl"], draw)}
            data = zipped(records["data.pkl"], records)
        else:
            data = damaged((FOLDER / f"{name}.{'pth' if case % 3 == 1 else 'legacy.pth'}").read_bytes(), draw)
        path.write_bytes(data)
        start = time.process_time()
        try:
            touched(quietly(path, map_location="cpu", mmap=case % 2 == 0 and data[:2] == b"PK"), set())
            counts[True] += 1
        except (FormatError, DeviceError) as error:
            assert isinstance(error, DeviceError) or str(path) in str(error)
            counts[False] += 1
        assert time.process_time() - start < 1.5
    note("S7", "mutated .pt files: plain values or a typed error, no call, no import", f"{cases} of {cases}", "20,000")
    assert counts[False] > cases // 2 and counts[True] > cases // 50
