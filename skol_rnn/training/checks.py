"""Checks of a model's parameters, before any time is spent on features and training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skol_rnn.data.bio import is_bio
from skol_rnn.decoding.calibration import CALIBRATIONS
from skol_rnn.decoding.purpose import check_decision
from skol_rnn.evaluation.fragments import SPAN_METRIC
from skol_rnn.features.families import check_family
from skol_rnn.features.pretrained.folder import check_folder
from skol_rnn.imbalance.class_weights import is_frozen_file, resolve_weights
from skol_rnn.imbalance.sampling import Sampling
from skol_rnn.labels import LabelSet, check_choice
from skol_rnn.training.objective import Objective
from skol_rnn.training.parameters import default_values
from skol_rnn.training.settings import INSTANT, OF_NETWORK, has_words, resolve
from skol_rnn.windows import check_stride

_LEAST = {
    "hidden_size": 1,
    "num_layers": 1,
    "batch_size": 1,
    "prediction_batch_size": 1,
    "epochs": 1,
    "patience": 1,
    "window_size": 1,
    "prediction_window_size": 1,
    "line_size": 1,
    "ensemble_size": 1,
    "min_updates": 0,
}
_SHARES = ("dropout", "feature_dropout", "validation_fraction", "linear_share")
_INSTANT_FEATURES = {"line": ("hashed",), "token": ("hashed", "ngrams")}


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check what needs no data."""
    check_family(parameters["features"], parameters["unit"])
    given, parameters = parameters, resolve(parameters)
    if parameters["preset"] == INSTANT:
        _check_instant(given)
    Objective.of(parameters)
    Sampling.parse(parameters["sampling"])
    if parameters["preset"] != INSTANT:
        _check_network(parameters)
    _check_vectors(parameters)
    for name in _SHARES:
        unused = parameters["preset"] == INSTANT and name in OF_NETWORK
        if parameters[name] is not None and not 0 <= parameters[name] < 1 and not unused:
            raise ValueError(f"{name} must be at least 0 and below 1, but is {parameters[name]!r}.")
    if (folds := parameters["folds"]) is not None and (type(folds) is not int or folds < 0 or folds == 1):
        raise ValueError(f"folds must be 0 or a whole number of at least 2, but is {folds!r}.")
    if folds and parameters["unit"] == "token":
        raise ValueError('folds needs unit="line": leave it out.')
    if not isinstance(parameters["refit"], bool):
        raise ValueError(f"refit must be True or False, but is {parameters['refit']!r}.")
    check_decision(parameters["decision"], parameters["unit"])
    check_choice("calibration", parameters["calibration"], CALIBRATIONS)


def _check_network(parameters: Mapping[str, Any]) -> None:
    """Check the sizes of the network and of its training."""
    for name, least in _LEAST.items():
        value = parameters[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, but is {value!r}.")
    for prefix in ("", "prediction_"):
        window, stride = f"{prefix}window_size", f"{prefix}stride"
        check_stride(parameters[window], parameters[stride], stride, window)
    if parameters["linear_share"] and not has_words(parameters):
        raise ValueError(f"linear_share needs hashed features, not {parameters['features']!r}: leave it out.")
    if not parameters["learning_rate"] > 0:
        raise ValueError(f"learning_rate must be above 0, but is {parameters['learning_rate']!r}.")


def _check_instant(given: Mapping[str, Any]) -> None:
    """Refuse what has no effect on the linear model."""
    defaults = default_values()
    useless = [name for name in OF_NETWORK if given[name] not in (None, defaults[name])]
    sampling = Sampling.parse(given["sampling"])
    useless += ["sampling"] if sampling and sampling.name == "rare_windows" else []
    if useless:
        named = " and ".join(f"{name}={given[name]!r}" for name in useless)
        has, them = ("has", "it") if len(useless) == 1 else ("have", "them")
        raise ValueError(
            f'{named} {has} no effect with preset="{INSTANT}", which trains a linear model and no network: leave {them} out.'
        )
    allowed = _INSTANT_FEATURES[given["unit"]]
    if given["features"] not in allowed:
        raise ValueError(
            f'preset="{INSTANT}" needs features="{allowed[0]}", not {given["features"]!r}: leave features out, '
            "or choose another preset."
        )


def check_instant_run(preset: str, checkpoint: Any = None, keras_callbacks: Any = ()) -> None:
    """Refuse what follows the epochs of a network where none is trained."""
    for name, value in (("checkpoint", checkpoint), ("callbacks", keras_callbacks)):
        if preset == INSTANT and value:
            what = f"{name} have no effect" if name.endswith("s") else f"{name} has no effect"
            raise ValueError(f'{what} with preset="{INSTANT}", which trains no network: leave {name} out.')


def check_against_labels(parameters: Mapping[str, Any], labels: LabelSet) -> None:
    """Check the parameters that name labels."""
    for name in (*(parameters["important"] or ()), *(parameters["focal_labels"] or ())):
        labels.index(name)
    monitors = ["important_f1", "macro_f1", "accuracy", *(f"f1/{name}" for name in labels)]
    if parameters["unit"] == "token" and is_bio(labels):
        monitors = [SPAN_METRIC, *monitors]
    check_choice("monitor", parameters["monitor"], monitors)
    weights = parameters["class_weights"]
    if isinstance(weights, Mapping) or is_frozen_file(weights):
        resolve_weights(weights, labels, np.ones(len(labels)))


def _check_vectors(parameters: Mapping[str, Any]) -> None:
    folder, layers = parameters["vectors"], parameters["vector_layers"]
    if folder is None:
        if layers is not None:
            raise ValueError("vector_layers has no effect without vectors: give the folder of a model.")
        return
    if parameters["unit"] != "token" or parameters["features"] == "vectors":
        raise ValueError('vectors needs unit="token" and a family of features other than "vectors": leave it out.')
    if layers is not None and (
        isinstance(layers, str) or not all(type(layer) is int and layer > 0 for layer in layers)
    ):
        raise ValueError(f"vector_layers must be a list of whole numbers from 1 on, but is {layers!r}.")
    check_folder(folder)
