"""Masked losses over windows of lines, from logits or probabilities.

True labels are one-hot, shape (batch, window, labels).  A line whose row is all zero is padding or has no label, and adds
nothing to the loss: masking does not depend on a Keras mask that an operation may drop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from skol_rnn.imbalance.class_weights import resolve_weights
from skol_rnn.labels import LabelSet

_EPSILON = 1e-7  # clip of probabilities; logits need none
_PACKAGE = "skol_rnn"
DEFAULT_GAMMA = 2.0
DEFAULT_TAU = 1.0


class _MaskedLoss(keras.losses.Loss):
    """Mean of a per-line loss over the real lines of a batch, weighted by the true class."""

    def __init__(
        self,
        weights: Sequence[float] | None = None,
        from_logits: bool = True,
        label_smoothing: float = 0.0,
        margins: Sequence[float] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, but is {label_smoothing!r}.")
        self.margins = None if margins is None else [float(m) for m in margins]
        self.weights = None if weights is None else [float(w) for w in weights]
        self.from_logits, self.label_smoothing = from_logits, label_smoothing

    def log_probabilities(self, y_pred: Any) -> Any:
        """Return log p of each label, shape (batch, window, labels)."""
        scores = y_pred if self.from_logits else ops.log(ops.clip(y_pred, _EPSILON, 1.0 - _EPSILON))
        if self.margins is not None:
            scores = scores + ops.convert_to_tensor(self.margins, scores.dtype)
        elif not self.from_logits:
            return scores
        return ops.log_softmax(scores, axis=-1)

    def targets(self, y_true: Any) -> Any:
        """Return what the probabilities should be, smoothed and weighted, (batch, window, labels); 0 at padding."""
        target = y_true
        if self.label_smoothing:
            real = ops.sum(y_true, axis=-1, keepdims=True)
            target = (1.0 - self.label_smoothing) * y_true + self.label_smoothing * real / y_true.shape[-1]
        if self.weights is None:
            return target
        weight = ops.sum(y_true * ops.convert_to_tensor(self.weights, y_true.dtype), axis=-1, keepdims=True)
        return target * weight

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        self._check_shapes(y_true.shape, y_pred.shape)
        real = ops.sum(y_true, axis=-1)  # (batch, window): 1 at real lines, 0 at padding
        per_line = self.call(y_true, y_pred)
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, per_line.dtype)
            if len(sample_weight.shape) > len(per_line.shape):  # (batch, window, 1)
                sample_weight = ops.squeeze(sample_weight, axis=-1)
            while len(sample_weight.shape) < len(per_line.shape):  # one weight for all lines of a window
                sample_weight = ops.expand_dims(sample_weight, axis=-1)
            per_line = per_line * sample_weight
        # The divisor is the number of real lines, not the batch's sum of weights: what a line adds to the loss
        # must not depend on the labels of the other lines in its batch.
        return ops.sum(per_line * real) / ops.maximum(ops.sum(real), 1.0)

    def _check_shapes(self, true: Sequence[int | None], predicted: Sequence[int | None]) -> None:
        """Raise where NumPy's broadcasting would hide labels that are not one-hot, or weights of other labels."""
        if len(true) != len(predicted) or None not in (true[-1], predicted[-1]) and true[-1] != predicted[-1]:
            raise ValueError(
                f"The labels have shape {tuple(true)}, the predictions {tuple(predicted)}: give one-hot labels "
                "(keras.utils.to_categorical)."
            )
        if self.weights is not None and predicted[-1] not in (None, len(self.weights)):
            raise ValueError(
                f"There are {len(self.weights)} class weights, but the network has {predicted[-1]} outputs."
            )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to rebuild the loss."""
        own = {"weights": self.weights, "from_logits": self.from_logits, "label_smoothing": self.label_smoothing}
        return {"name": self.name, **own}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class WeightedCategoricalCrossentropy(_MaskedLoss):
    """Cross-entropy with a weight for each true class.

    Over the real lines, the mean of ``weight[true class] * -log p(true class)``, p being the softmax of the logits.

    Parameters
    ----------
    weights : sequence of float or None
        Weight of each label, in label order; None for equal weights.
    from_logits : bool, default True
        Whether predictions are logits, or probabilities, clipped at 1e-7.
    label_smoothing : float, default 0
        Probability that targets spread evenly over all labels.
    name : str, optional
        Name in the log.

    Raises
    ------
    ValueError
        If the label smoothing is out of range.

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
        label_smoothing: float = 0.0,
        name: str = "weighted_categorical_crossentropy",
    ) -> None:
        super().__init__(weights, from_logits, label_smoothing, name=name)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each line, shape (batch, window)."""
        return -ops.sum(self.targets(y_true) * self.log_probabilities(y_pred), axis=-1)


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FocalLoss(_MaskedLoss):
    """Cross-entropy that is discounted where the true class is already probable.

    Over the real lines, the mean of ``weight[true class] * (1 - p)**gamma * -log p`` with p the probability of
    the true class (Lin et al. 2017, "Focal loss for dense object detection"; weight is their alpha).  Its minimum
    is not at the true probabilities; prediction recovers them (Charoenphakdee et al. 2021).

    Parameters
    ----------
    weights : sequence of float or None
        Weight of each label, in label order; None for equal weights.
    gamma : float, default 2
        Exponent of the discount of easy lines; 0 is cross-entropy.
    from_logits : bool, default True
        Whether predictions are logits.
    label_smoothing : float, default 0
        Probability that targets spread evenly over all labels.
    name : str, optional
        Name in the log.

    Examples
    --------
    >>> y_true, y_pred = np.array([[[1.0, 0.0]]]), np.array([[[0.5, 0.5]]])
    >>> round(float(FocalLoss(gamma=2, from_logits=False)(y_true, y_pred)), 4)  # ln 2 / 4
    0.1733
    """

    def __init__(
        self,
        weights: Sequence[float] | None = None,
        gamma: float = DEFAULT_GAMMA,
        from_logits: bool = True,
        label_smoothing: float = 0.0,
        name: str = "focal",
    ) -> None:
        super().__init__(weights, from_logits, label_smoothing, name=name)
        if not (gamma >= 0 and np.isfinite(gamma)):
            raise ValueError(f"gamma must be finite and at least 0, but is {gamma!r}.")
        self.gamma = float(gamma)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each line, shape (batch, window)."""
        log_p = self.log_probabilities(y_pred)
        # The floor keeps the gradient of the power finite where p is 1 to the last bit.
        discount = ops.power(ops.maximum(1.0 - ops.exp(log_p), _EPSILON), self.gamma)
        return -ops.sum(self.targets(y_true) * discount * log_p, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class LogitAdjustedLoss(WeightedCategoricalCrossentropy):
    """Cross-entropy of the logits with tau times the log prior added.

    With tau = 1 the network's argmax minimises the balanced error (Menon et al. 2021, "Long-tail learning via logit adjustment").

    Parameters
    ----------
    priors : sequence of float
        Share of each label in the training lines, above 0.
    tau : float, default 1
        Factor of the log prior; 0 is cross-entropy.
    weights : sequence of float or None
        Weight of each label, in label order; None for equal weights.
    from_logits : bool, default True
        Whether predictions are logits.
    label_smoothing : float, default 0
        Probability that targets spread evenly over all labels.
    name : str, optional
        Name in the log.

    Examples
    --------
    >>> y_true, logits = np.array([[[1.0, 0.0]]]), np.array([[[0.0, 0.0]]])
    >>> round(float(LogitAdjustedLoss([0.25, 0.75])(y_true, logits)), 4)  # -ln 0.25
    1.3863
    """

    def __init__(
        self,
        priors: Sequence[float],
        tau: float = DEFAULT_TAU,
        weights: Sequence[float] | None = None,
        from_logits: bool = True,
        label_smoothing: float = 0.0,
        name: str = "logit_adjusted",
    ) -> None:
        if not (tau >= 0 and np.isfinite(tau)):
            raise ValueError(f"tau must be finite and at least 0, but is {tau!r}.")
        if not all(np.isfinite(p) and p > 0 for p in priors):
            raise ValueError(f"priors must be above 0, but are {list(priors)!r}.")
        self.priors, self.tau = [float(p) for p in priors], float(tau)
        _MaskedLoss.__init__(
            self, weights, from_logits, label_smoothing, (self.tau * np.log(self.priors)).tolist(), name
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "priors": self.priors, "tau": self.tau}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class FocalLabelF1(_MaskedLoss):
    """Cross-entropy plus one minus the mean soft F1 of chosen labels.

    Soft counts are summed over the real lines of the batch, and
    ``F1 = (2 TP + 1) / (2 TP + FP + FN + 1)``.  The added ones keep a gradient against false positives in
    a batch without the label; the cross-entropy trains the other labels.

    Parameters
    ----------
    focal : sequence of int
        Indices of the chosen labels.
    weights : sequence of float or None
        Weight of each label in the cross-entropy; None for equal weights.
    from_logits : bool, default True
        Whether predictions are logits.
    label_smoothing : float, default 0
        Probability that targets spread evenly over all labels, for the cross-entropy.
    name : str, optional
        Name in the log.

    Examples
    --------
    >>> y_true, perfect = np.eye(3)[None], 50.0 * np.eye(3)[None]
    >>> round(float(FocalLabelF1([0])(y_true, perfect)), 4)
    0.0
    """

    def __init__(
        self,
        focal: Sequence[int],
        weights: Sequence[float] | None = None,
        from_logits: bool = True,
        label_smoothing: float = 0.0,
        name: str = "focal_label_f1",
    ) -> None:
        super().__init__(weights, from_logits, label_smoothing, name=name)
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
        return -ops.sum(self.targets(true) * log_p, axis=-1) + (1.0 - ops.mean(f1))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "focal": self.focal}


