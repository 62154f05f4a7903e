"""A linear model of the words of a line and its neighbours, or a linear chain of tokens, averaged with the network or alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skol_rnn.decoding.chain import marginals
from skol_rnn.decoding.correction import correct_probabilities, normalised
from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.bags import bags
from skol_rnn.inference.second_pass import SecondPass
from skol_rnn.labels import NO_LABEL

REACH = 4
"""Lines before and after whose words are read."""
# The nearest line counts 0.6 times as much as the line itself, each further one 0.7 times as much as the one before.
_WEIGHTS = np.array([0.6 * 0.7 ** (distance - 1) for distance in range(1, REACH + 1)], np.float32)
NUMBERS_SCALE = 0.3
"""What the numbers of a line are multiplied by in training."""
_PENALTY, _SHARED_PENALTY = 2e-6, 0.02  # of a line, and of all lines together where there are few
_PASSES, _MOST_PASSES, _LINES_SEEN = 4, 20, 400_000  # few lines are passed over more often
SECOND_SHARE = 0.5
"""Weight of the second pass in the geometric mean with the models that it reads."""
_FLOOR = 1e-4  # keeps a near-zero of one model from vetoing a label in the geometric mean
NEVER = -30.0
"""Score of a label without a training line."""
SIDES = 3
"""Sides of words: the line's own, those before and those after."""
# Fields in a saved model; only a chain has transitions.
_SAVED = ("linear/words", "linear/numbers", "linear/bias", "linear/share", "linear/shift")
_TRANSITIONS = "linear/transitions"


