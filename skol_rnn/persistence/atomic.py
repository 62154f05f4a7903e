"""Atomic writes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import uuid
from pathlib import Path


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file completely; after any failure it is as it was before."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{_prefix(path)}{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
