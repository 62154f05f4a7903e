"""Files to documents and back: which files, under which names, in which formats, and what is refused."""

from __future__ import annotations

import builtins
import csv
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.data.document import Document, split_lines
from skol_rnn.data.formats.encoding import decode
from skol_rnn.data.formats.jsonl import format_record, parse_record
from skol_rnn.data.formats.table import LineRow, format_table, read_csv, read_parquet, rebuild_text
from skol_rnn.data.reading import read_documents
from skol_rnn.data.table import check_table
from skol_rnn.data.tokens import by_unit
from skol_rnn.data.writing import write_documents
from skol_rnn.errors import DataError
from skol_rnn.persistence.atomic import write_atomically

TEXT = st.text(st.sampled_from("ab,\"'#@[]*;é\u2028\x85 \t\f\r\n\n\n"), max_size=60) | st.text(max_size=60)
WORDS = st.lists(st.sampled_from(["NA", "null", "None", "nan", '"', '""', ",", "1", "True", "a\rb", "x"]), max_size=6)
ANY_TEXT = TEXT | WORDS.map("\n".join)


@st.composite
def documents(draw):
    text = draw(ANY_TEXT)
    lines = split_lines(text)
    one = st.none() | st.sampled_from(["X", "NA", "null", "a b"])
    labels = draw(st.none() | st.lists(one, min_size=len(lines), max_size=len(lines)).map(tuple))
    return Document("vol/a", text, labels)


def fill(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def ids(corpus):
    return [document.doc_id for document in corpus]


def reasons(corpus):
    return {Path(path).name: reason for path, reason in corpus.skipped}


# Which files, and their names


def test_a_folder_gives_known_files_and_lists_the_others(tmp_path):
    fill(
        tmp_path,
        {
            "v2/a.txt.ann": "[@one#X*]",
            "v1/a.txt.ann": "[@one#X*]",
            "v1/b.txt": "two",
            "v1/c.TXT": "three",
            "article.pdf.ann": "[@four#X*]",
            "d.jsonl": '{"id": "j", "text": "five"}\n',
            "e.csv": "value\nsix\n",
            "tokens.anns": "one X",
            "notes.md": "x",
            ".hidden.txt": "x",
            ".git/x.txt": "x",
            "empty.txt": " \n\f\n",
            "empty.txt.ann.txt.ann": "[@\f#X*]",
            "empty.csv": "doc_id,value\n",
        },
    )
    corpus = read_documents(tmp_path)
    assert ids(corpus) == ["article.pdf", "j", "e", "v1/a", "v1/b", "v1/c", "v2/a"]
    assert reasons(corpus) == {
        "tokens.anns": "YEDDA's export of one token per line, not a document",
        "notes.md": "unknown ending",
        ".hidden.txt": "hidden",
        "x.txt": "hidden",
        "empty.txt": "empty",
        "empty.txt.ann.txt.ann": "empty",
        "empty.csv": "empty",
    }


def test_the_annotated_file_is_read_instead_of_the_plain_one(tmp_path):
    fill(tmp_path, {"a.txt": "one", "a.txt.ann": "[@one#X*]", "b/a.txt": "two"})
    corpus = read_documents(tmp_path)
    assert corpus.texts == {"a": "one", "b/a": "two"}
    assert corpus.documents[0].labels == ("X",)
    assert reasons(corpus) == {"a.txt": "a.txt.ann is the same text with labels"}
    assert ids(read_documents(f"{tmp_path}/*")) == ["a"]


def test_files_named_directly_are_both_read_under_names_of_their_own(tmp_path):
    fill(tmp_path, {"a.txt": "one", "a.txt.ann": "[@one#X*]"})
    assert ids(read_documents([tmp_path / "a.txt", tmp_path / "a.txt.ann"])) == ["a.txt", "a.txt.ann"]


def test_equal_names_are_extended_by_folder(tmp_path):
    fill(tmp_path, {"v1/a.txt": "one", "v2/a.txt": "two", "v2/b.txt": "three"})
    corpus = read_documents([tmp_path / "v1", tmp_path / "v2"])
    assert corpus.texts == {"v1/a": "one", "v2/a": "two", "b": "three"}
    fill(tmp_path, {"v1/r.jsonl": '{"id": 1, "text": "x"}', "v2/r.jsonl": '{"id": 1, "text": "y"}'})
    assert ids(read_documents([tmp_path / "v1/r.jsonl", tmp_path / "v2/r.jsonl"])) == ["v1/r/1", "v2/r/1"]


def test_a_file_found_twice_is_read_once(tmp_path):
    fill(tmp_path, {"a.txt": "one", "b.txt": "two"})
    assert ids(read_documents([tmp_path / "b.txt", tmp_path])) == ["b", "a"]


def test_linked_folders_are_entered_once_each(tmp_path):
    fill(tmp_path, {"in/a/x.txt": "one", "out/b/y.txt": "two", "out/z.txt": "three"})
    links = {
        "in/loop": "in",
        "in/a/up": ".",
        "in/b": "out/b",
        "in/again": "out",
        "in/same": "in/a",
        "out/b/back": "in",
        "in/none": "gone",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target, target_is_directory=True)
    corpus = read_documents(tmp_path / "in")
    assert sorted(corpus.texts.values()) == ["one", "three", "two"]
    assert "a/x" in corpus.texts


@given(
    st.lists(st.sampled_from(["a", "b", "a/c", "b/d", "a/c/e"]), min_size=1, unique=True),
    st.lists(
        st.tuples(st.sampled_from(["", "a", "b", "a/c"]), st.sampled_from(["", "a", "b", "b/d", "../o"])), max_size=6
    ),
)
def test_any_tree_with_links_is_visited_once(folders, links):
    with TemporaryDirectory() as top:
        root = Path(top, "r")
        for name in [*folders, "../o"]:
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / "t.txt").write_text(name)
        for number, (place, target) in enumerate(links):
            if (root / place).is_dir():
                (root / place / f"link{number}").symlink_to(root / target, target_is_directory=True)
        reached = any(target == "../o" and (root / place).is_dir() for place, target in links)
        texts = sorted(document.text for document in read_documents(root))
        assert texts == sorted([*folders, "../o"] if reached else folders)


