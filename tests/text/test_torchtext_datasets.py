"""torchtext's data sets from files in their original formats, packed and unpacked, from the hub's rows, and what damaged ones say."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import io
import json
import lzma
import shutil
import tarfile
import zipfile

import pytest

pytest.importorskip("tokenizers")

import dovetail as dv
from dovetail.errors import FormatError, RangeError, TypeMismatch, UnsafeArchiveError, ValueRangeError
from dovetail.utils.data import DataLoader
from dovetail_text import datasets
from dovetail_text.errors import HubError

CSV = '"3","Wall St.","Bears ""claw"" back, again"\n"4","Two\nlines",""\n'
SQUAD = {"data": [{"paragraphs": [{"context": "It fits.", "qas": [
    {"question": "What fits?", "answers": [{"text": "It", "answer_start": 0}]}, {"question": "Why?", "answers": []}]}]}]}  # fmt: skip
GLUE = 'index\tsentence1\tsentence2\tlabel\n0\tA "b\tc\tentailment\n1\td\te\tnot_entailment\n'
MNLI = "gold_label\t1\t2\t3\t4\ts1\ts2\nneutral\t\t\t\t\tA\tB\n-\t\t\t\t\tC\tD\n"

# name, split, the files that the test writes, the first sample, how many
CASES = [
    ("AG_NEWS", "train", {"train.csv": CSV}, (3, 'Wall St. Bears "claw" back, again'), 2),
    ("DBpedia", "test", {"dbpedia_csv/test.csv": CSV}, (3, 'Wall St. Bears "claw" back, again'), 2),
    ("IMDB", "test", {"aclImdb/test/neg/1_2.txt": "bad", "aclImdb/test/pos/0_9.txt": "good"}, (1, "bad"), 2),
    ("SST2", "dev", {"SST-2/dev.tsv": "sentence\tlabel\nit fits \t1\n"}, ("it fits", 1), 1),
    ("SST2", "test", {"SST-2/test.tsv": "index\tsentence\n0\tit fits\n"}, ("it fits",), 1),
    ("CoLA", "train", {"cola_public/raw/in_domain_train.tsv": "h\nbc01\t0\t*\tThey it.\ngj04\t1\t\tIt is.\n"}, ("bc01", 0, "They it."), 2),
    ("MNLI", "dev_matched", {"multinli_1.0/multinli_1.0_dev_matched.txt": MNLI}, (1, "A", "B"), 1),
    ("MRPC", "train", {"msr_paraphrase_train.txt": '\ufeffQ\t#1\t#2\ts\ts\n1\t7\t8\t"A\tB\n'}, (1, '"A', "B"), 1),
    ("QNLI", "train", {"QNLI/train.tsv": GLUE}, (1, 'A "b', "c"), 2),
    ("RTE", "dev", {"RTE/dev.tsv": GLUE}, (0, 'A "b', "c"), 2),
    ("WNLI", "test", {"WNLI/test.tsv": "index\ts\ts\n0\tA\tB\n"}, ("A", "B"), 1),
    ("STSB", "dev", {"stsbenchmark/sts-dev.csv": "main\tms\t2012\t0001\t5.000\tA\tB\n"}, (1, 5.0, "A", "B"), 1),
    ("QQP", None, {"quora_duplicate_questions.tsv": 'id\t1\t2\tq\tq\td\n0\t1\t2\t"A?"\tB?\t1\n'}, (1, "A?", "B?"), 1),
    ("WikiText2", "valid", {"wikitext-2/wiki.valid.tokens": " \n = It = \n"}, " \n", 2),
    ("PennTreebank", "train", {"ptb.train.txt": " aer banknote \n it fits \n"}, "aer banknote", 2),
    ("EnWik9", None, {"enwik9": "<xml>\n<a/>\n"}, "<xml>", 2),
    ("SQuAD1", "dev", {"dev-v1.1.json": json.dumps(SQUAD)}, ("It fits.", "What fits?", ["It"], [0]), 2),
    ("SQuAD2", "train", {"train-v2.0.json": json.dumps(SQUAD)}, ("It fits.", "What fits?", ["It"], [0]), 2),
    ("UDPOS", "valid", {"en-ud-v2/en-ud-tag.v2.dev.txt": "It\tPRON\tPRP\nfits\tVERB\tVBZ\n\nWell\tADV\tRB\n"},
     [["It", "fits"], ["PRON", "VERB"], ["PRP", "VBZ"]], 2),
    ("CoNLL2000Chunking", "test", {"test.txt": "It PRP B-NP\nfits VBZ B-VP\n\n"}, [["It", "fits"], ["PRP", "VBZ"], ["B-NP", "B-VP"]], 1),
    ("Multi30k", "valid", {"val.de": "Zwei\nDrei\n", "val.en": "Two\nThree\n"}, ("Zwei", "Two"), 2),
    ("CC100", None, {"en.txt": "One\n\nTwo\n"}, ("en", "One"), 3),
]  # fmt: skip


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("name", "split", "files", "first", "count"), CASES)
def test_the_original_files(name, split, files, first, count, tmp_path):
    write(tmp_path / name, files)
    for root in (tmp_path, tmp_path / name):  # torchtext's place, and the folder itself
        found = getattr(datasets, name)(root, **({} if split is None else {"split": split}))
        assert found[0] == first and type(found[0]) is type(first) and len(found) == count and next(iter(found)) == first
        assert found[-count] == found[0] and len(list(found)) == count
    with pytest.raises(RangeError, match=f"index is {count}"):
        found[count]


def pack(path, files, folder=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(text.encode())
            archive.addfile(about, io.BytesIO(text.encode()))


@pytest.mark.parametrize(
    ("archive", "name"),
    [("dbpedia_csv.tar.gz", "DBpedia"), ("aclImdb_v1.tar.gz", "IMDB"), ("SST-2.zip", "SST2"), ("cola_public_1.1.zip", "CoLA"),
     ("QNLIv2.zip", "QNLI"), ("Stsbenchmark.tar.gz", "STSB"), ("wikitext-2-v1.zip", "WikiText2"), ("enwik9.zip", "EnWik9"),
     ("en-ud-v2.zip", "UDPOS"), ("validation.tar.gz", "Multi30k")],
)  # fmt: skip
def test_packed_as_published(archive, name, tmp_path):
    name, split, files, first, count = next(case for case in CASES if case[0] == name)
    pack(tmp_path / "datasets" / name / archive, files)
    options = {} if split is None else {"split": split}
    found = getattr(datasets, name)(tmp_path, **options)
    assert found[0] == first and len(found) == count
    (tmp_path / "datasets" / name / archive).unlink()
    (tmp_path / "datasets" / name / archive).write_bytes(b"is not read again")
    assert getattr(datasets, name)(tmp_path, **options)[0] == first


def test_single_files_that_are_compressed(tmp_path):
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(b"It PRP B-NP\n"))
    (tmp_path / "de.txt.xz").write_bytes(lzma.compress("Grüße\n".encode()))
    assert datasets.CoNLL2000Chunking(tmp_path, "train")[0] == [["It"], ["PRP"], ["B-NP"]]
    assert list(datasets.CC100(tmp_path, "de")) == [("de", "Grüße")]


def test_several_splits_and_a_loader(tmp_path):
    write(tmp_path, {"train.csv": CSV, "test.csv": CSV})
    train, test = datasets.AG_NEWS(root=tmp_path)
    assert len(train) == len(test) == 2 and repr(test) == "AG_NEWS('test'): 2 samples"
    assert len(datasets.AG_NEWS(tmp_path, ("test",))) == 1
    labels, texts = next(iter(DataLoader(train, 2)))
    assert labels.tolist() == [3, 4] and texts[1] == "Two\nlines "
    assert datasets.SQuAD2(root=_squad(tmp_path), split="train")[1] == ("It fits.", "Why?", [""], [-1])


def _squad(folder):
    write(folder, {"train-v2.0.json": json.dumps(SQUAD)})
    return folder


def test_signatures_are_those_of_torchtext():
    two, three = ("train", "test"), ("train", "dev", "test")
    splits = {"AG_NEWS": two, "IMDB": two, "MNLI": ("train", "dev_matched", "dev_mismatched"), "SST2": three, "SQuAD1": ("train", "dev")}
    for name, default in splits.items():
        parameters = inspect.signature(getattr(datasets, name)).parameters
        assert list(parameters) == ["root", "split"] and parameters["split"].default == default
    assert list(inspect.signature(datasets.Multi30k).parameters) == ["root", "split", "language_pair"]
    assert list(inspect.signature(datasets.QQP).parameters) == list(inspect.signature(datasets.EnWik9).parameters) == ["root"]


@pytest.mark.parametrize(
    ("name", "split", "files", "said"),
    [
        ("AG_NEWS", "train", {"train.csv": '"3","a"\nno number,b\n'}, "train.csv: row 2 .near line 2. is not as expected"),
        ("AG_NEWS", "train", {"train.csv": "3\n"}, "row 1"),
        ("QNLI", "dev", {"QNLI/dev.tsv": "h\n0\ta\tb\tperhaps\n"}, "perhaps"),
        ("IMDB", "train", {"aclImdb/train/neg/0_1.txt": "a"}, "no review in its folder pos"),
        ("SQuAD1", "dev", {"dev-v1.1.json": '{"data": [{}]}'}, "not SQuAD's JSON"),
        ("SQuAD1", "dev", {"dev-v1.1.json": "[" * 100_000}, "not SQuAD's JSON"),
        ("UDPOS", "train", {"en-ud-tag.v2.train.txt": "It\tPRON\nfits\n"}, "line 2 has 1 columns; expected 2"),
        ("Multi30k", "test", {"test.de": "Eins\n", "test.en": "One\nTwo\n"}, "it has 2 lines and test.de 1"),
    ],
)
def test_damaged_files(name, split, files, said, tmp_path):
    write(tmp_path, files)
    with pytest.raises(FormatError, match=said):
        getattr(datasets, name)(tmp_path, split=split)


def test_damaged_and_hostile_archives(tmp_path):
    (tmp_path / "SST-2.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(FormatError, match="SST-2.zip"):
        datasets.SST2(tmp_path, "dev")
    pack(tmp_path / "RTE.zip", {"../../train.tsv": GLUE})
    with pytest.raises(UnsafeArchiveError):
        datasets.RTE(tmp_path, "train")
    pack(tmp_path / "WNLI.zip", {"other.txt": ""})
    with pytest.raises(FormatError, match="has no WNLI/train.tsv in it"):
        datasets.WNLI(tmp_path, "train")
    (tmp_path / "ptb.test.txt").write_bytes(b" caf\xe9 \n")
    with pytest.raises(FormatError, match="ptb.test.txt at byte 4: it is not UTF-8"):
        datasets.PennTreebank(tmp_path, "test")


def test_what_is_not_there(tmp_path):
    with pytest.raises(HubError, match=r"ptb.train.txt is in none of .*download it .* and give its folder as root"):
        datasets.PennTreebank(tmp_path, "train")
    with pytest.raises((HubError, ImportError), match="SST-2.zip is in none of .* the hub has not answered"):
        datasets.SST2(tmp_path, "dev")
    with pytest.raises(TypeMismatch, match="SST2: split is 'valid'; expected one or several of 'train', 'dev', 'test'"):
        datasets.SST2(tmp_path, "valid")
    with pytest.raises(ValueRangeError, match="language_pair"):
        datasets.Multi30k(tmp_path, "train", ("en", "fr"))
    with pytest.raises(ValueRangeError, match="language_code"):
        datasets.CC100(tmp_path, "../en")
    with pytest.raises((HubError, ImportError), match=r"CNNDM: the stories of cnn, or the list of those of val, are in none of .* the hub"):
        datasets.CNNDM(tmp_path, "val")
    with pytest.raises(TypeMismatch, match="CNNDM: split is 'valid'; expected one or several of 'train', 'val', 'test'"):
        datasets.CNNDM(tmp_path, "valid")


@pytest.mark.parametrize("packed", [False, True])
def test_stories_are_found_by_their_addresses(tmp_path, packed):
    told = {}
    for source in ("cnn", "dailymail"):
        folder = tmp_path / source / "stories"
        folder.mkdir(parents=True)
        for split, word in (("train", "training"), ("val", "validation"), ("test", "test")):
            addresses = [f"http://{source}/{split}/{i}" for i in range(3)]
            (tmp_path / f"{source}_wayback_{word}_urls.txt").write_text("\n".join(addresses) + "\n")
            for address in addresses:
                story = f"{address} began\n\nIt is so.\n\n@highlight\n\nfirst\n\n@highlight\n\n“last”"
                (folder / f"{hashlib.sha1(address.encode()).hexdigest()}.story").write_text(story, encoding="utf-8")
                told.setdefault(split, []).append((f"{address} began . It is so.", "first . “last”"))
        if packed:
            with tarfile.open(tmp_path / f"{source}_stories.tgz", "w:gz") as file:
                file.add(tmp_path / source, source)
            shutil.rmtree(tmp_path / source)
    found = datasets.CNNDM(tmp_path)
    assert [list(part) for part in found] == [told["train"], told["val"], told["test"]]
    one = datasets.CNNDM(tmp_path, "val")
    assert len(one) == 6 and one[-1] == told["val"][-1] and next(iter(one.map(lambda pair: pair[1]))) == "first . “last”"
    (tmp_path / "cnn_wayback_test_urls.txt").write_text("http://elsewhere\n")
    with pytest.raises(FormatError, match="1 of its 1 stories, .*story first, are not in"):
        datasets.CNNDM(tmp_path, "test")


ROWS = {
    "AG_NEWS": ({"label": 0, "text": "News"}, "train", (1, "News")),
    "AmazonReviewPolarity": ({"label": 1, "title": "Well", "content": "it fits"}, "train", (2, "Well it fits")),
    "SST2": ({"idx": 0, "sentence": "it fits ", "label": 1}, "dev", ("it fits", 1)),
    "QNLI": ({"question": "A", "sentence": "B", "label": 0}, "dev", (1, "A", "B")),
    "RTE": ({"sentence1": "A", "sentence2": "B", "label": 0}, "train", (0, "A", "B")),
    "MNLI": ({"premise": "A", "hypothesis": "B", "label": 2}, "dev_mismatched", (2, "A", "B")),
    "WikiText2": ({"text": ""}, "valid", " \n"),
    "Multi30k": ({"en": "Two", "de": "Zwei"}, "valid", ("Zwei", "Two")),
    "SQuAD1": ({"context": "C", "question": "Q", "answers": {"text": ["a"], "answer_start": [0]}}, "dev", ("C", "Q", ["a"], [0])),
    "SQuAD2": ({"context": "C", "question": "Q", "answers": {"text": [], "answer_start": []}}, "dev", ("C", "Q", [""], [-1])),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_the_hub_come_in_the_form_of_torchtext(name, tmp_path, monkeypatch):
    source = pytest.importorskip("datasets")
    row, split, sample = ROWS[name]
    asked = []

    def hf(path, config=None, *, split):
        asked.append(split)
        return datasets.HFDataset(source.Dataset.from_list([row, row]))

    monkeypatch.setattr("dovetail_text.datasets.hub.hf", hf)
    found = getattr(datasets, name)(tmp_path, split=split)
    assert found[0] == sample and list(found) == [sample] * 2 and len(found) == 2
    assert asked[0] in ("train", "validation", "validation_mismatched")


TAGS = "<url>x</url>\n Text & {} \n\n<doc docid>\n"
SEGMENTS = '<mteval><doc><seg id="1"> A &amp; {} </seg></doc></mteval>'


def _talks(year, sets):
    files = {}
    for language in ("en", "fr" if year == 6 else "it"):
        name = "en-fr" if year == 6 else "en-it"
        files[f"train.tags.{name}.{language}"] = TAGS.format(language)
        for one in sets:
            files[f"IWSLT1{year}.TED.{one}.{name}.{language}.xml"] = SEGMENTS.format(language)
    return files


def test_iwslt_from_folders_and_archives_in_archives(tmp_path):
    files = _talks(6, ("tst2013", "tst2014"))
    write(tmp_path / "loose", files)
    train, valid, test = datasets.IWSLT2016(tmp_path / "loose", language_pair=("en", "fr"))
    assert list(train) == [("Text & en\n", "Text & fr\n"), ("\n", "\n")] and list(valid) == list(test) == [("A & en\n", "A & fr\n")]
    pack(tmp_path / "inner" / "en-fr.tgz", {f"en-fr/{name}": text for name, text in files.items()})
    assert datasets.IWSLT2016(tmp_path / "inner", "valid", ("en", "fr"))[0] == valid[0]
    files = {f"DeEnItNlRo-DeEnItNlRo/{name}": text for name, text in _talks(7, ("dev2010", "tst2010")).items()}
    pack(tmp_path / "made.tgz", files)
    with tarfile.open(tmp_path / "2017-01-trnmted.tgz", "w:gz") as outer:
        outer.add(tmp_path / "made.tgz", "2017-01-trnmted/texts/DeEnItNlRo/DeEnItNlRo/DeEnItNlRo-DeEnItNlRo.tgz")
    for _ in range(2):
        assert datasets.IWSLT2017(tmp_path, "test", ("en", "it"))[0] == ("A & en\n", "A & it\n")
    with pytest.raises(FormatError, match="has no DeEnItNlRo-DeEnItNlRo/train.tags.it-en.it in it"):
        datasets.IWSLT2017(tmp_path, "train", ("it", "en"))


def test_iwslt_says_what_is_wrong(tmp_path):
    with pytest.raises(ValueRangeError, match="expected 'en' and one of"):
        datasets.IWSLT2016(tmp_path, language_pair=("de", "fr"))
    with pytest.raises(ValueRangeError, match="test_set is 'x'"):
        datasets.IWSLT2016(tmp_path, test_set="x")
    with pytest.raises(TypeMismatch, match="split is 'dev'"):
        datasets.IWSLT2017(tmp_path, "dev")
    with pytest.raises(HubError, match="de-en.tgz or 2016-01.tgz is in none of"):
        datasets.IWSLT2016(tmp_path, "train")
    write(tmp_path, {"train.tags.de-en.de": "Eins\nZwei\n", "train.tags.de-en.en": "One\n"})
    with pytest.raises(FormatError, match=r"it has 1 sentences and train.tags.de-en.de 2"):
        datasets.IWSLT2017(tmp_path, "train")
    write(tmp_path, {"train.tags.de-en.de": "<url>\n"})
    with pytest.raises(FormatError, match="there is no sentence in it"):
        datasets.IWSLT2017(tmp_path, "train")


ORIGINALS = [
    ("text/ag_news", "AG_NEWS", "train", {"text": 'Wall St. Bears "claw" back, again', "label": 2}),
    ("text/dbpedia", "DBpedia", "test", {"label": 2, "title": "Wall St.", "content": 'Bears "claw" back, again'}),
    ("text/imdb", "IMDB", "test", {"text": "bad", "label": 0}),
    ("text/sst2", "SST2", "dev", {"sentence": "it fits", "label": 1}),
    ("text/wikitext-2", "WikiText2", "valid", {"text": ""}),
    ("text/squad", "SQuAD1", "dev", {"context": "It fits.", "question": "What fits?", "answers": {"text": ["It"], "answer_start": [0]}}),
]


@pytest.mark.parametrize(("key", "name", "split", "first"), ORIGINALS)
def test_keys_of_the_hub_open_from_the_original_files(key, name, split, first, tmp_path):
    write(tmp_path, next(files for case, part, files, *_ in CASES if (case, part) == (name, split)))
    hub = {"dev": "validation", "valid": "validation"}.get(split, split)
    found = dv.datasets.load(key, root=tmp_path, split=hub)
    assert found[0] == first and len(found) == 2 - (key == "text/sst2")
    assert list(dv.datasets.load(key, root=tmp_path)) == [hub]
    if key == "text/squad":
        assert found[1]["answers"] == {"text": [], "answer_start": []}
    missing = next(part for part in dv.datasets.get(key).splits if part != hub)
    with pytest.raises(ValueRangeError, match=f"{name} in .*: there is no split {missing!r}; expected one of {hub}"):
        dv.datasets.load(key, root=tmp_path, split=missing)


def test_a_csv_that_names_its_columns_is_no_original(tmp_path):
    pytest.importorskip("datasets")
    write(tmp_path, {"train.csv": "text,label\nit fits,3\n", "test.csv": "text,label\nwell,0\n"})
    assert dv.datasets.load("text/ag_news", root=tmp_path, split="train", cache_dir=str(tmp_path / "c"))[0] == {
        "text": "it fits",
        "label": 3,
    }
    assert dv.datasets.load("text/ag_news", root=tmp_path, split="test")[0] == {"text": "well", "label": 0}
