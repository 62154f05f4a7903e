"""Convert arrays to bytes and back, in NumPy's format and without pickle."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from skol_rnn.errors import DataError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date of a zip: equal arrays give equal bytes


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write named arrays as an ``.npz`` file."""
    files = {}
    for name, array in arrays.items():
        file = io.BytesIO()
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
        files[f"{name}.npy"] = file.getvalue()
    return zip_bytes(files)


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Put files into an uncompressed zip; equal files give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return buffer.getvalue()


_DAMAGE = (OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read_npz(source: Path | bytes) -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file."""
    name = "the .npz file" if isinstance(source, bytes) else str(source)
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        if not zipfile.is_zipfile(file):  # np.load also reads single arrays
            raise ValueError("it is not a zip file")
        if isinstance(file, io.BytesIO):
            file.seek(0)  # is_zipfile has moved the position
        with np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except _DAMAGE as error:
        raise DataError(f"{name} is damaged or not an .npz file ({error}).") from error
