"""The options of ``SkolClassifierV2``: checked together, and those that a saved model brings back."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

OUTPUT_FORMATS = ("annotated", "labels", "probs")
STORAGES = ("disk", "redis")
STRATEGIES = ("inverse", "balanced", "aggressive")
TUNABLE = ("prediction_batch_size", "prediction_stride", "num_workers", "verbosity", "batch_size")
"""Model parameters that the constructor may set anew on a loaded model."""
SAVED = (
    "extraction_mode",
    "section_filter",
    "collapse_labels",
    "model_type",
    "weight_strategy",
    "min_weight",
    "max_weight",
)
"""Options of the classifier that a saved model brings back."""
WITHOUT_EFFECT: Mapping[str, Any] = {
    "use_suffixes": True, "use_line_lengths": False, "min_doc_freq": 2, "word_vocab_size": 800,
    "suffix_vocab_size": 200, "section_name_vocab_size": 50, "union_batch_size": 1000, "incremental": False,
    "read_text": False, "save_text": None,
}  # fmt: skip
"""Options of the old class that its features and its PDF reader had, with their defaults; kept so that calls still work."""


def check_choice(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Raise a ValueError with the nearest name if a value is none of those allowed."""
    if value not in allowed:
        raise ValueError(
            f"{name} must be one of {', '.join(allowed)}, but is {value!r}.{suggestion(str(value), allowed)}"
        )


def model_options(given: Mapping[str, Any], own: Sequence[str]) -> dict[str, Any]:
    """Check the options that go to the model, told apart from misspelt ones of the classifier."""
    from skol_rnn.model import RNNSkolModel

    known = [name for name in inspect.signature(RNNSkolModel).parameters if name != "verbosity"]
    for name in given:
        if name not in known:
            raise TypeError(f"SkolClassifierV2 has no option {name!r}.{suggestion(name, [*known, *own])}")
    return dict(given)


def warn_without_effect(options: Mapping[str, Any]) -> None:
    """Warn of the old class's options that were set and change nothing."""
    for name, default in WITHOUT_EFFECT.items():
        if options[name] != default:
            warnings.warn(
                f"{name} changes nothing: the features are those of features= and input_size=.",
                FutureWarning,
                stacklevel=4,
            )


def recommended_weights(
    counts: Mapping[str, int], strategy: str, min_weight: float, max_weight: float
) -> dict[str, float]:
    """Weigh labels by their counts:

    r = N / (K n), "inverse" clips r, "aggressive" clips r squared, "balanced" is r.
    """
    check_choice("weight_strategy", strategy, STRATEGIES)
    if not 0 < min_weight <= max_weight < float("inf"):
        raise ValueError(f"0 < min_weight <= max_weight must hold, but they are {min_weight!r} and {max_weight!r}.")
    seen = {label: number for label, number in counts.items() if number}
    if not seen:
        raise ValueError("No row has a label, so there are no frequencies to weigh by.")
    total = sum(seen.values())
    ratios = {label: total / (len(seen) * number) for label, number in seen.items()}
    if strategy == "balanced":
        return ratios
    power = 2 if strategy == "aggressive" else 1
    return {label: float(np.clip(ratio**power, min_weight, max_weight)) for label, ratio in ratios.items()}


def merged(
    given: Mapping[str, Any], defaults: Mapping[str, Any], saved: Mapping[str, Any], what: str
) -> dict[str, Any]:
    """Take options from a saved model; one that the caller set to something else is an error."""
    for name, value in saved.items():
        wanted = given.get(name, value)
        if wanted != value and wanted != defaults.get(name):
            raise DataError(
                f"{what} was trained with {name}={value!r}, but {name}={wanted!r} is asked for: leave it out, or train anew."
            )
    return dict(saved)
