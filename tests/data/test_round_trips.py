"""Any label and any text come back from every format, or are refused when they are written; any tree is read once."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skol_rnn import read_documents, write_documents
from skol_rnn.data.discovery import FORMATS
from skol_rnn.data.document import Document
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import by_unit, document_spans
from skol_rnn.errors import DataError

QUICK = settings(deadline=None, max_examples=50)
ODD = st.text(
    st.sampled_from("aé#*@[]\"'\\,;:\t\r\n\f\v\0\x1c\x85\xa0\u2028\ufeff\u0301\ud800\U0001f600-BIO "), max_size=12
)
ANY = ODD | st.text(max_size=8)
# What a label must not hold; empty labels and halves of surrogate pairs are refused everywhere.
CANNOT = {"yedda": r"[*#\r\n\f]|\[@", "ptc": r"^\s*$|[\t\r\n]", "brat": r"\s", "bio": r"[\t\n]|\r$"}
EXACT = ("yedda", "text", "jsonl", "ptc", "brat", "bio")


def there_and_back(document: Document, form: str) -> Document | None:
    """Write a document and read it; None if it is refused when it is written."""
    with TemporaryDirectory() as top:
        folder = Path(top, "f")
        try:
            write_documents([document], folder, format=form)
        except DataError as error:
            assert document.doc_id in str(error)
            assert not folder.exists()
            return None
        return read_documents(folder, unit=document.unit, rules=SpanRules(overlap="longest")).documents[0]


@QUICK
@given(label=ANY, form=st.sampled_from([form for form in FORMATS if form != "text"]))
@example(label=" ", form="ptc")
@example(label="", form="csv")
@example(label="\ud800", form="parquet")
@example(label="\ud800", form="jsonl")
@example(label="a\r\nb", form="csv")
@example(label="O", form="bio")
def test_any_label_comes_back_or_is_refused_when_it_is_written(label, form):
    document = Document("name", "one\n\ntwo three\n", (label, "X"))
    if form == "bio":
        document = by_unit(document, "token")
    again = there_and_back(document, form)
    if again is None:
        assert re.search(f"^$|[\ud800-\udfff]|{CANNOT.get(form, '^$')}", label), f"{form} can hold {label!r}"
        return
    assert again.labels == document.labels
    if form not in ("csv", "parquet"):
        assert (again.text, document_spans(again)) == (document.text, document_spans(document))


@QUICK
@given(text=ANY, bom=st.booleans(), form=st.sampled_from(EXACT))
@example(text="\ufeffone", bom=False, form="text")
@example(text="\ufeffone", bom=True, form="ptc")
@example(text="\ufeffone", bom=False, form="brat")
@example(text="a\r\nb\rc\n\r", bom=False, form="bio")
def test_any_text_comes_back_or_is_refused_when_it_is_written(text, bom, form):
    text += "\none two" + " and more words" * 20  # few NULs, for many of them are no text
    start = text.rindex("one two")
    document = Document("name", text, bom=bom, spans=None if form == "text" else ((start, start + 3, "X"),))
    again = there_and_back(by_unit(document, "token") if form == "bio" else by_unit(document, "line"), form)
    if again is None:
        assert "\ud800" in text or form == "yedda" or (form == "bio" and "\r" in text or "#" in text)
        return
    assert again.text == text
    assert form == "text" or again.spans is None or again.spans == document.spans
    if form in ("text", "yedda", "ptc", "brat"):
        assert again.bom == (bom or text.startswith("\ufeff"))


FOLDERS = ["a", "a/c", "b", "a/c/e"]
PLACES = st.sampled_from(["", *FOLDERS])
TARGETS = st.sampled_from(["", *FOLDERS, "../o", "../o/p", "none", "t.txt", "b/t.txt", "../o/t.txt", "../o/p/t.txt"])


@QUICK
@given(st.lists(st.tuples(PLACES, TARGETS), max_size=7))
@example([("", "../o"), ("a", "../o/p"), ("b", "../o/t.txt"), ("", "../o/t.txt")])
def test_each_file_of_a_tree_with_links_is_read_once_and_all_else_is_listed(links):
    with TemporaryDirectory() as top:
        root = Path(os.path.realpath(top), "r")
        for name in ["", *FOLDERS, "../o", "../o/p"]:
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / "t.txt").write_text(name or "root")
        made = []
        for number, (place, target) in enumerate(links):
            ending = ".txt" if target.endswith(".txt") else ""
            made.append(root / place / f"{number}{ending}")
            made[-1].symlink_to(root / target)
        corpus = read_documents(root)
        read = [os.path.realpath(document.path) for document in corpus]
        assert sorted(read) == sorted(reached(root))
        ways = [document.path for document in corpus] + [path for path, _ in corpus.skipped]
        for link in made:
            assert any(Path(way) == link or link in Path(way).parents for way in ways), link


def reached(folder: Path) -> set[str]:
    """Return the files that can be reached from a folder."""
    found, waiting, seen = set(), [folder], set()
    while waiting:
        real = os.path.realpath(waiting.pop())
        if os.path.isdir(real) and real not in seen:
            seen.add(real)
            waiting += [Path(real, name) for name in os.listdir(real)]
        elif os.path.isfile(real):
            found.add(real)
    return found


def test_pipes_and_blank_records_are_listed(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "a.jsonl").write_text('{"id": "x", "text": "one"}\n{"id": "y", "text": " "}\n')
    corpus = read_documents(tmp_path)
    assert [(Path(path).name, reason) for path, reason in corpus.skipped] == [
        ("pipe.txt", "no regular file"),
        ("a.jsonl", "document 'y' has no line with text"),
    ]


@pytest.mark.parametrize("path", ["x" * 5000, "x" * 300 + "*", "a\0b", "a\0*"])
def test_a_path_that_no_file_can_have_does_not_exist(path):
    with pytest.raises(
        DataError, match=r"does not exist|There is no document|cannot be read: (File name too long|embedded null byte)"
    ):
        read_documents(path)


# The public corpora


@pytest.mark.parametrize("part", ["dev", pytest.param("train", marks=pytest.mark.slow)])
def test_real_articles_come_back_byte_for_byte(corpora, tmp_path, part):
    write_documents(read_documents(corpora / "ptc" / part), tmp_path / part, format="ptc")
    for path in (corpora / "ptc" / part).iterdir():
        assert (tmp_path / part / path.name).read_bytes() == path.read_bytes()
    labels = [(folder / f"{part}.labels.tsv").read_text() for folder in (corpora / "ptc", tmp_path)]
    assert sorted(labels[0].split("\n")) == sorted(labels[1].split("\n"))
