"""The lines a network trains on: features and labels, after sampling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from skol_rnn.features import LineFeatures
from skol_rnn.labels import NO_LABEL, LabelSet
from skol_rnn.sampling import Sampling, window_draw_rates
from skol_rnn.windows import Windows


class TrainingLines(NamedTuple):
    """Lines of documents laid end to end.

    Attributes
    ----------
    features : LineFeatures
        Ids (lines, slots) and numbers (lines, size).
    true : ndarray of int, shape (lines,)
        Label indices; ``NO_LABEL`` where a line has none.
    lengths : list of int
        Lines of each document.
    """

    features: LineFeatures
    true: np.ndarray
    lengths: list[int]

    def at(self, rows: np.ndarray, lengths: list[int]) -> TrainingLines:
        """Return the lines at some rows, whose documents have these lengths."""
        ids, numbers = self.features
        return TrainingLines(LineFeatures(ids[rows], numbers[rows]), self.true[rows], lengths)


def count(true: np.ndarray, n_labels: int) -> np.ndarray:
    """Count the lines of each label.

    Parameters
    ----------
    true : ndarray of int, shape (lines,)
        Label indices; ``NO_LABEL`` is not counted.
    n_labels : int
        Number of labels.

    Returns
    -------
    ndarray of int64, shape (n_labels,)
        Counts.

    Examples
    --------
    >>> count(np.array([0, 2, 2, -1]), 3).tolist()
    [1, 0, 2]
    """
    return np.bincount(true[true != NO_LABEL], minlength=n_labels)


def sample_lines(lines: TrainingLines, table: pd.DataFrame, sampling: Sampling | None) -> TrainingLines:
    """Copy or leave out whole documents, as a sampling scheme wants.

    Features are computed once, before: a copy adds to no vocabulary.

    Parameters
    ----------
    lines : TrainingLines
        Lines of the table.
    table : DataFrame
        With ``doc_id`` and ``label``, each document's lines together.
    sampling : Sampling or None
        The scheme; None and "rare_windows" leave the documents as they are.

    Returns
    -------
    TrainingLines
        Lines of the documents drawn.
    """
    if sampling is None or sampling.name == "rare_windows":
        return lines
    rows = table.groupby("doc_id", sort=False).indices
    drawn = [rows[source] for _, source in sampling.draw(table["doc_id"], table["label"])]
    return lines.at(np.concatenate(drawn), [len(document) for document in drawn])


def draw_rates(
    windows: Windows, true: np.ndarray, labels: LabelSet, sampling: Sampling | None
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Return how often windows are drawn and what corrects their loss, or nothing where each is drawn once.

    Parameters
    ----------
    windows : Windows
        Training windows.
    true : ndarray of int, shape (lines,)
        Label indices.
    labels : LabelSet
        Label names.
    sampling : Sampling or None
        The scheme.

    Returns
    -------
    tuple
        Rates and corrections, each of shape (windows,), or None and None.
    """
    if sampling is None or sampling.name != "rare_windows":
        return None, None
    rare = [labels.index(name) for name in sampling.labels_among(labels.decode(true[true != NO_LABEL]))]
    return window_draw_rates(windows, np.isin(true, rare), sampling.boost)
