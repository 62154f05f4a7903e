"""Scores of predicted spans: strict, and with partial credit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.data.spans import Span
from skol_rnn.evaluation.fragments import covered, f1_from_sums

if TYPE_CHECKING:
    import pandas as pd

SpansByDocument = Mapping[str, Sequence[Span]]
"""Spans by name of the document."""

_UNTYPED = "any type"


@dataclass(frozen=True)
class SpanScore:
    """Precision, recall and F1 of the spans of one type, or of all; 0.0 where there is none."""

    name: str
    found: float
    hit: float
    predicted: int
    support: int

    @property
    def precision(self) -> float:
        """Right part of the predicted spans."""
        return self.found / max(self.predicted, 1)

    @property
    def recall(self) -> float:
        """Part of the true spans that is found."""
        return self.hit / max(self.support, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return f1_from_sums(self.found, self.predicted, self.hit, self.support)

    def scores(self) -> dict[str, Any]:
        """Return the scores and counts by name."""
        return {name: getattr(self, name) for name in ("precision", "recall", "f1", "predicted", "support")}


@dataclass(frozen=True)
class SpanScores(SpanScore):
    """Scores of all spans together, and of each type."""

    measure: str
    types: tuple[SpanScore, ...]

    @property
    def macro_f1(self) -> float:
        """Unweighted mean of the F1 of the types; 0.0 where there is none."""
        return sum(row.f1 for row in self.types) / max(len(self.types), 1)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per type and a last row ``all``."""
        import pandas as pd

        rows = (*self.types, self)
        return pd.DataFrame([row.scores() for row in rows], [row.name for row in rows])

    table = to_frame

    def as_dict(self) -> dict[str, Any]:
        """Return the scores as JSON values."""
        types = {row.name: row.scores() for row in self.types}
        return {"measure": self.measure, **self.scores(), "macro_f1": self.macro_f1, "types": types}

    def __str__(self) -> str:
        return f"{self.measure}\n{self.table().to_string(float_format='{:.3f}'.format)}"


def strict_scores(gold: SpansByDocument, predicted: SpansByDocument) -> SpanScores:
    """Score spans, each of which is right only if both ends and the type are equal.

    Parameters
    ----------
    gold, predicted : mapping of str to sequence of (int, int, str)
        Spans of each document; duplicates count once.

    Returns
    -------
    SpanScores
        The scores.

    Raises
    ------
    ValueError
        If spans are predicted for a document that is not in ``gold``; give such a document an empty list there.

    Examples
    --------
    >>> strict_scores({"a": [(0, 4, "Doubt")]}, {"a": [(0, 5, "Doubt")]}).f1
    0.0
    """
    _check_documents(gold, predicted)
    true, guessed = ({(name, *span) for name, spans in side.items() for span in spans} for side in (gold, predicted))
    support, predictions, right = (Counter(span[3] for span in side) for side in (true, guessed, true & guessed))
    sums = {kind: (right[kind], right[kind], predictions[kind], support[kind]) for kind in support | predictions}
    return _scores("Strict span scores: whole spans with equal ends and type", sums)


def fragment_scores(gold: SpansByDocument, predicted: SpansByDocument, *, typed: bool = True) -> SpanScores:
    """Score spans by the characters they share with others of their type.

    Precision is the sum of |s ∩ t| / |s| over all pairs of a predicted span s and a true span t, divided by the number
    of predicted spans. Recall is the sum of |s ∩ t| / |t|, divided by the number of true spans. Spans of different
    types or documents share nothing. Overlapping spans of one type are merged first; touching spans are not.
    The measure is from Da San Martino et al., Fine-Grained Analysis of Propaganda in News Articles, EMNLP 2019, the
    merging from the shared task of SemEval 2020.

    Parameters
    ----------
    gold, predicted : mapping of str to sequence of (int, int, str)
        Spans of each document, none empty.
    typed : bool, default True
        Whether types count; if not, all spans are treated as one type.

    Returns
    -------
    SpanScores
        The scores.

    Raises
    ------
    ValueError
        If spans are predicted for a document that is not in ``gold`` (give it an empty list there), or a span is empty.

    Examples
    --------
    >>> scores = fragment_scores({"a": [(10, 20, "Doubt")]}, {"a": [(15, 35, "Doubt")]})
    >>> scores.precision, scores.recall, round(scores.f1, 3)
    (0.25, 0.5, 0.333)
    >>> fragment_scores({"a": [(0, 9, "Doubt")]}, {"a": [(0, 9, "Slogans")]}, typed=False).f1
    1.0
    """
    _check_documents(gold, predicted)
    true, guessed = _merged(gold, typed), _merged(predicted, typed)
    sums: dict[str, list[Any]] = defaultdict(lambda: [0.0, 0.0, 0, 0])
    for place, (side, other) in enumerate(((guessed, true), (true, guessed))):
        for key, spans in side.items():
            sums[key[1]][place] += float(covered(*spans.T, *other.get(key, spans[:0]).T).sum())
            sums[key[1]][place + 2] += len(spans)
    how = "types count" if typed else "types do not count"
    measure = f"Fragment scores: shared characters of spans, partial credit, {how}"
    return _scores(measure, sums)


def _scores(measure: str, sums: Mapping[str, Sequence[Any]]) -> SpanScores:
    types = tuple(SpanScore(kind, *sums[kind]) for kind in sorted(sums))
    found, hit, predicted, support = (sum(row[i] for row in sums.values()) for i in range(4))
    return SpanScores("all", found, hit, predicted, support, measure, types)


def _check_documents(gold: SpansByDocument, predicted: SpansByDocument) -> None:
    if unknown := sorted(set(predicted) - set(gold)):
        raise ValueError(f"Spans are predicted for {unknown[0]!r}, which has no true ones: give it an empty list.")


def _merged(spans: SpansByDocument, typed: bool) -> dict[tuple[str, str], np.ndarray]:
    """Return starts and ends by document and type, shape (spans, 2), overlapping spans merged."""
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for name, found in spans.items():
        for start, end, kind in sorted(found):
            if start >= end:
                raise ValueError(f"{name}: the span [{start}, {end}, {kind!r}] is empty or reversed.")
            group = groups.setdefault((name, kind if typed else _UNTYPED), [])
            if group and start < group[-1][1]:
                group[-1] = (group[-1][0], max(end, group[-1][1]))
            else:
                group.append((start, end))
    return {key: np.array(group) for key, group in groups.items()}
