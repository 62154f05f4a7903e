"""Documents one at a time have the names, texts and refusals of all at once, and each is written whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.data.document import Document
from skol_rnn.data.reading import DocumentStream, Reader, read_documents
from skol_rnn.data.writing import DocumentWriter, write_documents
from skol_rnn.errors import DataError

TEXTS = {
    ".txt": st.sampled_from(["one\n\ntwo", "", "  \n"]),
    ".txt.ann": st.sampled_from(["[@one#A*]", "", "[@one#A*]\n[@two"]),
    ".jsonl": st.sampled_from(['{"text": "one"}\n{"text": "two"}', '{"id": "a", "text": "one"}', ""]),
    ".csv": st.sampled_from(["doc_id,value\na,one\nb,two\n", "value\none\n"]),
}
FILES = st.dictionaries(
    st.tuples(st.sampled_from(["", "v1/", "v2/"]), st.sampled_from("ab"), st.sampled_from(sorted(TEXTS))),
    st.integers(0, 9),
    min_size=1,
    max_size=6,
)


def outcome(read):
    """Return documents and files left out, or the error."""
    try:
        documents, skipped = read()
        return [(d.doc_id, d.text, d.labels, d.path) for d in documents], skipped
    except DataError as error:
        return str(error)


@settings(max_examples=40, deadline=None)
@given(FILES, st.booleans(), st.data())
def test_a_stream_is_what_is_read_at_once(tmp_path_factory, files, strict, data):
    folder = tmp_path_factory.mktemp("stream")
    for (place, name, ending), _ in files.items():
        (folder / place).mkdir(exist_ok=True)
        (folder / place / (name + ending)).write_text(data.draw(TEXTS[ending]), encoding="utf-8")

    def at_once():
        corpus = read_documents(folder, strict=strict)
        return list(corpus), list(corpus.skipped)

    def one_by_one():
        stream = DocumentStream(folder, reader=Reader(strict))
        return list(stream), stream.skipped

    first, all_of_it = outcome(one_by_one), outcome(at_once)
    if isinstance(first, str) and isinstance(all_of_it, str):
        # A stream stops at the first file that is wrong; reading at once reports every one.
        assert set(first.splitlines()) <= set(all_of_it.splitlines())
    else:
        assert first == all_of_it


def test_an_empty_file_counts_for_the_common_folder_of_equal_names(tmp_path):
    for name, text in {
        "v1/a.txt": "",
        "v2/a.csv": "doc_id,value\nx,one\n",
        "v2/b.csv": "doc_id,value\nx,two\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = [document.doc_id for document in read_documents(tmp_path)]
    assert names == [document.doc_id for document in DocumentStream(tmp_path)] == ["v2/a/x", "v2/b/x"]


def test_a_file_is_read_when_its_turn_comes(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name, encoding="utf-8")
    stream = iter(DocumentStream(tmp_path))
    assert next(stream).text == "a"
    (tmp_path / "b.txt").write_text("changed", encoding="utf-8")
    assert [document.text for document in stream] == ["changed", "c"]


def test_a_file_named_and_empty_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text(" ", encoding="utf-8")
    with pytest.raises(DataError, match="is empty"):
        list(DocumentStream(tmp_path / "a.txt"))
    with pytest.raises(ValueError, match="Did you mean 'yedda'"):
        DocumentStream(tmp_path, format="yeda")


DOCUMENTS = [Document("v1/a", "one\n\ntwo"), Document("b", "three")]


@pytest.mark.parametrize("form", ["yedda", "jsonl", "csv"])
def test_a_writer_writes_what_is_written_at_once(tmp_path, form):
    labels = {"v1/a": ["X", None], "b": ["Y"]}
    at_once = write_documents(DOCUMENTS, tmp_path / "at_once", format=form, labels_by_doc=labels)
    with DocumentWriter(tmp_path / "one", form) as writer:
        for document in DOCUMENTS:
            writer.add(document, labels[document.doc_id])
    assert [path.read_bytes() for path in writer.written] == [path.read_bytes() for path in at_once]
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(writer.written)


def test_an_error_takes_nothing_away_that_was_done(tmp_path):
    with pytest.raises(KeyError), DocumentWriter(tmp_path / "out", "yedda") as writer:
        writer.add(DOCUMENTS[1], ["X"])
        raise KeyError
    assert (tmp_path / "out" / "b.txt.ann").read_text() == "[@three#X*]"


def test_wrong_numbers_and_double_names_are_refused(tmp_path):
    with DocumentWriter(tmp_path, "yedda") as writer:
        writer.add(DOCUMENTS[1], ["X"])
        with pytest.raises(DataError, match="Two documents would be written"):
            writer.add(DOCUMENTS[1], ["X"])
        with pytest.raises(ValueError, match="1 labels for 2 non-blank lines"):
            writer.add(DOCUMENTS[0], ["X"])
    assert len(writer.written) == 1
