"""GPT and BERT: configurations, folders, masks, and the errors of each."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dovetail as dv
from dovetail.errors import FormatError, ShapeError, TypeMismatch, UnsupportedError, ValueRangeError
from dovetail_text import models
from dovetail_text.models import GPT, BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel, GPTConfig, ModelOutput
from dovetail_text.models.distilbert import DistilBertConfig, DistilBertModel
from dovetail_text.models.llama import LlamaConfig, LlamaForCausalLM, Qwen2Config
from dovetail_text.models.pretrained import read_weights
from dovetail_text.models.roberta import RobertaConfig, RobertaModel

BERT = BertConfig(20, 12, 2, 3, 20, num_labels=3)
SMALL = GPTConfig(20, 8, 2, 2, 12)
IDS = dv.tensor([[1, 2, 3, 4], [5, 6, 7, 8]])


def _same(a, b):
    return np.array_equal(a.detach().numpy(), b.detach().numpy())


def test_names_of_parameters_are_those_of_hugging_face():
    names = set(BertForSequenceClassification(BERT).state_dict())
    assert {"bert.encoder.layer.1.attention.self.query.weight", "bert.pooler.dense.bias", "classifier.weight"} <= names
    assert {"transformer.h.1.attn.c_attn.weight", "transformer.ln_f.bias", "lm_head.weight"} <= set(GPT(SMALL).state_dict())
    assert GPT(SMALL).state_dict()["transformer.h.0.attn.c_attn.weight"].shape == (12, 36)


def test_tied_weights_are_one():
    gpt, bert = GPT(SMALL), BertForMaskedLM(BERT)
    assert gpt.lm_head.weight is gpt.transformer.wte.weight
    assert bert.cls.predictions.decoder.weight is bert.bert.embeddings.word_embeddings.weight
    assert bert.cls.predictions.bias is bert.cls.predictions.decoder.bias
    assert GPT(GPTConfig(20, 8, 2, 2, 12, tie_word_embeddings=False)).num_parameters() == gpt.num_parameters() + 20 * 12


def test_initial_weights():
    dv.manual_seed(0)
    model = GPT(GPTConfig(500, 16, 8, 2, 64))
    state = model.state_dict()
    assert state["transformer.wte.weight"].std().item() == pytest.approx(0.02, rel=0.02)
    assert state["transformer.h.3.mlp.c_proj.weight"].std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert not state["transformer.h.3.mlp.c_proj.bias"].any() and bool((state["transformer.h.3.ln_1.weight"] == 1).all())
    assert not BertModel(BERT).embeddings.word_embeddings.weight[0].any()


def test_a_gpt_without_biases():
    model = GPT(GPTConfig(20, 8, 2, 2, 12, bias=False))
    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]
    assert model(IDS).logits.shape == (2, 4, 20)


def test_later_tokens_do_not_matter():
    model = GPT(SMALL).eval()
    other = IDS.clone()
    other[:, 3] = 0
    assert _same(model(IDS).logits[:, :3], model(other).logits[:, :3])


def test_padding_does_not_matter():
    model = BertModel(BERT).eval()
    padded = dv.cat([IDS, dv.full((2, 2), 9)], 1)
    mask = dv.tensor([[1, 1, 1, 1, 0, 0]] * 2)
    got = model(padded, attention_mask=mask).last_hidden_state[:, :4]
    np.testing.assert_allclose(got.detach().numpy(), model(IDS).last_hidden_state.detach().numpy(), atol=1e-6)


def test_labels_are_those_of_the_next_tokens():
    model = GPT(SMALL).eval()
    out = model(IDS, labels=IDS)
    by_hand = dv.nn.functional.cross_entropy(out.logits[:, :-1].reshape(-1, 20), IDS[:, 1:].reshape(-1))
    assert out.loss.item() == pytest.approx(by_hand.item(), rel=1e-6)


def test_outputs():
    out = ModelOutput(loss=None, logits=1, hidden_states=(2, 3))
    assert (out.loss, out.logits, out["logits"], out[0], out[1:]) == (None, 1, 1, 1, ((2, 3),))
    assert list(out) == ["logits", "hidden_states"] and "loss" not in out
    with pytest.raises(AttributeError, match="ModelOutput: there is no result 'logit'; it has logits, hidden_states"):
        out.logit


@pytest.mark.parametrize("kind", [BertModel, BertForMaskedLM, BertForSequenceClassification])
def test_a_folder_makes_the_round_trip(kind, tmp_path):
    model = kind(BERT).eval()
    model.save_pretrained(tmp_path / "new")
    again = kind.from_pretrained(tmp_path / "new")
    assert _same(model(IDS)[0], again(IDS)[0]) and not again.training and again.config == model.config


@pytest.mark.parametrize(
    "config", [SMALL, GPTConfig(20, 8, 2, 2, 12, bias=False, dropout=0.25, n_inner=10), GPTConfig(20, 8, 2, 2, 12, attn_pdrop=0.5)]
)
def test_a_folder_of_gpt_makes_the_round_trip(config, tmp_path):
    model = GPT(config).eval()
    model.save_pretrained(tmp_path)
    again = GPT.from_pretrained(tmp_path)
    assert _same(model(IDS).logits, again(IDS).logits) and again.config.to_dict() == config.to_dict()
    assert "lm_head.weight" not in read_weights(tmp_path)


def test_models_create_reads_a_folder(tmp_path):
    model = BertModel(BERT).eval()
    model.save_pretrained(tmp_path / "folder")
    made = dv.models.create("text/bert", weights=tmp_path / "folder", hidden_dropout_prob=0.0)
    assert _same(model(IDS)[0], made(IDS)[0]) and made.config.hidden_dropout_prob == 0.0
    dv.save(made, tmp_path / "alone.safetensors")
    again = dv.load(tmp_path / "alone.safetensors").eval()
    assert _same(model(IDS)[0], again(IDS)[0]) and again.config == made.config


def test_models_create_reads_a_file_too(tmp_path):
    model = GPT(SMALL).eval()
    dv.save(model.state_dict(), tmp_path / "w.safetensors")
    sizes = dict(vocab_size=20, block_size=8, n_layer=2, n_head=2, n_embd=12)
    made = dv.models.create("text/gpt", weights=tmp_path / "w.safetensors", **sizes).eval()
    assert _same(model(IDS).logits, made(IDS).logits)


def test_old_names_are_understood(tmp_path):
    model = BertModel(BERT).eval()
    model.save_pretrained(tmp_path)
    old = {}
    for name, t in read_weights(tmp_path).items():
        old["bert." + name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")] = t
    old["bert.embeddings.position_ids"] = dv.arange(512)[None]
    dv.save(old, tmp_path / "model.safetensors")
    assert _same(model(IDS)[0], BertModel.from_pretrained(tmp_path)(IDS)[0])


def test_a_folder_in_pieces(tmp_path):
    model = BertModel(BERT).eval()
    model.save_pretrained(tmp_path)
    state = read_weights(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    names = sorted(state)
    table = {name: f"model-{1 + (name > names[9])}-of-2.safetensors" for name in names}
    for file in set(table.values()):
        dv.save({name: state[name] for name in names if table[name] == file}, tmp_path / file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    assert _same(model(IDS)[0], BertModel.from_pretrained(tmp_path)(IDS)[0])
    table[names[0]] = "../elsewhere.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    with pytest.raises(FormatError, match="weight_map is not a table of tensors and files in the same folder"):
        read_weights(tmp_path)


def test_a_new_head_starts_untrained_and_says_so(tmp_path):
    BertModel(BERT).save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match=r"^BertForSequenceClassification: classifier.bias, classifier.weight are not") as seen:
        model = BertForSequenceClassification.from_pretrained(tmp_path, num_labels=2)
    assert len(seen) == 1 and not model.classifier.bias.any() and model.classifier.weight.std().item() == pytest.approx(0.02, rel=0.5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("encoder.layer.0.output.dense.bias"), r'Missing key\(s\) in state_dict: "encoder.layer.0.output.dense.bias"'),
        (lambda s: s.update(extra=dv.ones(1)), r'Unexpected key\(s\) in state_dict: "extra"'),
        (lambda s: s.pop("pooler.dense.bias"), r'Missing key\(s\) in state_dict: "pooler.dense.bias"'),
        (lambda s: s.update({"pooler.dense.bias": dv.ones(5)}), r"size mismatch for pooler.dense.bias"),
    ],
)
def test_names_and_shapes_must_fit(change, text, tmp_path):
    BertModel(BERT).save_pretrained(tmp_path)
    state = read_weights(tmp_path)
    change(state)
    dv.save(state, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match=text):
        BertModel.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("kind", "fields", "error", "text"),
    [
        (BertConfig, {"model_type": "roberta"}, ValueRangeError, "BertConfig: the configuration is that of a 'roberta'; expected a 'bert'"),
        (BertConfig, {"position_embedding_type": "relative_key"}, UnsupportedError, "position_embedding_type is 'relative_key'"),
        (BertConfig, {"is_decoder": True}, UnsupportedError, "is_decoder is True in the configuration; only False is there"),
        (GPTConfig, {"add_cross_attention": True}, UnsupportedError, "only False is there"),
        (Qwen2Config, {"use_sliding_window": True}, UnsupportedError, "Qwen2Config: use_sliding_window is True in the configuration"),
    ],
)
def test_configurations_that_are_not_ours(kind, fields, error, text):
    with pytest.raises(error, match=text):
        kind.from_dict(fields)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        (
            {"rope_parameters": {"rope_type": "longrope"}},
            UnsupportedError,
            "Rotary: rope_type is 'longrope'; expected one of default, linear,",
        ),
        (
            {"rope_parameters": {"rope_type": "linear"}},
            ValueRangeError,
            "Rotary: factor is missing of rope_type 'linear'; expected it in rope",
        ),
        (
            {"num_attention_heads": 4, "num_key_value_heads": 3},
            ValueRangeError,
            "there are 4 heads of queries and 3 of keys; expected a mult",
        ),
        ({"head_dim": 5}, ValueRangeError, "LlamaModel: head_dim is 5; expected an even number"),
        ({"hidden_act": "swiglu"}, UnsupportedError, "the activation is 'swiglu'"),
    ],
)
def test_llamas_that_cannot_be(fields, error, text):
    with pytest.raises(error, match=text):
        LlamaForCausalLM(LlamaConfig(20, 16, 8, 1, **{"num_attention_heads": 2, **fields}))


def test_errors_of_the_other_encoders():
    roberta = RobertaModel(RobertaConfig(20, 12, 1, 3, 20, max_position_embeddings=8))
    with pytest.raises(ShapeError, match="RobertaModel: the input has 7 tokens; expected 6 at most; truncate it"):
        roberta(dv.ones(1, 7, dtype=dv.int64))
    with pytest.raises(ShapeError, match=r"RobertaModel: attention_mask is \(2, 3\); expected \(2, 4\) as input_ids"):
        roberta(IDS, attention_mask=dv.ones(2, 3))
    distil = DistilBertModel(DistilBertConfig(20, 8, 1, 2, 12, 20))
    with pytest.raises(ShapeError, match="DistilBertModel: the input has 9 tokens; expected 8 at most"):
        distil(dv.ones(1, 9, dtype=dv.int64))
    with pytest.raises(ValueRangeError, match="DistilBertModel: You must specify exactly one"):
        distil()
    with pytest.raises(UnsupportedError, match="DistilBertModel: output_attentions is True"):
        distil(IDS, output_attentions=True)
    with pytest.raises(ValueRangeError, match="problem_type is 'ranking'; expected regression, single_label"):
        BertForSequenceClassification(BertConfig(20, 12, 1, 3, 20, problem_type="ranking"))(IDS, labels=dv.tensor([0, 1]))


def test_errors(tmp_path):
    with pytest.raises(ValueRangeError, match="You must specify exactly one of input_ids or inputs_embeds"):
        BertModel(BERT)()
    with pytest.raises(ShapeError, match=r"BertModel: attention_mask is \(2, 3\); expected \(2, 4\) as input_ids"):
        BertModel(BERT)(IDS, attention_mask=dv.ones(2, 3))
    with pytest.raises(UnsupportedError, match="output_attentions is True"):
        BertModel(BERT)(IDS, output_attentions=True)
    with pytest.raises(ShapeError, match="GPT: the input has 9 tokens; expected block_size = 8 at most"):
        GPT(SMALL)(dv.zeros(1, 9, dtype=dv.int64))
    with pytest.raises(ShapeError, match="BertModel: the input has 600 tokens; expected 512 at most; truncate it"):
        BertModel(BERT)(dv.zeros(1, 600, dtype=dv.int64))
    with pytest.raises(ValueRangeError, match="GPT: n_embd is 12 and n_head is 5; expected a multiple"):
        GPT(GPTConfig(20, 8, 2, 5, 12))
    with pytest.raises(TypeMismatch, match="GPT: config is str; expected a GPTConfig; use from_pretrained for a folder"):
        GPT("gpt2")
    with pytest.raises(UnsupportedError, match="config: the activation is 'mish2'; expected one of gelu,"):
        GPT(GPTConfig(20, 8, 2, 2, 12, activation_function="mish2"))
    with pytest.raises(ValueRangeError, match="BertConfig: there is no field 'hidden'; expected one of "):
        BertConfig.from_dict({}, hidden=3)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(FormatError, match="holds a list; expected a dict, as Hugging Face writes it"):
        BertConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="expected model.safetensors or pytorch_model.bin"):
        BertModel.from_pretrained(tmp_path)
    with pytest.raises(AttributeError, match="module 'dovetail_text.models' has no attribute 'T6'"):
        models.T6