def test_globs(tmp_path, monkeypatch):
    fill(tmp_path, {"v1/a.txt": "one", "v1/b.md": "two", "v2/a.txt": "three", "w[1].txt": "four"})
    assert ids(read_documents(f"{tmp_path}/*/a.txt")) == ["v1/a", "v2/a"]
    assert ids(read_documents(f"{tmp_path}/**/*.txt")) == ["v1/a", "v2/a", "w[1]"]
    assert ids(read_documents(f"{tmp_path}/w[1].txt")) == ["w[1]"]
    assert ids(read_documents(f"{tmp_path}/v1/*.md", format="text")) == ["b.md"]
    monkeypatch.chdir(tmp_path)
    assert ids(read_documents("v1/*.t?t")) == ["a"]
    with pytest.raises(DataError, match=r"no document in .*\.xml"):
        read_documents(f"{tmp_path}/*.xml")


@pytest.mark.parametrize("path", ["", "  "])
def test_an_empty_path_is_not_this_folder(path):
    with pytest.raises(DataError, match="A path is empty"):
        read_documents(path)


def test_a_misspelt_path_does_not_exist(tmp_path):
    fill(tmp_path, {"annotated/a.txt": "one", "volume1.txt": "two"})
    with pytest.raises(DataError, match=r"anotated does not exist. Did you mean 'annotated'\?"):
        read_documents(tmp_path / "anotated")
    with pytest.raises(DataError, match=r"volume2.txt does not exist. Did you mean 'volume1.txt'\?"):
        read_documents(tmp_path / "volume2.txt")
    with pytest.raises(DataError, match="does not exist.$"):
        read_documents(tmp_path / "none" / "x")


def test_format_overrides_the_name(tmp_path):
    fill(tmp_path, {"a.txt": "one", "a.txt.ann": "[@one#X*]", "b.xyz": "[@two#Y*]"})
    assert read_documents(tmp_path / "b.xyz", format="yedda").documents[0].labels == ("Y",)
    corpus = read_documents(tmp_path, format="text")
    assert corpus.texts == {"a": "one"}
    assert reasons(corpus) == {"a.txt.ann": "not text by its ending", "b.xyz": "unknown ending"}
    with pytest.raises(ValueError, match="Did you mean 'yedda'"):
        read_documents(tmp_path, format="yeda")
    with pytest.raises(DataError, match="give format="):
        read_documents(tmp_path / "b.xyz")


