"""What the averages of an evaluation hide, without advice: that depends on the decision, which counts do not show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation

SHARE_FACTOR = 2.0
"""How many times a predicted share must exceed the true one, or fall below it, to be reported."""
SHARE_MIN_COUNT = 20
"""True and predicted counts below which shares are not compared."""
MORE, FEWER, LEARN = "predict the label more often", "predict the label less often", "learn the rare labels"
"""Goals; how to reach them depends on the decision."""
_MOST_NAMED = 8


class Note(NamedTuple):
    """One observation; those that differ only in the label and its figures become one finding."""

    name: str
    seen: str
    means: str
    change: str
    label: str = ""
    figures: str = ""

    def __str__(self) -> str:
        return f"{self.seen}; {self.means}."


def grouped(notes: Iterable[Note]) -> list[Note]:
    """Join notes that differ only in their labels; advice that a label already has is not repeated."""
    groups: dict[Note, list[str]] = {}
    advised = set()
    for note in notes:
        if note.label and (note.label, note.change) in advised:
            continue
        advised.add((note.label, note.change))
        named = f"{note.label!r} ({note.figures})" if note.label else ""
        groups.setdefault(note._replace(label="", figures=""), []).append(named)
    return [note._replace(seen=note.seen + _listed(named)) for note, named in groups.items()]


def facts(evaluation: Evaluation) -> Iterator[Note]:
    """Yield what should not be overlooked in an evaluation."""
    if not evaluation.support.any():
        seen = f"Nothing was scored: no {evaluation.unit} has a true label"
        yield Note("nothing-scored", seen, "the scores mean nothing", "give data with a label column")
        return
    yield from _never_predicted(evaluation)
    yield from _shares(evaluation)
    yield from _missing(evaluation)


def count(number: int, unit: str) -> str:
    """Format a number of lines or tokens."""
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def _listed(named: list[str]) -> str:
    if not any(named):
        return ""
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f": {', '.join(named[:_MOST_NAMED])}{more}"


def _never_predicted(e: Evaluation) -> Iterator[Note]:
    rows = list(zip(e.labels, e.support.tolist(), e.predicted.tolist(), strict=True))
    found = [(name, number) for name, _, number in rows if number]
    lost = [(name, count(support, e.unit)) for name, support, predicted in rows if support and not predicted]
    if len(found) != 1:
        yield from (Note("never-predicted", "Never predicted", "the F1 is 0", MORE, *row) for row in lost)
    elif lost:
        name, number = found[0]
        never = _listed([f"{label!r} ({figures})" for label, figures in lost])
        seen = f"Only one class is predicted: all {count(number, e.unit)} got {name!r}. Never predicted{never}"
        if e.support[e.labels.index(name)] == e.support.max():
            yield Note("one-class", seen, "the network has learnt only which class is the most frequent", LEARN)
        else:
            yield Note("one-class", seen, f"{name!r} outweighs the more frequent classes", FEWER)


def _shares(e: Evaluation) -> Iterator[Note]:
    shares = zip(e.labels, e.true_share, e.predicted_share, e.support, e.predicted, strict=True)
    for name, true, predicted, support, number in shares:
        # Labels that are never predicted are reported already.
        if number == 0 or max(support, number) < SHARE_MIN_COUNT:
            continue
        figures = f"{predicted:.2%} of the predictions, {true:.2%} of the true {e.unit}s"
        if predicted > SHARE_FACTOR * true:
            yield Note("share-off", "Predicted too often", "most of these predictions are wrong", FEWER, name, figures)
        elif true > SHARE_FACTOR * predicted:
            yield Note("share-off", "Predicted too rarely", f"most of these {e.unit}s are missed", MORE, name, figures)


def _missing(e: Evaluation) -> Iterator[Note]:
    total = count(int(e.support.sum()), e.unit)
    if gone := int(e.missing.sum()):
        change = "check that every document was passed to predict and that the rows are aligned"
        yield Note("missing-predictions", f"{gone:,} of {total} got no prediction", "they count as errors", change)
    if gone := e.missing_probabilities:
        change = "check that every document was passed to predict_proba"
        seen = f"{gone:,} of {total} got no probabilities"
        yield Note("missing-probabilities", seen, "they cost the largest loss", change)
