"""Datasets that fetch and unpack their archives, as their publishers pack them; and hostile archives in their place (S4)."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from dovetail.errors import FormatError, ValueRangeError
from dovetail.io import archive as extractor
from dovetail_vision import datasets
from dovetail_vision.datasets import _fetch, caltech, celeba, inaturalist, pcam, places365, tiny, utils, voc, widerface
from tests.core.io import test_archive as hostile
from tests.support.figures import note


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(extractor.os, "sync", lambda: None)


def packed(source: Path, names: list[str], archive: Path, inside: str = "") -> str:
    """Pack folders or files below ``source`` into an archive, and return its address."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    files = [path for name in names for path in ([source / name] if (source / name).is_file() else sorted((source / name).rglob("*.*")))]
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in files:
                file.write(path, os.path.join(inside, path.relative_to(source)))
    else:
        with tarfile.open(archive, "w:gz" if archive.suffix in (".gz", ".tgz") else "w") as file:
            for path in files:
                file.add(path, os.path.join(inside, path.relative_to(source)), recursive=False)
    return archive.as_uri()


@pytest.fixture
def made(tmp_path):
    def make(write: str) -> Path:
        folder = tmp_path / "made"
        folder.mkdir()
        getattr(tiny, write)(folder)
        return folder

    return make


#: Class, maker, the folder of the archive's contents below the root and what of it is packed, where the address and the MD5 stand.
PLAIN = [
    ("DTD", "dtd", "dtd", ["dtd"], "dtd.tar.gz", {}),
    ("EuroSAT", "eurosat", "eurosat", ["2750"], "EuroSAT.zip", {}),
    ("Food101", "food101", "", ["food-101"], "food-101.tar.gz", {}),
    ("Country211", "country211", "", ["country211"], "country211.tgz", {}),
    ("RenderedSST2", "rendered_sst2", "", ["rendered-sst2"], "rendered-sst2.tgz", {"split": "val"}),
    ("CLEVRClassification", "clevr", "clevr", ["CLEVR_v1.0"], "CLEVR_v1.0.zip", {}),
    ("FGVCAircraft", "fgvc_aircraft", "", ["fgvc-aircraft-2013b"], "fgvc-aircraft-2013b.tar.gz", {}),
]


@pytest.mark.parametrize("name, write, below, parts, archive, options", PLAIN, ids=[case[0] for case in PLAIN])
def test_one_archive(tmp_path, monkeypatch, made, name, write, below, parts, archive, options):
    kind = getattr(datasets, name)
    url = packed(made(write) / below, parts, tmp_path / "served" / archive)
    monkeypatch.setattr(kind, "_URL", url)
    if hasattr(kind, "_MD5"):
        monkeypatch.setattr(kind, "_MD5", utils.calculate_md5(tmp_path / "served" / archive))
    found = kind(tmp_path / "new", download=True, **options)
    assert len(found) > 0 and found[0] is not None
    (tmp_path / "served" / archive).unlink()
    assert len(kind(tmp_path / "new", download=True, **options)) == len(found)  # what is there is not fetched again
    with pytest.raises(FormatError, match="no mirror could give it: file://"):
        kind(tmp_path / "other", download=True, **options)


def test_another_md5_is_refused(tmp_path, monkeypatch, made):
    monkeypatch.setattr(datasets.DTD, "_URL", packed(made("dtd") / "dtd", ["dtd"], tmp_path / "served" / "dtd.tar.gz"))
    with pytest.raises(FormatError, match=r"dtd.tar.gz sends is not the file expected: MD5 is [0-9a-f]{32}; expected fff73e50"):
        datasets.DTD(tmp_path / "new", download=True)
    assert not list((tmp_path / "new").rglob("*.jpg"))


def test_voc_and_sbd(tmp_path, monkeypatch, made):
    source = made("voc")
    url = packed(source, ["VOCdevkit/VOC2012"], tmp_path / "VOCtrainval_11-May-2012.tar")
    about = {**voc.DATASET_YEAR_DICT["2012"], "url": url, "md5": utils.calculate_md5(tmp_path / "VOCtrainval_11-May-2012.tar")}
    monkeypatch.setitem(voc.DATASET_YEAR_DICT, "2012", about)
    assert len(datasets.VOCDetection(tmp_path / "new", download=True)) == 2
    tiny.sbd(tmp_path / "new")
    base = tmp_path / "new"
    (base / "inst").mkdir()
    (base / "inst" / "a.mat").write_bytes(b"")
    names = ["cls", "img", "inst", "train.txt", "val.txt"]
    monkeypatch.setattr(datasets.SBDataset, "url", packed(base, names, tmp_path / "benchmark.tgz", "benchmark_RELEASE/dataset"))
    monkeypatch.setattr(datasets.SBDataset, "md5", utils.calculate_md5(tmp_path / "benchmark.tgz"))
    assert len(datasets.SBDataset(tmp_path / "sbd", download=True)) == 2
    assert len(datasets.SBDataset(tmp_path / "sbd", download=True, split="val")) == 1