def weighted_categorical_crossentropy(
    weights: Sequence[float] | np.ndarray | Mapping[str, float],
    labels: Sequence[str] | None = None,
    *,
    from_logits: bool = False,
) -> WeightedCategoricalCrossentropy:
    """Return the weighted cross-entropy as a loss for ``keras.Model.compile``.

    Parameters
    ----------
    weights : sequence of float, array, or dict of str to float
        Weight of each label, in label order; or by name, where a label left out weighs 1.0.
    labels : sequence of str, optional
        Label names in the order of the network's outputs; needed with a dict.
    from_logits : bool, default False
        Whether the network returns logits.  It is False as in Keras: :func:`build_bilstm_model` returns probabilities.

    Returns
    -------
    WeightedCategoricalCrossentropy
        The loss of one-hot labels; rows that are all zero are padding.  ``keras.models.load_model`` finds it without
        ``custom_objects`` once this function has been imported.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, a label unknown, or a dict comes without labels.

    Examples
    --------
    >>> import keras
    >>> model = keras.Sequential([keras.layers.Input((15, 4)), keras.layers.Dense(2, activation="softmax")])
    >>> loss = weighted_categorical_crossentropy({"Nomenclature": 100.0}, labels=["Nomenclature", "Misc"])
    >>> model.compile("adam", loss)
    >>> loss.weights
    [100.0, 1.0]
    """
    if isinstance(weights, Mapping):
        if labels is None:
            raise ValueError("Weights by name need labels=[...], the names in the order of the network's outputs.")
    elif np.ndim(weights) != 1:
        raise ValueError(
            f"weights must be one number per label, but have {np.ndim(weights)} dimensions. "
            "weighted_categorical_crossentropy(weights) returns a loss, which takes y_true and y_pred."
        )
    names = LabelSet(tuple(map(str, range(len(weights)) if labels is None else labels)))
    resolved = resolve_weights(weights, names, np.ones(len(names)))
    return WeightedCategoricalCrossentropy(resolved.weights, from_logits)
