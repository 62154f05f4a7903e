"""What the scores on documents without labels will be, from calibrated probabilities and from documents held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.held_out import HeldOut
from skol_rnn.decoding.purpose import Rule, Threshold
from skol_rnn.labels import plural

SCORES = ("precision", "recall", "f1")
_LEAST = 20  # lines of a label in a group of held-out documents
_FEWEST = 3  # groups that an interval rests on


class Expected(NamedTuple):
    """What is expected, a score or a number of lines, and its 95 % interval; NaN where too few documents were held out."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f}" + (f" ({self.low:.3f} to {self.high:.3f})" if self.low == self.low else "")


@dataclass(frozen=True)
class Promise:
    """What a decision such as "recall:Nomenclature=0.95" promises about new documents.

    Attributes
    ----------
    decision : str
        The decision.
    label : str
        Its label.
    threshold : float
        Lines whose posterior of the label is at least this get the label.
    confidence : float
        Share of new collections, each as large as a group of held-out documents, in which the promise holds.
    groups : int
        Groups of held-out documents that the threshold was found on: documents with at least 20 lines of the label, and
        smaller ones joined.
    lines : int
        Lines of the label among them.
    recall, precision : float
        Scores of the label on all held-out documents together.
    """

    decision: str
    label: str
    threshold: float
    confidence: float
    groups: int
    lines: int
    recall: float
    precision: float

    def __str__(self) -> str:
        return (
            f"{self.decision}: lines whose probability of {self.label} is at least {self.threshold:.4g}. The promise holds "
            f"for {self.confidence:.0%} of new collections like the {plural(self.groups, 'group')} of held-out documents, "
            f"whose {self.lines:,} lines of {self.label} have recall {self.recall:.3f} and precision {self.precision:.3f}."
        )


def promise_of(decision: str, decoder: Decoder) -> Promise:
    """Return what a decision for recall or precision promises."""
    rule = decoder.resolved(decision)
    if not isinstance(rule, Threshold) or decoder.held_out is None:
        raise ValueError(f"decision {decision!r} promises nothing: write recall:LABEL=0.95 or precision:LABEL=0.9.")
    held = decoder.held_out.known()
    chosen, true = held.posterior[:, rule.label] >= rule.least, held.true == rule.label
    right = int((chosen & true).sum())
    groups = len(held.groups(rule.label, rule.lines_in_group))
    recall, precision = right / true.sum(), right / max(chosen.sum(), 1)
    name = decoder.names[rule.label]
    return Promise(
        decision, name, rule.least, rule.confidence, groups, int(true.sum()), float(recall), float(precision)
    )


@dataclass
class Sums:
    """What the estimate needs of a collection, added up document by document.

    Rows are: lines that are given each label, the sum of its posteriors over them, and over all lines.
    """

    values: np.ndarray  # (3, labels)
    lines: int = 0

    @classmethod
    def empty(cls, n_labels: int) -> Sums:
        """Return the sums of no line."""
        return cls(np.zeros((3, n_labels)))

    def add(self, chosen: np.ndarray, posterior: np.ndarray) -> None:
        """Add lines: label indices (lines,) and posteriors (lines, labels)."""
        self.values += _sums(chosen, posterior, posterior)
        self.lines += len(chosen)


def expected_scores(sums: Sums, decoder: Decoder, decision: str | Rule) -> list[dict[str, Expected]]:
    """Return precision, recall and F1 that are expected of each label under a decision.

    In each group of held-out documents, the score that its posteriors promise is compared with the true one, as a
    difference of logits; groups count by their lines of the label.  The interval is that of one more group, in a
    random-effects model (Higgins et al., A re-evaluation of random-effects meta-analysis, 2009), widened where the
    collection is smaller than the groups.
    """
    held, decided = decoder.held_out and decoder.held_out.known(), None
    if held is not None:
        decided = decoder.decide_posteriors(held.posterior, held.lengths.tolist(), decision)
    promised = _scores(*sums.values)
    found = []
    for label in range(sums.values.shape[1]):
        shifts = _shifts(held, decided, label) if held is not None and decided is not None else None
        n = _bases(*sums.values[:, label])
        found.append({k: _expected(promised[i][label], n[i], shifts, i) for i, k in enumerate(SCORES)})
    return found


