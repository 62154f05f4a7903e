"""What a trial may try: exponents or weights, and losses; the moderate ones first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

SEARCHES = ("alpha", "loss", "weights")
"""What can be searched: the exponent of "smoothed" weights or a weight for each label, and the loss."""

LOSSES = ("cross_entropy", "focal", "soft_f1", "logit_adjusted")
"""The losses that are tried."""
WEIGHTED = ("cross_entropy", "focal")
"""Those that class weights go with."""

MODERATE = (0.5, 0.0, 0.25, 0.75)
"""Exponents that are tried before the search pushes on from what they scored."""
STEEPEST = 1.25
"""Largest exponent: a weight a little steeper than the label is rare."""


def drawn_parameters(search: Collection[str]) -> set[str]:
    """Name the model's parameters that the search sets."""
    always = {"decision", "calibration", "tuning_folds"}
    by_loss = {"loss", "tau"} if "loss" in search else set()
    weighted = {"class_weights", "weight_alpha"} if {"alpha", "weights"} & set(search) else set()
    return always | by_loss | weighted


def moderate_trials(search: Sequence[str], rarity: Mapping[str, float]) -> list[dict[str, Any]]:
    """List the trials to begin with."""
    with_weights: list[dict[str, Any]] = [{}]
    if "weights" in search:
        with_weights = [
            {f"weight/{name}": value**alpha for name, value in list(rarity.items())[:-1]} for alpha in MODERATE
        ]
    elif "alpha" in search:
        with_weights = [{"alpha": alpha} for alpha in MODERATE]
    if "loss" not in search:
        return with_weights
    plain = [{"loss": LOSSES[0], **weights} for weights in with_weights]
    extra = {"logit_adjusted": {"tau": 1.0}}
    others = [{"loss": loss, **(with_weights[0] if loss in WEIGHTED else extra.get(loss, {}))} for loss in LOSSES[1:]]
    return plain + others


def draw(trial: Any, search: Sequence[str], rarity: Mapping[str, float]) -> dict[str, Any]:
    """Draw a trial's settings."""
    drawn: dict[str, Any] = {}
    if "loss" in search:
        drawn["loss"] = trial.suggest_categorical("loss", list(LOSSES))
        if drawn["loss"] == "logit_adjusted":
            drawn["tau"] = trial.suggest_float("tau", 0.25, STEEPEST)
        if drawn["loss"] not in WEIGHTED:
            return drawn
    if "weights" in search:
        *rarer, majority = rarity
        weights = {
            name: trial.suggest_float(f"weight/{name}", 0.5, _heaviest(rarity[name]), log=True) for name in rarer
        }
        drawn["class_weights"] = {**weights, majority: 1.0}
    elif "alpha" in search:
        drawn["class_weights"] = "smoothed"
        drawn["weight_alpha"] = trial.suggest_float("alpha", 0.0, STEEPEST)
    return drawn


def _heaviest(rarity: float) -> float:
    return rarity**STEEPEST + 0.5
