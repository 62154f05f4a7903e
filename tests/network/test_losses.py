"""The losses equal the seed's formula, look at real lines only, and survive saving."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from gradients import value_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from skol_rnn.decoding.correction import Correction
from skol_rnn.network.losses import (
    FocalLabelF1,
    FocalLoss,
    LogitAdjustedLoss,
    WeightedCategoricalCrossentropy,
    weighted_categorical_crossentropy,
)

WEIGHTS = [100.0, 10.0, 0.1]
PRIORS = [0.01, 0.19, 0.8]
ALL_LOSSES = [
    WeightedCategoricalCrossentropy(WEIGHTS),
    WeightedCategoricalCrossentropy(WEIGHTS, label_smoothing=0.1),
    FocalLoss(WEIGHTS, gamma=2.0),
    FocalLoss(gamma=0.5, label_smoothing=0.2),
    LogitAdjustedLoss(PRIORS),
    LogitAdjustedLoss(PRIORS, tau=0.5, weights=WEIGHTS, label_smoothing=0.1),
    FocalLabelF1([0, 1]),
    FocalLabelF1([1], WEIGHTS, label_smoothing=0.1),
]


def seed_formula(y_true, y_pred, weights):
    """Compute the loss as the guide to class weights writes it: no mask, from clipped probabilities."""
    y_pred = np.clip(y_pred, 1e-7, 1.0 - 1e-7)
    loss = -np.sum(y_true * np.log(y_pred), axis=-1)
    return np.mean(loss * np.asarray(weights)[np.argmax(y_true, axis=-1)])


def batch(seed=0, shape=(4, 7), labels=3):
    rng = np.random.default_rng(seed)
    true = np.eye(labels, dtype="float32")[rng.integers(0, labels, shape)]
    return true, rng.normal(scale=3, size=(*shape, labels)).astype("float32")


def probabilities_of(logits):
    exponents = np.exp(logits.astype("float64") - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def gradient(loss, true, logits):
    variable = keras.Variable(logits)
    value, slopes = value_and_gradients(lambda: loss(true, variable), [variable])
    return value, slopes[0]


@pytest.mark.backends
@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.lists(st.floats(0.01, 50), min_size=3, max_size=3))
def test_from_logits_it_equals_the_seed_formula(seed, weights):
    true, logits = batch(seed)
    logits = np.clip(logits, -7, 7)  # the seed's formula clips probabilities at 1e-7, the loss from logits need not
    expected = seed_formula(true, probabilities_of(logits), weights)
    assert float(weighted_categorical_crossentropy(weights, from_logits=True)(true, logits)) == pytest.approx(
        expected, rel=1e-6
    )


def test_from_probabilities_it_equals_the_seed_formula():
    true, logits = batch()
    p = probabilities_of(logits)
    loss = WeightedCategoricalCrossentropy(WEIGHTS, from_logits=False)
    assert float(loss(true, p.astype("float32"))) == pytest.approx(seed_formula(true, p, WEIGHTS), rel=1e-6)


def test_without_weights_it_is_keras_cross_entropy():
    true, logits = batch()
    expected = keras.losses.CategoricalCrossentropy(from_logits=True)(true, logits)
    assert float(WeightedCategoricalCrossentropy()(true, logits)) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("loss", ALL_LOSSES)
@pytest.mark.parametrize("padding", [1, 30])
def test_padding_changes_neither_loss_nor_gradient(loss, padding):
    true, logits = batch()
    value, slope = gradient(loss, true, logits)
    wide_true = np.pad(true, ((0, 0), (0, padding), (0, 0)))
    wide_logits = np.pad(logits, ((0, 0), (0, padding), (0, 0)), constant_values=5.0)
    wide_value, wide_slope = gradient(loss, wide_true, wide_logits)
    assert wide_value == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(wide_slope[:, : true.shape[1]], slope, atol=1e-7)
    assert not wide_slope[:, true.shape[1] :].any()


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_a_batch_of_nothing_but_padding_costs_nothing(loss):
    value, slope = gradient(loss, np.zeros((2, 3, 3), "float32"), np.ones((2, 3, 3), "float32"))
    assert value == 0.0 and not slope.any()


def test_the_loss_of_a_line_does_not_depend_on_its_batch_mates():
    loss = WeightedCategoricalCrossentropy(WEIGHTS)
    true, logits = batch(shape=(2, 5))
    rare = np.tile(np.eye(3, dtype="float32")[0], (5, 1))
    _, with_one = gradient(loss, true, logits)
    _, with_other = gradient(loss, np.stack([true[0], rare]), logits)
    np.testing.assert_allclose(with_one[0], with_other[0], atol=1e-7)


@pytest.mark.parametrize("loss", ALL_LOSSES)
@pytest.mark.parametrize("size", [30.0, 1e4])
def test_extreme_logits_give_numbers_and_gradients(loss, size):
    true = np.eye(3, dtype="float32")[[[0, 1, 2]]]
    for logits in (size * true, -size * true):
        value, slope = gradient(loss, true, logits)
        assert np.isfinite(value) and np.isfinite(slope).all()


def test_a_confident_error_costs_its_logits():
    true = np.eye(3, dtype="float32")[[[0, 1, 2]]]
    value, slope = gradient(WeightedCategoricalCrossentropy(WEIGHTS), true, np.full((1, 3, 3), 1e4, "float32"))
    assert np.isfinite(value) and np.isfinite(slope).all()
    confident_and_wrong = np.array([[[-1e4, 1e4, 0.0]]], "float32")
    assert float(WeightedCategoricalCrossentropy()(true[:, :1], confident_and_wrong)) == pytest.approx(2e4)


@pytest.mark.parametrize("loss", [WeightedCategoricalCrossentropy(WEIGHTS, False), *ALL_LOSSES])
def test_a_loss_survives_serialisation(loss):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()
    true, logits = batch()
    p = probabilities_of(logits).astype("float32")
    assert float(again(true, p)) == float(loss(true, p))


def test_without_the_focal_label_false_positives_still_cost():
    true = np.tile(np.eye(3, dtype="float32")[2], (1, 6, 1))  # no line of label 0 in the batch
    _, slope = gradient(FocalLabelF1([0]), true, np.zeros((1, 6, 3), "float32"))
    _, plain = gradient(WeightedCategoricalCrossentropy(), true, np.zeros((1, 6, 3), "float32"))
    assert (slope[..., 0] > plain[..., 0] + 1e-4).all()  # pushed down harder than by cross-entropy alone
    assert (slope[..., 2] < 0).all()


@pytest.mark.backends
def test_focal_f1_equals_its_formula():
    true, logits = batch(3)
    p = probabilities_of(logits)
    cross_entropy = -np.mean(np.sum(true * np.log(p), -1))
    tp, fp, fn = ((a * b).sum((0, 1)) for a, b in ((p, true), (p, 1 - true), (1 - p, true)))
    f1 = ((2 * tp + 1) / (2 * tp + fp + fn + 1))[:2]
    assert float(FocalLabelF1([0, 1])(true, logits)) == pytest.approx(cross_entropy + 1 - f1.mean(), rel=1e-5)


def test_focal_loss_equals_its_formula():
    true, logits = batch(4)
    p = (probabilities_of(logits) * true).sum(-1)
    weight = np.asarray(WEIGHTS)[true.argmax(-1)]
    expected = np.mean(weight * (1 - p) ** 2 * -np.log(p))
    assert float(FocalLoss(WEIGHTS, gamma=2.0)(true, logits)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_of_gamma_0_is_cross_entropy():
    true, logits = batch(5)
    expected = float(WeightedCategoricalCrossentropy(WEIGHTS)(true, logits))
    assert float(FocalLoss(WEIGHTS, gamma=0.0)(true, logits)) == pytest.approx(expected, rel=1e-6)


def test_logit_adjusted_loss_equals_its_formula():
    true, logits = batch(6)
    p = probabilities_of(logits + 0.7 * np.log(PRIORS))
    expected = -np.mean(np.sum(true * np.log(p), -1))
    assert float(LogitAdjustedLoss(PRIORS, tau=0.7)(true, logits)) == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_is_keras_label_smoothing():
    true, logits = batch(7)
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.15)(true, logits)
    found = WeightedCategoricalCrossentropy(label_smoothing=0.15)(true, logits)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "correction"),
    [
        (WeightedCategoricalCrossentropy([5.0, 2.0, 1.0]), Correction(np.array([5.0, 2.0, 1.0]))),
        (
            WeightedCategoricalCrossentropy([5.0, 2.0, 1.0], label_smoothing=0.1),
            Correction(np.array([5.0, 2.0, 1.0]), smoothing=0.1),
        ),
        (FocalLoss(gamma=2.0), Correction(np.ones(3), gamma=2.0)),
        (FocalLoss([5.0, 2.0, 1.0], gamma=1.5), Correction(np.array([5.0, 2.0, 1.0]), gamma=1.5)),
        (
            FocalLoss([5.0, 2.0, 1.0], gamma=2.0, label_smoothing=0.1),
            Correction(np.array([5.0, 2.0, 1.0]), gamma=2.0, smoothing=0.1),
        ),
        (LogitAdjustedLoss(PRIORS), Correction(np.ones(3), np.log(PRIORS))),
        (
            LogitAdjustedLoss(PRIORS, tau=0.5, label_smoothing=0.05),
            Correction(np.ones(3), 0.5 * np.log(PRIORS), smoothing=0.05),
        ),
    ],
)
def test_the_correction_finds_the_posterior_at_the_minimum_of_the_loss(loss, correction):
    posterior = np.array([0.1, 0.25, 0.65])
    # One kind of line, with labels in these shares: the logits of the best network minimise the loss.
    true = np.repeat(np.eye(3, dtype="float32"), [10, 25, 65], axis=0)[None]

    def cost(logits):
        value, slope = gradient(loss, true, np.repeat(logits.astype("float32")[None, None], 100, axis=1))
        return value, slope.sum(axis=(0, 1)).astype("float64")

    found = minimize(cost, np.zeros(3), jac=True, method="L-BFGS-B", options={"gtol": 1e-7, "ftol": 1e-12})
    raw = probabilities_of(found.x[None])
    np.testing.assert_allclose(correction.posterior(raw)[0], posterior, atol=2e-3)
    assert not np.allclose(raw[0], posterior, atol=2e-2)  # there was something to correct


@pytest.mark.parametrize(
    ("make", "culprit"),
    [
        (lambda: FocalLoss(gamma=-1), "gamma"),
        (lambda: FocalLoss(gamma=float("nan")), "gamma"),
        (lambda: LogitAdjustedLoss(PRIORS, tau=-0.1), "tau"),
        (lambda: LogitAdjustedLoss([0.0, 1.0]), "priors"),
        (lambda: WeightedCategoricalCrossentropy(label_smoothing=1.0), "label_smoothing"),
    ],
)
def test_impossible_options_are_refused(make, culprit):
    with pytest.raises(ValueError, match=culprit):
        make()


def test_sample_weights_multiply_the_loss_of_their_lines():
    true, logits = batch()
    weights = np.random.default_rng(1).random(true.shape[:2])
    per_line = -np.sum(true * np.log(probabilities_of(logits)), -1)
    value = WeightedCategoricalCrossentropy()(true, logits, sample_weight=weights)
    assert float(value) == pytest.approx(np.mean(per_line * weights), rel=1e-5)
