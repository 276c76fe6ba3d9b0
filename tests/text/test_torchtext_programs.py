"""What torchtext's tutorials do, run by run-torch on small files in the true formats; expected values are from its documents."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("dovetail_torch")

from dovetail.utils.data import DataLoader
from dovetail_text.datasets import SST2
from dovetail_text.datasets.local import Samples
from dovetail_text.datasets.pipes import Pipe

PROGRAM = r"""
import sys
import torch, torchtext
import torchtext.transforms as T
import torchtext.functional as F
from collections import Counter, OrderedDict
from torch import nn
from torch.utils.data import DataLoader
from torchtext.data.functional import to_map_style_dataset, custom_replace, simple_space_split, numericalize_tokens_from_iterator
from torchtext.data.metrics import bleu_score
from torchtext.data.utils import get_tokenizer, ngrams_iterator
from torchtext.datasets import AG_NEWS, Multi30k, SST2, WikiText2, multi30k
from torchtext.vocab import build_vocab_from_iterator, vocab

ROOT = sys.argv[1]
torch.manual_seed(0)

# text classification with a bag of words
tokenizer = get_tokenizer("basic_english")
train = AG_NEWS(root=ROOT, split="train")
words = build_vocab_from_iterator((tokenizer(text) for _, text in iter(train)), specials=["<unk>"])
words.set_default_index(words["<unk>"])


def collate_batch(batch):
    labels, texts, offsets = [], [], [0]
    for label, text in batch:
        labels.append(int(label) - 1)
        texts.append(torch.tensor(words(tokenizer(text)), dtype=torch.int64))
        offsets.append(texts[-1].size(0))
    return torch.tensor(labels, dtype=torch.int64), torch.cat(texts), torch.tensor(offsets[:-1]).cumsum(dim=0)


class Model(nn.Module):
    def __init__(self, size, classes):
        super(Model, self).__init__()
        self.embedding, self.fc = nn.EmbeddingBag(size, 16, sparse=False), nn.Linear(16, classes)

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


model = Model(len(words), len(set(label for label, _ in train)))
loader = DataLoader(to_map_style_dataset(train), batch_size=8, shuffle=True, collate_fn=collate_batch)
optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
for epoch in range(4):
    for label, text, offsets in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(text, offsets), label).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
right = sum((model(text, offsets).argmax(1) == label).sum().item() for label, text, offsets in loader)
print("learned", right == len(train), words(["here", "nowhere"]))

# translation: pairs, and an address that is changed
multi30k.URL["train"] = "https://example.org/training.tar.gz"
print(next(iter(Multi30k(root=ROOT, split="train", language_pair=("en", "de")))))

# a language model's one run of tokens
lines = build_vocab_from_iterator(map(tokenizer, WikiText2(root=ROOT, split="train")), specials=["<unk>"])
data = [torch.tensor(lines(tokenizer(line)), dtype=torch.long) for line in WikiText2(root=ROOT, split="train")]
print(torch.cat(tuple(filter(lambda t: t.numel() > 0, data))).tolist(), lines.get_itos())

# SST-2 through transforms and a pipe
reviews = SST2(root=ROOT, split="dev")
known = build_vocab_from_iterator((text.split() for text, _ in reviews), specials=["<s>", "<pad>", "</s>", "<unk>"])
known.set_default_index(3)
text_transform = T.Sequential(T.VocabTransform(known), T.Truncate(3), T.AddToken(token=0, begin=True), T.AddToken(token=2, begin=False))
pipe = reviews.map(lambda x: (text_transform(x[0].split()), x[1])).batch(2).rows2columnar(["token_ids", "target"])
batch = next(iter(DataLoader(pipe, batch_size=None)))
print(F.to_tensor(batch["token_ids"], padding_value=1).tolist(), torch.tensor(batch["target"]).tolist())

# the documents' own examples
v = vocab(OrderedDict([("a", 4), ("b", 2)]), specials=["<unk>"])
v.set_default_index(-1)
print(v["a"], v["out of vocab"], v.lookup_indices(["b", "<unk>"]), v.get_stoi())
print(list(ngrams_iterator(["here", "we", "are"], 2)))
print(list(custom_replace([(r"S", "s"), (r"\s+", " ")])(["Sentencepiece encode  aS  pieces", "exampleS to   try!"])))
print(list(simple_space_split(["Sentencepiece encode as pieces", "example to try!"])))
ids = numericalize_tokens_from_iterator({"Sentencepiece": 0, "encode": 1}, simple_space_split(["Sentencepiece encode"]))
print([list(row) for row in ids])
candidates = [["My", "full", "pytorch", "test"], ["Another", "Sentence"]]
references = [[["My", "full", "pytorch", "test"], ["Completely", "Different"]], [["No", "Match"]]]
print(bleu_score(candidates, references))

