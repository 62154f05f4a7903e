"""The files of one run: each is whole, none replaces what the run did not write, and a second run goes on."""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, Any

from skol_rnn.data.formats.ptc import label_table_of
from skol_rnn.errors import DataError
from skol_rnn.persistence.atomic import remove_temporary, sync_files, write_atomically
from skol_rnn.persistence.bundle import checksum

JOURNAL = ".skol-rnn-journal"

_SYNCED = 256  # files at a time; one by one they take most of the time

_EMPTY = checksum(b"")
_UNWRITTEN = ("", _EMPTY)

Entry = dict[str, Any]
Identity = tuple[int, int]  # device and inode: equal for links, and for other spellings of a path


class Outputs:
    """Writes the files of a run below ``root``, a folder, or as ``root``, one file.

    A journal lists each file before it is written, and goes away when the run is complete.  So a second run with the
    same settings knows which documents are done, and which files are not a user's.
    """

    def __init__(
        self,
        root: Path,
        settings: Mapping[str, Any],
        *,
        one_file: bool = False,
        overwrite: bool = False,
        advice: str = "overwrite=True",
    ) -> None:
        self.root, self.overwrite, self._advice = root, overwrite, advice
        self.done: dict[str, Entry] = {}
        """The last entry of each document whose files were begun."""
        self.complete = True
        self._settings = json.loads(json.dumps(settings))
        self._folder = root.parent if one_file else root
        mark = f"-{checksum(os.fsencode(root.name))[:8]}" if one_file else ""
        self._journal = self._folder / f"{JOURNAL}{mark}.jsonl"
        self._unsynced: list[Path] = []
        self._file: IO[bytes] | None = None
        self._own: dict[str, set[str]] = {}  # checksums of what the run wrote to each place
        self._claims: dict[str, str] = {}  # document of each place that this run writes
        self._above: dict[str, str] = {}  # a document below each folder
        self._wrote = False  # any file: also the first of a document whose second could not be written
        self._protected: set[str] = set()
        self._inputs: set[Identity] = set()
        above = next((path for path in (self._folder, *self._folder.absolute().parents) if path.exists()), Path("/"))
        self._limits = _limits(above)
        self._folds = _ignores_case(above)
        if self._folder.exists() and not self._folder.is_dir():
            raise DataError(f"{self._folder} is a file, not a folder: choose another name.")
        self._resume()

    @property
    def files(self) -> Iterator[str]:
        """The real paths of the files that earlier runs with this journal wrote."""
        return map(os.path.realpath, self._own)

    def protect(self, paths: Iterable[str | Path]) -> None:
        """Never replace these files, nor those that are read with them."""
        fresh = {str(path) for path in paths} - self._protected
        self._protected |= fresh
        self._inputs.update(chain.from_iterable(map(_identities, fresh)))

    def is_done(self, name: str, fingerprint: str) -> bool:
        """Return whether an earlier run finished a document that has not changed since."""
        entry = self.done.get(name)
        if entry is None or entry["input"] != fingerprint:
            return False
        # Under --overwrite an old file may still be in the place; else what is there was written, or corrected since.
        places = {self._folder / place: sums for place, sums in entry["files"].items()}
        found = {place: _checksum_of(place) for place in places}
        if self.overwrite:
            return found == places
        return all(found[place] == sums or found[place] not in _UNWRITTEN for place, sums in places.items())

    def claim(self, name: str, places: Iterable[Path], done: bool = False) -> None:
        """Reserve the places of a document's files, or raise a DataError that says why it cannot be written there."""
        places = list(places)
        for place in places:
            if not done:
                self.check(place)
            key = self._key(place)
            if (other := self._claims.get(key, name)) != name or (other := self._above.get(key, name)) != name:
                raise DataError(
                    f"Two documents would be written to {place}, {other} and {name}: give them different names."
                )
            for above in _folders_above(key):
                if self._claims.get(above, name) != name:
                    raise DataError(
                        f"{name}: {place} is below the file of {self._claims[above]}: give them different names."
                    )
        for key in map(self._key, places):
            self._claims[key] = name
            self._above |= dict.fromkeys(_folders_above(key), name)

    def check(self, place: Path) -> None:
        """Refuse a place that cannot be written, or holds what this run did not write."""
        longest, whole = self._limits
        if any(len(os.fsencode(part)) > longest for part in place.parts):
            raise DataError(f"{place} cannot be written: a name has {longest} bytes at most; rename the document.")
        if len(os.fsencode(place.absolute())) >= whole:
            raise DataError(f"{place} cannot be written: a path has {whole} bytes at most; rename the document.")
        found = _status(place)
        if found is not None:
            self._check_existing(place, found.st_mode)
        folder = next(path for path in place.absolute().parents if os.path.lexists(path))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise DataError(f"{place} cannot be written: you may not write to {folder}.")

    def _check_existing(self, place: Path, mode: int) -> None:
        if stat.S_ISDIR(mode):
            raise DataError(f"{place} cannot be written: it is a folder.")
        if _identities(place) & self._inputs:
            raise DataError(
                f"{place} is one of the files that are read, which are never replaced: choose another folder."
            )
        if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
            raise DataError(f"{place} cannot be written: it is no regular file.")
        if not self.overwrite and not self._is_own(place):
            raise DataError(f"{place} exists: give {self._advice} to replace it, or choose another folder.")

    def write(self, files: dict[Path, bytes], name: str | None = None, **facts: Any) -> None:
        """Write files, each whole; the journal lists them first."""
        for place in files:
            self.check(place)  # another program may have been faster
        places = {os.path.relpath(place, self._folder): _sum_of(data) for place, data in files.items()}
        entry = {"name": name, "files": places, **facts}
        self._note(entry)
        for place, data in reversed(files.items()):  # the last is the document itself, which the others are about
            # A file that is replaced must survive a power failure; of a new one, the journal says what is missing.
            write_atomically(place, data, sync=os.path.lexists(place))
            self._wrote = True
        self._unsynced += files
        if len(self._unsynced) >= _SYNCED:
            self._sync()
        if name is not None:
            self.done[name] = entry

    def close(self) -> None:
        """Remove the journal of a complete run, or of one that did nothing."""
        if self._file is None:
            return
        try:
            self._sync()
            if self.complete or not (self.done or self._wrote):
                self._journal.unlink(missing_ok=True)
        finally:
            with suppress(OSError):  # an entry that could not be written has been said
                self._file.close()
            self._file = None

    def _sync(self) -> None:
        sync_files(self._unsynced)
        self._unsynced = []

    def _key(self, place: Path) -> str:
        text = os.path.abspath(place)
        return unicodedata.normalize("NFC", text).casefold() if self._folds else text

    def _is_own(self, place: Path) -> bool:
        own = self._own.get(os.path.abspath(place), ())
        return bool(own) and _checksum_of(place) in (*own, _EMPTY)

    def _note(self, entry: Entry) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._open()
            self._append(self._settings)
        self._append(entry)
        self._remember(entry)

    def _append(self, value: Any) -> None:
        assert self._file is not None
        try:
            self._file.write(json.dumps(value).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._journal)) from error

    def _remember(self, entry: Entry) -> None:
        for place, sums in entry["files"].items():
            self._own.setdefault(os.path.abspath(self._folder / place), set()).add(sums)

    def _open(self) -> None:
        self._file = open(self._journal, "a+b")  # noqa: SIM115 - open until the run ends
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise DataError(f"Another run is writing to {self.root}: wait for it, or choose another folder.") from None
        except OSError:
            pass  # a file system without locks

    def _resume(self) -> None:
        """Read the journal of a run that was stopped, and remove its temporary files."""
        if not self._journal.is_file():
            return
        self._open()
        assert self._file is not None
        self._file.seek(0)
        lines = self._file.read().split(b"\n")[:-1]  # what follows the last line end was cut off by a kill
        try:
            settings, *entries = map(json.loads, lines or [b"null"])
            for entry in entries:
                self._remember(entry)
                if entry["name"] is not None:
                    self.done[entry["name"]] = entry
        except (ValueError, TypeError, KeyError, AttributeError):
            settings = None
        for folder in {self._folder, *(Path(place).parent for place in self._own)}:
            remove_temporary(folder)
        if settings == self._settings:
            self._file.truncate(sum(len(line) + 1 for line in lines))
            return
        if lines and not self.overwrite:
            self._file.close()
            raise DataError(
                f"{self.root} holds a part of another run, with another model or other settings: repeat its command to "
                f"finish it, give {self._advice} to begin anew, or choose another folder."
            )
        self.done, self._own = {}, {}
        self._file.truncate(0)
        self._append(self._settings)


