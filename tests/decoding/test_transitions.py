"""Viterbi against every sequence there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.decoding.transitions import Transitions, bio_transitions, learn_transitions, viterbi
from skol_rnn.labels import NO_LABEL, LabelSet

BIO = LabelSet(("B-PER", "I-PER", "O"))


def score(path, p, transitions, strength):
    """Score of one document's labels, written out line by line."""
    total = strength * transitions.start[path[0]]
    for t, label in enumerate(path):
        total += np.log(p[t, label]) - strength * np.log(transitions.prior[label])
        if t:
            total += strength * transitions.step[path[t - 1], label]
    return total


def legal_only(start, step):
    """Transitions that score all legal steps alike."""
    log = [np.where(np.asarray(legal), 0.0, -np.inf) for legal in (start, step)]
    return Transitions(*log, np.full(len(start), 1 / len(start)))


def random_probabilities(rng, lines, k):
    p = rng.random((lines, k)) + 0.01
    return p / p.sum(axis=1, keepdims=True)


@settings(max_examples=80)
@given(st.integers(1, 3), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.floats(0, 3), st.integers(0, 9999))
def test_no_sequence_scores_better(k, lengths, strength, seed):
    rng = np.random.default_rng(seed)
    p = random_probabilities(rng, sum(lengths), k)
    transitions = learn_transitions(rng.integers(-1, k, 30), [10, 20], k, smoothing=0.3)
    found, first = viterbi(p, lengths, transitions, strength), 0
    assert found.shape == (sum(lengths),) and found.dtype == np.int64
    for length in lengths:
        lines = slice(first, first + length)
        if length:
            best = max(
                score(path, p[lines], transitions, strength) for path in itertools.product(range(k), repeat=length)
            )
            assert score(found[lines], p[lines], transitions, strength) == pytest.approx(best)
        first += length


@settings(max_examples=60)
@given(st.integers(1, 5), st.integers(0, 9999))
def test_the_best_of_the_allowed_sequences_is_taken(length, seed):
    rng = np.random.default_rng(seed)
    p = random_probabilities(rng, length, 3)
    allowed = rng.random((3, 3)) < 0.6
    transitions = legal_only([True, True, False], allowed)
    paths = [
        path
        for path in itertools.product(range(3), repeat=length)
        if path[0] < 2 and all(allowed[a, b] for a, b in itertools.pairwise(path))
    ]
    if not paths:
        with pytest.raises(ValueError, match=rf"no sequence of labels for document 0 of {length} lines"):
            viterbi(p, [length], transitions)
        return
    best = max(paths, key=lambda path: np.log(p[range(length), path]).sum())
    assert tuple(viterbi(p, [length], transitions)) == best


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(0, 9999))
def test_documents_do_not_see_each_other(lengths, seed):
    rng = np.random.default_rng(seed)
    p = random_probabilities(rng, sum(lengths), 3)
    transitions = learn_transitions(rng.integers(0, 3, 20), [20], 3)
    bounds = np.cumsum([0, *lengths])
    alone = [viterbi(p[a:b], [b - a], transitions) for a, b in itertools.pairwise(bounds)]
    assert viterbi(p, lengths, transitions).tolist() == np.concatenate(alone).tolist()


def test_weight_0_is_argmax_even_against_what_is_forbidden():
    p = random_probabilities(np.random.default_rng(0), 50, 3)
    forbidding = legal_only([True] * 3, np.zeros((3, 3), bool))
    assert viterbi(p, [20, 30], forbidding, weight=0).tolist() == p.argmax(axis=1).tolist()


def test_learned_shares_are_those_counted_by_hand():
    # Documents: A B B | - A | (none) | B A; the chain is broken at the line without label.
    true = np.array([0, 1, 1, NO_LABEL, 0, 1, 0])
    transitions = learn_transitions(true, [3, 2, 0, 2], 2, smoothing=0.5)
    np.testing.assert_allclose(np.exp(transitions.start), [1.5 / 3, 1.5 / 3])
    np.testing.assert_allclose(np.exp(transitions.step), [[0.5 / 2, 1.5 / 2], [1.5 / 3, 1.5 / 3]])
    np.testing.assert_allclose(transitions.prior, [3.5 / 7, 3.5 / 7])
    assert len(transitions) == 2


