"""Features: fitted on training lines only, equal after saving, the same for a line in any company."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import toy_table

from skol_rnn.documents import check_table
from skol_rnn.errors import DataError
from skol_rnn.features import FAMILIES, features_from_state, make_features
from skol_rnn.features.hashed import HashedFeatures, line_features
from skol_rnn.features.layout import LAYOUT_NAMES, layout_numbers
from skol_rnn.features.lines import normal_form
from skol_rnn.npz import npz_bytes, read_npz


def table_of(documents=3, seed=0):
    table = check_table(toy_table(documents, 20, seed))
    rng = np.random.default_rng(seed)
    table["features"] = list(rng.normal(size=(len(table), 8)))
    return table


def family(name):
    return make_features(name, input_size=8, features_col="features", seed=0)


def assert_equal(first, second):
    np.testing.assert_array_equal(first.ids, second.ids)
    np.testing.assert_array_equal(first.numbers, second.numbers)


@pytest.fixture(params=FAMILIES)
def name(request):
    return request.param


def test_shapes_types_and_numbers(name):
    table = table_of()
    features = family(name).fit_transform(table)
    assert features.ids.shape[0] == features.numbers.shape[0] == len(table)
    assert features.ids.dtype == np.int32 and features.numbers.dtype == np.float32
    assert np.isfinite(features.numbers).all()
    if name in ("word2vec", "fasttext", "doc2vec"):
        assert features.numbers.shape[1] == 8 + len(LAYOUT_NAMES)


def test_fit_transform_is_fit_then_transform(name):
    table = table_of()
    assert_equal(family(name).fit_transform(table), family(name).fit(table).transform(table))


def test_the_state_survives_json_and_npz_without_pickle(name):
    fitted = family(name)
    fitted.fit(table_of())
    state, arrays = fitted.state()
    again = features_from_state(fitted.name, json.loads(json.dumps(state)), read_npz(npz_bytes(arrays)))
    other = table_of(seed=5)
    assert_equal(again.transform(other), fitted.transform(other))
    assert again.name == name


def test_transforming_other_lines_changes_nothing(name):
    fitted, table = family(name), table_of()
    fitted.fit(table)
    before = fitted.transform(table)
    fitted.transform(table_of(seed=7))
    assert_equal(fitted.transform(table), before)


def test_a_document_has_the_same_features_in_any_company(name):
    fitted, table = family(name), table_of()
    whole = fitted.fit_transform(table)
    for _, part in table.groupby("doc_id"):
        alone = fitted.transform(part)
        np.testing.assert_array_equal(alone.ids, whole.ids[part.index])
        np.testing.assert_allclose(alone.numbers, whole.numbers[part.index], atol=1e-6)


def test_tables_of_no_and_one_line(name):
    fitted, table = family(name), table_of()
    fitted.fit(table)
    for n in (0, 1):
        features = fitted.transform(table.iloc[:n])
        assert len(features.ids) == len(features.numbers) == n
        assert features.numbers.shape[1] == fitted.transform(table).numbers.shape[1]


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "vectors"])
def test_scanned_variants_of_a_line_have_the_same_words(name):
    plain, scanned = "fine filaments 20 mm broad", "ﬁne ﬁla­ments 20\u00a0mm broad"
    rows = [plain, scanned, plain, "other words here"] * 3
    table = check_table(pd.DataFrame({"doc_id": [str(i) for i in range(12)], "value": rows}))
    features = family(name).fit_transform(table)
    np.testing.assert_array_equal(features.ids[0], features.ids[1])
    np.testing.assert_allclose(features.numbers[0], features.numbers[1], atol=1e-6)
    assert normal_form(scanned) == plain


def test_an_unknown_family_is_named():
    with pytest.raises(ValueError, match="Did you mean 'fasttext'"):
        family("fastext")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_text_can_be_hashed(values):
    table = check_table(pd.DataFrame({"doc_id": "d", "value": pd.Series(values, dtype=object)}))
    fitted = HashedFeatures(min_count=1)
    features = fitted.fit_transform(table)
    assert features.ids.max(initial=0) < fitted.vocabulary_size
    # What is known from training is found again, each feature once, and in no other order.
    for row, value in zip(features.ids, values, strict=True):
        kept = row[row > 0]
        assert len(set(kept)) == len(kept)
        assert len(kept) == min(len(set(line_features(normal_form(value)))), fitted.slots)


def test_a_feature_of_one_line_has_no_id_and_the_order_of_documents_no_say():
    table = table_of()
    first, second = HashedFeatures().fit(table), HashedFeatures().fit(table.iloc[::-1])
    np.testing.assert_array_equal(first.buckets_, second.buckets_)
    assert len(HashedFeatures(min_count=1).fit(table).buckets_) > len(first.buckets_)
    assert len(HashedFeatures(max_features=10).fit(table).buckets_) == 10


def test_the_features_of_a_line_by_name():
    found = set(line_features("Fusella minor Karst. 1881"))
    assert {"w=fusella", "w=0000", "s=Xx", "p=fus", "e=lla", "E=ella", "b=fusella minor", "1=fusella", "l=0000"} <= found
    assert len(list(line_features("x " * 100_000))) < 3000  # a file without line ends is no trap


def test_layout_looks_at_neighbours_in_the_document_only():
    rows = [("a", "SHORT", 0, True), ("a", "a much longer line of text.", 2, False), ("b", "SHORT", 0, False)]
    table = pd.DataFrame(rows, columns=["doc_id", "value", "blank_before", "page_break"])
    numbers = dict(zip(LAYOUT_NAMES, layout_numbers(table).T, strict=True))
    assert numbers["blank lines before"].round(3).tolist() == [0.0, round(float(np.log1p(2)), 3), 0.0]
    assert numbers["blank lines after"].round(3).tolist() == [round(float(np.log1p(2)), 3), 0.0, 0.0]
    assert numbers["page break before"].tolist() == [1.0, 0.0, 0.0]
    assert numbers["lines since page break"][:2].round(4).tolist() == [0.0, round(1 / 60, 4)]
    assert numbers["length against line before"][2] == numbers["log length"][2]
    assert numbers["ends full stop"].tolist() == [0.0, 1.0, 0.0]


def test_word_vectors_put_like_words_near_each_other():
    rows = ["pileus red broad", "pileus blue broad", "author journal year", "author volume year"] * 40
    table = check_table(pd.DataFrame({"doc_id": "d", "value": rows}))
    fitted = make_features("word2vec", input_size=16, features_col="", seed=1)
    fitted.fit(table)
    red, blue, journal = (fitted._vector(word) for word in ("red", "blue", "journal"))

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert cosine(red, blue) > cosine(red, journal)
    assert fitted._vector("unheard") is None
    fast = make_features("fasttext", input_size=16, features_col="", seed=1)
    fast.fit(table)
    assert np.abs(fast._vector("pileuss")).sum() > 0


def test_words_that_nobody_repeats_leave_the_layout():
    table = check_table(pd.DataFrame({"doc_id": "d", "value": ["one two", "three four"]}))
    for name in ("word2vec", "fasttext", "doc2vec", "tfidf"):
        assert np.isfinite(family(name).fit_transform(table).numbers).all()


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.ones(7), "Document 'doc1', line 4: its vector has 7 numbers, expected 8"),
        ([np.nan] * 8, "Document 'doc1', line 4: its vector holds what is no finite number"),
        ([np.inf] * 8, "no finite number"),
        (["x"] * 8, "no finite number"),
        (None, "is no vector but None"),
        (np.ones((2, 8)), "is no vector"),
    ],
)
def test_a_bad_vector_is_named_with_its_place(cell, message):
    table = table_of()
    fitted = family("vectors")
    fitted.fit(table)
    table["features"] = table["features"].astype(object)
    table.at[24, "features"] = cell
    with pytest.raises(DataError, match=message):
        fitted.transform(table)


def test_a_missing_column_of_vectors_is_named():
    with pytest.raises(DataError, match="no column 'feature' of vectors. Did you mean 'features'"):
        make_features("vectors", input_size=None, features_col="feature", seed=0).fit(table_of())
