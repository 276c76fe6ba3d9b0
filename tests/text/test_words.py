"""The words of a model: found, tied again, and more or fewer of them."""

from __future__ import annotations

import pytest

import dovetail as dv
from dovetail import nn
from dovetail.errors import UnsupportedError, ValueRangeError
from dovetail_text import models as M
from dovetail_text.models.words import Words

SMALL = dict(num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
MAKE = {
    "bert": lambda: M.BertForMaskedLM(M.BertConfig(30, 8, **SMALL)),
    "roberta": lambda: M.RobertaForMaskedLM(M.RobertaConfig(30, 8, **SMALL)),
    "distilbert": lambda: M.DistilBertForMaskedLM(M.DistilBertConfig(30, dim=8, n_layers=1, n_heads=2, hidden_dim=16)),
    "llama": lambda: M.LlamaForCausalLM(M.LlamaConfig(30, 8, 16, 1, 2, 1)),
    "llama-tied": lambda: M.LlamaForCausalLM(M.LlamaConfig(30, 8, 16, 1, 2, 1, tie_word_embeddings=True)),
    "gpt": lambda: M.GPT(M.GPTConfig(30, 8, 1, 2, 8)),
    "encoder": lambda: M.BertModel(M.BertConfig(30, 8, **SMALL)),
    "classes": lambda: M.BertForSequenceClassification(M.BertConfig(30, 8, **SMALL)),
}
IDS = dv.tensor([[4, 5, 6]])


def _first(model):
    return model(IDS)[0]


@pytest.mark.parametrize("name", MAKE)
def test_more_words_and_fewer(name, tmp_path):
    dv.manual_seed(0)
    model = MAKE[name]().eval()
    before, tied = _first(model).detach(), dict(model.tied())
    mean = model.get_input_embeddings().weight.detach().mean(0)
    for count, most in ((35, 30), (8, 8)):
        parameter = model.get_input_embeddings().weight
        table = model.resize_token_embeddings(count)
        assert (
            table is model.get_input_embeddings() and table.weight is parameter and table.weight.shape[0] == count == table.num_embeddings
        )
        assert model.config.vocab_size == count and {m.config.vocab_size for m in model.modules() if isinstance(m, Words)} == {count}
        after = _first(model)
        if after.shape[-1] == count:
            assert dv.allclose(after[..., :most], before[..., :most], atol=1e-6)
        else:
            assert dv.allclose(after, before)
        for one, other in tied.items():
            assert model.get_parameter(one) is model.get_parameter(other)
        if count == 35:
            assert dv.allclose(table.weight[30:].detach(), mean.expand(5, -1), atol=1e-4)
    model.save_pretrained(tmp_path)
    assert dv.allclose(_first(type(model).from_pretrained(tmp_path)), _first(model))


def test_a_t5_has_its_words_on_both_sides():
    model = M.T5ForConditionalGeneration(M.T5Config(9, 8, 4, 16, num_layers=1, num_heads=2)).eval()
    table = model.resize_token_embeddings(9, pad_to_multiple_of=8)
    assert table.weight.shape == (16, 8) and model.encoder.embed_tokens is model.decoder.embed_tokens is table is model.shared
    assert model(dv.tensor([[1, 15]]), labels=dv.tensor([[14, 1]])).logits.shape == (1, 2, 16)


def test_new_rows_may_begin_as_initial_weights():
    dv.manual_seed(0)
    model = MAKE["llama"]()
    with dv.no_grad():
        model.get_input_embeddings().weight.add_(5)
    new = model.resize_token_embeddings(4000, mean_resizing=False).weight.detach()[30:]
    assert abs(new.mean().item()) < 2e-3 and abs(new.std().item() - model.config.initializer_range) < 1e-3
    assert model.resize_token_embeddings() is model.get_input_embeddings() and model.config.vocab_size == 4000


def test_training_goes_on_with_more_words():
    dv.manual_seed(0)
    model = MAKE["gpt"]()
    optimizer = dv.optim.SGD(model.parameters(), 0.5)
    model.resize_token_embeddings(33)
    ids = dv.tensor([[31, 32, 30, 31, 32, 30]])
    losses = []
    for _ in range(30):
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_other_tables_and_heads():
    model = MAKE["llama-tied"]()
    model.set_input_embeddings(nn.Embedding(12, 8))
    assert model.lm_head.weight is model.model.embed_tokens.weight and model(IDS).logits.shape == (1, 3, 12)
    model.set_output_embeddings(nn.Linear(8, 12, bias=False))
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    model.tie_weights()
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert MAKE["classes"]().get_output_embeddings() is None
    with pytest.raises(UnsupportedError, match="BertModel: the model has no layer that scores words"):
        MAKE["encoder"]().set_output_embeddings(nn.Linear(8, 12))
    with pytest.raises(ValueRangeError, match="resize_token_embeddings: new_num_tokens is 0; expected 1 or more"):
        model.resize_token_embeddings(0)
