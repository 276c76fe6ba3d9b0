"""torchtext's bundles: models by its names, weights from its files, texts to numbers; the files are made here."""

from __future__ import annotations

import functools
import http.server
import json
import threading

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_text import models
from dovetail_text.functional import to_tensor
from dovetail_text.models import roberta_bundle, t5_bundle
from dovetail_text.prototype.generate import GenerationUtils
from dovetail_text.tokenizers import train_bpe

CONF = models.RobertaEncoderConf(30, 8, 16, max_seq_len=20, num_attention_heads=2, num_encoder_layers=2)
IDS = dv.tensor([[0, 5, 6, 7, 2], [0, 9, 2, 1, 1]])
REAL = IDS != 1
SIZES = dict(embedding_dim=8, qkv_dim=4, num_attention_heads=2, num_encoder_layers=2, num_decoder_layers=1, vocab_size=30)


@pytest.fixture
def server(tmp_path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    one = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=one.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{one.server_address[1]}/"
    one.shutdown()


def _old(name):
    """The name that torchtext's files have: they are older than its last model."""
    for new, old in roberta_bundle._OLD.items():
        name = name.replace(new, old)
    return name.replace("layers.layers.", "layers.")


def test_a_bundle_fetches_its_weights_and_takes_a_head(server, tmp_path):
    folder, address = server
    dv.manual_seed(1)
    trained = models.RobertaBundle.build_model(CONF).eval()
    files = {_old(name): t for name, t in trained.state_dict().items()}
    assert "encoder.transformer.layers.1.attention.input_projection.weight" in files
    assert "encoder.transformer.layers.0.residual_mlp.mlp.3.bias" in files
    dv.save(files, folder / "small.encoder.pt")
    bundle = models.RobertaBundle(CONF, f"{address}small.encoder.pt")
    place = {"dl_kwargs": {"model_dir": str(tmp_path / "hub"), "progress": False}}
    model = bundle.get_model(**place).eval()
    assert dv.equal(model(IDS), trained(IDS)) and bundle.encoderConf is CONF
    head = models.RobertaClassificationHead(num_classes=3, input_dim=8)
    classifier = bundle.get_model(head=head, freeze_encoder=True, **place).eval()
    assert dv.allclose(classifier(IDS), head(trained(IDS))) and classifier.head is head
    assert {name.partition(".")[0] for name, p in classifier.named_parameters() if p.requires_grad} == {"head"}
    fresh = bundle.get_model(load_weights=False)
    assert not dv.equal(fresh.encoder.transformer.token_embedding.weight, model.encoder.transformer.token_embedding.weight)
    assert model(IDS, REAL).shape == (8, 8) and dv.allclose(model(IDS, REAL), model(IDS)[REAL])


def test_the_roberta_is_that_of_hugging_face(tmp_path):
    config = models.RobertaConfig(
        30, 8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, max_position_embeddings=20, type_vocab_size=1,
        initializer_range=0.3, layer_norm_eps=1e-5,
    )  # fmt: skip
    dv.manual_seed(0)
    theirs = models.RobertaModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = models.RobertaBundle.build_model_from_huggingface_ckpt(tmp_path).eval()
    want = theirs(IDS, REAL.to(dv.int64)).last_hidden_state
    assert dv.allclose(ours(IDS)[REAL], want[REAL], atol=1e-5)
    models.RobertaForMaskedLM(config).save_pretrained(tmp_path)
    assert models.RobertaBundle.build_model_from_huggingface_ckpt(tmp_path, head=nn.Identity())(IDS).shape == (2, 5, 8)


def test_a_classifier_learns():
    dv.manual_seed(0)
    model = models.RobertaBundle.build_model(CONF, head=models.RobertaClassificationHead(2, 8, dropout=0.0))
    optimizer, labels = dv.optim.AdamW(model.parameters(), 0.01), dv.tensor([0, 1])
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(IDS), labels)
        loss.backward()
        optimizer.step()
    assert model.eval()(IDS).argmax(1).tolist() == [0, 1]


def test_texts_become_numbers(tmp_path, monkeypatch):
    tokenizer = train_bpe(["it fits well, it fits"] * 3, 270, special_tokens=["<s>", "<pad>", "</s>"])
    tokenizer.save_pretrained(tmp_path)
    bundle = roberta_bundle._bundle("none.pt", str(tmp_path), 4)
    transform = bundle.transform()
    found = transform(["it fits well, it fits", "it"])
    assert found[0] == [0, *tokenizer.encode("it fits well, it fits", add_special_tokens=False).ids[:4], 2]
    assert found[1] == transform("it") and to_tensor(found, padding_value=1).shape == (2, 6)


