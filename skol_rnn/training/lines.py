"""Training lines: features and labels, after sampling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from skol_rnn.features.base import LineFeatures
from skol_rnn.imbalance.sampling import Sampling
from skol_rnn.labels import NO_LABEL, LabelSet
from skol_rnn.training.window_sampling import Rates, window_draw_rates
from skol_rnn.windows import Windows


class TrainingLines(NamedTuple):
    """Lines of consecutive documents: features, encoded labels, the length of each document, and sample weights."""

    features: LineFeatures
    true: np.ndarray
    lengths: list[int]
    weights: np.ndarray | None = None

    def at(self, rows: np.ndarray, lengths: list[int]) -> TrainingLines:
        """Select rows that form documents of some lengths."""
        ids, numbers = self.features
        weights = None if self.weights is None else self.weights[rows]
        return TrainingLines(LineFeatures(ids[rows], numbers[rows]), self.true[rows], lengths, weights)

    def scaled_weights(self) -> np.ndarray | None:
        """Return the sample weights with a mean of 1 over the labelled lines: only their ratios matter."""
        if self.weights is None:
            return None
        return (self.weights / self.weights[self.true != NO_LABEL].mean()).astype(np.float32)


def sample_lines(lines: TrainingLines, table: pd.DataFrame, sampling: Sampling | None) -> TrainingLines:
    """Copy or drop whole documents by a sampling scheme."""
    if sampling is None or sampling.name == "rare_windows":
        return lines
    rows = table.groupby("doc_id", sort=False).indices
    drawn = [rows[source] for _, source in sampling.draw(table["doc_id"], table["label"])]
    return lines.at(np.concatenate(drawn), [len(document) for document in drawn])


def draw_rates(windows: Windows, true: np.ndarray, labels: LabelSet, sampling: Sampling | None) -> Rates:
    """Return how often windows are drawn and the factors that correct their loss; None without such sampling."""
    if sampling is None or sampling.name != "rare_windows":
        return None, None
    rare = [labels.index(name) for name in sampling.labels_among(labels.decode(true[true != NO_LABEL]))]
    return window_draw_rates(windows, np.isin(true, rare), sampling.boost)
