"""YEDDA markup: every anomaly of real files, round trips, and agreement with an independent reading."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skol_rnn.data.document import Document, split_lines
from skol_rnn.data.formats.yedda import format_yedda, parse_yedda, read_yedda
from skol_rnn.data.reading import read_documents
from skol_rnn.data.table import collapse_labels
from skol_rnn.data.writing import write_documents
from skol_rnn.errors import DataError

ORACLE_BLOCK = re.compile(r"\[@(.*?)#([^*#\]\n]+)\*\]", re.S)
ORACLE_MARK = re.compile(r"\[@|#[^*#\]\n]+\*\]")
HARMLESS = {"empty block", "text outside blocks", "bare closer", "block within a line"}


def parsed(raw, path="text"):
    document = parse_yedda(raw, path)
    return document.text, document.labels, document.repairs


def rows(raw):
    """Return (line, label) pairs as our reader sees them."""
    text, labels, _ = parsed(raw)
    return [(text[line.start : line.end], label) for line, label in zip(split_lines(text), labels, strict=True)]


def kinds(raw):
    return [repair.kind for repair in parsed(raw)[2]]


def oracle(raw):
    """Read the same by the plain regular expression, with no repair."""
    characters, position = [], 0
    for match in ORACLE_BLOCK.finditer(raw):
        characters += [(c, None) for c in ORACLE_MARK.sub("", raw[position : match.start()])]
        characters += [(c, match[2]) for c in ORACLE_MARK.sub("", match[1])]
        position = match.end()
    characters += [(c, None) for c in ORACLE_MARK.sub("", raw[position:])]
    found, line = [], []
    for character, label in [*characters, ("\n", None)]:
        if character != "\n":
            line.append((character, label))
            continue
        value = "".join(c for c, _ in line)
        if value.strip():
            found.append((value.strip(), next(y for c, y in line if c.strip())))
        line = []
    return found


def as_lines(text):
    return [line[:2] for line in split_lines(text)]


# Anomalies A1 to A17 of real files, in examples made up here.
CASES = {
    "A1 nested": (
        "[@Cap red,\n[@\f12#Page-header*]\nstem white.#Description*]\n",
        [("Cap red,", "Description"), ("\f12", "Page-header"), ("stem white.", "Description")],
        ["nested block"],
    ),
    "A1 nested, two inside": (
        "[@a\n[@b#X*]\nc\n[@d#Y*]\ne#Z*]",
        [("a", "Z"), ("b", "X"), ("c", "Z"), ("d", "Y"), ("e", "Z")],
        ["nested block"],
    ),
    "A1 nested in nested": (
        "[@a\n[@b\n[@c#X*]\nd#Y*]\ne#Z*]",
        [("a", "Z"), ("b", "Y"), ("c", "X"), ("d", "Y"), ("e", "Z")],
        ["nested block", "nested block"],
    ),
    "A1 unclosed": (
        "[@a\n[@b#X*]\n[@c#Y*]",
        [("a", "X"), ("b", "X"), ("c", "Y")],
        ["unclosed block"],
    ),
    "A1 unclosed twice": (
        "[@a\n[@b\n[@c#X*]\n[@d#Y*]",
        [("a", "X"), ("b", "X"), ("c", "X"), ("d", "Y")],
        ["unclosed block", "unclosed block"],
    ),
    "A1 five blocks within a block": (
        "[@a\n" + "[@b#X*]\n" * 5 + "c#Y*]",
        [("a", "Y"), *[("b", "X")] * 5, ("c", "Y")],
        ["nested block"],
    ),
    "A1 unclosed at the end": ("[@a#X*]\n[@b\nc", [("a", "X"), ("b", None), ("c", None)], None),
    "A2 text outside": (
        "one\ntwo\n[@a#X*]\nthree\n",
        [("one", None), ("two", None), ("a", "X"), ("three", None)],
        ["text outside blocks", "text outside blocks"],
    ),
    "A3 close without open": (
        "[@a#X*]\n(1901).#X*]\n[@b#Y*]",
        [("a", "X"), ("(1901).", None), ("b", "Y")],
        ["stray closer", "text outside blocks"],
    ),
    "A4 more openers than closers": ("[@a\n[@b\n[@c#X*]", [("a", "X"), ("b", "X"), ("c", "X")], ["unclosed block"] * 2),
    "A5 @ for #": ("[@\f215@Page-header*]\n[@a#X*]", [("\f215", "Page-header"), ("a", "X")], ["typo closer"]),
    "A5 @ for #, nothing else": ("[@\f@Page-header*]\n[@a#X*]", [("a", "X")], ["empty block", "typo closer"]),
    "A5 @ before a closer is text": ("[@a@X*]#Y*]\n", [("a@X*]", "Y")], ["bare closer"]),
    "A5 @ inside a line is text": ("[@a@X*] b#Y*]\n", [("a@X*] b", "Y")], ["bare closer"]),
    "A5 @ outside a block is text": ("[@b#Y*]\na@X*]\n", [("b", "Y"), ("a@X*]", None)], None),
    "A5 no label": (
        "[@a Taxonomy*]\n\n[@b#X*]",
        [("a Taxonomy*]", "X"), ("b", "X")],
        ["unclosed block", "bare closer"],
    ),
    "A6 # in text": ("[@20 #m thick, No.#1130\nHwy. #20#X*]", [("20 #m thick, No.#1130", "X"), ("Hwy. #20", "X")], []),
    "A7 # in text swallows no line": ("[@a #b\nc\nd#X*]", [("a #b", "X"), ("c", "X"), ("d", "X")], []),
    "A8 odd labels": ("[@a#m*]\n[@b#Type-collection*]\n", [("a", "m"), ("b", "Type-collection")], []),
    "A8 two #": ("[@a##X*]", [("a#", "X")], []),
    "A9 empty blocks": ("[@\f#Misc*]\n[@  \n#X*]\n[@#Y*]", [], ["empty block"] * 3),
    "A10 form feed": ("[@\fa#X*]\n\f\n[@b#Y*]", [("\fa", "X"), ("b", "Y")], []),
    "A11 missing close": (
        "[@a - #X\n\n[@b#Y*]\n[@c#X*]",
        [("a - ", "X"), ("b", "Y"), ("c", "X")],
        ["missing closer"],
    ),
    "A11 label not used elsewhere": ("[@a #Z\n[@b#Y*]", [("a #Z", "Y"), ("b", "Y")], ["unclosed block"]),
    "A11 text goes on": ("[@a #X\nb#X*]", [("a #X", "X"), ("b", "X")], []),
    "A12 replacement character": ("[@a\ufffdb#X*]", [("a\ufffdb", "X")], []),
    "A13 ligatures and odd spaces": ("[@ﬁn\u00ad\u00a0\tx#X*]", [("ﬁn\u00ad\u00a0\tx", "X")], []),
    "A14 no final newline": ("[@a#X*]\n[@b#Y*]", [("a", "X"), ("b", "Y")], []),
    "A15 markers apart from the text": (
        "[@\na\n#X*]\n[@ b #Y*]\n",
        [("a", "X"), (" b ", "Y")],
        [],
    ),
    "A16 blank lines inside": ("[@a\n\n \nb#X*]", [("a", "X"), ("b", "X")], []),
    "A17 marker inside a line": ("a [@b#X*] c\n", [("a b c", None)], None),
    "A17 two blocks on a line": ("[@a#X*] [@b#Y*]", [("a b", "X")], ["block within a line"]),
    "labels of any letters": (
        "[@a#Größe (m)*]\n[@b#名前*]\n[@c#X*]",
        [("a", "Größe (m)"), ("b", "名前"), ("c", "X")],
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_anomaly(name):
    raw, expected, repairs = CASES[name]
    assert rows(raw) == expected
    if repairs is not None:
        assert sorted(kinds(raw)) == sorted(repairs)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[2] is not None])
def test_agrees_with_the_plain_reading_where_nothing_is_damaged(name):
    raw, expected, repairs = CASES[name]
    if set(repairs) <= HARMLESS:
        assert oracle(raw) == [(value.strip(), label) for value, label in expected]


def test_text_is_the_file_without_markers():
    raw = "\ufeffx\r\n[@a\f\r\n\r\n#X*]  \r\n[@b @Y*]\r\n\r\nend#Y*]\tz"
    text, _, _ = parsed(raw)
    assert text == "\ufeffx\r\na\f\r\n\r\n  \r\nb \r\n\r\nend\tz"


def test_crlf_markers():
    assert rows("[@a\r\nb#X*]\r\n[@c@Y*]\r\n[@d #X\r\n[@e#X*]\r\n") == [
        ("a", "X"),
        ("b", "X"),
        ("c", "Y"),
        ("d ", "X"),
        ("e", "X"),
    ]


def test_repairs_name_the_line():
    raw = "[@a#X*]\n\n[@b\n[@c#X*]\n\n[@\f#P*]\nd#Y*]\n[@e#X*]\nf\ng\n"
    found = {(r.kind, r.line) for r in parsed(raw, "a.ann")[2]}
    assert found == {("nested block", 3), ("empty block", 6), ("text outside blocks", 9)}
    assert {r.path for r in parsed(raw, "a.ann")[2]} == {"a.ann"}


def test_strict_names_file_line_and_kind(tmp_path):
    path = tmp_path / "a.txt.ann"
    path.write_text("[@a#X*]\nout\n[@\f#P*]\n[@b\n[@c#X*]\n[@d#X*]\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"{re.escape(str(path))}:4: unclosed block"):
        read_documents(path, strict=True)
    path.write_text("[@a#X*]\nout\n[@\f#P*]\n[@b*] c#X*]\n", encoding="utf-8")
    assert read_documents(path, strict=True).documents[0].labels == ("X", None, "X")


def test_standoff_is_not_read_as_yedda(tmp_path):
    path = tmp_path / "a.ann"
    path.write_text("T1\tName 0 3\tabc\n", encoding="utf-8")
    with pytest.raises(DataError, match="standoff"):
        read_yedda(path, "a")


@pytest.mark.parametrize(
    ("raw", "text", "labels", "repairs"),
    [
        ("a #b @c " * 100_000, "a #b @c " * 100_000, (None,), 1),
        ("[@a#X*]" * 20_000, "a" * 20_000, ("X",), 1),
        ("[@" * 20_000, "", (), 20_000),
        ("#X*]" * 20_000, "", (), 20_000),
        ("[@a" + " " * 10**6, "a" + " " * 10**6, (None,), 2),
    ],
    ids=["text", "blocks", "openers", "closers", "blanks"],
)
def test_long_files(raw, text, labels, repairs):
    """Backtracking, or a search through all open blocks for each marker, would take minutes here."""
    found = parsed(raw)
    assert (found[0], found[1], len(found[2])) == (text, labels, repairs)


LINE = st.text(st.sampled_from("ab#@*[] \f\t\r\u2028é"), max_size=8) | st.sampled_from(
    ["x@X*]", "x@X*] ", "#X", "*]", "[", "@", "#", "\f12", "y #Z-2*", "@X*]\r"]
)
TEXT = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\r\n", "\n\n", "\r\r\n"])), max_size=12).map(
    lambda parts: "".join(line + end for line, end in parts)
)


@given(st.data(), TEXT | st.text(max_size=40), st.booleans())
def test_what_is_written_is_read_again(data, text, coalesce):
    assume(not re.search(r"\[@|#[^*#\n]+\*\]", text))
    spans = as_lines(text)
    label = st.sampled_from([None, "X", "Type-collection_2", "Größe in µm", " 1 "])
    labels = tuple(data.draw(label) for _ in spans)
    raw = format_yedda(text, spans, labels, coalesce=coalesce)
    again, found, repairs = parsed(raw)
    assert (again, found) == (text, labels)
    assert {repair.kind for repair in repairs} <= HARMLESS
    assert ORACLE_MARK.sub("", raw) == text
    assert oracle(raw) == [(text[a:b].strip(), y) for (a, b), y in zip(spans, labels, strict=True)]


@given(st.text(min_size=1).filter(lambda label: not re.search(r"[*#\r\n\f]|\[@", label)))
def test_any_label_survives_a_round_trip(label):
    text = "one\ntwo #3\n"
    document = parse_yedda(format_yedda(text, as_lines(text), [label, None]))
    assert (document.text, document.labels) == (text, (label, None))


# -- blocks within a line -----------------------------------------------------------------------------

INLINE = "[@Mary#PER*] met [@John#PER*]\nin [@Paris#LOC*].\n[@whole line#X*]\n"


def test_blocks_within_a_line_are_spans_of_tokens(tmp_path):
    path = tmp_path / "a.txt.ann"
    path.write_text(INLINE, encoding="utf-8")
    document = read_documents(path, unit="token").documents[0]
    assert document.spans == ((0, 4, "PER"), (9, 13, "PER"), (17, 22, "LOC"), (24, 34, "X"))
    assert document.labels == ("B-PER", "O", "B-PER", "O", "B-LOC", "O", "B-X", "I-X")
    assert [repair.kind for repair in document.repairs] == ["text outside blocks"]


def test_blocks_within_a_line_are_listed_where_rows_are_lines(tmp_path):
    path = tmp_path / "a.txt.ann"
    path.write_text(INLINE, encoding="utf-8")
    document = read_documents(path).documents[0]
    assert document.labels == ("PER", None, "X")
    found = [(r.line, r.detail) for r in document.repairs if r.kind == "block within a line"]
    assert found == [
        (1, "'Mary' PER, 'John' PER; the line's label is that of its beginning, PER"),
        (2, "'Paris' LOC; the line's label is that of its beginning, none"),
    ]


@given(st.integers(0, 12))
def test_a_block_holds_any_number_of_blocks(n):
    raw = "[@Pileus broad\n" + "[@head#Page-header*]\n" * n + "red, scaly#Description*]\n[@end#Misc*]\n"
    between = [("head", "Page-header")] * n
    assert rows(raw) == [("Pileus broad", "Description"), *between, ("red, scaly", "Description"), ("end", "Misc")]


@given(st.lists(st.sampled_from(["[@", "#X*]", "#Y*]", "@X*]", "#X", "*]", "é", "\n", "\r\n", " ", "\f"]), max_size=30))
def test_any_markup_is_read_and_no_text_is_lost(tokens):
    raw = "".join(tokens)
    text, labels, repairs = parsed(raw)
    assert len(labels) == len(split_lines(text))
    plain = re.sub(r"#(?:(?!\[@)[^*#\r\n\f])+\*\]", "", raw)  # a label may hold é
    assert [c for c in text if c in "é\r\n\f"] == [c for c in plain if c in "é\r\n\f"]
    if {repair.kind for repair in repairs} <= {"empty block", "text outside blocks"}:
        values = [text[a:b].strip() for a, b in as_lines(text)]
        assert oracle(raw) == list(zip(values, labels, strict=True))


def test_runs_share_a_block_and_blank_lines_stay():
    text = "a\nb\n\nc\n\f1\nd\n"
    labels = ("X", "X", "X", "P", "X")
    assert format_yedda(text, as_lines(text), labels) == "[@a\nb\n\nc#X*]\n[@\f1#P*]\n[@d#X*]\n"
    apart = format_yedda(text, as_lines(text), labels, coalesce=False)
    assert apart == "[@a#X*]\n[@b#X*]\n\n[@c#X*]\n[@\f1#P*]\n[@d#X*]\n"


def test_lines_that_look_like_markup_stand_alone():
    text = "a\nb@X*]\nc\nd #X\ne\n"
    raw = format_yedda(text, as_lines(text), ["Y"] * 5)
    assert raw == "[@a#Y*]\n[@b@X*]#Y*]\n[@c#Y*]\n[@d #X#Y*]\n[@e#Y*]\n"


@pytest.mark.parametrize("bad", ["a [@b", "#X*]", "a #20 m*] b"])
def test_markup_in_the_text_is_refused(bad):
    text = f"fine\n{bad}\n"
    with pytest.raises(DataError, match="vol/a: line 2 .*write JSONL or CSV instead"):
        format_yedda(text, as_lines(text), ["X", None], name="vol/a")


@pytest.mark.parametrize("label", ["", "a#b", "X*]", "a*", "a[@b", "X\n", "\fX", "a\rb"])
def test_labels_that_are_no_labels_are_refused(label):
    with pytest.raises(DataError, match="label"):
        format_yedda("a", [(0, 1)], [label])


@pytest.fixture(scope="module")
def journals(corpora):
    return {part: read_documents(corpora / "skol" / part) for part in ("train", "dev")}


def collapsed(corpus):
    return Counter(collapse_labels(corpus.table["label"], ["Nomenclature", "Description"], "Misc"))


def test_real_files_have_the_lines_and_labels_they_are_known_for(journals):
    assert [len(journals[part]) for part in ("train", "dev")] == [12, 50]
    assert not [skipped for corpus in journals.values() for skipped in corpus.skipped]
    assert collapsed(journals["dev"]) == {"Nomenclature": 366, "Description": 3875, "Misc": 18549}
    train = collapsed(journals["train"])
    # Two lines of the known 130,749 are nothing but a mistyped closer.
    assert train.total() == 130_747
    for label, known in {"Nomenclature": 6798, "Description": 22501, "Misc": 101450}.items():
        assert train[label] == pytest.approx(known, rel=0.005)


def test_real_files_agree_with_the_plain_reading_where_they_are_well_formed(journals):
    checked = 0
    for document in [*journals["train"], *journals["dev"]]:
        if {repair.kind for repair in document.repairs} <= HARMLESS:
            values = [document.text[a:b].strip() for a, b in as_lines(document.text)]
            raw = Path(document.path).read_bytes().decode()
            assert oracle(raw) == list(zip(values, document.labels, strict=True)), document.doc_id
            checked += 1
    assert checked > 30


def test_real_files_are_written_and_read_again(journals, tmp_path):
    for part, corpus in journals.items():
        written = write_documents(corpus, tmp_path / part, format="yedda")
        assert [path.name for path in written] == [Path(document.path).name for document in corpus]
        again = read_documents(tmp_path / part, strict=True)
        assert again.texts == corpus.texts
        for before, after in zip(corpus, again, strict=True):
            assert after.labels == before.labels
            marked = Path(after.path).read_bytes().decode()
            assert ORACLE_MARK.sub("", marked) == before.text


def test_bom_and_crlf_come_back(tmp_path):
    source = tmp_path / "in" / "a.txt.ann"
    source.parent.mkdir()
    source.write_bytes(b"\xef\xbb\xbf[@one#X*]\r\n\r\n[@two#Y*]")
    document = read_documents(source).documents[0]
    assert isinstance(document, Document)
    assert (document.text, document.bom) == ("one\r\n\r\ntwo", True)
    assert [repair.kind for repair in document.repairs] == ["byte order mark", "CRLF line ends"]
    [path] = write_documents([document], tmp_path / "out", format="yedda")
    assert path.read_bytes() == source.read_bytes()
