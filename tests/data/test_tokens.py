"""Documents by token: offsets, labels in BIO, and what their spans lose on the way."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skol_rnn import read_documents
from skol_rnn.data.bio import decode_spans, encode_spans, is_bio, span_types
from skol_rnn.data.document import Corpus, Document, breaks_before
from skol_rnn.data.inputs import as_table
from skol_rnn.data.spans import OverlapError, SpanRules, choose_spans
from skol_rnn.data.table import check_table
from skol_rnn.data.tokens import by_unit, find_tokens
from skol_rnn.errors import DataError
from skol_rnn.evaluation.span_scores import fragment_scores

TEXTS = st.text(st.sampled_from("ab1é ,.'\r\n\t\u2028\U0001f600"), max_size=60)
SPAN = st.tuples(st.integers(0, 40), st.integers(1, 20), st.sampled_from(["A", "B-c"]))
SPANS = st.lists(SPAN.map(lambda s: (s[0], s[0] + s[1], s[2])), max_size=8)


def on_tokens(tokens, dice):
    """Draw spans that begin and end with tokens and do not overlap."""
    spans, position = [], 0
    while position < len(tokens):
        length = dice.draw(st.integers(0, 3))
        last = min(position + length, len(tokens)) - 1
        if length:
            spans.append((tokens[position][0], tokens[last][1], dice.draw(st.sampled_from(["A", "B-c"]))))
        position += max(length, 1)
    return spans


@given(TEXTS, st.data(), st.sampled_from(["BIO", "BIOES"]), st.sampled_from(["overlap", "containment"]))
def test_spans_on_tokens_come_back(text, dice, scheme, alignment):
    tokens = find_tokens(text)
    spans = on_tokens(tokens, dice)
    encoded = encode_spans(tokens, spans, SpanRules(scheme=scheme, alignment=alignment))
    assert (encoded.lost, encoded.moved) == ((), ())
    assert decode_spans(tokens, encoded.labels, stray="error") == spans
    assert set(encoded.labels) <= {
        "O",
        *(f"{prefix}-{kind}" for prefix in scheme.replace("O", "") for kind in ("A", "B-c")),
    }
    assert span_types(encoded.labels) == tuple(sorted({span[2] for span in spans}))


@given(TEXTS, SPANS, st.sampled_from(["longest", "first", "priority"]), st.sampled_from(["overlap", "containment"]))
def test_every_span_is_labelled_moved_or_listed(text, spans, overlap, alignment):
    tokens = find_tokens(text)
    rules = SpanRules(overlap=overlap, priority=("B-c",) if overlap == "priority" else (), alignment=alignment)
    encoded = encode_spans(tokens, spans, rules)
    back = decode_spans(tokens, encoded.labels, stray="error")
    lost, moved = {index for index, _ in encoded.lost}, dict(encoded.moved)
    kept = [(*moved.get(i, span[:2]), span[2]) for i, span in enumerate(spans) if i not in lost]
    assert back == sorted(kept)
    for index, _ in encoded.moved:
        start, end = moved[index]
        inside = [t for t in tokens if t[0] < spans[index][1] and t[1] > spans[index][0]]
        if alignment == "overlap":
            assert (start, end) == (inside[0][0], inside[-1][1])
        else:
            assert spans[index][0] <= start < end <= spans[index][1]


@given(SPANS, st.sampled_from(["longest", "first", "priority"]))
def test_no_two_spans_that_are_kept_overlap_and_none_is_left_out_without_cause(spans, overlap):
    kept, left_out = choose_spans(spans, SpanRules(overlap, ("B-c",)))
    chosen = [spans[index] for index in kept]
    assert all(a[1] <= b[0] for a, b in zip(chosen, chosen[1:], strict=False))
    assert sorted([*kept, *(index for index, _ in left_out)]) == list(range(len(spans)))
    for index, reason in left_out:
        a, b = spans[index], next(span for span in chosen if reason == f"overlaps {list(span)}")
        assert a[0] < b[1] and b[0] < a[1]
        if overlap == "longest":
            assert a[1] - a[0] <= b[1] - b[0]
        elif overlap == "first":
            assert b[0] <= a[0]
        else:
            assert not (a[2] == "B-c" and b[2] == "A")


def test_overlaps_are_an_error_unless_a_policy_is_named():
    tokens = find_tokens("one two three")
    spans = [(0, 7, "A"), (4, 13, "B"), (5, 6, "A")]
    with pytest.raises(OverlapError) as caught:
        encode_spans(tokens, spans)
    assert [index for index, _ in caught.value.problems] == [1, 2]
    with pytest.raises(OverlapError, match="share a token"):
        encode_spans(tokens, [(0, 1, "A"), (1, 3, "B")])
    assert encode_spans(tokens, spans, SpanRules("longest")).labels == ("O", "B-B", "I-B")
    assert encode_spans(tokens, spans, SpanRules("first")).labels == ("B-A", "I-A", "O")
    assert encode_spans(tokens, spans, SpanRules("priority", ("B", "A"))).labels == ("O", "B-B", "I-B")
    assert encode_spans(tokens, spans, SpanRules("priority", ("A", "B"))).labels == ("B-A", "I-A", "O")


def test_rules_of_unknown_names_are_refused():
    for wrong in ({"overlap": "longets"}, {"alignment": "x"}, {"scheme": "IOB1"}, {"overlap": "priority"}):
        with pytest.raises(ValueError, match="must be one of|needs the order"):
            SpanRules(**wrong)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["O", "B-A", "I-A"], True),
        (["B-A"], True),
        (["O", "B-A", "I-B"], False),
        (["O"], False),
        (["O", "B-A", "Misc"], False),
        (["O", "B-"], False),
    ],
)
def test_which_labels_are_bio(labels, expected):
    assert is_bio(labels) is expected


def test_which_labels_have_bio_prefixes():
    assert is_bio(["O", "I-B", "B-A"], complete=False)
    assert not is_bio(["o", "B-A"], complete=False)
    assert not is_bio(["O"], complete=False)


def test_the_last_token_ends_its_span():
    tokens = find_tokens("a b")
    assert decode_spans(tokens, ["O", "B-A"]) == [(2, 3, "A")]
    assert encode_spans(tokens, [(0, 3, "A")]).labels == ("B-A", "I-A")


@given(TEXTS)
def test_tokens_cover_all_but_white_space_and_breaks_describe_the_gaps(text):
    document = by_unit(Document("a", text), "token")
    table = document.table()
    assert [text[a:b] for a, b in zip(table["start"], table["end"], strict=True)] == table["value"].tolist()
    assert re.sub(r"\s", "", text) == "".join(table["value"])
    assert document.labels is None and "label" not in table
    assert table["line_number"].tolist() == list(range(len(table)))
    for before, start, end in zip(table["break_before"][1:], table["end"], table["start"][1:], strict=False):
        gap = text[start:end]
        assert before == (min(gap.count("\n"), 2) + 1 if "\n" in gap else int(gap != ""))
    assert breaks_before(text, document.tokens) == table["break_before"].tolist()


def test_a_table_of_tokens_keeps_its_columns_when_checked():
    documents = [Document("a", "One, two.\r\n\r\nThree", spans=((0, 3, "A"),)), Document("b", "Four")]
    table = as_table(documents, unit="token")
    assert table["value"].tolist() == ["One", ",", "two", ".", "Three", "Four"]
    assert table["break_before"].tolist() == [3, 0, 1, 0, 3, 3]
    assert table["label"].tolist() == ["B-A", "O", "O", "O", "O", None]
    assert table["start"].tolist()[4] == 13
    shuffled = table.sample(frac=1, random_state=1)
    again = check_table(shuffled)
    assert again.groupby("doc_id")["value"].apply(list)["a"] == table["value"].tolist()[:5]
    assert np.issubdtype(again["break_before"].dtype, np.integer)
    assert "break_before" not in as_table(documents)
    assert as_table([["One", ","], ["two"]], unit="token")["break_before"].tolist() == [3, 1, 3]
    with pytest.raises(DataError, match="Token 1 of document 0"):
        as_table([["One", 2]], unit="token")
    mixed = Corpus((documents[0], by_unit(documents[1], "token")))
    with pytest.raises(ValueError, match="one unit"):
        _ = mixed.table
    assert as_table(mixed, unit="token")["value"].tolist() == ["One", ",", "two", ".", "Three", "Four"]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([(0, 3), (2, 5)], "token 1, [2, 5], begins before the end of the previous token, 3"),
        ([(3, 3)], "token 0, [3, 3], is empty or reversed"),
        ([(0, 99)], "outside the text of 7 characters"),
        ([(-1, 2)], "outside the text"),
        ([(3, 4)], "is white space"),
        (["one"], "not a pair of offsets"),
        ([(0.5, 2)], "not a pair of offsets"),
    ],
)
def test_tokens_that_cannot_be_aligned_are_reported(tokens, message):
    with pytest.raises(DataError, match=re.escape(message)):
        find_tokens("one two", lambda text: tokens)


def test_all_bad_tokens_are_reported_with_the_file(tmp_path):
    (tmp_path / "a.txt").write_text("one two", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.txt: token 0, .*; token 1"):
        read_documents(tmp_path, unit="token", tokeniser=lambda text: [(2, 1), (0, 99)])


def test_bad_tokens_and_bad_spans_are_reported_together():
    document = Document("a", "one two", spans=((0, 9, "A"), (0, 3, "B"), (2, 3, "C")))
    with pytest.raises(DataError) as caught:
        by_unit(document, "token", lambda text: [(2, 1)])
    messages = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in messages] == ["a:1", "a:1", "a"]
    assert all(word in line for word, line in zip(("outside", "overlap", "reversed"), messages, strict=True))


def test_another_tokeniser_is_taken(tmp_path):
    (tmp_path / "a.txt").write_text("it's so", encoding="utf-8")
    corpus = read_documents(
        tmp_path, unit="token", tokeniser=lambda text: (m.span() for m in re.finditer(r"\S+", text))
    )
    assert corpus.unit == "token"
    assert corpus.table["value"].tolist() == ["it's", "so"]
    with pytest.raises(ValueError, match="one of line, token"):
        read_documents(tmp_path, unit="word")


def test_lines_and_tokens_of_one_document_give_its_spans():
    document = Document("a", "one two\nthree\n", ("A", None))
    tokens = by_unit(document, "token")
    assert tokens.labels == ("B-A", "I-A", "O")
    assert by_unit(tokens, "line").labels == ("A", None)
    assert by_unit(Document("a", "one"), "token").labels is None
    with pytest.raises(ValueError, match="1 labels for 3 tokens"):
        Document("a", "one two\nthree\n", ("O",), tokens=tokens.tokens)


def test_what_labels_cannot_represent_is_listed():
    document = Document("a", "one two\n  \nthree", spans=((1, 5, "A"), (8, 10, "B"), (11, 16, "C"), (12, 14, "D")))
    found = by_unit(document, "token", rules=SpanRules("longest"))
    assert found.labels == ("B-A", "I-A", "B-C")
    messages = [(repair.kind, repair.line) for repair in found.repairs]
    assert messages == [
        ("span moved to its tokens' ends", 1),
        ("span without label", 2),
        ("span without label", 3),
    ]
    assert found.spans == document.spans
    assert by_unit(found, "token", rules=SpanRules("longest")).repairs == found.repairs


def test_gold_spans_of_the_real_articles_come_back(corpora):
    for part, least in (("train", 0.9999), ("dev", 0.9997)):
        corpus = read_documents(corpora / "ptc" / part, unit="token")
        gold = {document.doc_id: document.spans for document in corpus}
        back = {document.doc_id: decode_spans(document.tokens, document.labels) for document in corpus}
        for typed in (True, False):
            assert fragment_scores(gold, back, typed=typed).f1 >= least
    assert corpus.table["label"].nunique() == 29
    # 96,615 by scikit-learn's word pattern: "Córdoba" with a combining accent and one flag stay whole.
    assert len(corpus.table) == 96_612


# -- words of every script ----------------------------------------------------------------------------


def words(text):
    return [text[start:end] for start, end in find_tokens(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        (unicodedata.normalize("NFD", "était là"), [unicodedata.normalize("NFD", word) for word in ("était", "là")]),
        ("👩\u200d🚀 flies 🇩🇪!", ["👩\u200d🚀", "flies", "🇩🇪", "!"]),
        ("x² is ½, y_1", ["x²", "is", "½", ",", "y_1"]),
        ("“a”\u2028—b", ["“", "a", "”", "—", "b"]),
    ],
)
def test_words_keep_their_marks_and_clusters_stay_whole(text, expected):
    assert words(text) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_every_visible_character_is_in_one_token(text):
    tokens = find_tokens(text)
    covered = [place for start, end in tokens for place in range(start, end)]
    assert covered == sorted(set(covered))
    assert "".join(text[place] for place in covered if not text[place].isspace()) == "".join(text.split())


@given(st.text(st.sampled_from("ab1_²é.,—“ \n\t\u2028ß漢ф"), max_size=30))
def test_text_without_marks_has_the_tokens_of_the_plain_pattern(text):
    assert list(find_tokens(text)) == [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
