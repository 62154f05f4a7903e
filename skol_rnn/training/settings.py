"""Defaults that depend on the unit and the preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skol_rnn.data.tokens import UNITS
from skol_rnn.evaluation.fragments import SPAN_METRIC
from skol_rnn.labels import check_choice

DEFAULTS: dict[str, dict[str, Any]] = {
    "line": {
        "window_size": 15,
        "batch_size": 64,
        "num_layers": 2,
        "learning_rate": 1e-3,
        "dropout": 0.0,
        "feature_dropout": 0.5,
        "patience": 4,
        "min_updates": 400,
        "linear_share": 0.15,
        "decision": "auto",
        "monitor": "important_f1",
    },
    "token": {
        "window_size": 128,
        "batch_size": 16,
        "num_layers": 1,
        "learning_rate": 3e-3,
        "dropout": 0.3,
        "feature_dropout": 0.2,
        "patience": 3,
        "min_updates": 40,
        "linear_share": 0.5,
        "decision": "auto",
        "monitor": SPAN_METRIC,
    },
}
"""By unit: values of parameters that are None."""

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {
        "line": {"ensemble_size": 1, "epochs": 4, "refit": False, "folds": 0},
        "token": {"ensemble_size": 1, "epochs": 3, "refit": False, "folds": 0},
    },
    "default": {
        "line": {"ensemble_size": 1, "epochs": 8, "refit": True, "folds": 3},
        "token": {"ensemble_size": 1, "epochs": 3, "refit": True, "folds": 0},
    },
    "instant": {
        unit: {"ensemble_size": 0, "epochs": 0, "refit": True, "linear_share": 1.0, "folds": 0} for unit in DEFAULTS
    },
}
"""By preset and unit; docs/benchmarks.md has score and time of each."""

INSTANT = "instant"
"""The preset that trains the linear model alone; it needs neither Keras nor TensorFlow."""

OF_NETWORK = (
    "loss", "focal_labels", "epochs", "batch_size", "learning_rate", "min_updates", "patience", "ensemble_size",
    "input_size", "line_size", "hidden_size", "num_layers", "dropout", "feature_dropout", "linear_share",
    "window_size", "stride", "prediction_window_size", "prediction_stride", "prediction_batch_size", "folds",
)  # fmt: skip
"""Parameters that have no effect without a network."""

HOLD_OUT_FROM = {"line": 20_000, "token": 0}
"""Rows from which a validation set is split off by default, since fewer lines are worth more in training, and from which
embeddings train with the lazy Adam.  Spans always need a validation set: without tuned offsets few articles give hardly any."""

DEFAULT_FRACTION = 0.1

_LARGEST_SEED = 2**31
_VECTOR_DROPOUT = 0.3  # of vectors; hashed features have feature_dropout, and more gained nothing

_PREDICTION_WINDOW, _OVERLAP = 128, 6
"""Lines in a window of prediction, and lines that two windows share.  On eight volumes held out, the important F1 is 0.8784
in windows of 128, 0.8780 in 64, 0.8765 in 15 (network alone: 0.8772, 0.8769, 0.8722).  Tokens gain nothing from more.
Three seeds reach 0.8838 with 6 shared lines, 0.8839 with 10, which take longer (docs/experiments.md)."""


def resolve(parameters: Mapping[str, Any], spans: bool = True) -> dict[str, Any]:
    """Replace parameters that are None by the defaults of unit and preset; ``spans`` says whether labels are BIO."""
    parameters = {name: _plain(value) for name, value in parameters.items()}
    unit, preset = parameters["unit"], parameters["preset"]
    for name, allowed in (("unit", UNITS), ("preset", PRESETS)):
        check_choice(name, parameters[name], allowed)
    defaults = {**DEFAULTS[unit], **PRESETS[preset][unit]}
    if not has_words(parameters):
        defaults |= {"dropout": _VECTOR_DROPOUT, "linear_share": 0.0, "folds": 0}
    if preset == INSTANT:
        defaults = {name: value for name, value in defaults.items() if name not in OF_NETWORK} | PRESETS[preset][unit]
    if not spans:
        defaults["monitor"] = DEFAULTS["line"]["monitor"]
    resolved = {name: defaults.get(name) if value is None else value for name, value in parameters.items()}
    if "random_state" in resolved:
        resolved["random_state"] = _seed(resolved["random_state"])
    return resolved | _windows(resolved, unit)


def has_words(parameters: Mapping[str, Any]) -> bool:
    """Whether the features have ids of words, which the linear model needs."""
    return bool(
        parameters["features"] == "hashed" if parameters["unit"] == "line" else parameters["features"] != "vectors"
    )


def _windows(given: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Return sizes and strides of windows that follow from others."""
    window, stride = given["window_size"], given["stride"]
    predicted, hop = given["prediction_window_size"], given["prediction_stride"]
    if isinstance(window, int):
        stride = window if stride is None else stride
        if predicted is None:
            longer = unit == "line" and hop is None
            predicted = max(window, _PREDICTION_WINDOW) if longer else window
    if hop is None and isinstance(predicted, int):
        hop = max(predicted - predicted // 2, 1) if unit == "token" else overlapping(predicted)
    return {"stride": stride, "prediction_window_size": predicted, "prediction_stride": hop}


def overlapping(window: int) -> int:
    """Return the stride of prediction windows over lines."""
    return max(window - min(_OVERLAP, window // 3), 1)


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers and truth values, which a random search hands over, into Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _seed(random_state: Any) -> int:
    """Return a seed; None and NumPy's generators draw one, as in scikit-learn."""
    match random_state:
        case None:
            return int(np.random.default_rng().integers(_LARGEST_SEED))
        case np.random.RandomState():
            return int(random_state.randint(_LARGEST_SEED))
        case np.random.Generator():
            return int(random_state.integers(_LARGEST_SEED))
        case int() if not isinstance(random_state, bool) and 0 <= random_state < _LARGEST_SEED:
            return random_state
    raise ValueError(
        "random_state must be None, a generator of NumPy or a whole number from 0 to 2**31 - 1, "
        f"but is {random_state!r}."
    )