def test_every_bundle_is_there():
    for size in ("SMALL", "BASE", "LARGE", "3B", "11B"):
        for form in ("_ENCODER", "", "_GENERATION"):
            assert isinstance(getattr(models, f"T5_{size}{form}"), models.T5Bundle)
    assert models.FLAN_T5_XL_GENERATION.config.linear_head and models.FLAN_T5_XL.config.activation == "gelu_new"
    assert models.T5_BASE_ENCODER.config == models.T5Conf(encoder_only=True)
    assert (
        models.XLMR_LARGE_ENCODER.encoderConf.vocab_size == 250002
        and models.ROBERTA_BASE_ENCODER.encoderConf == models.RobertaEncoderConf()
    )
    counts = {name: sum(p.numel() for p in _meta(name)) for name in ("T5_SMALL", "T5_SMALL_GENERATION", "FLAN_T5_BASE_ENCODER")}
    assert counts == {"T5_SMALL": 60_506_624, "T5_SMALL_GENERATION": 76_956_160, "FLAN_T5_BASE_ENCODER": 109_628_544}


def _meta(name):
    with dv.device("meta"):
        return list(t5_bundle.T5Model(getattr(models, name).config).parameters())


def _of_hub(name):
    """A name of Hugging Face's T5 as torchtext's files have it."""
    for start in ("encoder", "decoder"):
        name = name.replace(f"{start}.block.", f"{start}.layers.").replace(f"{start}.final_layer_norm", f"{start}.norm")
    for number, norm in (("0", "norm1"), ("1", "norm2"), ("2", "norm2")):
        last = "1" if name.startswith("encoder") else "2"
        norm = norm if number in ("0", last) else "norm3"
        name = name.replace(f"layer.{number}.layer_norm", norm)
    name = name.replace("layer.0.SelfAttention.", "self_attn.").replace("layer.1.EncDecAttention.", "cross_attn.")
    for letter in "qkv":
        name = name.replace(f"attn.{letter}.weight", f"attn.{letter}_proj_weight")
    name = name.replace("attn.o.weight", "attn.out_proj.weight")
    for number in "12":
        name = name.replace(f"layer.{number}.DenseReluDense.wi_", "linear1_").replace(f"layer.{number}.DenseReluDense.wi.", "linear1.")
        name = name.replace(f"layer.{number}.DenseReluDense.wo.", "linear2.")
    return name.replace("shared.weight", "token_embeddings.weight").replace("embed_tokens", "token_embeddings")


@pytest.mark.parametrize("gated", [{}, {"feed_forward_proj": "gated-gelu"}])
def test_a_t5_from_the_files_of_torchtext(server, tmp_path, gated):
    folder, address = server
    conf = models.T5Conf(linear_head=True, **SIZES, **gated)
    dv.manual_seed(2)
    trained = models.T5Bundle.build_model(conf).eval()
    files = {_of_hub(name.removeprefix("model.")): t for name, t in trained.state_dict().items()}
    assert {"token_embeddings.weight", "encoder.layers.0.self_attn.relative_attention_bias.weight", "decoder.layers.0.norm3.weight"} <= set(
        files
    )
    assert all("block" not in name and "layer_norm" not in name for name in files)
    dv.save(files, folder / "t5.pt")
    model = models.T5Bundle(conf, f"{address}t5.pt").get_model(dl_kwargs={"model_dir": str(tmp_path / "hub"), "progress": False})
    ids = dv.tensor([[3, 4, 5, 1], [7, 1, 0, 0]])
    assert dv.equal(model(ids)["decoder_output"], trained(ids)["decoder_output"])
    encoder = models.T5Bundle.build_model(models.T5Conf(encoder_only=True, **SIZES, **gated), checkpoint={
        name: t for name, t in files.items() if not name.startswith(("decoder", "lm_head"))}, strict=True)  # fmt: skip
    out = encoder(ids)
    assert dv.allclose(out["encoder_output"], model(ids)["encoder_output"]) and len(out["encoder_hidden_states"]) == 3


