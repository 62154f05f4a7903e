"""The configuration of a batch, checked before any work, and its cells: setting x data set x seed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skol_rnn import __version__
from skol_rnn.data.discovery import find_files
from skol_rnn.data.formats.ptc import label_table_of
from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import is_frozen_file
from skol_rnn.labels import suggestion
from skol_rnn.training.parameters import PARAMETERS, ModelParameters, values_of

_TOP = ("settings", "data", "seeds")
_DATA = ("train", "test", "labels", "other", "important")


@dataclass(frozen=True)
class Setting:
    """Something to score: parameters of RNNSkolModel, the path of a saved model, or an object with ``fit``."""

    name: str
    value: Any

    @property
    def trained(self) -> bool:
        """Whether each cell trains it."""
        return not isinstance(self.value, Path)

    @property
    def seeded(self) -> bool:
        """Whether the result depends on the seed; an object says no with ``seeded = False``."""
        return self.trained and getattr(self.value, "seeded", True)

    def digest(self) -> str:
        """Hash the content: values of parameters, files, or the pickled object."""
        if isinstance(self.value, Path):
            files = sorted(f for f in self.value.rglob("*") if f.is_file()) if self.value.is_dir() else [self.value]
            return _sha256([f.read_bytes() for f in files])
        if not isinstance(self.value, Mapping):
            name = f"{type(self.value).__module__}.{type(self.value).__qualname__}"
            return _sha256([name.encode(), self._pickled(self.value.__getstate__())])
        weights = str(self.value.get("class_weights"))
        file = [Path(weights).read_bytes()] if is_frozen_file(weights) and Path(weights).is_file() else []
        values = json.dumps(dict(self.value), sort_keys=True, default=lambda v: _sha256([self._pickled(v)]))
        return _sha256([values.encode(), *file])

    def check_sendable(self) -> None:
        """Check that the setting can be sent to another process."""
        self._pickled(self.value)

    def _pickled(self, value: Any) -> bytes:
        try:
            return pickle.dumps(value)
        except Exception as error:  # pickle raises what the object's own methods raise
            raise DataError(f"Setting {self.name!r} cannot be sent to a process ({error}): use jobs=0.") from error


@dataclass(frozen=True)
class Data:
    """A data set: paths of training and test documents, and their labels."""

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    other: str | None = None
    important: tuple[str, ...] | None = None

    def digest(self) -> str:
        """Hash the names and contents of the files, and the labels."""
        labels = json.dumps([self.labels, self.other, self.important])
        parts = [labels.encode()]
        for paths in (self.train, self.test):
            parts += [b"", *(part for file in find_files(paths, None)[0] for part in _content(file))]
        return _sha256(parts)


@dataclass(frozen=True)
class Cell:
    """One training and one scoring; ``key`` names the content that its result depends on."""

    setting: Setting
    data: Data
    seed: int | None
    key: str

    def __str__(self) -> str:
        return f"{self.setting.name}, {self.data.name}" + ("" if self.seed is None else f", seed {self.seed}")


@dataclass(frozen=True)
class Batch:
    """A checked configuration."""

    settings: tuple[Setting, ...]
    data: tuple[Data, ...]
    seeds: tuple[int, ...] = field(default=(0,))

    def cells(self) -> list[Cell]:
        """Return all cells, one data set after the other."""
        of_setting = {setting.name: setting.digest() for setting in self.settings}
        found = []
        for data in self.data:
            content = data.digest()
            for setting in self.settings:
                seeds = self.seeds if setting.seeded else self.seeds[:1] if setting.trained else (None,)
                for seed in seeds:
                    key = json.dumps([__version__, of_setting[setting.name], content, seed])
                    found.append(Cell(setting, data, seed, _sha256([key.encode()])))
        return found


def read_batch(config: str | Path | Mapping[str, Any]) -> Batch:
    """Read and check a configuration; paths of a file are relative to its folder."""
    if isinstance(config, Mapping):
        return _batch(config, "The configuration", Path())
    path = Path(config)
    return _batch(read_toml(path), str(path), path.parent)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        near = suggestion(path.name, os.listdir(path.parent)) if path.parent.is_dir() else ""
        raise DataError(f"{path} does not exist.{near}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read as a configuration ({error.strerror or error}).") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} is not a TOML file: {error}.") from error


def _batch(values: Mapping[str, Any], where: str, base: Path) -> Batch:
    _check_keys(values, _TOP, where)
    tables = []
    for key in ("settings", "data"):
        table = values.get(key)
        if not isinstance(table, Mapping) or not table:
            raise DataError(f"{where} needs at least one table [{key}.NAME].")
        tables.append(table)
    settings = tuple(_setting(str(name), value, where, base) for name, value in tables[0].items())
    data = tuple(_data(str(name), value, where, base) for name, value in tables[1].items())
    needing = next((setting.name for setting in settings if setting.trained), None)
    for one in data:
        if needing is not None and not one.train:
            raise DataError(f"{where}: data set {one.name!r} needs train, because setting {needing!r} is trained.")
    return Batch(settings, data, _seeds(values.get("seeds", [0]), where))


def _setting(name: str, value: Any, where: str, base: Path) -> Setting:
    here = f"{where}, setting {name!r}"
    if isinstance(value, Mapping) and "model" in value:
        _check_keys(value, ("model",), f"{here} with a saved model")
        value = value["model"]
    if isinstance(value, (str, Path)):
        path = base / value
        if not path.exists():
            raise DataError(f"{here}: there is no model at {path}.")
        return Setting(name, path)
    if not isinstance(value, Mapping):
        if not hasattr(value, "fit") or not (hasattr(value, "predict") or hasattr(value, "predict_proba")):
            raise DataError(f"{here} must be parameters, the path of a saved model, or an object with fit and predict.")
        return Setting(name, value)
    if "random_state" in value:
        raise DataError(f"{here}: the seeds of the batch are the random states; leave random_state out.")
    _check_keys(value, ("model", *PARAMETERS), here)
    parameters = dict(value)
    if parameters.get("class_weights") == "none":  # TOML has no None
        parameters["class_weights"] = None
    elif is_frozen_file(parameters.get("class_weights")):
        parameters["class_weights"] = str(base / parameters["class_weights"])
    # Processes find a wrong value only after TensorFlow has loaded.
    from skol_rnn.training.checks import check_parameters  # loads pandas

    try:
        check_parameters(values_of(ModelParameters(**parameters)))
    except (TypeError, ValueError) as error:
        raise DataError(f"{here}: {error}") from error
    return Setting(name, parameters)


def _data(name: str, value: Any, where: str, base: Path) -> Data:
    here = f"{where}, data set {name!r}"
    if not isinstance(value, Mapping):
        raise DataError(f"{here} must be a table with {', '.join(_DATA)}.")
    _check_keys(value, _DATA, here)
    paths = {}
    for key in ("train", "test"):
        given = value.get(key, ())
        given = [given] if isinstance(given, (str, Path)) else given
        if not isinstance(given, Sequence) or not all(isinstance(path, (str, Path)) for path in given):
            raise DataError(f"{here}: {key} must be a path or a list of paths.")
        if not all(str(path).strip() for path in given):
            raise DataError(
                f'{here}: a path of {key} is empty: give a file, a folder or a glob, or "." for this folder.'
            )
        paths[key] = tuple(str(base / path) for path in given)
    if not paths["test"]:
        raise DataError(f"{here} needs test, the documents to score.")
    other = value.get("other")
    if other is not None and not isinstance(other, str):
        raise DataError(f"{here}: other must be one label.")
    labels, important = (_names(value.get(key), f"{here}: {key}") for key in ("labels", "important"))
    for label in important or () if labels else ():
        if label not in (known := (*(labels or ()), other)):
            hint = suggestion(label, [name for name in known if name])
            raise DataError(f"{here}: important has {label!r}, which is not among its labels.{hint}")
    return Data(name, **paths, labels=labels, other=other, important=important)


def _names(value: Any, what: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str) or not value or not all(isinstance(name, str) for name in value):
        raise DataError(f"{what} must be a list of labels.")
    return tuple(dict.fromkeys(value))


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    whole = isinstance(value, Sequence) and all(isinstance(n, int) and not isinstance(n, bool) for n in value)
    if not whole or not value or min(value) < 0:
        raise DataError(f"{where}: seeds must be a list of whole numbers, such as [0, 1, 2].")
    return tuple(dict.fromkeys(value))


def _check_keys(values: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    for key in values:
        if key not in (known := tuple(allowed)):
            raise DataError(f"{where}: unknown key {key!r}.{suggestion(str(key), known)}")


def _content(file: Any) -> list[bytes]:
    """Return the name and the bytes of a file, and those of the file that holds its labels or its text."""
    second = {"ptc": label_table_of(file.path), "brat": file.path.with_suffix(".txt")}.get(file.format)
    try:
        return [file.doc_id.encode(), *(path.read_bytes() for path in (file.path, second) if path)]
    except OSError as error:
        raise DataError(f"{file.path} cannot be read ({error.strerror}).") from error


def _sha256(parts: Iterable[bytes]) -> str:
    """Hash parts, each with its length, so that their borders count."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
