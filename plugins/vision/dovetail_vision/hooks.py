"""What happens when: images are decoded, and the installation is looked at."""

from __future__ import annotations

from typing import Any

from dovetail.hooks import hookimpl

__all__ = ["decode_sample", "doctor"]


@hookimpl
def decode_sample(data: bytes, kind: str, limits: dict[str, int]) -> Any:
    """An image as a uint8 tensor (C, H, W)."""
    from .images import decode

    return decode(data, kind, limits["elements"])


@hookimpl
def doctor() -> list[tuple[str, bool, str]]:
    """Which image formats Pillow can read here."""
    from PIL import Image, features

    codecs = [name for name in ("jpg", "zlib", "webp") if features.check(name)]
    return [("Pillow", {"jpg", "zlib"} <= set(codecs), f"{Image.__version__}, with {', '.join(codecs)}")]
