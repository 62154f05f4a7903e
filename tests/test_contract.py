"""What scikit-learn's users expect of an estimator."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
from scipy.stats import randint, uniform
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV, cross_val_predict
from toy import LABELS, QUICK, SMALL, as_documents, toy_table

from skol_rnn.errors import DataError, NotTrainedError
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel
from skol_rnn.training.parameters import PARAMETERS as NAMES

PARAMETERS = {name: inspect.signature(RNNSkolModel).parameters[name] for name in NAMES}


def model(**changes):
    return RNNSkolModel(**{**SMALL, **QUICK, "epochs": 1, **changes})


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_constructor_stores_each_argument_unchanged(name):
    value = {"class_weights": {"a": 2.0}, "focal_labels": None}.get(name, object())
    made = RNNSkolModel(**{name: value})
    assert getattr(made, name) is value
    assert made.get_params()[name] is value


def test_clone_and_set_params():
    made = model(class_weights={"a": 2.0})
    again = clone(made)
    assert again is not made and again.get_params() == made.get_params()
    assert made.set_params(hidden_size=3).hidden_size == 3
    with pytest.raises(ValueError, match="Invalid parameter"):
        made.set_params(hiden_size=3)


def test_fit_returns_self_and_a_second_fit_forgets_the_first():
    made = model()
    assert made.fit(toy_table(2), labels=LABELS) is made
    made.fit(toy_table(2).replace({"label": {"Misc": "Rest"}}))
    assert made.labels_ == sorted(["Nomenclature", "Description", "Rest"])
    assert list(made.classes_) == made.labels_


def test_the_parameters_of_a_fitted_model_are_those_it_was_given():
    made = model()
    before = copy.deepcopy(made.get_params())
    made.fit(toy_table(2))
    assert made.get_params() == before


def test_not_trained_is_what_scikit_learn_calls_not_fitted():
    with pytest.raises(NotTrainedError) as caught:
        model().predict(toy_table(1))
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, AttributeError)
    assert issubclass(NotFittedError, (ValueError, AttributeError))


def test_pickle_and_deepcopy_before_and_after_fit():
    assert pickle.loads(pickle.dumps(model())).get_params() == model().get_params()
    table = toy_table(2)
    fitted = model().fit(table)
    for again in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(again.predict_proba(table), fitted.predict_proba(table))


def test_grid_search_over_documents_in_groups():
    documents, labels = as_documents(toy_table(4))
    search = GridSearchCV(
        model(epochs=2, validation_fraction=0), {"window_size": [8, 15]}, cv=GroupKFold(2), error_score="raise"
    )
    search.fit(documents, labels, groups=[0, 0, 1, 1])
    assert search.best_params_["window_size"] in (8, 15)
    assert 0 <= search.best_score_ <= 1
    assert len(search.predict(documents)) == 4


def test_cross_val_predict_over_a_table_in_groups():
    table = toy_table(6)
    estimator = model(epochs=6, stride=2, batch_size=8, learning_rate=0.02, validation_fraction=0)
    found = cross_val_predict(
        estimator, table, table["label"], groups=table["doc_id"], cv=GroupKFold(2), method="predict_proba"
    )
    assert found.shape == (len(table), 3)
    order = sorted(LABELS)
    assert np.mean([order[i] for i in found.argmax(1)] == table["label"]) > 0.7


def test_cross_val_predict_over_documents_in_groups():
    documents, labels = as_documents(toy_table(4))
    found = cross_val_predict(model(validation_fraction=0), documents, labels, groups=[0, 0, 1, 1], cv=GroupKFold(2))
    assert [len(d) for d in found] == [len(d) for d in documents]
    assert set(np.concatenate(found)) <= set(LABELS)


def test_a_label_that_a_fold_lacks_is_no_error():
    table = toy_table(2)
    fold = table[table["label"] != "Nomenclature"]
    made = model(validation_fraction=0).fit(fold, labels=LabelSet(tuple(LABELS)))
    with pytest.raises(DataError, match="No line has the label 'Nomenclature'"):
        model().fit(fold, labels=LABELS)
    assert made.predict_proba(table).shape == (80, 3)


def test_numbers_of_numpy_are_taken_as_a_random_search_hands_them_over():
    table = toy_table(2)
    numpy = {
        "hidden_size": np.int64(6),
        "dropout": np.float32(0.25),
        "refit": np.bool_(False),
        "window_size": np.int32(8),
        "random_state": np.int64(7),
    }
    plain = {"hidden_size": 6, "dropout": 0.25, "refit": False, "window_size": 8, "random_state": 7}
    found, expected = (model(**values).fit(table) for values in (numpy, plain))
    np.testing.assert_array_equal(found.predict_proba(table), expected.predict_proba(table))
    assert found.bundle().state["parameters"] == expected.bundle().state["parameters"]


def test_random_search_over_integers():
    documents, labels = as_documents(toy_table(4))
    choices = {"hidden_size": randint(3, 6), "dropout": uniform(0, 0.5), "ensemble_size": randint(1, 2)}
    search = RandomizedSearchCV(
        model(validation_fraction=0), choices, n_iter=2, cv=GroupKFold(2), random_state=0, error_score="raise"
    )
    search.fit(documents, labels, groups=[0, 0, 1, 1])
    assert isinstance(search.best_params_["hidden_size"], (int, np.integer))


@pytest.mark.parametrize("state", [None, np.random.RandomState(3), np.random.default_rng(3)])
def test_generators_draw_a_seed_that_is_saved(state):
    table = toy_table(2)
    made = model(random_state=state).fit(table)
    seed = made.bundle().state["parameters"]["random_state"]
    again = model(random_state=seed).fit(table)
    np.testing.assert_array_equal(again.predict_proba(table), made.predict_proba(table))


@pytest.mark.parametrize("state", [-1, 2**63, 1.5, "x", True])
def test_what_is_no_seed_is_refused_by_name(state):
    with pytest.raises(ValueError, match="random_state must be None, a generator of NumPy or a whole number"):
        model(random_state=state).fit(toy_table(2))


def test_every_parameter_is_documented_with_its_default():
    text = inspect.getdoc(RNNSkolModel)
    for name, parameter in PARAMETERS.items():
        entry = re.search(rf"^{name} : (.*)$", text, re.MULTILINE)
        assert entry, name
        if parameter.default is None:
            assert "optional" in entry[1], name
        else:
            stated = f'"{parameter.default}"' if isinstance(parameter.default, str) else str(parameter.default)
            assert f"default {stated}" in entry[1], name
