"""The label set: order, indices, and errors that name the nearest label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.labels import NO_LABEL, LabelSet, suggestion

LABELS = LabelSet(("Nomenclature", "Description", "Misc-exposition"))
names = st.lists(st.text(min_size=1), min_size=1, max_size=8, unique=True)


@settings(deadline=None)
@given(names, st.data())
def test_decode_undoes_encode(given_names: list[str], data: st.DataObject) -> None:
    labels = LabelSet(tuple(given_names))
    column = data.draw(st.lists(st.sampled_from(given_names), max_size=20))
    assert labels.decode(labels.encode(column)) == column


@settings(deadline=None)
@given(names)
def test_order_is_the_given_one_and_index_is_the_position(given_names: list[str]) -> None:
    labels = LabelSet(tuple(given_names))
    assert list(labels) == given_names
    assert [labels.index(name) for name in labels] == list(range(len(labels)))


def test_none_becomes_no_label_and_the_type_is_int32() -> None:
    encoded = LABELS.encode([None, "Description", None])
    assert encoded.tolist() == [NO_LABEL, 1, NO_LABEL]
    assert encoded.dtype == np.int32


def test_encode_takes_an_iterator() -> None:
    assert LABELS.encode(iter(["Description", None])).tolist() == [1, NO_LABEL]
    assert LABELS.encode([]).shape == (0,)


def test_from_data_sorts_and_skips_none() -> None:
    assert LabelSet.from_data(["b", None, "a", "b"]).names == ("a", "b")


def test_from_data_without_any_label_says_so() -> None:
    with pytest.raises(ValueError, match="no labels"):
        LabelSet.from_data([None, None])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((), "no labels"),
        (("a", ""), "non-empty"),
        (("a", 3), "non-empty text, but 3"),
        (("a", "b", "a"), "'a' is given twice"),
    ],
)
def test_bad_names_are_refused(wrong: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LabelSet(wrong)


@pytest.mark.parametrize(
    ("misspelt", "nearest"),
    [("misc-exposit", "Misc-exposition"), ("nomenclature", "Nomenclature"), ("Descripton", "Description")],
)
def test_unknown_label_names_the_nearest(misspelt: str, nearest: str) -> None:
    for call in (LABELS.index, lambda name: LABELS.encode(["Description", name])):
        with pytest.raises(ValueError, match=f"Unknown label '{misspelt}'.*Did you mean '{nearest}'"):
            call(misspelt)


def test_unknown_label_lists_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="'Misc'; known are Nomenclature, Description, Misc-exposition"):
        LABELS.index("Misc")


def test_no_suggestion_where_nothing_is_near() -> None:
    assert suggestion("zzz", LABELS) == ""


def test_label_sets_compare_by_names_in_order_and_hash() -> None:
    assert LABELS == LabelSet(LABELS.names)
    assert LABELS != LabelSet(LABELS.names[::-1])
    assert len({LABELS, LabelSet(LABELS.names)}) == 1
    assert "Description" in LABELS
    assert "Misc" not in LABELS