@pytest.mark.parametrize("content", ["", "\n \f\r\n", "[@\f#X*]"])
def test_an_empty_file_named_directly_is_an_error(tmp_path, content):
    fill(tmp_path, {"a.txt.ann": content})
    with pytest.raises(DataError, match=r"a\.txt\.ann is empty"):
        read_documents(tmp_path / "a.txt.ann")
    with pytest.raises(DataError, match=r"no document in .*1 skipped.*empty"):
        read_documents(tmp_path)


def test_folders_and_files_that_give_nothing_are_errors(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no document in .*none"):
        read_documents(tmp_path / "none")
    with pytest.raises(DataError, match="missing.txt does not exist"):
        read_documents(tmp_path / "missing.txt")
    (tmp_path / "none" / "gone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="gone.txt cannot be read"):
        read_documents(tmp_path / "none")


# Bytes


def test_line_ends_nulls_and_odd_characters_are_kept_and_listed(tmp_path):
    raw = "\ufeffa\x00b\r\nc\rd\n\x0be \x85\n"
    fill(tmp_path, {"a.txt": raw.encode(), "b.txt.ann": raw.encode()})
    for document in read_documents(tmp_path):
        assert document.text == raw[1:]
        assert [(r.kind, r.line) for r in document.repairs][:3] == [
            ("byte order mark", 1),
            ("CRLF line ends", 1),
            ("control characters", 1),
        ]
        assert document.repairs[2].detail.startswith("4 in the file")
        assert document.table()["value"].tolist() == ["a\x00b", "c\rd", "\x0be \x85"]


def test_invalid_utf8_is_replaced_and_listed_or_refused(tmp_path):
    fill(tmp_path, {"a.txt": "gut \ufffd\n".encode() + b"caf\xe9 \xff" + b" word" * 20})
    document = read_documents(tmp_path).documents[0]
    assert document.text.startswith("gut \ufffd\ncaf\ufffd \ufffd word")
    [repair] = document.repairs
    assert (repair.kind, repair.line) == ("invalid UTF-8", 2)
    assert repair.detail.startswith("2 in the file")
    with pytest.raises(DataError, match=r"a\.txt:2: invalid UTF-8"):
        read_documents(tmp_path, strict=True)


@pytest.mark.parametrize(
    "data",
    ["text\n".encode("utf-16"), "some text\n".encode("utf-16-le"), bytes(range(256)) * 40, b"%PDF-1.4\n%\xe2\xe3"],
)
@pytest.mark.parametrize("name", ["a.txt", "a.txt.ann", "a.jsonl", "a.csv"])
def test_what_is_not_text_is_refused(tmp_path, data, name):
    fill(tmp_path, {name: data})
    with pytest.raises(DataError, match=rf"{name} is not text"):
        read_documents(tmp_path / name)


@given(ANY_TEXT)
def test_decoding_keeps_every_character(text):
    if text.startswith("\ufeff") or len(text) < 60:
        text = "Plain text of a page. " * 10 + text
    assert decode(text.encode(), "a").text == text


# Formats


@given(documents())
def test_jsonl_comes_back(document):
    again = parse_record(format_record(document), "other")
    assert (again.doc_id, again.text, by_unit(again, "line").labels) == ("vol/a", document.text, document.labels)


@settings(deadline=None)
@given(documents(), st.booleans())
def test_tables_come_back(tmp_path_factory, document, parquet):
    path = tmp_path_factory.getbasetemp() / f"{os.getpid()}-table"
    path.write_bytes(format_table(document, kind="parquet" if parquet else "csv"))
    again = (read_parquet if parquet else read_csv)(path, "other")
    if not document.lines:
        assert again == []
        return
    pd.testing.assert_frame_equal(again[0].table(), document.table())
    assert again[0].labels == document.labels


@given(documents())
def test_tables_without_offsets_come_back(document):
    lines = document.lines
    values = [document.text[line.start : line.end] for line in lines]
    text = rebuild_text([LineRow(value, *line[2:]) for value, line in zip(values, lines, strict=True)])
    assert [text[line.start : line.end] for line in split_lines(text)] == values
    assert [line.blank_before for line in split_lines(text)] == [line.blank_before for line in lines]
    assert [line.page_break for line in split_lines(text)] == [line.page_break for line in lines]


def test_text_without_offsets_is_joined_by_line_ends(tmp_path):
    fill(tmp_path, {"a.csv": 'doc_id,value,label,blank_before\na,NA,X,0\nb,null,,0\na,"say ""so"", he",NA,2\n'})
    corpus = read_documents(tmp_path)
    assert corpus.texts == {"a": 'NA\n\n\nsay "so", he', "b": "null"}
    assert [document.labels for document in corpus] == [("X", "NA"), (None,)]


def test_blank_rows_of_a_table_become_blank_lines(tmp_path):
    fill(tmp_path, {"a.csv": "value,label\none,X\n  ,X\n\f,X\ntwo,Y\n"})
    [document] = read_documents(tmp_path / "a.csv")
    assert (document.text, document.labels) == ("one\n\f\n\ntwo", ("X", "Y"))


def test_offsets_without_blank_lines_are_kept(tmp_path):
    fill(tmp_path, {"a.csv": "value,start,end\none,2,5\ntwo,9,12\n"})
    assert read_documents(tmp_path / "a.csv").documents[0].table()["start"].tolist() == [2, 9]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("doc_id,text\na,b\n", "no column 'value'"),
        ("value,line_number\na,1\nb,1\n", "occurs twice"),
        ("value,line_number\na,one\n", "Row 0 of column 'line_number' holds 'one', not a line number"),
        ("value,start\na,0\nb,1\n", "does not fit its offsets"),
        ('value\n"a\nb"\n', "is not one line"),
        ("doc_id,value,label\nv1,a,X,\n", r":2: record 1 has 4 fields, but the header has 3"),
        ("doc_id,value,label\nv1,a,X\n\nv1,b\n", r":4: record 2 has 2 fields, but the header has 3"),
        ("doc_id;value;label\nv1;a;X\n", "columns are separated by ';'"),
        ("value,label,label\na,X,Y\n", "two columns 'label'"),
        ("value,line_number\na,1\nb,99999999999999999999\n", "Row 1 of column 'line_number' holds"),
        ("value,blank_before\na,-1\n", "Row 0 of column 'blank_before' holds '-1', not a whole number"),
        ("value,page_break\na,yes\n", "Row 0 of column 'page_break' holds 'yes', not true or false"),
        ("value,start\na,300000000\n", "ask for 300,000,000 characters, but the values have 1"),
        ("value,blank_before\na,100000000\n", "ask for 100,000,000 characters"),
        ('value\n"a\n', ":2: the record that begins here is not CSV: a quotation mark that is not closed"),
    ],
)
def test_bad_tables_are_refused(tmp_path, content, message):
    fill(tmp_path, {"a.csv": content})
    with pytest.raises(DataError, match=rf"a\.csv.*{message}"):
        read_documents(tmp_path / "a.csv")


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=3, unique=True),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(["drop", "double", "shift", "none"]),
)
def test_a_csv_with_a_record_of_another_width_is_refused(extra, n_rows, at, how):
    header = ["value", "label", *(f"x{i}" for i in range(len(extra)))]
    rows = [[f"line {i}", "X", *extra] for i in range(n_rows)]
    row = rows[at % n_rows]
    if how == "drop":
        row.pop()
    elif how in ("double", "shift"):
        row.insert(0 if how == "shift" else len(row), row[0])
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        if how != "none":
            with pytest.raises(DataError, match=f"record {at % n_rows + 1} has"):
                read_documents(path)
            return
        document = read_documents(path).documents[0]
    assert document.labels == ("X",) * n_rows
    assert document.text == "\n".join(f"line {i}" for i in range(n_rows))


