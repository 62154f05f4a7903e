"""Data in all forms are read right or refused with a sentence, never misread."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy import LABELS, QUICK, as_documents, toy_table

from skol_rnn.data.document import Corpus, Document
from skol_rnn.data.inputs import Input, as_table, data_and_labels, is_label_list, labelled_table
from skol_rnn.data.reading import read_documents
from skol_rnn.data.table import check_table, shared_columns
from skol_rnn.errors import DataError
from skol_rnn.imbalance.counts import label_distribution
from skol_rnn.inference.predictor import load_serving

COLUMNS = {
    "doc_id": ["b", "a", "b", "a"],
    "line_number": [5, 9, 2, 1],
    "value": ["b5", "a9", "b2", "a1"],
    "label": ["X", None, "None", "NA"],
    "seen": [1, 2, None, 4],
}
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
FRAME = pd.DataFrame(COLUMNS)
TABLES = {
    "pandas": FRAME,
    "pandas, arrow types": FRAME.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, categories": FRAME.astype({"doc_id": "category", "label": "category"}),
    "index of another order": FRAME.set_axis([3, 3, 0, 1]),
    "columns": COLUMNS,
    "columns of Series": {name: pd.Series(values, index=[3, 2, 1, 0]) for name, values in COLUMNS.items()},
    "columns of arrays": {name: np.array(values, dtype=object) for name, values in COLUMNS.items()},
    "columns of polars": {name: pl.Series(values) for name, values in COLUMNS.items()},
    "records": RECORDS,
    "tuple of records": tuple(RECORDS),
    "polars": pl.DataFrame(COLUMNS),
    "polars, categories": pl.DataFrame(COLUMNS).cast({"label": pl.Categorical}),
    "polars, lazy": pl.LazyFrame(COLUMNS),
    "arrow": pa.table(COLUMNS),
    "arrow, dictionary": pa.table(COLUMNS).set_column(3, "label", pa.array(COLUMNS["label"]).dictionary_encode()),
    "arrow batch": pa.RecordBatch.from_pydict(COLUMNS),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_all_libraries_are_the_same(name):
    assert_is_the_table(TABLES[name])


def assert_is_the_table(data):
    table = labelled_table(data)
    assert table["doc_id"].tolist() == ["b", "b", "a", "a"]
    assert table["value"].tolist() == ["b2", "b5", "a1", "a9"]
    # "None" and "NA" are texts, a missing label is none.
    assert table["label"].tolist() == ["None", "X", "NA", None]
    assert table["order"].tolist() == [2, 0, 3, 1]
    # What the caller's other columns hold stays on its row.
    assert [None if pd.isna(value) else value for value in table["seen"]] == [None, 1, 4, 2]


@pytest.mark.parametrize("missing", [None, np.nan, float("nan"), pd.NA, pd.NaT])
def test_missing_labels_are_no_class(missing):
    rows = [{"doc_id": "a", "value": "x", "label": missing}, {"doc_id": "a", "value": "y", "label": "nan"}]
    assert labelled_table(rows)["label"].tolist() == [None, "nan"]
    assert labelled_table(["x", "y"], [missing, "nan"])["label"].tolist() == [None, "nan"]
    with pytest.raises(DataError, match="no labels"):
        labelled_table(["x", "y"], [missing, missing])


@pytest.mark.slow  # the library takes seconds to load
def test_datasets_of_hugging_face():
    import datasets

    data = datasets.Dataset.from_dict(COLUMNS)
    for rows in (data, data.select([2, 0, 3, 1]).select([1, 3, 0, 2]), data.with_format("numpy"), data.to_list()):
        assert_is_the_table(rows)
    assert as_table(data["value"])["value"].tolist() == COLUMNS["value"]
    with pytest.raises(DataError, match="Column 'train' is of type Dataset"):
        as_table(datasets.DatasetDict(train=data))
    pd.testing.assert_frame_equal(label_distribution(data), label_distribution(FRAME))
    # Classes are whole numbers there; -1 is no class.
    features = datasets.Features(
        doc_id=datasets.Value("string"),
        value=datasets.Value("string"),
        label=datasets.ClassLabel(names=["Misc", "Nomenclature"]),
    )
    rows = datasets.Dataset.from_dict({"doc_id": ["a"] * 3, "value": list("xyz"), "label": [1, -1, 0]}, features)
    assert labelled_table(rows)["label"].tolist() == ["Nomenclature", None, "Misc"]


# -- lines, documents and paths -----------------------------------------------------------------------

LINES = ["Fusella minor", "", "Pileus red"]


@pytest.mark.parametrize(
    "lines",
    [LINES, tuple(LINES), np.array(LINES), pd.Series(LINES, index=[2, 2, 0]), pl.Series(LINES), pa.array(LINES), [LINES], [pd.Series(LINES)], [np.array(LINES)]],
)  # fmt: skip
def test_lines_are_one_document(lines):
    table = labelled_table(lines, y=["N", None, "D"])
    assert table[["doc_id", "line_number", "value", "label"]].values.tolist() == [
        ["0", 0, "Fusella minor", "N"],
        ["0", 1, "", None],
        ["0", 2, "Pileus red", "D"],
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to be in, with a file ``a.txt`` and a folder ``data``."""
    (tmp_path / "a.txt").write_text("one\ntwo\n", encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "b.txt").write_text("three\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_existing_paths_are_read(folder):
    for paths in ("a.txt", folder / "a.txt", ["a.txt"], [folder / "a.txt"], np.array(["a.txt"]), "a.*", ["a.*"]):
        assert as_table(paths)["value"].tolist() == ["one", "two"]
    assert as_table(["a.txt", folder / "data"])["value"].tolist() == ["one", "two", "three"]
    assert as_table(["a.txt", "data"])["value"].tolist() == ["one", "two", "three"]


@pytest.mark.parametrize(
    "lines",
    [["."], [""], ["..", "/"], ["data", "Fusella minor"], ["[sic]", "data"], ["x" * 5000], ["a\0b"], ["~"],
     ["see http://example.org/x.txt"] * 2 + ["no path"], ["on/off and so on"], ["*"]],
)  # fmt: skip
def test_lines_are_never_taken_for_paths(folder, lines):
    assert as_table(lines)["value"].tolist() == lines


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("one line\nanother", r"one line\\nanother is a text.*text.splitlines\(\)"),
        ("Fusella minor sp. nov.", "is a text and no file or folder"),
        ("x" * 5000, "is a text and no file or folder"),
        ("", "A path is empty"),
        ("b.txt", "b.txt does not exist"),
        ("data/c", "data/c does not exist"),
        ("data/*.ann", "There is no document in|does not exist"),
        (["b.txt"], "b.txt does not exist"),
        (["a.txt", "b.txt"], r"b.txt does not exist.*\[\[...\]\]"),
        (["data", "data/c.ann"], "data/c.ann does not exist"),
        (["data/a", "data/c"], "data/a does not exist"),
        (["one", "two\nthree"], r"Line 1 of document 0 is 'two\\nthree'; .*text.splitlines"),
        (["one", None], "Line 1 of document 0 is None"),
        ([["one"], ["two", float("nan")]], "Line 1 of document 1 is nan"),
        (["one", ["two"]], "Line 1 of document 0 is \\['two'\\]"),
    ],
)
def test_what_is_neither_lines_nor_paths_is_refused(folder, data, message):
    with pytest.raises(DataError, match=message):
        as_table(data)


