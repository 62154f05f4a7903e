"""The most probable sequence of labels of a document, under transitions that are learned or declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skol_rnn.decoding.sequences import best_sequences
from skol_rnn.labels import NO_LABEL, LabelSet

_TINY = 1e-12


@dataclass(frozen=True)
class Transitions:
    """How labels follow one another in a document.

    Attributes
    ----------
    start : ndarray, shape (labels,)
        Log probability that a document begins with a label; -inf where it must not.
    step : ndarray, shape (labels, labels)
        Log probability of the label in the column directly after the one in the row; -inf where it must not follow.
    prior : ndarray, shape (labels,)
        Share of each label, positive: what the posteriors already know about how frequent it is.

    Raises
    ------
    ValueError
        If the shapes do not agree or a share is not positive.

    Examples
    --------
    >>> len(Transitions(np.zeros(2), np.zeros((2, 2)), np.full(2, 0.5)))
    2
    """

    start: np.ndarray
    step: np.ndarray
    prior: np.ndarray

    def __post_init__(self) -> None:
        k = len(self.start)
        if self.start.shape != (k,) or self.step.shape != (k, k) or self.prior.shape != (k,):
            raise ValueError(
                f"Transitions of shapes {self.start.shape}, {self.step.shape} and {self.prior.shape} do not agree; "
                "they must be (labels,), (labels, labels) and (labels,)."
            )
        if not (self.prior > 0).all():
            raise ValueError("The prior share of every label must be positive.")

    def __len__(self) -> int:
        return len(self.start)

    @property
    def forbid(self) -> bool:
        """Whether anything is forbidden."""
        return bool(np.isneginf(self.start).any() or np.isneginf(self.step).any())


def learn_transitions(true: np.ndarray, lengths: Sequence[int], n_labels: int, smoothing: float = 1.0) -> Transitions:
    """Count in training documents which labels begin and which follow which.

    Parameters
    ----------
    true : ndarray of int, shape (lines,)
        Labels of the documents' lines, end to end; the chain is broken at ``NO_LABEL``.
    lengths : sequence of int
        Lines of each document.
    n_labels : int
        Number of labels.
    smoothing : float, default 1
        Added to every count, so that what was never seen is improbable, not impossible (Laplace).

    Returns
    -------
    Transitions
        Log probabilities, and the share of each label.

    Raises
    ------
    ValueError
        If the smoothing is not positive, or the lengths do not add up to the lines.

    Examples
    --------
    >>> transitions = learn_transitions(np.array([0, 1, 1, 1, 0, 1]), [4, 2], 2)
    >>> np.exp(transitions.start).round(3).tolist(), np.exp(transitions.step).round(3).tolist()
    ([0.75, 0.25], [[0.25, 0.75], [0.25, 0.75]])
    """
    if not 0 < smoothing < np.inf:
        raise ValueError(f"smoothing must be a positive number, but is {smoothing!r}.")
    true = np.asarray(true, np.int64)
    _check_lengths(lengths, len(true))
    sizes = np.asarray(lengths, np.int64)
    begins = (np.cumsum(sizes) - sizes)[sizes > 0]
    first = true[begins]
    inside = np.ones(len(true), bool)
    inside[begins] = False
    here = np.flatnonzero(inside)
    before, after = true[here - 1], true[here]
    linked = (before != NO_LABEL) & (after != NO_LABEL)
    steps = np.bincount(before[linked] * n_labels + after[linked], minlength=n_labels**2).reshape(n_labels, n_labels)
    starts = np.bincount(first[first != NO_LABEL], minlength=n_labels)
    lines = np.bincount(true[true != NO_LABEL], minlength=n_labels)
    return Transitions(
        _log_shares(starts, smoothing), _log_shares(steps, smoothing), np.exp(_log_shares(lines, smoothing))
    )


def declared_transitions(
    labels: LabelSet, allowed: Mapping[str, Sequence[str]], start: Sequence[str] | None = None
) -> Transitions:
    """Write down which labels may follow which; all that is allowed is equally good.

    Parameters
    ----------
    labels : LabelSet
        The labels.
    allowed : mapping of str to sequence of str
        For a label those that may stand directly after it, itself included if it may go on; an empty sequence for
        one that must end the document.  After a label that is not a key anything may stand.
    start : sequence of str, optional
        Labels that a document may begin with; any if not given.

    Returns
    -------
    Transitions
        0 where allowed, -inf elsewhere.

    Raises
    ------
    ValueError
        If a label is unknown, or labels are not given as a list.

    Examples
    --------
    >>> bio = LabelSet(("O", "B-PER", "I-PER"))
    >>> transitions = declared_transitions(bio, {"O": ["O", "B-PER"]}, start=["O", "B-PER"])
    >>> transitions.step.tolist()
    [[0.0, 0.0, -inf], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    k = len(labels)
    step = np.zeros((k, k))
    for name, following in allowed.items():
        step[labels.index(name)] = _flat(labels, following, f"allowed[{name!r}]")
    begin = np.zeros(k) if start is None else _flat(labels, start, "start")
    return Transitions(begin, step, np.full(k, 1.0 / k))


def at_strength(transitions: Transitions, strength: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weaken transitions, what they forbid staying forbidden.

    Parameters
    ----------
    transitions : Transitions
        Learned or declared.
    strength : float
        1 leaves them as they are; 0 makes all that is allowed equally good.

    Returns
    -------
    tuple of ndarray
        Start (labels,), step (labels, labels), and what to take from log posteriors (labels,).

    Examples
    --------
    >>> step = np.array([[-1.0, -np.inf], [-2.0, -3.0]])
    >>> at_strength(Transitions(np.log([0.9, 0.1]), step, np.full(2, 0.5)), 0.5)[1].tolist()
    [[-0.5, -inf], [-1.0, -1.5]]
    """

    def weakened(scores: np.ndarray) -> np.ndarray:
        return np.where(np.isneginf(scores), -np.inf, strength * np.where(np.isneginf(scores), 0.0, scores))

    return weakened(transitions.start), weakened(transitions.step), strength * np.log(transitions.prior)


def viterbi(
    probabilities: np.ndarray, lengths: Sequence[int], transitions: Transitions, strength: float = 1.0
) -> np.ndarray:
    """Find the best sequence of labels of each document.

    Maximised is, over a document's lines t, the sum of log p_t(y_t) + strength * (log A(y_t-1, y_t) - log prior(y_t)),
    with the start probability instead of A in the first line: a hidden Markov model whose emissions are posterior /
    prior (Bourlard & Morgan 1994, "Connectionist Speech Recognition").

    Parameters
    ----------
    probabilities : ndarray, shape (lines, labels)
        Posteriors of the documents' lines, end to end; what is below 1e-12 counts as that.
    lengths : sequence of int
        Lines of each document; no document sees another.
    transitions : Transitions
        Learned or declared.
    strength : float, default 1
        Weight of the transitions; 0 decides by argmax.

    Returns
    -------
    ndarray of int64, shape (lines,)
        Label indices; of equally good sequences always the same one.

    Raises
    ------
    ValueError
        If shapes do not fit, the strength is negative, or no sequence of labels is allowed for a document.

    Examples
    --------
    >>> transitions = learn_transitions(np.array([0, 0, 0, 0, 1, 1, 1, 1]), [8], 2)
    >>> p = np.array([[0.9, 0.1], [0.4, 0.6], [0.9, 0.1]])
    >>> np.argmax(p, axis=1).tolist(), viterbi(p, [3], transitions).tolist()
    ([0, 1, 0], [0, 0, 0])
    """
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(transitions):
        raise ValueError(f"Probabilities of shape {probabilities.shape} do not fit {len(transitions)} labels.")
    if not 0 <= strength < np.inf:
        raise ValueError(f"strength must be a number of at least 0, but is {strength!r}.")
    _check_lengths(lengths, len(probabilities))
    if strength == 0:  # times -inf would be no number
        return np.argmax(probabilities, axis=1)
    emission = np.log(np.maximum(probabilities, _TINY)) - strength * np.log(transitions.prior)
    return best_sequences(emission, lengths, strength * transitions.start, strength * transitions.step)[0]


def _flat(labels: LabelSet, names: Sequence[str], what: str) -> np.ndarray:
    if isinstance(names, str):
        raise ValueError(f"{what} must be a list of labels: [{names!r}].")
    row = np.full(len(labels), -np.inf)
    row[[labels.index(name) for name in names]] = 0.0
    return row


def _log_shares(counts: np.ndarray, smoothing: float) -> np.ndarray:
    smoothed = counts + smoothing
    return np.log(smoothed / smoothed.sum(axis=-1, keepdims=True))


def _check_lengths(lengths: Sequence[int], n_lines: int) -> None:
    if sum(lengths) != n_lines or any(length < 0 for length in lengths):
        raise ValueError(f"Documents of {sum(lengths)} lines in all do not fit {n_lines} lines.")