@given(st.lists(st.lists(st.integers(-1, 2), max_size=6), max_size=5))
def test_learned_counts_agree_with_a_loop(documents):
    starts, steps, lines = np.ones(3), np.ones((3, 3)), np.ones(3)
    for document in documents:
        for i, label in enumerate(document):
            if label == NO_LABEL:
                continue
            lines[label] += 1
            if i == 0:
                starts[label] += 1
            elif document[i - 1] != NO_LABEL:
                steps[document[i - 1], label] += 1
    flat = np.array([label for document in documents for label in document], dtype=int)
    found = learn_transitions(flat, [len(document) for document in documents], 3)
    np.testing.assert_allclose(np.exp(found.start), starts / starts.sum())
    np.testing.assert_allclose(np.exp(found.step), steps / steps.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.prior, lines / lines.sum())


def test_a_prior_is_not_counted_twice():
    # Where labels follow one another at random, transitions tell only their shares, which the posteriors know already.
    prior = np.array([0.9, 0.08, 0.02])
    at_random = Transitions(np.log(prior), np.log(np.tile(prior, (3, 1))), prior)
    p = random_probabilities(np.random.default_rng(0), 500, 3)
    for strength in (0.5, 1.0, 2.0):
        assert viterbi(p, [200, 300], at_random, strength).tolist() == p.argmax(axis=1).tolist()


def test_one_line_that_breaks_a_run_is_mended():
    transitions = learn_transitions(np.repeat([0, 1], 50), [100], 2)
    p = np.full((9, 2), 0.2)
    p[:, 0] = 0.8
    p[4] = [0.4, 0.6]
    assert viterbi(p, [9], transitions).tolist() == [0] * 9


def test_bio_is_made_valid():
    transitions = bio_transitions(BIO)
    p = np.array([[0.3, 0.6, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3]])
    assert BIO.decode(viterbi(p, [3], transitions)) == ["B-PER", "O", "O"]


def test_ties_are_always_decided_alike():
    flat = Transitions(np.zeros(3), np.zeros((3, 3)), np.full(3, 1 / 3))
    assert viterbi(np.full((4, 3), 1 / 3), [4], flat).tolist() == [0, 0, 0, 0]


def test_a_probability_of_0_is_no_end():
    transitions = learn_transitions(np.array([0, 1]), [2], 2)
    assert viterbi(np.array([[1.0, 0.0], [0.0, 1.0]]), [2], transitions).tolist() == [0, 1]


def test_one_label_and_empty_documents():
    one = learn_transitions(np.zeros(3, int), [3], 1)
    assert viterbi(np.ones((3, 1)), [0, 3, 0], one).tolist() == [0, 0, 0]
    assert viterbi(np.zeros((0, 2)), [], learn_transitions(np.zeros(0, int), [], 2)).tolist() == []


def test_what_does_not_fit_is_refused():
    transitions = learn_transitions(np.array([0, 1]), [2], 2)
    p = np.full((4, 2), 0.5)
    with pytest.raises(ValueError, match="3 lines in all do not fit 4 lines"):
        viterbi(p, [3], transitions)
    with pytest.raises(ValueError, match="fit 2 labels"):
        viterbi(np.full((4, 3), 1 / 3), [4], transitions)
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="weight"):
            viterbi(p, [4], transitions, weight=wrong)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="smoothing"):
            learn_transitions(np.array([0]), [1], 1, smoothing=wrong)
    with pytest.raises(ValueError, match="5 lines in all"):
        learn_transitions(np.array([0]), [5], 1)
    with pytest.raises(ValueError, match="do not agree"):
        Transitions(np.zeros(2), np.zeros((2, 3)), np.ones(2))
    with pytest.raises(ValueError, match="must be positive"):
        Transitions(np.zeros(2), np.zeros((2, 2)), np.array([0.0, 1.0]))