@pytest.mark.parametrize(
    "data", [None, 3, 2.5, b"bytes", [b"bytes"], [1, 2], {"a", "b"}, (line for line in "ab"), np.array("x"), [FRAME, FRAME], [["x"], "y"]],
)  # fmt: skip
def test_data_of_no_known_form_are_refused_by_type(data):
    with pytest.raises(TypeError, match="^Give a table|^Document [01] is of type"):
        as_table(data)


def test_a_spark_table_is_referred_to_the_classifier():
    spark = type("DataFrame", (), {"toPandas": None, "columns": []})()
    with pytest.raises(TypeError, match="SkolClassifierV2"):
        as_table(spark)


# -- labels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [["X", "Y", None], ("X", "Y", None), np.array(["X", "Y", None]), pd.Series(["X", "Y", None], index=[2, 1, 0]),
     pd.Series(["X", "Y", None], dtype="category"), pl.Series(["X", "Y", None]), pa.array(["X", "Y", None]),
     pd.DataFrame({"label": ["X", "Y", None]}), pl.DataFrame({"label": ["X", "Y", None]}), [["X", "Y"], [], [None]]],
)  # fmt: skip
def test_labels_are_given_in_all_forms(y):
    assert labelled_table([["a", "b"], [], ["c"]], y)["label"].tolist() == ["X", "Y", None]


