"""The saved model: JSON, arrays and checksums, without pickles or code, as a folder or as one zip of the same files."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.errors import BundleError, DataError
from skol_rnn.persistence.atomic import check_writable, exchanged, write_atomically

FORMAT = "skol_rnn model"
FORMAT_VERSION = 1
SINGLE_FILE_ENDINGS = (".skol", ".zip")  # such a path is saved as one file, any other path as a folder
SIZE_LIMIT = 2 << 30  # bytes; a larger bundle is refused before it is read

_MANIFEST = "manifest.json"
_STATE = "model.json"
_ARRAYS = ("network", "features", "decision")
_FILES = (_STATE, *(f"{part}.npz" for part in _ARRAYS))
_GRAPH = "network.onnx"  # optional: older bundles lack it, and so do networks that ONNX cannot express
_CARD = "README.md"  # optional: older bundles lack it
_INT8_GRAPH = "network_int8.onnx"  # optional: the same network with LSTM weights of 8 bits
_OPTIONAL = (_GRAPH, _INT8_GRAPH, _CARD)
_SCRATCH = ".skol_rnn-saving-"  # start of the names of folders that a save is about to put in place
_STALE = 3600.0  # seconds
_PATIENCE = 2.0  # seconds for which a reader waits for a save to end
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest date of a zip: equal arrays give equal bytes
_DAMAGE = (OSError, ValueError, TypeError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Bundle:
    """The parts of a saved model."""

    state: dict[str, Any]
    network: dict[str, np.ndarray] = field(default_factory=dict)
    features: dict[str, np.ndarray] = field(default_factory=dict)
    decision: dict[str, np.ndarray] = field(default_factory=dict)
    graph: bytes | None = None
    card: str | None = None
    int8_graph: bytes | None = None

    def files(self) -> dict[str, bytes]:
        """Return the contents of the bundle's files by name, first the manifest with their checksums."""
        files = {_STATE: _json(self.state)}
        files |= {f"{part}.npz": npz_bytes(getattr(self, part)) for part in _ARRAYS}
        if self.graph is not None:
            files[_GRAPH] = self.graph
        if self.int8_graph is not None:
            files[_INT8_GRAPH] = self.int8_graph
        if self.card is not None:
            files[_CARD] = self.card.encode()
        sums = {name: {"sha256": checksum(data), "bytes": len(data)} for name, data in files.items()}
        manifest = {"format": FORMAT, "format_version": FORMAT_VERSION, "files": sums}
        return {_MANIFEST: _json(manifest), **files}

    def to_bytes(self) -> bytes:
        """Return a zip of the bundle's files; equal bundles give equal bytes."""
        return zip_bytes(self.files())

    @classmethod
    def from_bytes(cls, blob: bytes, name: str = "the model") -> Bundle:
        """Read the bytes that :meth:`to_bytes` returned; ``name`` is for error messages."""
        try:
            with zipfile.ZipFile(io.BytesIO(blob)) as archive:
                known = [i for i in archive.infolist() if i.filename in (_MANIFEST, *_FILES, *_OPTIONAL)]
                _check_size(sum(i.file_size for i in known), name)
                files = {i.filename: archive.read(i) for i in known}
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise BundleError(f"{name} is not a saved model, or it is damaged ({error}).") from error
        return _parse(files, name)


def save_bundle(bundle: Bundle, path: str | os.PathLike[str]) -> Path:
    """Write a bundle atomically: a reader finds the previous model or the new one, never a part of either."""
    path = Path(path)
    check_destination(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in SINGLE_FILE_ENDINGS:
            write_atomically(path, bundle.to_bytes())
        else:
            _save_folder(bundle.files(), path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror or error}); the model was not saved.") from error
    return path


def check_destination(path: str | os.PathLike[str]) -> None:
    """Check before training that the model can be saved at a path."""
    path = Path(path)
    single = path.suffix in SINGLE_FILE_ENDINGS
    try:
        if os.path.lexists(path):
            path.stat()  # a link in a circle
        path.with_name(path.name).is_dir()  # raises an error if the name is too long
        if path.is_dir() and (single or (any(path.iterdir()) and not (path / _MANIFEST).is_file())):
            raise DataError(f"{path} is a folder, not a saved model: choose another name.")
        if path.is_file() and not single:
            raise DataError(f"{path} is a file, not a saved model: choose another name.")
        check_writable(path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror or error}): choose another path.") from error


def _save_folder(files: dict[str, bytes], path: Path) -> None:
    """Write the files to a new folder and exchange it with an older one in one step."""
    _remove_left_overs(path.parent)
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=path.parent))
    fresh, older = scratch / "new", scratch / "old"
    try:
        for name, data in files.items():
            write_atomically(fresh / name, data)
        if path.exists() and exchanged(fresh, path):
            return
        if path.exists():
            os.replace(path, older)  # a reader that finds no model meanwhile tries again
        try:
            os.replace(fresh, path)
        except OSError:
            if older.exists():
                os.replace(older, path)
            raise
    finally:
        if path.exists() or not older.exists():
            shutil.rmtree(scratch, ignore_errors=True)


