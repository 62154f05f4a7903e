"""Articles, standoff and columns: what is written comes back, and every problem is reported with its place."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skol_rnn import read_documents, write_documents
from skol_rnn.cli.app import run
from skol_rnn.data.document import Document
from skol_rnn.data.formats.conll import format_bio
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import by_unit, find_tokens
from skol_rnn.errors import DataError

TYPES = st.sampled_from(["Doubt", "Name_Calling,Labeling", "Appeal_to_fear-prejudice"])
# A text of blanks only is no document, so each has a word.
TEXTS = st.text(st.sampled_from("ab#é ,.;'\"\t\r\n\u2028\x85\f\U0001f600"), max_size=50).map(lambda t: t + "x")
SLOW = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
COUNTER = itertools.count()


@st.composite
def span_documents(draw, whole_tokens=False):
    text = draw(TEXTS)
    ends = sorted({e for t in find_tokens(text) for e in t}) if whole_tokens else range(len(text) + 1)
    tokens = find_tokens(text)
    spans, position = [], 0
    while True:
        starts = [t[0] for t in tokens if t[0] >= position] if whole_tokens else list(range(position, len(text)))
        if not starts or draw(st.booleans()):
            break
        start = draw(st.sampled_from(starts))
        stops = [t[1] for t in tokens if t[0] >= start] if whole_tokens else [e for e in ends if e > start]
        position = draw(st.sampled_from(stops))
        spans.append((start, position, draw(TYPES)))
    return Document(f"article{draw(st.integers(1, 99))}", text, spans=tuple(spans), bom=draw(st.booleans()))


def there_and_back(tmp_path, document, form, **options):
    folder = tmp_path / str(next(COUNTER)) / "train"
    write_documents([document], folder, format=form)
    corpus = read_documents(folder, **options)
    assert corpus.skipped == ()
    return corpus.documents[0]


# Spans of characters need not begin with tokens: these formats keep them.
@SLOW
@given(
    document=span_documents(), form=st.sampled_from(["ptc", "brat", "jsonl"]), unit=st.sampled_from(["line", "token"])
)
def test_spans_text_and_offsets_come_back(tmp_path, document, form, unit):
    rules = SpanRules(overlap="longest")  # two spans may share a token
    again = there_and_back(tmp_path, document, form, unit=unit, rules=rules)
    assert (again.text, again.spans) == (document.text, document.spans)
    assert again.bom == (document.bom and form != "jsonl")
    assert again.doc_id == document.doc_id
    assert again.labels == by_unit(document, unit, rules=rules).labels


@SLOW
@given(document=span_documents(whole_tokens=True))
def test_columns_come_back(tmp_path, document):
    document = by_unit(document, "token")
    again = there_and_back(tmp_path, document, "bio", unit="token")
    assert (again.text, again.tokens, again.labels) == (document.text, document.tokens, document.labels)
    assert again.spans == document.spans
    assert there_and_back(tmp_path, document, "bio", unit="line").labels == by_unit(document, "line").labels


@SLOW
@given(document=span_documents(whole_tokens=True), parquet=st.booleans())
def test_tables_of_tokens_come_back(tmp_path, document, parquet):
    document = by_unit(document, "token")
    again = there_and_back(tmp_path, document, "parquet" if parquet else "csv", unit="token")
    assert again.table().equals(document.table())
    assert again.spans == document.spans


@SLOW
@given(
    document=span_documents(whole_tokens=True),
    forms=st.lists(st.sampled_from(["ptc", "brat", "jsonl", "bio"]), min_size=2, max_size=4),
)
def test_any_format_turns_into_any_other(tmp_path, document, forms):
    again = document
    for form in forms:
        again = there_and_back(tmp_path, again, form, unit="token")
        assert (again.text, again.spans, again.doc_id) == (document.text, document.spans, document.doc_id)


def fill(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)


# Articles


def test_articles_are_found_with_the_table_of_their_folder(tmp_path):
    fill(tmp_path, {
        "train/article7.txt": "We never lie.\r\nNever!\r\n",
        "train/article8.txt": "Nothing here.\n",
        "train.labels.tsv": "article_id\ttechnique\tstart\tend\r\n7\tSlogans\t15\t21\r\n7\tDoubt\t0\t2",
        "dev/article9.txt": "Not labelled, for there is no table.\n",
    })  # fmt: skip
    for paths in (tmp_path / "train", str(tmp_path / "train" / "article*.txt"), tmp_path):
        corpus = read_documents(paths, unit="token")
        seven, eight = (document for document in corpus if not document.doc_id.endswith("9"))
        assert seven.labels == ("B-Doubt", "O", "O", "O", "B-Slogans", "I-Slogans")  # the last row has no line end
        assert eight.labels == ("O",) * 3
        kinds = [(repair.kind, repair.path.rsplit("/", 1)[1]) for repair in eight.repairs]
        assert kinds == [("article without labels", "article8.txt")]
        assert corpus.skipped == ()
    assert corpus.documents[0].labels is None
    assert read_documents(tmp_path / "train").documents[0].labels == ("Doubt", "Slogans")


def test_all_that_is_wrong_with_a_table_of_labels_is_reported_at_once(tmp_path):
    fill(tmp_path, {
        "train/article7.txt": "We never lie.",
        "train/article8.txt": "Overlapping words here.",
        "train.labels.tsv": "\n".join([
            "7\tDoubt\t0\t99", "7\tDoubt\t5\t3", "7\tDoubt\t4\t4", "9\tDoubt\t0\t4", "7\tDoubt\t0", "7\tDoubt\tx\t4",
            "8\tSlogans\t0\t11", "8\tDoubt\t4\t16", "7\tDuobt\t0\t2", "7\tDoubt\t-1\t2",
        ]),
    })  # fmt: skip
    with pytest.raises(DataError) as caught:
        read_documents(tmp_path / "train", unit="token", rules=SpanRules(types=("Doubt", "Slogans")))
    messages = [line.split("train.labels.tsv:", 1)[1] for line in str(caught.value).splitlines()]
    assert sorted(int(line.split(":")[0]) for line in messages) == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    by_row = {int(line.split(":")[0]): line for line in messages}
    assert "outside the text of 13 characters" in by_row[1]
    assert "empty or reversed" in by_row[2] and "empty or reversed" in by_row[3]
    assert "there is no article9.txt" in by_row[4]
    assert "with tabs between them" in by_row[5] and "with tabs between them" in by_row[6]
    assert "overlap" in by_row[8] and "policy" in by_row[8]
    assert "Did you mean 'Doubt'?" in by_row[9]
    assert "outside" in by_row[10]


def test_articles_without_a_table_and_tables_that_cannot_be_written_are_refused(tmp_path):
    fill(tmp_path, {"train/article7.txt": "We never lie."})
    with pytest.raises(DataError, match="has no labels"):
        read_documents(tmp_path / "train" / "article7.txt", format="ptc")
    with pytest.raises(DataError, match=r"not FOLDER/article<ID>\.txt with FOLDER\.labels\.tsv"):
        read_documents(tmp_path / "train", format="ptc")
    with pytest.raises(DataError, match="holds a tab"):
        write_documents([Document("7", "a", spans=((0, 1, "a\tb"),))], tmp_path / "out", format="ptc")
    twins = [Document("7", "a", spans=()), Document("article7", "b", spans=())]
    with pytest.raises(DataError, match="different names"):
        write_documents(twins, tmp_path / "out", format="ptc")
    assert not (tmp_path / "out").exists()


def test_offsets_of_articles_count_a_byte_order_mark(tmp_path):
    fill(tmp_path, {"t/article1.txt": "\ufeffWe lie", "t.labels.tsv": "1\tDoubt\t1\t3\n1\tSlogans\t4\t7\n"})
    document = read_documents(tmp_path / "t").documents[0]
    assert [document.text[a:b] for a, b, _ in document.spans] == ["We", "lie"]


def test_mixed_line_ends_are_listed_and_refused_where_offsets_hang_on_them(tmp_path):
    fill(tmp_path, {"t/article1.txt": "We\r\nnever\nlie", "t.labels.tsv": "1\tDoubt\t4\t9\n"})
    document = read_documents(tmp_path / "t").documents[0]
    assert ("mixed line ends", 2) in [(repair.kind, repair.line) for repair in document.repairs]
    assert document.text[4:9] == "never"
    with pytest.raises(DataError, match=r"article1\.txt:2: mixed line ends"):
        read_documents(tmp_path / "t", strict=True)


# Standoff


def test_standoff_as_brat_writes_it(tmp_path):
    fill(tmp_path, {
        "a.txt": "North and South America\r\nlie there",
        "a.ann": "T1\tPlace 0 5;16 23\tNorth America\nT2\tPlace 10 23\tSouth America\nR1\tIn Arg1:T1 Arg2:T2\n"
                 "#1\tAnnotatorNotes T1\twhich?\n*\tEquiv T1 T2\nA1\tSure T2\n",
        "b.txt": "Nothing", "b.ann": "",
        "c.txt": "One line", "c.ann": "[@One line#Label*]",
        "d.txt": "Over two\r\nlines", "d.ann": "T1\tX 5 13\ttwo  lin\r\n",
    })  # fmt: skip
    corpus = read_documents(tmp_path, unit="token", rules=SpanRules("first"))
    a, b, c, d = corpus
    assert a.spans == ((0, 5, "Place"), (16, 23, "Place"), (10, 23, "Place"))
    assert a.labels == ("B-Place", "O", "B-Place", "I-Place", "O", "O")
    kinds = [(r.kind, r.line) for r in a.repairs if r.path.endswith(".ann")]
    assert kinds == [
        ("discontinuous span", 1),
        ("annotation of no text", 3),
        ("annotation of no text", 4),
        ("annotation of no text", 5),
        ("annotation of no text", 6),
        ("span without label", 1),
    ]
    assert b.labels == ("O",)
    assert c.labels == ("B-Label", "I-Label")
    assert d.spans == ((5, 13, "X"),)
    # c.txt is left out as it was before brat was read; the other texts were read with their annotation.
    assert [path.rsplit("/", 1)[1] for path, _ in corpus.skipped] == ["c.txt"]


def test_all_that_is_wrong_with_standoff_is_reported_at_once(tmp_path):
    fill(tmp_path, {
        "a.txt": "We never\r\nlie.",
        "a.ann": "T1\tX 0 2\tWe\nT2\tX 9 12\tlie\nT3\tX 0 99\tWe\nT4\tX zero 2\tWe\nnonsense\nT5\tX 7 3\tever\n"
                 "T6\tX 1 5\te ne\n",
    })  # fmt: skip
    with pytest.raises(DataError) as caught:
        read_documents(tmp_path, unit="token")
    messages = {int(line.split("a.ann:")[1].split(":")[0]): line for line in str(caught.value).splitlines()}
    assert sorted(messages) == [2, 3, 4, 5, 6, 7]
    assert "the annotation quotes 'lie', but the text at its offsets is '\\nli'" in messages[2]
    assert "outside the text" in messages[3]
    assert "is not ID, type and offsets" in messages[4] and "is not ID" in messages[5]
    assert "reversed" in messages[6] and "overlap" in messages[7]


def test_standoff_is_refused_where_it_has_no_room_or_no_text(tmp_path):
    with pytest.raises(DataError, match="which contains white space"):
        write_documents([Document("a", "b", spans=((0, 1, "Two words"),))], tmp_path, format="brat")
    fill(tmp_path, {"lone.ann": "T1\tX 0 2\tWe\n"})
    with pytest.raises(DataError, match="but its text lone.txt is missing"):
        read_documents(tmp_path)
    (unlabelled,) = write_documents([Document("u", "Not labelled")], tmp_path / "o", format="brat")
    assert not unlabelled.with_suffix(".ann").exists()
    assert read_documents(tmp_path / "o", unit="token").documents[0].labels is None


# Columns


def test_columns_as_others_write_them(tmp_path):
    fill(tmp_path, {
        "a.conll": "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n# NN B-NP O\n1 CD I-NP I-MISC\n\n"
                   "-DOCSTART- -X- -X- O\n\nPeter NNP B-NP B-PER\n",
        "b.bio": "one\r\ntwo\r\n\r\nthree",
        "c.iob": "New York\tB-LOC\ncity\tO\n",
    })  # fmt: skip
    first, second, plain, tabbed = read_documents(tmp_path, unit="token")
    assert (first.doc_id, first.text) == ("a/1", "EU rejects\n# 1")
    assert first.labels == ("B-ORG", "O", "O", "B-MISC")  # BIO is what we read into
    assert [(r.kind, r.line) for r in first.repairs] == [("label that continues nothing", 7)]
    assert (second.doc_id, second.spans) == ("a/2", ((0, 5, "PER"),))
    assert (plain.text, plain.labels) == ("one two\nthree", None)
    assert tabbed.table()["value"].tolist() == ["New York", "city"]


def test_all_that_is_wrong_with_columns_is_reported_at_once(tmp_path):
    fill(tmp_path, {
        "a.bio": "one B-X\ntwo\nthree Q-X\n",
        "b.bio": '# text = "We lie"\nWe\tB-X\nnever\tO\nlie\tO\n',
        "c.bio": '# text = "W"e"\nWe\tB-X\n',
        "d.bio": '# global.columns = FORM START END LABEL\n# text = "We"\nWe\t1\t2\tO\nWe\tx\t2\tO\n',
    })  # fmt: skip
    with pytest.raises(DataError) as caught:
        read_documents(tmp_path, unit="token")
    messages = [line.rsplit("/", 1)[1] for line in str(caught.value).splitlines()]
    assert [line.split(": ")[0] for line in messages] == [
        "a.bio:2",
        "a.bio:3",
        "b.bio:3",
        "c.bio:1",
        "d.bio:3",
        "d.bio:4",
    ]
    for line, message in zip(messages, ["1 column, but most rows have 2", "not a token label", "'never' is not in the text after character 2", "not a JSON string",
                                    "'We' is not in the text at 1 to 2", "whole numbers"], strict=True):  # fmt: skip
        assert message in line


def test_tokens_without_a_form_in_columns_are_refused():
    for text, token in (("a\tb", (0, 3)), ("# a", (0, 3)), ("a\n", (0, 2)), ("-DOCSTART-", (0, 10))):
        with pytest.raises(DataError, match="columns cannot store token 0"):
            format_bio(Document("d", text, ("O",), tokens=(token,)))
    assert format_bio(by_unit(Document("d", "a\r\nb"), "token")).splitlines()[3:] == ["a\t0\t1", "", "b\t3\t4"]


# Tables and JSON lines


def test_tables_of_tokens_that_do_not_fit_their_offsets_are_refused(tmp_path):
    head = "value,break_before,start,end\n"
    for rows, message in (
        ("one,3,0,3\ntwo,1,2,5\n", "token 1, 'two', does not fit its offsets 2 and 5 or break_before"),
        ("one,3,0,9\n", "does not fit"),
        ("one,3,0,3\n ,1,4,5\n", "token 1 is blank"),
        ("one,3,0,3\ntwo,3,4,7\n", "token 1, 'two', does not fit"),
    ):
        fill(tmp_path, {"a.csv": head + rows})
        with pytest.raises(DataError, match=message):
            read_documents(tmp_path, unit="token")
    fill(tmp_path, {"a.csv": "value,break_before\none,3\n!,0\ntwo,2\n"})
    assert read_documents(tmp_path, unit="token").documents[0].text == "one!\ntwo"


def test_overlapping_records_of_doccano_are_kept_under_a_policy(tmp_path):
    entities = [{"id": 1, "start_offset": 0, "end_offset": 7, "label": "A"},
                {"id": 2, "start_offset": 4, "end_offset": 9, "label": "B"}]  # fmt: skip
    fill(tmp_path, {"a.jsonl": json.dumps({"id": 5, "text": "one two three", "entities": entities, "relations": []})})
    with pytest.raises(DataError, match=r"a\.jsonl:1: .*overlap"):
        read_documents(tmp_path, unit="token")
    document = read_documents(tmp_path, unit="token", rules=SpanRules("longest")).documents[0]
    assert document.labels == ("B-A", "I-A", "O")
    assert document.spans == ((0, 7, "A"), (4, 9, "B"))
    (path,) = write_documents([document], tmp_path / "out", format="jsonl")
    assert json.loads(path.read_text())["label"] == [[0, 7, "A"], [4, 9, "B"]]


# Predictions and the command line


def test_predicted_labels_of_tokens_are_written_as_spans(tmp_path):
    document = by_unit(Document("article3", "We never lie", spans=((0, 2, "Doubt"),)), "token")
    labels = {"article3": ["O", "B-Slogans", "I-Slogans"]}
    write_documents([document], tmp_path / "out", format="ptc", labels_by_doc=labels)
    assert (tmp_path / "out.labels.tsv").read_text() == "3\tSlogans\t3\t12\n"
    with pytest.raises(ValueError, match="1 labels for 3 tokens"):
        write_documents([document], tmp_path / "out", format="ptc", labels_by_doc={"article3": ["O"]})


def test_convert_goes_between_formats_and_says_what_is_lost(tmp_path, capsys):
    fill(tmp_path, {"in/article1.txt": "We never\r\nlie", "in.labels.tsv": "1\tDoubt\t1\t8\n1\tSlogans\t10\t13\n"})

    def convert(source, to, out, *options):
        with pytest.raises(SystemExit) as stop:
            run(["convert", str(tmp_path / source), "--to", to, "--out", str(tmp_path / out), *options])
        return stop.value.code or 0, capsys.readouterr()

    chain = [("in", "brat"), ("brat", "jsonl"), ("jsonl", "ptc")]
    for source, to in chain:
        code, said = convert(source, to, to)
        assert code == 0 and "lost" not in said.err
    assert (tmp_path / "ptc.labels.tsv").read_bytes() == (tmp_path / "in.labels.tsv").read_bytes()
    assert (tmp_path / "ptc" / "article1.txt").read_bytes() == (tmp_path / "in" / "article1.txt").read_bytes()
    code, said = convert("in", "bio", "bio", "--json")
    assert json.loads(said.out)["untold_spans"] == 1  # it begins in the middle of a word
    code, said = convert("in", "yedda", "yedda")
    assert "1 spans are lost or changed in yedda" in said.err
    assert (tmp_path / "yedda" / "article1.txt.ann").read_bytes() == b"We never\r\n[@lie#Slogans*]"
    fill(tmp_path, {"over/article1.txt": "We never", "over.labels.tsv": "1\tDoubt\t0\t8\n1\tSlogans\t3\t8\n"})
    assert convert("over", "brat", "o")[0] == 3
    assert convert("over", "brat", "o", "--overlap", "longest")[0] == 0
    assert (tmp_path / "o" / "article1.ann").read_text().count("\n") == 2
    order = ("--overlap", "priority", "--priority", "Slogans")
    assert convert("over", "bio", "p", *order)[0] == 0
    assert "B-Slogans" in (tmp_path / "p" / "article1.conll").read_text()
    code, said = convert("in", "jsonl", "x", "--type", "Doubt", "--type", "Slogan")
    assert code == 3 and "in.labels.tsv:2: [10, 13, 'Slogans']: unknown type" in said.err
    assert convert("in", "jsonl", "x", "--overlap", "priority")[0] == 2
    assert convert("in", "jsonl", "x", "--unit", "token", "--labels", "Doubt")[0] == 2


def test_validate_counts_tokens(tmp_path, capsys):
    fill(tmp_path, {"in/article1.txt": "We never lie", "in.labels.tsv": "1\tDoubt\t0\t8\n"})
    with pytest.raises(SystemExit):
        run(["validate", str(tmp_path / "in"), "--unit", "token", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["tokens"] == 3
    assert found["labels"] == {"B-Doubt": 1, "I-Doubt": 1, "O": 1}


PIECES = st.sampled_from(
    ["T1\t", "X ", "0 1", "\t", "\n", " ", ";", "a", "-", "9" * 5000, "# text = ", "# doc_id = ", '"a"', "O", "B-X", "1\tD\t0\t1",
     "# global.columns = FORM START END", "-DOCSTART-", "\ufeff", "é", "\x00", '{"text": "a", "label": [[0, 1, "X"]]}', "[", "#1\t"]
)  # fmt: skip


@SLOW
@given(
    pieces=st.lists(PIECES, max_size=12), name=st.sampled_from(["a/1.ann", "a/1.conll", "a/1.jsonl", "a.labels.tsv"])
)
def test_whatever_stands_in_a_file_is_read_or_refused_in_a_sentence(tmp_path, pieces, name):
    folder = tmp_path / str(next(COUNTER))
    texts = {".ann": {"a/1.txt": "a a"}, ".tsv": {"a/article1.txt": "a a"}}
    fill(folder, texts.get(name[name.rindex(".") :], {}) | {name: "".join(pieces)})
    try:
        corpus = read_documents(folder, unit="token")
    except DataError as error:
        assert str(folder) in str(error)
        return
    for document in corpus:
        assert document.labels is None or len(document.labels) == len(document.tokens)
        assert all(0 <= start < end <= len(document.text) for start, end, _ in document.spans or ())


def test_labels_of_lines_of_an_unknown_type_are_reported_with_their_line(tmp_path):
    fill(tmp_path, {"a.txt.ann": "[@one#X*]\n\n[@two#Y*]\n"})
    with pytest.raises(DataError, match=r"a\.txt\.ann:3: .*unknown type; known are X"):
        read_documents(tmp_path, rules=SpanRules(types=("X",)))


def test_comments_of_conll_u_and_odd_blanks_in_tokens_are_read(tmp_path):
    text = (
        "# newdoc id = weblog\n# sent_id = 1\n# text = EU .\nEU B-ORG\n. O\n\n"
        '# sent_id = 2\n# text = "No" he said .\n"No" O\nNew\u00a0York B-LOC\n\u3000x O\n# O\n'
    )
    (tmp_path / "a.conll").write_text(text, encoding="utf-8")
    [document] = read_documents(tmp_path, unit="token")
    assert [document.text[start:end] for start, end in document.tokens] == [
        "EU", ".", '"No"', "New\u00a0York", "\u3000x", "#",
    ]  # fmt: skip
    assert document.labels == ("B-ORG", "O", "O", "B-LOC", "O", "O")
