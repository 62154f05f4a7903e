"""Sums of the rows that ids name are those of a plain loop."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skol_rnn.inference import bags as module
from skol_rnn.inference.bags import bags

TABLE = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 19), min_size=21, max_size=21), max_size=30), st.integers(0, 21))
@example([[1] * 21], 0)
@example([[0] * 21, [0] * 20 + [3], [3] + [0] * 20], 21)
def test_rows_are_summed_wherever_the_ids_are(lines, slots):
    ids = np.array(lines, np.int32).reshape(-1, 21)[:, :slots]
    expected = np.array([TABLE[row[row > 0]].sum(axis=0) for row in ids], np.float32).reshape(-1, 5)
    root = np.sqrt(np.maximum((ids > 0).sum(axis=1), 1))[:, None]
    np.testing.assert_allclose(bags(TABLE, ids), expected / root, atol=1e-5)


def test_many_lines_are_summed_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 40)
    ids = np.random.default_rng(1).integers(0, 20, (100, 30)).astype(np.int32)
    expected = np.stack([TABLE[row[row > 0]].sum(axis=0) / np.sqrt((row > 0).sum()) for row in ids])
    np.testing.assert_allclose(bags(TABLE, ids), expected, atol=1e-5)


def test_thousands_of_ids_are_summed_wherever_they_are():
    table = np.ones((2, 1), np.float32)
    ids = np.zeros((4, 10_000), np.int32)
    ids[0, :5_000] = ids[1, 5_000:] = ids[2, ::2] = ids[3] = 1
    np.testing.assert_allclose(bags(table, ids)[:, 0], np.sqrt([5_000, 5_000, 5_000, 10_000]), rtol=1e-6)
