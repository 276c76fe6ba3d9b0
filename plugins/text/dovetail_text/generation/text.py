"""generate: prompts in, texts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dovetail as dv
from dovetail import Tensor
from dovetail.errors import TypeMismatch, UnsupportedError, ValueRangeError

from .beams import beam_search
from .given import Given, sorted_out
from .guidance import guided
from .kept import Kept
from .prompts import AnswerSteps, Steps, answer_start, prompts
from .rules import Rule, Rules, tokens_of
from .scores import drawn, warped
from .stream import Stop

__all__ = ["generate"]


def generate(
    model: Any, ids: Any = None, max_new_tokens: int | None = None, temperature: float = 1.0, top_k: int | None = None,
    top_p: float | None = None, do_sample: bool = False, eos: int | Sequence[int] | None = None, generator: Any = None,
    streamer: Any = None, *, attention_mask: Tensor | None = None, pad: int | None = None, use_cache: bool = True, num_beams: int = 1,
    num_return_sequences: int = 1, length_penalty: float = 1.0, early_stopping: bool | str = False, repetition_penalty: float = 1.0,
    stop_strings: str | Sequence[str] | None = None, tokenizer: Any = None, eos_token_id: int | Sequence[int] | None = None,
    pad_token_id: int | None = None, input_ids: Any = None, inputs: Any = None, max_length: int | None = None, **more: Any,
) -> Any:  # fmt: skip
    """Continue prompts token by token; return them with what was added, ``(N, L + new)``. A T5 returns its answers.

    ``ids`` are the prompts: a tensor ``(N, L)``, or lists of several lengths, which are padded on the left with ``pad``; one prompt
    ``(L,)`` gives one text. ``attention_mask`` is 0 at padding (on the left) of a tensor.

    Without ``do_sample`` the likeliest token is taken; with it one is drawn, after ``temperature``, of the ``top_k`` likeliest and of
    the likeliest that together reach ``top_p``, from ``generator`` or the generator that ``manual_seed`` sets. ``num_beams`` searches
    for the text that is likeliest as a whole: ``length_penalty`` above 0 is for longer texts; with ``early_stopping`` a search ends
    when there are ``num_beams`` whole texts (True), when better ones are unlikely (False) or impossible (``"never"``).
    ``num_return_sequences`` texts of each prompt are returned, drawn, or the best of the beams. ``repetition_penalty`` above 1 makes
    tokens that were there less likely.

    A text ends at a token of ``eos`` (those of the model's configuration unless given; ``()`` for none) or where its new part
    contains one of ``stop_strings``, as ``tokenizer`` reads it, and is filled with ``pad`` (the configuration's, else ``eos``, unless
    given) while others go on. ``streamer`` is called with each step's tokens ``(N,)``. ``input_ids`` and ``inputs`` are other names of
    ``ids``, ``eos_token_id`` and ``pad_token_id`` of ``eos`` and ``pad``. ``max_length`` is the length with the prompt (of an answer, with
    its first token), in place of ``max_new_tokens``; without either, 20 tokens are added. ``top_k`` 0 is as None, of all; in the method
    ``model.generate`` it is 50 unless given, as in transformers.
    Beyond the ``block_size`` of a GPT the last ``block_size`` tokens are seen, without the cache.

    ``more`` are, by the names of transformers, ``min_new_tokens`` and ``min_length`` (before which no text ends),
    ``no_repeat_ngram_size``, ``bad_words_ids``, ``sequence_bias``, ``suppress_tokens``, ``min_p``, ``typical_p``, ``logits_processor``,
    ``stopping_criteria``, ``max_time`` and the other fields of `Rules`; ``inputs_embeds``, ``past_key_values``, ``encoder_outputs``,
    ``decoder_input_ids``, ``guidance_scale`` and the other fields of `Given`. With ``return_dict_in_generate`` a ``ModelOutput`` has the
    texts as ``sequences``, the ``cache``, and what is asked for by ``output_scores`` and ``output_logits``, a tensor ``(rows, V)`` a step,
    and ``output_hidden_states``. Arguments that only say how to compute make no difference.

    The mode of the model stays as it is: call ``model.eval()`` first. Tokens are those of Hugging Face's ``generate`` with the same
    arguments, drawn ones for the same seed; results are the same with and without ``use_cache``, to rounding.
    Raises a ValueError for arguments outside their range or that are not there, a TypeError for those of another type, a RuntimeError
    for prompts without a token, an UnsupportedError for beams that are streamed and for other ways to generate.

    >>> from dovetail_text.models import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocab_size=9, block_size=8, n_layer=1, n_head=2, n_embd=16)).eval()
    >>> generate(model, [1, 2, 3], 4).shape, generate(model, [[1, 2], [3]], 4, do_sample=True, top_k=3).shape
    (dovetail.Size([7]), dovetail.Size([2, 6]))
    """
    eos, pad = eos if eos_token_id is None else eos_token_id, pad if pad_token_id is None else pad_token_id
    rules, begun = sorted_out(more)
    ids, top_k, rules, begun = _one_of(ids, input_ids, inputs), top_k or None, rules.checked(), begun.checked(model)
    given = {"temperature": temperature, "top_p": top_p, "repetition_penalty": repetition_penalty, "length_penalty": length_penalty}
    _numbers(given, int | float)
    counts = {"max_new_tokens": max_new_tokens, "max_length": max_length, "top_k": top_k, "num_beams": num_beams}
    _numbers(counts | {"num_return_sequences": num_return_sequences}, int)
    _check(repetition_penalty, *((temperature, top_k, top_p) if do_sample else ()))
    _check_many(num_beams, num_return_sequences, do_sample, streamer, early_stopping)
    ends, pad = _ends(model.config, eos, pad)
    stop = Stop(ends, stop_strings, tokenizer, rules.stopping_criteria, rules.max_time)
    copies = num_beams if num_beams > 1 else num_return_sequences
    kept = Kept(rules) if rules.return_dict_in_generate else None
    with dv.no_grad():
        ids, attention_mask, single = _placed(model, ids, attention_mask, pad, begun)
        steps, new = _steps(model, ids, attention_mask, max_new_tokens, max_length, use_cache, begun, copies)
        start = steps.start.shape[1]
        if rules.min_length and begun.inputs_embeds is not None and not start:
            rules.min_length = max(0, rules.min_length - begun.inputs_embeds.shape[1])
        shapes = rules.before(repetition_penalty, ids, steps.padding, start, start + new, ends, max(num_beams, num_return_sequences))
        if begun.guides:
            shapes.insert(0, guided(model, begun, ids, new, use_cache, copies, num_beams))
        if do_sample:
            keep = len(ends) + 1 if num_beams > 1 and ends else 2 if num_beams > 1 else 1
            shapes.append(_warper(rules, temperature, top_k, top_p, keep))
        if rules.renormalize_logits:
            shapes.append(lambda ids, scores: scores.log_softmax(-1))
        shape, draw = partial(_shaped, shapes), partial(drawn, generator=generator) if do_sample else None
        if num_beams > 1:
            options = {"keep": num_return_sequences, "length_penalty": length_penalty, "early_stopping": early_stopping}
            found = beam_search(steps, new, num_beams, stop, shape, pad, draw=draw, kept=kept, **options)
        else:
            found = _continued(steps, new, stop, shape, pad, draw or _likeliest, _told(streamer, steps.start), kept)
    if streamer is not None and hasattr(streamer, "end"):
        streamer.end()
    if kept is not None:
        return kept.output(found, steps)
    return found[0] if single and num_return_sequences == 1 else found


def _ends(config: Any, eos: Any, pad: int | None) -> tuple[list[int], int]:
    """The tokens that end a text, and the one that fills up."""
    ends = tokens_of(getattr(config, "eos_token_id", None) if eos is None else eos)
    pad = getattr(config, "pad_token_id", None) if pad is None else pad
    return ends, pad if pad is not None else ends[0] if ends else 0


def _shaped(shapes: Sequence[Rule], scores: Tensor, ids: Tensor) -> Tensor:
    for rule in shapes:
        scores = rule(ids, scores)
    return scores


def _warper(rules: Rules, temperature: float, top_k: int | None, top_p: float | None, keep: int) -> Rule:
    others = {name: getattr(rules, name) for name in ("min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")}
    return lambda ids, scores: warped(scores, temperature, top_k, top_p, keep=keep, **others)


def _told(streamer: Any, prompt: Tensor) -> Callable[[Tensor], None] | None:
    """What is called with each step's tokens; a streamer of transformers' kind is given the prompt first, or where an answer begins."""
    if hasattr(streamer, "put"):
        streamer.put(prompt)
        return streamer.put  # type: ignore[no-any-return]
    return streamer  # type: ignore[no-any-return]


def _one_of(*given: Any) -> Any:
    """The prompts, by whichever name they came; None without them."""
    found = [ids for ids in given if ids is not None]
    if len(found) > 1:
        raise TypeMismatch("generate", f"{len(found)} of ids, input_ids and inputs are given", "expected one of them")
    return found[0] if found else None


def _placed(model: Any, ids: Any, mask: Tensor | None, pad: int, begun: Given) -> tuple[Tensor, Tensor | None, bool]:
    """The prompts and their mask, where the model is, and whether it was a single one; without any, what stands for them."""
    device, answers = next(model.parameters()).device, getattr(model.config, "is_encoder_decoder", False)
    vectors = begun.inputs_embeds
    if answers and ids is not None and vectors is not None:
        raise ValueRangeError("generate", "ids and inputs_embeds are given", "the encoder takes one of them", "pick one")
    if ids is None and vectors is not None:
        ids = dv.zeros(vectors.shape[0], 0, dtype=dv.int64, device=device)
    elif ids is None and begun.encoder_outputs is not None:
        vectors = begun.encoder_outputs[0]
        ids = dv.zeros(vectors.shape[0], 0, dtype=dv.int64, device=device)
    elif ids is None:
        first = getattr(model.config, "bos_token_id", None) if begun.bos_token_id is None else begun.bos_token_id
        if first is None or answers:
            what = "`bos_token_id` has to be defined when no `input_ids` are provided"
            raise ValueRangeError("generate", "there is no prompt" if answers else what, "expected ids", "give the tokens of a text")
        return dv.full((1, 1), first, dtype=dv.int64, device=device), None, False
    ids, mask, single = prompts(ids, mask, pad, left=not answers, vectors=vectors)
    return ids.to(device), None if mask is None else mask.to(device), single


def _steps(
    model: Any, ids: Tensor, mask: Tensor | None, new: int | None, longest: int | None, use_cache: bool, begun: Given, copies: int
) -> tuple[Any, int]:  # fmt: skip
    """How scores are computed, for ``copies`` of each prompt, and how many tokens are added at most."""
    if getattr(model.config, "is_encoder_decoder", False):
        start = answer_start(model.config, begun, ids.shape[0], ids.device)
        new = _new_tokens(start.shape[1], new, longest)
        return AnswerSteps(model, ids, mask, start, new, use_cache, begun, copies), new
    new = _new_tokens((ids if begun.inputs_embeds is None else begun.inputs_embeds).shape[1], new, longest)
    return Steps(model, ids, mask, new, use_cache, begun, copies), new


def _new_tokens(length: int, new: int | None, longest: int | None) -> int:
    """How many tokens are added at most to those that there are."""
    if new is None and longest is not None:
        if longest <= length:
            what = f"max_length is {longest} and the prompt has {length} tokens"
            raise ValueRangeError("generate", what, "expected room for one more", "pass max_new_tokens")
        return longest - length
    new = 20 if new is None else new
    if new < 0:
        raise ValueRangeError("generate", f"max_new_tokens is {new}", "expected 0 or more")
    return new


def _continued(
    steps: Any, new: int, stop: Stop, shape: Callable[[Tensor, Tensor], Tensor], pad: int, take: Callable[[Tensor], Tensor],
    streamer: Callable[[Tensor], None] | None, kept: Kept | None = None,
) -> Tensor:  # fmt: skip
    """One token after the other; the room for all of them is made once."""
    rows, start = steps.start.shape
    room = dv.full((rows, start + new), pad, dtype=dv.int64, device=steps.start.device)
    room[:, :start] = steps.start
    going = dv.ones(rows, dtype=dv.bool, device=room.device)
    ends, at = stop.asked, start
    for at in range(start + 1, start + new + 1):
        said = room[:, : at - 1]
        logits = steps.scores(said).to(dv.float32)
        scores = shape(logits, said)
        if kept is not None:
            kept.take(scores, logits)
        token = take(scores)
        token = dv.where(going, token, pad) if ends else token
        room[:, at - 1] = token
        if streamer is not None:
            streamer(token)
        if ends:
            going = going & ~stop(room[:, :at], start)
            if not bool(going.any()):
                break
    return room[:, :at]


def _likeliest(scores: Tensor) -> Tensor:
    return scores.argmax(-1)


def _numbers(given: dict[str, Any], kind: Any) -> None:
    for name, value in given.items():
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise TypeMismatch("generate", f"{name} is {value!r}", "expected a whole number" if kind is int else "expected a number")


def _check(repetition_penalty: float, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> None:
    if not temperature > 0:
        raise ValueRangeError("generate", f"temperature is {temperature}", "expected more than 0", "leave do_sample False for greedy text")
    if top_k is not None and top_k < 1:
        raise ValueRangeError("generate", f"top_k is {top_k}", "expected 1 or more, or None for all")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueRangeError("generate", f"top_p is {top_p}", "expected 0 < top_p <= 1, or None for all")
    if not repetition_penalty > 0:
        raise ValueRangeError("generate", f"repetition_penalty is {repetition_penalty}", "expected more than 0; 1 changes nothing")


def _check_many(beams: int, sequences: int, do_sample: bool, streamer: Any, early_stopping: bool | str) -> None:
    if beams < 1 or sequences < 1:
        what = f"num_beams is {beams} and num_return_sequences is {sequences}"
        raise ValueRangeError("generate", what, "expected 1 or more of each")
    if beams > 1 and streamer is not None:
        raise UnsupportedError("generate", f"num_beams is {beams} with a streamer", "expected beams alone", "leave one of them out")
    if sequences > beams and (beams > 1 or not do_sample):
        what = f"num_return_sequences is {sequences}, num_beams {beams}"
        raise ValueRangeError("generate", what, "expected as many beams at least, or do_sample=True without beams")
    if early_stopping not in (True, False, "never"):
        raise ValueRangeError("generate", f"early_stopping is {early_stopping!r}", "expected True, False or 'never'")
