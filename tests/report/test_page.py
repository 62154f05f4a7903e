"""The report page and the comparison: every part is there, every figure is that of the evaluation, all text is escaped."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from commands import skol
from toy import as_documents, toy_table

from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.predicted import Predicted
from skol_rnn.labels import LabelSet
from skol_rnn.report import tables
from skol_rnn.report.comparison import Side, comparison_html
from skol_rnn.report.page import evaluation_html, report_html
from skol_rnn.report.training import seen_documents, seen_sentence

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

NAMES = ("Nomenclature", "Description", "Misc")
EVIL = "<script>alert(1)</script>"
VOID = {"meta", "br", "path", "use", "rect"}


class Page(HTMLParser):
    """Collects ids, tables by caption, the text outside scripts and styles, and checks that tags close in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tables, self.text, self.links, self.seen = [], [], {}, "", [], set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.seen.add(tag)
        assert not set(values) & {"src", "onclick", "onload", "onerror"}
        self.links += [values[key] for key in ("href", "xlink:href") if key in values]
        if "id" in values:
            self.ids.append(values["id"])
        if tag not in ("meta", "input"):
            self.open.append(tag)
        if values.get("role") == "region":
            self.rows = self.tables[values["aria-label"]] = []
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "input"):
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data
        if {"td", "th"} & set(self.open) and "small" not in self.open:
            self.rows[-1][-1] += data

    def table(self, start):
        (found,) = (rows for caption, rows in self.tables.items() if caption.startswith(start))
        return found


def made_up(names=NAMES, documents=4, lines=60, seed=0, labelled=True, values=None):
    """Return predictions of random documents; the last label is the most frequent."""
    rng = np.random.default_rng(seed)
    n, k, labels = documents * lines, len(names), LabelSet(tuple(names))
    shares = np.ones(k)
    shares[-1] = 2 * k
    true = rng.choice(k, n, p=shares / shares.sum()) if n else np.zeros(0, int)
    probabilities = rng.dirichlet(np.ones(k), n) if n else np.zeros((0, k))
    probabilities[np.arange(n), true] += rng.random(n) * 2
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    decided = {"tuned": (probabilities * np.linspace(1.5, 1, k)).argmax(axis=1), "argmax": probabilities.argmax(axis=1)}
    where = [f"vol{d % 2}/n{d}" for d in range(documents) for _ in range(lines)]
    values = values or [f"line {i}" for i in range(n)]
    table = pd.DataFrame(
        {"doc_id": where, "line_number": np.arange(n) % max(lines, 1), "value": pd.Series(values[:n], dtype=object)}
    )
    table["label"] = pd.Series(labels.decode(true) if labelled else [None] * n, dtype=object)
    scores = {
        how: evaluate_labels(
            true if labelled else np.full(n, -1),
            found,
            labels,
            probabilities=probabilities,
            documents=where,
            lengths=np.array([len(value) for value in table["value"]], np.int64),
        )
        for how, found in decided.items()
    }
    table["predicted"] = pd.Series(labels.decode(decided["tuned"]), dtype=object)
    return Predicted(scores["tuned"], scores["argmax"], table, probabilities, labels, "tuned")


