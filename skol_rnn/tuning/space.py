"""What a trial may try: exponents or weights, and losses; the moderate ones first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

SEARCHES = ("alpha", "loss", "weights")
"""What can be searched: the exponent of "smoothed" weights or a weight for each label, and the loss."""

LOSSES = ("cross_entropy", "focal", "soft_f1", "logit_adjusted")
WEIGHTED = ("cross_entropy", "focal")
"""Losses that use class weights."""

MODERATE = (0.5, 0.0, 0.25, 0.75)
"""Exponents that are tried first."""
STEEPEST = 1.25
"""Largest exponent; at 1 a label's weight is proportional to its rarity."""


def searched_parameters(search: Collection[str]) -> set[str]:
    """Name the model's parameters that the search sets."""
    return {"decision", "calibration", *("loss" if name == "loss" else "class_weights" for name in search)}


def moderate_trials(search: Sequence[str], rarity: Mapping[str, float]) -> list[dict[str, Any]]:
    """List the first trials."""
    with_weights: list[dict[str, Any]] = [{}]
    if "weights" in search:
        rarer = list(rarity.items())[:-1]
        with_weights = [{f"weight/{name}": value**alpha for name, value in rarer} for alpha in MODERATE]
    elif "alpha" in search:
        with_weights = [{"alpha": alpha} for alpha in MODERATE]
    if "loss" not in search:
        return with_weights
    extra = {"focal": with_weights[0], "soft_f1": {}, "logit_adjusted": {"tau": 1.0}}
    plain = [{"loss": LOSSES[0], **weights} for weights in with_weights]
    return plain + [{"loss": loss, **extra[loss]} for loss in LOSSES[1:]]


def suggest(trial: Any, search: Sequence[str], rarity: Mapping[str, float]) -> dict[str, Any]:
    """Let the sampler choose a trial's settings."""
    settings: dict[str, Any] = {}
    if "loss" in search:
        settings["loss"] = loss = trial.suggest_categorical("loss", list(LOSSES))
        if loss == "logit_adjusted":
            settings["loss"] = f"{loss}:tau={trial.suggest_float('tau', 0.25, STEEPEST):.4g}"
        if loss not in WEIGHTED:
            return settings
    if "weights" in search:
        *rarer, majority = rarity
        bounds = {name: (0.5, rarity[name] ** STEEPEST + 0.5) for name in rarer}
        weights = {name: trial.suggest_float(f"weight/{name}", *bounds[name], log=True) for name in rarer}
        settings["class_weights"] = {**weights, majority: 1.0}
    elif "alpha" in search:
        settings["class_weights"] = f"smoothed:alpha={trial.suggest_float('alpha', 0.0, STEEPEST):.4g}"
    return settings
