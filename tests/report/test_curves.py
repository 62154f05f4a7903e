"""The numbers of a report: intervals over documents, paired differences, thresholds, calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.labels import LabelSet
from skol_rnn.report import curves

LABELS = LabelSet(("Description", "Misc", "Nomenclature"))


def documents(n=12, lines=80, wrong=0.2, seed=0, names=LABELS):
    """Return true labels, predictions and document names; documents differ in how many labels are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.choice(len(names), n * lines, p=[0.3, 0.65, 0.05])
    rates = np.repeat(rng.uniform(0, 2 * wrong, n), lines)
    predicted = np.where(rng.random(n * lines) < rates, rng.choice(len(names), n * lines), true)
    return true, predicted, np.repeat([f"doc{i}" for i in range(n)], lines)


def scored(true, predicted, names, labels=LABELS):
    return evaluate_labels(true, predicted, labels, documents=names, important=["Nomenclature", "Description"])


def test_intervals_are_those_of_a_bootstrap_that_pools_the_rows_of_drawn_documents():
    true, predicted, names = documents()
    e = scored(true, predicted, names)
    found = curves.bootstrap_intervals(e, n=300, seed=1)
    rng, order = np.random.default_rng(2), list(dict.fromkeys(names))
    macro, rare = [], []
    for _ in range(300):
        rows = np.concatenate([np.flatnonzero(names == order[d]) for d in rng.integers(len(order), size=len(order))])
        f1 = f1_score(true[rows], predicted[rows], labels=[0, 1, 2], average=None, zero_division=0)
        macro.append(f1.mean())
        rare.append(f1[2])
    for interval, slow in ((found["macro_f1"], macro), (found["by_label"]["Nomenclature"]["f1"], rare)):
        assert interval == pytest.approx(tuple(np.percentile(slow, [2.5, 97.5])), abs=0.02)
        assert interval.low < np.mean(slow) < interval.high
    for k, name in enumerate(LABELS):
        for kind in ("precision", "recall", "f1"):
            interval = found["by_label"][name][kind]
            assert interval.low <= getattr(e, kind)[k] <= interval.high
    assert found["important_f1"].low < e.important_f1 < found["important_f1"].high
    assert found == curves.bootstrap_intervals(e, n=300, seed=1) != curves.bootstrap_intervals(e, n=300, seed=2)


def test_documents_and_not_lines_are_drawn():
    # Two documents, one right and one wrong: the interval spans everything, however many lines they have.
    true = np.tile([0, 1], 500)
    predicted = np.where(np.arange(1000) < 500, true, 1 - true)
    e = evaluate_labels(true, predicted, LabelSet(("a", "b")), documents=["x"] * 500 + ["y"] * 500)
    assert curves.bootstrap_intervals(e)["macro_f1"] == (0.0, 1.0)


def test_fewer_than_two_documents_have_no_interval():
    true, predicted, names = documents(1)
    assert curves.bootstrap_intervals(scored(true, predicted, names)) == {}
    assert curves.bootstrap_intervals(evaluate_labels([], [], LABELS)) == {}


def test_a_label_in_one_document_and_a_label_in_none():
    labels = LabelSet(("Misc", "once", "never"))
    e = evaluate_labels([0, 1, 0, 0, 0], [0, 1, 0, 0, 0], labels, documents=["a", "a", "b", "c", "d"])
    found = curves.bootstrap_intervals(e)
    # Resamples without the label say nothing about it, instead of an F1 of 0.
    assert found["by_label"]["once"]["f1"] == (1.0, 1.0)
    assert found["by_label"]["never"] == {"precision": None, "recall": None, "f1": None}
    # A label that never occurs counts 0 in the means, as in the evaluation itself.
    assert found["important_f1"].low <= e.important_f1 == 0.5 == found["important_f1"].high


def test_the_difference_is_paired():
    true, first, names = documents(wrong=0.3)
    # The second model mends a fifth of the errors of each document.
    second = np.where(np.arange(len(true)) % 5 == 0, true, first)
    a, b = scored(true, first, names), scored(true, second, names)
    found = curves.paired_difference(a, b)
    gain = found["important_f1"]
    assert gain.value == pytest.approx(b.important_f1 - a.important_f1) and gain.low < gain.value < gain.high
    assert gain.low > 0, "the documents differ more than the models, and still b is better on each"
    alone = curves.bootstrap_intervals(a)["important_f1"]
    assert gain.high - gain.low < 0.5 * (alone.high - alone.low)
    k = LABELS.index("Nomenclature")
    assert found["by_label"]["Nomenclature"].value == pytest.approx(b.f1[k] - a.f1[k])
    back = curves.paired_difference(b, a)["important_f1"]
    assert back == pytest.approx((-gain.value, -gain.high, -gain.low))
    assert curves.paired_difference(a, a)["macro_f1"] == (0.0, 0.0, 0.0)


