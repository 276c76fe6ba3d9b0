"""How `dovetail demo` shows its training: a live display on a terminal, one line an epoch elsewhere."""

from __future__ import annotations

import itertools
import sys
import time
from types import TracebackType
from typing import Any, Self

import click

from .task import History

__all__ = ["Lines", "Live", "display"]

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40


def display(epochs: int) -> Lines:
    """The display that suits where the output goes."""
    return Live(epochs) if sys.stdout.isatty() else Lines(epochs)


class Lines:
    """One line an epoch, for logs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def batch(self, history: History) -> None:
        """Nothing is said of single batches."""

    def epoch(self, history: History) -> None:
        """Say how the epoch went."""
        done = history.passes[-1]
        width = len(str(self.epochs))
        click.echo(
            f"epoch {len(history.passes):{width}}/{self.epochs}  loss {done.loss:.3f}  accuracy {done.accuracy:6.1%}  "
            f"held out {done.held_out:6.1%}  {history.rate:,.0f} samples/s  {history.left:.0f} s left"
        )


class Live(Lines):
    """A bar with speed and time left, and the curves of loss and accuracy as they grow."""

    def __init__(self, epochs: int) -> None:
        super().__init__(epochs)
        from rich.live import Live as Screen

        self.shown = 0.0
        self.screen = Screen(auto_refresh=False)

    def __enter__(self) -> Self:
        self.screen.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.screen.__exit__(kind, error, trace)

    def batch(self, history: History) -> None:
        """Draw, ten times a second at most."""
        now = time.perf_counter()
        if now - self.shown > 0.1:
            self.shown = now
            self.screen.update(picture(history), refresh=True)

    def epoch(self, history: History) -> None:
        """Draw."""
        self.screen.update(picture(history), refresh=True)


def picture(history: History) -> Any:
    """What the terminal shows at this moment."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    done, recent = len(history.losses), history.losses[-20:]
    epoch = min(done * history.epochs // history.total + 1, history.epochs)
    grid = Table.grid(padding=(0, 2))
    left = f"{history.left:.0f} s left" if done < history.total else f"{time.perf_counter() - history.begun:.0f} s"
    bar = ProgressBar(history.total, done, width=_WIDTH, complete_style="cyan", finished_style="green")
    grid.add_row(Text(f"epoch {epoch}/{history.epochs}", "bold"), bar, f"{history.rate:,.0f} samples/s", Text(left, "dim"))
    loss, right = sum(recent) / len(recent), sum(history.right[-20:]) / len(recent)
    grid.add_row("loss", Text(curve(history.losses), "magenta"), Text(f"{loss:.3f}", "bold"))
    held_out = f"held out {history.passes[-1].held_out:.1%}" if history.passes else ""
    grid.add_row("accuracy", Text(curve(history.right, 0, 1), "green"), Text(f"{right:.1%}", "bold"), Text(held_out, "bold green"))
    return grid


def curve(values: list[float], low: float | None = None, high: float | None = None) -> str:
    """Numbers as a line of blocks, averaged to the width of the bar.

    >>> curve([0.0, 1.0, 2.0, 7.0])
    '▁▂▃█'
    """
    count = min(len(values), _WIDTH)
    edges = [i * len(values) // count for i in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(means) if low is None else low, max(means) if high is None else high
    steps = len(_BARS) - 1
    return "".join(_BARS[round((m - low) / (high - low) * steps) if high > low else 0] for m in means)
