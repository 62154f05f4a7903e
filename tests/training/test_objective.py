"""Losses and their options: what goes together, what is refused, and where a network starts."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from skol_rnn.imbalance.class_weights import resolve_weights
from skol_rnn.labels import LabelSet, rare_labels
from skol_rnn.model import RNNSkolModel
from skol_rnn.network.losses import FocalLabelF1, FocalLoss, LogitAdjustedLoss, WeightedCategoricalCrossentropy
from skol_rnn.training.fitting import Fitting
from skol_rnn.training.objective import LOSSES, Objective
from skol_rnn.training.settings import resolve

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
        ({"loss": "class_balanced_focal"}, "class_balanced_focal", "effective:beta=0.999"),
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
    focal = build(loss="focal:gamma=1,smoothing=0.1")
    assert isinstance(focal, FocalLoss) and (focal.gamma, focal.label_smoothing) == (1.0, 0.1)
    adjusted = build(loss="logit_adjusted:tau=0.5")
    assert isinstance(adjusted, LogitAdjustedLoss) and adjusted.tau == 0.5 and adjusted.weights is None
    np.testing.assert_allclose(adjusted.priors, (COUNTS + 1) / 1003)
    soft = build(loss="soft_f1", focal_labels=["Description", "Nomenclature"])
    assert isinstance(soft, FocalLabelF1) and soft.focal == [1, 0]
    assert build(loss="soft_f1").focal == [0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "fokal"}, "loss must be one of cross_entropy.*Did you mean 'focal'"),
        ({"loss": "logit_adjusted", "class_weights": "inverse"}, 'class_weights have no effect with loss="logit_adj'),
        ({"loss": "class_balanced_focal", "class_weights": {"Misc": 1}}, "class_weights have no effect"),
        ({"loss": "cross_entropy:gamma=2"}, "cross_entropy has the options smoothing, not 'gamma'"),
        ({"loss": "focal:tau=1"}, "focal has the options gamma, smoothing, not 'tau'"),
        ({"loss": "focal:gamma"}, "gamma needs a number, as in focal:gamma=2"),
        ({"loss": "focal", "focal_labels": ["Misc"]}, 'focal_labels have no effect with loss="focal".*"soft_f1"'),
        ({"loss": "focal:gamma=-1"}, "gamma of the loss must be finite"),
        ({"loss": "logit_adjusted:tau=inf"}, "tau of the loss must be finite"),
        ({"loss": "cross_entropy:smoothing=1"}, "smoothing of the loss must be at least 0 and below 1"),
        ({"class_weights": "smooth"}, "Did you mean 'smoothed'"),
        ({"class_weights": "inverse:alpha=0.25"}, "'alpha'"),
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
    posterior = found.correction(weights, COUNTS, 1.0).posterior(start[None])[0]
    np.testing.assert_allclose(posterior, COUNTS / COUNTS.sum(), atol=2e-3)


def test_sampling_is_undone_with_the_weights():
    correction = objective(class_weights=None).correction(np.ones(3), COUNTS, np.array([4.0, 1.0, 1.0]))
    np.testing.assert_allclose(correction.posterior(np.array([[0.4, 0.3, 0.3]])), [[1 / 7, 3 / 7, 3 / 7]])


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_the_correction_undoes_the_weights(loss):
    weights = np.array([10.0, 4.0, 0.5])
    found = objective(loss=loss, class_weights="aggressive")
    assert found.build(weights, COUNTS, LABELS, ["Nomenclature"]).weights == weights.tolist()
    correction = found.correction(weights, COUNTS, 1.0)
    np.testing.assert_allclose(np.exp(correction.logit_offsets()), weights)
    if loss == "cross_entropy":
        posterior = np.array([[0.2, 0.3, 0.5]])
        raw = posterior * weights / (posterior * weights).sum()
        np.testing.assert_allclose(correction.posterior(raw), posterior)


def test_the_rare_labels_are_all_but_the_most_frequent():
    assert rare_labels(COUNTS, LABELS) == ["Nomenclature", "Description"]
    assert rare_labels(np.array([3]), LabelSet(("only",))) == ["only"]


def test_every_loss_has_a_place_in_the_registry_of_keras():
    for loss in LOSSES:
        name = f"skol_rnn>{type(build(loss=loss)).__name__}"
        assert keras.saving.get_registered_object(name) is type(build(loss=loss))


@pytest.mark.parametrize(("verbosity", "lines"), [(1, 2), (2, 31)])
def test_the_weights_of_many_labels_are_one_line_of_the_log_and_a_list_at_verbosity_2(verbosity, lines, capsys):
    labels = LabelSet(tuple(f"L{i:02}" for i in range(29)))
    counts = np.arange(1, 30) * 100
    settings = resolve(RNNSkolModel(class_weights="inverse", verbosity=verbosity).get_params(), False)
    fitting = Fitting(settings, labels)
    fitting._used_weights(resolve_weights("inverse", labels, counts), counts)
    out = capsys.readouterr().out.splitlines()
    assert len(out) == lines
    assert out[0].startswith("[BiLSTM] Using weighted loss with class weights:")
    if verbosity == 1:
        assert "and 24 more" in out[0] and "L00 29, L01 14.5" in out[0]
