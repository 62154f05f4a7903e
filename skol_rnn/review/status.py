"""The state of a review: what was read and found, what is still unfound, and when to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skol_rnn.decoding.estimate import Expected
from skol_rnn.errors import DataError
from skol_rnn.labels import plural, printable
from skol_rnn.review.estimate import Recalibration
from skol_rnn.review.round import ReviewRound, read_rounds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

NEXT = 100
"""Lines for which finds are foretold."""
_STOP = 1.0  # finds in the next lines, below which it is time to stop


@dataclass(frozen=True)
class LabelStatus:
    """An important label: lines found among those read, and what the unread ones hold.

    ``unread`` estimates the unread lines of the label, ``missed`` those of them that have another label now, and
    ``next_finds`` is the expected number of missed lines among the next 100 lines by the rule.
    """

    label: str
    found: int
    corrected: int
    unread: Expected
    missed: Expected
    next_finds: float


@dataclass(frozen=True, repr=False)
class ReviewStatus:
    """What :func:`review_status` found out; ``print`` shows it, :meth:`to_frame` and :meth:`plot` give it to a notebook.

    Parameters
    ----------
    lines, chosen, read : int
        Lines of the collection, lines chosen for review, and lines read.
    labels : list of LabelStatus
        The important labels.
    curve : list of dict of str to int
        Lines of each label found, after each line read, in the order of the rounds.

    Examples
    --------
    >>> found = Expected(3.2, 1.0, 7.0)
    >>> print(ReviewStatus(200, 20, 10, [LabelStatus("Name", 4, 1, found, found, 0.5)], [{"Name": 4}]))
    10 of 20 chosen lines are read, of 200 lines.
    label  found  of these corrected  unread (95 % interval)  of these missed  next 100 lines
    Name       4                   1              3 (1 to 7)       3 (1 to 7)             0.5
    The next 100 lines would add less than one line of any important label: it is time to stop.
    """

    lines: int
    chosen: int
    read: int
    labels: list[LabelStatus]
    curve: list[dict[str, int]]

    @property
    def stop(self) -> bool:
        """Whether the next 100 lines are expected to add less than one line of each important label."""
        return self.read > 0 and all(label.next_finds < _STOP for label in self.labels)

    def __str__(self) -> str:
        head = f"{self.read:,} of {plural(self.chosen, 'chosen line')} are read, of {plural(self.lines, 'line')}."
        table = [
            ("label", "found", "of these corrected", "unread (95 % interval)", "of these missed", f"next {NEXT} lines")
        ]
        for each in self.labels:
            shown = (printable(each.label), f"{each.found:,}", f"{each.corrected:,}")
            table.append((*shown, _shown(each.unread), _shown(each.missed), f"{each.next_finds:.1f}"))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        rows = ("  ".join(f"{cell:<{w}}" if i == 0 else f"{cell:>{w}}" for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
                for row in table)  # fmt: skip
        most = max(self.labels, key=lambda each: each.next_finds)
        advice = (
            f"The next {NEXT} lines would add less than one line of any important label: it is time to stop."
            if self.stop
            else f"The next {NEXT} lines would add about {most.next_finds:.0f} lines of {printable(most.label)}: go on."
            if self.read
            else "No line is read yet, so the numbers are the model's alone."
        )
        return "\n".join([head, *rows, advice])

    def __repr__(self) -> str:
        return f"ReviewStatus(lines={self.lines}, chosen={self.chosen}, read={self.read}, stop={self.stop})"

    def to_frame(self) -> pd.DataFrame:
        """Return the labels as a table.

        Returns
        -------
        DataFrame
            One row a label; an estimate has columns for value, low and high.
        """
        import pandas as pd

        return pd.DataFrame([self._row(each) for each in self.labels])

    def _row(self, each: LabelStatus) -> dict[str, object]:
        row: dict[str, object] = {}
        for field in fields(each):
            value = getattr(each, field.name)
            estimate = (
                {f"{field.name}_{part}": number for part, number in value._asdict().items()}
                if isinstance(value, Expected)
                else {field.name: value}
            )
            row |= estimate
        return row

    def as_dict(self) -> dict[str, object]:
        """Return all of it as JSON values."""
        counts = {"lines": self.lines, "chosen": self.chosen, "read": self.read, "stop": self.stop}
        return {**counts, "labels": [self._row(each) for each in self.labels], "curve": self.curve}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the budget curve: lines read against lines of each important label found.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        from skol_rnn.report.charts import plot_found

        return plot_found([each.label for each in self.labels], self.curve, ax)


def _shown(found: Expected) -> str:
    return f"{found.value:,.0f} ({found.low:,.0f} to {found.high:,.0f})"


def review_status(rounds: str | Path | Sequence[str | Path]) -> ReviewStatus:
    """Say what rounds of review have found, how many lines of each important label are still unfound, and when to stop.

    Parameters
    ----------
    rounds : str, Path or sequence of these
        Folders of the rounds, the first one first.  A document of several rounds counts once, with the model of the last.

    Returns
    -------
    ReviewStatus
        Counts, estimates with 95 % intervals, and the budget curve.

    Raises
    ------
    DataError
        If a folder is no round, or rounds have different important labels.

    Examples
    --------
    >>> review_status(["round1", "round2"])  # doctest: +SKIP
    """
    found = read_rounds(rounds)
    if not found:
        raise DataError("There is no round: give the folders of rounds.")
    important = found[0].important
    for each in found[1:]:
        if set(each.important) != set(important):
            raise DataError(f"{found[0].folder} and {each.folder} have different important labels: show them apart.")
    merged = [each.merged() for each in found]
    reads = [(each, item, record) for each, records in zip(found, merged, strict=True)
             for item, record in sorted(records.items())]  # fmt: skip
    read, posteriors, current, score = _posteriors(found, merged, important)
    curve: list[dict[str, int]] = []
    counts = dict.fromkeys(important, 0)
    for _, _, record in reads:
        counts[record["label"]] = counts.get(record["label"], 0) + 1
        curve.append({name: counts[name] for name in important})
    next_ = np.argsort(-score, kind="stable")[:NEXT]
    labels = []
    for column, name in enumerate(important):
        is_label = np.array([record["label"] == name for _, _, record in reads], dtype=bool)
        again = Recalibration(read[:, column], is_label)
        missed = current != name
        corrected = sum(
            each.lines[item].label != name for (each, item, _), found_ in zip(reads, is_label, strict=True) if found_
        )
        labels.append(
            LabelStatus(
                label=name,
                found=int(is_label.sum()),
                corrected=corrected,
                unread=again.counts(posteriors[:, column]),
                missed=again.counts(posteriors[missed, column]),
                next_finds=again.counts(posteriors[next_][missed[next_], column]).value,
            )
        )
    chosen = {(each.documents[line.document].sha256, line.line) for each in found for line in each.lines}
    return ReviewStatus(len(current) + len(reads), len(chosen), len(reads), labels, curve)


def _posteriors(
    rounds: Sequence[ReviewRound], merged: Sequence[Mapping[int, object]], important: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the posteriors of the lines read, and posteriors, label and score of the others, by the last round of each."""
    read = {
        (each.documents[each.lines[item].document].sha256, each.lines[item].line)
        for each, records in zip(rounds, merged, strict=True)
        for item in records
    }
    last = {document.sha256: number for number, each in enumerate(rounds) for document in each.documents}
    of_read = [np.zeros((0, len(important)))]
    posteriors, current, score = [np.zeros((0, len(important)))], [np.zeros(0, object)], [np.zeros(0)]
    for number, (each, records) in enumerate(zip(rounds, merged, strict=True)):
        lines, sizes = each.collection(), [document.lines for document in each.documents]
        of_label = lines.probabilities[:, [each.important.index(name) for name in important]]
        starts = np.cumsum([0, *sizes])
        rows = [starts[each.lines[item].document] + each.lines[item].row for item in sorted(records)]
        of_read.append(of_label[np.array(rows, int)])
        hashes = np.repeat(np.array([document.sha256 for document in each.documents], object), sizes)
        kept = np.array(
            [last[h] == number and (h, n) not in read for h, n in zip(hashes, lines.line.tolist(), strict=True)], bool
        )
        posteriors.append(of_label[kept])
        current.append(np.array(each.labels, dtype=object)[lines.current[kept]])
        score.append(lines.score[kept])
    return np.concatenate(of_read), np.concatenate(posteriors), np.concatenate(current), np.concatenate(score)
