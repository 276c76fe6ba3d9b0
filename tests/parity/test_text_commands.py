"""`dovetail generate` on a folder that transformers wrote: the text that transformers generates."""

from __future__ import annotations

from click.testing import CliRunner

from dovetail.cli.main import dovetail as program
from dovetail_text.tokenizers import train_bpe
from tests.parity.text_pairs import torch, transformers


def test_greedy_text_is_that_of_transformers(tmp_path):
    backend = train_bpe(["the café of the statement is naïve"] * 3, 300, special_tokens=["<|endoftext|>"]).backend
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")
    torch.manual_seed(0)
    sizes = {"vocab_size": len(tokenizer), "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, eos_token_id=0, bos_token_id=0)).eval()
    tokenizer.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    ids = tokenizer("the café", return_tensors="pt").input_ids
    expected = tokenizer.decode(model.generate(ids, max_new_tokens=15, do_sample=False)[0])
    result = CliRunner().invoke(program, ["generate", "the café", "--model", str(tmp_path), "--greedy", "--max-new-tokens", "15"])
    assert result.exit_code == 0, result.output
    assert result.output == expected + "\n" and len(expected) > 12
