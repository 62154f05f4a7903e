"""Losses and their options: what goes together, what is refused, and where a network starts."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel
from skol_rnn.network.losses import FocalLabelF1, FocalLoss, LogitAdjustedLoss, WeightedCategoricalCrossentropy
from skol_rnn.training.objective import LOSSES, Objective, divide_weights, freeze_weights, rare_labels

LABELS = LabelSet(("Nomenclature", "Description", "Misc"))
COUNTS = np.array([50, 170, 780])


def objective(**parameters):
    return Objective.of(RNNSkolModel(**parameters).get_params())


def build(**parameters):
    return objective(**parameters).build(np.array([3.0, 1.5, 0.8]), COUNTS, LABELS, ["Nomenclature"])


@pytest.mark.parametrize(
    ("parameters", "loss", "weights"),
    [
        ({}, "cross_entropy", None),
        ({"focal_labels": ["Nomenclature"]}, "soft_f1", None),
        ({"loss": "focal"}, "focal", None),
        ({"class_weights": "smoothed"}, "cross_entropy", "smoothed"),
        ({"loss": "focal", "class_weights": None}, "focal", None),
        ({"loss": "class_balanced_focal"}, "class_balanced_focal", "effective"),
        ({"loss": "logit_adjusted"}, "logit_adjusted", None),
        ({"loss": "soft_f1"}, "soft_f1", None),
        ({"unit": "token"}, "cross_entropy", "smoothed"),
        ({"unit": "token", "class_weights": None}, "cross_entropy", None),
        ({"unit": "token", "loss": "logit_adjusted"}, "logit_adjusted", None),
    ],
)
def test_auto_is_resolved(parameters, loss, weights):
    found = objective(**parameters)
    assert (found.loss, found.class_weights) == (loss, weights)


def test_the_loss_that_was_asked_for_is_built_with_its_options():
    weighted = build(class_weights="smoothed")
    assert weighted.weights == [3.0, 1.5, 0.8] and isinstance(weighted, WeightedCategoricalCrossentropy)
    assert build().weights is None and isinstance(build(), WeightedCategoricalCrossentropy)
    focal = build(loss="focal", gamma=1.0, label_smoothing=0.1)
    assert isinstance(focal, FocalLoss) and (focal.gamma, focal.label_smoothing) == (1.0, 0.1)
    adjusted = build(loss="logit_adjusted", tau=0.5)
    assert isinstance(adjusted, LogitAdjustedLoss) and adjusted.tau == 0.5 and adjusted.weights is None
    np.testing.assert_allclose(adjusted.priors, (COUNTS + 1) / 1003)
    soft = build(loss="soft_f1", focal_labels=["Description", "Nomenclature"])
    assert isinstance(soft, FocalLabelF1) and soft.focal == [1, 0]
    assert build(loss="soft_f1").focal == [0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "fokal"}, "loss must be one of auto, cross_entropy.*Did you mean 'focal'"),
        ({"loss": "logit_adjusted", "class_weights": "inverse"}, 'class_weights does nothing with loss="logit_adj'),
        ({"loss": "class_balanced_focal", "class_weights": {"Misc": 1}}, "class_weights does nothing"),
        ({"gamma": 2.0}, 'gamma does nothing with loss="cross_entropy".*"focal"'),
        ({"tau": 1.0}, "tau does nothing"),
        ({"loss": "focal", "tau": 1.0}, "tau does nothing"),
        ({"loss": "focal", "focal_labels": ["Misc"]}, 'focal_labels does nothing with loss="focal".*"soft_f1"'),
        ({"loss": "focal", "gamma": -1}, "gamma must be finite"),
        ({"loss": "logit_adjusted", "tau": float("nan")}, "tau must be finite"),
        ({"label_smoothing": 1.0}, "label_smoothing must be"),
        ({"class_weights": "smooth"}, "Unknown class weight strategy 'smooth'.*Did you mean 'smoothed'"),
        ({"class_weights": "inverse", "weight_alpha": 0.25}, "weight_alpha does nothing.*smoothed"),
        ({"weight_beta": 0.9}, "weight_beta does nothing.*effective"),
        ({"class_weights": {"Misc": 1.0}, "max_weight_ratio": 5.0}, "max_weight_ratio does nothing"),
        ({"steep_weights": "loss"}, "steep_weights does nothing without class weights"),
        ({"loss": "logit_adjusted", "steep_weights": "loss"}, "steep_weights does nothing without class weights"),
    ],
)
def test_what_would_be_without_effect_or_is_out_of_range_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        objective(**parameters)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if "focal" not in loss])  # which start as cross-entropy does
def test_a_network_that_knows_nothing_starts_with_the_true_shares(loss):
    found = objective(loss=loss)
    weights = np.array([3.0, 1.5, 0.8]) if found.class_weights else np.ones(3)
    bias = found.starting_bias(weights, COUNTS, COUNTS)
    start = np.exp(bias) / np.exp(bias).sum()
    posterior = found.correction(weights, COUNTS).posterior(start[None])[0]
    np.testing.assert_allclose(posterior, COUNTS / COUNTS.sum(), atol=2e-3)


def test_sampling_is_undone_with_the_weights():
    correction = objective(class_weights=None).correction(np.ones(3), COUNTS, np.array([4.0, 1.0, 1.0]))
    np.testing.assert_allclose(correction.posterior(np.array([[0.4, 0.3, 0.3]])), [[1 / 7, 3 / 7, 3 / 7]])


# -- weights beyond the ratio of the counts ---------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(1e-3, 1e6), st.integers(0, 10**6)), min_size=1, max_size=6))
def test_weights_are_divided_without_loss_and_never_steeper_than_the_counts(labels):
    weights, counts = (np.array(values) for values in zip(*labels, strict=True))
    in_loss, margins = divide_weights(weights, counts)
    np.testing.assert_allclose(in_loss * np.exp(-margins), weights)
    most = np.argmax(counts)
    assert (margins <= 0).all() and margins[most] == 0
    assert (in_loss <= in_loss[most] * max(counts[most], 1) / np.maximum(counts, 1) * (1 + 1e-6)).all()
    np.testing.assert_array_equal(in_loss[margins == 0], weights[margins == 0])


@pytest.mark.parametrize("weights", ["inverse", "balanced", "smoothed", "effective", "log", {"Misc": 5.0}, None])
def test_weights_not_beyond_the_ratio_of_the_counts_are_all_in_the_loss(weights):
    found = freeze_weights(weights, LABELS, COUNTS, RNNSkolModel().get_params()).vector(LABELS)
    in_loss, margins = divide_weights(found, COUNTS)
    assert in_loss.tolist() == found.tolist() and not margins.any()


def test_labels_of_weight_0_stay_out_of_it():
    in_loss, margins = divide_weights(np.array([0.0, 1000.0, 1.0]), COUNTS)
    np.testing.assert_allclose(in_loss, [0.0, 780 / 170, 1.0])
    assert margins[0] == 0
    assert divide_weights(np.array([5.0, 1.0, 0.0]), COUNTS)[0].tolist() == [5.0, 1.0, 0.0]


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("steep", ["margins", "loss"])
def test_the_correction_undoes_the_weights_wherever_they_act(loss, steep):
    weights = np.array([100.0, 10.0, 0.1])
    found = objective(loss=loss, class_weights="aggressive", steep_weights=steep)
    built = found.build(weights, COUNTS, LABELS, ["Nomenclature"])
    assert (built.margins is None) == (steep == "loss")
    lines = float(np.dot(built.weights, COUNTS) / COUNTS.sum())
    assert lines == pytest.approx(1.0) if steep == "margins" else built.weights == weights.tolist()
    correction = found.correction(weights, COUNTS)
    tilt = correction.tilt() - correction.tilt()[2]
    np.testing.assert_allclose(np.exp(tilt), [1000.0, 100.0, 1.0])
    if loss == "cross_entropy":
        posterior = np.array([[0.2, 0.3, 0.5]])
        raw = posterior * weights / (posterior * weights).sum()
        np.testing.assert_allclose(correction.posterior(raw), posterior)


def test_weights_are_frozen_with_their_counts(tmp_path):
    parameters = RNNSkolModel().get_params()
    by_name = freeze_weights("inverse", LABELS, COUNTS, parameters)
    assert by_name.counts == (50, 170, 780) and by_name.weights[0] == pytest.approx(15.6)
    assert freeze_weights(None, LABELS, COUNTS, parameters).weights == (1.0, 1.0, 1.0)
    assert freeze_weights({"Misc": 0.1}, LABELS, COUNTS, parameters).weights == (1.0, 1.0, 0.1)
    by_name.save(tmp_path / "weights.json")
    assert freeze_weights(str(tmp_path / "weights.json"), LABELS, COUNTS, parameters) == by_name
    assert freeze_weights(by_name, LABELS, COUNTS, parameters) is by_name
    with pytest.raises(DataError, match="none.json"):
        freeze_weights(str(tmp_path / "none.json"), LABELS, COUNTS, parameters)
    assert isinstance(by_name, ClassWeights)


def test_the_rare_labels_are_all_but_the_most_frequent():
    assert rare_labels(COUNTS, LABELS) == ["Nomenclature", "Description"]
    assert rare_labels(np.array([3]), LabelSet(("only",))) == ["only"]


def test_every_loss_has_a_place_in_the_registry_of_keras():
    for loss in LOSSES:
        name = f"skol_rnn>{type(build(loss=loss)).__name__}"
        assert keras.saving.get_registered_object(name) is type(build(loss=loss))
