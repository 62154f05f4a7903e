"""Atomic writes."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from skol_rnn.errors import DataError


def check_writable(path: str | Path) -> None:
    """Check before any work that a file or folder can be written."""
    path = Path(path)
    above = next((folder for folder in (path, *path.absolute().parents) if folder.exists()), Path("/"))
    if (above != path and not above.is_dir()) or not os.access(above, os.W_OK):
        raise DataError(f"{path} cannot be written: {above} is not a folder, or you may not write to it.")


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write a file completely; after any failure it is as it was before."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
