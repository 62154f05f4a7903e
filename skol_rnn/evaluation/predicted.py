"""Annotated documents with their predictions: what a report shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from skol_rnn.evaluation.result import Evaluation
from skol_rnn.labels import LabelSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False, repr=False)
class Predicted:
    """Documents, their predictions and what these are worth; :meth:`RNNSkolModel.predicted` makes it.

    Parameters
    ----------
    evaluation : Evaluation
        The scores; without counts if the documents have no labels.
    argmax : Evaluation or None
        The scores of the network's most probable labels; None if the decision is "argmax".
    table : DataFrame
        One row a line or token, documents one after the other: ``doc_id``, ``line_number``, ``value``, ``label``
        (None where there is none) and ``predicted``.
    probabilities : ndarray of float, shape (n, K)
        Probability of each label.
    labels : LabelSet
        The K labels.
    decision : str
        How labels were decided.

    Examples
    --------
    >>> import pandas as pd
    >>> from skol_rnn.evaluation.evaluate import evaluate_labels
    >>> rows = [("a", 0, "Russula nova", "Name", "Name"), ("a", 1, "Pileus red", "Misc", "Name")]
    >>> table = pd.DataFrame(rows, columns=["doc_id", "line_number", "value", "label", "predicted"])
    >>> labels = LabelSet(("Misc", "Name"))
    >>> scores = evaluate_labels([1, 0], [1, 1], labels)
    >>> predicted = Predicted(scores, None, table, np.array([[0.25, 0.75], [0.5, 0.5]]), labels, "argmax")
    >>> predicted
    Predicted(rows=2, documents=1, decision='argmax', important_f1=0.6667)
    >>> predicted.to_frame()["probability"].tolist()
    [0.75, 0.5]
    """

    evaluation: Evaluation
    argmax: Evaluation | None
    table: pd.DataFrame
    probabilities: np.ndarray
    labels: LabelSet
    decision: str

    @cached_property
    def true(self) -> np.ndarray:
        """Indices of the true labels, shape (n,); -1 where there is none."""
        return self.labels.encode(self.table["label"])

    def to_frame(self) -> pd.DataFrame:
        """Return the rows with what was predicted.

        Returns
        -------
        DataFrame
            The columns of ``table``, and ``probability``, that of the predicted label.
        """
        chosen = self.labels.encode(self.table["predicted"])
        return self.table.assign(probability=self.probabilities[np.arange(len(chosen)), chosen])

    def plot_confusion(self, ax: Axes | None = None, normalize: str | None = None) -> Axes:
        """Draw the confusion matrix: :meth:`Evaluation.plot_confusion`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.
        normalize : {"true"}, optional
            Write shares of the true labels instead of counts.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        return self.evaluation.plot_confusion(ax, normalize)

    def plot_precision_recall(self, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
        """Draw precision against recall of labels at all thresholds; a dot marks the decision.

        Parameters
        ----------
        names : sequence of str, optional
            The labels; the important ones that occur, at most eight, if not given.
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        from skol_rnn.report.charts import plot_precision_recall

        return plot_precision_recall(self.true, self.probabilities, self.labels, names, ax, self.evaluation)

    def plot_reliability(self, names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
        """Draw how often labels are true among rows with about the same probability.

        Parameters
        ----------
        names : sequence of str, optional
            The labels; the important ones that occur, at most eight, if not given.
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        from skol_rnn.report.charts import plot_reliability

        return plot_reliability(self.true, self.probabilities, self.labels, names, ax)

    def __repr__(self) -> str:
        rows, documents = len(self.table), self.table["doc_id"].nunique()
        score = f", important_f1={self.evaluation.important_f1:.4f}" if self.evaluation.support.any() else ""
        return f"Predicted(rows={rows}, documents={documents}, decision={self.decision!r}{score})"

    def _repr_html_(self) -> str:
        from skol_rnn.report.notebook import predicted_html

        return predicted_html(self)