def test_the_index_of_a_parquet_file_is_a_column(tmp_path):
    table = pd.DataFrame({"doc_id": ["a", "b"], "value": ["one", "two"]})
    table.set_index("doc_id").to_parquet(tmp_path / "t.parquet")
    assert ids(read_documents(tmp_path)) == ["a", "b"]
    with pytest.raises(DataError, match=r"'doc_id' is the index of the table: call reset_index\(\) first"):
        check_table(table.set_index("doc_id"))


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pyarrow":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"skol_rnn\[parquet\]"):
        write_documents([Document("a", "one")], tmp_path, format="parquet")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_parquet(tmp_path):
    fill(tmp_path, {"a.parquet": b"PAR1 nothing of the kind"})
    with pytest.raises(DataError, match="a.parquet is not a Parquet table"):
        read_documents(tmp_path)


def test_jsonl_in_the_shapes_that_doccano_writes(tmp_path):
    records = [
        {"id": 1, "text": "one\n two\nthree\n", "label": [[9, 14, "Y"], [0, 3, "X"], [5, 6, "Z"]]},
        {"data": "four\u2028five", "labels": []},
        {"id": "u", "text": "six", "comments": ["not read"]},
    ]
    fill(tmp_path, {"a.jsonl": "\n".join(json.dumps(r, ensure_ascii=False) for r in records) + "\n\n"})
    one, two, three = read_documents(tmp_path / "a.jsonl")
    assert (one.doc_id, one.labels) == ("1", ("X", "Z", "Y"))
    assert one.spans == ((0, 3, "X"), (5, 6, "Z"), (9, 14, "Y"))
    assert json.loads(format_record(one))["label"] == [[0, 3, "X"], [5, 6, "Z"], [9, 14, "Y"]]
    assert (two.doc_id, two.labels, len(two.lines)) == ("a/2", (None,), 1)
    assert (three.doc_id, three.labels) == ("u", None)


