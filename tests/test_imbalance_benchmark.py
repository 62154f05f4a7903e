"""The benchmark of imbalance: its calibration errors against loops and worked numbers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skol_rnn.labels import NO_LABEL

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "imbalance.py"
SPEC = importlib.util.spec_from_file_location("imbalance_benchmark", PATH)
BENCHMARK = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(BENCHMARK)
calibration_error, mean_shares = BENCHMARK.calibration_error, BENCHMARK.mean_shares


@st.composite
def predictions(draw, least=1):
    """Probabilities with their labels, some of which are missing."""
    lines, k = draw(st.integers(least, 60)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    p = rng.dirichlet(np.full(k, 0.7), lines)
    true = rng.integers(-1, k, lines)
    true[0] = 0
    return p, true


def looped_error(probability, is_right, bins):
    """Expected calibration error as its definition reads: (lower, upper] bins, the first with 0."""
    error = 0.0
    for b in range(bins):
        inside = [i for i, p in enumerate(probability) if (b < p * bins <= b + 1) or (b == 0 and p == 0)]
        if inside:
            confidence = np.mean([probability[i] for i in inside])
            accuracy = np.mean([is_right[i] for i in inside])
            error += len(inside) / len(probability) * abs(confidence - accuracy)
    return error


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def drawn_from(p, rng):
    return (p.cumsum(axis=1) < rng.random((len(p), 1))).sum(axis=1).clip(0, p.shape[1] - 1)


@given(predictions(), st.integers(1, 20))
def test_the_error_agrees_with_a_loop(given_predictions, bins):
    p, true = given_predictions
    known = true != NO_LABEL
    top, right = p[known].max(axis=1), p[known].argmax(axis=1) == true[known]
    assert calibration_error(p, true, bins) == pytest.approx(looped_error(top, right, bins))


def test_edges_belong_to_the_lower_bin():
    # 0.5 and 0.4 share the bin (0, 0.5]: |0.5 + 0.4 - 1| / 2; were they apart: (0.5 + 0.4) / 2.
    p = np.array([[0.5, 0.25, 0.25], [0.4, 0.3, 0.3]])
    assert calibration_error(p, np.array([0, 1]), bins=2) == pytest.approx(0.05)
    certain = np.array([[1.0, 0.0]])
    assert calibration_error(certain, np.array([0])) == 0 and calibration_error(certain, np.array([1])) == 1


def test_what_is_drawn_from_its_probabilities_is_calibrated():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 40_000)
    true = drawn_from(p, rng)
    assert calibration_error(p, true) < 0.01


def test_lines_without_label_change_nothing():
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(3), 200)
    true = drawn_from(p**2 / (p**2).sum(axis=1, keepdims=True), rng)
    more, none = np.vstack([p, rng.dirichlet(np.ones(3), 80)]), np.append(true, np.full(80, NO_LABEL))
    assert calibration_error(more, none) == calibration_error(p, true)
    for with_them, without in zip(mean_shares(more, none), mean_shares(p, true), strict=True):
        assert with_them.tolist() == without.tolist()


def test_shares_of_worked_numbers():
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [1.0, 0.0, 0.0]])
    predicted, true = mean_shares(p, np.array([1, 1, NO_LABEL]))
    assert predicted == pytest.approx([0.4, 0.5, 0.1]) and true.tolist() == [0.0, 1.0, 0.0]


def test_no_labelled_line_gives_no_number():
    p, none = np.full((3, 2), 0.5), np.full(3, NO_LABEL)
    assert np.isnan(calibration_error(p, none))
    assert all(np.isnan(share).all() and share.shape == (2,) for share in mean_shares(p, none))


def test_wrong_arguments_are_refused():
    p, true = np.full((3, 2), 0.5), np.zeros(3, int)
    for wrong in (0, -1, 2.5):
        with pytest.raises(ValueError, match="bins"):
            calibration_error(p, true, wrong)