def test_whole_numbers_are_named_by_their_digits():
    for y in ([3, None], np.array([3, 4]), pd.Series([3, 4])):
        assert labelled_table(["a", "b"], y)["label"].tolist()[0] == "3"


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([["X"], ["Y", "X"]], DataError, r"Document 0 has 2 lines, but y\[0\] has 1 label"),
        ([["X", "Y"]], DataError, "y has lists for 1 documents?, but there are 2"),
        ([["X", "Y"], "X"], DataError, r"y\[1\] is a label"),
        (["X"], DataError, "There are 1 labels? for 3 lines|There is 1 label for 3 lines"),
        (["X", "Y", 2.5], DataError, "Row 2 of y holds 2.5, not text"),
        (["X", "Y", True], DataError, "Row 2 of y holds True, not text"),
        (["X", "Y", b"Z"], DataError, "Row 2 of y holds b'Z', not text"),
        (["X", " ", "Y"], DataError, "Row 1 of y is blank"),
        (["X", 1, "1"], DataError, "Row 1 of y holds 1, but other labels are text"),
        ("XYZ", TypeError, "y is of type str"),
        ({"a": ["X", "Y", "X"]}, TypeError, "y is of type dict"),
        ({"X", "Y"}, TypeError, "y is of type set"),
        (FRAME, TypeError, "y is of type DataFrame"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y, error, message):
    with pytest.raises(error, match=message):
        labelled_table([["a", "b"], ["c"]], y)


def test_a_list_for_each_document_goes_with_rows_in_order_only():
    ordered = FRAME.sort_values("doc_id").drop(columns="line_number")
    assert labelled_table(ordered, [["P", "Q"], ["R", "S"]])["label"].tolist() == list("PQRS")
    with pytest.raises(DataError, match="not in order"):
        labelled_table(FRAME, [["P", "Q"], ["R", "S"]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(label=[True, False, True, False]), "Row 0 of column 'label' holds True, not text"),
        (lambda t: t.assign(label=["X", None, 3, "Y"]), "Row 2 of column 'label' holds 3, not text"),
        (lambda t: t.assign(label=[1.0, None, 2, 3]), "Row 0 of column 'label' holds 1.0, not text"),
        (lambda t: t.assign(label=["X", "", "Y", "Y"]), "Row 1 of column 'label' is blank"),
        (lambda t: t.assign(label=[["X"]] * 4), r"Row 0 of column 'label' holds \['X'\], not text"),
        (lambda t: t.rename(columns={"label": "Label"}), "Column 'Label' is not 'label'"),
        (lambda t: t.rename(columns={"label": " label"}), "Column ' label' is not 'label'"),
        (lambda t: t.set_index("label"), r"'label' is the index of the table: call reset_index\(\)"),
    ],
)
def test_labels_in_a_column_that_do_not_fit_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        labelled_table(change(FRAME))


def test_a_column_of_labels_that_was_asked_for_must_exist():
    with pytest.raises(DataError, match="no column 'gold'"):
        labelled_table(FRAME, label_col="gold")
    with pytest.raises(DataError, match="Row 1 of column 'gold' holds 2, not text"):
        labelled_table(FRAME.assign(gold=["X", 2, 3, 4]), label_col="gold")
    assert labelled_table(FRAME.assign(gold=list("PQRS")), label_col="gold")["label"].tolist() == list("RPSQ")


