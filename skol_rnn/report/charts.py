"""Charts of scores and curves: each function draws on matplotlib axes, its own where none are given."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.labels import LabelSet, check_choice, printable
from skol_rnn.persistence.figures import new_figure
from skol_rnn.report.curves import curve_labels, precision_recall, reliability
from skol_rnn.report.notebook import in_notebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from skol_rnn.evaluation.result import Evaluation

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's colours that can be seen on white and on black."""
_STYLES = ("-", "--", ":", "-.")
_GREY = "#808080"
_MOST_CELLS = 30  # labels of a confusion matrix; more cannot be read
_AXIS_START = 0.5  # start of the log axis, which has no 0: one line still has a bar
_LONGEST_NAME = 50
_LONG_NAME = 30  # characters, beyond which a legend has one column
_TEXT: dict[str, Any] = {"parse_math": False}  # a label with two dollar signs is no formula


def plot_confusion(evaluation: Evaluation, ax: Axes | None = None, normalize: str | None = None) -> Axes:
    """Draw the confusion matrix: counts, or shares of the true rows with ``normalize="true"``; shades are shares."""
    check_choice("normalize", normalize, (None, "true"))
    table, names = _largest(evaluation)
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.zeros(table.shape), where=totals > 0)
    rows, columns = table.shape
    ax = _axes(ax, 2.2 + 0.55 * columns, 1.4 + 0.36 * rows)
    from matplotlib.colors import LinearSegmentedColormap

    # Shades are transparent, so that text in one colour can be read on all of them, on white and on black.
    clear = LinearSegmentedColormap.from_list("shares", [(0.0, 0.447, 0.698, 0.0), (0.0, 0.447, 0.698, 0.55)])
    ax.pcolormesh(shares, cmap=clear, vmin=0, vmax=1, edgecolors="#80808040", linewidth=0.5)
    for i, j in zip(*np.nonzero(table), strict=True):
        text = f"{table[i, j]:,}" if normalize is None else f"{shares[i, j]:.0%}"
        ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=8, weight="bold" if i == j else "normal")
    ax.set_yticks(np.arange(rows) + 0.5, labels=names[:rows], fontsize=8, **_TEXT)
    ax.set_xticks(np.arange(columns) + 0.5, labels=names[:columns], fontsize=8, rotation=45, ha="left", **_TEXT)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.tick_params(length=0)
    ax.invert_yaxis()
    ax.set(xlabel="Predicted", ylabel="True")
    ax.spines[:].set_visible(False)
    return ax


