"""Scores of predicted spans, strict and with partial credit, each of which says what it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skol_rnn.data.bio import decode_spans
from skol_rnn.data.spans import Span

if TYPE_CHECKING:
    import pandas as pd

SpansByDocument = Mapping[str, Sequence[Span]]
"""Spans of each document by its name."""

_UNTYPED = "any type"


@dataclass(frozen=True)
class SpanScore:
    """Precision, recall and F1 of the spans of one type, or of all."""

    name: str
    found: float
    hit: float
    predicted: int
    support: int

    @property
    def precision(self) -> float:
        """Right part of the predicted spans; 0.0 where there is none."""
        return self.found / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Part of the true spans that was found; 0.0 where there is none."""
        return self.hit / self.support if self.support else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0.0 where both are."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True)
class SpanScores:
    """Scores of all spans together and of each type."""

    measure: str
    micro: SpanScore
    types: tuple[SpanScore, ...]

    @property
    def precision(self) -> float:
        """Precision of all spans together."""
        return self.micro.precision

    @property
    def recall(self) -> float:
        """Recall of all spans together."""
        return self.micro.recall

    @property
    def f1(self) -> float:
        """F1 of all spans together."""
        return self.micro.f1

    @property
    def macro_f1(self) -> float:
        """Plain mean of the F1 of the types; 0.0 where there is none."""
        return sum(row.f1 for row in self.types) / len(self.types) if self.types else 0.0

    def table(self) -> pd.DataFrame:
        """Return one row a type and a last row ``all``."""
        import pandas as pd

        names = ("precision", "recall", "f1", "predicted", "support")
        rows = (*self.types, self.micro)
        return pd.DataFrame([[getattr(row, name) for name in names] for row in rows], [r.name for r in rows], names)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        *types, micro = self.table().to_dict("records")
        names = (row.name for row in self.types)
        whole = {str(key): value for key, value in micro.items()}
        return {
            "measure": self.measure,
            **whole,
            "macro_f1": self.macro_f1,
            "types": dict(zip(names, types, strict=True)),
        }

    def __str__(self) -> str:
        return f"{self.measure}\n{self.table().to_string(float_format='{:.3f}'.format)}"


def strict_scores(gold: SpansByDocument, predicted: SpansByDocument) -> SpanScores:
    """Score spans that count only if both ends and the type are right.

    Parameters
    ----------
    gold, predicted : mapping of str to sequence of (int, int, str)
        Spans of each document; one given twice counts once.

    Returns
    -------
    SpanScores
        The scores.

    Raises
    ------
    ValueError
        If spans are predicted for a document that ``gold`` does not name; give it an empty list there.

    Examples
    --------
    >>> strict_scores({"a": [(0, 4, "Doubt")]}, {"a": [(0, 5, "Doubt")]}).f1
    0.0
    """
    _check_documents(gold, predicted)
    true, guessed = ({(name, *span) for name, spans in side.items() for span in spans} for side in (gold, predicted))
    support, given, right = (Counter(span[3] for span in side) for side in (true, guessed, true & guessed))
    rows = [SpanScore(kind, right[kind], right[kind], given[kind], support[kind]) for kind in sorted(support | given)]
    return SpanScores("Strict span scores: whole spans with equal ends and type", _together(rows), tuple(rows))


def strict_scores_of_labels(
    gold: Iterable[Sequence[str | None]], predicted: Iterable[Sequence[str | None]]
) -> SpanScores:
    """Score the spans that labels of tokens tell; an I- that continues nothing is no part of a span."""
    gold, predicted = list(gold), list(predicted)
    if list(map(len, gold)) != list(map(len, predicted)):
        raise ValueError("True and predicted labels must be of the same documents, one label a token.")
    true, guessed = ({str(i): spans_of_labels(labels) for i, labels in enumerate(side)} for side in (gold, predicted))
    return strict_scores(true, guessed)


def spans_of_labels(labels: Sequence[str | None], stray: str = "drop") -> list[Span]:
    """Return the spans that labels of tokens tell, in tokens; see :func:`decode_spans`."""
    return decode_spans([(i, i + 1) for i in range(len(labels))], labels, stray=stray)


def fragment_scores(gold: SpansByDocument, predicted: SpansByDocument, *, typed: bool = True) -> SpanScores:
    """Score spans by the characters they share with others of their type.

    Precision is the sum of |s ∩ t| / |s| over all pairs of a predicted span s and a true one t, divided by the number
    of predicted spans; recall that of |s ∩ t| / |t|, divided by the number of true ones.  Pairs of different types or
    documents share nothing.  Overlapping spans of one type in one document are first merged on either side, touching
    ones are not.
    (Da San Martino et al., Fine-Grained Analysis of Propaganda in News Articles, EMNLP 2019, with the merging of
    the shared task of SemEval 2020.)

    Parameters
    ----------
    gold, predicted : mapping of str to sequence of (int, int, str)
        Spans of each document, none empty.
    typed : bool, default True
        Whether types count; if not, all spans are of one type, and merged as such.

    Returns
    -------
    SpanScores
        The scores.

    Raises
    ------
    ValueError
        If spans are predicted for a document that ``gold`` does not name (give it an empty list there), or a span is
        empty.

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
    kinds = sorted({kind for _, kind in (*true, *guessed)})
    rows = []
    for kind in kinds:
        found = hit = 0.0
        for key in [key for key in guessed if key[1] == kind]:
            for a, b in _pairs(guessed[key], true.get(key, [])):
                shared = min(a[1], b[1]) - max(a[0], b[0])
                found += shared / (a[1] - a[0])
                hit += shared / (b[1] - b[0])
        numbers = [sum(len(spans) for key, spans in side.items() if key[1] == kind) for side in (guessed, true)]
        rows.append(SpanScore(kind, found, hit, *numbers))
    how = "types count" if typed else "types do not count"
    measure = f"Fragment scores: shared characters of spans, partial credit, {how}"
    return SpanScores(measure, _together(rows), tuple(rows))


def _check_documents(gold: SpansByDocument, predicted: SpansByDocument) -> None:
    if unknown := sorted(set(predicted) - set(gold)):
        raise ValueError(f"Spans are predicted for {unknown[0]!r}, which has no true ones: give it an empty list.")


def _together(rows: Sequence[SpanScore]) -> SpanScore:
    sums = (sum(getattr(row, name) for row in rows) for name in ("found", "hit", "predicted", "support"))
    return SpanScore("all", *sums)


def _merged(spans: SpansByDocument, typed: bool) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Group spans by document and type, sorted, with those that overlap made one."""
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
    return groups


def _pairs(
    left: Sequence[tuple[int, int]], right: Sequence[tuple[int, int]]
) -> Iterable[tuple[tuple[int, int], tuple[int, int]]]:
    """Go through the pairs that overlap, of two sorted lists in each of which nothing overlaps."""
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i][0] < right[j][1] and right[j][0] < left[i][1]:
            yield left[i], right[j]
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
