"""Rendering of true and predicted spans, and the command that draws them."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from skol_rnn.cli.app import run
from skol_rnn.report.spans import show_spans, spans_html, tracks

TEXTS = st.text(st.sampled_from("ab <&>'\"\r\n\t漢\U0001f600"), max_size=80)


@st.composite
def pictured(draw):
    text = draw(TEXTS)
    ends = st.integers(0, len(text))
    drawn = draw(st.lists(st.tuples(ends, ends, st.sampled_from(["A", "Long_type"])), max_size=6))
    spans = [(min(a, b), max(a, b), kind) for a, b, kind in drawn if a != b]
    middle = len(spans) // 2
    return text, spans[:middle], spans[middle:]


class Visible(HTMLParser):
    """Collects the text of a page's paragraphs, names of types left out."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.tags = [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in ("meta",):
            self.open.append((tag, dict(attributes)))
        if tag == "p":
            self.text.append("")

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        kinds = [tag for tag, _ in self.open]
        if "p" in kinds and "b" not in kinds:
            self.text[-1] += data


@given(pictured())
def test_the_page_holds_the_text_and_is_well_formed(drawn):
    text, gold, predicted = drawn
    page = spans_html(text, gold, predicted, title="<b>&")
    assert "<b>&</title>" not in page
    parser = Visible()
    parser.feed(page)
    assert parser.open == []
    assert parser.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "h1",
        "main",
        "p",
        "div",
        "span",
        "b",
    }
    lines = [line for line in text.split("\n") if line.strip()]
    assert parser.text == [line.rstrip("\r").replace("\r", "\\r") for line in lines]
    assert "http:" not in page and "https:" not in page and "<script" not in page


@given(pictured(), st.integers(25, 60))
def test_the_terminal_picture_fits_and_keeps_the_text(drawn, width):
    text, gold, predicted = drawn
    rows = show_spans(text, gold, predicted, width=width).plain.split("\n")
    assert all(cell_len(row) <= width for row in rows)
    shown = "".join(row[11:] for row in rows if not row.startswith(("gold", "predicted")))
    expected = "".join(line.rstrip("\r").replace("\r", "\\r") for line in text.split("\n") if line.strip())
    assert "".join(shown.split()) == "".join(expected.split())


def test_brackets_stand_where_spans_begin_and_end():
    text = "漢字 is one,\nand so on and on and on"
    picture = show_spans(text, [(0, 9, "Aa"), (11, 16, "B")], [(3, 9, "Aa"), (4, 5, "C")], width=40).plain
    assert picture.split("\n") == [
        "           漢字 is one,",
        "gold       [Aa-------]",
        "predicted       [Aa--]",
        "predicted        [",
        "           and so on and on and on",
        "gold       [B--]",
    ]
    with pytest.raises(ValueError, match="no room"):
        show_spans(text, [], [], width=15)


def test_lines_without_spans_can_be_left_out():
    picture = show_spans("one\ntwo\nthree\nfour", [(4, 7, "A")], [(14, 18, "A")], only_spans=True).plain
    assert [row.strip() for row in picture.split("\n")] == [
        "...",
        "two",
        "gold       [A]",
        "...",
        "four",
        "predicted  [A-]",
    ]


def test_spans_of_one_side_that_overlap_get_rows_of_their_own():
    spans = [(0, 9, "A"), (1, 3, "B"), (2, 5, "C"), (9, 10, "A")]
    rows = tracks(spans)
    assert sorted(span for row in rows for span in row) == sorted(spans)
    assert len(rows) == 3


def test_a_page_without_true_spans_counts_predicted_ones_only():
    page = spans_html("one two", None, [(0, 3, "A<b>")], title="x")
    assert (
        "true spans" not in page and "1 predicted spans" in page and 'class="tag predicted c0">A&lt;b&gt;</b>' in page
    )
    assert "<script" not in page and "script-src 'none'" in page


def test_many_spans_take_time_and_bytes_in_proportion():
    text = "a line of some words\n" * 8_000
    spans = [(start, start + 20, "ABC"[start % 3]) for start in range(0, len(text), 22)]
    began = time.process_time()
    page = spans_html(text, spans, spans[::2])
    assert time.process_time() - began < 4
    assert len(page) < 10e6 * 8_000 / 40_000


def fill(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def called(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        run([str(word) for word in words])
    return stop.value.code or 0, capsys.readouterr()


def test_the_command_scores_and_draws(tmp_path, capsys):
    fill(tmp_path, {
        "gold/article1.txt": "We never lie.", "gold.labels.tsv": "1\tDoubt\t0\t8\n",
        "gold/article2.txt": "<Never> again", "guess/article1.txt": "We never lie.",
        "guess.labels.tsv": "1\tDoubt\t3\t12\n",
    })  # fmt: skip
    words = ["spans", tmp_path / "gold", "--predicted", tmp_path / "guess"]
    code, said = called(capsys, *words, "--json")
    found = json.loads(said.out)
    assert code == 0 and "article2 was not predicted" in said.err
    assert found["fragment"]["precision"] == pytest.approx(5 / 9)
    assert found["fragment"]["recall"] == pytest.approx(5 / 8)
    assert found["strict"]["f1"] == 0
    assert found["boundary_errors"]["all"]["shifted"] == 1
    code, said = called(capsys, *words, "--show", "article1", "--html", tmp_path / "pages")
    assert code == 0
    assert "Fragment scores: shared characters of spans, partial credit, types count" in said.out
    assert "gold       [Doubt-]" in said.out
    assert "&lt;Never&gt;" in (tmp_path / "pages" / "article2.html").read_text()
    assert called(capsys, *words, "--show", "article3")[0] == 3


def test_the_command_refuses_documents_that_do_not_match(tmp_path, capsys):
    fill(tmp_path, {
        "gold/article1.txt": "We never lie.", "gold.labels.tsv": "1\tDoubt\t0\t8\n",
        "guess/article1.txt": "We never lie!", "guess/article3.txt": "x", "guess.labels.tsv": "1\tDoubt\t3\t12\n",
    })  # fmt: skip
    code, said = called(capsys, "spans", tmp_path / "gold", "--predicted", tmp_path / "guess")
    assert code == 3
    assert "article3 is predicted, but not among" in said.err and "has another text than" in said.err