def test_a_pair_of_data_and_labels():
    lines, y = [["a"], ["b"]], [["X"], ["Y"]]
    assert data_and_labels((lines, y)) == (lines, y)
    assert data_and_labels(lines) == (lines, None)
    for whole in (("a.txt", "b.txt"), (Document("a", "x"), Document("b", "y"))):
        assert data_and_labels(whole) == (whole, None)


def test_names_of_labels_and_labels_of_rows_are_not_confused():
    table, lines = Input.of(FRAME), Input.of(["a", "b", "c"])
    assert is_label_list(["X", "Y"], table)
    assert not is_label_list(["X", "Y", "Z", "W"], table)
    # Lines have no labels of their own: a short list is a mistake, and said to be one.
    assert not is_label_list(["X", "Y"], lines)
    assert is_label_list(["X", "Y"], Input.of(Corpus((Document("a", "x\ny\nz", ("X", "Y", "X")),))))


# -- columns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"doc_id": ["1", 1, "b", "b"]}, "Row 1 of column 'doc_id' holds 1, another row '1'"),
        ({"doc_id": [0.5, 1, 2, 3]}, "Row 0 of column 'doc_id' holds 0.5"),
        ({"doc_id": [2.0**60, 1, 2, 3]}, "Row 0 of column 'doc_id' holds 1.15"),
        ({"doc_id": [True, False, True, False]}, "Row 0 of column 'doc_id' holds True"),
        ({"doc_id": [b"a", b"b", b"a", b"b"]}, "Row 0 of column 'doc_id' holds b'a'"),
        ({"doc_id": ["a", "  ", "b", "b"]}, "'doc_id' is empty in row 1"),
        ({"doc_id": ["a", "", "b", "b"]}, "'doc_id' is empty in row 1"),
        ({"doc_id": ["a", None, "b", "b"]}, "'doc_id' is empty in row 1"),
        ({"doc_id": ["a", "a ", "b", "b"]}, "Row 1 of column 'doc_id' holds 'a ', another row 'a'"),
        ({"line_number": [0, 1.5, 2, 3]}, "Row 1 of column 'line_number' holds 1.5"),
        ({"line_number": [0, None, 2, 3]}, "Row 1 of column 'line_number' holds (nan|None)"),
        ({"line_number": [0, float("inf"), 2, 3]}, "Row 1 of column 'line_number' holds inf"),
        ({"line_number": [0, 2**70, 2, 3]}, "Row 1 of column 'line_number' holds 11805"),
        ({"line_number": [True, False, True, False]}, "Row 0 of column 'line_number' holds True"),
        ({"line_number": [5, 9, 5, 1]}, "Line number 5 occurs twice in document 'b'"),
        ({"value": ["a", 1, "b", "c"]}, "Row 1 of column 'value' holds 1, not text"),
        ({"value": [1, "a", "b", "c"]}, "Row 0 of column 'value' holds 1, not text"),
        ({"value": ["a", None, "b", "c"]}, "Row 1 of column 'value' holds (nan|None), not text"),
        ({"value": ["a", b"x", "b", "c"]}, "Row 1 of column 'value' holds b'x', not text"),
        ({"value": [["a"], ["b"], ["c"], ["d"]]}, r"Row 0 of column 'value' holds \['a'\], not text"),
        ({"label": ["X", 1, None, "Y"]}, "Row 1 of column 'label' holds 1, not text"),
        ({"blank_before": [0, 0.5, 1, 1]}, "Row 1 of column 'blank_before' holds 0.5"),
        ({"blank_before": [0, -1, 1, 1]}, "Row 1 of column 'blank_before' holds -1"),
        ({"blank_before": [0, 2**64, 1, 1]}, "Row 1 of column 'blank_before' holds 1844"),
        ({"break_before": [0, "x", 1, 1]}, "Row 1 of column 'break_before' holds 'x'"),
        ({"page_break": [0, "yes", 1, 1]}, "Row 1 of column 'page_break' holds 'yes'"),
        ({"start": [4, 4, 0, 0], "end": [6, 6, -2, 2]}, "Row 2 of column 'end' holds -2"),
        ({"start": [4, 4, 0, 0], "end": [6, 6, 2, 2**65]}, "Row 3 of column 'end' holds 3689"),
        ({"start": [4, 4, 0, 0], "end": [3, 6, 2, 2]}, "Row 0: column 'end' is 3, less than 'start', 4"),
        ({"start": [0, 4, 4, 0], "end": [2, 6, 6, 2]}, "Row 0 comes after row 2 in document 'b', but column 'start'"),
    ],
)
def test_columns_that_do_not_fit_are_refused_by_row(change, message):
    columns = COLUMNS | change
    for table in (columns, pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in columns.items()})):
        with pytest.raises(DataError, match=message):
            as_table(table)
    with pytest.raises(DataError, match=message):
        shared_columns(columns)


