"""Programs in the idioms of transformers: the same lines on its models and on ours give the same."""

from __future__ import annotations

import numpy as np
import pytest

import dovetail as dv
from dovetail_text import models, tokenizers
from dovetail_text.generation import generate
from tests.parity.text_pairs import close, pair, torch, transformers

pytestmark = pytest.mark.parity

LLAMA = dict(
    vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=64, initializer_range=0.3, pad_token_id=0, bos_token_id=1, eos_token_id=2,
)  # fmt: skip
GPT2 = dict(
    vocab_size=40, n_positions=64, n_embd=16, n_layer=2, n_head=2, initializer_range=0.3, bos_token_id=1, eos_token_id=2, pad_token_id=0
)
BERT = dict(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=20)
KINDS = {"LlamaForCausalLM": ("LlamaConfig", LLAMA), "GPT2LMHeadModel": ("GPT2Config", GPT2)}
IDS = [[0, 0, 5, 6], [3, 5, 6, 7]]


def _two(tmp_path, name="LlamaForCausalLM", **more):
    config, fields = KINDS[name]
    return pair(tmp_path, name, config, **{**fields, **more})


def _inputs(kind):
    return {"input_ids": kind.tensor(IDS), "attention_mask": (kind.tensor(IDS) != 0).long()}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {"max_new_tokens": 7, "do_sample": False}, {"max_length": 9}, {}, {"max_new_tokens": 6, "num_beams": 3},
        {"max_new_tokens": 12, "do_sample": True}, {"max_new_tokens": 12, "do_sample": True, "top_k": 0, "temperature": 1.3},
        {"max_new_tokens": 9, "do_sample": True, "top_k": 5, "top_p": 0.8, "temperature": 0.7, "repetition_penalty": 1.2},
    ],
)  # fmt: skip
def test_generate_with_what_a_tokenizer_gave(name, options, tmp_path):
    texts = []
    for model, kind in zip(_two(tmp_path, name), (dv, torch), strict=True):
        kind.manual_seed(7)
        texts.append(model.generate(**_inputs(kind), **options).tolist())
    assert texts[0] == texts[1]


def test_the_method_draws_of_the_50_likeliest_and_the_function_of_all(tmp_path):
    ours, theirs = _two(tmp_path, vocab_size=300, initializer_range=0.02, eos_token_id=None)
    texts = {}
    for top_k in ("unsaid", 50, 0):
        options = {"max_new_tokens": 40, "do_sample": True} | ({} if top_k == "unsaid" else {"top_k": top_k})
        for model, kind in ((ours, dv), (theirs, torch)):
            kind.manual_seed(3)
            texts[kind, top_k] = model.generate(**_inputs(kind), **options).tolist()
        assert texts[dv, top_k] == texts[torch, top_k], top_k
    assert texts[dv, "unsaid"] == texts[dv, 50] != texts[dv, 0]
    dv.manual_seed(3)
    assert generate(ours, **_inputs(dv), max_new_tokens=40, do_sample=True).tolist() == texts[dv, 0]
    assert ours.generate(**_inputs(dv), max_new_tokens=9).tolist() == generate(ours, **_inputs(dv), max_new_tokens=9).tolist()


@pytest.mark.parametrize("name", KINDS)
def test_a_loop_of_ones_own_with_past_key_values(name, tmp_path):
    said = []
    for model, kind in zip(_two(tmp_path, name), (dv, torch), strict=True):
        ids, past, tokens, scores = kind.tensor([[3, 5, 6]]), None, [], []
        with kind.no_grad():
            for _ in range(9):  # more than the room that the first call makes
                out = model(input_ids=ids, past_key_values=past, use_cache=True, return_dict=True)
                past, ids = out.past_key_values, out.logits[:, -1:].argmax(-1)
                tokens.append(ids.item())
                scores.append(out.logits[:, -1])
        assert past.get_seq_length() == 11
        said.append((tokens, kind.cat(scores)))
    assert said[0][0] == said[1][0]
    close(said[0][1], said[1][1])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_pass_through_past_key_values(name, layers, tmp_path):
    """One call that makes a cache, then one that goes on from it, then one without gradients and one more with them."""
    grads = []
    for model, kind in zip(_two(tmp_path, name, **{"n_layer" if "GPT" in name else "num_hidden_layers": layers}), (dv, torch), strict=True):
        ids = kind.tensor([[3, 5, 6, 7, 9, 8]])
        first = model(input_ids=ids[:, :3], labels=ids[:, :3], use_cache=True)
        second = model(input_ids=ids[:, 3:4], past_key_values=first.past_key_values, use_cache=True)
        with kind.no_grad():
            third = model(input_ids=ids[:, 4:5], past_key_values=second.past_key_values, use_cache=True)
        last = model(input_ids=ids[:, 5:], past_key_values=third.past_key_values, use_cache=True)
        (first.loss + (second.logits**2).sum()).backward(retain_graph=True)
        grads.append({key: p.grad.numpy().copy() for key, p in model.named_parameters()})
        grads[-1] |= {"logits": last.logits.detach().numpy()}
    for key, want in grads[1].items():
        np.testing.assert_allclose(grads[0][key], want, rtol=2e-4, atol=2e-5 * np.abs(want).max(), err_msg=key)


