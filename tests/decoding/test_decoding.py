"""Corrected probabilities are posteriors again, and tuned offsets are the best there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from skol_rnn.decoding.correction import correct_probabilities
from skol_rnn.decoding.offsets import decide, metric_value, tune_offsets
from skol_rnn.labels import LabelSet

LABELS = LabelSet(("Nomenclature", "Description", "Misc"))


def lines(seed, n=300, k=3, rare=0.08):
    """Draw labels with a rare one, and noisy probabilities for them."""
    rng = np.random.default_rng(seed)
    true = rng.choice(k, n, p=[rare, 0.2, 0.8 - rare])
    logits = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[true] + np.log([rare, 0.2, 0.8 - rare])
    exponents = np.exp(logits)
    return true, exponents / exponents.sum(1, keepdims=True)


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=3))
def test_correcting_undoes_the_tilt(weights):
    _, posterior = lines(0)
    weights = np.array(weights)
    tilted = posterior * weights / (posterior * weights).sum(1, keepdims=True)
    np.testing.assert_allclose(correct_probabilities(tilted, weights), posterior, atol=1e-9)


@given(st.floats(0.01, 100))
def test_correcting_looks_at_ratios_of_weights_only(factor):
    _, p = lines(1)
    weights = np.array([10.0, 3.0, 0.5])
    np.testing.assert_allclose(correct_probabilities(p, factor * weights), correct_probabilities(p, weights))


def test_a_label_of_weight_zero_divides_nothing_by_zero():
    corrected = correct_probabilities(np.array([[0.2, 0.8]]), np.array([0.0, 2.0]))
    assert np.isfinite(corrected).all()
    assert corrected.sum() == pytest.approx(1.0)


def test_corrected_probabilities_recover_the_share_of_each_class():
    true, posterior = lines(2, n=20_000)
    weights = np.array([100.0, 10.0, 0.1])
    tilted = posterior * weights / (posterior * weights).sum(1, keepdims=True)
    share = np.bincount(true) / len(true)
    assert np.abs(tilted.mean(0) - share).max() > 0.3
    assert np.abs(correct_probabilities(tilted, weights).mean(0) - posterior.mean(0)).max() < 1e-9


def test_offsets_move_decisions():
    p = np.array([[0.3, 0.3, 0.4]])
    assert decide(p).tolist() == [2]
    assert decide(p, np.array([1.0, 0.0, 0.0])).tolist() == [0]
    assert decide(np.array([[0.0, 1.0, 0.0]]), np.array([5.0, 0.0, 0.0])).tolist() == [1]


SCORES = {
    "important_f1": lambda t, d: f1_score(t, d, labels=[0, 1], average="macro", zero_division=0),
    "macro_f1": lambda t, d: f1_score(t, d, labels=[0, 1, 2], average="macro", zero_division=0),
    "accuracy": accuracy_score,
    "f1/Nomenclature": lambda t, d: f1_score(t, d, labels=[0], average="macro", zero_division=0),
}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from(sorted(SCORES)))
def test_tuned_is_never_below_argmax_on_the_lines_it_was_tuned_on(seed, metric):
    true, p = lines(seed)
    score = SCORES[metric]
    tuned = score(true, decide(p, tune_offsets(p, true, LABELS, metric)))
    assert tuned >= score(true, decide(p)) - 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_the_search_is_as_good_as_a_fine_grid(seed):
    true, p = lines(seed, n=200, rare=0.12)
    grid = np.arange(-3, 3.01, 0.1)
    best = max(metric_value(true, decide(p, np.array([a, b, 0.0])), LABELS) for a, b in itertools.product(grid, grid))
    # A coordinate search may stop at a ridge that the grid steps over, but not far below it.
    assert metric_value(true, decide(p, tune_offsets(p, true, LABELS)), LABELS) >= best - 0.01


def test_a_label_with_too_few_lines_keeps_its_neutral_offset():
    true, p = lines(5)
    true = np.where(true == 0, 2, true)
    true[:3] = 0
    assert tune_offsets(p, true, LABELS)[0] == 0.0


def test_unlabelled_lines_are_left_out():
    true, p = lines(6)
    with_gaps = np.concatenate([true, np.full(50, -1)])
    wide = np.vstack([p, np.full((50, 3), 1 / 3)])
    np.testing.assert_array_equal(tune_offsets(wide, with_gaps, LABELS), tune_offsets(p, true, LABELS))


def test_unknown_metrics_and_labels_are_named():
    true, p = lines(7)
    with pytest.raises(ValueError, match="Unknown metric 'macro-f1'.*Did you mean 'macro_f1'"):
        tune_offsets(p, true, LABELS, "macro-f1")
    with pytest.raises(ValueError, match="Unknown label 'Nomenclatur'.*Did you mean 'Nomenclature'"):
        tune_offsets(p, true, LABELS, "f1/Nomenclatur")
