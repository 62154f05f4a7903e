"""Find the files to read, their formats and names, and the places to write documents to."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import is_standoff
from skol_rnn.data.formats.encoding import STANDARD_INPUT
from skol_rnn.data.formats.ptc import is_label_table, label_table_of
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, suggestion

ENDINGS = {
    ".txt.ann": "yedda",
    ".ann": "yedda",
    ".txt": "text",
    ".json": "jsonl",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    **dict.fromkeys((".iob", ".bio", ".conll"), "bio"),
}
"""Format by ending; of several endings of a format, the last one is written (YEDDA aside)."""
FORMATS = (*dict.fromkeys(ENDINGS.values()), "ptc", "brat")
ONE_DOCUMENT = ("yedda", "text", "ptc", "brat")  # one document per file, named after the file

Paths = str | Path | Iterable[str | Path]  # files, folders and globs
Skipped = list[tuple[str, str]]  # path and reason of each file that is not read


@dataclass(frozen=True)
class Found:
    """A file to read: ``source`` is the caller's path, folder or glob, ``named`` whether that is the file itself."""

    path: Path
    relative: str
    format: str
    source: str
    named: bool

    @property
    def doc_id(self) -> str:
        """Document name: the path below the folder or glob, without ending."""
        return without_ending(self.relative)


def _folder_of(table: Path) -> str:
    return table.name.removesuffix(".labels.tsv")


def _ending_of(name: str) -> str:
    return next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")


def without_ending(name: str) -> str:
    """Remove the ending that stands for a format from a file name."""
    return name[: len(name) - len(_ending_of(name))] or name


def find_files(paths: Paths, form: str | None, without: Container[str] = ()) -> tuple[list[Found], Skipped]:
    """List the files to read, each once, in the order of the paths, and those skipped with the reason.

    Files below folders and globs whose real path is in ``without`` are no documents: the command itself wrote them.
    """
    if form is not None:
        check_choice("format", form, FORMATS)
    found: dict[str, Found] = {}
    skipped: Skipped = []
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if [str(path) for path in paths].count("-") > 1:
        raise DataError("- is given twice, but standard input can be read only once.")
    for path in paths:
        for file in _found_in(str(path), form, skipped, without):
            real = os.path.realpath(file.path)
            first = found.setdefault(real, file)
            if first is not file and file.path.is_symlink():
                skipped.append((str(file.path), f"a link to {first.path}, which is read"))
    return list(found.values()), skipped


def _found_in(source: str, form: str | None, skipped: Skipped, without: Container[str] = ()) -> list[Found]:
    if source == "-":
        return [_standard_input(form)]
    path = Path(source)
    left_out: Skipped = []
    _check_exists(source, path)
    if os.path.isdir(path):
        files, root = _files_below(path, left_out), path
    elif os.path.exists(path):
        return [Found(path, path.name, form or _known_format(source, path), source, named=True)]
    else:
        files = [Path(name) for name in sorted(glob.glob(source, recursive=True)) if os.path.isfile(name)]
        root = Path(*takewhile(lambda part: not glob.has_magic(part), Path(source).parts[:-1]))
    found: list[Found] = []
    for file in files:
        if without and os.path.realpath(file) in without:
            continue
        # A glob selects files itself, so it may override their endings; a folder may not.
        chosen = form if form and not os.path.isdir(path) else find_format(file)
        if chosen is None and is_label_table(file):
            continue  # read with the articles of that folder
        if reason := _reason_to_skip(file, file.relative_to(root), chosen, form):
            left_out.append((str(file), reason))
        elif chosen is not None:
            found.append(Found(file, file.relative_to(root).as_posix(), chosen, source, named=False))
    if not found:
        raise DataError(f"There is no document in {source}{summary(left_out)}.")
    skipped += left_out
    return _prefer_annotated(found, skipped)


def _known_format(source: str, path: Path) -> str:
    """Return the format that the ending of a named file stands for."""
    # A .json file that is named holds records, even if it is one object.
    if (found := find_format(path) or ENDINGS.get(_ending_of(path.name))) is not None:
        return found
    if is_label_table(path):
        raise DataError(f"{source} labels the articles of a folder: give {path.parent / _folder_of(path)}.")
    raise DataError(f"{source}: its ending is unknown (known are {', '.join(ENDINGS)}): give format=.")


def _standard_input(form: str | None) -> Found:
    if form is None:
        raise DataError("Standard input (-) has no ending that tells its format: give format=.")
    if form in ("brat", "ptc"):
        raise DataError(f"Standard input (-) is one file, but {form} needs two: give files.")
    return Found(STANDARD_INPUT, "stdin", form, "-", named=True)


