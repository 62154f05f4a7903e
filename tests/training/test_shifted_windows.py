"""Training windows that start elsewhere in each epoch hold every line equally often, and repeat by seed and epoch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import QUICK, SMALL, toy_tokens

from skol_rnn import RNNSkolModel
from skol_rnn.features.base import LineFeatures
from skol_rnn.training.batches import WindowBatches
from skol_rnn.windows import cut_windows, shifted_windows

LENGTHS = [23, 4, 0, 1, 90]


@given(st.lists(st.integers(0, 60), max_size=5), st.integers(1, 12), st.integers(0, 99), st.data())
def test_windows_are_runs_within_a_document_and_hold_every_line(lengths, window, seed, data):
    stride = data.draw(st.integers(1, window))
    cut = shifted_windows(lengths, window, stride, np.random.default_rng(seed))
    document = np.repeat(np.arange(len(lengths)), lengths)
    for lines in cut.lines:
        real = lines[lines >= 0]
        assert len(real) and (lines[: len(real)] == real).all() and (np.diff(real) == 1).all()
        assert len(set(document[real])) == 1
    assert (cut.coverage >= 1).all()
    if stride == window:
        assert (cut.coverage == 1).all()
    # Batches of an epoch are as many as those of windows that are not shifted, and none is empty.
    assert len(cut) >= len(cut_windows(lengths, window, stride))


def shifted_batches():
    n = sum(LENGTHS)
    features = LineFeatures(np.ones((n, 2), "int32"), np.arange(n, dtype="float32")[:, None] + 1)
    return WindowBatches(
        features,
        np.zeros(n, int),
        2,
        cut_windows(LENGTHS, 8, 8),
        3,
        0,
        cut=lambda rng: shifted_windows(LENGTHS, 8, 8, rng),
    )


def test_an_epoch_has_its_own_windows_and_a_resumed_run_repeats_them():
    batches, epochs = shifted_batches(), []
    for _ in range(3):
        windows = [tuple(window) for i in range(len(batches)) for window in batches[i][0][1][..., 0].astype(int)]
        lines = [line for window in windows for line in window if line]
        assert sorted(lines) == list(range(1, sum(LENGTHS) + 1))
        epochs.append(windows)
        batches.on_epoch_end()
    assert len({frozenset(windows) for windows in epochs}) == 3
    resumed = shifted_batches()
    resumed.start_epoch(2)
    windows = [tuple(window) for i in range(len(resumed)) for window in resumed[i][0][1][..., 0].astype(int)]
    assert windows == epochs[2]


def test_the_number_of_updates_is_the_same_in_every_epoch():
    batches = shifted_batches()
    numbers = set()
    for epoch in range(20):
        batches.start_epoch(epoch)
        numbers.add(len(batches))
        assert all(len(batches[i][0][2]) for i in range(len(batches)))
    assert len(numbers) == 1


class _Stopped(Exception):
    pass


def test_tokens_train_on_from_a_checkpoint_as_if_never_stopped(tmp_path):
    """The windows of the second epoch, and the moments of the embeddings that no batch has used since, are the same."""

    def stop(epoch, evaluation):
        raise _Stopped

    table = toy_tokens(10)
    model = RNNSkolModel(unit="token", epochs=2, **{**SMALL, **QUICK})
    expected = model.fit(table).predict_proba(table)
    with pytest.raises(_Stopped):
        model.fit(table, checkpoint=tmp_path / "run.npz", callback=stop)
    again = RNNSkolModel(**model.get_params()).fit(table, checkpoint=tmp_path / "run.npz")
    found = again.predict_proba(table)
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), atol=1e-5)
