"""Read the corrections of a round: what its page exports, and what Label Studio, doccano and brat give back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skol_rnn.data.formats.brat import read_brat
from skol_rnn.data.formats.jsonl import load_records
from skol_rnn.errors import DataError
from skol_rnn.labels import printable, suggestion
from skol_rnn.review.round import MERGED, ReviewRound
from skol_rnn.review.tasks import brat_task, task_id

_MOST_PROBLEMS = 100


class _OtherRound(DataError):
    """A file of corrections belongs to another round."""


class Correction(NamedTuple):
    """The label that a person gave to a line: position of the line in the round, and where this stands."""

    item: int
    label: str
    reviewer: str | None
    file: str
    line: int

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.file}:{self.line}"


def read_corrections(found: ReviewRound, paths: Iterable[str | Path]) -> dict[int, Correction]:
    """Read the corrections of a round by the position of their line; refuse all if one is wrong or two differ."""
    problems: list[str] = []
    given = [each for path in map(Path, paths) for each in _of_path(found, path, problems)]
    by_item: dict[int, list[Correction]] = defaultdict(list)
    place = str(found.folder / MERGED)
    for number, (item, record) in enumerate(found.merged().items(), 1):
        by_item[item].append(Correction(item, record["label"], record.get("reviewer"), place, number))
    new = set()
    for each in given:
        by_item[each.item].append(each)
        new.add(each.item)
    for item, answers in sorted(by_item.items()):
        if len({each.label for each in answers}) > 1:
            problems.append(_contradiction(found, item, answers))
    refuse(problems, "Nothing was merged")
    return {item: by_item[item][-1] for item in sorted(new)}


def refuse(problems: Sequence[str], what: str) -> None:
    """Raise a DataError with all problems, if there are any."""
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        shown = [*problems[:_MOST_PROBLEMS], *([f"and {more:,} more"] * (more > 0))]
        raise DataError("\n".join([*shown, f"{what}."]))


def _contradiction(found: ReviewRound, item: int, answers: Sequence[Correction]) -> str:
    line = found.lines[item]
    first: dict[str, Correction] = {}
    for each in answers:
        first.setdefault(each.label, each)
    said = "; ".join(
        f"{each.where} says {each.label}" + f" ({each.reviewer})" * bool(each.reviewer) for each in first.values()
    )
    return f"{found.documents[line.document].name}, line {line.line}: {said}: agree, and keep one of them"


def _of_path(found: ReviewRound, path: Path, problems: list[str]) -> Iterator[Correction]:
    """Yield the corrections of a file, or of a folder of brat's tasks; note what is wrong."""
    if path.is_dir():
        yield from _of_brat(found, path, problems)
        return
    places: dict[tuple[Any, ...], int] = {}
    for item, line in enumerate(found.lines):
        document = found.documents[line.document]
        # Documents may have the same text, and each its own answer; one that was renamed is known by its text.
        for key in ((document.sha256, line.line, document.name), (document.sha256, line.line)):
            places.setdefault(key, item)
    tasks = {task_id(found, item): item for item in range(len(found.lines))}
    try:
        for number, record in load_records(path):
            where = f"{path}:{number}"
            try:
                if (answer := _answer(found, record, places, tasks)) is not None:
                    item, label = answer
                    reviewer = record.get("reviewer")
                    named = printable(reviewer) if isinstance(reviewer, str) and reviewer.strip() else None
                    yield Correction(item, label, named, str(path), number)
            except _OtherRound as error:
                problems.append(f"{where}: {error}")
                return  # so are all others of this file
            except DataError as error:
                problems.append(f"{where}: {error}")
    except DataError as error:
        problems.append(str(error))


def _answer(
    found: ReviewRound, record: Any, places: Mapping[tuple[Any, ...], int], tasks: Mapping[str, int]
) -> tuple[int, str] | None:
    """Return the line and the label of a record; None for a task that nobody answered."""
    if not isinstance(record, dict):
        raise DataError("this is not a JSON object with a correction")
    if "round" in record:
        if record["round"] != found.id:
            which = f"this is a correction of round {record['round']!r:.40}, and {found.folder} is {found.id!r}"
            raise _OtherRound(f"{which}: merge it into its own round")
        key = record.get("sha256"), record.get("line"), record.get("document")
        if any(isinstance(part, (dict, list)) for part in key) or key[:2] not in places:
            raise DataError(f"line {record.get('line')!r:.20} of {record.get('document')!r:.80} is not in this round")
        return places.get(key, places[key[:2]]), _known(found, record.get("label"))
    task = next((part["task"] for part in (record, record.get("data"), record.get("meta"))
                 if isinstance(part, dict) and "task" in part), None)  # fmt: skip
    if task is None:
        raise DataError("this is no correction: it has neither 'round' nor 'task'; export the round's page or tasks")
    if not isinstance(task, str) or task not in tasks:
        raise DataError(f"task {task!r:.60} is not of round {found.id!r} ({found.folder})")
    labels = _labels_of_task(record)
    if len(labels) > 1:
        raise DataError(f"task {task!r} has the labels {', '.join(map(repr, labels)):.100}: keep one of them")
    return (tasks[task], _known(found, labels[0])) if labels else None


def _labels_of_task(record: dict[str, Any]) -> list[Any]:
    """Return the different labels that a task came back with, from Label Studio or doccano."""
    given: list[Any] = []
    if isinstance(annotations := record.get("annotations"), list):
        kept = [each for each in annotations if isinstance(each, dict) and not each.get("was_cancelled")]
        for result in (result for each in kept for result in each.get("result") or () if isinstance(result, dict)):
            given += (result.get("value") or {}).get("choices") or ()
    elif isinstance(labels := record.get("label"), list):
        given = [label[2] if isinstance(label, list) and len(label) == 3 else label for label in labels]
    elif isinstance(labels, str):
        given = [labels]
    return [label for i, label in enumerate(given) if label not in given[:i]]


def _known(found: ReviewRound, label: Any) -> str:
    if not isinstance(label, str) or label not in found.labels:
        hint = suggestion(label, found.labels) if isinstance(label, str) else ""
        raise DataError(f"{label!r:.60} is no label of the round; known are {', '.join(found.labels)}.{hint}")
    return label


def _of_brat(found: ReviewRound, folder: Path, problems: list[str]) -> Iterator[Correction]:
    """Yield the labels of the tasks of a folder that have one."""
    names = {item + 1: item for item in range(len(found.lines))}
    files = sorted(folder.glob("*.ann"))
    if not files:
        problems.append(f"{folder} has no task of brat: give the folder with its .ann files")
    for file in files:
        item = names.get(int(file.stem)) if file.stem.isascii() and file.stem.isdigit() else None
        try:
            document = read_brat(file, file.stem, problems)[0]
            if item is None or document.text != brat_task(found, found.lines[item]).text:
                raise DataError(f"{file} is no task of round {found.id!r} ({found.folder})")
            labels = list(dict.fromkeys(label for _, _, label in document.spans or ()))
            if len(labels) > 1:
                raise DataError(f"{file} has the labels {', '.join(map(repr, labels)):.100}: keep one of them")
            if labels:
                yield Correction(item, _known(found, labels[0]), None, str(file), 1)
        except DataError as error:
            problems.append(str(error) if str(file) in str(error) else f"{file}: {error}")
