"""Run one cell: read, train, predict, score; the record of it is JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.batch_evaluate.config import Cell, Data
from skol_rnn.errors import DataError
from skol_rnn.frameworks import installed_versions
from skol_rnn.labels import LabelSet, suggestion
from skol_rnn.training.settings import INSTANT

if TYPE_CHECKING:
    import pandas as pd

    from skol_rnn.evaluation.result import Evaluation

AVERAGES = (
    "important_f1",
    *(f"{how}_{kind}" for how in ("macro", "weighted") for kind in ("precision", "recall", "f1")),
)
AVERAGES += ("accuracy",)
BY_LABEL = ("precision", "recall", "f1", "loss", "support", "predicted")
_VERSIONS = ("skol_rnn", "tensorflow", "torch", "jax", "keras", "scikit-learn", "numpy", "onnxruntime")


def run_cell(cell: Cell, predictions: Path | None = None) -> dict[str, Any]:
    """Train and score a cell and return its record; ``predictions`` is a CSV file for the labels of each row."""
    system = _system(cell)
    unit = getattr(system, "unit", "line")
    training = _table(cell.data.train, unit) if cell.setting.trained else None
    unseen = _table(cell.data.test, unit)
    labels = _labels(cell.data, training, system)
    other = system.model.other_ if training is None and cell.data.other is None else cell.data.other
    true = _folded(unseen, labels, other, f"the test documents of {cell.data.name!r}")
    started = time.monotonic()
    if training is not None:
        training["label"] = _folded(training, labels, other, f"the training documents of {cell.data.name!r}")
        system.fit(training, labels, cell.seed)
    trained = time.monotonic()
    predicted, probabilities = _predict(system, unseen.drop(columns="label"), labels)
    done = time.monotonic()
    unseen["label"] = true
    if predictions:
        rows = unseen[["doc_id", "line_number", "value", "label"]].assign(predicted=labels.decode(predicted))
        predictions.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(predictions, index=False)
    record = scores(unseen, predicted, probabilities, labels, cell.data.important, unit)
    seconds = {"train_seconds": trained - started if cell.setting.trained else None, "predict_seconds": done - trained}
    size = getattr(system, "size", None)
    return {
        **names(cell),
        **record,
        **seconds,
        "bytes": size() if size else None,
        "settings": dict(getattr(system, "settings_", {})),
        "versions": {"python": sys.version.split()[0], **installed_versions(*_VERSIONS)},
    }


def names(cell: Cell) -> dict[str, Any]:
    """Return what identifies a cell."""
    return {"data": cell.data.name, "setting": cell.setting.name, "seed": cell.seed, "key": cell.key}


def scores(
    table: pd.DataFrame,
    predicted: np.ndarray,
    probabilities: np.ndarray | None,
    labels: LabelSet,
    important: tuple[str, ...] | None,
    unit: str,
) -> dict[str, Any]:
    """Score predicted rows: averages, scores of each label, and counts by document."""
    from skol_rnn.data.inputs import LabelledRows
    from skol_rnn.evaluation.evaluate import score_rows

    found = score_rows(LabelledRows.of(table, labels), predicted, probabilities, labels, important, unit)
    return {
        "labels": list(labels),
        "important": list(found.important),
        "unit": unit,
        "rows": int(found.support.sum()),
        "scores": _flat(found),
        "confusion": found.confusion.tolist(),
        "documents": {
            name: [e.support.tolist(), e.predicted.tolist(), np.diag(e.confusion).tolist()]
            for name, e in found.per_document
        },
    }


def _flat(found: Evaluation) -> dict[str, float | None]:
    values = {key: getattr(found, key) for key in AVERAGES} | {"loss": found.mean_loss}
    if found.fragment_f1 is not None:
        values["fragment_f1"] = found.fragment_f1
    for key in BY_LABEL:
        values |= {
            f"{key}/{name}": value for name, value in zip(found.labels, getattr(found, key).tolist(), strict=True)
        }
    return {key: None if value != value else value for key, value in values.items()}


class _Network:
    """RNNSkolModel, to be trained or loaded, as a system that fits and predicts tables."""

    def __init__(self, what: Mapping[str, Any] | Path, important: tuple[str, ...] | None) -> None:
        from skol_rnn.model import RNNSkolModel, load_model

        if isinstance(what, Path):
            self.model: Any = load_model(what)
        else:
            if what.get("preset") != INSTANT:
                from skol_rnn.inference.keras_runner import load_tensorflow

                load_tensorflow()  # it must not count as training
            chosen = {"important": list(important) if important else None, "verbosity": 0, **what}
            self.model = RNNSkolModel(**chosen)
        self.unit = self.model.unit

    def fit(self, table: pd.DataFrame, labels: LabelSet, seed: int) -> None:
        """Train."""
        self.model.set_params(random_state=seed).fit(table, labels=list(labels))

    def predict_both(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the labels as the model's decision chooses them, and the probabilities."""
        found = self.model.predict(table)
        return found["prediction"].to_numpy(), np.stack(found["probabilities"].tolist())

    @property
    def settings_(self) -> dict[str, Any]:
        """Parameters as used."""
        return {
            name: value for name, value in self.model.settings_.items() if name not in ("random_state", "verbosity")
        }


def _system(cell: Cell) -> Any:
    value = cell.setting.value
    # A fitted object must not come into the next cell, nor into its key.
    return _Network(value, cell.data.important) if isinstance(value, (Mapping, Path)) else deepcopy(value)


def _table(paths: tuple[str, ...], unit: str) -> pd.DataFrame:
    from skol_rnn.data.inputs import labelled_table
    from skol_rnn.data.reading import read_documents

    return labelled_table(read_documents(paths, unit=unit), unit=unit).drop(columns="order")


def _labels(data: Data, training: pd.DataFrame | None, system: Any) -> LabelSet:
    """Return the labels of a cell: those of the data set, or of the saved model, which must agree with it."""
    from skol_rnn.data.inputs import choose_labels
    from skol_rnn.data.table import none_for_missing

    if training is None:
        labels = LabelSet(tuple(system.model.labels_))
        if data.labels and set(labels) != {*data.labels, *([data.other] if data.other else [])}:
            raise DataError(f"The saved model has the labels {', '.join(labels)}, the data set has others.")
        return labels
    found = {label for label in none_for_missing(training["label"]) if label is not None}
    for label in data.labels or ():
        if label not in found and label != data.other:
            raise DataError(f"No training document of {data.name!r} has the label {label!r}.{suggestion(label, found)}")
    return choose_labels(training["label"], data.labels, data.other)


def _folded(table: pd.DataFrame, labels: LabelSet, other: str | None, what: str) -> list[str | None]:
    from skol_rnn.data.inputs import fold_labels

    return fold_labels(table["label"], labels, other, what)


def _predict(system: Any, table: pd.DataFrame, labels: LabelSet) -> tuple[np.ndarray, np.ndarray | None]:
    """Predict with a network, or with an object that returns indices, label names or probabilities."""
    if isinstance(system, _Network):
        return system.predict_both(table)
    probabilities = np.asarray(system.predict_proba(table)) if hasattr(system, "predict_proba") else None
    if not hasattr(system, "predict"):
        return np.argmax(probabilities, axis=1), probabilities  # type: ignore[arg-type]  # _setting checked it
    predicted = np.asarray(system.predict(table))
    return predicted if predicted.dtype.kind in "iu" else labels.encode(predicted.tolist()), probabilities