SHAPES = {
    "doccano": {"id": 1, "text": "EU met", "label": [[0, 2, "ORG"]]},
    "doccano, old": {"id": 1, "text": "EU met", "annotations": [{"start_offset": 0, "end_offset": 2, "label": "ORG"}]},
    "doccano, relations": {
        "id": 1,
        "text": "EU met",
        "entities": [{"id": 4, "label": "ORG", "start_offset": 0, "end_offset": 2}],
        "relations": [],
    },
    "Prodigy": {
        "text": "EU met",
        "tokens": [{"text": "EU", "start": 0, "end": 2, "id": 0}],
        "spans": [{"start": 0, "end": 2, "label": "ORG", "token_start": 0}],
        "answer": "accept",
    },
    "spaCy, Doc.to_json": {
        "text": "EU met",
        "ents": [{"start": 0, "end": 2, "label": "ORG"}],
        "tokens": [{"id": 0, "start": 0, "end": 2}],
    },
    "spaCy, group of spans": {"text": "EU met", "spans": {"sc": [{"start": 0, "end": 2, "label": "ORG"}]}},
    "spaCy, training": ["EU met", {"entities": [[0, 2, "ORG"]]}],
    "Label Studio": {
        "id": 7,
        "data": {"article": "EU met"},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {"result": [{"type": "labels", "value": {"start": 0, "end": 2, "text": "EU", "labels": ["ORG"]}}]},
        ],
    },
    "Label Studio, small": {
        "id": 7,
        "text": "EU met",
        "label": [{"start": 0, "end": 2, "text": "EU", "labels": ["ORG"]}],
    },
}


@pytest.mark.parametrize("tool", SHAPES)
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_the_exports_of_annotation_tools_are_read(tmp_path, tool, name):
    record = SHAPES[tool]
    text = json.dumps([record], indent=1) if name == "a.json" else json.dumps(record)
    fill(tmp_path, {name: text, "settings.json": '{"text": "no document"}'})
    corpus = read_documents(tmp_path, unit="token")
    assert corpus.documents[0].text == "EU met"
    assert corpus.documents[0].spans == ((0, 2, "ORG"),)
    assert corpus.documents[0].labels == ("B-ORG", "O")
    assert reasons(corpus) == {"settings.json": "no list of JSON records"}