def test_corners_of_configurations(tmp_path):
    corners = [
        {"tie_word_embeddings": True}, {"attention_bias": True, "mlp_bias": True}, {"rms_norm_eps": 0.1}, {"head_dim": 8},
        {"hidden_act": "gelu_pytorch_tanh"}, {"rope_theta": 500.0},
        {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                          "original_max_position_embeddings": 16}},
    ]  # fmt: skip
    for at, more in enumerate(corners):
        ours, theirs = _two(tmp_path / str(at), **more)
        got, want = ours(**_inputs(dv)).logits, theirs(**_inputs(torch)).logits
        close(got, want, keep=np.array(IDS) != 0)
    for act, eps in (("gelu_new", 1e-12), ("gelu", 0.3), ("relu", 1e-5)):
        ours, theirs = pair(tmp_path / act, "BertModel", "BertConfig", **BERT, hidden_act=act, layer_norm_eps=eps)
        close(ours(**_inputs(dv)).last_hidden_state, theirs(**_inputs(torch)).last_hidden_state, keep=np.array(IDS) != 0)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_half_precision_and_pieces(kind, tmp_path):
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)).to(getattr(torch, kind)).eval()
    theirs.save_pretrained(tmp_path, max_shard_size="5KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    ours = models.AutoModelForCausalLM.from_pretrained(tmp_path, device_map="cpu", low_cpu_mem_usage=True)
    assert ours.dtype == dv.float32 and ours.device.type == "cpu"
    wide = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    close(ours(**_inputs(dv)).logits, wide(**_inputs(torch)).logits, keep=np.array(IDS) != 0)
    for asked, got in (("auto", kind), (getattr(dv, kind), kind), ("float64", "float64")):
        assert models.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=asked).dtype == getattr(dv, got)
        assert models.LlamaForCausalLM.from_pretrained(tmp_path, torch_dtype=asked).dtype == getattr(dv, got)
    with pytest.raises(ValueError, match="from_pretrained: dtype is 'int8'; expected a floating-point type, or 'auto'"):
        models.LlamaForCausalLM.from_pretrained(tmp_path, dtype="int8")


def test_the_ends_that_generation_config_names(tmp_path):
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)).eval()
    theirs.generation_config.eos_token_id = [2, 9, 11]
    theirs.save_pretrained(tmp_path)
    ours = models.LlamaForCausalLM.from_pretrained(tmp_path)
    assert ours.config.eos_token_id == [2, 9, 11]
    assert ours.generate(**_inputs(dv), max_new_tokens=20).tolist() == theirs.generate(**_inputs(torch), max_new_tokens=20).tolist()


def test_labels_keep_their_names_and_a_head_of_another_size_may_go(tmp_path):
    names = {0: "bad", 1: "good"}
    _, theirs = pair(tmp_path, "BertForSequenceClassification", "BertConfig", **BERT, id2label=names, label2id={"bad": 0, "good": 1})
    ours = models.AutoModelForSequenceClassification.from_pretrained(tmp_path)
    best = [model(**_inputs(kind)).logits.argmax(-1).tolist() for model, kind in ((ours, dv), (theirs, torch))]
    assert [ours.config.id2label[i] for i in best[0]] == [theirs.config.id2label[i] for i in best[1]]
    ours.save_pretrained(tmp_path / "again")
    assert transformers.AutoConfig.from_pretrained(tmp_path / "again").id2label == names
    with pytest.raises(RuntimeError, match="size mismatch for classifier.weight"):
        models.BertForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
    with pytest.warns(UserWarning, match=r"classifier.bias, classifier.weight are not in the folder and start untrained"):
        other = models.BertForSequenceClassification.from_pretrained(tmp_path, num_labels=5, ignore_mismatched_sizes=True)
    assert other.classifier.weight.shape == (5, 16) and len(other.config.to_dict()["id2label"]) == 5


def test_a_folder_of_ours_is_theirs_with_its_tokenizer(tmp_path):
    tokenizer = tokenizers.train_bpe(["it fits well, it fits"] * 4, 270, special_tokens=["<pad>", "<|endoftext|>"])
    tokenizer.padding_side = "left"
    dv.manual_seed(0)
    config = models.GPT2Config(vocab_size=len(tokenizer), block_size=32, n_layer=2, n_head=2, n_embd=16, initializer_range=0.3)
    models.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    said = []
    for auto, model, kind in (
        (tokenizers.AutoTokenizer, models.AutoModelForCausalLM, dv),
        (transformers.AutoTokenizer, transformers.AutoModelForCausalLM, torch),
    ):
        read, gpt = auto.from_pretrained(tmp_path), model.from_pretrained(tmp_path).eval()
        batch = read(["it fits", "well, it is so"], padding=True, truncation=True, max_length=12, return_tensors="pt").to("cpu")
        with kind.no_grad():
            out = gpt.generate(**{name: batch[name] for name in ("input_ids", "attention_mask")}, max_new_tokens=8, pad_token_id=0)
        said.append((read.pad_token, read.eos_token, read.padding_side, out.tolist(), read.batch_decode(out, skip_special_tokens=True)))
    assert said[0] == said[1]


def test_samples_end_to_end():
    from dovetail_text.data import DataCollatorWithFlattening

    labelled = [{"input_ids": [5, 6], "labels": [1, -100]}, {"input_ids": [7, 8], "labels": [2, 3]}]
    for rows in ([{"input_ids": [5, 6, 7]}, {"input_ids": [8]}], labelled):
        want = transformers.DataCollatorWithFlattening()(rows)
        got = DataCollatorWithFlattening()(rows)
        assert {name: t.tolist() for name, t in got.items()} == {name: t.tolist() for name, t in want.items()}