def test_numbers_name_documents_by_their_digits():
    for names in ([7, 8, 7, 8], [7.0, 8.0, 7.0, 8.0], np.array([7, 8, 7, 8], np.uint8), ["7", "8", "7", "8"]):
        assert as_table(COLUMNS | {"doc_id": names})["doc_id"].tolist() == ["7", "7", "8", "8"]


@pytest.mark.parametrize(
    "name", ["Line_Number", "line number", " line_number", "LINE_NUMBER", "linenumber", "line_numbr"]
)
def test_a_misspelt_column_is_not_ignored(name):
    for table in (
        FRAME.rename(columns={"line_number": name}),
        {name: [1, 0], "doc_id": ["a"] * 2, "value": ["x", "y"]},
    ):
        with pytest.raises(DataError, match=f"Column {name!r} is not 'line_number'"):
            as_table(table)


@pytest.mark.parametrize("name", ["doc_id", "value", "line_number", ["doc_id", "line_number"]])
def test_a_column_in_the_index_is_not_ignored(name):
    with pytest.raises(DataError, match=r"is the index of the table: call reset_index\(\)"):
        as_table(FRAME.set_index(name))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pa.Table.from_arrays([pa.array(["a"])] * 3, names=["doc_id", "value", "value"]), "two columns 'value'"),
        (pd.DataFrame([["a", "x", "y"]], columns=["doc_id", "value", "value"]), "two columns 'value'"),
        ({"doc_id": "ab", "value": ["x", "y"]}, "Column 'doc_id' is of type str"),
        ({"doc_id": ["a"], "value": ["x", "y"]}, "Column 'doc_id' has 1 row"),
        ({"train": pl.DataFrame({"value": ["x"]})}, "Column 'train' is of type DataFrame"),
        ([RECORDS[0], {**RECORDS[1], "lable": "X"}], "Record 0 has no key 'lable', but record 1 has it"),
        ([RECORDS[0], {"doc_id": "a", "value": "x"}], "Record 1 has no key 'line_number', but record 0"),
        ([RECORDS[0], "text"], "Record 1 is of type str"),
        ({"doc": ["a"], "value": ["x"]}, "no column 'doc_id', only doc, value"),
        ({}, "no column 'doc_id'"),
    ],
)
def test_tables_that_are_none_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        as_table(data)


def test_attachments_are_documents_in_all_forms():
    columns = {"doc_id": ["r"] * 4, "attachment_name": list("xyxy"), "value": list("xyXY"), "line_number": [0, 0, 1, 1]}
    assert (
        shared_columns(columns)["doc_id"].tolist()
        == as_table(columns)["doc_id"].tolist()
        == ["r/x", "r/x", "r/y", "r/y"]
    )


# -- property: read right or refused ------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=6)
documents = st.lists(
    st.tuples(
        texts,
        st.lists(st.tuples(texts.filter(lambda text: not text.isdecimal()), st.none() | st.sampled_from("XY"), st.integers(0, 3)), min_size=1, max_size=4),
    ),
    min_size=1, max_size=3, unique_by=lambda pair: pair[0].strip(),
)  # fmt: skip


