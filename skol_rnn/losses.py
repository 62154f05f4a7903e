"""Masked losses over windows of lines, from logits or probabilities.

True labels are one-hot, shape (batch, window, labels); a line whose row is all zero is padding (or has
no label) and takes part in nothing.  That makes padding explicit: it does not depend on a mask that an
operation on the way may drop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

_EPSILON = 1e-7  # the seed's clip, for probabilities; logits need none


class _MaskedLoss(keras.losses.Loss):
    """Mean of a per-line loss over the real lines of a batch."""

    def __init__(self, from_logits: bool = True, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.from_logits = from_logits

    def log_probabilities(self, y_pred: Any) -> Any:
        """Return log p of each label, shape (batch, window, labels)."""
        if self.from_logits:
            return ops.log_softmax(y_pred, axis=-1)
        return ops.log(ops.clip(y_pred, _EPSILON, 1.0 - _EPSILON))

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        real = ops.sum(y_true, axis=-1)  # (batch, window): 1 at real lines, 0 at padding
        per_line = self.call(y_true, y_pred)
        if sample_weight is not None:
            per_line = per_line * ops.cast(sample_weight, per_line.dtype)
        # Divided by the number of real lines, never by the batch's sum of weights: a line's share of the
        # loss must not depend on which labels its batch-mates have.
        return ops.sum(per_line * real) / ops.maximum(ops.sum(real), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to rebuild the loss."""
        return {"name": self.name, "from_logits": self.from_logits}


@keras.saving.register_keras_serializable(package="skol_rnn")
class WeightedCategoricalCrossentropy(_MaskedLoss):
    """Cross-entropy with a weight for each true class.

    Over the real lines, the mean of ``weight[true class] * -log p(true class)``.

    Parameters
    ----------
    weights : sequence of float or None
        One weight a label, in label order; None weighs all alike.
    from_logits : bool, default True
        Whether predictions are logits; else they are probabilities, clipped at 1e-7.
    name : str, optional
        Name in the log.

    Examples
    --------
    >>> loss = WeightedCategoricalCrossentropy([2.0, 1.0], from_logits=False)
    >>> y_true = np.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])  # the third line is padding
    >>> y_pred = np.array([[[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]]])
    >>> round(float(loss(y_true, y_pred)), 4)  # (2 ln 2 + ln 2) / 2
    1.0397
    """

    def __init__(
        self,
        weights: Sequence[float] | None = None,
        from_logits: bool = True,
        name: str = "weighted_categorical_crossentropy",
    ) -> None:
        super().__init__(from_logits, name)
        self.weights = None if weights is None else [float(w) for w in weights]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each line, shape (batch, window)."""
        weighted = y_true if self.weights is None else y_true * ops.convert_to_tensor(self.weights, y_true.dtype)
        return -ops.sum(weighted * self.log_probabilities(y_pred), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "weights": self.weights}


@keras.saving.register_keras_serializable(package="skol_rnn")
class FocalLabelF1(_MaskedLoss):
    """Cross-entropy plus one minus the mean soft F1 of chosen labels.

    Soft counts are summed over the real lines of the batch, and
    ``F1 = (2 TP + 1) / (2 TP + FP + FN + 1)``.  The added ones keep a gradient against false positives in
    a batch without the label, and the cross-entropy keeps the other labels learning; with F1 alone both
    are lost.

    Parameters
    ----------
    focal : sequence of int
        Indices of the chosen labels.
    from_logits : bool, default True
        Whether predictions are logits.
    name : str, optional
        Name in the log.

    Examples
    --------
    >>> y_true, perfect = np.eye(3)[None], 50.0 * np.eye(3)[None]
    >>> round(float(FocalLabelF1([0])(y_true, perfect)), 4)
    0.0
    """

    def __init__(self, focal: Sequence[int], from_logits: bool = True, name: str = "focal_label_f1") -> None:
        super().__init__(from_logits, name)
        self.focal = [int(i) for i in focal]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return each line's cross-entropy plus the batch's one minus soft F1, shape (batch, window)."""
        log_p = self.log_probabilities(y_pred)
        real = ops.sum(y_true, axis=-1, keepdims=True)
        p, true = ops.exp(log_p) * real, y_true
        true_positives = ops.sum(p * true, axis=(0, 1))
        # 2 TP + FP + FN is the sum of what was predicted and what is true.
        both = ops.sum(p, axis=(0, 1)) + ops.sum(true, axis=(0, 1))
        f1 = ops.take((2.0 * true_positives + 1.0) / (both + 1.0), self.focal)
        return -ops.sum(true * log_p, axis=-1) + (1.0 - ops.mean(f1))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "focal": self.focal}


def weighted_categorical_crossentropy(
    y_true: Any, y_pred: Any, weights: Sequence[float], from_logits: bool = True
) -> Any:
    """Compute the weighted cross-entropy of one batch.

    Parameters
    ----------
    y_true : array, shape (batch, window, labels)
        One-hot labels; all-zero rows are padding.
    y_pred : array, shape (batch, window, labels)
        Logits, or probabilities with ``from_logits=False``.
    weights : sequence of float
        One weight a label.
    from_logits : bool, default True
        What ``y_pred`` is.

    Returns
    -------
    scalar tensor
        See :class:`WeightedCategoricalCrossentropy`.
    """
    return WeightedCategoricalCrossentropy(weights, from_logits)(np.asarray(y_true), y_pred)
