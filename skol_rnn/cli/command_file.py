"""The file next to a checkpoint that has the command of its training, for ``skol-rnn resume``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from skol_rnn.cli.common import COMMAND_LINE
from skol_rnn.data.document import Document
from skol_rnn.data.writing import document_fingerprint
from skol_rnn.errors import DataError
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.bundle import checksum
from skol_rnn.training.checkpoint import files_of

_MOST_NAMED = 3


class TrainingCommand(NamedTuple):
    """A command of training: its words, the folder it was given in, its checkpoint, and checksums of what it read."""

    words: list[str]
    folder: str  # as seen from that of the checkpoint, so that all may be moved together
    checkpoint: str
    read: dict[str, str]

    def write(self, checkpoint: Path) -> None:
        """Write the file."""
        write_atomically(command_file(checkpoint), json.dumps(self._asdict(), indent=1).encode())


def command_file(checkpoint: Path) -> Path:
    """Name the file; its ending is none that folders of documents are searched for."""
    return checkpoint.with_name(f"{checkpoint.name}.command")


def read_command(checkpoint: Path) -> TrainingCommand:
    """Read and check the file."""
    file = command_file(checkpoint)
    if not file.exists():
        raise DataError(
            f"There is no {file}, which `skol-rnn train --checkpoint {checkpoint}` writes: "
            "repeat the whole command of the training, with the same checkpoint."
        )
    try:
        found = TrainingCommand(**json.loads(file.read_bytes()))
        texts = [found.folder, found.checkpoint, *found.words, *found.read, *found.read.values()]
        if found.words[0] != "train" or not all(isinstance(text, str) for text in texts):
            raise ValueError("it is no command of a training")
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise DataError(f"{file} is damaged ({error}): repeat the whole command of the training instead.") from error
    return found


def remember(checkpoint: Path, documents: Iterable[Document], files: Iterable[Path]) -> None:
    """Write the command that runs; if its training has begun, check instead that what it reads is the same."""
    read = {document.doc_id: _checksum(document) for document in documents}
    read |= {str(file): checksum(file.read_bytes()) for file in files if file.is_file()}
    folder = os.path.relpath(os.getcwd(), checkpoint.absolute().parent)
    command = TrainingCommand(list(COMMAND_LINE), folder, str(checkpoint), read)
    if not files_of(checkpoint):
        command.write(checkpoint)
    elif is_of_this_command(checkpoint):
        _check_same(checkpoint, read_command(checkpoint).read, read)


def is_of_this_command(checkpoint: Path) -> bool:
    """Whether ``skol-rnn resume`` would repeat the command that runs."""
    try:
        return read_command(checkpoint).words == COMMAND_LINE
    except DataError:
        return False


def _check_same(checkpoint: Path, before: dict[str, str], now: dict[str, str]) -> None:
    for what, names in (
        ("changed", [name for name in before if now.get(name, before[name]) != before[name]]),
        ("gone", [name for name in before if name not in now]),
        ("new", [name for name in now if name not in before]),
    ):
        if names:
            more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
            raise DataError(
                f"{checkpoint} belongs to a run with other data: since it began, {', '.join(names[:_MOST_NAMED])}{more} "
                f"{'is' if len(names) == 1 else 'are'} {what}. Bring back what it read, or delete {checkpoint} to start again."
            )


def _checksum(document: Document) -> str:
    return document_fingerprint(document)[:16]
