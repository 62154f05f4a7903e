"""Atomic writes."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from skol_rnn.errors import DataError, SkolError

_TEMPORARY = re.compile(r"\.[0-9a-f]{12}-[0-9a-f]{32}\.tmp")


def check_writable(path: str | Path) -> None:
    """Check before any work that a file or folder can be written."""
    path = Path(path)
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.lstat()  # From Python 3.14 on, exists() and is_dir() find no fault with a name that is too long.
        special = os.path.lexists(path.parent / path.name) and _is_special(path)
    except (OSError, ValueError) as error:  # the name is too long or has a null, links go in a circle
        raise DataError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}.") from error
    if special:
        raise DataError(f"{path} cannot be written: it is a pipe or a device, not a file.")
    above = next((folder for folder in (path, *path.absolute().parents) if folder.exists()), Path("/"))
    if (above != path and not above.is_dir()) or not os.access(above, os.W_OK):
        raise DataError(f"{path} cannot be written: {above} is not a folder, or you may not write to it.")


def write_atomically(path: str | Path, data: bytes, sync: bool = True) -> None:
    """Write a file completely; after any failure it is as it was before, and an OSError names it.

    Without ``sync`` this holds for a killed process; for a power failure it holds after :func:`sync_files`.
    """
    with writing_atomically(path, sync) as file:
        file.write(data)


@contextmanager
def writing_atomically(path: str | Path, sync: bool = True) -> Iterator[IO[bytes]]:
    """Open a file that takes its place when the block ends without an error; until then the path stays as it is."""
    path = Path(path)
    temporary = path.parent / f"{_prefix(path)}{uuid.uuid4().hex}.tmp"
    try:
        with _naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if _is_special(path):  # as /dev/null
                raise OSError(errno.EEXIST, "it is a pipe or a device, not a file")
            file = open(temporary, "xb")
        try:
            with file:
                yield file
                file.flush()
                if sync:
                    os.fsync(file.fileno())
        except OSError as error:  # closing the file, too, writes what a full disk has refused
            if error.filename is None and not isinstance(error, SkolError):  # of this file, which has no name yet
                raise _named(error, path) from error
            raise
        with _naming(path):
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _named(error, path) from error


def _named(error: OSError, path: Path) -> OSError:
    # The name of the temporary file says nothing to a user.
    return OSError(error.errno, error.strerror or str(error), str(path))


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write files so that an error leaves all as they were; a kill while they are replaced leaves some of them new.

    Each is replaced only when all are on the disk; links keep pointing, modes are kept.
    """
    _remove_staged(files)
    staged: list[tuple[Path, Path]] = []
    replaced: list[tuple[Path, bytes | None, int]] = []
    place = Path()
    try:
        for place, data in files.items():
            real = Path(os.path.realpath(place))
            temporary = real.parent / f"{_prefix(real)}{uuid.uuid4().hex}.tmp"
            real.parent.mkdir(parents=True, exist_ok=True)
            staged.append((temporary, real))
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if real.exists():
                shutil.copymode(real, temporary)
        for temporary, place in staged:
            before = place.read_bytes() if place.exists() else None
            mode = temporary.stat().st_mode
            os.replace(temporary, place)
            replaced.append((place, before, mode))
    except BaseException as error:
        for done, before, mode in replaced:
            with suppress(OSError):
                if before is None:
                    done.unlink()
                else:
                    write_atomically(done, before)
                    done.chmod(stat.S_IMODE(mode))
        if isinstance(error, OSError):
            raise _named(error, place) from error
        raise
    finally:
        for temporary, _ in staged:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _remove_staged(files: Iterable[Path]) -> None:
    """Remove the temporary files that killed runs left of files that no other process writes."""
    prefixes: dict[Path, set[str]] = {}
    for real in (Path(os.path.realpath(place)) for place in files):
        prefixes.setdefault(real.parent, set()).add(_prefix(real))
    for folder, known in prefixes.items():
        with suppress(OSError):
            for entry in os.scandir(folder):
                if _TEMPORARY.fullmatch(entry.name) and entry.name.partition("-")[0] + "-" in known:
                    Path(entry).unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    """Whether a path is a pipe, a socket or a device: a file may not take its place."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def sync_files(paths: Iterable[Path]) -> None:
    """Wait until files are on the disk: many at a time, which file systems do in one go."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(_sync, paths))


def _sync(path: Path) -> None:
    try:
        with open(path, "r+b") as file:
            os.fsync(file.fileno())
    except FileNotFoundError:
        pass  # somebody has moved it
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files that a killed run left in a folder that nobody else writes to."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _TEMPORARY.fullmatch(entry.name):
                Path(entry).unlink(missing_ok=True)


def remove_left_overs(path: Path) -> None:
    """Remove what killed processes left of a file that no other process writes."""
    for left in path.parent.glob(f"{_prefix(path)}*.tmp"):
        left.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    """Return how the names of a file's temporary files begin; they are short, whatever its name."""
    return f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"


def exchanged(one: Path, other: Path) -> bool:
    """Exchange two paths in one step where the system can, which is Linux with most file systems; say whether."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if exchange is None:
        return False
    here, flag = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(exchange(here, os.fsencode(one), here, os.fsencode(other), flag) == 0)
