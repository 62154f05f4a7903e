"""An epoch is each window once, in an order of its own, and overlap counts no line twice."""

from __future__ import annotations

import numpy as np
import pytest

from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.keras_runner import window_inputs
from skol_rnn.training.batches import WindowBatches
from skol_rnn.windows import cut_windows

LENGTHS = [23, 4, 1, 300]


@pytest.fixture
def batches():
    n = sum(LENGTHS)
    rng = np.random.default_rng(0)
    features = LineFeatures(rng.integers(1, 9, (n, 5)).astype("int32"), np.arange(n, dtype="float32")[:, None] + 1)
    true = rng.integers(-1, 3, n)
    return WindowBatches(features, true, 3, cut_windows(LENGTHS, 8, 3), batch_size=7, seed=3)


def seen(batches):
    """Return the line numbers of every window of an epoch; numbers hold line + 1, padding 0."""
    return [tuple(window) for i in range(len(batches)) for window in batches[i][0][1][..., 0].astype(int)]


def test_an_epoch_is_each_window_exactly_once(batches):
    expected = [tuple(lines + 1) for lines in batches.windows.lines]
    assert sorted(seen(batches)) == sorted(expected)
    batches.on_epoch_end()
    assert sorted(seen(batches)) == sorted(expected)


def test_orders_differ_by_epoch_and_repeat_by_seed(batches):
    first = seen(batches)
    batches.on_epoch_end()
    second = seen(batches)
    assert first != second
    batches.start_epoch(0)
    assert seen(batches) == first
    batches.start_epoch(1)
    assert seen(batches) == second


def test_labels_and_features_of_a_line_stay_together(batches):
    for i in range(len(batches)):
        (ids, numbers, mask), one_hot, weights = batches[i]
        lines = numbers[..., 0].astype(int) - 1
        assert (mask == (lines >= 0)).all()
        assert not ids[~mask].any() and not one_hot[~mask].any() and not weights[~mask].any()
        assert (ids[mask] == batches.features.ids[lines[mask]]).all()
        np.testing.assert_array_equal(one_hot[mask], batches.one_hot[lines[mask]])


def test_a_line_without_a_label_has_a_zero_row(batches):
    unlabelled = np.flatnonzero(batches.one_hot[:-1].sum(1) == 0)
    assert len(unlabelled) > 0
    assert not batches.one_hot[-1].any()


def test_every_line_counts_the_same_in_an_epoch(batches):
    total = np.zeros(sum(LENGTHS))
    for i in range(len(batches)):
        (_, numbers, mask), _, weights = batches[i]
        np.add.at(total, numbers[..., 0].astype(int)[mask] - 1, weights[mask])
    np.testing.assert_allclose(total, total[0], rtol=1e-5)
    assert total.sum() == pytest.approx(batches.windows.mask.sum(), rel=1e-5)


def test_padding_is_zero_whatever_the_last_line_holds():
    features = LineFeatures(np.full((2, 3), 7, "int32"), np.full((2, 1), 9.0, "float32"))
    ids, numbers, mask = window_inputs(features, np.array([[0, 1, -1]]))
    assert mask.tolist() == [[True, True, False]]
    assert not ids[0, 2].any() and not numbers[0, 2].any()