def test_what_a_record_holds_besides_spans_is_listed(tmp_path):
    rejected = {"text": "EU met", "spans": [{"start": 0, "end": 2, "label": "ORG"}], "answer": "reject"}
    value = {"start": 0, "end": 2, "labels": ["ORG"]}
    studio = {
        "data": {"text": "EU"},
        "annotations": [{"result": [{"value": value}, {"type": "relation"}]}, {"result": []}],
    }
    fill(tmp_path, {"a.jsonl": f"{json.dumps(rejected)}\n{json.dumps(studio)}\n"})
    corpus = read_documents(tmp_path)
    assert corpus.documents[0].labels is None
    assert [(repair.line, repair.detail) for repair in corpus.repairs] == [
        (1, "spans with the answer 'reject' left out"),
        (2, "2 annotations of one text: the first is kept"),
        (2, "1 result that is no span left out"),
    ]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            '{"text": "abc", "mentions": [{"start": 0, "end": 2, "label": "X"}]}',
            "the spans are under 'mentions'; give them",
        ),
        ('{"text": "abc", "marks": [[0, 2, "X"]]}', "the spans are under 'marks'"),
        (
            '{"text": "abc", "label": [[0, 1, "X"]], "spans": [{"start": 0, "end": 1}]}',
            "under 'label' and under 'spans'",
        ),
        (
            '{"text": "abc", "annotations": [{"start_offset": 0, "end_offset": 2, "label": 3}]}',
            "export the names of the",
        ),
        ('{"text": "abc", "spans": {"a": [], "b": []}}', "2 groups of spans"),
        ('{"text": "abc", "spans": [{"start": 0, "end": 2, "text": "bc", "label": "X"}]}', "quotes 'bc', but"),
        ("{", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"id": "r"}', "record 'r': there is no text"),
        ('{"id": "r", "text": "abc", "label": "X"}', "not a list"),
        ('{"id": "r", "text": "abc", "label": [[2, 1, "X"]]}', r"\[2, 1, 'X'\] is empty or reversed"),
        ('{"id": "r", "text": "abc", "label": [[0, 4, "X"]]}', "outside the text of 3 characters"),
        ('{"id": "r", "text": "abc", "label": [[-1, 2, "X"]]}', "outside the text"),
        ('{"id": "r", "text": "abc", "label": [[0, 2, "X"], [1, 3, "Y"]]}', "overlap"),
        ('{"id": "r", "text": "abc", "label": [[0, 2, ""]]}', "is not"),
        ('{"id": "r", "text": "abc", "label": [[false, true, "X"]]}', "is not"),
        ('{"id": "r", "text": "abc", "label": ["X"]}', "is not"),
        ('{"id": "first", "text": "abc"}', "line 1 has the same id"),
    ],
)
def test_bad_records_are_refused(tmp_path, record, message):
    fill(tmp_path, {"a.jsonl": f'{{"id": "first", "text": "fine"}}\n{record}\n'})
    with pytest.raises(DataError, match=rf"a\.jsonl:2: .*{message}"):
        read_documents(tmp_path / "a.jsonl")


def test_all_bad_records_are_reported_at_once(tmp_path):
    fill(tmp_path, {"a.jsonl": '{"text": "a", "label": [[1, 0, "X"]]}\n' * 12})
    with pytest.raises(DataError) as caught:
        read_documents(tmp_path)
    messages = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in messages] == [str(n) for n in range(1, 13)]


# Writing


DOCUMENTS = [
    Document("v1/a", "one\n\ntwo\n", ("X", None), path="in/v1/a.txt.ann"),
    Document("v2/a", "three\r\n", None, path="in/v2/a.txt", bom=True),
    Document("article.pdf", "four", ("Y",), path="in/article.pdf.ann"),
]


def test_names_and_folders_of_what_is_written(tmp_path):
    def names(form):
        return [str(p.relative_to(tmp_path / form)) for p in write_documents(DOCUMENTS, tmp_path / form, format=form)]

    assert names("yedda") == ["v1/a.txt.ann", "v2/a.txt.ann", "article.pdf.ann"]
    assert names("text") == ["v1/a.txt", "v2/a.txt", "article.pdf.txt"]
    assert names("jsonl")[0] == "v1/a.jsonl"
    assert names("csv")[0] == "v1/a.csv"
    assert (tmp_path / "text/v2/a.txt").read_bytes() == b"\xef\xbb\xbfthree\r\n"
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("form", ["yedda", "jsonl", "csv", "parquet"])
def test_every_format_gives_back_lines_labels_and_names(tmp_path, form):
    write_documents(DOCUMENTS, tmp_path, format=form)
    again = {document.doc_id: document for document in read_documents(tmp_path)}
    assert set(again) == {document.doc_id for document in DOCUMENTS}
    for document in DOCUMENTS:
        found = again[document.doc_id]
        assert found.table()["value"].tolist() == document.table()["value"].tolist()
        assert found.labels == (document.labels or (None if form != "yedda" else (None,)))


