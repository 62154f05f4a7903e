"""Documents read and written one at a time, for more of them than memory holds."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType

import numpy as np

from skol_rnn.data.discovery import ONE_DOCUMENT, Found, Skipped, check_format, find_files, unique_names
from skol_rnn.data.document import Document
from skol_rnn.data.reading import Reader, refuse_empty_places
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.writing import files_of, relabelled, tables_of_labels
from skol_rnn.errors import DataError
from skol_rnn.persistence.atomic import write_atomically


class DocumentStream:
    """Documents of files, folders and globs, each file read when its turn comes."""

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        format: str | None = None,
        strict: bool = False,
        unit: str = "line",
        rules: SpanRules | None = None,
    ) -> None:
        if format is not None:
            check_format(format)
        self._reader, self.read = Reader(strict, unit, rules=rules), 0
        given = [paths] if isinstance(paths, (str, Path)) else list(paths)
        self._files, self.skipped = find_files(given, format)

    def __iter__(self) -> Iterator[Document]:
        """Read the documents in their order."""
        names, self.read = self._names(), 0
        filled: list[Found] = []
        for index, file in enumerate(self._files):
            documents = self._filled(file, self.skipped)
            filled += [file] * bool(documents)
            for place, document in enumerate(documents):
                self.read += 1
                yield document.named(names.get((index, place), document.doc_id))
        refuse_empty_places(self._files, filled, self.skipped)

    def _names(self) -> dict[tuple[int, int], str]:
        """Return the name of each document by its file and its place there; without reading what need not be read."""
        found = [[file.doc_id] if file.format in ONE_DOCUMENT else self._ids(file) for file in self._files]
        counts = Counter(chain.from_iterable(found))
        for index, file in enumerate(self._files):
            # Whether a file is empty matters only to those of its name.
            if file.format in ONE_DOCUMENT and counts[file.doc_id] > 1:
                found[index] = self._ids(file)
        places = [(index, place) for index, names in enumerate(found) for place in range(len(names))]
        named = [(name, file) for file, names in zip(self._files, found, strict=True) for name in names]
        return dict(zip(places, unique_names(named), strict=True))

    def _filled(self, file: Found, skipped: Skipped) -> list[Document]:
        filled = self._reader.filled(file, skipped)
        if self._reader.problems:
            raise DataError("\n".join(self._reader.problems))
        return filled

    def _ids(self, file: Found) -> list[str]:
        unused: Skipped = []
        return [document.doc_id for document in self._filled(file, unused)]


class DocumentWriter:
    """Documents written below a folder, one file each, all of them or none."""

    def __init__(self, folder: str | Path, format: str) -> None:
        check_format(format)
        self.folder, self.format = Path(folder), format
        self.written: list[Path] = []
        self._ready: dict[Path, Path] = {}
        self._own: list[Path] = []
        self._articles: list[Document] = []
        self._made: Path | None = None

    def add(
        self,
        document: Document,
        labels: Sequence[str | None] | np.ndarray,
        probabilities: Sequence[Sequence[float]] | np.ndarray | None = None,
    ) -> None:
        """Make the file of a document ready."""
        if len(labels) != document.n_rows:
            kind = "tokens" if document.unit == "token" else "non-blank lines"
            raise ValueError(f"{document.doc_id}: {len(labels)} labels for {document.n_rows} {kind}.")
        labelled = relabelled(document, list(labels))
        for place, data in files_of(labelled, self.folder, self.format, probabilities):
            self._make(place, data)
        self._own.append(place)
        if self.format == "ptc":  # one table for all of a folder's
            self._articles.append(labelled)

    def _make(self, place: Path, data: bytes) -> None:
        if place in self._ready:
            raise DataError(f"Two documents would be written to {place}: give them different names.")
        if self._made is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._made = Path(tempfile.mkdtemp(prefix=".skol-rnn-", dir=self.folder))
        self._ready[place] = self._made / str(len(self._ready))
        write_atomically(self._ready[place], data)

    def __enter__(self) -> DocumentWriter:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the files in their places, or take all away again if there was an error."""
        try:
            if kind is None:
                for place, data in tables_of_labels(self._articles, self._own[: len(self._articles)]).items():
                    self._make(place, data)
                for place, ready in self._ready.items():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(ready, place)
                self.written = self._own
        finally:
            if self._made is not None:
                shutil.rmtree(self._made, ignore_errors=True)