def _check_exists(source: str, path: Path) -> None:
    if not source.strip():
        raise DataError("A path is empty: give a file, a folder or a glob, such as . for this folder.")
    if not os.path.exists(path) and not glob.has_magic(source):
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError) as error:  # a name that is too long, or has a null
            raise DataError(f"{source:.300} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
        if os.path.islink(path):
            raise DataError(f"{source} is a link to {os.readlink(path)}, which does not exist.")
        near = suggestion(path.name, os.listdir(path.parent)) if os.path.isdir(path.parent) else ""
        raise DataError(f"{source:.300} does not exist.{near}")
    if os.path.exists(path) and not path.is_file() and not os.path.isdir(path):
        raise DataError(f"{source} is a pipe or a device, not a file: give - and pipe it into standard input.")


def summary(skipped: Skipped) -> str:
    """Summarise the skipped files for the end of a message."""
    if not skipped:
        return ""
    return f"; {len(skipped)} skipped, the first is {skipped[0][0]}: {skipped[0][1]}"


def _files_below(folder: Path, left_out: Skipped) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error

    top = Path(os.path.realpath(folder))
    entered = {str(top)}
    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        found += [Path(root, name) for name in names]
        below, folders[:] = sorted(folders), []
        for name in below:
            path = os.path.join(root, name)
            real = os.path.realpath(path)
            # A link into this folder leads to what is found anyway; one that leads out is followed once.
            if real not in entered and not (os.path.islink(path) and Path(real).is_relative_to(top)):
                entered.add(real)
                folders.append(name)
            else:
                left_out.append((path, f"another way to {real}, which is read once"))
    return sorted(found, key=lambda path: (path.is_symlink(), path))  # a file before the links to it


def find_format(path: Path) -> str | None:
    """Return the format that the ending of a file stands for, and for ``.json`` also its beginning."""
    ending = _ending_of(path.name)
    form = ENDINGS.get(ending)
    if ending == ".json" and not _begins_with_list(path):
        return None  # settings of some program, not the export of an annotation tool
    if form == "text" and label_table_of(path):
        return "ptc"
    return "brat" if form == "yedda" and is_standoff(path) else form


def _begins_with_list(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    except OSError:
        return True  # the reader reports it


def _reason_to_skip(file: Path, relative: Path, chosen: str | None, form: str | None) -> str | None:
    if any(part.startswith(".") for part in relative.parts):
        return "hidden"
    if os.path.exists(file) and not file.is_file():
        return "no regular file"  # a pipe would block
    if relative.name.lower().endswith(".anns"):
        return "YEDDA's export of one token per line, not a document"
    if chosen is None:
        return "no list of JSON records" if _ending_of(relative.name) == ".json" else "unknown ending"
    if form == "ptc" and chosen == "text":
        return "not FOLDER/article<ID>.txt with FOLDER.labels.tsv"
    return f"not {form} by its ending" if form and chosen != form else None


def _prefer_annotated(found: list[Found], skipped: Skipped) -> list[Found]:
    """Drop plain texts whose annotated file is read."""
    annotated = {file.doc_id: file.path.name for file in found if file.format == "yedda"}
    standoff = {file.doc_id for file in found if file.format == "brat"}
    kept = []
    for file in found:
        if file.format in ("text", "ptc") and file.doc_id in standoff:
            continue  # read with its annotation
        if file.format == "text" and file.doc_id in annotated:
            skipped.append((str(file.path), f"{annotated[file.doc_id]} is the same text with labels"))
        else:
            kept.append(file)
    return kept


def unique_names(documents: Sequence[tuple[str, Found]], files: Sequence[Found]) -> list[str]:
    """Extend equal document names: by the path below the common folder of all files, then by the ending."""
    common = os.path.commonpath([os.path.abspath(file.path.parent) for file in files]) if files else ""
    names = [name for name, _ in documents]
    for keep_ending in (False, True):
        counts = Counter(names)
        for index, (name, file) in enumerate(documents):
            if counts[names[index]] > 1:
                path = Path(os.path.relpath(os.path.abspath(file.path), common)).as_posix()
                path = path if keep_ending else without_ending(path)
                names[index] = path if file.format in ONE_DOCUMENT else f"{path}/{name}"
    for name, count in Counter(names).items():
        if count > 1:
            first = next(file.path for found, (_, file) in zip(names, documents, strict=True) if found == name)
            raise DataError(f"{first}: {count} documents have the name {name!r:.80}: give each a name of its own.")
    return names


def place_for(document: Document, folder: Path, form: str, ending: str | None = None) -> Path:
    """Return the file below a folder that a document is written to, with the ending of the format or another one."""
    name = PurePosixPath(document.doc_id)
    if not name.name or name.is_absolute() or ".." in name.parts or "\0" in document.doc_id:
        raise DataError(f"Document name {document.doc_id!r} is not a path below {folder}: rename the document.")
    place = folder / name.parent / (name.name + (ending or _ending_to_write(document, form)))
    try:
        real, root = place.resolve(), folder.resolve()
    except (UnicodeError, RuntimeError) as error:  # a lone surrogate; links in a circle
        raise DataError(f"Document name {document.doc_id!r} cannot name a file: rename the document.") from error
    if not real.is_relative_to(root):
        raise DataError(f"Document {document.doc_id!r} would be written outside {folder}: a link leads out of it.")
    if document.path is not None and os.path.realpath(document.path) == str(real):
        raise DataError(f"{place} is the file that its document was read from: choose another folder.")
    return place


def _ending_to_write(document: Document, form: str) -> str:
    if form in ("ptc", "brat"):
        return ".txt"
    if form != "yedda":
        return next(ending for ending, name in reversed(ENDINGS.items()) if name == form)
    return ".ann" if _ending_of(document.path or "") == ".ann" else ".txt.ann"
