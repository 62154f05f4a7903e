"""Features: fitted on training lines only, equal after saving, the same for a document alone or among others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy import toy_table

from skol_rnn.data.table import check_table
from skol_rnn.errors import DataError
from skol_rnn.features.base import StandardScaler, normal_form
from skol_rnn.features.families import FAMILIES, features_from_state, make_features
from skol_rnn.features.hashing import BucketVocabulary, joined_crc
from skol_rnn.features.lines import hashed, words
from skol_rnn.features.lines.characters import Characters
from skol_rnn.features.lines.hashed import HashedFeatures
from skol_rnn.features.lines.hashes import line_codes, line_features
from skol_rnn.features.lines.layout import LAYOUT_NAMES, layout_numbers
from skol_rnn.features.lines.tfidf import TfidfFeatures
from skol_rnn.features.lines.words import lower_words
from skol_rnn.features.precomputed import PrecomputedFeatures
from skol_rnn.persistence.bundle import npz_bytes, read_npz


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
    settings, arrays = json.dumps(fitted.state()[0]), npz_bytes(fitted.state()[1])
    before = fitted.transform(table)
    fitted.transform(table_of(seed=7))
    assert_equal(fitted.transform(table), before)
    assert json.dumps(fitted.state()[0]) == settings
    assert npz_bytes(fitted.state()[1]) == arrays


def test_equal_lines_and_seeds_give_equal_features(name):
    first, second = (family(name).fit_transform(table_of()) for _ in range(2))
    assert_equal(first, second)


def test_words_of_other_documents_are_not_in_the_state():
    for name in ("tfidf", "word2vec", "fasttext", "doc2vec"):
        fitted = family(name)
        fitted.fit(table_of())
        fitted.transform(table_of().assign(value="unheard unheard"))
        assert "pileus" in json.dumps(fitted.state()[0])
        assert "unheard" not in json.dumps(fitted.state()[0])


def test_a_document_has_the_same_features_alone(name):
    fitted, table = family(name), table_of()
    whole = fitted.fit_transform(table)
    for _, part in table.groupby("doc_id"):
        alone = fitted.transform(part)
        np.testing.assert_array_equal(alone.ids, whole.ids[part.index])
        np.testing.assert_array_equal(alone.numbers, whole.numbers[part.index])


@pytest.mark.parametrize("name", ["hashed", "tfidf", "vectors"])
def test_the_order_of_training_documents_does_not_matter(name):
    table = table_of()
    parts = [part for _, part in table.groupby("doc_id")]
    backward = pd.concat(parts[::-1])
    first, second = (make_features(name, input_size=None, features_col="features", seed=0) for _ in range(2))
    found, again = first.fit(table).transform(table), second.fit(backward).transform(table)
    np.testing.assert_array_equal(found.ids, again.ids)
    np.testing.assert_allclose(found.numbers, again.numbers, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "module", "function"),
    [
        ("hashed", hashed, "normal_forms"),
        ("tfidf", words, "lower_words"),
        ("word2vec", words, "lower_words"),
        ("doc2vec", words, "lower_words"),
    ],
)
def test_each_line_is_split_into_words_once(name, module, function, monkeypatch):
    table = table_of().assign(value=[f"pileus {i}x" for i in range(60)])
    seen, original = Counter(), getattr(module, function)

    def spy(text):
        seen.update([text] if isinstance(text, str) else text)
        return original(text)

    monkeypatch.setattr(module, function, spy)
    fitted = family(name)
    fitted.fit_transform(table)
    assert len(seen) == len(table) and set(seen.values()) == {1}
    fitted.transform(table)
    assert set(seen.values()) == {2}


def test_fitting_on_no_line_leaves_nothing_learned(name):
    table = table_of()
    fitted = family(name)
    assert fitted.fit_transform(table.iloc[:0]).numbers.shape[0] == 0
    features = fitted.transform(table)
    assert not features.ids.any()
    assert np.isfinite(features.numbers).all() and len(features.numbers) == len(table)


def test_tables_of_no_and_one_line(name):
    fitted, table = family(name), table_of()
    fitted.fit(table)
    for n in (0, 1):
        features = fitted.transform(table.iloc[:n])
        assert len(features.ids) == len(features.numbers) == n
        assert features.numbers.shape[1] == fitted.transform(table).numbers.shape[1]
    assert np.isfinite(family(name).fit_transform(table.iloc[:1]).numbers).all()


@pytest.mark.parametrize("name", [n for n in FAMILIES if n != "vectors"])
def test_scanned_variants_of_a_line_have_the_same_words(name):
    plain, scanned = "fine filaments 20 mm broad", "ﬁne ﬁla­ments 20\u00a0mm broad"
    rows = [plain, scanned, plain, "other words here"] * 3
    table = check_table(pd.DataFrame({"doc_id": [str(i) for i in range(12)], "value": rows}))
    features = family(name).fit_transform(table)
    np.testing.assert_array_equal(features.ids[0], features.ids[1])
    np.testing.assert_array_equal(features.numbers[0], features.numbers[1])
    assert not np.array_equal(features.numbers[0], features.numbers[3])
    assert normal_form(scanned) == plain


def test_an_unknown_family_is_named():
    with pytest.raises(ValueError, match="Did you mean 'fasttext'"):
        family("fastext")


@pytest.mark.parametrize("name", ["word2vec", "fasttext", "doc2vec", "tfidf"])
def test_no_family_loads_its_library_before_it_is_fitted(name):
    code = (
        f"import sys; from skol_rnn.features.families import make_features; "
        f"make_features({name!r}, input_size=8, features_col='', seed=0);"
        "assert not {'gensim', 'sklearn', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


ANY_LINES = st.lists(st.text(st.characters(codec=None), max_size=40), max_size=8)


@settings(max_examples=50, deadline=None)
@given(ANY_LINES)
def test_any_text_can_be_hashed(values):
    table = check_table(pd.DataFrame({"doc_id": "d", "value": pd.Series(values, dtype=object)}))
    fitted = HashedFeatures(min_count=1)
    features = fitted.fit_transform(table)
    assert features.ids.max(initial=0) < fitted.vocabulary_size
    # What is known from training is found again, each feature once.
    for row, value in zip(features.ids, values, strict=True):
        kept = row[row > 0]
        assert len(set(kept)) == len(kept)
        assert len(kept) == min(len(set(line_features(normal_form(value)))), fitted.slots)
    assert_equal(fitted.transform(table), features)
    assert_equal(HashedFeatures(min_count=1).fit(table).transform(table), features)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_shares_of_character_kinds_are_those_of_each_character(text):
    table = check_table(pd.DataFrame({"doc_id": "d", "value": pd.Series([text], dtype=object)}))
    numbers = dict(zip(LAYOUT_NAMES, layout_numbers(table)[0], strict=True))
    body = normal_form(text).strip()
    letters = [c for c in body if c.isalpha()]
    digits = sum(c.isdigit() for c in body)
    other = sum(not c.isspace() for c in body) - len(letters) - digits
    words = body.split()
    expected = {
        "log length": np.log1p(len(body)),
        "words": np.log1p(len(words)),
        "upper share": sum(c.isupper() for c in letters) / max(len(body), 1),
        "digit share": digits / max(len(body), 1),
        "punctuation share": other / max(len(body), 1),
        "capital words share": sum(w[0].isupper() and w[0].isalpha() for w in words) / max(len(words), 1),
        "all capitals": bool(letters) and all(c.isupper() for c in letters),
    }
    for column, value in expected.items():
        assert numbers[column] == np.float32(value), column


def test_years_abbreviations_and_measures_are_counted():
    rows = ["Karst. & P. Henn. 1881, 2003", "spores 3-5 x 2 μm", "cm", "no such thing"]
    table = check_table(pd.DataFrame({"doc_id": "d", "value": rows}))
    numbers = dict(zip(LAYOUT_NAMES, layout_numbers(table).T, strict=True))
    assert numbers["years"].tolist() == [2, 0, 0, 0]
    assert numbers["abbreviations"].tolist() == [3, 0, 0, 0]
    assert numbers["measures"].tolist() == [0, 2, 1, 0]


def test_scaled_layout_has_mean_0_and_deviation_1_on_training_lines_and_no_outlier():
    table = table_of(documents=6)
    numbers = layout_numbers(table)
    scaler = StandardScaler.fit(numbers)
    scaled, spread = scaler.transform(numbers), numbers.std(axis=0) > 1e-3
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled[:, spread].std(axis=0), 1, atol=0.1)
    assert not scaled[:, ~spread].any()
    far = scaler.transform(layout_numbers(table.assign(value="x" * 10_000)))
    assert np.abs(far).max() == 6


def test_a_feature_of_one_line_has_no_id_whatever_the_order_of_documents():
    table = table_of()
    table.loc[0, "value"] = "Once and never again"
    first, second = HashedFeatures().fit(table), HashedFeatures().fit(table.iloc[::-1])
    np.testing.assert_array_equal(first.buckets_, second.buckets_)
    assert len(HashedFeatures(min_count=30).fit(table).buckets_) < len(first.buckets_)
    assert len(HashedFeatures(max_features=10).fit(table).buckets_) == 10


def test_the_features_of_a_line_by_name():
    found = set(line_features("Fusella minor Karst. 1881"))
    assert {
        "w=fusella",
        "w=0000",
        "s=Xx",
        "p=fus",
        "e=lla",
        "E=ella",
        "b=fusella minor",
        "1=fusella",
        "l=0000",
    } <= found
    assert len(list(line_features("x " * 100_000))) < 3000  # a file without line ends is no trap


def test_layout_looks_at_neighbours_in_the_document_only():
    rows = [("a", "SHORT", 0, True), ("a", "a much longer line of text.", 2, False), ("b", "SHORT", 0, False)]
    table = pd.DataFrame(rows, columns=["doc_id", "value", "blank_before", "page_break"])
    numbers = dict(zip(LAYOUT_NAMES, layout_numbers(table).T, strict=True))
    assert numbers["blank lines before"].tolist() == pytest.approx([0.0, np.log1p(2), 0.0])
    assert numbers["blank lines after"].tolist() == pytest.approx([np.log1p(2), 0.0, 0.0])
    assert numbers["page break before"].tolist() == [1.0, 0.0, 0.0]
    assert numbers["lines since page break"][:2].tolist() == pytest.approx([0.0, 1 / 60])
    assert numbers["length against line before"][2] == numbers["log length"][2]
    assert numbers["ends full stop"].tolist() == [0.0, 1.0, 0.0]


def test_without_repeated_words_only_the_layout_is_left():
    table = check_table(pd.DataFrame({"doc_id": "d", "value": ["one two", "three four"]}))
    for name in ("word2vec", "doc2vec", "tfidf"):
        numbers = family(name).fit_transform(table).numbers
        assert not numbers[:, :8].any()
        layout = layout_numbers(table)
        np.testing.assert_array_equal(numbers[:, 8:], StandardScaler.fit(layout).transform(layout))


# -- tf-idf -----------------------------------------------------------------------------------------


def test_tfidf_is_what_scikit_learn_computes():
    from sklearn.feature_extraction.text import TfidfVectorizer

    table = table_of()
    fitted = TfidfFeatures(word_vocab_size=1000)
    numbers = fitted.fit_transform(table).numbers
    expected = TfidfVectorizer(token_pattern=r"\w+", min_df=2).fit(table["value"])
    assert fitted.words_ == list(expected.get_feature_names_out())
    words = expected.transform(table["value"]).toarray()
    np.testing.assert_allclose(numbers[:, : words.shape[1]], words, atol=1e-6)
    suffixes = numbers[:, words.shape[1] : -len(LAYOUT_NAMES)]
    assert suffixes.shape[1] == len(fitted.suffixes_) <= 200
    np.testing.assert_allclose(np.linalg.norm(suffixes, axis=1), 1, atol=1e-5)


def test_tfidf_keeps_the_most_frequent_terms_that_occur_in_enough_lines():
    rows = ["red red red", "blue blue", "blue green", "green blue"]
    table = check_table(pd.DataFrame({"doc_id": "d", "value": rows}))
    assert TfidfFeatures(word_vocab_size=1).fit(table).words_ == ["blue"]
    assert TfidfFeatures(min_doc_freq=1).fit(table).words_ == ["blue", "green", "red"]
    assert TfidfFeatures(word_vocab_size=1, min_doc_freq=1).fit(table).words_ == ["blue"]
    assert TfidfFeatures(suffix_vocab_size=2).fit(table).suffixes_ == ["lue", "ue"]


def test_tfidf_reduced_keeps_most_of_what_lines_have_in_common():
    table = table_of(documents=6)
    full, small = TfidfFeatures().fit_transform(table), TfidfFeatures(input_size=8).fit_transform(table)
    assert small.numbers.shape[1] == 8 + len(LAYOUT_NAMES)
    terms, reduced = full.numbers[:, : -len(LAYOUT_NAMES)], small.numbers[:, :8]
    kept = (reduced**2).sum() / (terms**2).sum()
    assert 0.5 < kept <= 1
    assert TfidfFeatures(input_size=8).fit(table).projection_.shape == (terms.shape[1], 8)


def test_tfidf_of_fewer_terms_than_the_size_is_filled_up_with_zeros():
    table = table_of()
    full, wide = (
        TfidfFeatures().fit_transform(table).numbers,
        TfidfFeatures(input_size=500).fit_transform(table).numbers,
    )
    terms = full.shape[1] - len(LAYOUT_NAMES)
    np.testing.assert_array_equal(wide[:, :terms], full[:, :terms])
    assert not wide[:, terms:500].any()
    np.testing.assert_array_equal(wide[:, 500:], full[:, terms:])


def test_words_are_lower_case_and_in_normal_form():
    assert lower_words("ﬁne-SCA\u00adles\u00a020") == ["fine", "scales", "20"]
    assert len(lower_words("x " * 5000)) == 1000
    assert lower_words(unicodedata.normalize("NFD", "Åland")) == ["åland"]


# -- precomputed vectors ----------------------------------------------------------------------------


def test_vectors_are_passed_on_as_they_are():
    table = table_of()
    features = family("vectors").fit_transform(table)
    np.testing.assert_array_equal(features.numbers, np.stack(table["features"]).astype(np.float32))
    assert features.ids.shape == (len(table), 0)
    lists = table.assign(features=[list(v) for v in table["features"]])
    assert_equal(PrecomputedFeatures().fit_transform(lists), features)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (np.ones(7), "has 7 numbers, expected 8"),
        ([], "has 0 numbers, expected 8"),
        ([0.0] * 7 + [np.nan], "holds a value that is not finite (nan at position 7)"),
        ([np.inf] * 8, "holds a value that is not finite (inf at position 0)"),
        ([1e300] * 8, "holds a value that is not finite (1e+300 at position 0)"),
        (["1"] * 8, "holds a value that is not a number"),
        ([None] * 8, "holds a value that is not a number"),
        (None, "is missing"),
        (np.nan, "is missing"),
        ("text", "is not a flat list of numbers"),
        (np.ones((2, 8)), "is not a flat list of numbers"),
        ([[1.0], [1.0, 2.0]], "is not a flat list of numbers"),
    ],
)
def test_a_bad_vector_is_named_with_its_place(cell, message):
    table = table_of()
    vectors = list(table["features"])
    vectors[24] = cell
    table["features"] = pd.Series(vectors, dtype=object)
    expected = re.escape(f"Document 'doc1', line 4: the vector {message}.")
    with pytest.raises(DataError, match=expected):
        family("vectors").fit(table_of()).transform(table)
    with pytest.raises(DataError, match=expected):
        family("vectors").fit(table)


def test_vectors_of_another_size_than_declared_or_fitted_are_refused():
    table = table_of()
    with pytest.raises(DataError, match="line 0: the vector has 8 numbers, expected 300"):
        PrecomputedFeatures(input_size=300).fit(table)
    fitted = PrecomputedFeatures().fit(table)
    with pytest.raises(DataError, match="line 0: the vector has 3 numbers, expected 8"):
        fitted.transform(table.assign(features=[np.ones(3)] * len(table)))


def test_a_missing_column_of_vectors_is_named():
    with pytest.raises(DataError, match="no column 'feature' of vectors. Did you mean 'features'"):
        make_features("vectors", input_size=None, features_col="feature", seed=0).fit(table_of())


@settings(max_examples=200, deadline=None)
@given(ANY_LINES)
@example(["", "Pileus " + "y" * 300 + " ruber", "ß ² µ straße\nzwei", "x " * 300])
@example(["\u2003_"])
@example(["\ud800"])
@example(["a_b Abc ABC A 123456 1a2 3½ " + "y" * 63 + " " + "z" * 64, "\x00\x1f_", "\ud800a", "Ǆ Éa É éÉ ÉCU"])
def test_hashes_are_those_of_the_names_in_their_order(values):
    texts = [normal_form(value) for value in values]
    lines, checks = line_codes(Characters.of(texts), lambda checks: checks)
    for line, text in enumerate(texts):
        assert checks[lines == line].tolist() == [crc32(name.encode()) for name in line_features(text)]


@given(st.binary(max_size=30), st.binary(max_size=300))
def test_the_crc_of_joined_texts_follows_from_those_of_the_parts(first, second):
    parts = (np.array([crc32(part)], np.uint32) for part in (first, second))
    assert joined_crc(*parts, np.array([len(second)])).tolist() == [crc32(first + second)]


@given(st.sets(st.integers(0, (1 << 24) - 1), max_size=50), st.lists(st.integers(0, (1 << 24) - 1)))
@example({0}, [0, 1])
@example({(1 << 24) - 1}, [(1 << 24) - 1, 0])
def test_kept_buckets_are_found(kept, asked):
    order = sorted(kept)
    index = BucketVocabulary(np.array(order, np.int64)).index(np.array([[*asked, *order]], np.int64))
    assert index.tolist() == [[order.index(bucket) if bucket in kept else -1 for bucket in [*asked, *order]]]
