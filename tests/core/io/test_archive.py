"""The extractor: what it unpacks, and sixty archives that it must refuse, of thirteen classes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from dovetail.errors import FormatError, UnsafeArchiveError
from dovetail.io import archive as extractor
from dovetail.io.archive import extract
from tests.support.figures import note

FILES = {"a/one.txt": b"one", "a/b/two.bin": bytes(range(256)) * 40, "three": b""}
PACKERS = {"": lambda data: data, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def tar(members=FILES, packer="", **about) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=about.pop("format", tarfile.PAX_FORMAT)) as file:
        for name, data in dict(members).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in about.items():
                setattr(info, field, value)
            file.addfile(info, io.BytesIO(data))
    return PACKERS[packer](out.getvalue())


def zipped(members=FILES, mode=0o644 | stat.S_IFREG, method=zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in dict(members).items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type, info.create_system = mode << 16, method, 3
            file.writestr(info, data)
    return out.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(folder: Path, data: bytes, name: str = "archive") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("data", [zipped(), zipped(method=zipfile.ZIP_STORED), *(tar(packer=packer) for packer in PACKERS)])
def test_archives_are_unpacked(tmp_path, data):
    target = tmp_path / "deep" / "down"
    assert extract(write(tmp_path, data), target) == target
    assert tree(target) == FILES
    assert sorted(os.listdir(target.parent)) == ["down"], "nothing is left beside it"


@pytest.mark.parametrize("packer", [".gz", ".bz2", ".xz"])
def test_a_single_compressed_file_becomes_a_file(tmp_path, packer):
    data = bytes(2000) + b"idx"  # begins as an empty tar would
    assert extract(write(tmp_path, PACKERS[packer](data), f"images{packer}"), tmp_path / "images").read_bytes() == data


def test_old_and_new_forms_of_tar(tmp_path):
    long = {"d/" * 60 + "x" * 120: b"long name", "./plain": b"1"}
    for number, form in enumerate((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        extract(write(tmp_path, tar(long, format=form)), tmp_path / f"t{number}")
        assert len(tree(tmp_path / f"t{number}")) == 2
    assert tree(extract(write(tmp_path, tar({}, ".gz"), "empty.tar.gz"), tmp_path / "none")) == {}


def test_a_target_that_is_there_is_added_to(tmp_path):
    target = tmp_path / "root"
    (target / "a").mkdir(parents=True)
    (target / "a" / "one.txt").write_text("old")
    (target / "mine").write_text("kept")
    extract(write(tmp_path, tar()), target)
    assert tree(target) == {**FILES, "mine": b"kept"}


def test_modes_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        target = extract(write(tmp_path, tar(mode=0o777)), tmp_path / "t")
    finally:
        os.umask(old)
    assert stat.S_IMODE((target / "three").stat().st_mode) == 0o640


def many(count: int) -> dict[str, bytes]:
    return {f"f{i}": b"" for i in range(count)}


def set_sizes(data: bytes, size: int) -> bytes:
    """A tar whose first header claims another size."""
    head = bytearray(data[:512])
    head[124:136] = b"%011o\0" % size
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + data[512:]


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def both(name: str) -> list[bytes]:
    """A hostile name in every kind of archive."""
    return [tar({name: b"x"}), tar({name: b"x"}, ".gz"), tar({"ok": b"1", name: b"x"}, ".xz"), zipped({"ok": b"1", name: b"x"})]


def links(kind: bytes, **about) -> list[bytes]:
    return [tar({"a/link": b""}, packer, type=kind, **about) for packer in ("", ".gz")]


def zero_in_name() -> bytes:
    return zipped({"a_b.txt": b"x"}).replace(b"a_b.txt", b"a\0b.txt")


def encrypted() -> bytes:
    data = bytearray(zipped({"a": b"secret"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


LINK = stat.S_IFLNK | 0o777
BIG = {"zeros": bytes(3_000_000)}
HOSTILE: dict[str, list[bytes]] = {
    "parent": both("../evil") + both("a/../../evil") + both("a/.."),
    "absolute": both("/tmp/evil") + both("//host/share/evil"),
    "other systems": both("C:/evil") + both("..\\evil") + both("\\\\host\\evil"),
    "control characters": both("a\nb") + [zero_in_name()],
    "symbolic link": [*links(tarfile.SYMTYPE, linkname="/etc"), *links(tarfile.SYMTYPE, linkname="../.."), zipped({"l": b"/etc"}, LINK)],
    "hard link": links(tarfile.LNKTYPE, linkname="/etc/passwd"),
    "device": [*links(tarfile.CHRTYPE), *links(tarfile.BLKTYPE), zipped({"d": b""}, stat.S_IFCHR | 0o666)],
    "FIFO": [*links(tarfile.FIFOTYPE), zipped({"d": b""}, stat.S_IFIFO | 0o666)],
    "set-uid": [tar(mode=0o4755), tar(packer=".gz", mode=0o2755), zipped(mode=stat.S_IFREG | 0o4755)],
    "too much": [tar(BIG, ".gz"), tar(BIG, ".bz2"), tar(BIG, ".xz"), zipped(BIG), gzip.compress(bytes(3_000_000)), tar(many(9000), ".xz")],
    "large header": [gzip.compress(set_sizes(tar({"x": bytes(100)}, type=kind), 1 << 33)) for kind in (tarfile.XHDTYPE, b"L")],
    "twice": [tar([("a", b"1")]) [:1024] + tar({"a": b"2"}), tar({"a": b"1", "./a": b"2"}), zipped({"a": b"1", "./a": b"2"})],
    "file as folder": [tar({"a": b"1", "a/b": b"2"}), tar({"a/b": b"1", "a": b"2"}, ".gz"), zipped({"a": b"1", "a/b": b"2"})],
    "damaged": [
        tar()[:5000], tar()[:1536], tar()[:512], tar(packer=".gz")[:-9], tar(packer=".xz")[:-30], tar(packer=".bz2")[:-20], zipped()[:-40],
        flipped(tar(packer=".gz"), -6), flipped(tar(), 1024 + 148), zipped(method=zipfile.ZIP_STORED).replace(b"one", b"two", 3)
        .replace(b"a/two", b"a/one"), b"", b"PK\x03\x04", b"\x1f\x8b", b"plain text", bytes(4000), encrypted(), set_sizes(tar(), 1 << 20),
    ],
}  # fmt: skip
CASES = [(kind, number) for kind, cases in HOSTILE.items() for number in range(len(cases))]
assert len(CASES) >= 60 and len(HOSTILE) >= 13


@pytest.mark.figures
@pytest.mark.parametrize("kind, number", CASES)
def test_hostile_archives_leave_nothing(tmp_path, monkeypatch, kind, number):
    monkeypatch.setattr(extractor, "FREE", 1_000_000)
    outside = tmp_path / "box"
    outside.mkdir()
    source = write(tmp_path, HOSTILE[kind][number])
    error = FormatError if kind in ("damaged", "file as folder") else UnsafeArchiveError
    with pytest.raises(error) as caught:
        extract(source, outside / "in" / "target")
    assert str(source) in str(caught.value)
    assert not tree(outside) and [path for path in outside.rglob("*")] in ([], [outside / "in"])
    assert not Path("/tmp/evil").exists() and len(os.listdir(tmp_path)) == 2
    note("S4", f"{kind} {number}", "refused, nothing outside, nothing left", "60 archives of 13 classes")


def test_what_is_refused_is_said(tmp_path):
    for data, text in (
        (tar({"../evil": b""}), "'../evil' is a name outside the target, or none; nothing of it was unpacked"),
        (links(tarfile.SYMTYPE, linkname="x")[0], "'a/link' is a symbolic link"),
        (b"text", "at byte 0: is no zip, tar or compressed file"),
        (tar()[:5000], "is it cut short or damaged"),
    ):
        with pytest.raises(FormatError) as caught:
            extract(write(tmp_path, data), tmp_path / "t")
        assert text in str(caught.value)


def test_the_declared_size_is_the_bound(tmp_path):
    source = write(tmp_path, tar({"a": bytes(10_000)}, ".gz"))
    with pytest.raises(UnsafeArchiveError, match="unpacks to more than 9,975 bytes"):
        extract(source, tmp_path / "t", size=9_500)
    assert len(tree(extract(source, tmp_path / "t", size=30_000))["a"]) == 10_000


def test_no_link_inside_the_target_is_followed(tmp_path):
    target, other = tmp_path / "target", tmp_path / "other"
    target.mkdir(), other.mkdir()
    (target / "a").symlink_to(other)
    with pytest.raises(UnsafeArchiveError, match="is there and is something else"):
        extract(write(tmp_path, tar()), target)
    assert not tree(other) and sorted(os.listdir(target)) == ["a"]


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    class Full(io.BytesIO):
        name = "out"

        def write(self, data):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        extractor._pour(io.BytesIO(b"x"), Full(), extractor._Budget(tmp_path, 9))
    assert not isinstance(caught.value, FormatError)


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Bits flipped, bytes set, blocks moved, cut short; the checksums of tar headers are mended in half of the cases."""
    out = bytearray(data)
    for _ in range(draw.randint(1, 6)):
        at, kind = draw.randrange(len(out)), draw.randrange(4)
        if kind == 0:
            out[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            out[at : at + 4] = draw.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"../a", b"7777"])
        elif kind == 2:
            other = draw.randrange(len(out))
            out[at : at + 64], out[other : other + 64] = out[other : other + 64], out[at : at + 64]
        elif draw.random() < 0.3:
            del out[max(at, 1) :]
    if data[257:262] == b"ustar" and draw.random() < 0.5:
        for start in range(0, len(out) - 511, 512):
            if out[start + 257 : start + 262] == b"ustar":
                out[start + 148 : start + 156] = b" " * 8
                out[start + 148 : start + 156] = b"%06o\0 " % sum(out[start : start + 512])
    return bytes(out)