def test_documents_and_labels_are_matched_by_name():
    true, first, names = documents()
    second = np.where(np.arange(len(true)) % 3 == 0, true, first)
    a, b = scored(true, first, names), scored(true, second, names)
    turned = LabelSet(LABELS.names[::-1])
    mirrored = scored(2 - true[::-1], 2 - second[::-1], names[::-1], turned)
    assert list(dict(mirrored.per_document)) == list(dict(b.per_document))[::-1]
    found, same = curves.paired_difference(a, mirrored)["by_label"], curves.paired_difference(a, b)["by_label"]
    assert list(found) == list(same) == list(LABELS)
    for name, difference in found.items():
        assert difference == pytest.approx(same[name]) and difference.low > 0


def test_what_cannot_be_compared_is_refused():
    true, predicted, names = documents()
    a = scored(true, predicted, names)
    with pytest.raises(ValueError, match="same labels and unit"):
        curves.paired_difference(a, replace(a, unit="token"))
    with pytest.raises(ValueError, match="same documents"):
        curves.paired_difference(a, scored(true[80:], predicted[80:], names[80:]))
    with pytest.raises(ValueError, match="same true labels"):
        curves.paired_difference(a, scored(np.roll(true, 1), predicted, names))


def test_many_documents_and_400_labels_take_a_moment():
    rng, labels = np.random.default_rng(0), LabelSet(tuple(f"label {i}" for i in range(400)))
    true = rng.integers(400, size=20_000)
    e = evaluate_labels(true, np.where(rng.random(20_000) < 0.5, true, 0), labels, documents=np.arange(20_000) // 400)
    found = curves.bootstrap_intervals(e)
    assert len(found["by_label"]) == 400 and found["macro_f1"].low < e.macro_f1 < found["macro_f1"].high


def probabilities(n=6000, seed=0):
    """Return true labels drawn from their probabilities: a perfectly calibrated model."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.3, 0.6, 0.1], n)
    true = np.array([rng.choice(3, p=row) for row in p])
    return true, p


def test_a_curve_keeps_its_area_and_its_ends_with_few_points():
    true, p = probabilities()
    recall, precision = curves.precision_recall(true, p, 1)
    assert len(recall) <= 402 and recall[0] == 0 and recall[-1] == 1 and (np.diff(recall) >= 0).all()
    area = float(np.sum(np.diff(recall) * precision[1:]))
    assert area == pytest.approx(average_precision_score(true == 1, p[:, 1]), abs=0.002)


def test_thresholds_are_the_best_of_all():
    true, p = probabilities(150)
    true[:20] = -1
    found = curves.best_thresholds(true, p, LABELS)
    assert list(found) == ["Description", "Nomenclature"]
    for name, best in found.items():
        k, known = LABELS.index(name), true >= 0
        scores = [f1_score(true[known] == k, p[known, k] >= t) for t in np.unique(p[known, k])]
        assert best.f1 == pytest.approx(max(scores))
        assert f1_score(true[known] == k, p[known, k] >= best.threshold) == pytest.approx(best.f1)
        precision, recall, _ = precision_recall_curve(true[known] == k, p[known, k])
        assert (best.precision, best.recall) in list(zip(precision.tolist(), recall.tolist(), strict=True))
    assert list(curves.best_thresholds(true, p, LABELS, ["Misc"])) == ["Misc"]
    assert curves.best_thresholds(np.full(150, -1), p, LABELS, ["Misc"]) == {}


def test_reliability_of_a_calibrated_and_of_an_overconfident_model():
    true, p = probabilities()
    means, shares, rows = curves.reliability(true, p, 0)
    assert rows.sum() == len(true) and np.average(np.abs(means - shares), weights=rows) < 0.02
    assert curves.calibration_error(true, p) < 0.02
    bold = p**4 / (p**4).sum(axis=1, keepdims=True)
    assert curves.calibration_error(true, bold) > 0.05
    assert curves.calibration_error(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])) == 0.5
    assert np.isnan(curves.calibration_error(np.array([-1]), np.array([[1.0, 0.0]])))


def test_curves_are_of_the_rare_labels_that_occur():
    true = np.array([0] * 9 + [1] * 3 + [2])
    assert curves.curve_labels(true, LabelSet(("Misc", "a", "b", "never"))) == ["a", "b"]
    many = LabelSet(tuple(map(str, range(400))))
    frequent = np.repeat(np.arange(400), np.arange(400) + 1)
    assert curves.curve_labels(frequent, many) == [str(i) for i in range(391, 399)]
    with pytest.raises(ValueError, match="Did you mean 'Misc'"):
        curves.curve_labels(true, LABELS, ["misc"])
