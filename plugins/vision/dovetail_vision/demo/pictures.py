"""The pictures that `dovetail demo` leaves behind: the training curves, the digits with the answers, and who was taken for whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .task import History

__all__ = ["draw"]

INK, PALE, GRID = "#22313f", "#8496a5", "#e3e8ec"
BLUE, ORANGE = "#2a6f97", "#d1602b"
_STYLE: Any = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
}


def draw(out: Path, history: History, scans: Any, labels: Any, given: Any, matrix: Any) -> dict[str, str]:
    """Write the pictures into a folder; return what each file shows. Raises an ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    pictures = {
        "training.png": ("loss and accuracy as they went", lambda: training(plt, history)),
        "predictions.png": ("held-out digits with the answers, mistakes marked", lambda: predictions(plt, scans, labels, given)),
        "confusion.png": ("which digit was taken for which", lambda: confusion(plt, matrix)),
    }
    with mpl.rc_context(_STYLE):
        for name, (_, make) in pictures.items():
            figure = make()
            figure.savefig(out / name, dpi=130)
            plt.close(figure)
    return {name: about for name, (about, _) in pictures.items()}


def training(plt: Any, history: History) -> Any:
    """Loss by batch and by epoch, and accuracy while learning and on the held-out digits."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.14, h_pad=0.14, wspace=0.04)
    per_epoch = history.total / history.epochs
    steps = (np.arange(len(history.losses)) + 1) / per_epoch
    epochs = np.arange(len(history.passes)) + 1
    left.plot(steps, history.losses, color=BLUE, alpha=0.3, linewidth=1, label="each batch")
    bold = {"linewidth": 2, "marker": "o", "markersize": 3.5}
    left.plot(epochs - 0.5, [p.loss for p in history.passes], color=BLUE, label="mean of the epoch", **bold)
    left.set(title="Loss", xlabel="epoch", ylim=(0, None))
    left.legend()
    kinds = (("while learning, on varied digits", "accuracy", BLUE, 0.5), ("held-out digits", "held_out", ORANGE, 0.0))
    for label, name, colour, shift in kinds:
        values = [getattr(p, name) * 100 for p in history.passes]
        right.plot(epochs - shift, values, color=colour, label=label, **bold)
    last = history.passes[-1].held_out * 100
    right.annotate(f"{last:.1f} %", (epochs[-1], last), (-4, -14), textcoords="offset points", color=ORANGE, weight="bold", ha="right")
    lowest = min(min(p.accuracy, p.held_out) for p in history.passes) * 100
    right.set(title="Accuracy, %", xlabel="epoch", ylim=(max(0.0, lowest // 10 * 10 - 5), 101))
    right.legend(loc="lower right" if history.epochs > 2 else "center")
    for axes in (left, right):
        axes.grid(axis="y", color=GRID)
        axes.set_axisbelow(True)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlim(0, history.epochs * 1.02)
    return figure


def chosen(labels: Any, given: Any, count: int) -> Any:
    """Which held-out digits to show: the mistakes (a third of the places at most) and others at even steps, in their order."""
    wrong = np.flatnonzero(labels != given)[: count // 3]
    others = np.flatnonzero(labels == given)
    others = others[np.linspace(0, len(others) - 1, min(count - len(wrong), len(others))).astype(int)]
    return np.sort(np.concatenate([wrong, others]))


def predictions(plt: Any, scans: Any, labels: Any, given: Any) -> Any:
    """A grid of digits with the answer below each; a mistake is framed and says what was right."""
    from matplotlib.patches import Rectangle

    columns, rows, wide, high = 14, 7, 10.0, 12.6
    shown = chosen(labels, given, columns * rows)
    figure, axes = plt.subplots(figsize=(10, 6.55), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.14, h_pad=0.14)
    for place, i in enumerate(shown):
        row, column = divmod(place, columns)
        x, y = column * wide, row * high
        axes.imshow(scans[i], cmap="gray_r", vmin=0, vmax=255, extent=(x, x + 8, y + 8, y), interpolation="nearest")
        wrong = labels[i] != given[i]
        text = f"{given[i]}, is {labels[i]}" if wrong else str(given[i])
        colour, weight = (ORANGE, "bold") if wrong else (PALE, "normal")
        axes.text(x + 4, y + 10, text, ha="center", va="center", fontsize=9, color=colour, weight=weight)
        edge, line = (ORANGE, 2.2) if wrong else (GRID, 0.8)
        axes.add_patch(Rectangle((x - 0.35, y - 0.35), 8.7, 8.7, fill=False, edgecolor=edge, linewidth=line))
    axes.set_title(f"What the model read in digits it had never seen: {_sum(labels, given, shown)}", pad=10)
    axes.set(xlim=(-0.6, columns * wide - 1.4), ylim=(rows * high - 1, -1), aspect="equal")
    axes.axis("off")
    return figure


def _sum(labels: Any, given: Any, shown: Any) -> str:
    """The line above the grid."""
    mistakes, framed = int((labels != given).sum()), int((labels != given)[shown].sum())
    right = f"{len(labels) - mistakes} of {len(labels)} right"
    if mistakes > framed:
        return f"{right}, {framed} of the {mistakes} mistakes are framed"
    return f"{right}, " + {0: "no mistake", 1: "the one mistake is framed"}.get(mistakes, f"the {mistakes} mistakes are framed")


def confusion(plt: Any, matrix: Any) -> Any:
    """The confusion matrix: right answers on the diagonal, mistakes beside it in their own colour."""
    from matplotlib.colors import LinearSegmentedColormap

    figure, axes = plt.subplots(figsize=(6.4, 6.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.14, h_pad=0.14)
    right, wrong = np.diag(np.diag(matrix)).astype(float), matrix - np.diag(np.diag(matrix))
    for values, colour in ((right, BLUE), (wrong, ORANGE)):
        shades = LinearSegmentedColormap.from_list("", ["white", colour])
        axes.imshow(np.ma.masked_equal(values, 0), cmap=shades, vmin=0, vmax=max(values.max() * 1.15, 4))
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            dark = count > 0.5 * (right if row == column else np.maximum(wrong, 3)).max()
            axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else INK, fontsize=10)
    digits = range(len(matrix))
    axes.set_xticks(digits)
    axes.set_yticks(digits)
    axes.set_xticks(np.arange(len(matrix) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(matrix) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=GRID, linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="the model's answer", ylabel="the digit")
    axes.set_title(f"Which digit was taken for which: {int(right.sum())} right, {int(wrong.sum())} wrong", pad=10)
    return figure
