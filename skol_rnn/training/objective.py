"""What a network is trained to minimise, which options go with it, and how its tilt is undone afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skol_rnn.decoding.correction import Correction
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.imbalance.resolve import normalise_weights, resolve_class_weights
from skol_rnn.imbalance.strategies import STRATEGIES
from skol_rnn.labels import LabelSet, suggestion
from skol_rnn.network.losses import (
    DEFAULT_GAMMA,
    DEFAULT_TAU,
    FocalLabelF1,
    FocalLoss,
    LogitAdjustedLoss,
    WeightedCategoricalCrossentropy,
)

LOSSES: Mapping[str, frozenset[str]] = {
    "cross_entropy": frozenset({"class_weights"}),
    "focal": frozenset({"class_weights", "gamma"}),
    "class_balanced_focal": frozenset({"gamma", "weight_beta"}),
    "soft_f1": frozenset({"focal_labels"}),
    "logit_adjusted": frozenset({"tau"}),
}
"""The losses, and which of the options below each one uses; label smoothing goes with all."""

STEEP_WEIGHTS = ("margins", "loss")
"""Where the part of a class weight goes that is beyond the ratio of the counts."""

_OPTIONS = ("class_weights", "gamma", "tau", "focal_labels")
FROZEN_ENDINGS = (".json", ".npz", ".pt")
"""``class_weights`` that ends so is the path of a frozen file."""

WeightsSpec = str | Mapping[str, float] | ClassWeights | None


@dataclass(frozen=True)
class Objective:
    """A loss and its options, resolved: nothing is "auto" any more, and nothing contradicts."""

    loss: str
    class_weights: WeightsSpec
    focal_labels: tuple[str, ...] | None
    gamma: float
    tau: float
    label_smoothing: float
    steep_weights: str = STEEP_WEIGHTS[0]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Objective:
        """Resolve a model's parameters."""
        loss = _loss_name(parameters)
        _refuse_unused(loss, parameters)
        weights = _weights(loss, parameters)
        _refuse_unused_of_weights(weights, parameters)
        focal, gamma, tau = (parameters[name] for name in ("focal_labels", "gamma", "tau"))
        for name, value in (("gamma", gamma), ("tau", tau)):
            if value is not None and not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and at least 0, but is {value!r}.")
        if not 0 <= parameters["label_smoothing"] < 1:
            given = parameters["label_smoothing"]
            raise ValueError(f"label_smoothing must be at least 0 and below 1, but is {given!r}.")
        return cls(
            loss,
            weights,
            None if focal is None else tuple(focal),
            DEFAULT_GAMMA if gamma is None else float(gamma),
            DEFAULT_TAU if tau is None else float(tau),
            float(parameters["label_smoothing"]),
            str(parameters["steep_weights"]),
        )

    def build(
        self, weights: np.ndarray, counts: np.ndarray, labels: LabelSet, important: Sequence[str]
    ) -> keras.losses.Loss:
        """Build the loss."""
        in_loss, rest = self.divided(weights, counts)
        vector = None if self.class_weights is None else in_loss.tolist()
        margins = None if rest is None else rest.tolist()
        smoothing = self.label_smoothing
        if self.loss in ("focal", "class_balanced_focal"):
            return FocalLoss(vector, self.gamma, label_smoothing=smoothing, margins=margins)
        if self.loss == "soft_f1":
            focal = [labels.index(name) for name in self.focal_labels or important]
            return FocalLabelF1(focal, vector, label_smoothing=smoothing)
        if self.loss == "logit_adjusted":
            return LogitAdjustedLoss(_priors(counts).tolist(), self.tau, vector, label_smoothing=smoothing)
        return WeightedCategoricalCrossentropy(vector, label_smoothing=smoothing, margins=margins)

    def divided(self, weights: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Say what of the weights multiplies the loss, and what is added to the logits there."""
        if self.class_weights is None or self.steep_weights == "loss":
            return weights, None
        in_loss, margins = divide_weights(weights, counts)
        return (normalise_weights(in_loss, counts), margins) if margins.any() else (weights, None)

    def correction(self, weights: np.ndarray, counts: np.ndarray, shift: np.ndarray | float = 1.0) -> Correction:
        """Say how the tilt is undone."""
        focused = self.loss in ("focal", "class_balanced_focal")
        in_loss, margins = self.divided(weights, counts)
        return Correction(
            in_loss * shift,
            self.tau * np.log(_priors(counts)) if self.loss == "logit_adjusted" else margins,
            self.gamma if focused else 0.0,
            self.label_smoothing,
        )

    def starting_bias(self, weights: np.ndarray, counts: np.ndarray, sampled: np.ndarray) -> np.ndarray:
        """Return where the output's bias should start."""
        tilted = (sampled + 1) * np.maximum(weights, 1e-3)
        bias = np.log(tilted / tilted.sum())
        return bias - self.tau * np.log(_priors(counts)) if self.loss == "logit_adjusted" else bias

    def describe(self) -> str:
        """Name the loss and its options for the log."""
        options = {"gamma": self.gamma, "tau": self.tau, "focal_labels": self.focal_labels}
        used = {name: value for name, value in options.items() if name in LOSSES[self.loss] and value is not None}
        if self.label_smoothing:
            used["label_smoothing"] = self.label_smoothing
        told = ", ".join(f"{k}={', '.join(v) if isinstance(v, tuple) else v}" for k, v in used.items())
        return f"{self.loss}{f' ({told})' if told else ''}"


def divide_weights(weights: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take from class weights what is steeper than the counts, as margins of the logits with the same minimum."""
    weights = np.asarray(weights, np.float64)
    most = int(np.argmax(counts))
    if not weights[most]:  # the most frequent label is not to be learnt: there is nothing to protect
        return weights, np.zeros_like(weights)
    lines = np.maximum(counts, 1)
    in_loss = np.minimum(weights, weights[most] * lines[most] / lines)
    # A weight equal to the ratio of the counts is one, whatever its last bits are.
    in_loss = np.where(in_loss > weights * (1 - 1e-9), weights, in_loss)
    trained = weights > 0
    return in_loss, np.where(trained, np.log(np.where(trained, in_loss, 1.0) / np.where(trained, weights, 1.0)), 0.0)


def refuse_both(class_weights: WeightsSpec, focal_labels: Sequence[str] | None) -> None:
    """Refuse class weights and focal labels together."""
    if _given(class_weights) and focal_labels is not None:
        raise ValueError("class_weights and focal_labels are mutually exclusive: give one of them.")


def is_frozen_file(spec: Any) -> bool:
    """Tell the path of frozen weights from the name of a strategy."""
    return isinstance(spec, str) and spec.endswith(FROZEN_ENDINGS)


def rare_labels(counts: np.ndarray, labels: LabelSet) -> list[str]:
    """Return all labels but the most frequent, which are the important ones where nobody says otherwise."""
    return [name for i, name in enumerate(labels) if i != int(np.argmax(counts))] or list(labels)


def freeze_weights(
    spec: WeightsSpec, labels: LabelSet, counts: np.ndarray, parameters: Mapping[str, Any]
) -> ClassWeights:
    """Turn what class weights are given as into weights by label with the counts they belong to."""
    if isinstance(spec, ClassWeights):
        return spec
    if is_frozen_file(spec):
        return ClassWeights.load(str(spec))
    number = tuple(int(n) for n in counts)
    if isinstance(spec, str):
        return ClassWeights.from_counts(
            spec,
            labels.names,
            number,
            alpha=parameters["weight_alpha"],
            beta=parameters["weight_beta"],
            max_ratio=parameters["max_weight_ratio"],
        )
    vector = resolve_class_weights(spec, labels, counts)
    return ClassWeights(labels.names, tuple(vector.tolist()), number, "none" if spec is None else "explicit")


def _given(class_weights: WeightsSpec) -> bool:
    return class_weights is not None and not (isinstance(class_weights, str) and class_weights == "auto")


def _priors(counts: np.ndarray) -> np.ndarray:
    """Shares of the labels, one line added to each: a label that does not occur has a logarithm, too."""
    return (counts + 1) / (counts + 1).sum()


def _loss_name(parameters: Mapping[str, Any]) -> str:
    loss = parameters["loss"]
    if loss == "auto":
        return "cross_entropy" if parameters["focal_labels"] is None else "soft_f1"
    if loss not in LOSSES:
        allowed = ", ".join(("auto", *LOSSES))
        raise ValueError(f"loss must be one of {allowed}, but is {loss!r}.{suggestion(str(loss), LOSSES)}")
    return str(loss)


def _refuse_unused(loss: str, parameters: Mapping[str, Any]) -> None:
    refuse_both(parameters["class_weights"], parameters["focal_labels"])
    for name in _OPTIONS:
        given = _given(parameters[name]) if name == "class_weights" else parameters[name] is not None
        if given and name not in LOSSES[loss]:
            users = " or ".join(f'"{other}"' for other, used in LOSSES.items() if name in used)
            raise ValueError(f'{name} does nothing with loss="{loss}": leave it out, or choose loss={users}.')


def _weights(loss: str, parameters: Mapping[str, Any]) -> WeightsSpec:
    if loss == "class_balanced_focal":
        return "effective"
    given = parameters["class_weights"]
    if not (isinstance(given, str) and given == "auto"):
        return given
    # Of lines no weighting beat none by the scores of documents held out; docs/class_weights.md has the figures, and
    # docs/token_labelling.md those of tokens.
    return "smoothed" if parameters["unit"] == "token" and loss == "cross_entropy" else None


def _refuse_unused_of_weights(weights: WeightsSpec, parameters: Mapping[str, Any]) -> None:
    if isinstance(weights, str) and weights not in STRATEGIES and not is_frozen_file(weights):
        raise ValueError(
            f"Unknown class weight strategy {weights!r}; allowed are auto, {', '.join(STRATEGIES)}, a dict of weights, "
            f"or a file of frozen weights.{suggestion(weights, STRATEGIES)}"
        )
    if weights is None and parameters["steep_weights"] != STEEP_WEIGHTS[0]:
        raise ValueError("steep_weights does nothing without class weights: leave it out, or give some.")
    strategy = weights if isinstance(weights, str) and weights in STRATEGIES else None
    for name, default, users in (
        ("weight_alpha", 0.5, ("smoothed",)),
        ("weight_beta", 0.999, ("effective",)),
        ("max_weight_ratio", None, tuple(STRATEGIES)),
    ):
        if parameters[name] != default and strategy not in users:
            wanted = " or ".join(f'"{user}"' for user in users)
            raise ValueError(f"{name} does nothing with these class weights: leave it out, or choose {wanted}.")
