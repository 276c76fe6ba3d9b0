"""Commands: `dovetail listen`."""

from __future__ import annotations

import click


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def listen(file: str) -> None:
    """Say which word is spoken in FILE, a WAV file (or FLAC, where libsndfile reads it)."""
    import dovetail as dv
    from dovetail import models, plugins
    from dovetail.errors import FormatError
    from dovetail.io import decode

    from .datasets import RATE, WORDS

    try:
        clip = decode(file).mono().resampled(RATE)
    except FormatError as error:
        raise click.ClickException(str(error)) from error
    model = models.create("audio/wav2small", weights="v1").eval()
    with dv.inference_mode():
        features = plugins.transforms.load("audio/logmel")(rate=RATE)(clip)
        chances = model(features[None]).softmax(-1)[0]
    best = int(chances.argmax())
    click.echo(f"{WORDS[best]} ({chances[best].item():.0%})")