def _folders_above(path: str) -> Iterator[str]:
    """Yield the folders that a path is in, without the cost of Path objects."""
    while (above := os.path.dirname(path)) != path:
        yield above
        path = above


def _status(place: Path) -> os.stat_result | None:
    """Return the status of what is in a place, or None; raise a DataError if nothing can be there."""
    try:
        return place.lstat()
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        above = next(path for path in place.absolute().parents if os.path.lexists(path))
        raise DataError(f"{place} cannot be written: {above} is a file, not a folder.") from None
    except OSError as error:
        raise DataError(f"{place} cannot be written: {error.strerror}.") from error


def _identities(path: str | Path) -> set[Identity]:
    """Return what identifies a file and the files that are read with it: brat's two, and a table of labels."""
    path = Path(path)
    related = [path]
    if path.suffix.lower() in (".ann", ".txt"):
        related += [path.with_suffix(".txt"), path.with_suffix(".ann"), label_table_of(path) or path]
    found = set()
    for each in related:
        with suppress(OSError, ValueError):
            status = each.stat()
            found.add((status.st_dev, status.st_ino))
    return found


def _limits(folder: Path) -> tuple[int, int]:
    """Return how many bytes a name and a path may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX"), os.pathconf(folder, "PC_PATH_MAX")
    except (AttributeError, OSError, ValueError):
        return 255, 4096


def _ignores_case(folder: Path) -> bool:
    """Return whether a file system takes names for one that differ only in case, as those of macOS and Windows do."""
    folder = folder.resolve()
    other = folder.with_name(folder.name.swapcase()) if folder.name else folder
    with suppress(OSError):
        return other != folder and other.samefile(folder)
    return False


def _sum_of(data: bytes) -> str:
    return checksum(data if data.strip(b"\0") else b"")


def _checksum_of(place: Path) -> str:
    """Return the checksum of a file; that of nothing for one that a power failure emptied, "" if there is none."""
    try:
        return _sum_of(place.read_bytes())
    except OSError:
        return ""