def test_predicted_labels_and_probabilities(tmp_path):
    labels = {"v1/a": ["B", "B"], "v2/a": pd.Series(["A"])}
    vectors = {"v1/a": [[0.25, 0.75], [0.5, 0.5]], "v2/a": [[1, 0]]}
    one, two, three = write_documents(DOCUMENTS, tmp_path, format="jsonl", labels_by_doc=labels, probabilities=vectors)
    record = json.loads(one.read_text())
    assert record["label"] == [[0, 3, "B"], [5, 8, "B"]]
    assert record["probabilities"] == [[0.25, 0.75], [0.5, 0.5]]
    assert json.loads(two.read_text())["label"] == [[0, 5, "A"]]
    assert json.loads(three.read_text())["label"] == [[0, 4, "Y"]]
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        path = write_documents(DOCUMENTS, tmp_path, format=form, labels_by_doc=labels, probabilities=vectors)[0]
        table = read(path)
        assert table["label"].tolist() == ["B", "B"]
        first = table["probabilities"][0]
        assert list(json.loads(first) if form == "csv" else first) == [0.25, 0.75]
    yedda = write_documents(DOCUMENTS, tmp_path, format="yedda", labels_by_doc=labels)
    assert yedda[0].read_text() == "[@one\n\ntwo#B*]\n"


def test_wrong_arguments_of_writing(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'jsonl'"):
        write_documents(DOCUMENTS, tmp_path, format="json")
    with pytest.raises(ValueError, match="v1/a: 1 labels for 2"):
        write_documents(DOCUMENTS, tmp_path, format="csv", labels_by_doc={"v1/a": ["X"]})
    with pytest.raises(ValueError, match="Did you mean 'v1/a'"):
        write_documents(DOCUMENTS, tmp_path, format="csv", labels_by_doc={"v1/b": ["X"]})
    with pytest.raises(ValueError, match="holds 1, not text"):
        write_documents(DOCUMENTS, tmp_path, format="csv", labels_by_doc={"article.pdf": [1]})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../a", "v/../../a", "/tmp/a", "", "a\0b", ".."])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="is not a path below"):
        write_documents([DOCUMENTS[0], Document(name, "x")], tmp_path / "out", format="text")
    assert not (tmp_path / "out").exists()


def test_links_that_lead_out_of_the_folder_are_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "v").symlink_to(tmp_path)
    with pytest.raises(DataError, match="outside"):
        write_documents([Document("v/a", "x")], tmp_path / "out", format="text")


def test_no_document_is_written_over_another_or_over_its_source(tmp_path):
    with pytest.raises(DataError, match="Two documents"):
        write_documents([Document("a", "x"), Document("a", "y")], tmp_path, format="text")
    fill(tmp_path, {"a.txt.ann": "[@x#X*]"})
    with pytest.raises(DataError, match="choose another folder"):
        write_documents(read_documents(tmp_path), tmp_path, format="yedda")
    assert (tmp_path / "a.txt.ann").read_text() == "[@x#X*]"


def test_one_document_that_cannot_be_written_leaves_all_unwritten(tmp_path):
    for bad, form in ((Document("b", "x [@ y", ("X",)), "yedda"), (Document("b", "\ud800", ("X",)), "csv")):
        with pytest.raises(DataError, match="b: "):
            write_documents([DOCUMENTS[0], bad], tmp_path / "out", format=form)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_whole(tmp_path, monkeypatch, step):
    path = tmp_path / "a.txt"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old"


def test_a_line_of_two_megabytes(tmp_path):
    text = "Pileus #20 @x 5–10 µm [broad]. " * 64_000
    fill(tmp_path, {"a.txt": text})
    corpus = read_documents(tmp_path / "a.txt")
    [path] = write_documents(corpus, tmp_path / "out", format="yedda", labels_by_doc={"a": ["X"]})
    assert read_documents(path).documents[0].labels == ("X",)
    assert read_documents(path).documents[0].text == text


def test_real_files_in_every_format(corpora, tmp_path):
    corpus = read_documents(corpora / "skol" / "dev")
    for form in ("jsonl", "csv"):
        write_documents(corpus, tmp_path / form, format=form)
        again = {document.doc_id: document for document in read_documents(tmp_path / form)}
        for document in corpus:
            found = again[document.doc_id]
            assert found.labels == document.labels
            assert form == "csv" or found.text == document.text
            pd.testing.assert_frame_equal(found.table(), document.table())
