"""Pipelines: what they take and refuse, without transformers."""

from __future__ import annotations

import json

import pytest

import dovetail as dv
from dovetail_text import models, pipelines
from dovetail_text.tokenizers import Char, train_wordpiece

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
TOKENIZER = train_wordpiece(["it fits well, it fits"], 40)
TOKENIZER.mask_token = "[MASK]"


def _model(name, **fields):
    dv.manual_seed(0)
    return getattr(models, name)(models.BertConfig(vocab_size=len(TOKENIZER), **SIZES, **fields)).eval()


def _pipe(task, name, tokenizer=TOKENIZER, **options):
    return pipelines.pipeline(task, _model(name), tokenizer=tokenizer, **options)


def _gpt(**options):
    config = models.GPTConfig(vocab_size=4, block_size=12, n_layer=1, n_head=2, n_embd=8)
    return pipelines.pipeline("text-generation", models.GPT(config).eval(), tokenizer=Char("_ab ", pad="_"), **options)


def test_a_folder_and_what_it_gives(tmp_path):
    pipe = _pipe("text-classification", "BertForSequenceClassification")
    pipe.save_pretrained(tmp_path)
    again = pipelines.pipeline("text-classification", tmp_path, top_k=None, device="cpu", dtype=dv.float64)
    assert again.model.dtype == dv.float64 and again.device.type == "cpu" and "BertForSequenceClassification" in repr(again)
    assert again(["it fits"])[0][0]["score"] == pytest.approx(pipe("it fits")[0]["score"], abs=1e-6)
    assert json.loads(json.dumps(pipe(["it", "fits"], batch_size=2, num_workers=2))) == [pipe("it")[0], pipe("fits")[0]]
    assert pipe([]) == [] and pipe.predict("it") == pipe.transform("it") == pipe("it")


def test_a_data_set_is_answered_one_by_one():
    pipe = _pipe("text-classification", "BertForSequenceClassification")

    class Texts(dv.utils.data.Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, at):
            return ["it", "fits"][at]

    answers = pipe(Texts())
    assert next(answers) == pipe("it")[0] and list(answers) == [pipe("fits")[0]]


def test_no_gradients_and_the_model_stays_as_it_was():
    pipe = _pipe("feature-extraction", "BertModel")
    pipe.model.train()
    assert not pipe("it", return_tensors=True).requires_grad and pipe.model.training


def test_a_word_that_is_no_token():
    pipe = _pipe("fill-mask", "BertForMaskedLM")
    with pytest.warns(UserWarning, match=r"the target 'fitsit' is no token; its first token, 'fits', is taken"):
        assert pipe("it [MASK]", targets=["fitsit"])[0]["token_str"] == "fits"


@pytest.mark.parametrize(
    "ask, error, message",
    [
        (lambda: pipelines.pipeline("fill-masc", "x"), LookupError, "no task 'fill-masc'; .*did you mean 'fill-mask'"),
        (lambda: pipelines.pipeline("summarization", "x"), ValueError, "no task 'summarization'; .*AutoModelForSeq2SeqLM, and generate"),
        (lambda: pipelines.pipeline("question-answering", "x"), LookupError, "use AutoModelForQuestionAnswering"),
        (lambda: pipelines.pipeline("ner"), ValueError, "pipeline: model is None; expected a folder"),
        (lambda: pipelines.pipeline("ner", _model("BertModel")), ValueError, "tokenizer is None; expected its tokenizer too"),
        (lambda: _pipe("fill-mask", "BertForMaskedLM")("it fits"), pipelines.PipelineException, r"there is no \[MASK\] in 'it fits'"),
        (lambda: _pipe("fill-mask", "BertForMaskedLM", Char("ab")), ValueError, "the tokenizer has no mask_token"),
        (lambda: _pipe("fill-mask", "BertForMaskedLM")("[MASK]", targets=[]), ValueError, r"targets is \[\]; expected one word or more"),
        (lambda: _pipe("text-classification", "BertForSequenceClassification")(3), ValueError, "the input is int; expected a str"),
        (lambda: _pipe("text-classification", "BertForSequenceClassification")([["it", "fits"]]), TypeError, "the input is list"),
        (
            lambda: _pipe("text-classification", "BertForSequenceClassification", function_to_apply="max")("it"),
            ValueError,
            "function_to_apply is 'max'; expected 'softmax', 'sigmoid' or 'none'",
        ),
        (lambda: _pipe("ner", "BertForTokenClassification", aggregation_strategy="best"), ValueError, "aggregation_strategy is 'best'"),
        (
            lambda: _pipe("ner", "BertForTokenClassification", aggregation_strategy="none", stride=2),
            ValueError,
            "stride is 2 and aggregation_strategy is 'none'",
        ),
        (
            lambda: _pipe("ner", "BertForTokenClassification", is_split_into_words=True)("it fits"),
            TypeError,
            "the input is str; expected a list of words",
        ),
        (lambda: _pipe("zero-shot-classification", "BertForSequenceClassification")("it", []), ValueError, "there are 0 candidate_labels"),
        (
            lambda: _pipe("zero-shot-classification", "BertForSequenceClassification")("it", "a", hypothesis_template="so"),
            ValueError,
            "hypothesis_template is 'so'; expected {}",
        ),
        (
            lambda: _pipe("feature-extraction", "BertModel")("it", truncation=True, tokenize_kwargs={"truncation": True}),
            ValueError,
            "truncation is given twice",
        ),
        (lambda: _gpt()(""), ValueError, "the prompt has no token; expected one or more"),
        (lambda: _gpt()("a", return_text=True, return_tensors=True), ValueError, "return_tensors and return_text are given"),
        (lambda: _gpt(handle_long_generation="cut"), ValueError, "handle_long_generation is 'cut'"),
        (lambda: _gpt()("a", max_new_token=3), ValueError, "max_new_token"),
        (lambda: _gpt()([{"role": "user", "content": "a"}]), ValueError, "chat_template"),
    ],
)
def test_what_is_refused(ask, error, message):
    with pytest.raises(error, match=message):
        ask()


def test_room_is_made_at_the_beginning_of_a_long_prompt():
    pipe = _gpt()
    pipe.tokenizer.model_max_length = 8
    assert len(pipe("ab" * 5, handle_long_generation="hole", max_new_tokens=3, return_tensors=True)[0]["generated_token_ids"]) == 8
    with pytest.raises(ValueError, match="9 tokens are to be new, of 8 at most; expected room for them"):
        pipe("ab", handle_long_generation="hole", max_new_tokens=9)
