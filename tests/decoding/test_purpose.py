"""Decisions for a purpose: thresholds that keep promises on new documents, costs, and what the promise says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import LABELS

from skol_rnn.decoding.held_out import HeldOut
from skol_rnn.decoding.purpose import LeastCost, Threshold, check_decision, promises, read_costs, rule_of
from skol_rnn.errors import DataError

RECALL, PRECISION = "recall:Nomenclature=0.9", "precision:Nomenclature=0.8"


def collection(documents, seed, lines=400, spread=0.5):
    """Make posteriors of documents, which differ in how well they are predicted; a tenth of the lines is Nomenclature."""
    rng = np.random.default_rng(seed)
    true = rng.choice(3, documents * lines, p=[0.1, 0.2, 0.7])
    logits = rng.normal(0, 1.2, (documents * lines, 3))
    logits[np.arange(len(true)), true] += 3 + np.repeat(rng.normal(0, spread, documents), lines)
    posterior = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return HeldOut.of(posterior, true, [lines] * documents, seed)


def recalls(rule, held):
    """Return the recall of Nomenclature in each document."""
    held = held.known()
    chosen = rule.decide(held.posterior) == 0
    right, support = held.by_document(np.stack([chosen & (held.true == 0), held.true == 0], axis=1).astype(int)).T
    return right / support


def test_a_recall_is_reached_in_as_many_new_documents_as_the_promise_says():
    reached, promised = [], []
    for seed in range(30):
        rule = rule_of(RECALL, LABELS, collection(12, seed))
        reached += (recalls(rule, collection(20, 1000 + seed)) >= 0.9).tolist()
        promised.append(rule.confidence)
    assert np.mean(reached) >= np.mean(promised) - 0.03
    assert 0.8 <= np.mean(promised) < 0.9


def test_a_plain_quantile_of_all_lines_reaches_it_in_fewer():
    shares = []
    for seed in range(10):
        lines, new = collection(12, seed).known(), collection(20, 1000 + seed)
        pooled = np.quantile(lines.posterior[lines.true == 0, 0], 0.1)
        shares.append((recalls(Threshold(0, pooled, 0, 0), new) >= 0.9).mean())
    assert np.mean(shares) < 0.7


def test_a_precision_is_reached_in_as_many_new_documents_as_the_promise_says():
    reached = []
    for seed in range(20):
        rule = rule_of(PRECISION, LABELS, collection(12, seed))
        new = collection(20, 1000 + seed).known()
        chosen = rule.decide(new.posterior) == 0
        right, all_chosen = new.by_document(np.stack([chosen & (new.true == 0), chosen], axis=1).astype(int)).T
        reached += (right >= 0.8 * all_chosen).tolist()
    assert np.mean(reached) >= 0.8


def test_the_recall_costs_no_more_lines_than_it_must():
    rule = rule_of(RECALL, LABELS, held := collection(12, 3))
    lines = held.known()
    higher = Threshold(0, rule.least * 1.05, 0, 0)
    # At the threshold one group has exactly the recall; a higher one fails it.
    assert (recalls(rule, held) >= 0.9 - 1e-9).mean() > (recalls(higher, held) >= 0.9).mean()
    assert (rule.decide(lines.posterior) == 0).mean() < 0.5


@given(st.integers(0, 10_000))
def test_other_labels_keep_their_order(seed):
    posterior = np.random.default_rng(seed).dirichlet([1, 1, 1, 1], 20)
    found = Threshold(1, 0.3, 0.8, 20).decide(posterior)
    assert ((found == 1) == (posterior[:, 1] >= 0.3)).all()
    others = np.delete(posterior, 1, axis=1)
    np.testing.assert_array_equal(found[found != 1], np.array([0, 2, 3])[others.argmax(axis=1)][found != 1])


@given(st.integers(0, 10_000))
def test_the_least_cost_is_that_of_all_choices(seed):
    rng = np.random.default_rng(seed)
    posterior, costs = rng.dirichlet([1, 1, 1], 10), rng.uniform(0, 5, (3, 3))
    expected = [min(range(3), key=lambda j: sum(row[i] * costs[i, j] for i in range(3))) for row in posterior]
    assert LeastCost(costs).decide(posterior).tolist() == expected


def test_equal_costs_of_errors_are_plain_posteriors():
    posterior = np.random.default_rng(0).dirichlet([1, 1, 1], 50)
    np.testing.assert_array_equal(LeastCost(1 - np.eye(3)).decide(posterior), posterior.argmax(axis=1))


TABLE = ",Nomenclature,Description,Misc\nNomenclature,0,1,5\nDescription,1,0,1\nMisc,1,1,0\n"


def test_costs_are_read_by_the_names_of_labels(tmp_path):
    file = tmp_path / "costs.csv"
    file.write_text(TABLE)
    assert read_costs(file, LABELS)[0, 2] == 5
    assert read_costs(file, ["Misc", "Nomenclature", "Description"])[1, 0] == 5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0,1,5", "0,1,-5", "the cost of 'Misc' where 'Nomenclature' is right is '-5': write a number from 0 on"),
        ("0,1,5", "0,1,", "is ''"),
        ("0,1,5", "0,1", "is ''"),
        ("0,1,5", "0,1,nan", "is 'nan'"),
        ("0,1,5", "0,1,inf", "is 'inf'"),
        ("0,1,5", "0,1,many", "is 'many'"),
        ("Misc,1,1,0\n", "", "has no row 'Misc'"),
        (",Misc\n", "\n", "has no column 'Misc'"),
        ("Misc,1,1,0\n", "Mist,1,1,0\n", "has no row 'Misc'"),
        ("Misc,1,1,0\n", "Misc,1,1,0\nMisc,1,1,0\n", "a row twice"),
        ("Misc,1,1,0\n", "Misc,1,1,0\nOther,1,1,0\n", "has a row of no label, 'Other'"),
        (TABLE, "", "has no column"),
    ],
)
def test_a_table_of_costs_that_is_not_whole_is_refused(tmp_path, old, new, said):
    file = tmp_path / "costs.csv"
    file.write_text(TABLE.replace(old, new))
    with pytest.raises(DataError, match="costs.csv") as refused:
        read_costs(file, LABELS)
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_table_of_costs_that_cannot_be_read_is_refused(tmp_path, content):
    file = tmp_path / "costs.csv"
    if content:
        file.write_bytes(content)
    with pytest.raises(DataError, match=r"costs.csv: the costs cannot be read"):
        read_costs(file, LABELS)


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ("recall:Nomenclature", "needs a label and a share between 0 and 1: write recall:LABEL=0.95"),
        ("recall:Nomenclature=95", "between 0 and 1"),
        ("precision:=0.9", "needs a label"),
        ("cost:", "lacks its file"),
        ("recal:Nomenclature=0.9", "must be one of auto"),
        (None, "must be one of auto"),
    ],
)
def test_a_decision_of_another_form_is_refused(decision, said):
    with pytest.raises(ValueError, match="decision") as refused:
        check_decision(decision)
    assert said in str(refused.value)


def test_labels_may_hold_what_separates():
    held = collection(5, 0)
    rule = rule_of("recall:a:b=c=0.9", ["a:b=c", "Description", "Misc"], held)
    assert rule.label == 0 and promises("recall:a:b=c=0.9") and not promises("cost:x=1")


def test_too_few_lines_are_refused_with_how_many_more_are_needed():
    held = collection(1, 0, lines=100)
    there = int((held.true == 0).sum())
    with pytest.raises(DataError, match=rf"there are {there}\. Annotate at least {1000 - there} more"):
        rule_of("recall:Nomenclature=0.999", LABELS, held)
    with pytest.raises(DataError, match="no threshold reaches it"):
        rule_of("precision:Nomenclature=0.99", LABELS, HeldOut.of(np.full((60, 3), 1 / 3), np.arange(60) % 3, [60], 0))
    with pytest.raises(DataError, match="train with validation documents"):
        rule_of(RECALL, LABELS, None)
    with pytest.raises(ValueError, match="Did you mean 'Nomenclature'"):
        rule_of("recall:Nomenclatur=0.9", LABELS, held)


def test_small_documents_are_joined_and_few_of_them_promise_less():
    one = rule_of(RECALL, LABELS, collection(1, 0))
    many = rule_of(RECALL, LABELS, collection(100, 0, lines=20))
    assert one.confidence == 0.5 and many.confidence >= 0.8
    groups = collection(100, 0, lines=20).groups(0, 20)
    assert groups[0].start == 0 and groups[-1].stop == 2000
    assert all(before.stop == after.start for before, after in zip(groups, groups[1:], strict=False))


def test_large_data_keep_whole_documents(monkeypatch):
    monkeypatch.setattr("skol_rnn.decoding.held_out._MOST_NUMBERS", 3000)
    kept = collection(10, 0)
    assert 0 < kept.posterior.size <= 3000
    assert kept.lengths.tolist() == [400] * (len(kept.true) // 400)
    assert collection(10, 0).true.tolist() == kept.true.tolist()
