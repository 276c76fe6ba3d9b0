"""Digits as a hand draws them, and how they are drawn into the pad of a page that `dovetail.onnx.to_web` made."""

from __future__ import annotations

from tools.browser import Browser

__all__ = ["DIGITS", "answers", "draw", "read"]

#: Strokes through points of a square from (-1, -1) to (1, 1).
DIGITS = {
    0: [[(0, -1), (-0.45, -0.7), (-0.6, 0), (-0.45, 0.7), (0, 1), (0.45, 0.7), (0.6, 0), (0.45, -0.7), (0, -1)]],
    1: [[(-0.25, -0.65), (0.1, -1), (0.1, 1)]],
    2: [[(-0.5, -0.6), (-0.3, -0.95), (0.2, -1), (0.5, -0.7), (0.4, -0.2), (0, 0.35), (-0.5, 0.95), (0.1, 0.95), (0.6, 0.95)]],
    3: [[(-0.5, -0.85), (0, -1), (0.45, -0.75), (0.4, -0.3), (0, -0.05), (0.45, 0.2), (0.5, 0.7), (0.05, 1), (-0.5, 0.85)]],
    4: [[(0.2, -1), (-0.3, -0.3), (-0.6, 0.25), (0, 0.3), (0.6, 0.25)], [(0.35, -0.35), (0.3, 0.3), (0.25, 1)]],
    5: [[(0.55, -1), (-0.4, -1), (-0.45, -0.15), (0.1, -0.3), (0.5, 0.1), (0.45, 0.7), (0, 1), (-0.5, 0.85)]],
    6: [[(0.3, -1), (-0.2, -0.6), (-0.5, 0.1), (-0.4, 0.75), (0, 1), (0.45, 0.75), (0.4, 0.25), (0, 0.1), (-0.4, 0.4)]],
    7: [[(-0.55, -0.95), (0.1, -1), (0.55, -0.95), (0.2, -0.2), (-0.1, 0.4), (-0.25, 1)], [(-0.35, 0.05), (0.1, 0), (0.5, 0)]],
    8: [[(0.4, -0.7), (0, -1), (-0.4, -0.7), (-0.2, -0.25), (0.25, 0.15), (0.45, 0.6), (0, 1), (-0.45, 0.6),
         (-0.2, 0.1), (0.25, -0.3), (0.4, -0.7)]],
    9: [[(0.45, -0.55), (0.1, -1), (-0.4, -0.7), (-0.35, -0.2), (0.1, -0.1), (0.45, -0.5), (0.45, 0.2),
         (0.3, 0.75), (-0.1, 1), (-0.4, 0.85)]],
}  # fmt: skip


def draw(window: Browser, digit: int, pointer: str = "mouse") -> None:
    """Draw a digit into the pad, and wait until the model has answered to its last stroke."""
    before = window.script("return Number(document.body.dataset.runs ?? 0)")
    for points in DIGITS[digit]:
        window.stroke("#pad", [(90 * x, 120 * y) for x, y in points], pointer)
    window.wait(f"Number(document.body.dataset.runs ?? 0) >= {before + len(DIGITS[digit])}")


def answers(window: Browser) -> list[tuple[int, str]]:
    """The classes that the page shows, the likeliest first, with their shares."""
    shown = "[...document.querySelectorAll('#answers li')].map(e => [Number(e.dataset.index), e.lastChild.textContent])"
    return [(index, share) for index, share in window.script(f"return {shown}")]


def read(window: Browser) -> list[int]:
    """Draw the ten digits one after the other; what the page took each for."""
    window.wait("document.body.dataset.ready || /cannot/.test(document.body.innerText)")
    found = []
    for digit in DIGITS:
        draw(window, digit)
        found.append(answers(window)[0][0])
        window.click("#clear")
    return found