def test_archives_of_archives_and_renamed_folders(tmp_path, monkeypatch, made):
    tiny_root = made("caltech101")
    inner = tmp_path / "packed" / "caltech-101"
    packed(tiny_root / "caltech101", ["101_ObjectCategories"], inner / "101_ObjectCategories.tar.gz")
    packed(tiny_root / "caltech101", ["Annotations"], inner / "Annotations.tar")
    url = packed(tmp_path / "packed", ["caltech-101"], tmp_path / "caltech-101.zip")
    real = _fetch.fetch_and_extract
    monkeypatch.setattr(caltech, "fetch_and_extract", lambda urls, folder, md5: real([url], folder))
    assert len(datasets.Caltech101(tmp_path / "new", ["category", "annotation"], download=True)) == 3
    assert sorted(os.listdir(tmp_path / "new" / "caltech101")) == ["101_ObjectCategories", "Annotations"]
    tiny.inaturalist(tmp_path / "species")
    (tmp_path / "species" / "2021_train").rename(tmp_path / "species" / "train")
    url = packed(tmp_path / "species", ["train"], tmp_path / "train.tar.gz")
    monkeypatch.setitem(inaturalist.DATASET_URLS, "2021_train", url)
    monkeypatch.setitem(inaturalist.DATASET_MD5, "2021_train", utils.calculate_md5(tmp_path / "train.tar.gz"))
    assert len(datasets.INaturalist(tmp_path / "new", download=True)) == 4


def test_places_and_their_lists(tmp_path, monkeypatch, made):
    source = made("places365")
    (source / "data_256_standard").rename(source / "data_256")
    kind = places365.Places365
    packed(source, ["data_256"], tmp_path / "served" / "train.tar")
    lists = ["categories_places365.txt", "places365_train_standard.txt", "places365_val.txt", "places365_test.txt"]
    packed(source, lists, tmp_path / "served" / "lists.tar")
    monkeypatch.setattr(kind, "_BASE_URL", (tmp_path / "served").as_uri() + "/")
    md5 = {name: utils.calculate_md5(tmp_path / "served" / name) for name in ("train.tar", "lists.tar")}
    monkeypatch.setitem(kind._IMAGES_META, ("train-standard", True), ("train.tar", md5["train.tar"]))
    monkeypatch.setitem(kind._DEVKIT_META, "standard", ("lists.tar", md5["lists.tar"]))
    monkeypatch.setattr(kind, "_CATEGORIES_META", (lists[0], utils.calculate_md5(source / lists[0])))
    monkeypatch.setitem(kind._FILE_LIST_META, "train-standard", (lists[1], utils.calculate_md5(source / lists[1])))
    assert kind(tmp_path / "new", small=True, download=True)[1][1] == 1 and len(kind(tmp_path / "new", small=True)) == 2


