"""The loss that a network minimises, its options, and the correction that undoes its effect on probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.decoding.correction import Correction
from skol_rnn.imbalance.class_weights import WeightsSpec, check_spec
from skol_rnn.imbalance.options import parse_options
from skol_rnn.labels import LabelSet
from skol_rnn.training.parameters import chosen, refuse_both

if TYPE_CHECKING:
    import keras

LOSSES: Mapping[str, Mapping[str, float]] = {
    "cross_entropy": {"smoothing": 0.0},
    "focal": {"gamma": 2.0, "smoothing": 0.0},
    "class_balanced_focal": {"gamma": 2.0, "beta": 0.999, "smoothing": 0.0},
    "soft_f1": {"smoothing": 0.0},
    "logit_adjusted": {"tau": 1.0, "smoothing": 0.0},
}
"""Losses and the defaults of their options."""

_WEIGHTED = ("cross_entropy", "focal")


@dataclass(frozen=True)
class Objective:
    """A loss with its options and class weights; "auto" is resolved."""

    loss: str
    options: Mapping[str, float]
    class_weights: WeightsSpec
    focal_labels: tuple[str, ...] | None

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Objective:
        """Resolve and check the parameters of a model."""
        weights, focal = parameters["class_weights"], parameters["focal_labels"]
        refuse_both(weights, focal)
        spec = parameters["loss"]
        if spec == "auto":
            spec = "cross_entropy" if focal is None else "soft_f1"
        loss, options = parse_options(str(spec), LOSSES, "loss")
        _check_range(options)
        if chosen(weights) and loss not in _WEIGHTED:
            raise ValueError(
                f'class_weights have no effect with loss="{loss}": leave them out, or choose another loss.'
            )
        if focal is not None and loss != "soft_f1":
            raise ValueError(f'focal_labels have no effect with loss="{loss}": leave them out, or choose "soft_f1".')
        if loss == "class_balanced_focal":
            weights = f"effective:beta={options['beta']}"
        elif isinstance(weights, str) and weights == "auto":
            # No weighting of lines scored better than none on validation volumes (docs/weights.md); tokens
            # need one under cross-entropy (docs/tokens.md).
            weights = "smoothed" if parameters["unit"] == "token" and loss == "cross_entropy" else None
        check_spec(weights)
        return cls(loss, options, weights, None if focal is None else tuple(focal))

    def build(
        self, weights: np.ndarray, counts: np.ndarray, labels: LabelSet, important: Sequence[str]
    ) -> keras.losses.Loss:
        """Build the Keras loss."""
        # Parameters are checked before TensorFlow loads.
        from skol_rnn.network.losses import FocalLabelF1, FocalLoss, LogitAdjustedLoss, WeightedCategoricalCrossentropy

        vector = None if self.class_weights is None else weights.tolist()
        smoothing = self.options["smoothing"]
        if self.loss in ("focal", "class_balanced_focal"):
            return FocalLoss(vector, self.options["gamma"], label_smoothing=smoothing)
        if self.loss == "soft_f1":
            focal = [labels.index(name) for name in self.focal_labels or important]
            return FocalLabelF1(focal, vector, label_smoothing=smoothing)
        if self.loss == "logit_adjusted":
            priors = _priors(counts).tolist()
            return LogitAdjustedLoss(priors, self.options["tau"], vector, label_smoothing=smoothing)
        return WeightedCategoricalCrossentropy(vector, label_smoothing=smoothing)

    def correction(self, weights: np.ndarray, counts: np.ndarray, sampling_shift: np.ndarray | float) -> Correction:
        """Return what undoes the effect of weights, loss and sampling on probabilities."""
        gamma = self.options["gamma"] if self.loss in ("focal", "class_balanced_focal") else 0.0
        return Correction(weights * sampling_shift, self._margins(counts), gamma, self.options["smoothing"])

    def starting_bias(self, weights: np.ndarray, counts: np.ndarray, sampled: np.ndarray) -> np.ndarray:
        """Return the initial bias of the output layer: the log shares of the labels as the loss weighs them."""
        shares = (sampled + 1) * np.maximum(weights, 1e-3)
        bias = np.log(shares / shares.sum())
        margins = self._margins(counts)
        return bias if margins is None else bias - margins

    def _margins(self, counts: np.ndarray) -> np.ndarray | None:
        return self.options["tau"] * np.log(_priors(counts)) if self.loss == "logit_adjusted" else None

    def describe(self) -> str:
        """Name the loss and its options for the log."""
        used = {name: value for name, value in self.options.items() if name != "smoothing" or value}
        if self.focal_labels:
            used |= {"focal_labels": "|".join(self.focal_labels)}  # type: ignore[dict-item]
        return f"{self.loss}{' (' + ', '.join(f'{k}={v}' for k, v in used.items()) + ')' if used else ''}"


def _check_range(options: Mapping[str, float]) -> None:
    for name, value in options.items():
        largest = 1.0 if name in ("smoothing", "beta") else np.inf
        if not 0 <= value < largest:
            allowed = "at least 0 and below 1" if largest == 1.0 else "finite and at least 0"
            raise ValueError(f"The option {name} of the loss must be {allowed}, but is {value!r}.")


def _priors(counts: np.ndarray) -> np.ndarray:
    """Return the labels' shares with one line added to each, so that an absent label has a finite logarithm."""
    return (counts + 1) / (counts + 1).sum()
