"""What ``predict`` and ``convert`` share: they write many documents, stop at a bad one or skip it, and go on later."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from skol_rnn.cli import common, options
from skol_rnn.data.document import Document
from skol_rnn.data.reading import DocumentStream
from skol_rnn.data.writing import DocumentWriter, StreamWriter
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, plural
from skol_rnn.persistence.atomic import check_writable
from skol_rnn.persistence.bundle import model_above

STANDARD = Path(options.STANDARD)

OnError = Annotated[
    str,
    typer.Option(help="What a document that cannot be read or written does: stop, or be listed at the end.",
                 metavar="stop|skip"),
]  # fmt: skip
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that exist; the files that are read are never replaced.")
]
NOT_DONE = 1  # exit status


def check_output(out: Path, html: Path | None = None, json: bool = False) -> None:
    """Refuse an output folder that is a file, or that is within a saved model."""
    if out == STANDARD and (json or html):
        raise typer.BadParameter(f"--out - writes to standard output: leave out {'--json' if json else '--html'}.")
    for option, folder in (("--out", out), ("--html", html)):
        if folder is None or folder == STANDARD:
            continue
        if folder.suffix != ".tsv" and folder.exists() and not folder.is_dir():
            raise DataError(f"{folder} is a file, and {option} needs a folder: choose another name.")
        check_writable(folder)
        if (model := model_above(folder.resolve())) is not None:
            raise DataError(f"{folder} is in the saved model {model}: choose another folder.")


@dataclass
class Run:
    """One run over the documents of some paths; ``failed`` lists those that could not be written, with the reason."""

    out: Path
    form: str
    on_error: str
    overwrite: bool
    settings: Mapping[str, Any]
    failed: list[tuple[str, str]] = field(default_factory=list)
    before: int = 0
    added: int = 0

    def __post_init__(self) -> None:
        check_choice("--on-error", self.on_error, ("stop", "skip"))
        self.writer: DocumentWriter | StreamWriter
        if self.out == STANDARD:
            self.writer = StreamWriter(sys.stdout.buffer, self.form)
        else:
            self.writer = DocumentWriter(
                self.out, self.form, overwrite=self.overwrite, settings=self.settings, advice="--overwrite"
            )

    @property
    def folder(self) -> DocumentWriter | None:
        """The writer of files, unless standard output is written."""
        return self.writer if isinstance(self.writer, DocumentWriter) else None

    @property
    def done(self) -> int:
        """Number of documents that are written."""
        return self.before + self.added

    @property
    def written(self) -> list[Path]:
        """The file of each document that is written."""
        return self.folder.written if self.folder else []

    @property
    def place(self) -> str:
        """Where the documents are, for a message."""
        return f" in {self.out}" if self.folder else ""

    @property
    def resumed(self) -> str:
        """How many documents an earlier run has written, for a message."""
        return f"; {self.before:,} of them were done before" if self.before else ""

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON output says of the documents that were skipped."""
        return {"failed": [{"document": name, "reason": reason} for name, reason in self.failed]} if self.failed else {}

    def check(self, place: Path) -> None:
        """Refuse a place that holds what this run did not write."""
        if self.folder:
            self.folder.outputs.check(place)

    def write(self, files: dict[Path, bytes]) -> None:
        """Write files that belong to no single document."""
        if self.folder:
            self.folder.outputs.write(files)

    @property
    def without(self) -> frozenset[str]:
        """The files that this run has written before it was stopped: they are no documents to read."""
        return frozenset(self.folder.outputs.files) if self.folder else frozenset()

    def fail(self, name: str, reason: str) -> None:
        """Note a document, or a file, that is left out."""
        self.failed.append((name, reason))

    @property
    def on_read_error(self) -> Callable[[str, str], None] | None:
        """What a stream of documents calls with a file that cannot be read."""
        return self.fail if self.on_error == "skip" else None

    def pending(
        self,
        stream: DocumentStream,
        places: Callable[[Document], Sequence[Path]] = lambda document: (),
        done: Callable[[Document, Mapping[str, Any]], object] = lambda document, entry: None,
        change: Callable[[Document], Document] | None = None,
    ) -> Iterator[Document]:
        """Yield the documents to write; ``done`` is called with those that an earlier run has written."""
        documents = iter(stream)
        while True:
            name = ""
            try:
                if (document := next(documents, None)) is None:
                    return
                document = change(document) if change else document
                name, more = document.doc_id, places(document)
                if self.folder and self.folder.is_done(document, more):
                    self.before += 1
                    done(document, self.folder.outputs.done[name])
                    continue
                if self.folder:
                    self.folder.check(document, more)
                else:
                    self.writer.check(document)
            except DataError as error:
                # What was read before is labelled and written before the error ends the run.
                self.fail(name, str(error))
                if self.on_error == "stop":
                    return
                continue
            yield document

    def read_ahead(self, stream: DocumentStream) -> Iterator[Document]:
        """Yield the documents up to the first error, which the run meets again."""
        with suppress(DataError):
            yield from stream
        self.failed.clear()

    def add(
        self,
        document: Document,
        labels: Any = None,
        probabilities: Any = None,
        more: Mapping[Path, bytes] | None = None,
        **facts: Any,
    ) -> None:
        """Write a document."""
        try:
            if self.folder:
                self.folder.add(document, labels, probabilities, more, **facts)
            else:
                self.writer.add(document, labels, probabilities)
            self.added += 1
        except DataError as error:
            self.fail(document.doc_id, str(error))
            if self.on_error == "stop":
                raise _Stopped from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Finish what is done at the end, and after an error say how to go on."""
        try:
            if self.folder:
                with self.folder:
                    yield
                    self.folder.outputs.complete = not self.failed
            else:
                yield
        except _Stopped:
            pass
        except BrokenPipeError:
            raise
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "make room, and run" if full else "mend this, and run"
            place = error.filename or self.out
            common.say(f"skol-rnn: {place} cannot be written: {error.strerror or error}. {self._state(remedy)}")
            raise typer.Exit(NOT_DONE) from error
        except KeyboardInterrupt:
            common.say(self._state("run"))
            raise
        if self.failed and self.on_error == "stop":
            name, reason = self.failed[0]
            state = f"\n{self._state('mend this document or give --on-error skip, and run')}"
            raise DataError(_named(name, reason) + state * bool(self.done))

    def finish(self) -> None:
        """List the documents that were skipped, and end with an exit status that says so."""
        if not self.failed:
            return
        for name, reason in self.failed:
            common.say(f"Skipped {_named(name, reason)}")
        common.say(f"{plural(len(self.failed), 'document')} skipped. {self._state('mend them, and run')}")
        raise typer.Exit(NOT_DONE)

    def _state(self, remedy: str) -> str:
        done = self.done
        if not self.folder or not done:
            return f"{plural(done, 'document')} written." if done else "Nothing was written."
        return f"{plural(done, 'document')} written to {self.out}; {remedy} the same command again to go on from there."


class _Stopped(Exception):
    """A document could not be written, and the run stops there."""


def _named(name: str, reason: str) -> str:
    return reason if not name or name in reason else f"{name}: {reason}"