def test_files_of_google_drive(tmp_path, monkeypatch, made):
    source = made("celeba")
    served = tmp_path / "served"
    packed(source / "celeba", ["img_align_celeba"], served / "img_align_celeba.zip")
    listed = []
    for _, _, name in celeba.CelebA.file_list:
        if name.endswith(".txt"):
            (served / name).write_bytes((source / "celeba" / name).read_bytes())
        listed.append((name, utils.calculate_md5(served / name), name))
    monkeypatch.setattr(celeba.CelebA, "file_list", listed)
    for module in (celeba, pcam, widerface, utils):
        monkeypatch.setattr(module, "drive", lambda name: (served / name).as_uri())
    assert len(celeba.CelebA(tmp_path / "new", download=True)) == 2
    tiny.pcam(tmp_path)
    about = {}
    for kind, letter in (("images", "x"), ("targets", "y")):
        name = f"camelyonpatch_level_2_split_train_{letter}.h5"
        (served / name).write_bytes(gzip.compress((tmp_path / "pcam" / name).read_bytes()))
        about[kind] = (name, name, utils.calculate_md5(served / name))
    monkeypatch.setitem(pcam.PCAM._FILES, "train", about)
    assert len(pcam.PCAM(tmp_path / "new", download=True)) == 3
    tiny.widerface(tmp_path)
    files = []
    for part in ("train", "val", "test"):
        packed(tmp_path / "widerface", [f"WIDER_{part}"], served / f"WIDER_{part}.zip")
        files.append((f"WIDER_{part}.zip", utils.calculate_md5(served / f"WIDER_{part}.zip"), f"WIDER_{part}.zip"))
    boxes = packed(tmp_path / "widerface", ["wider_face_split"], served / "wider_face_split.zip")
    monkeypatch.setattr(widerface.WIDERFace, "FILE_LIST", files)
    monkeypatch.setattr(widerface.WIDERFace, "ANNOTATIONS_FILE", (boxes, utils.calculate_md5(served / "wider_face_split.zip"), "x.zip"))
    assert len(widerface.WIDERFace(tmp_path / "new", download=True)) == 2
    utils.download_file_from_google_drive("WIDER_val.zip", tmp_path / "plain")
    assert (tmp_path / "plain" / "WIDER_val.zip").is_file()


