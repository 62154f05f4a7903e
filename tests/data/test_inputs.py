"""What data say about themselves: repairs, documents without labels, labels alike, offsets, labels that are not there."""

from __future__ import annotations

import unicodedata
import warnings

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skol_rnn.data.document import Document
from skol_rnn.data.inputs import choose_labels, labelled_table
from skol_rnn.data.reading import DocumentStream, read_documents
from skol_rnn.data.spans import SpanRules, from_utf16
from skol_rnn.data.writing import write_documents
from skol_rnn.errors import DataError, LabelWarning, RepairWarning
from skol_rnn.labels import alike_labels


def write(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def test_repairs_are_counted_in_one_line(tmp_path):
    write(
        tmp_path, {"a.ann": "[@a#X*]\nstray#X*]\n", "b.ann": "[@a\n[@b#X*]\nc#X*]\nstray#X*]\n", "c.ann": "[@a#X*]\r\n"}
    )
    expected = (
        "5 repairs in 2 files: 2 stray closer, 2 text outside blocks, 1 nested block. `skol-rnn validate` lists them."
    )
    with pytest.warns(RepairWarning) as caught:
        read_documents(tmp_path)
    assert [str(warning.message) for warning in caught] == [expected]
    stream = DocumentStream(tmp_path)
    assert len(list(stream)) == 3
    assert str(stream.repairs) == expected


# -- documents without labels -------------------------------------------------------------------------


@pytest.fixture
def half_annotated(tmp_path):
    write(tmp_path, {"a.txt.ann": "[@Agaricus L.#Nomenclature*]\nrest\n", "b.txt": "Boletus L.\n"})
    return tmp_path


def test_documents_that_nobody_annotated_are_left_out_and_named(half_annotated):
    message = "1 document has no label and is left out: b. unlabelled='other' labels all their lines 'Misc'."
    with pytest.warns(LabelWarning, match=message):
        table = labelled_table(half_annotated, other="Misc")
    assert table["doc_id"].unique().tolist() == ["a"]
    rows = read_documents(half_annotated).table
    with pytest.warns(LabelWarning, match="left out: b"):
        assert labelled_table(rows, other="Misc")["doc_id"].unique().tolist() == ["a"]
    assert labelled_table(half_annotated)["doc_id"].unique().tolist() == ["a", "b"]


def test_a_record_in_which_nothing_was_found_is_annotated(tmp_path):
    write(
        tmp_path, {"a.jsonl": '{"id": 1, "text": "x", "label": [[0, 1, "X"]]}\n{"id": 2, "text": "y", "label": []}\n'}
    )
    assert labelled_table(tmp_path, other="Misc")["doc_id"].tolist() == ["1", "2"]


# -- labels -------------------------------------------------------------------------------------------


def test_labels_that_nearly_agree_are_reported_or_merged(tmp_path):
    write(tmp_path, {"a.ann": "[@a#Key*]\n[@b#Key*]\n[@c#key*]\n[@d#Key *]\n[@e#Misc*]\n"})
    corpus = read_documents(tmp_path)
    pairs = r"'Key ' \(1\) and 'Key' \(2\); 'key' \(1\) and 'Key' \(2\)"
    with pytest.warns(LabelWarning, match=pairs):
        assert len(choose_labels(corpus.table["label"])) == 4
    folded = read_documents(tmp_path, fold_labels=True)
    assert folded.documents[0].labels == ("Key", "Key", "Key", "Key", "Misc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_labels(folded.table["label"]).names == ("Key", "Misc")


def test_types_of_spans_are_merged_too(tmp_path):
    write(tmp_path, {"a.jsonl": '{"text": "ab cd ef", "label": [[0, 2, "ORG"], [3, 5, "org"], [6, 8, "ORG"]]}\n'})
    document = read_documents(tmp_path, unit="token", fold_labels=True).documents[0]
    assert document.labels == ("B-ORG",) * 3
    assert {kind for _, _, kind in document.spans} == {"ORG"}


@given(st.text(min_size=1).filter(str.strip), st.sampled_from([str.upper, "{} ".format, " {}".format, None]))
def test_any_label_is_like_itself_in_another_form(label, change):
    other = unicodedata.normalize("NFD", label) if change is None else change(label)
    mapping = alike_labels({label: 5, other: 2, "unlike everything, 12": 1})
    if (
        unicodedata.normalize("NFKC", other).casefold().strip()
        == unicodedata.normalize("NFKC", label).casefold().strip()
    ):
        assert mapping == ({other: label} if other != label else {})
    assert "unlike everything, 12" not in mapping


def test_a_label_that_the_data_lack_is_an_error():
    column = pd.Series(["Nomenclature", "Misc"])
    with pytest.raises(DataError, match=r"No line has the label 'Nomenclatura'. Did you mean 'Nomenclature'\?"):
        choose_labels(column, ["Nomenclatura", "Misc"])
    assert choose_labels(column, ["Nomenclature"], "Rest").names == ("Nomenclature", "Rest")


# -- offsets ------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("a 😀é𝒳b"), max_size=20), st.data())
def test_offsets_in_utf16_units_are_converted(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    units = [len(text[:place].encode("utf-16-le")) // 2 for place in (start, end)]
    assert from_utf16(text, [(*units, "X")]) == ((start, end, "X"),)
    beyond = len(text.encode("utf-16-le")) // 2 + 3
    assert from_utf16(text, [(-1, beyond, "X")]) == ((-1, len(text) + 3, "X"),)


def test_offsets_that_count_something_else_are_reported(tmp_path):
    text = "😀 Mary met John in Paris again"
    spans = [[3, 7, "PER"], [12, 16, "PER"], [20, 25, "LOC"]]
    write(tmp_path, {"a.jsonl": f'{{"text": "{text}", "label": {spans}}}\n'.replace("'", '"')})
    rules = SpanRules(offsets="utf-16")
    right = read_documents(tmp_path, unit="token", rules=rules)
    assert [right.documents[0].text[start:end] for start, end, _ in right.documents[0].spans] == [
        "Mary",
        "John",
        "Paris",
    ]
    assert right.repairs == ()
    with pytest.warns(RepairWarning, match="1 offsets that cut words"):
        wrong = read_documents(tmp_path)
    assert "3 of 3 spans begin or end within a word" in wrong.repairs[0].detail


# -- brat ---------------------------------------------------------------------------------------------


def test_relations_and_notes_of_brat_come_back(tmp_path):
    notes = (
        "T1\tA 0 3\tone\nT2\tB 4 7\ttwo\nR1\tof Arg1:T1 Arg2:T2\nA1\tSure T1\n#1\tAnnotatorNotes T2\tfine\nE1\tA:T1\n"
    )
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", {"a.txt": "one two", "a.ann": notes})
    corpus = read_documents(tmp_path / "in")
    write_documents(corpus, tmp_path / "out", format="brat")
    assert (tmp_path / "out" / "a.ann").read_text(encoding="utf-8") == notes
    # Other labels make another annotation.
    write_documents(corpus, tmp_path / "new", format="brat", labels_by_doc={"a": ["C"]})
    assert (tmp_path / "new" / "a.ann").read_text(encoding="utf-8") == "T1\tC 0 7\tone two\n"
    assert isinstance(corpus.documents[0], Document)
