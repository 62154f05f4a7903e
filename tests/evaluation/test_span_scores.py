"""Span scores against seqeval, worked examples and a slow reading of the definition."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2, IOBES

from skol_rnn.data.bio import decode_spans, encode_spans
from skol_rnn.data.spans import SpanRules
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.span_errors import boundary_errors, span_outcomes
from skol_rnn.evaluation.span_scores import fragment_scores, strict_scores
from skol_rnn.labels import LabelSet

D, LL, NC = "Doubt", "Loaded_Language", "Name_Calling,Labeling"

# Worked by hand from the definition: precision, recall, F1.
WORKED = [
    ("equal ends, another type, missed", {"1": [(0, 10, LL), (20, 30, NC), (40, 80, D)]},
     {"1": [(0, 10, LL), (20, 30, D)]}, (1 / 2, 1 / 3, 2 / 5)),
    ("partly", {"1": [(10, 20, LL)]}, {"1": [(15, 35, LL)]}, (1 / 4, 1 / 2, 1 / 3)),
    ("in two pieces", {"1": [(0, 100, D)]}, {"1": [(0, 30, D), (50, 90, D)]}, (1, 0.7, 14 / 17)),
    ("one over two", {"1": [(0, 10, LL), (20, 40, LL)]}, {"1": [(0, 40, LL)]}, (0.75, 1, 6 / 7)),
    ("nested gold of one type is merged", {"1": [(0, 100, D), (20, 40, D)]}, {"1": [(30, 60, D)]}, (1, 0.3, 6 / 13)),
    ("a prediction twice is merged", {"1": [(0, 10, LL), (20, 30, LL)]}, {"1": [(0, 10, LL)] * 2}, (1, 0.5, 2 / 3)),
    ("sums over documents, no means", {"1": [(0, 10, LL)], "2": [(0, 8, NC)], "3": [(0, 50, D)]},
     {"1": [(0, 10, LL), (0, 10, D)], "2": [(4, 12, NC)]}, (0.5, 0.5, 0.5)),
    ("nothing predicted", {"1": [(0, 10, LL)]}, {}, (0, 0, 0)),
    ("touching spans stay two", {"1": [(0, 10, LL), (10, 20, LL)]}, {"1": [(0, 20, LL)]}, (1, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "predicted", "expected"), [row[1:] for row in WORKED], ids=[row[0] for row in WORKED])
def test_fragment_scores_of_worked_examples(gold, predicted, expected):
    scores = fragment_scores(gold, predicted)
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(expected, abs=1e-12)


def test_fragment_scores_without_types_merge_spans_of_all_types():
    gold = {"a": [(0, 10, D), (5, 20, LL)]}
    scores = fragment_scores(gold, {"a": [(0, 10, NC)]}, typed=False)
    assert scores.support == 1  # 0 to 20
    assert (scores.precision, scores.recall) == (1.0, 0.5)
    assert "types do not count" in str(scores)
    assert fragment_scores(gold, {"a": [(0, 10, NC)]}).f1 == 0


def test_fragment_scores_by_type_stand_beside_those_of_all():
    gold = {"a": [(0, 10, D), (20, 30, LL)], "b": []}
    predicted = {"a": [(0, 5, D)], "b": [(0, 3, LL)]}
    scores = fragment_scores(gold, predicted)
    assert [(row.name, row.precision, row.recall) for row in scores.types] == [(D, 1.0, 0.5), (LL, 0.0, 0.0)]
    assert scores.as_dict()["types"][D]["support"] == 1
    assert scores.table().loc["all", "f1"] == scores.f1 == scores.as_dict()["f1"]
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0) / 2)


def slow_fragments(gold, predicted):
    """Read the definition aloud, with sets of characters."""

    def pieces(side):
        found = []
        for name in side:
            for kind in {span[2] for span in side[name]}:
                group = [set(range(a, b)) for a, b, other in side[name] if other == kind]
                while True:  # merge any two that overlap until none do
                    pair = next(((x, y) for i, x in enumerate(group) for y in group[i + 1 :] if x & y), None)
                    if pair is None:
                        break
                    group = [g for g in group if g is not pair[0] and g is not pair[1]] + [pair[0] | pair[1]]
                found += [(name, kind, g) for g in group]
        return found

    true, guessed = pieces(gold), pieces(predicted)
    pairs = [(s, t) for s in guessed for t in true if s[:2] == t[:2]]
    precision = sum(len(s[2] & t[2]) / len(s[2]) for s, t in pairs) / max(len(guessed), 1)
    recall = sum(len(s[2] & t[2]) / len(t[2]) for s, t in pairs) / max(len(true), 1)
    return precision, recall


SPANS = st.lists(
    st.builds(lambda a, n, kind: (a, a + n, kind), st.integers(0, 30), st.integers(1, 12), st.sampled_from("AB")),
    max_size=7,
)


@given(st.fixed_dictionaries({"x": SPANS, "y": SPANS}), st.fixed_dictionaries({"x": SPANS, "y": SPANS}))
def test_fragment_scores_are_the_definition(gold, predicted):
    scores = fragment_scores(gold, predicted)
    assert (scores.precision, scores.recall) == pytest.approx(slow_fragments(gold, predicted), abs=1e-9)
    untyped = fragment_scores(gold, predicted, typed=False)
    flat = [{name: [(a, b, "x") for a, b, _ in side[name]] for name in side} for side in (gold, predicted)]
    assert (untyped.precision, untyped.recall) == pytest.approx(slow_fragments(*flat), abs=1e-9)


@given(st.fixed_dictionaries({"x": SPANS}))
def test_gold_against_itself_is_perfect(gold):
    for score in (fragment_scores, strict_scores):
        assert score(gold, gold).f1 == pytest.approx(1.0 if gold["x"] else 0.0)


def test_predictions_for_an_unknown_document_are_an_error():
    for score in (fragment_scores, strict_scores):
        with pytest.raises(ValueError, match="'b', which has no true ones"):
            score({"a": []}, {"b": [(0, 1, D)]})
    with pytest.raises(ValueError, match="empty or reversed"):
        fragment_scores({"a": [(3, 3, D)]}, {})


def check_against_seqeval(gold, predicted, theirs):
    expected = classification_report(gold, predicted, mode="strict", scheme=theirs, output_dict=True, zero_division=0)
    sides = []
    for side in (gold, predicted):
        tokens = [[(i, i + 1) for i in range(len(labels))] for labels in side]
        spans = [decode_spans(*row, stray="drop") for row in zip(tokens, side, strict=True)]
        sides.append({str(number): found for number, found in enumerate(spans)})
    scores = strict_scores(*sides)
    assert 0 < scores.f1 < 1
    assert scores.f1 == pytest.approx(expected["micro avg"]["f1-score"])
    assert scores.macro_f1 == pytest.approx(expected["macro avg"]["f1-score"])
    assert len(scores.types) == 3
    for row in scores.types:
        found = expected[row.name]
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            (found["precision"], found["recall"], found["f1-score"], found["support"])
        )


@pytest.mark.parametrize("seed", range(20))
def test_strict_scores_are_seqevals_legal_or_not(seed):
    dice = random.Random(seed)
    labels = ["O", "B-A", "I-A", "B-B", "I-B", "B-C", "I-C"]
    gold = [dice.choices(labels, [4] + [1] * 6, k=dice.randint(1, 30)) for _ in range(15)]
    # Six in ten are right, or hardly a span would agree.
    predicted = [[label if dice.random() < 0.6 else dice.choice(labels) for label in doc] for doc in gold]
    check_against_seqeval(gold, predicted, IOB2)


@pytest.mark.parametrize("seed", range(5))
def test_strict_scores_are_seqevals_for_bioes(seed):
    dice = random.Random(seed)
    tokens = [(i, i + 1) for i in range(200)]
    cuts = [range(0, 200, 4), sorted({i + dice.choice([0, 0, 0, 1]) for i in range(0, 200, 4)})]
    spans = [[(a, a + dice.choice([1, 2]), dice.choice("ABC")) for a in starts] for starts in cuts]
    gold, predicted = (encode_spans(tokens, side, SpanRules(scheme="BIOES")).labels for side in spans)
    check_against_seqeval([list(gold)], [list(predicted)], IOBES)


@pytest.mark.parametrize("predicted", [[["O", "O"]], [["O"], []], []])
def test_boundary_errors_need_equal_lengths(predicted):
    with pytest.raises(ValueError, match="one label per token"):
        boundary_errors([["O"]], predicted)


def test_boundary_errors_by_kind():
    gold = ["B-A", "I-A", "O", "B-A", "I-A", "I-A", "O", "B-B", "B-B", "O", "B-A", "O", "B-A", "O"]
    guess = ["B-A", "I-A", "O", "I-A", "O", "B-A", "O", "B-B", "I-B", "O", "B-B", "O", "O", "B-B"]
    table = boundary_errors([gold], [guess])
    a, b = table.loc["A"], table.loc["B"]
    # A: found whole; in two pieces; as a B; not at all.  B: two as one, and one from nothing.
    assert [a[name] for name in ("spans", "exact", "split", "other type", "missed")] == [4, 1, 1, 1, 1]
    assert [b[name] for name in ("spans", "merged", "spurious")] == [2, 2, 1]
    assert [a[name] for name in ("B->I", "B->O", "I->O", "I->B")] == [1, 1, 1, 1]
    assert [b[name] for name in ("B->I", "O->B")] == [1, 1]
    assert table.loc["all"].tolist() == (a + b).tolist()
    assert span_outcomes([(0, 3, "A")], [(0, 4, "A")])["A", "shifted"] == 1


@given(SPANS, SPANS)
def test_every_true_span_has_one_outcome(gold, predicted):
    counts = span_outcomes(gold, predicted)
    outcomes = sum(n for (_, name), n in counts.items() if name not in ("spans", "spurious"))
    assert outcomes == len(gold) == sum(n for (_, name), n in counts.items() if name == "spans")


def test_token_scores_come_from_the_evaluation_of_lines():
    labels = LabelSet(("O", "B-A", "I-A"))
    gold, guess = ["B-A", "I-A", "O", "O"], ["B-A", "O", "O", "O"]
    scores = evaluate_labels(labels.encode(gold), labels.encode(guess), labels, unit="token")
    assert scores.f1.tolist() == pytest.approx([0.8, 1.0, 0.0])
    assert "token" in repr(scores)


def test_stray_labels_begin_a_span_or_are_dropped_or_refused():
    tokens, labels = [(0, 1), (1, 2), (2, 3)], ["I-A", "B-B", "I-A"]
    assert decode_spans(tokens, labels) == [(0, 1, "A"), (1, 2, "B"), (2, 3, "A")]
    assert decode_spans(tokens, labels, stray="drop") == [(1, 2, "B")]
    with pytest.raises(ValueError, match="token 0 is I-A after nothing; token 2 is I-A after B-B"):
        decode_spans(tokens, labels, stray="error")
    with pytest.raises(ValueError, match="must be one of begin"):
        decode_spans(tokens, labels, stray="x")
    with pytest.raises(ValueError, match="not a token label"):
        decode_spans(tokens, ["O", "A", "O"])
