"""Defaults that depend on the unit and the preset."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

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
        "patience": 2,
        "min_updates": 400,
        "linear_share": 0.3,
        "decision": "auto",
        "monitor": "important_f1",
    },
    "token": {
        "window_size": 128,
        "batch_size": 32,
        "num_layers": 1,
        "learning_rate": 2e-3,
        "dropout": 0.3,
        "feature_dropout": 0.2,
        "patience": 3,
        "min_updates": 40,
        "linear_share": 0.0,
        "decision": "auto",
        "monitor": SPAN_METRIC,
    },
}
"""By unit: values of parameters that are None."""

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "fast": {
        "line": {"ensemble_size": 1, "epochs": 2, "refit": False},
        "token": {"ensemble_size": 1, "epochs": 3, "refit": False},
    },
    "default": {
        "line": {"ensemble_size": 2, "epochs": 4, "refit": True},
        "token": {"ensemble_size": 2, "epochs": 3, "refit": True},
    },
    "best": {
        "line": {"ensemble_size": 5, "epochs": 4, "refit": True},
        "token": {"ensemble_size": 5, "epochs": 3, "refit": True},
    },
}
"""By preset and unit; docs/benchmarks.md has score and time of each."""

HOLD_OUT_FROM = {"line": 20_000, "token": 0}
"""Rows from which a validation set is split off by default: fewer lines are worth more in training.  Spans always need
one, since without tuned offsets few articles give hardly any span."""

DEFAULT_FRACTION = 0.1

_VECTOR_DROPOUT = 0.3  # of vectors; hashed features have feature_dropout, and more gained nothing

_STRIDES = {
    "line": {"stride": Fraction(1, 3), "prediction_stride": Fraction(2, 3)},
    "token": {"stride": Fraction(1, 2), "prediction_stride": Fraction(1, 2)},
}
"""As shares of the window.  Training gains from overlap; prediction does not: strides of 5 and 10 in windows of 15 agree
within 0.001 important F1 on unseen volumes, and the longer one takes two thirds of the time."""


def resolve(parameters: Mapping[str, Any], spans: bool = True) -> dict[str, Any]:
    """Replace parameters that are None by the defaults of unit and preset; ``spans`` says whether labels are BIO."""
    unit, preset = parameters["unit"], parameters["preset"]
    for name, allowed in (("unit", UNITS), ("preset", PRESETS)):
        check_choice(name, parameters[name], allowed)
    defaults = {**DEFAULTS[unit], **PRESETS[preset][unit]}
    if unit == "line" and parameters["features"] != "hashed":
        defaults |= {"dropout": _VECTOR_DROPOUT, "linear_share": 0.0}
    if not spans:
        defaults["monitor"] = DEFAULTS["line"]["monitor"]
    resolved = {name: defaults.get(name) if value is None else value for name, value in parameters.items()}
    for name, share in _STRIDES[unit].items():
        if resolved[name] is None and isinstance(resolved["window_size"], int):
            resolved[name] = max(int(resolved["window_size"] * share), 1)
    return resolved
