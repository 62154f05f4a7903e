"""Each rule, which goes first, and where documents end."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skol_rnn.decoding.rules import DEFAULT_RULES, SequenceRule, apply_sequence_rules, rule_effects
from skol_rnn.errors import DataError
from skol_rnn.labels import LabelSet

LABELS = ["Nomenclature", "Description", "Misc"]
AFTER, AMID, NEAR = (rule.name for rule in DEFAULT_RULES)


def frame(documents, labels=LABELS):
    """Make predictions of documents given as (initial, second choice, its probability) or just an initial."""
    initials = {name[0]: i for i, name in enumerate(labels)}
    rows = []
    for doc_id, lines in documents.items():
        for number, line in enumerate(lines):
            first, second, p = line if isinstance(line, tuple) else (line, None, 0.0)
            probabilities = np.zeros(len(labels))
            probabilities[initials[first]] = 1 - p
            if second:
                probabilities[initials[second]] = p
            rows.append((doc_id, number, initials[first], labels[initials[first]], probabilities))
    return pd.DataFrame(rows, columns=["doc_id", "line_number", "prediction", "predicted_label", "probabilities"])


def initials(result):
    return "".join(label[0] for label in result["predicted_label"])


def changed(lines, **options):
    result = apply_sequence_rules(frame({"a": lines}), labels=LABELS, **options)
    assert [LABELS[i] for i in result["prediction"]] == result["predicted_label"].tolist()
    return initials(result), result["rule"].tolist()


def desc(p):
    return ("M", "D", p)


def test_misc_right_after_a_name_is_a_description_above_a_quarter():
    assert changed(["N", desc(0.26)]) == ("ND", [None, AFTER])
    assert changed(["N", desc(0.25)])[1] == [None, NEAR]
    assert changed(["N", desc(0.25)], thresholds={NEAR: None}) == ("NM", [None, None])


@pytest.mark.parametrize(
    ("lines", "place"),
    [(["N", "D", desc(0.21)], 2), ([desc(0.21), "N"], 0), ([desc(0.21), "D", "N"], 0), (["N", desc(0.21)], 1)],
)
def test_misc_within_two_lines_of_a_name_is_a_description_above_a_fifth(lines, place):
    labels, rules = changed(lines)
    assert labels[place] == "D" and rules[place] == NEAR and rules.count(None) == len(lines) - 1


def test_three_lines_off_or_at_a_fifth_nothing_changes():
    for lines in (["N", "D", "D", desc(0.3)], [desc(0.3), "D", "D", "N"], ["N", "D", desc(0.2)]):
        assert set(changed(lines)[1]) == {None}


def test_a_name_amid_names_stays_one_unless_asked():
    lines = ["N", ("N", "M", 0.31), "N"]
    assert changed(lines) == ("NNN", [None] * 3)
    assert changed(lines, thresholds={AMID: 0.3}) == ("NMN", [None, AMID, None])
    assert changed(lines, thresholds={AMID: 0.31})[0] == "NNN"
    assert changed(["N", ("N", "M", 0.31)], thresholds={AMID: 0.3})[0] == "NN"


def test_thresholds_are_the_callers_and_none_turns_a_rule_off():
    assert changed(["N", desc(0.1)], thresholds={AFTER: 0.05})[1] == [None, AFTER]
    assert changed(["N", desc(0.9)], thresholds={AFTER: None})[1] == [None, NEAR]
    assert changed(["N", desc(0.9)], thresholds={AFTER: None, NEAR: None}) == ("NM", [None, None])


def test_the_first_rule_that_fits_wins():
    lines = ["N", desc(0.4)]
    assert changed(lines)[1] == [None, AFTER]
    assert changed(lines, rules=DEFAULT_RULES[::-1])[1] == [None, NEAR]


def test_rules_see_the_predictions_as_they_came():
    # Every line of the run has two names at its sides, though the line before is changed itself.
    run = ["N", *[("N", "M", 0.4)] * 3, "N"]
    assert changed(run, thresholds={AMID: 0.3})[0] == "NMMMN"
    # A name that becomes Misc still stands before the next line.
    assert changed(["N", ("N", "M", 0.4), "N", desc(0.3)], thresholds={AMID: 0.3})[0] == "NMND"


def test_no_rule_looks_into_another_document():
    for doc_ids in (("a", "b"), (1, 2), (2, 1)):
        table = frame({doc_ids[0]: ["D", "N"], doc_ids[1]: [desc(0.9), "D"]})
        result = apply_sequence_rules(table, labels=LABELS)
        assert initials(result) == "DNMD" and result["rule"].isna().all()


@given(st.randoms(), st.lists(st.lists(st.sampled_from("NDM"), max_size=6), min_size=1, max_size=4))
def test_rows_in_any_order_give_the_same_labels_in_the_callers_order(random, documents):
    table = frame({f"d{i}": [desc(0.3) if x == "M" else x for x in lines] for i, lines in enumerate(documents)})
    order = list(range(len(table)))
    random.shuffle(order)
    expected = apply_sequence_rules(table, labels=LABELS).iloc[order]
    found = apply_sequence_rules(table.iloc[order], labels=LABELS)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


NAMED = {"N": "Nomenclature", "D": "Description", "M": "Misc"}


def by_hand(lines, thresholds):
    """Apply the three rules to one document of (label, {label: probability}), line by line."""
    result = []
    for i, (label, p) in enumerate(lines):
        before = [lines[j][0] for j in (i - 2, i - 1) if j >= 0]
        after = [lines[j][0] for j in (i + 1, i + 2) if j < len(lines)]
        if label == "M" and before[-1:] == ["N"] and p["D"] > thresholds[0]:
            label = "D"
        elif label == "N" and before[-1:] == ["N"] and after[:1] == ["N"] and p["M"] > thresholds[1]:
            label = "M"
        elif label == "M" and "N" in before + after and p["D"] > thresholds[2]:
            label = "D"
        result.append(NAMED[label])
    return result


@given(st.lists(st.integers(0, 8), min_size=1, max_size=4), st.integers(0, 9999))
def test_all_three_rules_agree_with_a_loop(lengths, seed):
    rng = np.random.default_rng(seed)
    rows, expected = [], []
    for d, length in enumerate(lengths):
        p = rng.dirichlet([1.0, 0.8, 1.0], length)
        lines = [("NDM"[row.argmax()], dict(zip("NDM", row, strict=True))) for row in p]
        expected += by_hand(lines, (0.25, 0.3, 0.2))
        rows += [(f"d{d}", i, row.argmax(), LABELS[row.argmax()], row) for i, row in enumerate(p)]
    table = pd.DataFrame(rows, columns=["doc_id", "line_number", "prediction", "predicted_label", "probabilities"])
    result = apply_sequence_rules(table, thresholds={AMID: 0.3}, labels=LABELS)
    assert result["predicted_label"].tolist() == expected
    changes = [a != b for a, b in zip(table["predicted_label"], expected, strict=True)]
    assert result["rule"].notna().tolist() == changes
    assert sum(rule_effects(table, result).values()) == sum(changes)


def test_the_table_given_is_not_touched_and_keeps_its_columns_and_index():
    table = frame({"a": ["N", desc(0.4)]}).assign(value=["x", "y"], label="Misc").set_index(pd.Index([7, 7]))
    before = table.copy(deep=True)
    result = apply_sequence_rules(table, labels=LABELS)
    pd.testing.assert_frame_equal(table, before)
    assert list(result.columns) == [*table.columns, "rule"] and result.index.tolist() == [7, 7]
    assert result["rule"].tolist() == [None, AFTER]
    assert result["prediction"].dtype == table["prediction"].dtype


def test_files_attachments_and_rows_without_numbers():
    table = frame({"a": ["N", desc(0.4)]}).drop(columns="line_number").rename(columns={"doc_id": "filename"})
    assert initials(apply_sequence_rules(table, labels=LABELS)) == "ND"
    parted = table.assign(attachment_name=["main", "appendix"])
    assert initials(apply_sequence_rules(parted, labels=LABELS)) == "NM"


def test_the_order_of_the_labels_is_seen_in_the_predictions():
    table = frame({"a": ["N", desc(0.4), "D"]})
    assert initials(apply_sequence_rules(table)) == "NDD"
    assert initials(apply_sequence_rules(table.assign(prediction=table["prediction"].astype(float)))) == "NDD"


def test_a_label_that_is_never_predicted_is_asked_for():
    with pytest.raises(ValueError, match=r"'Description'.* is never predicted here.*Give labels=\[...\]"):
        apply_sequence_rules(frame({"a": ["N", desc(0.4)]}))


def test_a_label_that_does_not_exist_is_named_with_the_nearest():
    others = ["Nomenclature", "Description", "Misc-exposition"]
    table = frame({"a": ["N", desc(0.4), "D"]}, others)
    with pytest.raises(ValueError, match=r"uses label 'Misc'.* Did you mean 'Misc-exposition'\? Give names="):
        apply_sequence_rules(table)
    result = apply_sequence_rules(table, names={"Misc": "Misc-exposition"}, labels=LabelSet(tuple(others)))
    assert initials(result) == "NDD" and result["rule"].tolist() == [None, AFTER, None]


def test_rules_of_another_domain():
    labels = ["Text", "Reference", "Heading"]
    rules = [
        SequenceRule("go_on", "Text", "Reference", 0.3, previous="Reference", next="Reference"),
        SequenceRule("no_heading", "Heading", "Text", 0.0, near="Reference", evidence="Reference"),
        SequenceRule("unsure", "Heading", "Text", 0.4),
    ]
    table = frame({"a": ["R", ("T", "R", 0.4), "R", ("H", "R", 0.1), "T", "T", ("H", "T", 0.45), "H"]}, labels)
    result = apply_sequence_rules(table, rules)
    assert initials(result) == "RRRTTTTH"
    assert result["rule"].tolist() == [None, "go_on", None, "no_heading", None, None, "unsure", None]
    assert rule_effects(table, result) == {"go_on": 1, "no_heading": 1, "unsure": 1}


def test_a_rule_that_is_off_needs_no_labels():
    table = frame({"a": ["R", "T"]}, ["Text", "Reference"])
    result = apply_sequence_rules(table, thresholds={AFTER: None, NEAR: None})
    assert initials(result) == "RT" and rule_effects(table, result) == {}


def test_nothing_in_nothing_out():
    result = apply_sequence_rules(frame({}))
    assert len(result) == 0 and "rule" in result


def test_unknown_rules_and_names_are_refused():
    table = frame({"a": ["N", "M"]})
    with pytest.raises(ValueError, match=f"Did you mean '{NEAR}'"):
        apply_sequence_rules(table, thresholds={"description_near": 0.1})
    with pytest.raises(ValueError, match="Did you mean 'Nomenclature'"):
        apply_sequence_rules(table, names={"nomenclature": "Name"})
    with pytest.raises(ValueError, match="from 0 to 1, but is 25"):
        apply_sequence_rules(table, thresholds={AFTER: 25})
    with pytest.raises(ValueError, match="changes nothing"):
        SequenceRule("none", "Misc", "Misc", 0.1)
    with pytest.raises(ValueError, match="2 lines before and 1 after"):
        rule_effects(table, table.iloc[:1])


def test_predictions_that_do_not_hold_together_are_refused():
    table = frame({"a": ["N", "M", "D"]})
    for column in ("prediction", "predicted_label", "probabilities"):
        with pytest.raises(DataError, match=f"no column '{column}'"):
            apply_sequence_rules(table.drop(columns=column), labels=LABELS)
    with pytest.raises(DataError, match="disagree: 0 is 'Misc'"):
        apply_sequence_rules(table.assign(predicted_label=["Misc", "Misc", "Misc"]), labels=LABELS)
    with pytest.raises(DataError, match="disagree"):
        apply_sequence_rules(table.assign(prediction=[0, 0, 1]))
    with pytest.raises(DataError, match="do not belong to 3 labels"):
        apply_sequence_rules(table.assign(prediction=[0, 7, 1]))
    with pytest.raises(DataError, match="2 labels for 3 probabilities"):
        apply_sequence_rules(table, labels=["a", "b"])
    with pytest.raises(DataError, match="Row 2 of column 'probabilities'"):
        apply_sequence_rules(table.assign(probabilities=[[1, 0, 0], [0, 0, 1], [1, 0]]), labels=LABELS)
    with pytest.raises(DataError, match="occurs twice"):
        apply_sequence_rules(table.assign(line_number=0), labels=LABELS)
