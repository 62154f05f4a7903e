"""Merge the corrections of a round into the annotated files: all of them or none, and nothing else changes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skol_rnn.data.discovery import place_for
from skol_rnn.data.document import Document
from skol_rnn.errors import DataError
from skol_rnn.labels import plural
from skol_rnn.persistence.atomic import check_writable, write_together
from skol_rnn.review.corrections import Correction, read_corrections, refuse
from skol_rnn.review.relabel import IN_PLACE, annotated_copy, read_all, relabelled
from skol_rnn.review.round import MERGED, ReviewRound, text_hash


@dataclass(frozen=True)
class ReviewMerge:
    """What :func:`merge_review` did.

    Parameters
    ----------
    files : tuple of Path
        Annotated files that were written.
    corrected, confirmed : int
        Lines that got another label, and lines whose label was right.
    repeated : int
        Lines that were merged before.

    Examples
    --------
    >>> print(ReviewMerge((), 0, 0, 3))
    All 3 lines were merged before: nothing changed.
    """

    files: tuple[Path, ...]
    corrected: int
    confirmed: int
    repeated: int

    def __str__(self) -> str:
        new = self.corrected + self.confirmed
        if not new:
            return f"All {plural(self.repeated, 'line')} were merged before: nothing changed."
        before = f" {plural(self.repeated, 'line')} merged before." * bool(self.repeated)
        found = f"{plural(self.corrected, 'label')} corrected and {self.confirmed:,} confirmed"
        return f"{found}, in {plural(len(self.files), 'file')}.{before}"


def merge_review(
    round: str | Path | ReviewRound, corrections: str | Path | Iterable[str | Path], out: str | Path | None = None
) -> ReviewMerge:
    """Apply the corrections of a round to the annotated files; nothing else in them changes.

    Annotated YEDDA, JSONL and CSV files are changed where they are.  Of other documents an annotated copy (YEDDA) is
    written to ``out``; where nobody had annotated them, only the lines that were read have labels in it, and ``fit``
    leaves out the others (without ``other``, which would label them).  All corrections are applied, or none.

    Parameters
    ----------
    round : str, Path or ReviewRound
        The round, or its folder.
    corrections : str, Path or iterable of these
        What the page exported (JSONL), what Label Studio (JSON) or doccano (JSONL) exported of the round's tasks, or the
        folder of its brat tasks.
    out : str or Path, optional
        Folder for annotated copies.

    Returns
    -------
    ReviewMerge
        What was done; merging again what was merged before changes nothing.

    Raises
    ------
    DataError
        If the text of a document has changed, a correction is of another round, or two contradict each other or what was
        merged before; the message lists them with file and line.
    OSError
        If a file cannot be written; all are as they were.

    Examples
    --------
    >>> merge_review("round", "corrections.jsonl")  # doctest: +SKIP
    """
    found = round if isinstance(round, ReviewRound) else ReviewRound.read(round)
    given = [corrections] if isinstance(corrections, (str, Path)) else list(corrections)
    answers = read_corrections(found, given)
    if not answers:
        raise DataError(f"There is no correction in {', '.join(map(str, given)):.200}: nobody has answered yet.")
    before = found.merged()
    new = {item: answer for item, answer in answers.items() if item not in before}
    out = None if out is None else Path(out)
    files = _files(found, new, out)
    records = [*before.values(), *(_record(found, answer) for answer in new.values())]
    if new:
        lines = "".join(json.dumps(record) + "\n" for record in records)
        for place in files:
            check_writable(place)
        # The record comes last: after a kill in between, the same command does the rest.
        write_together({**files, found.folder / MERGED: lines.encode()})
    corrected = sum(found.lines[item].label != answer.label for item, answer in new.items())
    return ReviewMerge(tuple(files), corrected, len(new) - corrected, len(answers) - len(new))


def _record(found: ReviewRound, answer: Correction) -> dict[str, Any]:
    line = found.lines[answer.item]
    return {
        "item": answer.item,
        "document": found.documents[line.document].name,
        "line": line.line,
        "before": line.label,
        "label": answer.label,
        "reviewer": answer.reviewer,
        "file": Path(answer.file).name,
    }


def _files(found: ReviewRound, answers: Mapping[int, Correction], out: Path | None) -> dict[Path, bytes]:
    """Return the contents of the files to write; raise a DataError if a single one cannot be made."""
    by_path: dict[str, dict[int, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    for item, answer in answers.items():
        line = found.lines[item]
        by_path[found.documents[line.document].path][line.document][line.row] = answer.label
    problems: list[str] = []
    files: dict[Path, bytes] = {}
    for path, documents in by_path.items():
        try:
            files |= _of_file(found, Path(path), documents, out)
        except DataError as error:
            problems.append(str(error))
    refuse(problems, "Nothing was merged")
    return files


def _of_file(
    found: ReviewRound, path: Path, changes: Mapping[int, Mapping[int, str]], out: Path | None
) -> dict[Path, bytes]:
    first = found.documents[next(iter(changes))]
    if not path.exists():
        raise DataError(f"{path} does not exist any more: move it back, since its corrections belong there.")
    present = read_all(path, first.format)
    for index in changes:
        document = found.documents[index]
        if len(present) <= document.position or text_hash(present[document.position].text) != document.sha256:
            raise DataError(
                f"{path}: the text of {document.name} has changed since the round began: start a new round."
            )
    positions = {found.documents[index].position: dict(rows) for index, rows in changes.items()}
    wanted = {place: _to_change(found, present[place], rows) for place, rows in positions.items()}
    if first.format in IN_PLACE and all(present[place].labels is not None for place in positions):
        wanted = {place: rows for place, rows in wanted.items() if rows}
        return {path: relabelled(path, first.format, wanted)} if wanted else {}
    if out is None:
        raise DataError(
            f"{path} has no annotation that can be changed in place: give out=FOLDER for an annotated copy."
        )
    return {
        place: data
        for index, rows in changes.items()
        for place, data in _copy(found, present[found.documents[index].position], index, rows, out).items()
    }


def _to_change(found: ReviewRound, document: Document, rows: Mapping[int, str]) -> dict[int, str]:
    """Leave out lines that have the label already; a label that the model does not know counts as ``other``."""
    now = document.labels or (None,) * document.n_rows
    folded = [found.other if label is not None and label not in found.labels else label for label in now]
    return {row: label for row, label in rows.items() if folded[row] != label}


def _copy(found: ReviewRound, document: Document, index: int, rows: Mapping[int, str], out: Path) -> dict[Path, bytes]:
    """Return the annotated copy of a document: the one of an earlier merge with more labels, or a new one."""
    place = place_for(document.named(found.documents[index].name), out, "yedda")
    if not place.exists():
        labels = list(document.labels or [None] * document.n_rows)
        for row, label in _to_change(found, document, rows).items():
            labels[row] = label
        return {place: annotated_copy(document, labels)}
    (copy,) = read_all(place, "yedda")
    if copy.text != document.text:
        raise DataError(f"{place} exists and is no copy of {document.path}: choose another folder.")
    wanted = _to_change(found, copy, rows)
    return {place: relabelled(place, "yedda", {0: wanted})} if wanted else {}
