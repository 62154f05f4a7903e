"""Model selection of scikit-learn over documents: scorers, names of scores, lines as samples, estimator checks."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import randint
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score, log_loss, make_scorer, recall_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import has_fit_parameter
from toy import LABELS, QUICK, SMALL, as_documents, toy_table

from skol_rnn import FlatClassifier, RNNSkolModel, flatten, scorers
from skol_rnn.errors import DataError, SeenWarning
from skol_rnn.labels import LabelSet
from skol_rnn.scorers import f1_of, flat, fragment_f1, important_f1, macro_f1, recall_at_precision

NAMES = [
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_weighted",
    "jaccard_macro",
    "neg_log_loss",
    "matthews_corrcoef",
]
WITH_ABSENT = [name for name in NAMES if name != "neg_log_loss"]


def model(**changes):
    return RNNSkolModel(**{**SMALL, **QUICK, "epochs": 1, "validation_fraction": 0, **changes})


def uneven(documents=4):
    """Return documents of different lengths; only the last has the label Rare."""
    texts, labels = as_documents(toy_table(documents, 16))
    labels[-1] = ["Rare" if label == "Nomenclature" else label for label in labels[-1]]
    return [text[i:] for i, text in enumerate(texts)], [part[i:] for i, part in enumerate(labels)]


def pooled(nested):
    return [label for part in nested for label in part]


@pytest.fixture(scope="module")
def trained():
    documents, labels = uneven()
    return model(important=["Nomenclature"]).fit(documents[:3], labels[:3])  # knows nothing of Rare


# -- scorers ----------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_all_lines_under_all_labels(trained):
    documents, labels = uneven()
    true, predicted = pooled(labels), pooled(trained.predict(documents))
    every = sorted([*LABELS, "Rare"])
    f1 = dict(zip(every, f1_score(true, predicted, labels=every, average=None, zero_division=0), strict=True))
    assert macro_f1(trained, documents, labels) == pytest.approx(np.mean(list(f1.values())))
    assert important_f1(trained, documents, labels) == pytest.approx(f1["Nomenclature"])
    assert trained.score(documents, labels) == important_f1(trained, documents, labels)
    assert f1_of("Description")(trained, documents, labels) == pytest.approx(f1["Description"])
    assert f1_of("Rare")(trained, documents, labels) == 0.0
    assert flat("f1_macro")(trained, documents, labels) == pytest.approx(np.mean(list(f1.values())))
    assert flat("balanced_accuracy")(trained, documents, labels) == pytest.approx(
        recall_score(true, predicted, labels=every, average="macro")
    )


def test_unlabelled_lines_are_not_scored(trained):
    documents, labels = uneven()
    some = [[label if i % 2 else None for i, label in enumerate(part)] for part in labels]
    known = [(t, p) for t, p in zip(pooled(some), pooled(trained.predict(documents)), strict=True) if t]
    expected = np.mean([t == p for t, p in known])
    assert flat("accuracy")(trained, documents, some) == pytest.approx(expected)


def test_log_loss_reads_the_columns_of_a_model_whose_labels_are_in_another_order():
    documents, labels = uneven()
    made = model().fit(documents[:3], labels[:3], labels=LABELS)  # Nomenclature first, Description second
    assert made.labels_ == LABELS
    order = np.argsort(LABELS)
    probabilities = np.concatenate(made.predict_proba(documents[:3]))[:, order]
    expected = -log_loss(pooled(labels[:3]), probabilities, labels=sorted(LABELS))
    assert flat("neg_log_loss")(made, documents[:3], labels[:3]) == pytest.approx(expected)


def test_recall_at_precision_is_that_of_the_best_threshold(trained):
    documents, labels = uneven()
    true = np.array(pooled(labels)) == "Description"
    p = np.concatenate(trained.predict_proba(documents))[:, trained.labels_.index("Description")]
    for least in (0.1, 0.5, 0.9, 1.0):
        reached = [true[p >= t].sum() / true.sum() for t in np.unique(p) if true[p >= t].mean() >= least]
        found = recall_at_precision("Description", least)(trained, documents, labels)
        assert found == pytest.approx(max(reached, default=0.0))
    assert recall_at_precision("Rare", 0.5)(trained, documents[:3], [["Rare"] * len(d) for d in documents[:3]]) >= 0
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        recall_at_precision("Description", 0)


@pytest.mark.parametrize("make", [f1_of, lambda name: recall_at_precision(name, 0.9)])
def test_a_misspelt_label_is_an_error_with_the_nearest_name(trained, make):
    documents, labels = uneven()
    with pytest.raises(ValueError, match="Did you mean 'Nomenclature'"):
        make("Nomenclatura")(trained, documents, labels)


def test_a_misspelt_score_is_an_error_at_once():
    with pytest.raises(ValueError, match="f1_makro"):
        flat("f1_makro")


def test_fragment_f1_is_that_of_the_evaluation_and_needs_spans(trained, monkeypatch):
    documents, labels = uneven()
    with pytest.raises(ValueError, match="needs BIO labels"):
        fragment_f1(trained, documents, labels)
    # As if lines were tokens: names and descriptions are the spans.
    renamed = {"Nomenclature": "B-NAME", "Description": "I-NAME", "Misc": "O", "Rare": "B-PLACE"}
    spans = clone(trained)
    spans.__setstate__(trained.__getstate__())
    spans.labels_ = [renamed[label] for label in trained.labels_]
    spans.unit, spans.important = "token", None
    spans._predictor = replace(spans._predictor, labels=LabelSet(tuple(spans.labels_)))
    monkeypatch.setattr(type(spans._predictor), "probabilities", lambda self, table: np.eye(3)[[0] * len(table)])
    named = [[renamed[label] for label in part] for part in labels[:3]]
    expected = spans.evaluate(documents[:3], named).fragment_f1
    assert fragment_f1(spans, documents[:3], named) == expected is not None


def test_what_is_no_model_is_refused_by_name():
    with pytest.raises(TypeError, match="score RNNSkolModel, not list"):
        important_f1([], [], [])


def test_scorers_can_be_sent_to_other_processes(trained):
    documents, labels = uneven()
    given = [important_f1, macro_f1, fragment_f1, f1_of("Misc"), recall_at_precision("Misc", 0.9), flat("f1_macro")]
    given.append(flat(make_scorer(f1_score, average="macro", pos_label=None)))
    for scorer in given:
        again = pickle.loads(pickle.dumps(scorer))
        assert repr(again).split(" at ")[0] == repr(scorer).split(" at ")[0]
        if scorer is not fragment_f1:
            assert again(trained, documents, labels) == scorer(trained, documents, labels)


@pytest.mark.slow
def test_loading_the_scorers_loads_no_tensorflow():
    code = "import sys, skol_rnn; skol_rnn.scorers.important_f1; print({'tensorflow', 'keras'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


# -- cross-validation -------------------------------------------------------------------------------------------------


def test_a_label_that_a_fold_lacks_gives_no_nan():
    documents, labels = uneven()
    scoring = {
        **{name: flat(name) for name in NAMES},
        "important": important_f1,
        "macro": macro_f1,
        "rare": f1_of("Rare"),
        "recall": recall_at_precision("Nomenclature", 0.9),
    }
    # Grouped by volume: the volume with Rare is in one fold's test documents and in the other's training documents.
    found = cross_validate(
        model(), documents, labels, groups=["a", "a", "b", "b"], cv=GroupKFold(2), scoring=scoring, error_score="raise"
    )
    scores = {name.removeprefix("test_"): values for name, values in found.items() if name.startswith("test_")}
    assert set(scores) == set(scoring)
    assert all(np.isfinite(values).all() for values in scores.values())
    np.testing.assert_allclose(scores["macro"], scores["f1_macro"])
    assert scores["rare"].tolist() == [0.0, 0.0]
    assert (scores["neg_log_loss"] < 0).all()


def test_lists_of_documents_of_any_length_need_no_splitter_and_no_scoring():
    documents, labels = uneven()
    assert np.isfinite(cross_val_score(model(), documents, labels, cv=2, error_score="raise")).all()
    # This is why the model of documents is no classifier: scikit-learn reads y before it splits.
    with pytest.raises(ValueError, match="legacy multi-label"):
        cross_val_score(FlatClassifier(model()), documents, labels, cv=2, error_score="raise")


@pytest.mark.slow
def test_searches_over_numbers_of_numpy_choose_by_a_scorer_in_volumes():
    documents, labels = uneven()
    volumes = [0, 0, 1, 1]
    search = RandomizedSearchCV(
        model(),
        {"hidden_size": randint(3, 6), "window_size": np.array([8]), "refit": np.array([False])},
        n_iter=1,
        cv=GroupKFold(2),
        scoring={"macro": macro_f1, "accuracy": flat("accuracy")},
        refit="macro",
        random_state=0,
        error_score="raise",
    ).fit(documents, labels, groups=volumes)
    assert isinstance(search.best_params_["hidden_size"], (int, np.integer))
    assert search.score(documents, labels) == macro_f1(search, documents, labels)


@pytest.mark.slow
def test_an_important_label_that_a_fold_lacks_is_scored_where_the_labels_of_all_folds_are_named():
    documents, labels = uneven(5)
    every = LabelSet((*LABELS, "Rare"))
    for estimator, X, y, groups in (
        (model(important=["Rare"]), documents, labels, None),
        (FlatClassifier(model(important=["Rare"])), *flatten(documents, labels)),
    ):
        cv = GroupKFold(2) if groups is not None else 2
        found = cross_val_score(
            estimator, X, y, groups=groups, cv=cv, scoring=important_f1, params={"labels": every}, error_score="raise"
        )
        assert found.tolist() == [0.0, 0.0]


@pytest.mark.slow
def test_grid_search_by_each_name_in_processes():
    documents, labels = uneven()
    scoring = {name: flat(name) for name in NAMES}
    search = GridSearchCV(
        model(), {"hidden_size": [3]}, scoring=scoring, refit="f1_macro", cv=2, n_jobs=2, error_score="raise"
    ).fit(documents, labels)
    assert all(np.isfinite(search.cv_results_[f"mean_test_{name}"]).all() for name in NAMES)


# -- lines as samples -------------------------------------------------------------------------------------------------


def test_the_names_of_scores_work_as_they_are_where_lines_are_the_samples():
    X, y, groups = flatten(*uneven())
    classifier = FlatClassifier(model())
    assert is_classifier(classifier) and not is_classifier(model())
    cv = StratifiedGroupKFold(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of labels that a fold lacks
        warnings.simplefilter("error", SeenWarning)
        found = cross_validate(classifier, X, y, groups=groups, cv=cv, scoring=WITH_ABSENT, error_score="raise")
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in WITH_ABSENT)


def test_a_flat_classifier_predicts_what_its_model_does_for_names_and_numbers():
    documents, labels = uneven(3)
    X, y, _ = flatten(documents, labels)
    numbers = np.unique(y, return_inverse=True)[1] + 8  # 8 to 10, which sort otherwise as text
    flat_model = FlatClassifier(model()).fit(X, numbers, sample_weight=np.ones(len(X)))
    plain = flat_model.estimator_
    assert flat_model.classes_.tolist() == [8, 9, 10, 11][: len(flat_model.classes_)]
    assert flat_model.predict(X).tolist() == [int(name) for name in pooled(plain.predict(documents))]
    np.testing.assert_array_equal(flat_model.predict_proba(X), np.concatenate(plain.predict_proba(documents)))
    assert flat_model.score(X, numbers) == important_f1(flat_model, X, numbers)


class NoTraining(BaseEstimator):
    """Stands for a model where nothing depends on what it predicts."""

    line_no_col = "line_number"

    def fit(self, rows, y, labels):
        return self

    def predict(self, rows):
        return rows.assign(prediction=0)


def test_documents_torn_apart_by_a_split_are_reported():
    X, _, _ = flatten(*uneven(2))
    even = np.arange(len(X)) % 2 == 0
    torn = FlatClassifier(NoTraining()).fit(X[even], np.full(even.sum(), "Misc"))
    with pytest.warns(SeenWarning, match="other lines of the document '0'.* Split by document"):
        torn.predict(X[~even])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torn.predict(X[even])


@pytest.mark.parametrize(
    ("X", "y", "kind", "sentence"),
    [
        (uneven()[0], uneven()[1][0], TypeError, "one row a line, not list: flatten"),
        (flatten(*uneven())[0], None, ValueError, "requires y to be passed"),
        (flatten(*uneven())[0], [None, *flatten(*uneven())[1][1:]], DataError, "Row 0 has no label"),
        (flatten(*uneven())[0], np.linspace(0, 1, len(flatten(*uneven())[0])), ValueError, "Unknown label type"),
    ],
)
def test_what_a_flat_classifier_cannot_learn_from_is_said(X, y, kind, sentence):
    with pytest.raises(kind, match=sentence):
        FlatClassifier(model()).fit(X, y)


# -- scikit-learn's own checks ----------------------------------------------------------------------------------------

_NUMBERS = "its X are numbers, ours are texts; "
_OWN = "tests/test_contract.py checks the same with documents"
CANNOT = {
    "check_fit_score_takes_y": _NUMBERS + "fit and score take y as their second argument",
    "check_estimators_overwrite_params": _NUMBERS + _OWN,
    "check_dont_overwrite_parameters": _NUMBERS + _OWN,
    "check_estimators_fit_returns_self": _NUMBERS + _OWN,
    "check_readonly_memmap_input": _NUMBERS + "texts are no memory maps",
    "check_n_features_in_after_fitting": _NUMBERS + "texts have no number of features",
    "check_positive_only_tag_during_fit": _NUMBERS + "texts have no sign",
    "check_estimators_dtypes": _NUMBERS + "texts have no number type",
    "check_complex_data": _NUMBERS + "a complex number is refused as any other",
    "check_dtype_object": _NUMBERS + "an object that is no text is refused",
    "check_estimators_empty_data_messages": _NUMBERS + "there are no features to be empty",
    "check_pipeline_consistency": _NUMBERS + "a pipeline would have to start with documents",
    "check_estimators_nan_inf": _NUMBERS + "NaN is refused as any other number",
    "check_estimator_sparse_tag": _NUMBERS + "texts are not sparse",
    "check_estimator_sparse_array": _NUMBERS + "texts are not sparse",
    "check_estimator_sparse_matrix": _NUMBERS + "texts are not sparse",
    "check_estimators_pickle": _NUMBERS + _OWN,
    "check_f_contiguous_array_estimator": _NUMBERS + "texts have no memory order",
    "check_methods_sample_order_invariance": _NUMBERS + "the order of lines matters on purpose",
    "check_methods_subset_invariance": _NUMBERS + "a line is predicted in its context on purpose",
    "check_fit2d_1sample": _NUMBERS + "one document is enough",
    "check_fit2d_1feature": _NUMBERS + "texts have no number of features",
    "check_dict_unchanged": _NUMBERS + _OWN,
    "check_fit_idempotent": _NUMBERS + "equal seeds give equal predictions, which tests/training checks",
    "check_fit_check_is_fitted": _NUMBERS + _OWN,
    "check_n_features_in": _NUMBERS + "texts have no number of features",
    "check_fit1d": _NUMBERS + "a list of numbers is refused with a TypeError",
    "check_fit2d_predict1d": _NUMBERS + "a list of numbers is refused with a TypeError",
}
CANNOT_MODEL = {
    "check_do_not_raise_errors_in_init_or_set_params": "former names come as **renamed; a misspelt one is refused at once",
    **{
        f"check_sample_weight{name}": _NUMBERS + "tests/training/test_sample_weight.py checks weights of lines"
        for name in ("s_pandas_series", "s_not_an_array", "s_list", "s_shape", "s_not_overwritten")
    },
    "check_sample_weight_equivalence_on_dense_data": _NUMBERS
    + "a line cannot be repeated without changing its context",
    "check_all_zero_sample_weights_error": _NUMBERS + "tests/training/test_sample_weight.py checks weights of lines",
    **CANNOT,
}
CANNOT_FLAT = {
    **{
        name: _NUMBERS + "a table of texts has its own checks above"
        for name in (
            "check_classifier_data_not_an_array",
            "check_classifiers_one_label",
            "check_classifiers_one_label_sample_weights",
            "check_classifiers_classes",
            "check_classifiers_train",
            "check_supervised_y_2d",
        )
    },
    **{name: reason for name, reason in CANNOT.items() if name != "check_complex_data"},
}
"""Checks of scikit-learn that do not pass, and why; all others do."""
PASS = {
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_estimators_unfitted",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
}


def claiming_numbers(estimator):
    """Return the estimator as one of number matrices: for any other, scikit-learn leaves all checks out."""

    class Claiming(type(estimator)):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.two_d_array = True
            return tags

    return Claiming(**estimator.get_params(deep=False))


@pytest.mark.parametrize(
    ("estimator", "cannot", "more"),
    [
        (model(), CANNOT_MODEL, set()),
        (
            FlatClassifier(model()),
            CANNOT_FLAT,
            {
                "check_do_not_raise_errors_in_init_or_set_params",
                "check_classifiers_regression_target",
                "check_requires_y_none",
            },
        ),
    ],
    ids=["RNNSkolModel", "FlatClassifier"],
)
def test_the_checks_of_scikit_learn_pass_but_for_those_that_cannot(estimator, cannot, more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(claiming_numbers(estimator), on_fail=None, on_skip=None)
    failed = {result["check_name"] for result in results if result["status"] == "failed"}
    passed = {result["check_name"] for result in results if result["status"] == "passed"} - failed
    assert failed - set(cannot) == set(), "they passed before, or scikit-learn has new checks"
    assert passed & set(cannot) == set(), "they pass now: take them from the list"
    assert passed >= PASS | more


def test_tags_say_what_the_model_takes():
    tags = model().__sklearn_tags__()
    assert tags.input_tags.string and not tags.input_tags.two_d_array
    assert has_fit_parameter(model(), "sample_weight")


def test_not_trained_is_scikit_learns_not_fitted():
    with pytest.raises(NotFittedError):
        model().predict([["a"]])


def test_the_module_is_public():
    assert scorers.important_f1 is important_f1
