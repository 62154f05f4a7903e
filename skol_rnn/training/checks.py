"""Check the parameters of a model before any time is spent on features and training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skol_rnn.decoding.calibration import CALIBRATIONS
from skol_rnn.decoding.constraints import is_bio
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.evaluation.fragments import SPAN_METRIC
from skol_rnn.imbalance.resolve import resolve_class_weights
from skol_rnn.imbalance.sampling import Sampling
from skol_rnn.labels import LabelSet, suggestion
from skol_rnn.training.objective import STEEP_WEIGHTS, Objective
from skol_rnn.training.settings import resolve
from skol_rnn.windows import MERGES, check_stride

_WHOLE = (
    "hidden_size",
    "num_layers",
    "batch_size",
    "prediction_batch_size",
    "epochs",
    "num_workers",
    "patience",
    "window_size",
    "line_size",
    "members",
)
_SHARES = ("dropout", "feature_dropout", "validation_fraction", "linear_share")


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check what can be checked without data."""
    parameters = resolve(parameters)
    Objective.of(parameters)
    Sampling.parse(parameters["sampling"])
    for name in _WHOLE:
        value = parameters[name]
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, but is {value!r}.")
    for name in ("stride", "prediction_stride"):
        check_stride(parameters["window_size"], parameters[name], name)
    _check_counts(parameters)
    for name in _SHARES:
        if parameters[name] is not None and not 0 <= parameters[name] < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, but is {parameters[name]!r}.")
    if parameters["linear_share"] and (parameters["features"], parameters["unit"]) != ("hashed", "line"):
        raise ValueError('linear_share needs features="hashed" and unit="line": leave it out.')
    _check_switch("refit", parameters["refit"])
    if not parameters["learning_rate"] > 0:
        raise ValueError(f"learning_rate must be above 0, but is {parameters['learning_rate']!r}.")
    choices = {
        "decision": DECISIONS,
        "merge": MERGES,
        "calibration": CALIBRATIONS,
        "steep_weights": STEEP_WEIGHTS,
    }
    for name, allowed in choices.items():
        _check_choice(name, parameters[name], allowed)
    if parameters["use_gpu_in_udf"]:
        warnings.warn("use_gpu_in_udf changes nothing: TensorFlow chooses the device.", FutureWarning, stacklevel=3)


def check_against_labels(parameters: Mapping[str, Any], labels: LabelSet) -> None:
    """Check the parameters that name or count labels."""
    parameters = resolve(parameters)
    if parameters["num_classes"] not in (None, len(labels)):
        names = ", ".join(labels)
        raise ValueError(f"There are {len(labels)} labels ({names}), but num_classes={parameters['num_classes']}.")
    for name in (*(parameters["important"] or ()), *(parameters["focal_labels"] or ())):
        labels.index(name)
    monitors = ["important_f1", "macro_f1", "accuracy", *(f"f1/{name}" for name in labels)]
    if parameters["unit"] == "token" and is_bio(labels):
        monitors = [SPAN_METRIC, *monitors]
    _check_choice("monitor", parameters["monitor"], monitors)
    weights = parameters["class_weights"]
    if isinstance(weights, Mapping):
        resolve_class_weights(weights, labels, np.ones(len(labels)))


def _check_counts(parameters: Mapping[str, Any]) -> None:
    least, folds = parameters["min_updates"], parameters["tuning_folds"]
    if not isinstance(least, (int, np.integer)) or isinstance(least, bool) or least < 0:
        raise ValueError(f"min_updates must be a whole number of at least 0, but is {least!r}.")
    if not isinstance(folds, (int, np.integer)) or isinstance(folds, bool) or folds < 0 or folds == 1:
        raise ValueError(f"tuning_folds must be 0, or a whole number of at least 2, but is {folds!r}.")


def _check_switch(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, but is {value!r}.")


def _check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(
            f"{name} must be one of {', '.join(allowed)}, but is {value!r}.{suggestion(str(value), allowed)}"
        )