def plot_precision_recall(
    true: np.ndarray,
    probabilities: np.ndarray,
    labels: LabelSet,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
    evaluation: Evaluation | None = None,
) -> Axes:
    """Draw precision against recall of each label at all thresholds; a dot marks the decision that was evaluated."""
    ax = _axes(ax, 5.6, 4.4)
    shown = curve_labels(true, labels, names)
    lines = []
    for number, name in enumerate(shown):
        k = labels.index(name)
        recall, precision = precision_recall(true, probabilities, k) if np.any(true == k) else (np.zeros(0),) * 2
        lines += ax.plot(recall, precision, **_style(number))
        if evaluation is not None and (evaluation.support[k] or evaluation.predicted[k]):
            colour = COLOURS[number % len(COLOURS)]
            ax.plot(evaluation.recall[k], evaluation.precision[k], "o", color=colour, markersize=7, clip_on=False)
    ax.set(xlabel="Recall", ylabel="Precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return _finished(ax, lines, [f"{name} ({np.sum(true == labels.index(name)):,})" for name in shown])


def plot_reliability(
    true: np.ndarray,
    probabilities: np.ndarray,
    labels: LabelSet,
    names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw, for each label, how often it is true among rows with about the same probability; larger dots, more rows."""
    ax = _axes(ax, 5.6, 4.4)
    ax.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle=":")
    shown = curve_labels(true, labels, names)
    lines = []
    for number, name in enumerate(shown):
        means, shares, rows = reliability(true, probabilities, labels.index(name))
        lines += ax.plot(means, shares, **{**_style(number), "linewidth": 1})
        ax.scatter(means, shares, s=10 + 12 * np.log10(np.maximum(rows, 1)), color=COLOURS[number % len(COLOURS)])
    ax.set(xlabel="Probability", ylabel="Share of true labels", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return _finished(ax, lines, shown)


def plot_label_distribution(
    counts: Sequence[int] | np.ndarray, labels: Iterable[str], ax: Axes | None = None, unit: str = "line"
) -> Axes:
    """Draw how many rows each label has, the most frequent first, on a log axis."""
    pairs = sorted(zip(map(int, counts), labels, strict=True), key=lambda pair: -pair[0])
    numbers, names = [count for count, _ in pairs], [_name(name) for _, name in pairs]
    ax = _axes(ax, 8, 1.2 + 0.28 * len(pairs))
    most, rows = max([*numbers, 1]), range(len(pairs))
    widths = [max(count - _AXIS_START, 0) for count in numbers]
    bars = ax.barh(rows, widths, left=_AXIS_START, color=COLOURS[0], height=0.72)
    ax.bar_label(bars, [f"{count:,}" for count in numbers], padding=4, fontsize=8)
    ax.set_xscale("log")
    # Room for the number at the end of the longest bar.
    ax.set_xlim(_AXIS_START, most * (most / _AXIS_START) ** 0.14)
    ax.set_ylim(len(pairs) - 0.4, -0.6)
    ax.set_yticks(rows, labels=names, **_TEXT)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.tick_params(which="minor", labelbottom=False)
    ax.set_xlabel(f"{unit}s (log axis)")
    ax.grid(axis="x", which="major", color=_GREY, alpha=0.3, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_learning_curves(
    history: Mapping[str, Sequence[float]], labels: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the F1 of each label by epoch on the validation set, and the training loss where there is none."""
    ax = _axes(ax, 6.4, 4.0)
    from matplotlib.ticker import MaxNLocator

    prefix = "val_f1/"
    every = [name.removeprefix(prefix) for name in history if name.startswith(prefix)]
    if labels is not None:
        for name in labels:
            check_choice("labels", name, every)
    shown = list(labels) if labels is not None else every[: 2 * len(COLOURS)]
    lines, names = [], list(shown)
    for number, name in enumerate(shown):
        values = history[prefix + name]
        lines += ax.plot(range(1, len(values) + 1), values, **_style(number))
    for key, text in {"val_important_f1": "mean of important", "val_fragment_f1": "fragment F1"}.items():
        if history.get(key):
            width = 2.5 if key == "val_important_f1" else 1.5
            values = history[key]
            lines += ax.plot(range(1, len(values) + 1), values, color="black", linewidth=width, zorder=1.5)
            names.append(text)
    if lines:
        ax.set(ylabel="F1 on the validation set", ylim=(-0.02, 1.02))
    else:
        loss = history.get("loss", [])
        lines, names = ax.plot(range(1, len(loss) + 1), loss, color=COLOURS[0]), ["training loss"]
        ax.set_ylabel("Loss")
    ax.set_xlabel("Epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return _finished(ax, lines, names)


def plot_found(names: Sequence[str], curve: Sequence[Mapping[str, int]], ax: Axes | None = None) -> Axes:
    """Draw how many lines of each label were found by the number of lines read."""
    ax, lines = _axes(ax, 6.4, 4.0), []
    for number, name in enumerate(names):
        found = [0, *(point[name] for point in curve)]
        lines += ax.plot(range(len(found)), found, drawstyle="steps-post", **_style(number))
    ax.set(xlabel="Lines read", ylabel="Lines of the label found", xlim=(0, None), ylim=(0, None))
    return _finished(ax, lines, names)


def svg(drawing: Axes | Figure) -> str:
    """Return a chart as inline SVG: no background, text and axes in the colour of the page's text."""
    import matplotlib

    figure: Any = getattr(drawing, "figure", None) or drawing
    buffer = io.StringIO()
    settings: Any = {"svg.hashsalt": "skol_rnn", "svg.fonttype": "none", "font.family": "sans-serif"}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # The browser has the glyphs that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close(figure)  # a notebook would show it a second time
    text = buffer.getvalue()
    text = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", text[text.index("<svg") :], flags=re.DOTALL).strip()
    # Charts share a page: what one refers to must not be found in another, which may be hidden.
    own = hashlib.sha256(text.encode()).hexdigest()[:8]

    def adapted(tag: re.Match[str]) -> str:
        named = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>c{own}-", tag[0])
        return named.replace("#000000", "currentColor")

    # Only in tags: a label may read "#000000" too. Black text has no colour of its own and takes that of the root.
    text = re.sub("<[^>]*>", adapted, text)
    root = 'fill="currentColor" stroke-linejoin="round" style="max-width: 100%; height: auto"'
    return text.replace("<svg ", f"<svg {root} ", 1)


def _axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes given, or new ones: pyplot's where a notebook or the caller uses pyplot, which shows them."""
    if ax is not None:
        return ax
    figure = new_figure(width, height)  # raises if there is no matplotlib
    if "matplotlib.pyplot" in sys.modules or in_notebook():
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot()


def _name(label: str) -> str:
    """Return a label as a chart can show it."""
    shown = printable(label)
    return shown if len(shown) <= _LONGEST_NAME else shown[: _LONGEST_NAME - 1] + "…"


def _style(number: int) -> dict[str, Any]:
    """Return a colour and a kind of line for each curve."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": _STYLES[number // len(COLOURS) % len(_STYLES)],
        "linewidth": 1.5,
    }


def _finished(ax: Axes, lines: Sequence[Any], names: Sequence[str]) -> Axes:
    """Add a grid, and a legend above the axes, where it hides no curve and fits a narrow screen."""
    ax.grid(color=_GREY, alpha=0.3, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    if lines:
        # matplotlib leaves out names that begin with an underscore, so they are set afterwards.
        numbers = [str(number) for number in range(len(lines))]
        columns = 2 if max(map(len, names)) <= _LONG_NAME else 1
        place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        legend = ax.legend(lines, numbers, frameon=False, fontsize=8, ncols=columns, **place)
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set(text=_name(name), parse_math=False)
    return ax


def _largest(e: Evaluation) -> tuple[np.ndarray, list[str]]:
    """Return counts with rows for true and columns for predicted labels, the important first, and their names.

    Labels beyond the number that can be read are summed, those with the most errors excepted; rows without a
    prediction are a column of their own.
    """
    important = [e.labels.index(name) for name in e.important]
    order = important + [k for k in range(len(e.labels)) if k not in important]
    names = [_name(e.labels.names[k]) for k in order]
    table = np.column_stack([e.confusion[np.ix_(order, order)], e.missing[order]])
    k = len(order)
    if k > _MOST_CELLS:
        wrong = e.support[order] + e.predicted[order] - 2 * e.confusion.diagonal()[order]
        kept = np.sort(np.argsort(-wrong, kind="stable")[: _MOST_CELLS - 1])
        rest = np.setdiff1d(np.arange(k), kept)
        table = np.vstack([table[kept], table[rest].sum(axis=0)])
        table = np.column_stack([table[:, kept], table[:, rest].sum(axis=1), table[:, k]])
        names = [*(names[i] for i in kept), f"{len(rest)} other labels"]
    return (table, [*names, "no prediction"]) if e.missing.any() else (table[:, :-1], names)
