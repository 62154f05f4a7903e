"""One round of review: what was chosen, by which model and rule, and what has been merged since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.persistence.archive import read_npz
from skol_rnn.persistence.bundle import checksum

FORMAT, VERSION = "skol_rnn review round", 1
ROUND, PROBABILITIES, MERGED, PAGE = "round.json", "probabilities.npz", "merged.jsonl", "review.html"


def text_hash(text: str) -> str:
    """Return the SHA-256 of a document's text without markup."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class RoundDocument:
    """A document of a round: its name, its file, the format, its place among the documents of the file, and its text's hash."""

    name: str
    path: str
    format: str
    position: int
    sha256: str
    annotated: bool
    lines: int


@dataclass(frozen=True)
class RoundLine:
    """A line to read: its document, its number in the file, the label that it has, and the lines around it.

    ``context`` holds numbers and texts, the line itself among them; ``row`` counts the lines with text from 0.
    """

    document: int
    line: int
    row: int
    text: str
    label: str
    predicted: str
    probabilities: dict[str, float]
    score: float
    reasons: list[str]
    context: list[tuple[int, str]] = field(repr=False)


@dataclass(frozen=True, repr=False)
class ReviewRound:
    """A round of review, as :func:`start_review` writes it and :meth:`read` reads it.

    Parameters
    ----------
    folder : Path
        Its folder.
    model : dict
        Name and fingerprint of the model.
    labels : list of str
        Labels of the model, in order.
    other : str or None
        Label that stands for all labels that the model does not know.
    rule : dict
        Name of the rule and its parameters, the weight of each important label among them.
    seed : int
        Seed of the order of equal scores.
    documents : list of RoundDocument
        All documents that lines were chosen from.
    lines : list of RoundLine
        The chosen lines, the most useful first.

    Attributes
    ----------
    id : str
        Checksum of all of this: equal rounds have equal ids.

    Examples
    --------
    >>> ReviewRound(Path("round"), {"name": "m"}, ["Misc", "Name"], "Misc", {"important": {"Name": 1.0}}, 0, [], [])
    ReviewRound('round', lines=0, documents=0)
    """

    folder: Path
    model: dict[str, str]
    labels: list[str]
    other: str | None
    rule: dict[str, Any]
    seed: int
    documents: list[RoundDocument]
    lines: list[RoundLine]

    def __repr__(self) -> str:
        return f"ReviewRound({str(self.folder)!r}, lines={len(self.lines)}, documents={len(self.documents)})"

    @cached_property
    def id(self) -> str:
        """Checksum of the contents."""
        return checksum(json.dumps(self._contents(), sort_keys=True).encode())[:16]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.resolve().name

    @property
    def important(self) -> list[str]:
        """The important labels."""
        return list(self.rule["important"])

    @property
    def page(self) -> Path:
        """The page to open in a browser."""
        return self.folder / PAGE

    def _contents(self) -> dict[str, Any]:
        contents = {name: value for name, value in asdict(self).items() if name != "folder"}
        contents["lines"] = [line | {"context": [list(pair) for pair in line["context"]]} for line in contents["lines"]]
        return contents

    def to_json(self) -> bytes:
        """Return the content of ``round.json``."""
        value = {"format": FORMAT, "format_version": VERSION, "id": self.id, **self._contents()}
        return json.dumps(value, indent=1, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def read(cls, folder: str | Path) -> ReviewRound:
        """Read the round of a folder.

        Parameters
        ----------
        folder : str or Path
            Folder that :func:`start_review` wrote.

        Returns
        -------
        ReviewRound
            The round.

        Raises
        ------
        DataError
            If there is no round, or ``round.json`` is damaged or was changed.
        """
        folder = Path(folder)
        place = folder / ROUND
        try:
            data = place.read_bytes()
        except OSError as error:
            why = error.strerror or error
            raise DataError(f"{folder} is no round of review: {place} cannot be read ({why}).") from error
        try:
            value = json.loads(data)
            if value["format"] != FORMAT or value["format_version"] != VERSION:
                raise ValueError(f"it is of format {value['format']!r:.60}, version {value['format_version']!r:.20}")
            found = cls(
                folder=folder,
                documents=[RoundDocument(**each) for each in value["documents"]],
                lines=[
                    RoundLine(**each | {"context": [(number, text) for number, text in each["context"]]})
                    for each in value["lines"]
                ],
                **{name: value[name] for name in ("model", "labels", "other", "rule", "seed")},
            )
            if found.id != value["id"]:
                raise ValueError("it was changed after it was written")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(f"{place} cannot be used: {str(error) or 'it is no round'!s:.300}.") from error
        return found

    def merged(self) -> dict[int, Mapping[str, Any]]:
        """Return the corrections that were merged, by position of their line."""
        place = self.folder / MERGED
        if not place.exists():
            return {}
        try:
            records = [json.loads(line) for line in place.read_text("utf-8").splitlines()]
            found = {record["item"]: record for record in records}
            if any(not 0 <= item < len(self.lines) or each["label"] not in self.labels for item, each in found.items()):
                raise ValueError("it names a line or a label that the round does not have")
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"{place} cannot be used: {error}. It says what was merged: restore it.") from error
        return found

    def collection(self) -> Collection:
        """Return what the model said of all lines, chosen or not."""
        place = self.folder / PROBABILITIES
        if not place.is_file():
            raise DataError(f"{place} is missing: it holds the probabilities of the lines. Restore it.")
        arrays = read_npz(place)
        rows = sum(document.lines for document in self.documents)
        wanted = {"probabilities": (rows, len(self.important)), "current": (rows,), "score": (rows,), "line": (rows,)}
        if {name: array.shape for name, array in arrays.items()} != wanted:
            raise DataError(f"{place} is not of this round: restore it.")
        return Collection(**arrays)


@dataclass(frozen=True, eq=False)
class Collection:
    """All lines of a round: posteriors of the important labels, index of the label, score, and number in the file."""

    probabilities: np.ndarray
    current: np.ndarray
    score: np.ndarray
    line: np.ndarray


def read_rounds(folders: str | Path | Sequence[str | Path]) -> list[ReviewRound]:
    """Read the rounds of folders, each once."""
    folders = [folders] if isinstance(folders, (str, Path)) else list(folders)
    rounds = [ReviewRound.read(folder) for folder in folders]
    return list({found.id: found for found in rounds}.values())
