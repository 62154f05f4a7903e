"""Windows cover every line, never cross documents, are moved back rather than padded, and merge to what went in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skol_rnn.windows import check_stride, cut_windows, merge_windows, window_starts


@st.composite
def cuts(draw):
    window = draw(st.integers(1, 12))
    return draw(st.lists(st.integers(0, 40), max_size=6)), window, draw(st.integers(1, window))


def documents_of(lengths):
    return np.repeat(np.arange(len(lengths)), lengths)


@given(cuts())
def test_every_line_is_covered(cut):
    lengths, window, stride = cut
    windows = cut_windows(lengths, window, stride)
    assert windows.n_lines == sum(lengths)
    assert (windows.coverage >= 1).all()
    assert len(windows.coverage) == sum(lengths)


@given(cuts())
def test_no_window_crosses_documents_and_lines_are_in_order(cut):
    lengths, window, stride = cut
    document = documents_of(lengths)
    for lines in cut_windows(lengths, window, stride).lines:
        real = lines[lines >= 0]
        assert len(set(document[real])) == 1
        assert (np.diff(real) == 1).all()


@given(cuts())
def test_padding_is_on_the_right_and_only_in_documents_shorter_than_the_window(cut):
    lengths, window, stride = cut
    windows = cut_windows(lengths, window, stride)
    document = documents_of(lengths)
    for lines, mask in zip(windows.lines, windows.mask, strict=True):
        assert mask[0]
        assert (np.diff(mask.astype(int)) <= 0).all()
        if not mask.all():
            assert lengths[document[lines[0]]] == mask.sum() < window


@given(st.integers(1, 60), st.integers(1, 12), st.data())
def test_the_last_window_ends_with_the_document(length, window, data):
    stride = data.draw(st.integers(1, window))
    starts = window_starts(length, window, stride)
    assert starts[0] == 0
    assert starts[-1] == max(length - window, 0)
    hops = np.diff(starts)
    assert (hops[:-1] == stride).all()
    assert (hops >= 1).all() and (hops <= stride).all()


@given(cuts())
def test_merging_equal_values_of_all_windows_returns_them(cut):
    lengths, window, stride = cut
    windows = cut_windows(lengths, window, stride)
    truth = np.random.default_rng(0).random((windows.n_lines, 3))
    # Padding holds nonsense: it must not reach any line.
    values = np.full((*windows.lines.shape, 3), np.nan)
    values[windows.mask] = truth[windows.lines[windows.mask]]
    np.testing.assert_allclose(merge_windows(values, windows), truth, atol=1e-12)


@given(cuts())
def test_merged_probabilities_sum_to_one(cut):
    lengths, window, stride = cut
    windows = cut_windows(lengths, window, stride)
    values = np.random.default_rng(1).dirichlet(np.ones(4), windows.lines.shape)
    np.testing.assert_allclose(merge_windows(values, windows).sum(axis=1), 1.0)


def test_the_centre_weighs_more_than_the_edge():
    windows = cut_windows([4], window_size=3, stride=1)
    values = np.zeros((2, 3, 1))
    values[0, 1] = 1.0  # line 1 in the centre of the first window, at the left edge of the second
    assert merge_windows(values, windows)[1, 0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("stride", [0, -1, 6])
def test_a_stride_that_would_leave_lines_out_is_refused(stride):
    with pytest.raises(ValueError, match=r"prediction_stride must be between 1 and window_size \(5\)"):
        check_stride(5, stride, "prediction_stride")
    with pytest.raises(ValueError, match="stride must be between"):
        cut_windows([10], 5, stride)


def test_a_window_of_no_lines_is_refused():
    with pytest.raises(ValueError, match="window_size must be at least 1"):
        cut_windows([10], 0, 1)


def test_values_of_a_wrong_shape_are_refused():
    windows = cut_windows([3], 2, 1)
    with pytest.raises(ValueError, match="do not fit"):
        merge_windows(np.zeros((1, 2, 1)), windows)