def _remove_left_overs(folder: Path) -> None:
    """Remove what killed saves left an hour ago or earlier, unless it is the only copy of a model."""
    for left in folder.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE and not (left / "old").exists():
                shutil.rmtree(left, ignore_errors=True)


def load_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read a bundle and verify its checksums; a model that is replaced meanwhile is read again."""
    path = Path(path)
    end = time.monotonic() + _PATIENCE
    while True:
        before = _identity(path)
        try:
            return _load(path)
        except BundleError:
            after = _identity(path)
            replaced = before != after or (not after and _is_being_replaced(path))
            if not replaced or time.monotonic() > end:
                raise
            time.sleep(0.005)


def _identity(path: Path) -> tuple[int, ...]:
    """Return what is another for another saved model at the same path."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for place in (path, path / _MANIFEST):
            found += (place.stat().st_ino, place.stat().st_mtime_ns)
    return tuple(found)


def _is_being_replaced(path: Path) -> bool:
    """Return whether there was no model because another process is between two steps of saving one."""
    return any(path.parent.glob(f"{_SCRATCH}*/old")) or path.exists()


def _load(path: Path) -> Bundle:
    try:
        if not path.exists():
            raise BundleError(f"There is no model at {path}.")
        if path.is_file():
            _check_size(path.stat().st_size, str(path))
            return Bundle.from_bytes(path.read_bytes(), str(path))
        present = [path / name for name in (_MANIFEST, *_FILES, *_OPTIONAL) if (path / name).is_file()]
        _check_size(sum(file.stat().st_size for file in present), str(path))
        return _parse({file.name: file.read_bytes() for file in present}, str(path))
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error}).") from error


def fingerprint(path: Path) -> str:
    """Return a checksum of the model at a path, equal for its folder and its file."""
    if path.is_dir():
        return checksum((path / _MANIFEST).read_bytes())
    with zipfile.ZipFile(path) as archive:
        return checksum(archive.read(_MANIFEST))


def saved_files(path: Path) -> list[Path]:
    """Return the files of the model at a path."""
    return [path, *(path / name for name in (_MANIFEST, *_FILES, *_OPTIONAL))]


def model_above(path: Path) -> Path | None:
    """Return the saved model, if there is one, that a path is in."""
    folders = (path, *path.parents)
    return next((each for each in folders if all((each / name).is_file() for name in (_MANIFEST, _STATE))), None)


def _check_size(size: int, name: str) -> None:
    if size > SIZE_LIMIT:
        raise BundleError(f"{name} has {size:,} bytes, more than the limit of {SIZE_LIMIT:,}.")


def _parse(files: dict[str, bytes], name: str) -> Bundle:
    if _MANIFEST not in files:
        raise BundleError(f"{name} is not a saved model: it has no {_MANIFEST}.")
    manifest = _json_object(files[_MANIFEST], f"{name}: {_MANIFEST}")
    if manifest.get("format") != FORMAT:
        raise BundleError(f"{name} is not a model of skol_rnn (its format is {manifest.get('format')!r}).")
    version = manifest.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise BundleError(f"{name} was written in format {version}, newer than {FORMAT_VERSION}: upgrade skol_rnn.")
    sums = manifest["files"] if isinstance(manifest.get("files"), dict) else {}
    for part in (*_FILES, *(part for part in _OPTIONAL if part in sums)):
        if part not in files:
            raise BundleError(f"{name}: {part} is missing: the model is incomplete, copy it again.")
        if not isinstance(sums.get(part), dict) or sums[part].get("sha256") != checksum(files[part]):
            raise BundleError(f"{name}: {part} is damaged, its checksum is wrong: copy the model again.")
    try:
        arrays = {part: read_npz(files[f"{part}.npz"]) for part in _ARRAYS}
    except DataError as error:
        raise BundleError(f"{name}: {error}") from error
    graph, int8_graph = (files[part] if part in sums else None for part in (_GRAPH, _INT8_GRAPH))
    card = files[_CARD].decode("utf-8", "replace") if _CARD in sums else None
    return Bundle(
        _json_object(files[_STATE], f"{name}: {_STATE}"), **arrays, graph=graph, card=card, int8_graph=int8_graph
    )


def checksum(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=True) + "\n").encode()


def _json_object(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise BundleError(f"{name} is damaged ({error}).") from error
    if not isinstance(value, dict):
        raise BundleError(f"{name} is damaged: it is not a JSON object.")
    return value


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
