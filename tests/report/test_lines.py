"""Pages of lines and their terminal view: every line shown as it is, errors marked, nothing executed."""

from __future__ import annotations

import io
import json
import sys
import time
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from skol_rnn.cli.app import run
from skol_rnn.data.document import Document
from skol_rnn.labels import printable
from skol_rnn.report.lines import (
    DocumentLines,
    certainty,
    document_rows_html,
    label_marks,
    legend_html,
    lines_html,
    show_lines,
)
from skol_rnn.report.pages import Pages, document_lines

HOSTILE = ["<script>alert(1)</script>", "[red]x[/red] [/]", "\x1b[31mred\x07", "a\u202eb\x9bc\x00d", "&amp; 'q' \"r\""]
SCRIPTS = ["Наименование", "学名", "الاسم", "नाम", "Größe", "👩‍🔬", "B-x", "[/]", "\x1b[2J", "<b>"]


class Rows(HTMLParser):
    """Collects the rows of a page: marks, name of a block, text and figure, and the tags of the whole page."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.rows, self.tags, self.open = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "p" and "data-n" in dict(attributes):
            self.rows.append({"b": [], "span": "", "u": "", **dict(attributes)})

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "p" in self.open and self.rows:
            if self.open[-1] == "b":
                self.rows[-1]["b"].append(data)
            elif self.open[-1] in ("span", "u"):
                self.rows[-1][self.open[-1]] += data


def drawn(picture):
    out = io.StringIO()
    Console(file=out, width=100, force_terminal=True, color_system="truecolor").print(picture)
    return out.getvalue()


def test_every_line_shows_its_gold_and_predicted_mark_and_errors_are_marked():
    marks = label_marks(["Nomenclature", "Misc"], neutral=["Misc"])
    document = DocumentLines(
        "d",
        ["one", "two", "three", "four"],
        predicted=["Misc", "Nomenclature", "Misc", None],
        gold=["Misc", "Nomenclature", "Nomenclature", "Misc"],
        probability=[0.9, 0.8, 0.51, np.nan],
        margin=[0.8, 0.6, 0.02, np.nan],
    )
    rows = Rows(document_rows_html(document, marks)).rows
    assert [row["b"] for row in rows] == [["M", "M"], ["N", "N"], ["N", "✗M"], ["M", "✗–"]]
    assert [row["span"] for row in rows] == ["one", "two", "three", "four"]
    assert [row.get("data-k") for row in rows] == [None, None, "Nomenclature → Misc", "Misc → no prediction"]
    assert [row["u"] for row in rows] == ["0.90", "0.80", "0.51", ""]
    assert rows[2]["data-m"] == "0.020" and "data-m" not in rows[3]


def test_long_correct_runs_are_folded_but_stay_on_the_page():
    gold = ["A"] * 40
    predicted = [*gold[:20], "B", *gold[21:]]
    page = document_rows_html(DocumentLines("d", list(map(str, range(40))), predicted, gold), label_marks("AB"))
    assert [row["span"] for row in Rows(page).rows] == list(map(str, range(40)))
    assert page.count("<summary>17 correct lines</summary>") == 1
    assert page.count("<summary>16 correct lines</summary>") == 1
    assert "<details" not in document_rows_html(DocumentLines("d", ["x"] * 40, gold, gold), label_marks("AB"))


def test_lines_without_gold_labels_are_neither_errors_nor_called_correct():
    document = DocumentLines("d", ["x"] * 20, ["A"] * 20, [*["B"], *[None] * 19])
    page = document_rows_html(document, label_marks("AB"))
    assert document.errors == [True] + [False] * 19
    assert "correct lines" not in page and page.count("✗") == 1


def test_marks_differ_for_400_labels_in_any_script():
    labels = SCRIPTS + [f"Label {i}" for i in range(390)]
    marks = label_marks(labels, neutral=["学名"])
    assert list(marks) == labels
    assert len({mark.letters for mark in marks.values()}) == 400
    assert max(len(mark.letters) for mark in marks.values()) <= 4
    assert marks["学名"].css == "o" and marks["Наименование"].letters == "Н"
    # Neighbours differ in colour, the first 28 in colour or pattern.
    assert len({mark.css for mark in list(marks.values())[2:30]}) == 28
    parser = Rows(lines_html(DocumentLines("d", ["x"] * 400, labels, labels[::-1]), marks))
    assert parser.tags.count("li") == 400 and "b" in parser.tags
    assert len(parser.rows) == 400


def test_nothing_of_a_document_is_executed_or_hidden():
    marks = label_marks(HOSTILE)
    document = DocumentLines(HOSTILE[0], HOSTILE, HOSTILE, HOSTILE[::-1])
    page = lines_html(document, marks, summary=HOSTILE[0])
    parser = Rows(page)
    assert parser.tags.count("script") == 1  # ours
    assert [row["span"] for row in parser.rows] == list(map(printable, HOSTILE))
    assert not {"\x1b", "\x07", "\x9b", "\x00", "\u202e"} & set(page)
    shown = drawn(show_lines(document, marks, width=90))
    assert "[red]x[/red] [/]" in shown and r"\x1b[31mred\x07" in shown and "<script>" in shown
    # The only escapes are those of our own colours.
    assert not {"\x07", "\x9b", "\x00", "\u202e"} & set(shown) and "\x1b[31m" not in shown


@pytest.mark.parametrize("values", [[], ["one"]])
def test_documents_of_no_and_of_one_line(values):
    labels = ["A"] * len(values)
    for gold in (labels, None):
        document = DocumentLines("d", values, labels, gold)
        assert len(Rows(lines_html(document, label_marks(labels))).rows) == len(values)
        assert show_lines(document, label_marks(labels)).plain.count("one") == len(values)
    assert ("no line with text" in lines_html(document, {})) == (not values)


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match="d: 2 lines, but 1 values of predicted"):
        DocumentLines("d", ["a", "b"], ["X"])


def test_certainty_is_the_probability_of_the_decided_label_and_the_margin_of_the_two_highest():
    rows = np.array([[0.5, 0.3, 0.2], [0.1, 0.45, 0.45], [1, 0, 0]])
    probability, margin = certainty(rows, ["a", "b", "c"], ["a", "c", None])
    assert probability.tolist()[:2] == [0.5, 0.45] and np.isnan(probability[2])
    assert margin.tolist() == pytest.approx([0.2, 0, 1])
    assert certainty(np.ones((2, 1)), ["a"], ["a", "a"])[1].tolist() == [1, 1]


def test_30_000_lines_take_less_than_10_mb_and_a_few_seconds():
    n = 30_000
    labels = ["Description" if i % 20 else "Misc" for i in range(n)]
    gold = [label if i % 30 else "Nomenclature" for i, label in enumerate(labels)]
    sure = [0.5] * n
    document = DocumentLines(
        "d", ["a line of sixty characters, as many as a line of a journal has"] * n, labels, gold, sure, sure
    )
    began = time.process_time()
    page = lines_html(document, label_marks({*gold}))
    assert time.process_time() - began < 5
    assert 30_000 * 60 < len(page.encode()) < 10e6
    assert "<div>" in page and page.count("<p") > n


def test_the_terminal_view_fits_and_shows_errors_with_what_is_near():
    marks = label_marks(["Nomenclature", "Misc"], neutral=["Misc"])
    predicted = ["Misc"] * 30
    gold = [*predicted[:15], "Nomenclature", *predicted[16:]]
    document = DocumentLines("d", [f"{i} 漢字" * 12 for i in range(30)], predicted, gold)
    picture = show_lines(document, marks, width=50, only_errors=True).plain
    assert all(cell_len(row) <= 50 for row in picture.split("\n"))
    assert "16 N  M  ✗ 15" in picture and "12 lines without an error" in picture
    assert picture.endswith("N  Nomenclature   M  Misc")
    with pytest.raises(ValueError, match="no room"):
        show_lines(document, marks, width=20)


def test_line_numbers_are_those_of_the_file():
    assert document_lines(Document("a", "one\n\n\ntwo\r\nthree\n"), ["x"] * 3).numbers == [1, 4, 5]


def test_pages_have_an_index_that_links_them(tmp_path):
    names = ["v 1/a#<b>", "index", "[red]", "ü%41"]
    with Pages(tmp_path, label_marks("XY")) as pages:
        for i, name in enumerate(names):
            document = Document(name, "one\ntwo", ("X", "Y"))
            pages.add_lines(document, document_lines(document, ["X", "XYYX"[i]], gold=document.labels))
    index = (tmp_path / "index.html").read_text()
    assert "<b>" not in index and "v%201/a%23%3Cb%3E.html" in index and "index_.html" in index
    # Those with errors come first.
    assert index.index("ü%41</bdi>") < index.index("index</bdi>")
    assert 'href="../index.html"' in (tmp_path / "v 1" / "a#<b>.html").read_text()


def called(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        run([str(word) for word in words])
    return stop.value.code or 0, capsys.readouterr()


@pytest.fixture
def annotated(tmp_path):
    (tmp_path / "gold").mkdir()
    (tmp_path / "guess").mkdir()
    (tmp_path / "gold" / "a.txt.ann").write_text("[@One nova#Nomenclature*]\n[@two#Key*]\n[@pileus [red]#Description*]")
    (tmp_path / "guess" / "a.txt.ann").write_text("[@One nova#Nomenclature*]\n[@two\npileus [red]#Misc*]")
    (tmp_path / "gold" / "b.txt.ann").write_text("[@zero#Misc*]")
    return tmp_path


def test_the_command_compares_documents_of_lines_with_labels_and_other(annotated, capsys):
    words = ["spans", annotated / "gold", "--predicted", annotated / "guess", "--labels", "Nomenclature,Description"]
    code, said = called(capsys, *words, "--other", "Misc", "--json")
    found = json.loads(said.out)
    assert code == 0 and "b was not predicted: all its lines count as missed" in said.err
    assert found["unit"] == "line" and found["accuracy"] == 0.5
    code, said = called(capsys, *words, "--html", annotated / "pages", "--show", "a")
    assert code == 0 and "D  M  ✗ pileus [red]" in said.out and "spans" not in said.out
    rows = Rows((annotated / "pages" / "a.html").read_text()).rows
    assert [row["b"] for row in rows] == [["N", "N"], ["M", "M"], ["D", "✗M"]]
    assert (annotated / "pages" / "index.html").exists()


def test_the_command_shows_lines_as_spans_only_where_asked(annotated, capsys):
    words = ["spans", annotated / "gold", "--predicted", annotated / "guess"]
    assert "Strict span scores" in called(capsys, *words, "--unit", "token")[1].out
    code, said = called(capsys, *words, "--unit", "word")
    assert code == 2 and "line, token" in said.err
    assert called(capsys, *words, "--other", "Misc")[0] == 2
    code, said = called(capsys, *words, "--labels", "Nomenclatur")
    assert code == 3 and "Did you mean 'Nomenclature'?" in said.err


def test_predict_writes_a_page_of_each_document(tiny_bundle, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name, text in (("a", "Russula nova\n\nPileus red\n"), ("b [red]", "one <b>\x1b[31m")):
        (tmp_path / "in" / f"{name}.txt").write_text(text)
    words = ["predict", tiny_bundle, tmp_path / "in", "--out", tmp_path / "out", "--html", tmp_path / "pages"]
    code, said = called(capsys, *words)
    assert code == 0 and "index.html" in said.err
    rows = Rows((tmp_path / "pages" / "a.html").read_text()).rows
    assert [row["span"] for row in rows] == ["Russula nova", "Pileus red"]
    assert [len(row["b"]) for row in rows] == [1, 1] and all(0 <= float(row["u"]) <= 1 for row in rows)
    assert r"one &lt;b&gt;\x1b[31m" in (tmp_path / "pages" / "b [red].html").read_text()
    assert legend_html(label_marks("A"), gold=False)[:5] == "<div "


@pytest.mark.parametrize("words", [["predict", "no-model", "--out", "o"], ["spans", "--predicted", "no-guess"]])
def test_a_missing_jinja2_is_said_before_any_work(words, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    code, said = called(capsys, *words, "no-documents", "--html", tmp_path / "pages")
    assert code == 1 and "pip install 'skol_rnn[report]'" in said.err


def test_validate_shows_labels_with_markup_and_escapes(tmp_path, capsys):
    table = '{"text": "one", "label": [[0, 3, "[red]\\u001b[2J[/]"]]}\n'
    (tmp_path / "a.jsonl").write_text(table)
    code, said = called(capsys, "validate", tmp_path / "a.jsonl")
    assert code == 0 and r"[red]\x1b[2J[/]" in said.out and "\x1b[2J" not in said.out


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_browser_shows_filters_and_sorts_the_lines(open_page, tmp_path, width, dark):
    values = [f"line {i}" for i in range(400)] + HOSTILE
    n = len(values)
    gold = ["Misc"] * n
    predicted = ["Nomenclature" if i % 100 == 7 else "<b>" if i == 50 else "Misc" for i in range(n)]
    margin = [(i * 37 % n) / n for i in range(n)]
    document = DocumentLines("d" * 200, values, predicted, gold, margin, margin)
    file = tmp_path / "page.html"
    file.write_text(lines_html(document, label_marks(["Nomenclature", "<b>", "Misc"], neutral=["Misc"])))
    page = open_page(file, width, dark)
    rows = page.locator(".lines p:visible")
    assert rows.count() < 100  # correct ones are folded
    page.select_option(".filters select", "=Misc → Nomenclature")
    assert [row.split("\n")[-2] for row in rows.all_inner_texts()] == [f"line {i}" for i in (7, 107, 207, 307)]
    page.select_option(".filters select", label="Misc → <b> (1)")
    assert rows.count() == 1
    page.check(".filters input")
    page.select_option(".filters select", "e")
    sorted_rows = [float(row.split("\n")[-1]) for row in rows.all_inner_texts()]
    assert len(sorted_rows) == 5 and sorted_rows == sorted(sorted_rows)
    page.uncheck(".filters input")
    page.select_option(".filters select", "")
    page.locator(".lines summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("text=<script>alert(1)</script>").count() >= 1


@pytest.mark.browser
def test_a_browser_opens_30_000_lines_in_seconds(open_page, tmp_path):
    n = 30_000
    gold = ["Misc" if i % 9 else "Nomenclature" for i in range(n)]
    predicted = ["Misc" if i % 5 else "Nomenclature" for i in range(n)]
    document = DocumentLines("long", [f"line {i} of many words and figures" for i in range(n)], predicted, gold)
    file = tmp_path / "page.html"
    file.write_text(lines_html(document, label_marks(["Nomenclature", "Misc"])))
    began = time.monotonic()
    page = open_page(file)
    page.select_option(".filters select", "e")
    assert time.monotonic() - began < 20
    wrong = sum(a != b for a, b in zip(gold, predicted, strict=True))
    assert page.evaluate("document.querySelectorAll('.lines.only p.on').length") == wrong
    assert page.locator(".lines p.on").first.is_visible() and not page.locator(".lines p:not(.on)").first.is_visible()