def reference(parts):
    """Return documents as the shared table, by way of their texts."""
    corpus = []
    for name, rows in parts:
        text = "".join("\n" * (blank + (index > 0)) + value for index, (value, _, blank) in enumerate(rows))
        corpus.append(Document(name, text, tuple(label for _, label, _ in rows)))
    return Corpus(tuple(corpus)).table


def by_document(table):
    names = ["doc_id", "line_number", "value", "label", "blank_before", "page_break"]
    return sorted(
        map(tuple, table.reindex(columns=names).astype(object).where(lambda t: t.notna(), None).values.tolist()),
        key=repr,
    )


HOW = ["shuffle", "reorder", "double", "drop", "rename", "case", "shift", "repeat a row", "index"]


def changed(table, how, at, shuffle):
    """Return a table in which something went wrong or is in another order, and what of it a reader can still know."""
    rows = shuffle(range(len(table)))
    name = table.columns[at % table.shape[1]]
    known = table
    table = table.iloc[rows]
    if how == "reorder":
        table = table[[table.columns[i] for i in shuffle(range(table.shape[1]))]]
    elif how == "double":
        table = pd.concat([table, table[[name]]], axis=1)
    elif how == "drop" or how == "rename":
        table = table.drop(columns=name) if how == "drop" else table.rename(columns={name: "other"})
        known = known.drop(columns=name)
    elif how == "case":
        table = table.rename(columns={name: name.title()})
    elif how == "shift":
        table = table.set_axis([*table.columns[1:], table.columns[0]], axis=1)
    elif how == "repeat a row":
        table = pd.concat([table, table.iloc[[at % len(table)]]])
    elif how == "index":
        table = table.set_index(name)
    return table, known


@settings(max_examples=60)
@given(documents, st.sampled_from(HOW), st.integers(0, 7), st.randoms(use_true_random=False), st.sampled_from(["memory", "columns", "csv", "parquet"]))  # fmt: skip
@example([("a", [("x", "X", 0), ("y", "Y", 2)])], "drop", 1, None, "memory")
@example([("1", [("x", "X", 0)])], "shift", 0, None, "csv")
def test_any_table_is_read_right_or_refused(tmp_path_factory, parts, how, at, random, form):
    right = reference(parts)
    table, known = changed(right, how, at, lambda items: random.sample(items, len(items)) if random else [*items][::-1])
    try:
        if form == "columns" and how not in ("double", "index"):  # a dict has neither
            found = pd.DataFrame(shared_columns({name: table[name].tolist() for name in table}))
        elif form in ("memory", "columns"):
            found = labelled_table(table, required=False)
        else:
            path = tmp_path_factory.getbasetemp() / f"t.{form}"
            table.to_csv(path, index=how == "index") if form == "csv" else table.to_parquet(path)
            found = read_documents(path).table
    except (DataError, ValueError):  # pandas refuses two columns of one name in Parquet
        assert how not in ("shuffle", "reorder")
        return
    if form in ("csv", "parquet") and "doc_id" not in known:
        assert set(found["doc_id"]) == {"t"}  # a file without names is one document
        return
    if "label" not in known or (how == "case" and "Label" in table):
        right = right.assign(label=None)  # a table without labels is one that nobody annotated
    lost = {"blank_before", "page_break"} - set(known)
    found, right = found.drop(columns=lost), right.drop(columns=lost)
    assert by_document(found) == by_document(right)


@pytest.mark.parametrize("name", ["start", "end", "blank_before", "break_before", "line_number"])
def test_sizes_are_bounded_by_the_input(name):
    columns = {"doc_id": ["a", "a"], "value": ["x", "y"], name: [0, 300_000_000]}
    for data in (columns, pd.DataFrame(columns), [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]):  # fmt: skip
        assert sum(map(len, as_table(data)["value"])) == 2
    assert sum(map(len, shared_columns(columns)["value"])) == 2


# -- models -------------------------------------------------------------------------------------------


