"""Evaluation against scikit-learn on generated data, and what it must not hide."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

from skol_rnn.evaluation.evaluate import EPSILON, UNITS, evaluate_labels, of_documents, rare_labels, score_rows
from skol_rnn.evaluation.fragments import FragmentScorer
from skol_rnn.evaluation.result import f1_from_counts
from skol_rnn.labels import LabelSet

LABELS = LabelSet(("Description", "Misc", "Nomenclature"))


@pytest.fixture(autouse=True)
def _quiet_sklearn() -> Iterator[None]:
    with warnings.catch_warnings():
        # scikit-learn remarks that labels are absent from a small sample; that is what these tests are about.
        warnings.filterwarnings("ignore", module="sklearn")
        yield


@st.composite
def predictions(draw: st.DrawFn, least: int = 1) -> tuple[np.ndarray, np.ndarray, LabelSet]:
    k = draw(st.integers(1, 6))
    n = draw(st.integers(least, 40))
    true = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    predicted = draw(st.lists(st.integers(-1, k - 1), min_size=n, max_size=n))
    return np.array(true, int), np.array(predicted, int), LabelSet(tuple(f"L{i}" for i in range(k)))


@settings(deadline=None)
@given(predictions())
def test_scores_are_scikit_learns_and_a_missing_prediction_is_an_error(
    data: tuple[np.ndarray, np.ndarray, LabelSet],
) -> None:
    true, predicted, labels = data
    every = np.arange(len(labels))
    # For scikit-learn a missing prediction is one more class, outside the averaged ones.
    given_ = np.where(predicted < 0, len(labels), predicted)
    e = evaluate_labels(true, predicted, labels)
    expected = precision_recall_fscore_support(true, given_, labels=every, zero_division=0)
    for ours, theirs in zip((e.precision, e.recall, e.f1, e.support), expected, strict=True):
        np.testing.assert_allclose(ours, theirs)
    for average, ours3 in (
        ("macro", (e.macro_precision, e.macro_recall, e.macro_f1)),
        ("weighted", (e.weighted_precision, e.weighted_recall, e.weighted_f1)),
    ):
        theirs3 = precision_recall_fscore_support(true, given_, labels=every, average=average, zero_division=0)[:3]
        np.testing.assert_allclose(ours3, theirs3)
    np.testing.assert_array_equal(e.confusion, confusion_matrix(true, given_, labels=[*every, len(labels)])[:-1, :-1])
    np.testing.assert_array_equal(e.missing, np.bincount(true[predicted < 0], minlength=len(labels)))
    assert e.accuracy == pytest.approx(accuracy_score(true, given_))


@settings(deadline=None)
@given(predictions(), st.integers(0, 2**32 - 1))
def test_loss_is_scikit_learns_by_class_and_over_all(data: tuple[np.ndarray, np.ndarray, LabelSet], seed: int) -> None:
    true, predicted, labels = data
    k = len(labels)
    probabilities = np.random.default_rng(seed).dirichlet(np.full(k, 0.1), len(true))
    e = evaluate_labels(true, predicted, labels, probabilities=probabilities)
    # scikit-learn refuses a single column; a second, empty class changes no loss.
    padded = np.hstack([probabilities, np.zeros((len(true), 1))])
    for label in range(k):
        rows = true == label
        if rows.any():
            expected = log_loss(true[rows], padded[rows], labels=np.arange(k + 1))
            assert e.loss[label] == pytest.approx(expected, abs=1e-9)
        else:
            assert math.isnan(e.loss[label])
    assert e.mean_loss == pytest.approx(log_loss(true, padded, labels=np.arange(k + 1)), abs=1e-9)


@settings(deadline=None)
@given(predictions(), st.data())
def test_by_character_is_scikit_learn_weighted_by_length(
    data: tuple[np.ndarray, np.ndarray, LabelSet], draw: st.DataObject
) -> None:
    true, predicted, labels = data
    lengths = np.array(draw.draw(st.lists(st.integers(1, 200), min_size=len(true), max_size=len(true))))
    characters = evaluate_labels(true, predicted, labels, lengths=lengths).by_character
    assert characters is not None
    assert characters.unit == "character"
    given_ = np.where(predicted < 0, len(labels), predicted)
    expected = f1_score(
        true, given_, labels=np.arange(len(labels)), average="macro", sample_weight=lengths, zero_division=0
    )
    assert characters.macro_f1 == pytest.approx(expected)
    assert characters.support.sum() == lengths.sum()


def test_character_losses_weigh_lines_by_length() -> None:
    probabilities = np.array([[0.5, 0.5, 0], [0.25, 0.75, 0]])
    e = evaluate_labels([0, 0], [0, 1], LABELS, probabilities=probabilities, lengths=[1, 3])
    assert e.loss[0] == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert e.by_character is not None
    assert e.by_character.loss[0] == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)
    np.testing.assert_array_equal(e.by_character.confusion, [[1, 3, 0], [0, 0, 0], [0, 0, 0]])


def test_without_lengths_documents_or_probabilities_those_parts_are_empty() -> None:
    e = evaluate_labels([0, 1], [0, 1], LABELS)
    assert (e.by_character, e.per_document) == (None, ())
    assert np.isnan(e.loss).all()
    assert math.isnan(e.mean_loss)


def test_lines_without_a_true_label_are_left_out_of_everything() -> None:
    rng = np.random.default_rng(1)
    true, predicted = rng.integers(0, 3, 50), rng.integers(-1, 3, 50)
    extra = np.array([-1] * 9)
    probabilities = rng.dirichlet([1, 1, 1], 59)
    probabilities[50:] = np.nan
    alone = evaluate_labels(true, predicted, LABELS, probabilities=probabilities[:50], lengths=[3] * 50)
    padded = evaluate_labels(
        np.concatenate([true, extra]),
        np.concatenate([predicted, rng.integers(-1, 3, 9)]),
        LABELS,
        probabilities=probabilities,
        lengths=[3] * 59,
        documents=["a"] * 50 + ["only unlabelled"] * 9,
    )
    assert padded.to_dict() == alone.to_dict()
    assert padded.missing_probabilities == 0
    assert [name for name, _ in padded.per_document] == ["a"]
    assert padded.by_character.to_dict() == alone.by_character.to_dict()


def test_missing_predictions_and_probabilities_cost_and_are_counted() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [np.nan] * 3, [0, 1, 0]])
    e = evaluate_labels([0, 0, 0], [0, -1, 1], LABELS, probabilities=probabilities)
    assert e.accuracy == pytest.approx(1 / 3)
    assert e.confusion.sum() == 2
    assert e.missing.tolist() == [1, 0, 0]
    assert e.to_dict()["missing_predictions"] == 1
    assert e.missing_probabilities == 1
    assert e.loss[0] == pytest.approx((-math.log(0.9) - 2 * math.log(EPSILON)) / 3)
    found = " ".join(e.warnings())
    assert "1 of 3 lines got no prediction" in found
    assert "1 of 3 lines got no probabilities" in found


def test_failures_never_improve_the_loss() -> None:
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 30)
    true = np.arange(30) % 3
    whole = evaluate_labels(true, true, LABELS, probabilities=probabilities)
    probabilities[::7] = np.nan
    assert evaluate_labels(true, true, LABELS, probabilities=probabilities).mean_loss > whole.mean_loss


@settings(deadline=None)
@given(predictions())
def test_documents_add_up_and_keep_the_order_of_first_appearance(
    data: tuple[np.ndarray, np.ndarray, LabelSet],
) -> None:
    true, predicted, labels = data
    documents = [("z", "a", "m")[i % 3] for i in range(len(true))]
    e = evaluate_labels(true, predicted, labels, documents=documents, lengths=np.arange(len(true)))
    assert [name for name, _ in e.per_document] == ["z", "a", "m"][: len(true)]
    for name, part in e.per_document:
        rows = np.array(documents) == name
        alone = evaluate_labels(true[rows], predicted[rows], labels, important=e.important)
        assert part.history() == pytest.approx(alone.history(), nan_ok=True)
        np.testing.assert_array_equal(part.confusion, alone.confusion)
        assert part.important == e.important
    parts = [part for _, part in e.per_document]
    for column in ("confusion", "missing", "by_character.confusion"):
        read = attrgetter(column)
        np.testing.assert_array_equal(np.sum([read(part) for part in parts], axis=0), read(e))


def test_important_is_all_but_the_most_frequent_true_label_or_what_is_given() -> None:
    true, predicted = [1, 1, 1, 0, 2], [1, 1, 0, 0, 1]
    e = evaluate_labels(true, predicted, LABELS)
    assert e.important == ("Description", "Nomenclature")
    assert e.important_f1 == pytest.approx(e.f1[[0, 2]].mean())
    chosen = evaluate_labels(true, predicted, LABELS, important=["Nomenclature"], lengths=[1] * 5, documents=["d"] * 5)
    assert chosen.important_f1 == e.f1[2]
    assert chosen.by_character is not None
    assert {part.important for part in (chosen.by_character, chosen.per_document[0][1])} == {("Nomenclature",)}
    assert evaluate_labels([0], [0], LabelSet(("only",))).important == ("only",)


def test_nothing_scored_gives_zeros_not_errors() -> None:
    e = evaluate_labels([], [], LABELS, probabilities=np.empty((0, 3)), documents=[], lengths=[])
    assert (e.accuracy, e.macro_f1, e.weighted_f1, e.important_f1) == (0, 0, 0, 0)
    assert math.isnan(e.mean_loss)
    assert "Nothing was scored" in e.warnings()[0]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"true": [0, 3]}, ValueError, "true holds 3; 3 labels allow -1 to 2"),
        ({"predicted": [0, -2]}, ValueError, "predicted holds -2"),
        ({"predicted": [0]}, ValueError, "predicted has 1 elements, but true has 2"),
        ({"true": [0.0, 1.0]}, TypeError, "true must hold integers"),
        ({"true": ["Misc", "Misc"]}, TypeError, "LabelSet.encode"),
        ({"true": [[0, 1]]}, ValueError, "one dimension"),
        ({"documents": ["a"]}, ValueError, "documents has 1"),
        ({"lengths": [1]}, ValueError, "lengths has 1"),
        ({"lengths": [1, -1]}, ValueError, "lengths holds -1"),
        ({"probabilities": np.ones((2, 2))}, ValueError, r"shape \(2, 3\)"),
        ({"probabilities": np.full((2, 3), 4.0)}, ValueError, "between 0 and 1"),
        ({"probabilities": np.full((2, 3), -np.inf)}, ValueError, "between 0 and 1"),
        ({"important": ["Nomenclatur"]}, ValueError, "Did you mean 'Nomenclature'"),
        ({"important": []}, ValueError, "at least one label"),
        ({"important": "Misc"}, ValueError, "must be a list"),
        ({"unit": "lines"}, ValueError, "Did you mean 'line'"),
    ],
)
def test_bad_arguments_are_refused(changes: dict, error: type[Exception], message: str) -> None:
    arguments = {"true": [0, 1], "predicted": [0, 1], "labels": LABELS} | changes
    with pytest.raises(error, match=message):
        evaluate_labels(**arguments)


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_is_carried_along(unit: str) -> None:
    assert evaluate_labels([0], [0], LABELS, unit=unit).to_dict()["unit"] == unit


def test_dict_has_the_legacy_keys_with_their_stated_meaning_and_is_json() -> None:
    true, predicted = [1, 1, 1, 0, 2], [1, 1, 0, 0, 1]
    e = evaluate_labels(true, predicted, LABELS, probabilities=np.full((5, 3), 1 / 3))
    scores = e.to_dict()
    assert scores["f1_score"] == pytest.approx(f1_score(true, predicted, average="weighted", zero_division=0))
    assert (scores["precision"], scores["recall"]) == (e.weighted_precision, e.weighted_recall)
    assert scores["loss"] == pytest.approx(math.log(3))
    assert scores["total_predictions"] == 5.0
    for i, name in enumerate(LABELS):
        assert scores[f"{name}_accuracy"] == scores[f"{name}_recall"] == e.recall[i]
        assert scores[f"{name}_precision"] == e.precision[i]
        assert scores[f"{name}_f1"] == e.f1[i]
        assert scores[f"{name}_loss"] == pytest.approx(math.log(3))
        assert scores[f"{name}_support"] == e.support[i]
    assert json.loads(json.dumps(scores)) == scores
    assert scores["confusion_matrix"] == e.confusion.tolist()


def test_an_average_keeps_its_key_when_a_label_is_called_like_it() -> None:
    e = evaluate_labels([0, 1, 1, 1], [0, 0, 1, 1], LabelSet(("macro", "b")))
    assert e.f1[0] != e.macro_f1
    assert e.to_dict()["macro_f1"] == e.macro_f1


def test_history_names_follow_the_training_log() -> None:
    e = evaluate_labels([0, 1, 2], [0, 1, 1], LABELS, probabilities=np.full((3, 3), 1 / 3))
    logs = e.history()
    columns = {f"val_{key}/{name}" for key in ("f1", "precision", "recall", "loss") for name in LABELS}
    assert set(logs) == columns | {"val_important_f1", "val_macro_f1", "val_accuracy"}
    assert logs["val_f1/Misc"] == e.f1[1]
    assert logs["val_loss/Misc"] == pytest.approx(math.log(3))
    assert all(type(value) is float for value in logs.values())
    assert set(e.history("test_")) == {"test_" + key.removeprefix("val_") for key in logs}


def test_a_constant_majority_predictor_is_called_what_it_is() -> None:
    e = evaluate_labels([1] * 90 + [0] * 8 + [2] * 2, [1] * 100, LABELS)
    assert e.macro_f1 == pytest.approx(e.f1[1] / 3)
    (sentence,) = e.warnings()
    assert sentence.startswith("Only one class is predicted: all 100 lines got 'Misc'")
    assert "'Description' (8 lines)" in sentence
    assert "'Nomenclature' (2 lines)" in sentence
    assert "only which class is the most frequent" in sentence


def test_one_class_predicted_where_only_that_class_is_true_is_no_warning() -> None:
    assert evaluate_labels([1] * 50, [1] * 50, LABELS).warnings() == []


def test_a_class_never_predicted_is_named_with_its_support() -> None:
    (sentence,) = evaluate_labels([0] * 30 + [1] * 30 + [2], [0] * 30 + [1] * 31, LABELS).warnings()
    assert sentence.startswith("Never predicted: 'Nomenclature' (1 line);")


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ((20, 180), (40, 160), []),
        ((20, 180), (41, 159), ["Predicted too often"]),
        ((40, 160), (19, 181), ["Predicted too rarely"]),
        ((40, 160), (20, 180), []),
        ((3, 197), (19, 181), []),
        ((3, 197), (20, 180), ["Predicted too often"]),
    ],
)
def test_predicted_shares_more_than_twice_off_are_reported(true: tuple, predicted: tuple, expected: list[str]) -> None:
    labels = LabelSet(("Nomenclature", "Misc"))
    found = evaluate_labels(np.repeat([0, 1], true), np.repeat([0, 1], predicted), labels).warnings()
    assert len(found) == len(expected)
    for sentence, seen in zip(found, expected, strict=True):
        assert sentence.startswith(f"{seen}: 'Nomenclature' ({predicted[0] / 200:.2%} of the predictions, ")


def test_good_predictions_raise_no_warning() -> None:
    true = np.arange(300) % 3
    assert evaluate_labels(true, true, LABELS, probabilities=np.eye(3)[true]).warnings() == []


def test_warnings_give_no_advice_because_the_decision_is_unknown() -> None:
    found = (
        evaluate_labels([0] * 9 + [1] * 90, [1] * 99, LABELS).warnings() + evaluate_labels([0], [-1], LABELS).warnings()
    )
    assert len(found) == 3
    assert not any(word in sentence for sentence in found for word in ("weight", "decision", "check", "="))


def test_rare_labels_are_all_but_the_most_frequent() -> None:
    assert rare_labels(np.array([3, 9, 9]), LABELS) == ["Description", "Nomenclature"]
    assert rare_labels(np.array([3]), LabelSet(("only",))) == ["only"]


def test_f1_from_counts_is_zero_without_counts() -> None:
    assert f1_from_counts(np.array([1, 0]), np.array([2, 0]), np.array([2, 0])).tolist() == [0.5, 0.0]


def test_repr_is_one_short_line() -> None:
    e = evaluate_labels([0, 1], [0, 1], LABELS, documents=["a", "b"])
    assert repr(e) == "Evaluation(unit='line', labels=3, support=2, macro_f1=0.6667, accuracy=1.0000)"


def test_a_hundred_thousand_rows_with_24_labels_are_counted() -> None:
    rng = np.random.default_rng(0)
    labels = LabelSet(tuple(f"L{i}" for i in range(24)))
    true, predicted = rng.integers(0, 24, (2, 100_000))
    documents = [f"doc{i // 500}" for i in range(100_000)]
    e = evaluate_labels(true, predicted, labels, documents=documents, lengths=np.full(100_000, 60))
    assert e.to_dict()["total_predictions"] == 100_000
    assert len(e.per_document) == 200


def test_rows_are_scored_by_character_and_document_and_bio_tokens_by_fragment() -> None:
    labels = LabelSet(("B-A", "I-A", "O"))
    table = pd.DataFrame({"doc_id": ["x", "x", "y"], "value": ["abcd", "ef", "ghi"]})
    rows: Any = SimpleNamespace(table=table, true=np.array([0, 1, -1]), lengths=[2, 1])
    e = score_rows(rows, np.array([0, 2, 2]), None, labels, None, "token")
    # The true span has 7 characters, a blank included, of which the predicted one covers 4.
    assert e.fragment_f1 == pytest.approx(2 * 4 / 7 / (1 + 4 / 7))
    assert e.history()["val_fragment_f1"] == e.to_dict()["fragment_f1"] == e.fragment_f1
    assert e.by_character is not None and e.by_character.confusion.sum() == 6
    assert [name for name, _ in e.per_document] == ["x"]
    assert score_rows(rows, np.array([0, 2, 2]), None, labels, ["B-A"]).fragment_f1 is None
    placed: Any = SimpleNamespace(table=table.assign(start=[0, 10, 0], end=[4, 12, 3]), true=rows.true, lengths=[2, 1])
    assert FragmentScorer.of(placed, labels).sums(np.array([0, 2, 2])).recall.tolist() == pytest.approx([4 / 12, 0])


def test_counts_of_some_documents_are_those_of_an_evaluation_of_them() -> None:
    rng = np.random.default_rng(0)
    labels = LabelSet(("a", "b", "c"))
    true, predicted = rng.integers(0, 3, 60), rng.integers(-1, 3, 60)
    names = np.repeat(["x", "y", "z"], 20)
    probabilities, sizes = rng.dirichlet(np.ones(3), 60), rng.integers(1, 9, 60)
    whole = evaluate_labels(true, predicted, labels, probabilities=probabilities, documents=names, lengths=sizes)
    kept = names != "y"
    alone = evaluate_labels(
        true[kept],
        predicted[kept],
        labels,
        probabilities=probabilities[kept],
        documents=names[kept],
        lengths=sizes[kept],
        important=whole.important,
    )
    found = of_documents(whole, {"x", "z"})
    np.testing.assert_allclose(found.loss_sums, alone.loss_sums)
    np.testing.assert_array_equal(found.confusion, alone.confusion)
    np.testing.assert_array_equal(found.missing, alone.missing)
    np.testing.assert_array_equal(found.by_character.confusion, alone.by_character.confusion)
    assert [name for name, _ in found.per_document] == ["x", "z"]