def _sums(chosen: np.ndarray, posterior: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return (3, labels): lines chosen, and the sums of ``right`` (lines, labels) over these and over all lines."""
    n_labels = posterior.shape[1]
    of_chosen = np.bincount(chosen, right[np.arange(len(chosen)), chosen], minlength=n_labels)
    return np.stack([np.bincount(chosen, minlength=n_labels), of_chosen, right.sum(axis=0)])


def _scores(chosen: np.ndarray, right: np.ndarray, support: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return precision, recall and F1; each (...) as the sums.  Half a line is added, so that none is 0 or 1."""
    return (
        (right + 0.5) / (chosen + 1),
        (right + 0.5) / (np.maximum(support, right) + 1),
        (2 * right + 0.5) / (chosen + np.maximum(support, right) + 1),
    )


def _bases(chosen: float, right: float, support: float) -> tuple[float, float, float]:
    """Return how many lines each score rests on."""
    return chosen, support, (chosen + support) / 2


class _Shifts(NamedTuple):
    """Of the groups: differences of logits (groups, scores), their weights, and the variance that chance explains."""

    differences: np.ndarray
    weights: np.ndarray  # (groups,), which sum to 1
    by_chance: np.ndarray  # (scores,)


def _shifts(held: HeldOut, decided: np.ndarray, label: int) -> _Shifts | None:
    groups = held.groups(label, _LEAST)
    if len(groups) < _FEWEST:
        return None
    differences, by_chance = [], []
    for group in groups:
        posterior, true, chosen = held.posterior[group], held.true[group], decided[group]
        expected = _sums(chosen, posterior, posterior)[:, label]
        actual = _sums(chosen, posterior, np.eye(posterior.shape[1])[true])[:, label]
        scores = np.array(_scores(*expected)), np.array(_scores(*actual))
        differences.append(logit(scores[1]) - logit(scores[0]))
        by_chance.append(_variance(scores[0], np.array(_bases(*expected))))
    lines = np.array([np.sum(held.true[group] == label) for group in groups], np.float64)
    return _Shifts(np.array(differences), lines / lines.sum(), np.average(by_chance, axis=0, weights=lines))


def _expected(promised: float, n: float, shifts: _Shifts | None, score: int) -> Expected:
    if shifts is None:
        return Expected(float(promised), np.nan, np.nan)
    try:
        from scipy.stats import t as student  # prediction alone does without scipy
    except ImportError as error:
        raise ImportError("The interval of an expected score needs scipy: pip install scipy.") from error
    differences = shifts.differences[:, score]
    mean, groups = shifts.weights @ differences, 1 / (shifts.weights @ shifts.weights)  # as many as equal ones
    centre, chance = logit(promised) + mean, shifts.by_chance[score]
    between = shifts.weights @ (differences - mean) ** 2 * groups / (groups - 1)
    # Groups without an error differ less than chance would have it.
    variance = max(between, chance) * (1 + 1 / groups) + max(_variance(promised, n) - chance, 0.0)
    half = student.ppf(0.975, groups - 1) * np.sqrt(variance)
    return Expected(*(float(sigmoid(x)) for x in (centre, centre - half, centre + half)))


def logit(share: Any) -> Any:
    """Return the log odds."""
    return np.log(share) - np.log1p(-share)


def sigmoid(x: Any) -> Any:
    """Return the share of some log odds."""
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def _variance(share: Any, n: Any) -> Any:
    """Return the sampling variance of a logit."""
    return 1 / (np.maximum(n, 1) * share * (1 - share))


@dataclass(frozen=True)
class Estimate:
    """What is expected of a model on documents without labels.

    Attributes
    ----------
    decision : str
        How labels are decided.
    labels : tuple of str
        The labels.
    scores : list of dict
        For each label an :class:`Expected` of ``precision``, ``recall`` and ``f1``.
    shares, trained_shares : ndarray of float64, shape (labels,)
        Share of each label that is expected among the lines, and the share in training.
    documents : list of dict
        Name, ``lines``, ``uncertain`` (the share of lines that is expected to be labelled wrong) and ``layout`` (the root
        mean square of its mean layout numbers, in standard deviations of a training line), the most uncertain first.
    """

    decision: str
    labels: tuple[str, ...]
    scores: list[dict[str, Expected]]
    shares: np.ndarray
    trained_shares: np.ndarray
    documents: list[dict[str, Any]]

    @property
    def lines(self) -> int:
        """Number of lines."""
        return sum(document["lines"] for document in self.documents)

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as a JSON object."""
        by_label = {
            name: {
                **{kind: score._asdict() for kind, score in scores.items()},
                "share": float(self.shares[k]),
                "trained_share": float(self.trained_shares[k]),
            }
            for k, (name, scores) in enumerate(zip(self.labels, self.scores, strict=True))
        }
        return {"decision": self.decision, "lines": self.lines, "labels": by_label, "documents": self.documents}

    def __repr__(self) -> str:
        return f"Estimate(lines={self.lines}, documents={len(self.documents)}, decision={self.decision!r})"
