"""``records`` and ``record_table``: from files, documents, tables and Spark, with a model or gold labels, to files."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest

import skol_rnn.records.build  # noqa: F401  # a module may not hide the function
from skol_rnn import (
    DataError,
    Document,
    JoiningRules,
    SkolClassifierV2,
    load_serving,
    read_documents,
    record_table,
    records,
)
from skol_rnn.records.write import columns_of

LABELS = {"begin": "Nomenclature", "parts": ["Description"]}
TEXT = "[@Fusella minor#Nomenclature*]\n\n[@Pileus red, ob-\ntuse.#Description*]\n[@Thanks#Misc*]\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.txt.ann").write_text(TEXT, encoding="utf-8")
    return folder


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_files_hold_the_same_table(folder, tmp_path, ending):
    out = tmp_path / f"records.{ending}"
    found = records(folder, **LABELS)
    assert found.write(out) == 2
    frame = found.to_frame()
    if ending == "jsonl":
        table = pd.DataFrame([json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()])
    else:
        table = pd.read_parquet(out) if ending == "parquet" else pd.read_csv(out)
    assert list(table.columns) == found.columns
    for column in ("document", "begin_line", "end_line", "start", "end", "Nomenclature", "Description", "lines"):
        assert table[column].tolist() == frame[column].tolist()
    assert frame["Description"].tolist() == ["Pileus red, obtuse."] * 2
    assert frame["lines"].tolist() == ["1 3-4"] * 2


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_an_empty_table_has_its_columns(tmp_path, ending):
    found = records([Document("a", "x")], **LABELS)
    out = tmp_path / f"records.{ending}"
    assert found.write(out) == 0
    if ending == "parquet":
        assert list(pd.read_parquet(out).columns) == found.columns
    elif ending == "csv":
        assert next(csv.reader(out.open(encoding="utf-8"))) == found.columns
    else:
        assert out.read_text(encoding="utf-8") == ""


def test_nothing_is_replaced_or_left_by_half(folder, tmp_path):
    out = tmp_path / "records.csv"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="exists: give overwrite=True"):
        records(folder, **LABELS).write(out)
    bad = [Document("a", "Fusella minor", ("Nomenclature",)), Document("b", "Fusella \ud800", ("Nomenclature",))]
    with pytest.raises(DataError, match="surrogate"):
        records(bad, **LABELS).write(out, overwrite=True)
    assert out.read_text(encoding="utf-8") == "mine"
    records(folder, **LABELS).write(out, overwrite=True)
    with pytest.raises(DataError, match="one of the files that are read"):
        records([Document("a", "x", path=str(out))], **LABELS).write(out, overwrite=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"begin": "Description"}, ValueError, "cannot both begin a record"),
        ({"parts": ["A", "A"]}, ValueError, "'A' is given twice"),
        ({"parts": []}, ValueError, "parts must name at least one label"),
        ({"begin": ""}, ValueError, "begin must name a label"),
        ({"parts": ["document"]}, DataError, "'document' is also a column"),
        ({"data": 3}, TypeError, "data must be paths"),
        ({"data": pd.DataFrame()}, TypeError, "record_table takes tables"),
    ],
)
def test_wrong_arguments_are_named_before_any_work(folder, arguments, error, message):
    given = {"data": folder, **LABELS, **arguments}
    with pytest.raises(error, match=message):
        records(given.pop("data"), **given)


def test_a_model_labels_the_lines(tiny_model, tiny_bundle, folder):
    with pytest.raises(DataError, match=r"no label 'Nomenclatur', .*Did you mean 'Nomenclature'"):
        records(folder, begin="Nomenclatur", parts="Description", model=tiny_bundle)
    by_path = records(folder, **LABELS, model=tiny_bundle).to_frame()
    by_serving = records(
        read_documents(folder), **LABELS, model=load_serving(tiny_bundle, precision="float32")
    ).to_frame()
    by_model = records(read_documents(folder), **LABELS, model=tiny_model).to_frame()
    for other in (by_serving, by_model):
        assert other["lines"].tolist() == by_path["lines"].tolist()
    np.testing.assert_allclose(
        by_model["mean_probability"].astype(float), by_serving["mean_probability"].astype(float), atol=1e-4
    )
    assert by_path["least_probability"].between(0, 1).all()


def test_tables_of_predictions(tiny_model, folder):
    corpus = read_documents(folder)
    found = record_table(tiny_model.predict(corpus), **LABELS)
    expected = records(corpus, **LABELS, model=tiny_model).to_frame()
    for column in ("document", "begin_line", "lines", "start", "end", "Nomenclature", "Description"):
        assert found[column].tolist() == expected[column].tolist()
    np.testing.assert_allclose(found["mean_probability"].astype(float), expected["mean_probability"].astype(float))


def test_rows_of_several_lines():
    """Paragraphs of the classifier, with the text before and after them, give the records of the lines."""
    classifier = SkolClassifierV2(input_source="strings", output_dest="strings", collapse_labels=False)
    document = Document("a", "Fusella minor\n= Agaricus minor\n\n\nPileus red, ob-\ntuse.\n", ("Nomenclature",) * 2 + ("Description",) * 2)  # fmt: skip
    rows = classifier.load_raw_from_df(pd.DataFrame({"doc_id": ["a"], "text": [document.text]}))
    rows["label"] = ["Nomenclature", "Description"]
    found = record_table(rows.sample(frac=1, random_state=0), **LABELS)
    expected = records([document], **LABELS).to_frame()
    for column in ("document", "begin_line", "end_line", "lines", "start", "end", "Nomenclature", "Description"):
        assert found[column].tolist() == expected[column].tolist()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"doc_id": ["a"], "value": ["x"]}, "no column 'label'"),
        ({"doc_id": ["a"], "label": ["x"]}, "no column 'value'"),
        ({"value": ["a"], "label": ["x"]}, "no column 'doc_id'"),
        ({"doc_id": ["a"], "value": ["x"], "label": [3]}, "'label' holds 3, not text"),
        ({"doc_id": ["a"], "value": [3], "label": ["x"]}, "'value' holds 3, not text"),
    ],
)
def test_wrong_tables_are_named(table, message):
    with pytest.raises(DataError, match=message):
        record_table(table, **LABELS)


def test_an_empty_table():
    found = record_table(pd.DataFrame({"doc_id": [], "value": [], "label": []}), **LABELS)
    assert list(found.columns) == columns_of(["Nomenclature", "Description"])


def test_documents_are_read_when_their_turn_comes(folder):
    """Memory does not grow with the number of documents."""
    found = iter(records(folder, **LABELS))
    (folder / "b.txt.ann").unlink()
    assert next(found).document == "a"
    with pytest.raises(DataError, match=r"b\.txt\.ann"):
        next(found)


@pytest.mark.spark
# PySpark 4 calls pandas 3 by deprecated names, and warns about it itself.
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark")
def test_spark_gives_the_same_table(tmp_path):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    for name in ("spark.driver.host", "spark.driver.bindAddress"):
        builder = builder.config(name, "127.0.0.1")
    session = builder.getOrCreate()
    try:
        rows = pd.DataFrame(
            [
                (name, number, value, label)
                for name in "ab"
                for number, (value, label) in enumerate(
                    [("Fusella minor", "Nomenclature"), ("Pileus red, ob-", "Description"), ("tuse.", "Description")]
                )
            ],
            columns=["doc_id", "line_number", "value", "label"],
        )
        rules = JoiningRules(part_gap=3)
        found = record_table(session.createDataFrame(rows), **LABELS, rules=rules).toPandas().sort_values("document")
        expected = record_table(rows, **LABELS, rules=rules)
        assert list(found.columns) == list(expected.columns)
        for column in ("document", "begin_line", "lines", "Nomenclature", "Description"):
            assert found[column].tolist() == expected[column].tolist()
        with pytest.raises(DataError, match="line_number"):
            record_table(session.createDataFrame(rows.drop(columns="line_number")), **LABELS)
    finally:
        session.stop()
