"""The shared table: lines, checks, what it is made from, and splits by document."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.data.document import Corpus, Document, split_lines
from skol_rnn.data.inputs import LabelledRows, as_table
from skol_rnn.data.reading import read_documents
from skol_rnn.data.splits import split_documents
from skol_rnn.data.table import check_table, collapse_labels
from skol_rnn.errors import DataError
from skol_rnn.labels import LabelSet

COLUMNS = ["doc_id", "line_number", "value", "start", "end", "blank_before", "page_break"]


@given(st.text(st.sampled_from("ab \t\f\r\n\n\x85\u2028")) | st.text())
def test_lines_cover_all_that_is_not_blank(text):
    lines = split_lines(text)
    spans = [(0, 0, 0, False), *lines]
    for before, line in zip(spans, lines, strict=False):
        value = text[line.start : line.end]
        gap = text[before[1] : line.start]
        assert value.strip()
        assert "\n" not in value
        assert not gap.strip()
        assert line.start == 0 or text[line.start - 1] == "\n"
        assert gap.count("\n") == line.blank_before + (before is not spans[0])
    assert not text[spans[-1][1] :].strip()
    assert len(lines) == sum(bool(piece.strip()) for piece in text.split("\n"))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("\n \f\r\n", []),
        ("a\r\nb\n", ["a", "b"]),
        ("a\rb\r", ["a\rb\r"]),
        ("a\r\r\n", ["a\r"]),
        ("a\u2028b\x85c\x0bd", ["a\u2028b\x85c\x0bd"]),
        (" a \n\tb", [" a ", "\tb"]),
    ],
)
def test_where_lines_end(text, values):
    assert [text[line.start : line.end] for line in split_lines(text)] == values


@pytest.mark.parametrize("text", ["a\n\f\nb", "a\n\fb", "a\n \f b", "a\f\nb"])
def test_a_form_feed_between_two_lines_is_a_page_break(text):
    assert [line.page_break for line in split_lines(text)] == [False, True]


def test_a_form_feed_inside_a_line_is_none():
    assert [line.page_break for line in split_lines("a\fb\nc")] == [False, False]


def test_the_table_of_a_document():
    table = Document("v/a", "\fone\n\n\n two\n", ("X", None)).table()
    assert list(table.columns) == [*COLUMNS[:3], "label", *COLUMNS[3:]]
    assert table.values.tolist() == [
        ["v/a", 0, "\fone", "X", 0, 4, 0, True],
        ["v/a", 1, " two", None, 7, 11, 2, False],
    ]
    assert {table[name].dtype for name in ("line_number", "start", "end", "blank_before")} == {np.dtype("int64")}
    assert table["page_break"].dtype == bool
    assert list(Document("a", "").table().columns) == COLUMNS


def test_labels_of_a_document_are_counted():
    with pytest.raises(ValueError, match="a: 1 labels for 2 non-blank lines"):
        Document("a", "one\ntwo", ("X",))


def test_a_corpus_of_labelled_and_plain_documents():
    corpus = Corpus((Document("a", "one"), Document("b", "two\nthree", ("X", None)), Document("c", " ")))
    assert corpus.table["label"].tolist() == [None, "X", None]
    assert corpus.table["line_number"].tolist() == [0, 0, 1]
    assert "label" not in Corpus((Document("a", "one"),)).table
    assert list(Corpus(()).table.columns) == COLUMNS
    assert [document.doc_id for document in corpus] == ["a", "b", "c"]


ROWS = pd.DataFrame(
    {
        "doc_id": ["b", "a", "b", "a"],
        "line_number": [5, 9, 2, 1],
        "value": ["b5", "a9", "b2", "a1"],
        "label": ["X", np.nan, None, "Y"],
        "extra": [1, 2, 3, 4],
    },
    index=[7, 7, 3, 1],
)


def test_check_sorts_renumbers_and_returns_the_order():
    table = check_table(ROWS)
    assert table["value"].tolist() == ["b2", "b5", "a1", "a9"]
    assert table["line_number"].tolist() == [0, 1, 0, 1]
    assert table["label"].tolist() == [None, "X", "Y", None]
    assert ROWS.iloc[table["order"].to_numpy()]["value"].tolist() == table["value"].tolist()
    assert table["extra"].tolist() == [3, 1, 4, 2]
    assert table["blank_before"].tolist() == [0] * 4
    assert not table["page_break"].any()
    assert ROWS.columns.tolist() == ["doc_id", "line_number", "value", "label", "extra"]


def test_check_of_a_checked_table_changes_nothing():
    table = check_table(ROWS)
    pd.testing.assert_frame_equal(check_table(table), table.assign(order=np.arange(4)))


def test_without_numbers_the_rows_are_in_order():
    assert check_table(ROWS.drop(columns="line_number"))["value"].tolist() == ["b5", "b2", "a9", "a1"]
    other = ROWS.rename(columns={"line_number": "n"})
    assert check_table(other, line_no_col="n")["value"].tolist() == ["b2", "b5", "a1", "a9"]


def test_attachments_of_a_record_are_documents_of_their_own():
    rows = pd.DataFrame({"doc_id": "r", "attachment_name": list("xyxy"), "value": list("xyXY")})
    rows["line_number"] = [0, 0, 1, 1]
    table = check_table(rows)
    assert table["doc_id"].tolist() == ["r/x", "r/x", "r/y", "r/y"]
    assert table["value"].tolist() == ["x", "X", "y", "Y"]
    assert check_table(table)["doc_id"].tolist() == table["doc_id"].tolist()


def test_filename_stands_in_for_doc_id():
    assert check_table(pd.DataFrame({"filename": ["f"], "value": ["x"]}))["doc_id"].tolist() == ["f"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="value"), "no column 'value'"),
        (lambda t: t.rename(columns={"value": "vlaue"}), "Did you mean 'vlaue'"),
        (lambda t: t.drop(columns="doc_id"), "no column 'doc_id'"),
        (lambda t: t.assign(doc_id=["a", None, "b", "b"]), "row 1: name each row's document"),
        (lambda t: t.assign(value=["a", "b", None, "c"]), "Row 2 of column 'value' holds nan, not text"),
        (lambda t: t.assign(value=["a", "b", 3.5, "c"]), "Row 2 of column 'value' holds 3.5"),
        (lambda t: t.assign(label=[1, 2, 3, 4]), "column 'label' holds 1, not text"),
        (lambda t: t.assign(line_number=[0, 0, 0, 1]), r"Line number 0 occurs twice in document 'b' \(row 2\)"),
        (lambda t: t.assign(line_number=[0, 1, "x", 3]), "Row 2 of column 'line_number' holds 'x'"),
    ],
)
def test_bad_tables_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        check_table(change(ROWS))


def test_the_row_of_a_bad_label_counts_unlabelled_rows():
    with pytest.raises(DataError, match="Row 2 of column 'label' holds 3, not text"):
        check_table(ROWS.assign(label=["X", None, 3, 4]))


def test_labels_are_encoded_once_with_lengths_and_counts():
    labels = LabelSet(("X", "Y", "Z"))
    rows = LabelledRows.of(check_table(ROWS), labels)
    assert (rows.true.tolist(), rows.lengths, len(rows)) == ([-1, 0, 1, -1], [2, 2], 4)
    assert rows.counts.tolist() == [1, 1, 0]
    assert LabelledRows.of(check_table(ROWS.iloc[:0]), labels).counts.tolist() == [0, 0, 0]


def test_a_table_is_made_from_whatever_holds_documents(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    document = Document("a", "one\n\ntwo\n")
    wanted = as_table(Corpus((document,)))
    same = [tmp_path, str(tmp_path / "a.txt"), [tmp_path / "a.txt"], [document], wanted]
    for data in same:
        pd.testing.assert_frame_equal(as_table(data), wanted)
    assert as_table([["x"], [], ["y"]])["doc_id"].tolist() == ["0", "2"]
    assert as_table(np.array([["x", "y"], ["z", "w"]]))["value"].tolist() == ["x", "y", "z", "w"]
    assert list(as_table([]).columns) == [*COLUMNS, "order"]


def test_each_line_of_a_list_is_a_row_even_a_blank_one():
    table = as_table([["one", " ", "two"], Document("d", "three\n\n\ffour", ("X", None)), ("five",)])
    assert table["value"].tolist() == ["one", " ", "two", "three", "\ffour", "five"]
    assert table["doc_id"].tolist() == ["0", "0", "0", "d", "d", "2"]
    assert table["line_number"].tolist() == [0, 1, 2, 0, 1, 0]
    assert table["label"].tolist() == [None, None, None, "X", None, None]
    assert table["blank_before"].tolist() == [0, 0, 0, 0, 1, 0]
    assert table["page_break"].tolist() == [False] * 4 + [True, False]


def test_lists_of_lines_keep_every_character():
    lines = ["a\r", "\fb ", "c\u2028d"]
    assert as_table([lines])["value"].tolist() == lines


def test_changing_a_table_leaves_its_corpus_alone():
    corpus = Corpus((Document("a", "one", ("X",)),))
    table = as_table(corpus)
    table["label"] = "Y"
    assert corpus.table["label"].tolist() == ["X"]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (3, TypeError, "not int"),
        ([3], TypeError, "list of lines"),
        ([["a\nb"]], DataError, "one str without line break"),
        ([["a"], [None]], DataError, "Line 0 of document 1"),
        (["no-such-file.txt"], DataError, "no-such-file.txt does not exist"),
    ],
)
def test_other_data_are_refused(data, error, message):
    with pytest.raises(error, match=message):
        as_table(data)


def test_collapse():
    labels = ["A", "B", None, float("nan"), "C"]
    assert collapse_labels(labels, ["A", "B"], "Misc") == ["A", "B", "Misc", "Misc", "Misc"]
    assert collapse_labels(pd.Series(labels), ["C"], "o") == ["o", "o", "o", "o", "C"]
    with pytest.raises(TypeError, match="list of labels"):
        collapse_labels(labels, "A", "Misc")


# Splits


@st.composite
def tables(draw):
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=7))
    label = st.sampled_from(["A", "A", "A", "B", "C", None])
    rows = [(f"d{i}", draw(label)) for i, size in enumerate(sizes) for _ in range(size)]
    return pd.DataFrame(rows, columns=["doc_id", "label"]).astype(object)


@settings(deadline=None, max_examples=50)
@given(tables(), st.floats(0.05, 0.95), st.integers(0, 3), st.randoms(use_true_random=False))
def test_splits_are_disjoint_complete_and_independent_of_row_order(table, fraction, seed, random):
    train, validation = split_documents(table, fraction, seed)
    ids = sorted(table["doc_id"].unique())
    assert sorted(train + validation) == ids
    assert train == sorted(train)
    assert bool(train) and (bool(validation) or len(ids) == 1)
    rows = list(range(len(table)))
    random.shuffle(rows)
    assert split_documents(table.iloc[rows], fraction, seed) == (train, validation)


@settings(deadline=None, max_examples=50)
@given(tables(), st.integers(0, 3))
def test_labels_of_two_documents_are_on_both_sides(table, seed):
    # Two documents more, with all labels, make it possible.
    whole = pd.DataFrame([(d, y) for d in ("x", "y") for y in "ABC"], columns=["doc_id", "label"])
    table = pd.concat([table, whole], ignore_index=True)
    for side in split_documents(table, 0.5, seed):
        assert set(table.loc[table["doc_id"].isin(side), "label"]) >= {"A", "B", "C"}


def test_the_fraction_is_of_lines():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 400, size=60)
    table = pd.DataFrame({"doc_id": np.repeat([f"d{i:02}" for i in range(60)], sizes)})
    for fraction in (0.1, 0.2, 0.5):
        for seed in range(5):
            _, validation = split_documents(table, fraction, seed)
            assert table["doc_id"].isin(validation).mean() == pytest.approx(fraction, abs=0.005)


def test_seeds_differ_and_repeat():
    table = pd.DataFrame({"doc_id": np.repeat([f"d{i:02}" for i in range(30)], 10)})
    splits = [split_documents(table, 0.2, seed) for seed in range(5)]
    assert splits == [split_documents(table, 0.2, seed) for seed in range(5)]
    assert len({tuple(validation) for _, validation in splits}) > 1


def test_where_each_document_is_the_only_one_of_a_label_one_is_validation_all_the_same():
    table = pd.DataFrame({"doc_id": list("abcd"), "label": list("ABCD")})
    assert {len(split_documents(table, 0.5, seed)[1]) for seed in range(5)} == {1}


def test_one_huge_document_stays_in_training():
    table = pd.DataFrame({"doc_id": ["a"] * 100 + ["b", "c"]})
    train, validation = split_documents(table, 0.2, 0)
    assert "a" in train
    assert validation


@pytest.mark.parametrize("as_mapping", [False, True])
def test_groups_stay_together(as_mapping):
    table = pd.DataFrame({"doc_id": list("aabbccdd"), "volume": list("11112223"), "label": "A"})
    table["volume"] = table["doc_id"].map({"a": "1", "b": "1", "c": "2", "d": "2"})
    groups = dict(zip(table["doc_id"], table["volume"], strict=True)) if as_mapping else "volume"
    for seed in range(4):
        sides = split_documents(table, 0.5, seed, groups)
        assert sorted(sides) == [["a", "b"], ["c", "d"]]


def test_wrong_arguments_of_a_split():
    table = pd.DataFrame({"doc_id": list("aab"), "volume": ["1", "2", "1"]})
    for fraction in (0, 1, -1, 2, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            split_documents(table, fraction, 0)
    with pytest.raises(DataError, match="Did you mean 'volume'"):
        split_documents(table, 0.5, 0, groups="volum")
    with pytest.raises(DataError, match="'a' is in no group or in more than one"):
        split_documents(table, 0.5, 0, groups="volume")
    with pytest.raises(DataError, match="'b' is in no group"):
        split_documents(table, 0.5, 0, groups={"a": "1"})


def test_two_thousand_documents_are_split():
    rng = np.random.default_rng(0)
    rows = 40_000
    ids = np.char.add("d", rng.integers(0, 2000, rows).astype(str))
    table = pd.DataFrame({"doc_id": ids, "label": rng.choice(list("ABCDEFGH"), rows)})
    chosen = split_documents(table, 0.2, 0)[1]
    assert table["doc_id"].isin(chosen).mean() == pytest.approx(0.2, abs=0.01)


def test_real_documents_are_split_by_lines_with_every_label_on_both_sides(corpora):
    table = read_documents([corpora / "skol" / "train", corpora / "skol" / "dev"]).table
    train, validation = split_documents(table, 0.15, 0)
    held = table["doc_id"].isin(validation)
    assert held.mean() == pytest.approx(0.15, abs=0.01)
    documents = table.groupby("label")["doc_id"].nunique()
    for label in documents.index[documents > 1]:
        assert set(table.loc[table["label"] == label, "doc_id"]) & set(train)
        assert set(table.loc[table["label"] == label, "doc_id"]) & set(validation)
