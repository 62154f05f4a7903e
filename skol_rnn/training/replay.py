"""Batches that mix windows around reviewed lines with windows of the documents that a network was trained on."""

from __future__ import annotations

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.labels import NO_LABEL
from skol_rnn.training.batches import WindowBatches
from skol_rnn.training.lines import TrainingLines
from skol_rnn.windows import Windows, cut_windows, shifted_windows

REVIEWED, REPLAYED = 24, 40
"""Windows of each kind in a batch."""


class ReplayBatches(WindowBatches):
    """Batches of one epoch; windows of a kind are drawn without repetition while there are others.

    Each window that holds a reviewed line is used, whatever line it starts at.
    """

    def __init__(
        self,
        reviewed: TrainingLines,
        replayed: TrainingLines,
        n_labels: int,
        window: int,
        steps: int,
        seed: int,
        n_outputs: int,
        reviewed_weight: float,
    ) -> None:
        (new_ids, new_numbers), (old_ids, old_numbers) = reviewed.features, replayed.features
        features = LineFeatures(np.concatenate([new_ids, old_ids]), np.concatenate([new_numbers, old_numbers]))
        around = cut_windows(reviewed.lengths, window, 1).lines
        # Index -1, padding, reads the last flag.
        around = around[np.append(reviewed.true != NO_LABEL, False)[around].any(axis=1)]
        old = shifted_windows(replayed.lengths, window, window, np.random.default_rng(seed)).lines
        n_new = len(reviewed.true)
        windows = Windows(np.concatenate([around, np.where(old < 0, -1, old + n_new)]), n_new + len(replayed.true))
        self.n_reviewed, self.steps = len(around), steps
        weights = np.ones(windows.n_lines, np.float32)
        weights[:n_new] = reviewed_weight
        true = np.concatenate([reviewed.true, replayed.true])
        super().__init__(
            features, true, n_labels, windows, REVIEWED + REPLAYED, seed, n_outputs=n_outputs, weights=weights
        )
        self.n_batches = steps

    def _use(self, windows: Windows) -> None:
        """Set the windows; a line that is in many of them counts as often."""
        assert self.weights is not None
        self.windows, self.rates, self.corrections = windows, None, None
        self.line_weights = np.append(self.weights, 0).astype(np.float32)

    def start_epoch(self, epoch: int) -> None:
        """Draw the windows of each batch."""
        self.epoch = epoch
        rng = np.random.default_rng([self.seed, epoch])
        reviewed = _drawn(self.n_reviewed, (self.steps, REVIEWED), rng)
        replayed = _drawn(len(self.windows) - self.n_reviewed, (self.steps, REPLAYED), rng)
        self.order = np.concatenate([reviewed, replayed + self.n_reviewed], axis=1).ravel()


def _drawn(n: int, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw numbers below n, all of them before any again."""
    size = shape[0] * shape[1]
    return np.concatenate([rng.permutation(n) for _ in range(-(-size // n))])[:size].reshape(shape)