# what older programs do first: fetch and unpack by hand, choose a data set by its name, put attention together
import gzip
import torchtext.datasets
from torchtext.nn import InProjContainer, MultiheadAttentionContainer, ScaledDotProduct
from torchtext.utils import download_from_url, extract_archive

torchtext.disable_torchtext_deprecation_warning()
with gzip.open(ROOT + "/val.de.gz", "wt") as file:
    file.write("Ein Hund")
fetched = download_from_url("file://" + ROOT + "/val.de.gz", root=ROOT + "/.data")
print([open(path).read() for path in extract_archive(fetched)], torchtext.datasets.DATASETS["AG_NEWS"] is AG_NEWS)
torch.manual_seed(0)
parts = [nn.Linear(8, 8) for _ in range(4)]
mine = MultiheadAttentionContainer(2, InProjContainer(*parts[:3]), ScaledDotProduct(), parts[3])
stock = nn.MultiheadAttention(8, 2)
stock.load_state_dict({
    "in_proj_weight": torch.cat([p.weight for p in parts[:3]]), "in_proj_bias": torch.cat([p.bias for p in parts[:3]]),
    "out_proj.weight": parts[3].weight, "out_proj.bias": parts[3].bias,
})
q, kv, mask = torch.randn(5, 3, 8), torch.randn(5, 3, 8), torch.ones(5, 5, dtype=torch.bool).triu(1)
for one, other in zip(mine(q, kv, kv, attn_mask=mask.expand(6, 5, 5)), stock(q, kv, kv, attn_mask=mask, average_attn_weights=False)):
    print(torch.allclose(one, other.reshape(one.shape), atol=1e-6))