def test_predictions_have_the_form_of_the_data(tiny_model, tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = toy_table(2, 12, seed=5)
    lists, _ = as_documents(table)
    wanted = tiny_model.predict(table)
    shuffled = table.sample(frac=1, random_state=1)
    for data in (shuffled.to_dict("list"), shuffled.to_dict("records"), pl.from_pandas(shuffled), pa.table(shuffled)):
        found = tiny_model.predict(data)
        assert isinstance(found, pd.DataFrame)
        assert found["value"].tolist() == shuffled["value"].tolist()
        assert found["predicted_label"].tolist() == wanted["predicted_label"][shuffled.index].tolist()
    serving = load_serving(tiny_bundle)
    for model in (tiny_model, serving):
        for lines in (lists[0], pd.Series(lists[0], index=range(12, 0, -1)), pl.Series(lists[0])):
            assert model.predict(lines).tolist() == wanted["predicted_label"][:12].tolist()
            assert model.predict_proba(lines).shape == (12, 3)
        both = model.predict([*lists, []])
        assert [len(part) for part in both] == [12, 12, 0]
        assert both[1] == wanted["predicted_label"][12:].tolist()
        assert [part.shape for part in model.predict_proba(lists)] == [(12, 3)] * 2
        with pytest.raises(DataError, match="is a text"):
            model.predict("Fusella minor\nPileus red")
    for data in (shuffled, shuffled.to_dict("list"), shuffled.to_dict("records"), pl.from_pandas(shuffled)):
        assert serving.predict(data).tolist() == wanted["predicted_label"][shuffled.index].tolist()


def test_scores_are_equal_for_all_forms(tiny_model):
    table = toy_table(2, 12, seed=5)
    lists, y = as_documents(table)
    wanted = tiny_model.evaluate(table).important_f1
    flat = [label for part in y for label in part]
    for data, labels in (
        (lists, y),
        (lists, flat),
        (table.drop(columns="label"), table["label"]),
        (pl.from_pandas(table), None),
    ):
        assert tiny_model.evaluate(data, labels).important_f1 == tiny_model.score(data, labels) == wanted
    with pytest.raises(DataError, match=r"Document 0 has 12 lines, but y\[0\] has 11 labels"):
        tiny_model.evaluate(lists, [y[0][:-1], [*y[1], "Misc"]])
    assert tiny_model.predicted(pa.table(table)).evaluation.important_f1 == wanted


def test_training_takes_a_pair_as_validation(tiny_model):
    from sklearn.base import clone

    train = toy_table(2, 12)
    lists, y = as_documents(toy_table(2, 12, seed=5))
    settings = {"epochs": 1, "validation_fraction": None, **QUICK}
    fitted = clone(tiny_model).set_params(**settings).fit(pl.from_pandas(train), validation=(lists, y))
    assert fitted.validation_documents_ == ["0", "1"]
    assert set(fitted.labels_) == set(LABELS)


def test_label_counts_take_tables_and_refuse_a_path():
    wanted = label_distribution(FRAME)
    for name, data in TABLES.items():
        pd.testing.assert_frame_equal(label_distribution(data), wanted, check_dtype=False, obj=name)
    with pytest.raises(TypeError, match="read_documents"):
        label_distribution("annotated")


def test_the_classifier_takes_tables_of_texts():
    from skol_rnn.classifier.classifier import SkolClassifierV2

    classifier = SkolClassifierV2(input_source="dataframe", output_dest="strings", extraction_mode="line")
    columns = {"doc_id": ["a", "b"], "text": ["one\ntwo", "three"]}
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for data in (columns, records, pl.DataFrame(columns), pa.table(columns)):
        assert classifier.load_raw_from_df(data)["value"].tolist() == ["one", "two", "three"]
    with pytest.raises(DataError, match="Row 1 of column 'text' holds (None|nan), not text"):
        classifier.load_raw_from_df(columns | {"text": ["one", None]})
    with pytest.raises(DataError, match="'doc_id' is empty in row 0"):
        classifier.load_raw_from_df(columns | {"doc_id": [None, "b"]})


def test_a_checked_table_stays():
    table = check_table(FRAME)
    assert as_table(table)["value"].tolist() == table["value"].tolist()
