"""Decisions on BIO labels: always legal, the best of all that is legal, and tuned for the spans."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.decoding.calibration import Calibration
from skol_rnn.decoding.correction import Correction
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.offsets import DECISIONS
from skol_rnn.decoding.span_tuning import tuned_outside_offset
from skol_rnn.decoding.transitions import bio_transitions, learn_transitions, legal_steps, only_legal, weighted
from skol_rnn.decoding.viterbi import best_sequences
from skol_rnn.evaluation.fragments import FragmentScorer
from skol_rnn.evaluation.span_scores import fragment_scores
from skol_rnn.labels import NO_LABEL, LabelSet

BIO = LabelSet(("B-A", "B-B", "I-A", "I-B", "O"))
LEGAL_START, LEGAL_STEP = legal_steps(BIO)


def random_probabilities(rng, n, k=5):
    p = rng.random((n, k)) ** 3 + 1e-3
    return p / p.sum(axis=1, keepdims=True)


def is_legal(decided, lengths):
    first = 0
    for length in lengths:
        path = decided[first : first + length]
        if length and not (LEGAL_START[path[0]] and LEGAL_STEP[path[:-1], path[1:]].all()):
            return False
        first += length
    return True


def legal_paths(n):
    for path in itertools.product(range(len(BIO)), repeat=n):
        if LEGAL_START[path[0]] and all(LEGAL_STEP[a, b] for a, b in itertools.pairwise(path)):
            yield path


def decoder(seed, weight):
    rng = np.random.default_rng(seed)
    transitions = only_legal(learn_transitions(rng.integers(0, 5, 60), [60], 5), BIO)
    calibration = Calibration(rng.uniform(0.5, 2), rng.normal(size=5))
    return Decoder(
        Correction(rng.uniform(0.1, 10, 5)), 3 * rng.normal(size=5), transitions, calibration, weight, tuned=True
    )


def test_the_rules_in_words():
    names = list(BIO)
    for a, b in itertools.product(names, names):
        legal = not b.startswith("I-") or a[2:] == b[2:]
        assert LEGAL_STEP[BIO.index(a), BIO.index(b)] == legal, (a, b)
    assert [name for name, legal in zip(names, LEGAL_START, strict=True) if legal] == ["B-A", "B-B", "O"]


def test_other_labels_have_no_legal_steps():
    with pytest.raises(ValueError, match=r"Labels Nomenclature, Misc are not BIO"):
        legal_steps(LabelSet(("Nomenclature", "Misc")))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 9999))
def test_no_decision_is_ever_illegal(lengths, weight, seed):
    p = random_probabilities(np.random.default_rng(seed), sum(lengths))
    for how in DECISIONS:
        assert is_legal(decoder(seed, weight).decide(p, lengths, how), lengths), how


def test_not_even_where_the_network_is_sure_of_what_is_illegal():
    p = np.zeros((4, 5))
    p[:, BIO.index("I-B")] = 1.0
    for how in DECISIONS:
        assert is_legal(decoder(0, 0.5).decide(p, [1, 3], how), [1, 3])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 9999))
def test_the_best_legal_sequence_is_found(n, weight, seed):
    rng = np.random.default_rng(seed)
    p, offsets = random_probabilities(rng, n), rng.normal(size=(3, 5))
    transitions = only_legal(learn_transitions(rng.integers(0, 5, 40), [40], 5), BIO)
    start, step, prior = weighted(transitions, weight)
    found = best_sequences(np.log(p) - prior, [n], start, step, offsets)
    for row, path in zip(offsets, found, strict=True):

        def score(labels, row=row):
            total = start[labels[0]] + sum(step[a, b] for a, b in itertools.pairwise(labels))
            return total + sum(np.log(p[t, k]) - prior[k] + row[k] for t, k in enumerate(labels))

        assert is_legal(path, [n])
        assert score(tuple(path)) == pytest.approx(max(map(score, legal_paths(n))))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 9999))
def test_a_document_alone_is_decided_as_among_others(lengths, seed):
    p = random_probabilities(np.random.default_rng(seed), sum(lengths))
    bounds = np.cumsum([0, *lengths])
    for how in DECISIONS:
        whole = decoder(seed, 0.5).decide(p, lengths, how)
        alone = [decoder(seed, 0.5).decide(p[a:b], [b - a], how) for a, b in itertools.pairwise(bounds)]
        assert whole.tolist() == np.concatenate(alone).tolist()


def test_learned_transitions_keep_their_sum_when_the_illegal_are_taken_out():
    learned = learn_transitions(np.random.default_rng(0).integers(0, 5, 99), [50, 49], 5)
    legal = only_legal(learned, BIO)
    np.testing.assert_allclose(np.exp(legal.step).sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(legal.start).sum(), 1)
    assert (np.isneginf(legal.step) == ~LEGAL_STEP).all()
    ratio = np.where(LEGAL_STEP, legal.step - learned.step, 0.0)
    assert np.allclose(ratio[LEGAL_STEP], np.broadcast_to(ratio.max(axis=1)[:, None], ratio.shape)[LEGAL_STEP])


# -- the fragment score ---------------------------------------------------------------------------------


def spans_of(indices, lengths, start, end):
    """Spans as (document, type, begin, end), read token by token."""
    spans, first = [], 0
    for document, length in enumerate(lengths):
        inside = None
        for i in range(first, first + length):
            name = BIO.names[indices[i]] if indices[i] != NO_LABEL else "O"
            if name.startswith("I-") and inside == name[2:]:
                spans[-1][3] = end[i]
            elif name != "O":
                spans.append([document, name[2:], start[i], end[i]])
            inside = None if name == "O" else name[2:]
        first += length
    return spans


def plain_f1(gold, predicted):
    """The formula, written out pair by pair."""

    def covered(of, by):
        return sum(max(0, min(s[3], t[3]) - max(s[2], t[2])) / (s[3] - s[2]) for s in of for t in by if s[:2] == t[:2])

    precision, recall = covered(predicted, gold) / max(len(predicted), 1), covered(gold, predicted) / max(len(gold), 1)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(0, 9999))
def test_the_score_is_that_of_the_formula_written_out(lengths, seed):
    rng = np.random.default_rng(seed)
    n = sum(lengths)
    true, predicted = rng.integers(-1, 5, n), rng.integers(0, 5, n)
    start, end = np.zeros(n, int), np.zeros(n, int)
    first = 0
    for length in lengths:
        ends = np.cumsum(rng.integers(1, 9, length) + rng.integers(0, 2, length))
        size = np.diff(ends, prepend=0)
        end[first : first + length], start[first : first + length] = ends, ends - np.maximum(size - 1, 1)
        first += length
    scorer = FragmentScorer(true, BIO, lengths, start, end)
    sides = [spans_of(side, lengths, start, end) for side in (true, predicted)]
    assert scorer.sums(predicted).f1() == pytest.approx(plain_f1(*sides))
    by_document = [
        {str(d): [tuple(s[2:]) + (s[1],) for s in side if s[0] == d] for d in range(len(lengths))} for side in sides
    ]
    assert scorer.sums(predicted).f1() == pytest.approx(fragment_scores(*by_document).f1)
    assert scorer.sums(predicted).f1(np.zeros(len(lengths), bool)) == 0.0


def test_nothing_predicted_scores_nothing():
    scorer = FragmentScorer(np.array([0, 2, 4]), BIO, [3], np.arange(3), np.arange(1, 4))
    assert scorer.sums(np.full(3, 4)).f1() == 0.0
    assert scorer.sums(np.array([0, 2, 4])).f1() == 1.0


# -- tuning ---------------------------------------------------------------------------------------------


def cautious_corpus(documents=16, n=60, seed=0):
    """Spans whose posterior is below that of O nearly everywhere, in every document alike."""
    rng = np.random.default_rng(seed)
    true = np.full(documents * n, BIO.index("O"))
    for first in range(5, documents * n - 5, 10):
        kind = rng.integers(2)
        true[first], true[first + 1 : first + 3] = kind, kind + 2
    p = 0.3 * np.eye(5)[true] + 0.05 * rng.random((len(true), 5))
    p[:, BIO.index("O")] += 0.5
    return true, p / p.sum(axis=1, keepdims=True), [n] * documents


def fragment_f1(scorer, p, lengths, offset):
    legal, row = bio_transitions(BIO), np.zeros((1, 5))
    row[0, 4] = offset
    return scorer.sums(best_sequences(np.log(p), lengths, legal.start, legal.step, row)[0]).f1()


def test_the_offset_of_o_finds_spans_that_caution_hides():
    true, p, lengths = cautious_corpus()
    place = np.concatenate([np.arange(length) for length in lengths])
    scorer = FragmentScorer(true, BIO, lengths, 6 * place, 6 * place + 5)
    offsets = tuned_outside_offset(p, scorer, BIO, lengths)
    assert fragment_f1(scorer, p, lengths, 0.0) < 0.5 < 0.95 < fragment_f1(scorer, p, lengths, offsets[4])
    assert (offsets[:4] == 0).all() and offsets[4] < 0


def test_the_search_is_exact_over_its_grid():
    true, p, lengths = cautious_corpus(4, 30)
    place = np.concatenate([np.arange(length) for length in lengths])
    scorer = FragmentScorer(true, BIO, lengths, 6 * place, 6 * place + 5)
    best = fragment_f1(scorer, p, lengths, tuned_outside_offset(p, scorer, BIO, lengths)[4])
    for offset in np.arange(-6.0, 2.01, 0.25):
        assert fragment_f1(scorer, p, lengths, offset) <= best + 1e-12
