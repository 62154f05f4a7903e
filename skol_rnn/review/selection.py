"""Choose the lines most worth a person's time, from the probabilities of a model.

The score of a line is the expected number of errors in the important labels, each weighted by how rare it is, so that
it counts as in the mean F1.  With ``c`` the label that the line has now, ``p(L)`` its posteriors and ``n(L)`` the lines
of L that the posteriors add up to:

    score = sum over important L of  |1[c = L] - p(L)| / n(L) * (1 + |p(L) - q(L)|)

``q(L)`` is the higher posterior of its two neighbours: a line out of line with them counts up to twice.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skol_rnn.labels import LabelSet

VARIETY = 2.0
"""The last line of a round that is all of one kind counts 1 / (1 + VARIETY) of its score."""
_UNCERTAIN, _OUTLIER = 0.5, 0.5  # margin of the two highest posteriors; difference from both neighbours


@dataclass(frozen=True, eq=False)
class Candidates:
    """The lines of a collection, documents one after the other.

    ``probabilities`` has the shape (lines, labels), ``current`` is the index of the label that each line has, by a
    person or by the model, and ``documents`` the number of its document.
    """

    labels: LabelSet
    probabilities: np.ndarray
    current: np.ndarray
    documents: np.ndarray
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.current)

    def neighbours(self) -> np.ndarray:
        """Return the higher posterior of the two neighbours of each line, 0 where it has none, (lines, labels)."""
        found = np.zeros_like(self.probabilities)
        same = (self.documents[1:] == self.documents[:-1])[:, None]
        found[1:] = self.probabilities[:-1] * same
        found[:-1] = np.maximum(found[:-1], self.probabilities[1:] * same)
        return found

    def runners_up(self) -> np.ndarray:
        """Return the most probable label of each line other than the one that it has."""
        others = self.probabilities.copy()
        others[np.arange(len(self)), self.current] = -1
        return others.argmax(axis=1)


def importance(candidates: Candidates, important: Sequence[str]) -> np.ndarray:
    """Return the weight of each label: 0, or one over its expected number of lines, scaled to a largest of 1."""
    expected = np.maximum(candidates.probabilities.sum(axis=0), 1.0)
    weights = np.zeros(len(candidates.labels))
    chosen = [candidates.labels.index(name) for name in important]
    weights[chosen] = 1 / expected[chosen]
    return weights / weights.max()


def scores(candidates: Candidates, weights: np.ndarray) -> np.ndarray:
    """Return the score of each line, as the head of this module defines it."""
    errors = np.abs(np.eye(len(candidates.labels))[candidates.current] - candidates.probabilities)
    outlying = np.abs(candidates.probabilities - candidates.neighbours())
    return (errors * (1 + outlying)) @ weights


def choose(candidates: Candidates, score: np.ndarray, number: int, seed: int, read: np.ndarray) -> list[int]:
    """Return the rows of the lines to read, the most useful first; ``read`` marks those that were read before.

    Lines of one document with one label and one runner-up are of one kind: the m-th of a kind counts as
    ``score / (1 + VARIETY * m / number)``.  Equal texts are taken once while there are others.
    """
    ties = np.random.default_rng(seed).permutation(len(score))
    order = np.lexsort((ties, -score))
    kinds = np.stack([candidates.documents, candidates.current, candidates.runners_up()], axis=1)
    queues: dict[tuple[int, ...], list[int]] = defaultdict(list)
    repeated: list[int] = []
    seen: set[str] = set()
    least = 0.0
    for row in order[~read[order]].tolist():
        text = " ".join(candidates.texts[row].casefold().split())
        if text in seen:
            repeated.append(row)
            continue
        seen.add(text)
        if len(seen) == number:
            least = score[row] / (1 + VARIETY)
        if len(seen) > number and score[row] < least:
            break  # the discount cannot bring it in
        queues[tuple(kinds[row].tolist())].append(row)
    chosen: list[int] = []
    heap = [(-score[rows[0]], -position, kind) for position, (kind, rows) in enumerate(queues.items())]
    taken = dict.fromkeys(queues, 0)
    heapq.heapify(heap)
    while heap and len(chosen) < number:
        _, place, kind = heapq.heappop(heap)
        rows, m = queues[kind], taken[kind]
        chosen.append(rows[m])
        taken[kind] = m = m + 1
        if m < len(rows):
            heapq.heappush(heap, (-score[rows[m]] / (1 + VARIETY * m / number), place, kind))
    return chosen + repeated[: number - len(chosen)]


def reasons(
    candidates: Candidates, rows: Sequence[int], annotated: np.ndarray, predicted: np.ndarray
) -> list[list[str]]:
    """Say of each row why it was chosen: "annotation", "uncertain", "neighbours" or "likely"."""
    top = np.sort(candidates.probabilities, axis=1)[:, -2:]
    margin = top[:, -1] - top[:, 0] if top.shape[1] > 1 else top[:, -1]
    outlying = np.abs(candidates.probabilities - candidates.neighbours()).max(axis=1)
    found = []
    for row in rows:
        why = ["annotation"] * bool(annotated[row] and candidates.current[row] != predicted[row])
        why += ["uncertain"] * bool(margin[row] < _UNCERTAIN)
        why += ["neighbours"] * bool(outlying[row] > _OUTLIER)
        found.append(why or ["likely"])
    return found