def test_imagenet_is_unpacked_once_and_wholly(tmp_path, monkeypatch):
    tiny.imagenet(tmp_path)
    first = datasets.ImageNet(tmp_path, verify=False)
    assert len(first) == 3 and first.class_to_idx["Tinca tinca"] == 0 and (tmp_path / "meta.json").is_file()
    (tmp_path / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    (tmp_path / "val.partial" / "left").mkdir(parents=True)  # what a stop in between leaves
    assert len(datasets.ImageNet(tmp_path, "val", verify=False)) == 3
    assert sorted(os.listdir(tmp_path / "val")) == ["n01440764", "n01443537"]
    with pytest.raises(FormatError, match=r"devkit_t12.tar.gz: Dataset not found.*image-net.org/download.php, which asks for an account"):
        datasets.ImageNet(tmp_path / "other")
    tiny.imagenet(tmp_path / "train")
    with pytest.raises(FormatError, match=r"ILSVRC2012_devkit_t12.tar.gz: MD5 is .*; expected fa75699e.*; verify=False takes it as it is"):
        datasets.ImageNet(tmp_path / "train")


def test_meta_files_of_torchvision_are_read(tmp_path):
    import dovetail

    tiny.imagenet(tmp_path)
    whole = datasets.ImageNet(tmp_path, verify=False)
    dovetail.save(({"n01440764": ("tench", "Tinca tinca"), "n01443537": ("goldfish",)}, ["n01440764"]), tmp_path / "meta.bin")
    (tmp_path / "meta.json").unlink()
    assert datasets.ImageNet(tmp_path, verify=False).classes == whole.classes
    (tmp_path / "meta.bin").write_bytes(b"no such file")
    with pytest.raises(FormatError, match="meta.bin"):
        datasets.ImageNet(tmp_path, verify=False)


def test_kinetics_puts_videos_into_folders(tmp_path, monkeypatch):
    pytest.importorskip("av")
    tiny.kinetics(tmp_path)
    served = tmp_path / "served"
    for number, name in enumerate(("abseiling/a_000000_000010.mp4", "zumba/b_000000_000010.mp4")):
        packed((tmp_path / "val" / name.replace("mp4", "avi")).parent, [Path(name).stem + ".avi"], served / f"part_{number}.tar.gz")
    (served / "val_path.txt").write_text("".join(f"{(served / f'part_{number}.tar.gz').as_uri()}\n" for number in range(2)))
    rows = ("label,youtube_id,time_start,time_end,split", "abseiling (high),a,0,10,val", "zumba,b,0,10,val")
    (served / "val.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.setitem(datasets.Kinetics._TAR_URLS, "400", (served / "{split}_path.txt").as_uri().replace("%7B", "{").replace("%7D", "}"))
    monkeypatch.setitem(
        datasets.Kinetics._ANNOTATION_URLS, "400", (served / "{split}.csv").as_uri().replace("%7B", "{").replace("%7D", "}")
    )
    monkeypatch.setattr(datasets.kinetics, "_NAME", "{youtube_id}_{start:06}_{end:06}.avi")
    clips = datasets.Kinetics(tmp_path / "new", 4, split="val", step_between_clips=2, download=True, num_download_workers=2)
    assert clips.classes == ["abseiling_high", "zumba"] and len(clips.samples) == 2
    (served / "val.csv").write_text("label,youtube_id,time_start,time_end\n../up,a,0,10\n")
    (tmp_path / "new/annotations/val.csv").unlink()
    with pytest.raises(FormatError, match="val.csv: is not a table with label, youtube_id.*a label is '../up'"):
        datasets.Kinetics(tmp_path / "new", 4, split="val", download=True)


def test_middlebury_scenes_and_omniglot(tmp_path, monkeypatch, made):
    source, stereo = made("middlebury_stereo") / "Middlebury2014", datasets._stereo_matching
    served = tmp_path / "served"
    for end in ("perfect", "imperfect"):
        packed(source / "train", [f"Adirondack-{end}"], served / "data/scenes2014/zip" / f"Adirondack-{end}.zip")
    packed(source / "test", ["Plants"], served / "submit3/zip/MiddEval3-data-F.zip", "MiddEval3/testF")
    monkeypatch.setattr(stereo, "_MIDDLEBURY", served.as_uri() + "/")
    monkeypatch.setattr(datasets.Middlebury2014Stereo, "splits", {"train": ["Adirondack"], "test": ["Plants"], "additional": []})
    for _ in range(2):
        assert len(datasets.Middlebury2014Stereo(tmp_path / "new", calibration="both", download=True)) == 2
        assert len(datasets.Middlebury2014Stereo(tmp_path / "new", "test", None, download=True)) == 1
    assert sorted(os.listdir(tmp_path / "new/Middlebury2014")) == ["test", "train"]
    tiny.omniglot(tmp_path)
    packed(tmp_path / "omniglot-py", ["images_evaluation"], served / "images_evaluation.zip")
    monkeypatch.setattr(datasets.Omniglot, "download_url_prefix", served.as_uri())
    monkeypatch.setitem(datasets.Omniglot.zips_md5, "images_evaluation", utils.calculate_md5(served / "images_evaluation.zip"))
    assert len(datasets.Omniglot(tmp_path / "other", background=False, download=True)) == 1


@pytest.mark.figures
def test_sixty_hostile_archives_in_the_place_of_a_dataset(tmp_path, monkeypatch):
    """Each is refused by a FormatError that names it; nothing is outside the root, and nothing of it is left inside."""
    monkeypatch.setattr(extractor, "FREE", 1_000_000)
    served = tmp_path / "served.gz"
    monkeypatch.setattr(datasets.DTD, "_URL", served.as_uri())
    root = tmp_path / "box" / "root"
    for kind, number in hostile.CASES:
        served.write_bytes(hostile.HOSTILE[kind][number])
        monkeypatch.setattr(datasets.DTD, "_MD5", utils.calculate_md5(served))
        with pytest.raises(FormatError, match="served.gz"):
            datasets.DTD(root, download=True)
        left = [path for path in (tmp_path / "box").rglob("*") if not path.is_dir()]
        assert left == [root / "dtd" / "served.gz"], f"{kind} {number}"
        left[0].unlink()
    assert not Path("/tmp/evil").exists()
    note("S4", "hostile archives refused in the place of a dataset's", f"{len(hostile.CASES)} of {len(hostile.CASES)}", "60 of 60")


def test_small_things_of_utils(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("c.png", "a.png", "d.txt"):
        (tmp_path / name).write_bytes(b"")
    assert utils.list_dir(tmp_path) == ["b"] and utils.list_dir(tmp_path, prefix=True) == [str(tmp_path / "b")]
    assert utils.list_files(tmp_path, ".png") == ["a.png", "c.png"] and len(utils.list_files(tmp_path, (".png", ".txt"), True)) == 3
    assert utils.verify_str_arg("a") == utils.verify_str_arg("a", "x", ("a", "b")) == "a"
    for arguments, text in (
        (("c", "x", ("a", "b")), r"Unknown value 'c' for argument x. Valid values are \{'a', 'b'\}."),
        ((3, "x"), "Expected type str for argument x, but got type <class 'int'>."),
        ((3,), "Expected type str, but got type <class 'int'>."),
        (("c", "x", ("a",), "mine"), "^mine$"),
    ):
        with pytest.raises(ValueRangeError, match=text):
            utils.verify_str_arg(*arguments)
