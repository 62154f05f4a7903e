"""BIO labels: which of them may follow which, so that no illegal sequence is ever predicted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from skol_rnn.decoding.transitions import Transitions
from skol_rnn.labels import LabelSet
from skol_rnn.spans.bio import OUTSIDE

_BEGIN, _INSIDE = "B-", "I-"


def is_bio(labels: Iterable[str]) -> bool:
    """Tell BIO labels from others: ``O``, ``B-X``, and ``I-X`` only where there is a ``B-X``.

    Parameters
    ----------
    labels : iterable of str
        Label names.

    Returns
    -------
    bool
        Whether all are of this kind, at least one of them ``B-X``.

    Examples
    --------
    >>> is_bio(["O", "B-PER", "I-PER"]), is_bio(["O", "I-PER"]), is_bio(["Nomenclature", "O"])
    (True, False, False)
    """
    names = set(labels)
    begun = {name[2:] for name in names if name.startswith(_BEGIN)}
    inside = {name[2:] for name in names if name.startswith(_INSIDE)}
    others = {name for name in names if not name.startswith((_BEGIN, _INSIDE))}
    return bool(begun) and inside <= begun and others <= {OUTSIDE}


def legal_steps(labels: LabelSet) -> tuple[np.ndarray, np.ndarray]:
    """Say where a document may begin and what may follow what: ``I-X`` only after ``B-X`` or ``I-X``.

    Parameters
    ----------
    labels : LabelSet
        BIO labels.

    Returns
    -------
    tuple of ndarray of bool, shapes (labels,) and (labels, labels)
        Labels that may come first; label in the column directly after the one in the row.

    Raises
    ------
    ValueError
        If the labels are not BIO.

    Examples
    --------
    >>> start, step = legal_steps(LabelSet(("B-A", "I-A", "O")))
    >>> start.tolist(), step.tolist()
    ([True, False, True], [[True, True, True], [True, True, True], [True, False, True]])
    """
    if not is_bio(labels):
        raise ValueError(f"Labels {', '.join(labels)} are not BIO: O, B-X, and I-X only where there is a B-X.")
    names = np.array(list(labels), dtype=object)
    inside = np.array([name.startswith(_INSIDE) for name in names])
    kind = np.array([name[2:] for name in names], dtype=object)  # "" for O
    return ~inside, ~inside[None, :] | (kind[:, None] == kind[None, :])


def bio_transitions(labels: LabelSet) -> Transitions:
    """Make flat transitions: all that is legal is equally good, all else forbidden.

    Parameters
    ----------
    labels : LabelSet
        BIO labels.

    Returns
    -------
    Transitions
        0 where legal, -inf elsewhere.

    Raises
    ------
    ValueError
        If the labels are not BIO.

    Examples
    --------
    >>> from skol_rnn.decoding import viterbi
    >>> bio = LabelSet(("B-A", "I-A", "O"))
    >>> p = np.array([[0.1, 0.3, 0.6], [0.2, 0.5, 0.3]])
    >>> bio_start = viterbi(p, [2], bio_transitions(bio))
    >>> p.argmax(axis=1).tolist(), bio_start.tolist()
    ([2, 1], [2, 2])
    """
    start, step = legal_steps(labels)
    k = len(labels)
    return Transitions(np.where(start, 0.0, -np.inf), np.where(step, 0.0, -np.inf), np.full(k, 1.0 / k))


def only_legal(transitions: Transitions, labels: LabelSet) -> Transitions:
    """Forbid what BIO forbids, and share its probability out among the rest.

    Parameters
    ----------
    transitions : Transitions
        Learned ones: smoothing makes possible what never occurs.
    labels : LabelSet
        BIO labels.

    Returns
    -------
    Transitions
        The same with -inf where a step is illegal.

    Raises
    ------
    ValueError
        If the labels are not BIO.

    Examples
    --------
    >>> from skol_rnn.decoding import learn_transitions
    >>> bio = LabelSet(("B-A", "I-A", "O"))
    >>> learned = learn_transitions(np.array([2, 0, 1, 2]), [4], 3)
    >>> np.exp(only_legal(learned, bio).step).round(3).tolist()
    [[0.25, 0.5, 0.25], [0.25, 0.25, 0.5], [0.667, 0.0, 0.333]]
    """
    start, step = legal_steps(labels)
    return replace(transitions, start=_among(transitions.start, start), step=_among(transitions.step, step))


def _among(log_shares: np.ndarray, legal: np.ndarray) -> np.ndarray:
    kept = np.where(legal, log_shares, -np.inf)
    return kept - np.logaddexp.reduce(kept, axis=-1, keepdims=True)