def test_the_t5_is_that_of_hugging_face(tmp_path):
    dv.manual_seed(0)
    theirs = models.T5ForConditionalGeneration(models.T5Config(30, 8, 4, 16, num_layers=2, num_heads=2, num_decoder_layers=1)).eval()
    theirs.save_pretrained(tmp_path)
    ours = models.T5Bundle.build_model_from_huggingface_ckpt(tmp_path)
    ids, answers = dv.tensor([[3, 4, 5, 1], [7, 1, 0, 0]]), dv.tensor([[0, 6, 7], [0, 8, 0]])
    want = theirs(ids, (ids != 0).to(dv.int64), decoder_input_ids=answers, decoder_attention_mask=dv.tensor([[1, 1, 1], [1, 1, 0]]))
    got = ours(ids, answers)
    assert dv.allclose(got["decoder_output"][:, :2], want.logits[:, :2], atol=1e-5)
    assert dv.allclose(got["encoder_output"], want.encoder_last_hidden_state)
    again = ours(decoder_tokens=answers, encoder_outputs=got, encoder_padding_mask=ids == 0)
    assert dv.allclose(again["decoder_output"], got["decoder_output"])
    for beams in (None, 3):
        text = GenerationUtils(ours).generate(ids, num_beams=beams, max_length=6, eos_idx=9)
        answer = theirs.generate(ids, attention_mask=(ids != 0).to(dv.int64), max_length=6, num_beams=beams or 1, eos_token_id=9)
        assert text.tolist() == answer.tolist()
    encoder = models.T5Bundle.build_model_from_huggingface_ckpt(tmp_path, encoder_only=True)
    assert dv.allclose(encoder(ids)["encoder_output"], got["encoder_output"]) and encoder.get_decoder() is None


def test_a_loop_of_ones_own_keeps_what_it_computed():
    dv.manual_seed(0)
    model = models.T5Bundle.build_model(models.T5Conf(linear_head=True, **SIZES))
    ids = dv.tensor([[3, 4, 5, 1]])
    tokens, out, past = dv.tensor([[0]]), None, None
    for _ in range(5):
        out = model(ids, tokens if past is None else tokens[:, -1:], past_key_values=past, return_past_key_values=True)
        past = out["past_key_values"]
        tokens = dv.cat([tokens, out["decoder_output"][:, -1:].argmax(-1)], 1)
    assert tokens.tolist() == GenerationUtils(model).generate(ids, max_length=6, eos_idx=-1).tolist()


def test_texts_for_a_t5(tmp_path):
    spm = pytest.importorskip("sentencepiece")
    lines = ["hello world", "it fits well", "hello it", "the world fits"] * 5
    spm.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_prefix=str(tmp_path / "m"), vocab_size=20, minloglevel=2)
    transform = models.T5Transform(tmp_path / "m.model", max_seq_len=4, eos_idx=1, padding_idx=0)
    texts = ["hello world", "it"]
    lists = transform.encode(texts)
    rows = transform(texts).tolist()
    for ids, row in zip(lists, rows, strict=True):
        assert row[: min(4, len(ids)) + 1] == [*ids[:4], 1]
    assert transform.decode(lists) == [transform.decode(ids) for ids in lists]
    with pytest.raises(TypeMismatch, match="T5Transform: Input type not supported: int"):
        transform.encode(5)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: models.RobertaBundle(CONF).get_model(), ValueRangeError, "get_model: load_weights is True; this bundle has no weights"),
        (lambda: models.RobertaBundle.build_model(CONF, checkpoint=5), TypeMismatch, "checkpoint is int; expected an address or a state"),
        (lambda: roberta_bundle.RobertaModel({}), TypeMismatch, "encoder_conf is dict; expected a RobertaEncoderConf"),
        (
            lambda: models.RobertaBundle.build_model(models.RobertaEncoderConf(scaling=2.0)),
            ValueRangeError,
            "scaling is 2.0; expected None",
        ),
        (lambda: models.RobertaBundle.build_model(CONF)(dv.full((1, 19), 3)), ShapeError, "the input has 19 tokens; expected 18 at most"),
        (lambda: models.T5Conf(feed_forward_proj="soft-gelu"), ValueRangeError, "feed_forward_proj is 'soft-gelu'"),
        (lambda: t5_bundle.T5Model(5), TypeMismatch, "config is int; expected a T5Conf"),
        (lambda: models.T5Bundle.build_model(models.T5Conf(**SIZES))(), ValueRangeError, "must provide encoder_tokens"),
        (lambda: models.T5Bundle.build_model(models.T5Conf(**SIZES))(IDS, encoder_mask=IDS), UnsupportedError, "only masks of padding"),
        (lambda: GenerationUtils(models.T5Bundle.build_model(models.T5Conf(**SIZES))).generate(IDS), ValueRangeError, "no head for words"),
        (lambda: GenerationUtils(nn.Identity()).generate(IDS, num_beams=0), ValueRangeError, "`num_beams` must be >= 1"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_hostile_folders(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta", "hidden_size": -8}))
    with pytest.raises((ValueError, RuntimeError, OSError)):
        models.RobertaBundle.build_model_from_huggingface_ckpt(tmp_path)