CARD = {
    "name": "toy",
    "date": "2026-11-20T10:11:12+00:00",
    "versions": {"skol_rnn": "1.0", "keras": "3.13"},
    "split": {"training": ["a", "b"], "validation": ["vol0/n2"], "how": "drawn", "refit": True},
    "counts": {"Nomenclature": 10, "Description": 90, "Misc": 900},
    "weights": {"Nomenclature": 2.5, "Description": 1.5, "Misc": 0.5},
    "offsets": {"Nomenclature": 0.25, "Description": 0.0, "Misc": -0.25},
    "class_weights": "smoothed",
    "settings": {"hidden_size": 96, "focal_labels": None},
}
HISTORY = {"loss": [1.0, 0.5], **{f"val_f1/{name}": [0.1, 0.6] for name in NAMES}, "val_important_f1": [0.1, 0.6]}
PARTS = ["findings", "scores", "decision", "curves", "probabilities", "confusion", "documents", "learning"]
PARTS += ["training", "lines"]


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out what takes longest."""
    monkeypatch.setattr("skol_rnn.report.page._drawn", lambda axes: "no chart")


@pytest.fixture(scope="module")
def predicted():
    return made_up()


@pytest.fixture(scope="module")
def page(predicted):
    return Page(report_html(predicted, title="Toy", card=CARD, history=HISTORY, findings=["raise it"]))


def test_the_report_holds_every_part_in_order_and_loads_nothing(page):
    assert [name for name in page.ids if name in PARTS] == PARTS
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert not page.seen & {"link", "img", "iframe", "object", "base", "form"}
    assert "raise it" in page.text
    assert page.text.count("Precision") and "bootstrap over the documents" in page.text


def test_its_figures_are_those_of_the_evaluation(page, predicted):
    e = predicted.evaluation
    scores = page.table("Scores by line")
    assert scores[0] == ["Label", "Precision", "Recall", "F1", "Loss", "Lines", "Predicted"]
    assert scores[1][:4] == ["Nomenclature *", *(f"{c[0]:.4f}" for c in (e.precision, e.recall, e.f1))]
    assert scores[4][3] == f"{e.important_f1:.4f}"
    decisions = page.table("F1 and predictions")
    difference = e.f1[0] - predicted.argmax.f1[0]
    assert decisions[1][1:4] == [f"{difference:+.4f}", f"{predicted.argmax.f1[0]:.4f}", f"{e.f1[0]:.4f}"]
    confusion = page.table("Lines by true label")
    assert confusion[0][1:] == list(NAMES)
    assert [row[1:] for row in confusion[1:]] == [[f"{n:,}" for n in row] for row in e.confusion]
    thresholds = page.table("The decision, and")
    assert [row[0] for row in thresholds[1:]] == ["Nomenclature", "Description"]
    assert thresholds[1][2:5] == [f"{c[0]:.4f}" for c in (e.precision, e.recall, e.f1)]


def test_documents_come_worst_first_and_lead_to_their_lines(page, predicted):
    documents, shown = page.table("Documents, worst first"), [i for i in page.ids if i.startswith("document-")]
    values = [float(row[1]) for row in documents[1:]]
    assert values == sorted(values) and len(values) == len(shown) == 4
    names = [row[0] for row in documents[1:]]
    places = [page.text.rindex(f"{name}\n") for name in names]
    assert places == sorted(places)
    groups = page.table("Groups of documents")
    assert [row[0] for row in groups[1:]] == ["vol0", "vol1"]
    parts = dict(predicted.evaluation.per_document)
    volume = parts["vol0/n0"].confusion + parts["vol0/n2"].confusion
    assert groups[1][2:4] == [str(volume.sum() - volume.trace()), "120"]


def test_it_says_what_was_trained_on_what(page):
    training = page.table("Labels of the training")
    assert training[1] == ["Nomenclature", "10", "1.00%", "2.5000", "+0.2500"]
    for text in ("2026-11-20 10:11", "keras 3.13", "2: a, b", "1: vol0/n2", "on training and validation", "smoothed"):
        assert text in page.text
    assert "hidden_size" in page.text and "96" in page.text
    assert "1 of the 4 documents was in the validation set (vol0/n2): their scores are too high" in page.text


def test_documents_are_recognised_by_their_text_even_under_another_name():
    table = pd.DataFrame({"doc_id": ["x", "x", "y"], "value": ["one", "two", "three"]})
    digest = hashlib.sha256(b"one\ntwo").hexdigest()
    card = {"documents": {"a": digest, "y": "0" * 64}, "split": {"training": ["a", "y"], "validation": []}}
    seen = seen_documents(table, card)
    assert seen.training == ["x"] and seen.validation == []
    assert seen_sentence(seen, 2, card).startswith("1 of the 2 documents was in the training set (x)")
    assert seen_sentence(seen_documents(table, card | {"documents": {"a": "0" * 64}}), 2, card) == ""
    assert "does not record" in seen_sentence(seen_documents(table, {}), 2, {})


def test_text_of_documents_labels_and_names_is_shown_and_never_executed():
    names = (EVIL, "[red]$x$ \x1b[31m", "\u0646\u0639\u0645 \u202e\u6f22\u5b57", "_Misc")
    given = made_up(names, values=[f"{EVIL} \x00\x1b]0;owned\x07 \udc80 {i}" for i in range(240)])
    given.table["doc_id"] = given.table["doc_id"] + EVIL
    parts = tuple((name + EVIL, part) for name, part in given.evaluation.per_document)
    given = replace(given, evaluation=replace(given.evaluation, per_document=parts))
    history = {"loss": [1.0], **{f"val_f1/{name}": [0.5] for name in names}}
    card = {
        **CARD,
        "name": EVIL,
        "counts": dict.fromkeys(names, 3),
        "weights": {},
        "offsets": {},
        "settings": {EVIL: EVIL},
    }
    text = report_html(given, title=EVIL, card=card, history=history, findings=[EVIL])
    text.encode()  # no lone surrogate is left
    assert text.count("<script>") == 1 and not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    page = Page(text)
    assert page.table("Scores by line")[1][0] == f"{EVIL} *"
    assert "\\x1b]0;owned\\x07" in page.text and "[red]$x$ \\x1b[31m" in page.text and "\\u202e\u6f22" in page.text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (made_up(("only",)), "Important F1 1.0000"),
        (made_up(documents=1), "takes at least two"),
        (made_up(documents=1, lines=1), "on 1 line of 1 document"),
        (made_up(documents=0), "There is no line"),
        (made_up(labelled=False), "No line has a label, so there are no scores: this page shows 240 predictions."),
    ],
)
def test_what_there_is_too_little_of(given, says):
    page = Page(report_html(given, title="t", findings=given.evaluation.warnings()))
    assert says in page.text
    assert "learning" not in page.ids and "does not record its training documents" in page.text


def test_a_report_without_labels_shows_predictions_and_lines(undrawn):
    given = made_up(labelled=False)
    page = Page(report_html(given, title="t"))
    counts = given.table["predicted"].value_counts()
    assert [row[:2] for row in page.table("Predicted labels")[1:]] == [[name, f"{counts[name]:,}"] for name in NAMES]
    assert "scores" not in page.ids and "lines" in page.ids and "no labels" in page.text


def test_a_class_that_is_never_predicted_and_one_that_does_not_occur():
    labels = LabelSet(("a", "b", "never", "absent"))
    probabilities = np.tile([[0.6, 0.3, 0.1, 0.0]], (40, 1))
    true, found = np.array([0, 1, 1, 2] * 10), np.array([0, 1, 1, 1] * 10)
    table = pd.DataFrame({"doc_id": ["d"] * 20 + ["e"] * 20, "value": "x"})
    table["label"], table["predicted"] = labels.decode(true), labels.decode(found)
    e = evaluate_labels(true, found, labels, probabilities=probabilities, documents=table["doc_id"].to_numpy())
    page = Page(report_html(Predicted(e, None, table, probabilities, labels, "argmax"), title="t"))
    assert "decision" not in page.ids
    assert ["never", "10", "0.0000", "0.0000", "0.0000"] in [row[:5] for row in page.table("The decision")]
    assert [row[-1] for row in page.table("Documents")[1:]] == ["-", "-"]  # "absent" is in no document


def test_four_hundred_labels_list_their_largest_confusions_and_stay_small():
    given = made_up([f"label {i}" for i in range(400)], documents=2, lines=100)
    rng = np.random.default_rng(0)
    found = rng.permutation(given.true)
    e = evaluate_labels(given.true, found, given.labels, documents=given.table["doc_id"].to_numpy())
    given = replace(given, evaluation=e)
    text = report_html(given, title="t", card={"counts": {f"label {i}": i for i in range(400)}})
    page = Page(text)
    assert len(page.table("Scores by line")) == 405 and len(text) < 3e6
    largest = page.table("The largest of the confusions")
    wrong = given.evaluation.confusion - np.diag(given.evaluation.confusion.diagonal())
    assert int(largest[1][2]) == wrong.max() and len(largest) == 51


def test_training_without_validation_documents_shows_its_loss(predicted, undrawn):
    page = Page(report_html(predicted, title="t", history={"loss": [2.0, 1.0]}))
    assert "only the training loss is known" in page.text and "learning" in page.ids


def test_a_document_of_30_000_lines_gives_a_page_under_10_mb(undrawn):
    given = made_up(documents=1, lines=30_000, values=["The hymenophore is smooth, cracked with age"] * 30_000)
    start = time.perf_counter()
    text = report_html(given, title="t")
    assert len(text.encode()) < 10e6 and text.count("The hymenophore") == 30_000
    assert time.perf_counter() - start < 60


def test_a_large_corpus_leaves_out_the_best_documents(monkeypatch, undrawn):
    monkeypatch.setattr("skol_rnn.report.page.MOST_ROWS", 100)
    given = made_up(documents=3, lines=50)
    page = Page(report_html(given, title="t"))
    assert "1 more documents are not shown" in page.text
    shown = [name for name in page.ids if name.startswith("document-")]
    assert len(shown) == 2 and len(page.table("Documents, worst first")) == 4
    assert all(link[1:] in page.ids for link in page.links)


def test_groups_are_folders_or_the_first_part_of_the_names_or_given(predicted):
    assert [tables.default_group(name) for name in ("a/b/c", "Mycotaxon-117-s1", "x_1", "plain")] == [
        "a/b",
        "Mycotaxon-117",
        "x",
        "plain",
    ]
    given = tables.groups_table(predicted.evaluation, {"vol0/n0": "old"})
    assert [row.name for row in given.rows] == ["old", "no group"]
    assert tables.groups_table(evaluate_labels([0], [0], LabelSet(("a", "b")), documents=["x"]), None) is None


def test_an_evaluation_alone_has_a_page_of_what_it_knows(predicted):
    page = Page(predicted.evaluation.to_html("Two & three"))
    assert "Two & three" in page.text
    assert [name for name in page.ids if name in PARTS] == ["scores", "confusion", "documents"]
    never = evaluate_labels([0, 1, 2], [0, 1, 1], LabelSet(NAMES))
    assert "findings" in Page(evaluation_html(never)).ids and "documents" not in Page(evaluation_html(never)).ids


def better(given, share, seed=5):
    """Return the same documents with some errors mended."""
    rng = np.random.default_rng(seed)
    mended = np.where(rng.random(len(given.table)) < share, given.true, given.labels.encode(given.table["predicted"]))
    e = evaluate_labels(mended * 0 + given.true, mended, given.labels, documents=given.table["doc_id"].to_numpy())
    return replace(given, evaluation=e, table=given.table.assign(predicted=given.labels.decode(mended)))


def test_a_comparison_says_which_is_better_with_the_paired_interval(predicted):
    other = better(predicted, 0.5)
    card = {**CARD, "settings": {"hidden_size": 12, "focal_labels": None}}
    page = Page(comparison_html(Side("one", predicted, CARD), Side("two", other, card), title="t"))
    gain = other.evaluation.important_f1 - predicted.evaluation.important_f1
    assert f"two is better than one: important F1 {other.evaluation.important_f1:.4f}" in page.text
    assert f"({gain:+.4f}, 95 % interval +" in page.text
    assert page.table("Settings that differ")[1:] == [["hidden_size", "96", "12"]]
    agreement = page.table("Which model is right")
    rows = [list(map(int, row[1:])) for row in agreement[1:]]
    assert all(row[0] == sum(row[1:]) for row in rows)
    assert sum(row[2] for row in rows) == 0 and sum(row[3] for row in rows) > 0
    back = Page(comparison_html(Side("one", other, {}), Side("two", predicted, {}), title="t"))
    assert "two is worse than one" in back.text and "The settings are equal" in back.text
    gains = [float(row[1]) for row in back.table("Mean F1 of the important")[1:]]
    assert gains == sorted(gains)


def test_a_comparison_of_equals_or_of_one_document_claims_nothing(predicted):
    same = Page(comparison_html(Side("one", predicted, {}), Side("two", predicted, {}), title=EVIL))
    assert "Neither is clearly better" in same.text
    single = made_up(documents=1)
    text = Page(comparison_html(Side("one", single, {}), Side("two", better(single, 0.5), {}), title="t")).text
    assert "takes at least two documents" in text and " is better" not in text


def test_a_comparison_refuses_other_labels_and_no_labels(predicted):
    with pytest.raises(ValueError, match="same labels"):
        comparison_html(Side("a", predicted, {}), Side("b", made_up(("x", "y")), {}), title="t")
    unlabelled = made_up(labelled=False)
    with pytest.raises(ValueError, match="no labels"):
        comparison_html(Side("a", unlabelled, {}), Side("b", unlabelled, {}), title="t")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for number, (lines, labels) in enumerate(zip(*as_documents(toy_table(3)), strict=True)):
        text = "".join(f"[@{line}#{label}*]\n" for line, label in zip(lines, labels, strict=True))
        (folder / f"new{number}.txt.ann").write_text(text, encoding="utf-8")
        (folder / "plain").mkdir(exist_ok=True)
        (folder / "plain" / f"new{number}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_commands_write_pages(tiny_bundle, files, tmp_path, capsys, undrawn):
    gold = sorted(files.glob("*.ann"))
    assert skol("report", tiny_bundle, *gold, "--out", tmp_path / "r.html") == 0
    assert "r.html" in capsys.readouterr().err
    page = Page((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "tiny on 3 documents" in page.text and {"scores", "training", "lines"} <= set(page.ids)
    assert skol("evaluate", tiny_bundle, *gold, "--html", tmp_path / "e.html") == 0
    assert (tmp_path / "e.html").read_bytes() == (tmp_path / "r.html").read_bytes()
    assert skol("compare", tiny_bundle, tiny_bundle, *gold, "--out", tmp_path / "c.html") == 0
    assert "Neither is clearly better" in Page((tmp_path / "c.html").read_text(encoding="utf-8")).text
    assert skol("report", tiny_bundle, files / "plain", "--out", tmp_path / "p.html") == 0
    assert "No line has a label" in (tmp_path / "p.html").read_text(encoding="utf-8")
    capsys.readouterr()
    assert skol("evaluate", tiny_bundle, files / "plain") == 3
    assert "data have no labels" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
@pytest.mark.parametrize("words", [["report", "no model", "x"], ["compare", "no", "no", "x"], ["evaluate", "no", "x"]])
def test_a_missing_library_is_named_before_any_work(library, words, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, library, None)
    page = ["--html" if words[0] == "evaluate" else "--out", tmp_path / "page.html"]
    assert skol(*words, *page) == 1
    said = capsys.readouterr().err
    assert library in said and "pip install 'skol_rnn[report]'" in said


def test_a_folder_for_the_page_is_refused_before_any_work(tmp_path, capsys):
    assert skol("report", "no model", "x", "--out", tmp_path) == 2
    assert "is a folder" in " ".join(capsys.readouterr().err.split())


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_the_pages_open_in_a_browser(open_page, predicted, tmp_path, width, dark):
    given = made_up(("x" * 300, EVIL, "Misc"), values=[f"{EVIL} {'y' * 400} {i}" for i in range(240)])
    for number, text in enumerate(
        [
            report_html(predicted, title="Toy", card=CARD, history=HISTORY, findings=["raise it"]),
            report_html(given, title=EVIL, findings=[EVIL]),
            comparison_html(Side(EVIL, predicted, CARD), Side("two", better(predicted, 0.5), {}), title=EVIL),
        ]
    ):
        (tmp_path / f"{number}.html").write_text(text, encoding="utf-8")
    page = open_page(tmp_path / "0.html", width, dark)
    background, ink = (
        page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
    )
    assert (sum(map(int, re.findall(r"\d+", background))) < 200) is dark
    curve = page.locator("#curves svg text").first
    assert curve.evaluate("e => getComputedStyle(e).fill") == ink
    # The filter leaves errors of one kind, and documents that have some.
    page.locator(".filters select").select_option(index=2)
    kind = page.locator(".filters select").input_value()[1:]
    shown = page.locator("#lines details[open] .lines p:visible")
    assert shown.count() and {row.get_attribute("data-k") for row in shown.all()} == {kind}
    page.locator("a[href='#document-1']").click()
    assert page.locator("#document-1").is_visible()
    evil = open_page(tmp_path / "1.html", width, dark)
    assert (
        EVIL in evil.locator("h1").inner_text() and EVIL in evil.locator(".lines p:visible span").first.text_content()
    )
    assert EVIL in open_page(tmp_path / "2.html", width, dark).locator("h1").inner_text()


@pytest.mark.browser
def test_the_page_is_complete_without_javascript_and_a_foreign_script_does_not_run(chromium, predicted, tmp_path):
    text = report_html(predicted, title="Toy").replace(
        "<footer>", "<script>document.title = 'foreign'</script><footer>"
    )
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = chromium.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.title() == "Toy"
    page.close()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.locator("#document-1 summary").first.click()
    assert page.locator("#document-1 .lines p").first.is_visible() and page.locator("#scores table").first.is_visible()
    context.close()


@pytest.mark.browser
def test_a_page_of_30_000_lines_opens_in_seconds(open_page, tmp_path):
    given = made_up(documents=1, lines=30_000, values=["The hymenophore is smooth, cracked with age"] * 30_000)
    (tmp_path / "page.html").write_text(report_html(given, title="t"), encoding="utf-8")
    start = time.perf_counter()
    page = open_page(tmp_path / "page.html", 390)
    assert page.locator("#lines .lines p").first.is_visible()
    assert time.perf_counter() - start < 15
