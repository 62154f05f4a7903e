"""The saved model: JSON, arrays and checksums, without pickles or code, as a folder or as one zip of the same files."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from skol_rnn.errors import BundleError, DataError
from skol_rnn.labels import printable
from skol_rnn.persistence.archive import DAMAGE, Budget, npz_bytes, read_npz, read_zip, zip_bytes
from skol_rnn.persistence.atomic import check_writable, exchanged, write_atomically

FORMAT = "skol_rnn model"
FORMAT_VERSION = 1
SINGLE_FILE_ENDINGS = (".skol", ".zip")  # such a path is saved as one file, any other path as a folder

_MANIFEST = "manifest.json"
_STATE = "model.json"
_ARRAYS = ("network", "features", "decision")
_FILES = (_STATE, *(f"{part}.npz" for part in _ARRAYS))
_GRAPH = "network.onnx"  # optional: older bundles lack it, and so do networks that ONNX cannot express
_CARD = "README.md"  # optional: older bundles lack it
_INT8_GRAPH = "network_int8.onnx"  # optional: the same network with LSTM weights of 8 bits
_OPTIONAL = (_GRAPH, _INT8_GRAPH, _CARD)
_SIGNATURE = "signature.txt"  # optional, and not in the manifest, which it signs
_ALL = (_MANIFEST, *_FILES, *_OPTIONAL, _SIGNATURE)
_MOST_FILES = 1_000  # in an archive; others than those above are not read
_SHORTEST_KEY = 16  # bytes
_JSON_LIMIT, _MOST_VALUES, _DEEPEST = 32 << 20, 2_000_000, 32  # bytes, values and levels of a JSON file
_SCRATCH = ".skol_rnn-saving-"  # start of the names of folders that a save is about to put in place
_STALE = 3600.0  # seconds
_PATIENCE = 2.0  # seconds for which a reader waits for a save to end


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

    def files(self, sign: Key | None = None) -> dict[str, bytes]:
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
        manifest = _json({"format": FORMAT, "format_version": FORMAT_VERSION, "files": sums})
        signature = {} if sign is None else {_SIGNATURE: f"{_signature(manifest, sign)}\n".encode()}
        return {_MANIFEST: manifest, **files, **signature}

    def to_bytes(self, sign: Key | None = None) -> bytes:
        """Return a zip of the bundle's files, signed if there is a key; equal bundles give equal bytes."""
        return zip_bytes(self.files(sign))

    @classmethod
    def from_bytes(cls, blob: bytes, name: str = "the model", verify: Key | None = None) -> Bundle:
        """Read the bytes that :meth:`to_bytes` returned, signed with a key if there is one; ``name`` is for messages."""
        try:
            budget = Budget(len(blob))
            files = read_zip(blob, budget, _ALL.__contains__, _MOST_FILES)
        except DAMAGE as error:
            raise _damaged(name, error) from error
        return _parse(files, name, budget, verify)


Key = str | bytes
"""The secret that models are signed with; all who sign and verify share it."""


def _signature(manifest: bytes, key: Key) -> str:
    """Return the HMAC-SHA256 of a manifest, whose checksums cover all other files."""
    return hmac.new(check_key(key), manifest, "sha256").hexdigest()


def check_key(key: Key) -> bytes:
    """Return the bytes of a key, or raise a ValueError before any work."""
    secret = key.encode() if isinstance(key, str) else key
    if not isinstance(secret, bytes) or len(secret) < _SHORTEST_KEY:
        raise ValueError(f"The key that signs models must be text or bytes, at least {_SHORTEST_KEY} bytes long.")
    return secret


def _check_signature(files: Mapping[str, bytes], name: str, key: Key) -> None:
    expected = _signature(files[_MANIFEST], key)
    if _SIGNATURE not in files:
        raise BundleError(f"{name} is not signed: only models signed with the key are loaded here.")
    if not hmac.compare_digest(files[_SIGNATURE].strip(), expected.encode()):
        raise BundleError(f"{name} is signed with another key, or was changed after it was signed.")


def _damaged(name: str, error: Exception) -> BundleError:
    reason = printable(str(error) or type(error).__name__)
    return BundleError(f"{name} is not a saved model, or it is damaged ({reason:.300}).")


def save_bundle(bundle: Bundle, path: str | os.PathLike[str], sign: Key | None = None) -> Path:
    """Write a bundle atomically: a reader finds the previous model or the new one, never a part of either."""
    path = Path(path)
    check_destination(path)
    if sign is not None:
        check_key(sign)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in SINGLE_FILE_ENDINGS:
            write_atomically(path, bundle.to_bytes(sign))
        else:
            _save_folder(bundle.files(sign), path)
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


def load_bundle(path: str | os.PathLike[str], verify: Key | None = None) -> Bundle:
    """Read a bundle and verify its checksums, and its signature if there is a key."""
    return _read_whole(Path(path), verify)[0]


