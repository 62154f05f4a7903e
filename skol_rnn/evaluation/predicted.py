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
