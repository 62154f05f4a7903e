"""Curves of precision against recall, drawn with matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from skol_rnn.labels import NO_LABEL
from skol_rnn.persistence.figures import check_figure_path, new_figure, save_figure

if TYPE_CHECKING:
    from skol_rnn.tuning.result import TuningResult

_MARKERS = {"argmax": ("s", "#b2182b"), "corrected": ("o", "#2166ac"), "tuned": ("D", "#1b7837")}


def draw_curves(path: Path, result: TuningResult) -> Path:
    """Draw cross-validated precision against recall of each important label."""
    check_figure_path(path)
    figure = new_figure(5.2 * len(result.important), 4.8)
    panels = figure.subplots(1, len(result.important), squeeze=False)[0]
    for panel, label in zip(panels, result.important, strict=True):
        _draw_label(panel, label, result)
    return save_figure(figure, path)


def _draw_label(panel: Any, label: str, result: TuningResult) -> None:
    from sklearn.metrics import precision_recall_curve

    known, k, best = result.true != NO_LABEL, result.labels.index(label), result.best_number
    is_label, probability = result.true[known] == k, result.posterior[known, k]
    precision, recall, _ = precision_recall_curve(is_label, probability)
    panel.plot(recall, precision, color="#555555", linewidth=1.5, label=f"trial {best}, posterior")
    for point in result.points:
        marker, colour = _MARKERS[point["decision"]]
        chosen = point["number"] == best
        panel.scatter(
            point["recall"][label],
            point["precision"][label],
            marker=marker,
            color=colour,
            s=60 if chosen else 16,
            alpha=1.0 if chosen else 0.3,
            zorder=3 if chosen else 2,
            label=f"trial {best}, {point['decision']}" if chosen else None,
        )
    panel.set(title=f"{label} ({is_label.sum():,} lines, cross-validated)", xlabel="Recall", ylabel="Precision")
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    panel.grid(alpha=0.3)
    panel.legend(loc="lower left", title="small markers: other trials")