"""


def _files(folder):
    rows = "".join(
        f'"{1 + i % 2}","{["Goal", "Bank"][i % 2]}","{["coach of a match", "profit of a share"][i % 2]} {i}"\n' for i in range(32)
    )
    texts = {
        "AG_NEWS/train.csv": rows,
        "Multi30k/train.de": "Zwei Männer\n",
        "Multi30k/train.en": "Two men\n",
        "WikiText2/wikitext-2/wiki.train.tokens": " \n = It = \n it fits\n",
        "SST2/SST-2/dev.tsv": "sentence\tlabel\na great film it is \t1\ndull \t0\na mess \t0\n",
    }
    for name, text in texts.items():
        path = folder / "datasets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_tutorials_run(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "dovetail", "run-torch", str(tmp_path / "program.py"), str(_files(tmp_path))]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "learned True [0, 0]",
        "('Two men', 'Zwei Männer')",
        "[1, 2, 1, 2, 3] ['<unk>', '=', 'it', 'fits']",
        "[[0, 4, 7, 6, 2], [0, 5, 2, 1, 1]] [1, 0]",
        "1 -1 [2, 0] {'<unk>': 0, 'a': 1, 'b': 2}",
        "['here', 'we', 'are', 'here we', 'we are']",
        "['sentencepiece encode as pieces', 'examples to try!']",
        "[['Sentencepiece', 'encode', 'as', 'pieces'], ['example', 'to', 'try!']]",
        "[[0, 1]]",
        "0.8408964276313782",
        "['Ein Hund'] True",
        "True",
        "True",
    ]


def test_steps_of_a_data_set(tmp_path):
    reviews = SST2(_files(tmp_path), "dev")
    assert list(reviews.filter(lambda row: row[1] == 0).enumerate(5)) == [(5, ("dull", 0)), (6, ("a mess", 0))]
    assert [len(batch) for batch in reviews.batch(2)] == [2, 1] and [len(batch) for batch in reviews.batch(2, drop_last=True)] == [2]
    assert list(reviews.header(1)) == [("a great film it is", 1)]
    assert sorted(reviews.shuffle()) == sorted(reviews) and sorted(reviews.shuffle(buffer_size=2).map(lambda row: row[1])) == [0, 0, 1]
    both = Pipe([{"a": 1, "b": 2}, {"a": 3, "b": 4}], iter).batch(2)
    assert list(both.rows2columnar()) == [{"a": [1, 3], "b": [2, 4]}] and list(both.rows2columnar(["b"])) == [{"b": [2, 4]}]
    shared = reviews.sharding_filter().map(lambda row: row[1])
    assert sorted(DataLoader(shared, batch_size=None, num_workers=2)) == [0, 0, 1] and sorted(shared) == [0, 0, 1]
    with pytest.raises(ValueError, match="batch: batch_size is 0; expected 1 or more"):
        reviews.batch(0)


def test_a_loader_turns_shuffling_on_and_off(tmp_path):
    rows = Pipe(range(40), iter).shuffle().map(str)
    plain = [str(number) for number in range(40)]
    assert list(DataLoader(rows, batch_size=None, shuffle=False)) == plain == list(rows)
    mixed = list(DataLoader(rows, batch_size=None, shuffle=True))
    assert mixed != plain and sorted(mixed) == sorted(plain) and list(DataLoader(rows, batch_size=None)) != plain
    assert list(rows.source.set_shuffle(False)) == list(range(40))
    steps = Pipe([0, 1, 0], iter).batch(1)
    with pytest.warns(UserWarning, match=r"shuffle is True and the stream has no shuffle\(\) step; one was put at its end"):
        loader = DataLoader(steps, shuffle=True, batch_size=None)
    assert sorted(loader) == [[0], [0], [1]] and sorted(DataLoader(steps, shuffle=False, batch_size=None)) == [[0], [0], [1]]
    with pytest.raises(ValueError, match="shuffle: buffer_size is 0; expected 1 or more"):
        steps.shuffle(buffer_size=0)


def test_the_samples_of_a_data_set_are_shuffled_before_its_steps(tmp_path):
    reviews = Samples("Reviews", list(range(40)))
    steps = reviews.map(str).batch(4)
    plain = [[str(4 * at + i) for i in range(4)] for at in range(10)]
    assert list(DataLoader(steps, batch_size=None)) == plain
    mixed = list(DataLoader(steps, batch_size=None, shuffle=True))
    assert sorted(row for batch in mixed for row in batch) == sorted(map(str, range(40))) and not any(
        sorted(batch) in map(sorted, plain) for batch in mixed
    )
    assert list(DataLoader(steps, batch_size=None, shuffle=False)) == plain


def test_workers_share_a_data_set(tmp_path):
    reviews = Samples("Reviews", list(range(40)))
    for steps in (reviews.map(str), reviews.shuffle().map(str), reviews.map(str).sharding_filter(), reviews.sharding_filter().map(str)):
        for shuffle in (None, True):
            found = list(DataLoader(steps, batch_size=None, num_workers=3, shuffle=shuffle))
            assert sorted(found) == sorted(map(str, range(40)))


def test_more_steps(tmp_path):
    lines = Samples("Lines", ["it fits", "well"])
    assert list(lines.flatmap(str.split)) == ["it", "fits", "well"] and list(lines.concat(["a"])) == ["it fits", "well", "a"]
    assert list(lines.zip([1, 2, 3], "ab")) == [("it fits", 1, "a"), ("well", 2, "b")]
    assert list(lines.map(len).batch(2).unbatch()) == [7, 4] and list(lines.batch(2).collate(" ".join)) == ["it fits well"]
    assert next(iter(lines.map(len).batch(2).collate())).tolist() == [7, 4]


@pytest.mark.parametrize("options", [{}, {"persistent_workers": True}, {"multiprocessing_context": "thread"}])
def test_workers_share_what_is_shuffled(options):
    loader = DataLoader(Pipe(range(40), iter).shuffle().sharding_filter(), batch_size=None, num_workers=3, **options)
    passes = [list(loader) for _ in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(40))
    assert passes[0] != passes[1] and passes[0] != list(range(40))


def test_files_by_hand(tmp_path, monkeypatch):
    import gzip
    import tarfile
    import zipfile

    from dovetail_text.utils import download_from_url, extract_archive, get_asset_local_path

    (tmp_path / "one.txt").write_text("it fits")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        file.add(tmp_path / "one.txt", "x/one.txt")
        file.add(tmp_path / "one.txt", "a.txt")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("../out.txt", "no")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        for name in ("valid.txt", "test/b.txt", "test/a.txt"):
            file.writestr(name, name)
    found, beside = extract_archive(str(tmp_path / "a.tar.gz"), str(tmp_path / "to"))  # in the order of the archive, as torchtext's
    assert (found, beside) == (str(tmp_path / "to/x/one.txt"), str(tmp_path / "to/a.txt"))
    assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["a.txt", "x"]
    monkeypatch.chdir(tmp_path)
    assert extract_archive("b.zip") == ["valid.txt", "test/b.txt", "test/a.txt"]
    with gzip.open("b.txt.gz", "wb") as file:
        file.write(b"it fits")
    assert extract_archive("b.txt.gz") == ["b.txt"] and (tmp_path / "b.txt").read_text() == "it fits"
    (tmp_path / "crossed").mkdir()
    (tmp_path / "crossed/test").write_text("a file where a folder belongs")
    with pytest.raises(OSError, match="exists"):
        extract_archive("b.zip", "crossed")
    assert sorted(path.name for path in (tmp_path / "crossed").iterdir()) == ["test", "valid.txt"]  # nothing is left of the unpacking
    (tmp_path / "to/x/one.txt").write_text("mine")
    for overwrite, kept in ((False, "mine"), (True, "it fits")):
        extract_archive(str(tmp_path / "a.tar.gz"), str(tmp_path / "to"), overwrite)
        assert (tmp_path / "to/x/one.txt").read_text() == kept
    with pytest.raises(RuntimeError, match="outside"):
        extract_archive(str(tmp_path / "a.zip"))
    with pytest.raises(NotImplementedError, match=r"expected a .tar.gz, .tgz, .zip or .gz"):
        extract_archive(str(tmp_path / "one.txt"))
    assert get_asset_local_path(found) == found
    address = (tmp_path / "one.txt").as_uri()
    with pytest.raises(RuntimeError, match="does not match; expected sha256 00"):
        download_from_url(address, str(tmp_path / "b.txt"), hash_value="00")
    for name in ("", "..", "."):
        with pytest.raises(ValueError, match="expected one that ends with a file's name; give path="):
            download_from_url(tmp_path.as_uri() + "/" + name, root=str(tmp_path / "to"))
    with pytest.raises(ValueError, match="hash_type is 'crc'"):
        download_from_url(address, str(tmp_path / "b.txt"), hash_value="00", hash_type="crc")


def test_words_of_a_wikipedia_dump():
    import time

    from dovetail_text.data.functional import filter_wikipedia_xml

    lines = ["[[Category:Joints|*]] [[Image:a.png|Left|30px|a [[tenon]]]]", "<page> &lt;br&gt; {{x}}", "#Redirect [[x]]", "\n"]
    assert list(filter_wikipedia_xml(lines)) == ["joints a tenon"]
    start = time.process_time()
    assert list(filter_wikipedia_xml(["[[category:" * 2000])) == [" ".join(["category"] * 2000)]
    assert time.process_time() - start < 5  # by the source's own expression, more than five minutes
    assert list(filter_wikipedia_xml(["İ ٣ \u212a 7é"])) == ["seven"]  # letters and digits are those of ASCII, as in the source


def test_attention_refuses_what_does_not_fit():
    import dovetail as dv
    from dovetail_text.nn import InProjContainer, MultiheadAttentionContainer, ScaledDotProduct

    q, k = dv.ones(2, 5, 6), dv.ones(2, 3, 6)
    layer = MultiheadAttentionContainer(4, InProjContainer(*[dv.nn.Identity()] * 3), ScaledDotProduct(), dv.nn.Identity(), batch_first=True)
    with pytest.raises(AssertionError, match="query's embed_dim must be divisible by the number of heads, got 6 and 4"):
        layer(q, k, k)
    layer.nhead = 3
    more = dv.zeros(1, 6, 2)
    out, weights = layer(q, k, k, attn_mask=dv.zeros(1, 5, 3, dtype=dv.bool), bias_k=more, bias_v=more)
    assert out.shape == (2, 5, 6) and weights.shape == (6, 5, 4)
    with pytest.raises(RuntimeError, match="reshape"):  # torchtext's mixed batches with what comes before them, or refused them
        layer(dv.ones(2, 2, 5, 6), dv.ones(2, 2, 3, 6), dv.ones(2, 2, 3, 6))
    assert dv.equal(layer(q[None], k[None], k[None])[0], layer(q, k, k)[0])
    for mask, error in ((dv.ones(6, 5, 3), "Only bool"), (dv.ones(5, 3, dtype=dv.bool), r"not correct: \(5, 3\)")):
        with pytest.raises(RuntimeError, match=error):
            layer(q, k, k, attn_mask=mask)
    with pytest.raises(AssertionError, match="Shape of bias_v is not supported"):
        layer(q, k, k, bias_k=more, bias_v=more[..., :1])
    with pytest.raises(AssertionError, match="expected key and value of one shape"):
        layer(q, k, q)
