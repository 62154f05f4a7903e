"""Calibration on held-out documents: known distortions are found, and little data changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from skol_rnn.decoding.calibration import Calibration, fit_calibration
from skol_rnn.labels import NO_LABEL


def drawn(seed=0, n=20_000, k=3):
    """Draw posteriors, and labels that follow them exactly."""
    rng = np.random.default_rng(seed)
    posterior = softmax(rng.normal(scale=2.0, size=(n, k)) + np.log([0.05, 0.2, 0.75]), axis=1)
    true = (posterior.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return posterior, true


def test_what_is_calibrated_stays():
    posterior, true = drawn()
    scaling = fit_calibration(posterior, true)
    assert scaling.temperature == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(scaling.bias - scaling.bias.mean(), 0.0, atol=0.06)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_known_temperature_is_found(temperature):
    posterior, true = drawn(1)
    sharpened = softmax(np.log(posterior) * temperature, axis=1)
    found = fit_calibration(sharpened, true, "temperature")
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    assert not found.bias.any()
    np.testing.assert_allclose(found.apply(sharpened), posterior, atol=0.03)


def test_a_known_bias_is_found_and_the_mean_is_the_true_share():
    posterior, true = drawn(2)
    tilted = posterior * [4.0, 2.0, 1.0] / (posterior * [4.0, 2.0, 1.0]).sum(1, keepdims=True)
    calibrated = fit_calibration(tilted, true).apply(tilted)
    np.testing.assert_allclose(calibrated, posterior, atol=0.03)
    np.testing.assert_allclose(calibrated.mean(0), np.bincount(true) / len(true), atol=2e-3)


def test_caution_leaves_no_bias_where_training_tilted_nothing():
    posterior, true = drawn(2)
    biased = softmax(np.log(posterior) * 1.5 + [1.0, -0.5, 0.0], axis=1)
    found = fit_calibration(biased, true, "cautious", np.zeros(3))
    assert not found.bias.any()
    assert found.temperature == fit_calibration(biased, true, "temperature").temperature != 1.0


def test_caution_believes_a_bias_the_more_the_more_was_tilted():
    posterior, true = drawn(2)
    biased = softmax(np.log(posterior) + [1.0, -0.5, 0.0], axis=1)
    full = fit_calibration(biased, true)
    believed = []
    for steepness in (0.5, 1.4, 6.9):
        tilt = steepness * np.array([1.0, 0.5, 0.0])
        found = fit_calibration(biased, true, "cautious", tilt + 3.0)  # only differences of a tilt matter
        believed.append(found.bias / (full.bias - full.bias[2] + [0, 0, 1]))
        sure = (tilt / 2) ** 2 / ((tilt / 2) ** 2 + 0.8**2)
        np.testing.assert_allclose(believed[-1], sure, atol=1e-9)
    assert (np.diff(np.array(believed)[:, :2], axis=0) > 0).all()
    assert believed[-1][0] > 0.9


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_the_true_labels_never_get_less_probable(seed):
    posterior, true = drawn(seed, n=300)
    wrong = softmax(np.log(posterior) * 1.7 + [0.5, 0.0, -0.5], axis=1)
    rows = np.arange(len(true))
    for how in ("temperature", "bias", "cautious"):
        after = fit_calibration(wrong, true, how).apply(wrong)
        assert -np.log(after[rows, true]).sum() <= -np.log(wrong[rows, true]).sum() + 1e-6
        np.testing.assert_allclose(after.sum(1), 1.0)


def test_the_gradient_is_that_of_the_cost():
    # At the optimum found, no small step in any direction is better.
    posterior, true = drawn(3, n=2000)
    found = fit_calibration(posterior**1.5 / (posterior**1.5).sum(1, keepdims=True), true)

    def cost(log_t, bias):
        wrong = posterior**1.5 / (posterior**1.5).sum(1, keepdims=True)
        p = Calibration(np.exp(log_t), bias).apply(wrong)
        return -np.log(p[np.arange(len(true)), true]).sum() + 0.5 * (log_t**2 + bias @ bias)

    best = cost(np.log(found.temperature), found.bias)
    for i in range(4):
        for step in (-0.02, 0.02):
            moved = np.append(np.log(found.temperature), found.bias)
            moved[i] += step
            assert cost(moved[0], moved[1:]) > best


def test_too_little_to_learn_from_changes_nothing():
    posterior, true = drawn(4, n=200)
    neutral = fit_calibration(posterior[:30], true[:30])
    assert neutral.temperature == 1.0 and neutral.apply(posterior) is posterior
    assert fit_calibration(posterior, np.full(200, 2)).temperature == 1.0
    assert fit_calibration(posterior, np.full(200, NO_LABEL)).temperature == 1.0
    few = np.full(200, 2)
    few[:9], few[9:60] = 0, 1
    assert fit_calibration(posterior, few).bias[0] == 0.0  # nine lines of label 0
    assert fit_calibration(posterior, few).bias[1] != 0.0
    assert fit_calibration(posterior, true, "none").temperature == 1.0


def test_lines_without_label_are_left_out():
    posterior, true = drawn(5, n=2000)
    some = np.where(np.arange(2000) % 2, true, NO_LABEL)
    kept = fit_calibration(posterior[1::2], true[1::2])
    found = fit_calibration(posterior, some)
    assert found.temperature == pytest.approx(kept.temperature, rel=1e-6)
    np.testing.assert_allclose(found.bias, kept.bias, atol=1e-6)
