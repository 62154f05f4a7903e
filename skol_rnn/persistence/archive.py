"""Zips of files and of arrays, read without trust: sizes are checked against one budget before anything is allocated."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.labels import printable

SIZE_LIMIT = 2 << 30  # bytes; a larger model or archive is refused before it is read
DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged file may raise."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date of a zip: equal arrays give equal bytes
_FREE, _EXPANSION = 16 << 20, 20  # bytes, and bytes for each byte of the file, that its contents may take
_MOST_FILES = 10_000
_ENCRYPTED = 1
# What NumPy writes for an array of numbers or of texts; no other Python literal is evaluated.
_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?)([biufcOSUVMm])(\d{0,9})(?:\[\w+\])?', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19})?)\), ?\}\s*"
)
_KINDS = {b"b": (1,), b"i": (1, 2, 4, 8), b"u": (1, 2, 4, 8), b"f": (2, 4, 8)}
_MOST_AXES = 8
_COPIED = 1 << 20  # bytes; larger arrays, those of networks, are views that cannot be written to


class Budget:
    """Bytes that the contents of a file may take."""

    def __init__(self, size: int) -> None:
        if size > SIZE_LIMIT:
            raise ValueError(f"it has {size:,} bytes, more than the limit of {SIZE_LIMIT:,}")
        self.left = self.whole = _FREE + _EXPANSION * size

    def take(self, size: int) -> None:
        """Subtract what is about to be allocated."""
        self.left -= size
        if self.left < 0:
            raise ValueError(f"it unpacks to more than {self.whole:,} bytes, too many for its size")


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Put files into an uncompressed zip; equal files give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return buffer.getvalue()


def read_zip(
    source: Path | bytes, budget: Budget, wanted: Callable[[str], bool] = lambda _: True, most: int = _MOST_FILES
) -> dict[str, bytes]:
    """Read the wanted files of a zip, or raise one of ``DAMAGE``."""
    files: dict[str, bytes] = {}
    # A file is opened, not read as a whole: that would copy the weights of a network once more.
    with (
        io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
        zipfile.ZipFile(file) as archive,
    ):
        file.seek(0)
        if file.read(2) != b"PK":  # zipfile skips what is in front of an archive
            raise ValueError("File is not a zip file")
        if len(archive.infolist()) > most:
            raise ValueError(f"it holds more than {most:,} files")
        entries = [entry for entry in archive.infolist() if wanted(entry.filename)]
        for entry in entries:
            budget.take(entry.file_size)
        for entry in entries:
            name = printable(entry.filename)[:100]
            if entry.filename in files:
                raise ValueError(f"it holds {name!r} twice")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & _ENCRYPTED:
                raise ValueError(f"{name!r} is encrypted, or packed in a way that is not read")
            content = archive.read(entry)
            if len(content) != entry.file_size:
                raise ValueError(f"{name!r} ends too early")
            files[entry.filename] = content
    return files


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write named arrays as an ``.npz`` file."""
    files = {}
    for name, array in arrays.items():
        file = io.BytesIO()
        np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
        files[f"{name}.npy"] = file.getvalue()
    return zip_bytes(files)


def read_npz(source: Path | bytes, budget: Budget | None = None, name: str = "the .npz file") -> dict[str, np.ndarray]:
    """Read the arrays of an ``.npz`` file: numbers, truth values and texts, no objects."""
    name = name if isinstance(source, bytes) else str(source)
    try:
        budget = budget or Budget(len(source) if isinstance(source, bytes) else source.stat().st_size)
        arrays = {}
        for file, data in read_zip(source, budget).items():
            if not file.endswith(".npy"):
                raise ValueError(f"{printable(file)[:100]!r} is no array")
            arrays[file.removesuffix(".npy")] = _array(data, budget)
        return arrays
    except DAMAGE as error:
        reason = printable(str(error) or type(error).__name__)
        raise DataError(f"{name} is damaged or not an .npz file ({reason:.300}).") from error


def _array(data: bytes, budget: Budget) -> np.ndarray:
    """Read an array as NumPy writes it; its size must be what its shape says."""
    version = data[6:8]
    if data[:6] != b"\x93NUMPY" or version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError("it holds a file that is no array")
    width = 2 if version == b"\1\0" else 4
    start = 8 + width
    end = start + int.from_bytes(data[8:start], "little")
    found = _HEADER.fullmatch(data, start, min(end, len(data)))
    if not found:
        raise ValueError("the header of an array is damaged")
    order, kind, size, fortran, sizes = found.groups()
    if kind == b"O":
        raise ValueError("it holds pickled objects, which are not read")
    if kind != b"U" and int(size or 0) not in _KINDS.get(kind, ()):
        raise ValueError(f"it holds an array of type {(kind + size).decode()!r}")
    shape = tuple(int(axis) for axis in sizes.split(b",") if axis.strip())
    dtype = np.dtype((order + kind + size).decode())
    if len(shape) > _MOST_AXES or math.prod(shape) * dtype.itemsize != len(data) - end:
        raise ValueError(f"an array of shape {shape} has {len(data) - end:,} bytes")
    budget.take(len(data) - end)
    values = np.frombuffer(data, dtype, offset=end) if len(data) > end else np.zeros(0, dtype)
    values = values.reshape(shape, order="F" if fortran == b"True" else "C")
    return values if values.nbytes > _COPIED else values.copy(order="K")
