"""Which files are read, in which format and under which name, and where documents are written."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import is_standoff
from skol_rnn.data.formats.ptc import is_labels_of_folder, labels_beside, labels_of_folder
from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

ENDINGS = (
    (".txt.ann", "yedda"),
    (".ann", "yedda"),
    (".txt", "text"),
    (".jsonl", "jsonl"),
    (".csv", "csv"),
    (".parquet", "parquet"),
    (".iob", "bio"),
    (".bio", "bio"),
    (".conll", "bio"),
)
FORMATS = (*dict.fromkeys(name for _, name in ENDINGS), "ptc", "brat")
ONE_DOCUMENT = ("yedda", "text", "ptc", "brat")
"""Formats whose files are one document each, named after the file."""

Skipped = list[tuple[str, str]]


@dataclass(frozen=True)
class Found:
    """A file to read: what was given (the file itself, a folder or a glob), and its name below that."""

    path: Path
    relative: str
    format: str
    given: str
    named: bool

    @property
    def doc_id(self) -> str:
        """The name below what was given, without the ending."""
        return without_ending(self.relative)


def check_format(name: str) -> None:
    """Raise a ValueError with the nearest name if there is no such format."""
    if name not in FORMATS:
        raise ValueError(f"Unknown format {name!r}; formats are {', '.join(FORMATS)}.{suggestion(name, FORMATS)}")


def without_ending(name: str) -> str:
    """Take the ending that tells the format off a file's name."""
    ending = next((ending for ending, _ in ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)] or name


def find_files(paths: Sequence[str | Path], form: str | None) -> tuple[list[Found], Skipped]:
    """List the files to read, each once, in the order given, and those left out with the reason."""
    found: dict[str, Found] = {}
    skipped: Skipped = []
    for given in paths:
        here = list(_found_in(str(given), form, skipped))
        if not here[0].named:
            here = _annotated_win(here, skipped)
        for file in here:
            found.setdefault(os.path.realpath(file.path), file)
    return list(found.values()), skipped


def _found_in(given: str, form: str | None, skipped: Skipped) -> Iterator[Found]:
    path = Path(given)
    if path.is_dir():
        files, root = _files_below(path), path
    elif path.exists() or not glob.has_magic(given):
        chosen = form or _format_of(path)
        if chosen is None:
            endings = ", ".join(ending for ending, _ in ENDINGS)
            raise DataError(f"{given}: its name does not tell the format ({endings}): give format=.")
        yield Found(path, path.name, chosen, given, named=True)
        return
    else:
        files, root = [Path(p) for p in sorted(glob.glob(given, recursive=True)) if os.path.isfile(p)], _fixed(given)
    before, count = len(skipped), 0
    for file in files:
        # A glob says by itself which files are meant; of a folder's, the names say it.
        chosen = form if form and not path.is_dir() else _format_of(file)
        if chosen is None and is_labels_of_folder(file):
            continue  # read with the articles of that folder
        if reason := _reason_against(file.relative_to(root), chosen, form):
            skipped.append((str(file), reason))
        elif chosen is not None:
            count += 1
            yield Found(file, file.relative_to(root).as_posix(), chosen, given, named=False)
    if not count:
        raise DataError(f"There is no document in {given}{told(skipped[before:])}.")


def told(skipped: Skipped) -> str:
    """Say what was left out, for the end of a message."""
    if not skipped:
        return ""
    return f"; {len(skipped)} left out, the first is {skipped[0][0]}: {skipped[0][1]}"


def _files_below(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error

    walk = os.walk(folder, onerror=refuse)
    return sorted(Path(root, name) for root, _, names in walk for name in names)


def _fixed(pattern: str) -> Path:
    """Return the folders of a glob that hold no wildcard."""
    parts = Path(pattern).parts[:-1]
    magic = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:magic])


def _format_of(path: Path) -> str | None:
    form = next((form for ending, form in ENDINGS if path.name.lower().endswith(ending)), None)
    if form == "text" and labels_beside(path):
        return "ptc"
    return "brat" if form == "yedda" and is_standoff(path) else form


def _reason_against(relative: Path, chosen: str | None, form: str | None) -> str | None:
    if any(part.startswith(".") for part in relative.parts):
        return "hidden"
    if relative.name.lower().endswith(".anns"):
        return "YEDDA's export of one token a line, not a document"
    if chosen is None:
        return "unknown ending"
    if form == "ptc" and chosen == "text":
        return f"no article<ID>.txt, or no {labels_of_folder(Path('FOLDER')).name} beside its FOLDER"
    return f"not {form} by its ending" if form and chosen != form else None


def _annotated_win(found: list[Found], skipped: Skipped) -> list[Found]:
    annotated = {file.doc_id: file.path.name for file in found if file.format == "yedda"}
    texts = {file.doc_id for file in found if file.format == "brat"}
    kept = []
    for file in found:
        if file.format in ("text", "ptc") and file.doc_id in texts:
            continue  # read with its annotation
        if file.format == "text" and file.doc_id in annotated:
            skipped.append((str(file.path), f"{annotated[file.doc_id]} beside it is the same text with labels"))
        else:
            kept.append(file)
    return kept


def unique_names(given: Sequence[tuple[str, Found]]) -> list[str]:
    """Give documents of one name longer ones: the path below all files' common folder, then its ending too."""
    if not given:
        return []
    common = os.path.commonpath([os.path.abspath(file.path.parent) for _, file in given])
    names = [name for name, _ in given]
    for keep_ending in (False, True):
        counts = Counter(names)
        for index, (name, file) in enumerate(given):
            if counts[names[index]] > 1:
                names[index] = _longer(name, file, common, keep_ending)
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"{count} documents have the name {name!r}; give each file or record its own.")
    return names


def _longer(name: str, file: Found, common: str, keep_ending: bool) -> str:
    path = Path(os.path.relpath(os.path.abspath(file.path), common)).as_posix()
    path = path if keep_ending else without_ending(path)
    return path if file.format in ONE_DOCUMENT else f"{path}/{name}"


def place_for(document: Document, folder: Path, form: str, ending: str | None = None) -> Path:
    """Return the file below a folder that a document is written to, with the format's ending or another one."""
    name = PurePosixPath(document.doc_id)
    if not name.name or name.is_absolute() or ".." in name.parts or "\0" in document.doc_id:
        raise DataError(f"Document name {document.doc_id!r} is no path below {folder}: rename the document.")
    place = folder / name.parent / (name.name + (ending or _ending(document, form)))
    if not place.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"Document {document.doc_id!r} would be written outside {folder}: a link leads out of it.")
    if document.path is not None and os.path.realpath(document.path) == str(place.resolve()):
        raise DataError(f"{place} is the file that its document was read from: choose another folder.")
    return place


def _ending(document: Document, form: str) -> str:
    if form in ("ptc", "brat"):
        return ".txt"
    if form != "yedda":
        return next(ending for ending, name in reversed(ENDINGS) if name == form)
    source = (document.path or "").lower()
    return ".ann" if source.endswith(".ann") and not source.endswith(".txt.ann") else ".txt.ann"
