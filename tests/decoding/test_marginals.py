"""The marginals of a linear chain against sums over all sequences of labels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skol_rnn.decoding.chain import marginals

LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(any)


def drawn(lengths, n_labels, seed):
    rng = np.random.default_rng(seed)
    shapes = (sum(lengths), n_labels), (n_labels,), (n_labels, n_labels)
    return [2 * rng.normal(size=shape) for shape in shapes]


def summed(scores, lengths, start, step, weights):
    """Sum over every sequence of labels."""
    rows, steps, first = np.zeros_like(scores), np.zeros_like(step), 0
    for length in lengths:
        found = []
        for labels in product(range(len(start)), repeat=length):
            score = start[labels[0]] if length else 0.0
            score += sum(scores[first + t, label] for t, label in enumerate(labels))
            found.append((labels, score + sum(step[pair] for pair in zip(labels, labels[1:], strict=False))))
        total = np.logaddexp.reduce([score for _, score in found])
        for labels, score in found:
            for t, label in enumerate(labels):
                rows[first + t, label] += np.exp(score - total)
                if t:
                    steps[labels[t - 1], label] += weights[first + t] * np.exp(score - total)
        first += length
    return rows, steps


@given(LENGTHS, st.integers(1, 4), st.integers(0, 100))
def test_marginals_are_sums_over_all_sequences(lengths, n_labels, seed):
    scores, start, step = drawn(lengths, n_labels, seed)
    weights = np.random.default_rng(seed).random(len(scores))
    found = marginals(scores, lengths, start, step, weights)
    rows, steps = summed(scores, lengths, start, step, weights)
    np.testing.assert_allclose(found.rows, rows, atol=1e-12)
    np.testing.assert_allclose(found.steps, steps, atol=1e-12)
    unweighted = marginals(scores, lengths, start, step)
    np.testing.assert_allclose(
        unweighted.steps, summed(scores, lengths, start, step, np.ones(len(scores)))[1], atol=1e-12
    )


@given(LENGTHS, st.integers(0, 100))
def test_documents_do_not_touch_each_other(lengths, seed):
    scores, start, step = drawn(lengths, 3, seed)
    found, first = marginals(scores, lengths, start, step).rows, 0
    for length in lengths:
        part = scores[first : first + length]
        np.testing.assert_allclose(
            marginals(part, [length], start, step).rows, found[first : first + length], atol=1e-12
        )
        first += length


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_long_documents_and_large_scores_do_not_underflow(kind):
    rng = np.random.default_rng(0)
    scores, step = 30 * rng.choice([-1, 1], (20_000, 5)), 20 * rng.choice([-1, 1], (5, 5))
    found = marginals(scores.astype(kind), [20_000], np.zeros(5, kind), step.astype(kind))
    np.testing.assert_allclose(found.rows.sum(axis=1), 1, atol=1e-5)
    assert found.steps.sum() == pytest.approx(19_999, rel=1e-4)


def test_without_steps_each_row_is_a_softmax():
    scores = np.random.default_rng(0).normal(size=(7, 3))
    found = marginals(scores, [7], np.zeros(3), np.zeros((3, 3))).rows
    np.testing.assert_allclose(found, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), atol=1e-12)


def test_no_rows_have_no_marginals():
    found = marginals(np.zeros((0, 3)), [], np.zeros(3), np.zeros((3, 3)))
    assert found.rows.shape == (0, 3) and not found.steps.any()