def try_mutations(folder: Path, count: int, seed: int) -> None:
    """Each is unpacked or refused with a FormatError; nothing is ever outside, and nothing is left after a refusal."""
    draw = random.Random(seed)
    long = {**FILES, "d" * 90 + "/" + "x" * 120: b"long", "wörter/ä": b"7"}
    whole = [zipped(long), zipped(long, method=zipfile.ZIP_STORED)]
    whole += [tar(long, packer, format=form) for packer in PACKERS for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    refused = 0
    for _ in range(count):
        source, target = write(folder, mutated(draw.choice(whole), draw)), folder / "t"
        try:
            extract(source, target)
        except FormatError:
            refused += 1
            assert not target.exists()
        else:
            assert not any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in target.rglob("*"))
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        assert os.listdir(folder) == ["archive"]
    note("S4", "mutated archives unpacked inside the target or refused by a FormatError", f"{count} of {count}", "all")
    assert count * 0.3 < refused < count


def test_mutations(tmp_path, monkeypatch):
    monkeypatch.setattr(extractor.os, "sync", lambda: None)
    try_mutations(tmp_path, 300, 0)


@pytest.mark.soak
def test_twenty_thousand_mutations(tmp_path, monkeypatch):
    monkeypatch.setattr(extractor.os, "sync", lambda: None)
    try_mutations(tmp_path, 20_000, 1)
