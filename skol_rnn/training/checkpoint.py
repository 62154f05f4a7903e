"""Checkpoints: the files that an interrupted training continues from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.frameworks import choose_backend
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.persistence.archive import npz_bytes, read_npz
from skol_rnn.persistence.atomic import remove_left_overs, write_atomically

if TYPE_CHECKING:
    from skol_rnn.data.inputs import LabelledRows
    from skol_rnn.labels import LabelSet
    from skol_rnn.training.lines import TrainingLines

SAVED_EVERY = 60.0
"""Seconds of training after which an unfinished epoch is saved, too."""
_STAGES = re.compile(r"(\.(fold\d+|refit|more\d+))*")
_LONGEST = ".fold99.refit.more9"
_HEADERS = 1 << 20  # bytes of a file besides its arrays, at most


class Checkpoint(NamedTuple):
    """The state of a training after an epoch, or after some batches of one."""

    fingerprint: str
    progress: dict[str, Any]
    variables: list[np.ndarray]
    best: list[np.ndarray]
    metrics: list[np.ndarray]  # sums of the unfinished epoch

    def write(self, path: Path) -> None:
        """Write the file, or keep the one that is there."""
        state = json.dumps({"fingerprint": self.fingerprint, **self.progress})
        parts = {"variable": self.variables, "best": self.best, "metric": self.metrics}
        arrays = {f"{name}/{i}": array for name, part in parts.items() for i, array in enumerate(part)}
        try:
            write_atomically(path, npz_bytes({**arrays, "state": np.array(state)}))
        except OSError as error:
            before = f"{path} still has what was saved before" if path.exists() else "nothing is saved"
            raise DataError(
                f"The checkpoint {path} cannot be written ({error.strerror or error}): training stopped, {before}. "
                "Make room, then start again with the same checkpoint."
            ) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a file."""
    try:
        arrays = read_npz(path)
        progress = json.loads(str(arrays.pop("state")))
        fingerprint, history = progress.pop("fingerprint"), progress["history"]
        lists = [_numbered(arrays, prefix) for prefix in ("variable/", "best/", "metric/")]
        fits = (
            isinstance(fingerprint, str)
            and set(progress) == {"epoch", "batch", "best", "best_epoch", "history"}
            and all(type(progress[name]) is int and progress[name] >= 0 for name in ("epoch", "batch", "best_epoch"))
            and isinstance(progress["best"], float)
            and all(len(values) <= progress["epoch"] for values in history.values())
            and all(type(value) in (int, float) for values in history.values() for value in values)
            and len(arrays) == sum(map(len, lists))
            and progress["best_epoch"] <= progress["epoch"]
            and all(array.dtype.kind in "iuf" and np.isfinite(array).all() for part in lists for array in part)
        )
        if not fits:
            raise ValueError("its parts do not fit together")
        return Checkpoint(fingerprint, progress, *lists)
    except Exception as error:  # a damaged file raises errors of many kinds
        raise DataError(
            f"{path} is damaged or no checkpoint ({str(error) or type(error).__name__:.200}): "
            "copy it again, or delete it to start again."
        ) from error


def _numbered(arrays: Mapping[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    return [arrays[f"{prefix}{i}"] for i in range(sum(name.startswith(prefix) for name in arrays))]


def stage_file(path: Path, stage: str) -> Path:
    """Name the file of a later training of a run: ``refit``, ``more1`` or ``fold1``, or one of those after another."""
    return path.with_name(f"{path.name}.{stage}")


def files_of(path: Path) -> list[Path]:
    """List the files of a run that exist: the first one and those of its stages."""
    name, folder = path.name, path.parent
    found = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [folder / file for file in found if file.startswith(name) and _STAGES.fullmatch(file[len(name) :])]


def check_place(path: str | Path) -> None:
    """Check before any work that the files of a run can be written, and remove what a killed run left."""
    path = Path(path)
    probe = path.with_name(f"{path.name}{_LONGEST}")
    try:
        for file in (found := files_of(path)):
            if not file.is_file():
                raise DataError(f"The checkpoint {file} is a folder or a device: give a file.")
        for file in (path, *found, probe):
            remove_left_overs(file)
        write_atomically(probe, b"")
        probe.unlink()
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"The checkpoint {path} cannot be written ({reason}): give another path.") from error


def check_run(path: Path, run: str) -> None:
    """Refuse, before any work, files that belong to another run."""
    for file in files_of(path):
        if read_checkpoint(file).fingerprint.partition(":")[0] != run:
            raise other_run(file)


def run_id(settings: Mapping[str, Any], labels: LabelSet, *parts: LabelledRows | None) -> str:
    """Hash what all files of a run share: settings, labels, and the documents of training and validation set."""
    import pandas as pd

    digest = hashlib.sha256(json.dumps([_kept(settings), list(labels)], default=_plain).encode())
    for rows in parts:
        table = None if rows is None else rows.table[["doc_id", "value", "label"]].fillna("").astype(str)
        digest.update(b"" if table is None else pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:32]


def fingerprint(
    run: str, settings: Mapping[str, Any], lines: TrainingLines, class_weights: ClassWeights, weights: np.ndarray
) -> str:
    """Hash what a resumed stage must share with the interrupted one, after what its other stages have too."""
    kept = {**_kept(settings), "class_weights": class_weights.to_dict()}
    digest = hashlib.sha256(json.dumps([kept, weights.tolist()], default=str).encode())
    weights_given = () if lines.weights is None else (lines.weights,)
    for array in (*lines.features, lines.true, *weights_given):
        digest.update(np.ascontiguousarray(array).tobytes())
    return f"{run}:{digest.hexdigest()}"


def _kept(settings: Mapping[str, Any]) -> dict[str, Any]:
    # Another framework draws and rounds differently: a resumed run would not end with the same weights.
    framework = {} if (name := choose_backend()) == "tensorflow" else {"framework": name}
    return {key: value for key, value in settings.items() if key != "verbosity"} | framework


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, ClassWeights) else str(value)


def other_run(path: Path) -> DataError:
    """Return the error for a file of another run."""
    return DataError(
        f"{path} belongs to a run with other data, labels, weights or settings, or of another KERAS_BACKEND: "
        "delete it to start again, or train with what that run had."
    )


def check_fit(
    path: Path, variables: Sequence[Any], weights: Sequence[Any], metrics: Sequence[Any], found: Checkpoint
) -> None:
    """Check that the arrays of a file are those of a network, its optimizer and its metrics."""
    expected_of = ((found.variables, variables), (found.best or weights, weights), (found.metrics or metrics, metrics))
    for arrays, expected in expected_of:
        if [array.shape for array in arrays] != [tuple(one.shape) for one in expected]:
            raise DataError(f"{path} is damaged: its arrays are not those of this network. Delete it to start again.")


def check_room(path: Path, arrays: Sequence[Any]) -> None:
    """Check before training that there is room for the file next to the one that it replaces."""
    size = _HEADERS + sum(4 * math.prod(array.shape) for array in arrays)
    free = shutil.disk_usage(path.parent).free
    if free < 2 * size:
        raise DataError(
            f"The checkpoint {path} needs {2 * size / 1e6:,.0f} MB and the disk has {free / 1e6:,.0f} MB free: "
            "make room, or give another path."
        )
