"""What happens when: the hooks that the manifest lists."""

from __future__ import annotations

import os
from typing import Any

from dovetail.errors import FormatError, ValueRangeError
from dovetail.hooks import hookimpl


@hookimpl
def decode_sample(data: bytes, kind: str, limits: dict[str, int]) -> Any:
    """Read a sound file as a Clip."""
    from .files import read

    return read(data, kind, limits["elements"])


@hookimpl
def collate(samples: list[Any]) -> Any:
    """Fill clips with silence to the longest."""
    from .clips import join

    return join(samples)


@hookimpl
def register_formats() -> dict[str, dict[str, Any]]:
    """What the libsndfile at hand reads besides WAV."""
    from .files import other_formats

    return other_formats()


@hookimpl(trylast=True)
def audio_window(name: str, length: int) -> Any:
    """The plugin's own windows, when no other plugin knows the name."""
    from .windows import built_in

    return built_in(name, length)


@hookimpl
def build_model(entry: Any, config: dict[str, Any], weights: Any) -> Any:
    """Refuse another shape than that of the trained weights; None leaves the building to the core."""
    if entry.key == "audio/wav2small" and hasattr(weights, "key") and (other := sorted({"n_mels", "num_classes", "width"} & config.keys())):
        raise ValueRangeError(entry.key, f"{', '.join(other)} given with the weights {weights.key}", "expected one or the other")
    return None


@hookimpl
def doctor() -> list[tuple[str, bool, str]]:
    """Whether libsndfile and the shipped weights are there."""
    from dovetail import plugins

    from .models import shipped

    try:
        import soundfile

        found = [("libsndfile", True, soundfile.__libsndfile_version__)]
    except (ImportError, OSError) as error:
        found = [("libsndfile", False, f"{error}; pip install soundfile")]
    for key in plugins.weights.list("audio/*"):
        try:
            found.append((key, True, f"{len(shipped(plugins.weights.get(key)))} tensors"))
        except (FormatError, OSError) as error:
            found.append((key, False, str(error)))
    return found


_losses: list[float] = []


@hookimpl
def train_step_end(state: Any) -> None:
    """Note the loss, where DOVETAIL_AUDIO_TRAINING names a file to hear the training from."""
    if os.environ.get("DOVETAIL_AUDIO_TRAINING"):
        _losses.append(state.train_loss)


@hookimpl
def train_fit_end() -> None:
    """Write what the training sounded like."""
    if _losses:
        from .files import write
        from .heard import sound

        write(os.environ["DOVETAIL_AUDIO_TRAINING"], sound(_losses))
        _losses.clear()
