"""Training of a linear chain: a conditional random field over the features of tokens, by AdaGrad."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from skol_rnn.decoding.chain import marginals
from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.linear_member import NEVER, NUMBERS_SCALE, LinearMember, own_words
from skol_rnn.labels import NO_LABEL
from skol_rnn.windows import shifted_windows

# docs/experiments.md has the measurements.
_WINDOW, _BATCH = 64, 16
_EPOCHS, _UPDATES = 8, 400  # at least, each
_RATE, _RATE_OF_NUMBERS, _FINAL = 1.0, 0.02, 0.05
_LARGEST_STEP = 10.0  # score, in absolute value: larger ones underflow in single precision


def fit_chain(
    features: LineFeatures,
    true: np.ndarray,
    lengths: list[int],
    *,
    n_labels: int,
    vocabulary_size: int,
    share: float,
    logit_offsets: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
) -> LinearMember | None:
    """Train on tokens of whole documents; None if they have one label only.

    Tokens without a label, or of weight 0, divide a document into sequences.
    """
    known = true != NO_LABEL if weights is None else (true != NO_LABEL) & (weights > 0)
    counts = np.bincount(true[known], minlength=n_labels)
    if np.count_nonzero(counts) < 2:
        return None
    rng, chain = np.random.default_rng(seed), _Chain(features, true, counts, vocabulary_size, weights)
    updates = -(-len(shifted_windows(lengths, _WINDOW, _WINDOW, rng)) // _BATCH)
    epochs = max(_EPOCHS, -(-_UPDATES // updates))
    done = 0
    for _ in range(epochs):
        windows = shifted_windows(lengths, _WINDOW, _WINDOW, rng).lines
        windows = windows[rng.permutation(len(windows))]
        for i in range(0, len(windows), _BATCH):
            rate = _FINAL + (1 - _FINAL) * (1 + np.cos(np.pi * min(done / (epochs * updates), 1.0))) / 2
            done += 1
            places = np.pad(windows[i : i + _BATCH], ((0, 0), (0, 1)), constant_values=-1).ravel()  # -1 ends a sequence
            kept = (places >= 0) & known[places]
            if kept.any():
                chain.update(places[kept], ~np.append(False, kept[:-1])[kept], rate)
    return LinearMember(
        chain.words.values[:, None],
        NUMBERS_SCALE * chain.numbers.values,
        chain.bias.values,
        share,
        np.asarray(logit_offsets, np.float64),
        np.vstack([chain.start.values, chain.step.values]),
    )


class _Chain:
    """A chain in training: the rows that it learns from, and its weights."""

    def __init__(
        self,
        features: LineFeatures,
        true: np.ndarray,
        counts: np.ndarray,
        vocabulary_size: int,
        given: np.ndarray | None,
    ) -> None:
        self.features, self.true, self.given = features, true, given
        self.of_words = own_words(features.ids, vocabulary_size)
        n_labels, size = len(counts), features.numbers.shape[1]
        self.words = _Weights(np.zeros((vocabulary_size, n_labels)), _RATE)
        self.numbers = _Weights(np.zeros((size, n_labels)), _RATE_OF_NUMBERS)
        self.bias = _Weights(np.where(counts, np.log((counts + 1) / counts.sum()), NEVER), _RATE)
        self.start, self.step = (_Weights(np.zeros(shape), _RATE) for shape in ((n_labels,), (n_labels, n_labels)))

    def update(self, rows: np.ndarray, begins: np.ndarray, rate: float) -> None:
        """Follow the gradient of the log likelihood of sequences of rows; ``begins`` marks their first ones."""
        words, numbers, gold = self.of_words[rows], NUMBERS_SCALE * self.features.numbers[rows], self.true[rows]
        used, columns = np.unique(words.indices, return_inverse=True)
        words = csr_matrix((words.data, columns, words.indptr), shape=(len(rows), len(used)))
        scores = words @ self.words.values[used] + numbers @ self.numbers.values + self.bias.values
        weights = np.ones(len(rows), np.float32) if self.given is None else self.given[rows].astype(np.float32)
        lengths = np.diff(np.flatnonzero(begins), append=len(rows))
        excess, steps = marginals(scores, lengths, self.start.values, self.step.values, weights)
        excess[np.arange(len(rows)), gold] -= 1  # what the chain expects, less what there is
        excess *= weights[:, None]
        later = np.flatnonzero(~begins)
        np.subtract.at(steps, (gold[later - 1], gold[later]), weights[later])
        self.words.update(words.T @ excess, rate, used)
        self.numbers.update(numbers.T @ excess, rate)
        self.bias.update(excess.sum(axis=0), rate)
        for one, gradient in ((self.start, excess[begins].sum(axis=0)), (self.step, steps)):
            one.update(gradient, rate)
            np.clip(one.values, -_LARGEST_STEP, _LARGEST_STEP, out=one.values)


class _Weights:
    """Weights, and the sums of their squared gradients by which AdaGrad (Duchi et al., 2011) scales an update."""

    def __init__(self, values: np.ndarray, rate: float) -> None:
        self.values, self.rate = values.astype(np.float32), rate
        self._squares = np.ones_like(self.values)

    def update(self, gradient: np.ndarray, rate: float, rows: np.ndarray | slice = slice(None)) -> None:
        """Subtract the scaled gradient of some rows."""
        squares = self._squares[rows] + gradient**2
        self._squares[rows] = squares
        self.values[rows] -= rate * self.rate * gradient / np.sqrt(squares)