def load_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the files of a bundle as one zip, as they are, with their signature."""
    return zip_bytes(_read_whole(Path(path), None)[1])


def _read_whole(path: Path, verify: Key | None) -> tuple[Bundle, dict[str, bytes]]:
    """Read a bundle and its files; a model that is replaced meanwhile is read again."""
    end = time.monotonic() + _PATIENCE
    while True:
        before = _identity(path)
        try:
            return _load(path, verify)
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


def _load(path: Path, verify: Key | None) -> tuple[Bundle, dict[str, bytes]]:
    try:
        if not path.exists():
            raise BundleError(f"There is no model at {path}.")
        if path.is_file():
            budget = Budget(path.stat().st_size)
            files = read_zip(path, budget, _ALL.__contains__, _MOST_FILES)
        else:
            present = [path / name for name in _ALL if (path / name).is_file()]
            budget = Budget(sum(file.stat().st_size for file in present))
            files = {file.name: file.read_bytes() for file in present}
    except BundleError:
        raise
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror or error}).") from error
    except DAMAGE as error:
        raise _damaged(str(path), error) from error
    return _parse(files, str(path), budget, verify), files


def fingerprint(path: Path) -> str:
    """Return a checksum of the model at a path, equal for its folder and its file."""
    if path.is_dir():
        return checksum((path / _MANIFEST).read_bytes())
    with zipfile.ZipFile(path) as archive:
        return checksum(archive.read(_MANIFEST))


def saved_files(path: Path) -> list[Path]:
    """Return the files of the model at a path."""
    return [path, *(path / name for name in _ALL)]


def model_above(path: Path) -> Path | None:
    """Return the saved model, if there is one, that a path is in."""
    folders = (path, *path.parents)
    return next((each for each in folders if all((each / name).is_file() for name in (_MANIFEST, _STATE))), None)


def _parse(files: dict[str, bytes], name: str, budget: Budget, verify: Key | None = None) -> Bundle:
    if _MANIFEST not in files:
        raise BundleError(f"{name} is not a saved model: it has no {_MANIFEST}.")
    if verify is not None:
        _check_signature(files, name, verify)
    sums = _checksums(files[_MANIFEST], name)
    for part, digest in sums.items():
        if part not in files:
            raise BundleError(f"{name}: {part} is missing: the model is incomplete, copy it again.")
        if digest != checksum(files[part]):
            raise BundleError(f"{name}: {part} is damaged, its checksum is wrong: copy the model again.")
    for part in (_GRAPH, _INT8_GRAPH):
        if part in files and part not in sums:
            raise BundleError(f"{name}: {part} is not in the {_MANIFEST}: the model was changed, copy it again.")
    arrays = {part: _arrays(files[f"{part}.npz"], budget, f"{name}: {part}.npz") for part in _ARRAYS}
    graph, int8_graph = (files[part] if part in sums else None for part in (_GRAPH, _INT8_GRAPH))
    card = files[_CARD].decode("utf-8", "replace") if _CARD in sums else None
    return Bundle(
        _json_object(files[_STATE], f"{name}: {_STATE}"), **arrays, graph=graph, card=card, int8_graph=int8_graph
    )


def _arrays(data: bytes, budget: Budget, name: str) -> dict[str, np.ndarray]:
    try:
        return read_npz(data, budget, name)
    except DataError as error:
        raise BundleError(str(error)) from error


def _checksums(data: bytes, name: str) -> dict[str, str]:
    """Check a manifest, and return the checksum of each file."""
    manifest = _json_object(data, f"{name}: {_MANIFEST}")
    if manifest.get("format") != FORMAT:
        raise BundleError(f"{name} is not a model of skol_rnn (its format is {manifest.get('format')!r:.100}).")
    version, sums = manifest.get("format_version"), manifest.get("files")
    if type(version) is not int or version < 1:
        raise BundleError(f"{name}: {_MANIFEST} is damaged: its format_version is {printable(str(version)):.100}.")
    if version > FORMAT_VERSION:
        raise BundleError(f"{name} was written in format {version}, newer than {FORMAT_VERSION}: upgrade skol_rnn.")
    if not isinstance(sums, dict):
        raise BundleError(f"{name}: {_MANIFEST} is damaged: it has no list of files.")
    found: dict[str, str] = {}
    for part in dict.fromkeys((*_FILES, *sums)):
        entry = sums.get(part)
        digest = entry.get("sha256") if isinstance(entry, dict) else None
        if part not in (*_FILES, *_OPTIONAL):
            raise BundleError(f"{name}: {_MANIFEST} names {printable(part)!r:.100}, which is no part of a model.")
        if not isinstance(digest, str):
            raise BundleError(f"{name}: {_MANIFEST} has no checksum of {part}: copy the model again.")
        found[part] = digest
    return found


def checksum(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=True) + "\n").encode()


def _json_object(data: bytes, name: str) -> dict[str, Any]:
    try:
        if len(data) > _JSON_LIMIT or sum(map(data.count, (b",", b"[", b"{"))) > _MOST_VALUES:
            raise ValueError("it is too large")
        value = json.loads(data.decode())
        _check_depth(value, _DEEPEST)
        _json(value) if isinstance(value, dict) else None  # text that is no Unicode
    except (ValueError, RecursionError, MemoryError) as error:
        raise BundleError(f"{name} is damaged ({printable(str(error)):.300}).") from error
    if not isinstance(value, dict):
        raise BundleError(f"{name} is damaged: it is not a JSON object.")
    return value


def _check_depth(value: Any, levels: int) -> None:
    if levels < 0:
        raise ValueError("its values are nested too deeply")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(part, (dict, list)):
            _check_depth(part, levels - 1)
