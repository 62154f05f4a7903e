"""Frozen class weights as files: JSON, NumPy's archive, and PyTorch's where it is installed; never a pickle."""

from __future__ import annotations

import importlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.imbalance.form import REMEDY, json_object
from skol_rnn.labels import suggestion
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.persistence.npz import npz_bytes, read_npz

Arrays = Mapping[str, np.ndarray]
"""Labels, weights and counts as arrays, beside the JSON text that holds everything."""


_PT_KEYS = ("label_counts", "class_weights", "json")


class _Kind(NamedTuple):
    write: Callable[[Mapping[str, Any], Arrays], bytes]
    read: Callable[[Path, bytes], tuple[Any, Arrays]]


def write_frozen(path: str | Path, values: Mapping[str, Any]) -> Path:
    """Write frozen weights in the format of the path's ending."""
    path = Path(path)
    write_atomically(path, _kind(path).write(values, _arrays(values)))
    return path


def read_frozen(path: str | Path) -> tuple[Any, Arrays]:
    """Read what `write_frozen` wrote."""
    path = Path(path)
    kind = _kind(path)
    try:
        return kind.read(path, path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read as frozen class weights ({error.strerror or error}).") from error


def check_arrays(path: str | Path, arrays: Arrays, values: Mapping[str, Any]) -> None:
    """Refuse a file whose arrays say something else than its JSON text."""
    own = _arrays(values)
    for name, array in arrays.items():
        if not _equal(own[name], array):
            raise DataError(f"{path} was edited by hand: its {name} are not those of its JSON text; {REMEDY}")


def check_ending(path: str | Path) -> None:
    """Refuse a path of which no format is known."""
    _kind(Path(path))


def _arrays(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    weights, counts = ([values[what][name] for name in values["labels"]] for what in ("weights", "counts"))
    return {"labels": np.array(values["labels"]), "weights": np.array(weights), "counts": np.array(counts)}


def _equal(own: np.ndarray, found: np.ndarray) -> bool:
    """Compare arrays, weights in the precision that the file keeps them in."""
    if own.dtype.kind == "f" and found.dtype.kind == "f":
        with np.errstate(over="ignore"):
            own = own.astype(found.dtype)
    return np.array_equal(own, found)


def _kind(path: Path) -> _Kind:
    ending = path.suffix.lower()
    if ending not in _KINDS:
        hint = suggestion(ending, _KINDS)
        raise ValueError(
            f"Frozen class weights are kept in files that end in .json, .npz or .pt, not {ending!r}.{hint}"
        )
    return _KINDS[ending]


def _json_text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _parsed(text: str, path: Path) -> Any:
    try:
        return json.loads(text, object_pairs_hook=json_object)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON of frozen class weights ({error}).") from error


def _read_json(path: Path, data: bytes) -> tuple[Any, Arrays]:
    try:
        # An editor may have put a byte order mark before it.
        return _parsed(data.decode("utf-8-sig"), path), {}
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no JSON of frozen class weights ({error}).") from error


def _write_npz(values: Mapping[str, Any], arrays: Arrays) -> bytes:
    return npz_bytes({**arrays, "json": np.array(_json_text(values))})


def _read_npz(path: Path, data: bytes) -> tuple[Any, Arrays]:
    found = read_npz(path) if zipfile.is_zipfile(io.BytesIO(data)) else {}
    text = found.pop("json", None)
    # A member that is no array is given as bytes.
    if (
        text is None
        or set(found) != {"labels", "weights", "counts"}
        or isinstance(text, bytes)
        or text.dtype.kind != "U"
    ):
        raise DataError(f"{path} is no archive of frozen class weights.")
    return _parsed(str(text), path), found


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(
            "Class weights in a .pt file need PyTorch: pip install torch, or keep them as .json or .npz."
        ) from error


def _write_pt(values: Mapping[str, Any], arrays: Arrays) -> bytes:
    torch, buffer = _torch(), io.BytesIO()
    content = {
        # float32, as the losses of PyTorch take it beside logits; the JSON text has all digits.
        "class_weights": torch.tensor(arrays["weights"], dtype=torch.float32),
        "label_counts": dict(values["counts"]),
        "alpha": values["alpha"],
        "json": _json_text(values),
    }
    torch.save(content, buffer)
    return buffer.getvalue()


def _read_pt(path: Path, data: bytes) -> tuple[Any, Arrays]:
    torch = _torch()
    try:
        content = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except (RuntimeError, ValueError, EOFError, KeyError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is damaged, or no file of frozen class weights ({reason}).") from error
    counts, weights, text = (content.get(key) if isinstance(content, dict) else None for key in _PT_KEYS)
    if not (isinstance(counts, dict) and isinstance(weights, torch.Tensor) and isinstance(text, str)):
        raise DataError(f"{path} holds no frozen class weights of skol_rnn ({', '.join(_PT_KEYS)}).")
    arrays = {"labels": list(counts), "weights": weights.numpy(), "counts": list(counts.values())}
    return _parsed(text, path), {name: np.array(values) for name, values in arrays.items()}


_KINDS: Mapping[str, _Kind] = {
    ".json": _Kind(lambda values, _: _json_text(values).encode(), _read_json),
    ".npz": _Kind(_write_npz, _read_npz),
    ".pt": _Kind(_write_pt, _read_pt),
}
ENDINGS = tuple(_KINDS)
"""Endings of the files that frozen weights are kept in."""
