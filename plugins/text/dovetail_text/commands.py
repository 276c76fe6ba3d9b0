"""`dovetail embed` and `dovetail generate`: sentences to vectors, and text that goes on, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

__all__ = ["embed", "generate"]

_HELP = {"help_option_names": ["-h", "--help"]}
_KEY, _WEIGHTS = "text/char_gpt", "pydoc"  # what is there without a network


def _encoder(name: str) -> Any:
    """The model of a name, of a folder as sentence-transformers writes it, or of a key."""
    from dovetail import models

    from .models import SentenceEncoder
    from .models.minilm import NAME

    if Path(name).is_dir():
        return SentenceEncoder.from_pretrained(name)
    if name.rpartition("/")[2].lower() == NAME.lower():
        return models.create("text/all-minilm-l6-v2", weights="v2")
    raise click.ClickException(f"--model {name}: there is no such folder; expected {NAME}, or a folder as sentence-transformers writes it")


def _save(vectors: Any, out: Path) -> None:
    import numpy as np

    from dovetail.io.atomic import replacing

    if out.suffix != ".npz":
        raise click.ClickException(f"--out {out}: expected a name that ends in .npz")
    with replacing(out) as temporary, open(temporary, "wb") as file:
        np.savez(file, embeddings=vectors)


def _say(texts: list[str], vectors: Any) -> None:
    """The first numbers of each vector, and, of a few texts, how near they are to each other."""
    for text, vector in zip(texts, vectors, strict=True):
        click.echo(f"{text}\n  {len(vector)} numbers: {' '.join(f'{number:.4f}' for number in vector[:6])} …")
    if 1 < len(texts) <= 10:
        click.echo("\nlikeness (cosine), in the order above")
        for row in vectors @ vectors.T:
            click.echo("  " + " ".join(f"{number:5.2f}" for number in row))


@click.command(context_settings=_HELP)
@click.argument("texts", nargs=-1, metavar="[TEXT]…")
@click.option("--file", "file", type=click.Path(path_type=Path), help="A UTF-8 file with a text on each line, after those given.")
@click.option("--model", "name", default="all-MiniLM-L6-v2", show_default=True, metavar="NAME|FOLDER", help="What embeds.")
@click.option("--out", type=click.Path(path_type=Path), help="An .npz file for the vectors: its array 'embeddings', one row a text.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list with one object a text.")
def embed(texts: tuple[str, ...], file: Path | None, name: str, out: Path | None, as_json: bool) -> None:
    """Turn texts into vectors of length 1 that are near for like meanings."""
    from dovetail.errors import DovetailError

    from .reading import lines_of

    try:
        chosen = [*texts, *(lines_of(file) if file else [])]
        if not chosen:
            raise click.ClickException("there is no text; give one or more, or --file FILE.txt with one on each line")
        vectors = _encoder(name).encode(chosen, normalize_embeddings=True, convert_to_numpy=True)
        if out is not None:
            _save(vectors, out)
    except (DovetailError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        rows = [{"text": text, "embedding": vector.tolist()} for text, vector in zip(chosen, vectors, strict=True)]
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif out is not None:
        click.echo(f"{out}: {len(vectors)} vectors of {vectors.shape[1]} numbers")
    else:
        _say(chosen, vectors)


class _Writer:
    """A model that goes on with text, and its tokenizer."""

    def __init__(self, name: str | None, weights: str | None) -> None:
        if name is not None and Path(name).is_dir():
            if weights is not None:
                raise click.ClickException("--weights goes with a key; a folder has its own weights")
            self.model, self.tokenizer = _from_folder(Path(name))
        else:
            self.model, self.tokenizer = _from_key(name or _KEY, weights)
        self.model.eval()

    def ids(self, prompt: str) -> list[int]:
        ids = list(self.tokenizer.encode(prompt).ids)
        start = getattr(self.tokenizer, "bos_token_id", None)
        ids = ids or ([] if start is None else [start])
        if not ids:
            raise click.ClickException("the prompt is empty, and the tokenizer has no token for the start of a text; give a word or two")
        return ids

    def ends(self) -> Any:
        end = getattr(self.model.config, "eos_token_id", None)
        return getattr(self.tokenizer, "eos_token_id", None) if end is None else end


def _from_folder(folder: Path) -> tuple[Any, Any]:
    """The language model of a Hugging Face folder: of the registered architectures that generate, the one of its ``model_type``."""
    from dovetail import models

    from . import models as own
    from .models.config import read_json
    from .tokenizers import HFTokenizer

    kind = read_json(folder / "config.json").get("model_type")
    rows = [models.get(key) for key in models.list("text/*")]
    have: dict[str, Any] = {}
    for row in rows:
        model = getattr(own, row.fields.get("architecture", ""), None)
        if row.plugin.name == "text" and hasattr(model, "generate"):
            have.setdefault(model.config_class.model_type, row)
    if kind not in have:
        raise click.ClickException(f"{folder}: its config.json says model_type {kind!r}; expected one of {', '.join(sorted(have))}")
    return models.create(have[kind].key, weights=folder), HFTokenizer.from_folder(folder)


def _from_key(key: str, weights: str | None) -> tuple[Any, Any]:
    from dovetail import models

    from .tokenizers import Tokenizer

    chosen: Any = weights or (_WEIGHTS if models.get(key).key == _KEY else "DEFAULT")
    file = Path(chosen)
    if file.suffix in (".safetensors", ".pt", ".pth", ".bin", ".dvt") and not file.is_file():
        raise click.ClickException(f"--weights {chosen}: there is no such file")
    model = models.create(key, weights=file if file.is_file() else chosen)
    tokenizer = getattr(model, "tokenizer", None)
    beside = file.parent / "tokenizer.json"
    if tokenizer is None and file.is_file() and beside.is_file():
        tokenizer = Tokenizer.from_file(beside)
    if tokenizer is None or not hasattr(model, "generate"):
        what = "does not generate text" if tokenizer is not None or not hasattr(model, "generate") else "comes without a tokenizer"
        raise click.ClickException(f"{key} {what}; take {_KEY}, or a folder with config.json, model.safetensors and tokenizer.json")
    return model, tokenizer


class _Printer:
    """Writes text as its tokens come; a character whose bytes are not all there yet waits."""

    def __init__(self, tokenizer: Any, ids: list[int], answers: bool) -> None:
        self.tokenizer, self.ids = tokenizer, [] if answers else list(ids)  # an answer does not begin with the prompt
        self.options = {"skip_special_tokens": True} if answers else {}
        self.start, self.text = len(self._decoded()), ""

    def _decoded(self) -> str:
        return self.tokenizer.decode(self.ids, **self.options) if self.ids else ""

    def __call__(self, token: Any) -> None:
        self.ids.append(int(token[0]))
        new = self._decoded()[self.start :]
        if not new.endswith("\ufffd"):
            self._echo(new)

    def close(self) -> None:
        self._echo(self._decoded()[self.start :] + "\n")

    def _echo(self, new: str) -> None:
        click.echo(new[len(self.text) :], nl=False)
        self.text = new


@click.command(context_settings=_HELP)
@click.argument("prompt")
@click.option(
    "--model", "name", metavar="FOLDER|KEY",
    help=f"A folder with config.json, model.safetensors and tokenizer.json, or a key; by default {_KEY}, which knows the Python manual.",
)  # fmt: skip
@click.option("--weights", metavar="KEY|FILE", help="Weights for a key: one of 'dovetail weights list', or a file.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=400, show_default=True, help="How much is added at most.")
@click.option("--temperature", type=float, default=0.8, show_default=True, help="Below 1 the likely becomes likelier.")
@click.option("--top-k", type=click.IntRange(min=1), help="Draw of so many likeliest tokens.")
@click.option("--top-p", type=float, default=0.95, show_default=True, help="Draw of the likeliest tokens that together reach this.")
@click.option("--seed", type=int, help="The same seed gives the same text.")
@click.option("--greedy", is_flag=True, help="Always the likeliest token; nothing is drawn.")
def generate(
    prompt: str, name: str | None, weights: str | None, max_new_tokens: int, temperature: float, top_k: int | None, top_p: float,
    seed: int | None, greedy: bool,
) -> None:  # fmt: skip
    """Go on with PROMPT: the text is written as it comes."""
    import dovetail as dv
    from dovetail.errors import DovetailError

    try:
        writer = _Writer(name, weights)
        ids = writer.ids(prompt)
        options: dict[str, Any] = {"eos": writer.ends()}
        if not greedy:
            generator = dv.Generator()
            generator.manual_seed(seed) if seed is not None else generator.seed()
            options |= {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p, "generator": generator}
        answers = bool(getattr(writer.model.config, "is_encoder_decoder", False))
        printer = _Printer(writer.tokenizer, ids, answers)
        begun = False

        def stream(token: Any) -> None:
            nonlocal begun
            if not begun and not answers:  # not before all arguments are seen to be right
                click.echo(prompt, nl=False)
                begun = True
            printer(token)

        writer.model.generate(ids, max_new_tokens, streamer=stream, **options)
        printer.close()
    except BrokenPipeError:  # the reader of a pipe has enough, which click says nothing of
        raise
    except (DovetailError, OSError) as error:
        raise click.ClickException(str(error)) from error
