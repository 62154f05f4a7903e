"""Presets fill in what the caller leaves open, and nothing else."""

from __future__ import annotations

import pytest
from toy import LABELS, QUICK, SMALL, toy_table

from skol_rnn.data.tokens import UNITS
from skol_rnn.model import RNNSkolModel
from skol_rnn.training.settings import PRESETS, resolve


@pytest.mark.parametrize("name", PRESETS)
def test_the_caller_wins_over_the_preset(name):
    filled = resolve(RNNSkolModel(preset=name, epochs=7).get_params())
    assert filled["epochs"] == 7
    assert filled["ensemble_size"] == PRESETS[name]["line"]["ensemble_size"]
    assert filled["hidden_size"] == RNNSkolModel().hidden_size


@pytest.mark.parametrize(
    ("given", "dropout"),
    [
        ({}, 0.0),
        ({"features": "vectors"}, 0.3),
        ({"features": "tfidf"}, 0.3),
        ({"unit": "token"}, 0.3),
        ({"dropout": 0.2}, 0.2),
        ({"unit": "token", "dropout": 0.0}, 0.0),
    ],
)
def test_a_hashed_bag_of_a_line_needs_no_second_dropout(given, dropout):
    assert resolve(RNNSkolModel(**given).get_params())["dropout"] == dropout


def test_only_what_the_constructor_leaves_open_is_in_a_preset():
    parameters = RNNSkolModel().get_params()
    assert all(parameters[key] is None for of_units in PRESETS.values() for unit in UNITS for key in of_units[unit])


def test_the_model_trains_the_members_and_epochs_of_its_preset():
    made = RNNSkolModel(**{**SMALL, **QUICK, "ensemble_size": None, "preset": "fast", "patience": 9}).fit(
        toy_table(3), labels=LABELS
    )
    assert len(made.history_["loss"]) == PRESETS["fast"]["line"]["epochs"]
    assert made.get_params()["ensemble_size"] is None
    bags = [w for w in made.keras_model.weights if w.path.endswith("embeddings")]
    assert len(bags) == PRESETS["fast"]["line"]["ensemble_size"]


def test_an_unknown_preset_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="preset must be one of fast, default, instant, but is 'fats'"):
        RNNSkolModel(preset="fats").fit(toy_table(2), labels=LABELS)