@dataclass(frozen=True)
class LinearMember:
    """One-vs-rest logistic regression over a line's hashed words, its neighbours' damped words and its layout numbers.

    Tokens, whose ids name their context too, need no words of neighbours: the second axis of ``words`` has size 1.  They
    have ``transitions``: the scores of a document's first label, and of each step between labels.
    """

    words: np.ndarray
    numbers: np.ndarray
    bias: np.ndarray
    share: float
    logit_offsets: np.ndarray
    transitions: np.ndarray | None = None  # (1 + labels, labels)

    @property
    def n_parameters(self) -> int:
        """Number of weights."""
        chain = 0 if self.transitions is None else self.transitions.size
        return self.words.size + self.numbers.size + self.bias.size + chain

    @classmethod
    def fit(
        cls,
        features: LineFeatures,
        true: np.ndarray,
        lengths: Sequence[int],
        *,
        n_labels: int,
        vocabulary_size: int,
        share: float,
        logit_offsets: np.ndarray,
        seed: int,
        weights: np.ndarray | None = None,
    ) -> LinearMember | None:
        """Train on lines of whole documents by averaged stochastic gradient descent; None if they have one label only."""
        from sklearn.linear_model import SGDClassifier

        known = np.flatnonzero(true != NO_LABEL)
        if len(np.unique(true[known])) < 2:
            return None
        inputs, own = _design(features, lengths, vocabulary_size)[known], true[known]
        penalty = max(_PENALTY, _SHARED_PENALTY / len(own))
        passes = int(np.clip(_LINES_SEEN // len(own), _PASSES, _MOST_PASSES))
        model = SGDClassifier(
            loss="log_loss", alpha=penalty, average=True, max_iter=passes, tol=None, random_state=seed, n_jobs=-1
        ).fit(inputs, own, sample_weight=None if weights is None else weights[known])
        coefficients, intercept = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn then has one score, that of the second label
            coefficients, intercept = np.vstack([-coefficients, coefficients]), np.append(-intercept, intercept)
        by_label = np.zeros((n_labels, inputs.shape[1]), np.float32)
        bias = np.full(n_labels, NEVER, np.float32)
        by_label[model.classes_], bias[model.classes_] = coefficients, intercept
        by_word, by_number = np.split(by_label, [SIDES * vocabulary_size], axis=1)
        words = by_word.reshape(n_labels, SIDES, vocabulary_size).transpose(2, 1, 0).copy()
        words[0] = 0
        numbers = NUMBERS_SCALE * by_number.T
        return cls(words, np.ascontiguousarray(numbers, np.float32), bias, share, np.asarray(logit_offsets, np.float64))

    @property
    def n_word_scores(self) -> int:
        """Number of scores of a word: of each side and label."""
        return self.words.shape[1] * self.words.shape[2]

    def probabilities(
        self, features: LineFeatures, lengths: Sequence[int], words: np.ndarray | None = None
    ) -> np.ndarray:
        """Compute posteriors, float64 of shape (lines, labels); ``words`` are the bags of the scores of words, if known."""
        ids, numbers = features
        if words is None:
            words = bags(self.words.reshape(-1, self.n_word_scores), ids)
        own, *neighbours = np.split(words, self.words.shape[1], axis=1)
        scores = own + numbers @ self.numbers + self.bias
        if neighbours:
            scores = _with_neighbours(scores, neighbours, lengths)
        scores = np.clip(scores.astype(np.float64), NEVER, -NEVER)
        if self.transitions is not None:
            start, *step = np.clip(self.transitions.astype(np.float64), NEVER, -NEVER)
            return marginals(scores, lengths, start, np.stack(step)).rows
        return normalised(1 / (1 + np.exp(-scores)))

    def alone(self, features: LineFeatures, lengths: Sequence[int]) -> np.ndarray:
        """Return the posteriors as probabilities of a network, (lines, labels)."""
        return normalised(self.probabilities(features, lengths) * self._shift)

    def sources(
        self, raw: np.ndarray, features: LineFeatures, lengths: Sequence[int], words: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the posteriors of the network and of this model, each (lines, labels)."""
        return correct_probabilities(raw, self._shift), self.probabilities(features, lengths, words)

    def combined(
        self, network: np.ndarray, linear: np.ndarray, lengths: Sequence[int], second: SecondPass | None = None
    ) -> np.ndarray:
        """Return the weighted geometric mean of posteriors, as probabilities of the network, (lines, labels)."""
        mean = _geometric_mean(network, linear, self.share)
        if second is not None:
            mean = _geometric_mean(mean, second.probabilities((network, linear), lengths), SECOND_SHARE)
        return normalised(mean * self._shift)

    @property
    def _shift(self) -> np.ndarray:
        """What class weights, loss and sampling multiply the network's probabilities by, shape (labels,)."""
        return np.exp(self.logit_offsets - self.logit_offsets.max())

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the saved model."""
        values = (self.words, self.numbers, self.bias, np.array(self.share), self.logit_offsets)
        arrays = dict(zip(_SAVED, values, strict=True))
        return arrays if self.transitions is None else {**arrays, _TRANSITIONS: self.transitions}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LinearMember | None:
        """Rebuild what :meth:`arrays` returned; None for a model saved without one."""
        if _SAVED[0] not in arrays:
            return None
        words, numbers, bias, share, shift = (arrays[name] for name in _SAVED)
        return cls(words, numbers, bias, float(share), shift, arrays.get(_TRANSITIONS))


def neighbour_weight(distance: int) -> float:
    """Return how much the words of a line count that is so many lines away."""
    return float(_WEIGHTS[distance - 1])


def _geometric_mean(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    return normalised(np.exp((1 - share) * np.log(first + _FLOOR) + share * np.log(second + _FLOOR)))


def _with_neighbours(scores: np.ndarray, parts: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
    """Add to each line's scores the parts of the lines before and after it."""
    # Between documents there are REACH rows of zeros: whole arrays are added, shifted.
    places = np.arange(len(scores)) + REACH * np.repeat(np.arange(len(lengths)), lengths)
    padded = np.zeros((3, len(scores) + REACH * len(lengths), scores.shape[1]), np.float32)
    padded[:, places] = scores, *parts
    total, before, after = padded
    for distance, weight in enumerate(_WEIGHTS, 1):
        total[distance:] += weight * before[:-distance]
        total[:-distance] += weight * after[distance:]
    return total[places]


def _places(lengths: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return each line's place in its document, and the document's length: two arrays of shape (lines,)."""
    sizes = np.asarray(lengths, np.int64)
    length = np.repeat(sizes, sizes)
    return np.arange(len(length)) - np.repeat(np.cumsum(sizes) - sizes, sizes), length


def own_words(ids: np.ndarray, vocabulary_size: int) -> Any:
    """Lay out the ids of each line, divided as their bag does; CSR (lines, vocabulary)."""
    from scipy.sparse import csr_matrix

    kept = ids > 0
    count = kept.sum(axis=1)
    values = np.repeat(1 / np.sqrt(np.maximum(count, 1)), count).astype(np.float32)
    return csr_matrix((values, ids[kept], np.concatenate([[0], np.cumsum(count)])), shape=(len(ids), vocabulary_size))


def _design(features: LineFeatures, lengths: Sequence[int], vocabulary_size: int) -> Any:
    """Lay out the columns that the model is trained on: own words, words before and after, numbers; CSR."""
    from scipy.sparse import csr_matrix, hstack

    ids, numbers = features
    n_lines, own = len(ids), own_words(ids, vocabulary_size)
    within, length = _places(lengths)

    def neighbours(direction: int) -> Any:
        steps = range(1, REACH + 1)
        inside = [(within >= k) if direction < 0 else (within < length - k) for k in steps]
        rows = [np.flatnonzero(mask) for mask in inside]
        columns = [row + direction * k for k, row in zip(steps, rows, strict=True)]
        size = [np.full(len(row), weight) for row, weight in zip(rows, _WEIGHTS, strict=True)]
        places = (np.concatenate(rows), np.concatenate(columns))
        return csr_matrix((np.concatenate(size), places), shape=(n_lines, n_lines)) @ own

    return hstack(
        [own, neighbours(-1), neighbours(1), csr_matrix(NUMBERS_SCALE * numbers)], format="csr", dtype=np.float32
    )
