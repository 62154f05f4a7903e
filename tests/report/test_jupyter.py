"""What a notebook shows of results, and how a training reports its progress there."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from toy import LABELS, toy_table

from skol_rnn import ClassWeights, Corpus, Document, load_model, load_serving
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.history import History
from skol_rnn.inference.predictor import Predictions
from skol_rnn.labels import LabelSet
from skol_rnn.training.log import TrainingLog

EVIL = "<script>alert('x')</script>\x1b[31m[red]"
SHOWN = "<script>alert('x')</script>\\x1b[31m[red]"


class _Cells(HTMLParser):
    """Collects the cells of all tables, row by row, and checks that no script is there."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.text = [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.text = ""

    def handle_data(self, data):
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.text)
            self.text = None


def cells(result):
    return _Cells(result._repr_html_()).rows


def evil_results():
    labels = LabelSet((EVIL, "Misc"))
    corpus = Corpus((Document(EVIL, f"{EVIL}\nother", (EVIL, "Misc")),))
    return {
        "evaluation": evaluate_labels([0, 1], [0, 1], labels),
        "history": History({"loss": [0.5], f"val_f1/{EVIL}": [0.25], "val_important_f1": [0.25]}),
        "weights": ClassWeights(labels.names, (9.0, 1.0), (1, 9)),
        "corpus": corpus,
        "document": corpus.documents[0],
        "predictions": Predictions(np.array([EVIL, "Misc"], dtype=object), np.array([[0.9, 0.1], [0.2, 0.8]])),
    }


@pytest.mark.parametrize("name", list(evil_results()))
def test_every_text_is_escaped_and_the_plain_text_is_short(name):
    result = evil_results()[name]
    page = result._repr_html_()
    assert "<script" not in page and "\x1b" not in page
    assert any(SHOWN in cell or SHOWN.replace("'", "&#x27;") in cell for row in cells(result) for cell in row)
    assert "\n" not in repr(result) and len(repr(result)) < 300 and "\x1b" not in repr(result)
    if name != "document":
        assert isinstance(result.to_frame(), pd.DataFrame) and len(result.to_frame())


def test_weights_and_corpus_show_their_counts():
    weights = ClassWeights.from_counts("inverse", ["Nomenclature", "Misc"], [10, 1000])
    assert cells(weights) == [["Label", "Count", "Weight"], ["Misc", "1,000", "1"], ["Nomenclature", "10", "100"]]
    assert weights.to_frame().values.tolist() == [["Nomenclature", 10, 100.0], ["Misc", 1000, 1.0]]
    many = ClassWeights.from_counts("inverse", [f"label {i}" for i in range(400)], range(1, 401))
    assert len(repr(many)) < 500 and len(cells(many)) == 401
    corpus = Corpus(
        (Document("a", "x\ny", ("A", None)), Document("b", "z", ("A",)), Document("c", "")), (("p", "why"),)
    )
    assert repr(corpus) == "Corpus(documents=3, lines=3, labels=1, skipped=1)"
    assert cells(corpus)[:2] == [["Label", "Lines"], ["A", "2"]] and ["a", "2", "1", "0"] in cells(corpus)
    assert "3 documents, 3 lines, 2 labelled, 1 file skipped" in corpus._repr_html_()
    assert repr(Corpus(())) == "Corpus(documents=0, lines=0, labels=0)" and cells(Corpus(()))
    assert repr(corpus.documents[0]) == "Document('a', lines=2, labelled=1)"


def test_only_the_first_rows_of_a_long_document_are_shown():
    long = Document("a", "word " * 100_000 + "\n" + "x\n" * 40_000)
    assert len(long._repr_html_()) < 10_000 and "40,001 lines, the first 20" in long._repr_html_()
    many = Corpus(tuple(Document(str(i), "x") for i in range(1000)))
    assert "980 more documents" in many._repr_html_() and len(cells(many)) == 21


def test_a_history_is_a_dict_a_table_and_marks_the_best_epoch():
    values = {
        "loss": [0.9, 0.5, 0.4],
        "val_f1/a": [0.1, 0.6, 0.5],
        "val_important_f1": [0.1, 0.6, 0.5],
        "refit_loss": [0.7],
    }
    history = History(values)
    assert history == values and json.loads(json.dumps(history)) == values
    assert repr(history) == "History(epochs=3, best_epoch=2, important_f1=0.6000)"
    frame = history.to_frame()
    assert frame.index.tolist() == [1, 2, 3] and frame["val_f1/a"].tolist() == values["val_f1/a"]
    assert frame["refit_loss"].isna().tolist() == [False, True, True]
    assert cells(history)[2] == ["2", "0.5000", "0.6000", "0.6000"]
    assert re.findall(r"bold\"><td[^>]*>(\d)", history._repr_html_()) == ["2"]
    assert repr(History({"loss": [1.0]})) == "History(epochs=1)" and len(cells(History())) == 1
    long = History({"loss": [1.0] * 70, "val_important_f1": [float(i == 60) for i in range(70)]})
    assert len(cells(long)) == 51 and re.findall(r"bold\"><td[^>]*>(\d+)", long._repr_html_()) == ["61"]
    wide = History({"loss": [1.0], **{f"val_f1/{i}": [0.5] for i in range(400)}, "val_macro_f1": [0.5]})
    assert cells(wide)[0] == ["Epoch", "Loss", "macro F1"]


def test_a_model_keeps_its_history(tiny_model, tiny_bundle):
    loaded = load_model(tiny_bundle)
    assert isinstance(loaded.history_, History) and loaded.history_ == tiny_model.history_
    assert len(tiny_model.history_.to_frame()) == 2
    assert tiny_model.class_weights_.to_frame()["label"].tolist() == tiny_model.labels_


def test_predicted_is_evaluate_in_one_pass(tiny_model, monkeypatch):
    table = toy_table(3, seed=5)
    table.loc[::7, "label"] = "Misc"  # the toy model makes no errors of its own
    passes = []
    original = type(tiny_model._predictor).probabilities
    monkeypatch.setattr(
        type(tiny_model._predictor), "probabilities", lambda self, t: passes.append(len(t)) or original(self, t)
    )
    found = tiny_model.predicted(table)
    assert passes == [len(table)]
    scores = tiny_model.compare_decisions(table)
    assert found.evaluation.to_dict() == scores[found.decision].to_dict()
    assert found.argmax.to_dict() == scores["argmax"].to_dict()
    assert found.table["label"].tolist() == table["label"].tolist()
    assert found.table["predicted"].tolist() == tiny_model.predict(table)["predicted_label"].tolist()
    assert found.probabilities == pytest.approx(tiny_model.predict_proba(table))
    assert [found.labels.names[i] for i in found.true] == table["label"].tolist()
    frame = found.to_frame()
    assert frame["probability"].between(0, 1).all() and len(frame) == len(table)
    assert repr(found).startswith("Predicted(rows=120, documents=3, decision=")
    # The scores of all labels, then the errors, the least certain first.
    errors = (frame["label"] != frame["predicted"]).sum()
    assert errors and f"of {errors:,} errors" in found._repr_html_()
    shown = [row for row in cells(found) if row[0].startswith("doc")]
    assert len(shown) == min(errors, 20) and all(row[3] != row[4] for row in shown)
    assert shown == sorted(shown, key=lambda row: row[5])
    assert len(found.plot_precision_recall().lines) == 4 and found.plot_reliability().lines
    assert found.plot_confusion().texts


def test_documents_without_labels_have_predictions_and_no_scores(tiny_model):
    found = tiny_model.predicted(toy_table(1).drop(columns="label"))
    assert not found.evaluation.support.any() and found.table["label"].isna().all()
    assert set(found.table["predicted"]) <= set(LABELS) and "important_f1" not in repr(found)
    page = found._repr_html_()
    assert "of 40 predictions" in page and "Precision" not in page
    empty = tiny_model.predicted([[]])
    assert len(empty.table) == 0 and empty.probabilities.shape == (0, 3) and empty._repr_html_()
    one = tiny_model.predicted([["Genus1 species2 Author 1899"]], [["Nomenclature"]])
    assert one.evaluation.support.sum() == 1 and one._repr_html_()


def test_argmax_is_not_compared_with_itself(tiny_bundle):
    model = load_model(tiny_bundle).set_params(decision="argmax")
    found = model.predicted(toy_table(1))
    assert found.decision == "argmax" and found.argmax is None


def test_predictions_of_the_serving_model(tiny_bundle):
    found = next(load_serving(tiny_bundle).predict_documents([toy_table(1)]))
    assert repr(found) == "Predictions(rows=40, labels=3)"
    counts = {row[0]: int(row[1]) for row in cells(found)[1:]}
    assert counts == pd.Series(found.labels).value_counts().to_dict() and sum(counts.values()) == 40
    assert found.to_frame()["probability"].tolist() == found.probabilities.max(axis=1).tolist()


class _Output:
    """Stands for the output of a cell: what was displayed, and each update."""

    def __init__(self):
        self.displayed, self.pages = 0, []

    def display(self, shown, display_id):
        assert display_id
        self.displayed += 1
        self.update(shown)
        return self

    def update(self, shown):
        self.pages.append(shown._repr_html_())


@pytest.fixture
def notebook(monkeypatch):
    display = pytest.importorskip("IPython.display")
    output = _Output()
    monkeypatch.setattr(display, "display", output.display)
    monkeypatch.setattr("skol_rnn.training.log.in_notebook", lambda: True)
    return output


def test_a_training_in_a_notebook_is_one_table_that_is_updated(notebook, monkeypatch, capsys):
    monkeypatch.setattr("skol_rnn.report.notebook._REFRESH_SECONDS", -1)
    log, evaluation = TrainingLog(), evaluate_labels([0, 1], [0, 1], LabelSet(("a", "Misc")))
    for epoch in (1, 2):
        log.start_epoch(epoch, 2, 4)
        for _ in range(4):
            log.step(0.5)
        log.end_epoch(epoch, {"loss": 0.4, **evaluation.history()}, evaluation)
    assert notebook.displayed == 1
    bars = [float(found) for page in notebook.pages for found in re.findall(r'value="([\d.]+)"', page)]
    assert bars == [0.25, 0.5, 0.75, 1.0] * 2
    last = _Cells(notebook.pages[-1]).rows
    assert [row[0] for row in last] == ["Epoch", "1", "2"] and "<progress" not in notebook.pages[-1]
    assert "F1" not in capsys.readouterr().out, "the lines of the epochs are in the table"
    log.end(2)
    assert "epoch 2" in capsys.readouterr().out
    log.start_epoch(1, 2, 4)
    assert notebook.displayed == 2, "the refit has a table of its own"


def test_an_interrupted_training_removes_the_bar_and_a_silent_one_shows_nothing(notebook, monkeypatch):
    monkeypatch.setattr("skol_rnn.report.notebook._REFRESH_SECONDS", -1)
    silent = TrainingLog(0)
    silent.start_epoch(1, 2, 4)
    silent.step(0.5)
    assert not notebook.displayed
    log = TrainingLog()
    log.start_epoch(1, 2, 4)
    log.step(0.5)
    assert "<progress" in notebook.pages[-1]
    log.close()
    assert "<progress" not in notebook.pages[-1]


@pytest.mark.slow
def test_a_real_kernel_updates_one_output():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    code = [
        f"import sys; sys.path[:0] = {[str(path) for path in __import__('sys').path]!r}",
        "from skol_rnn import RNNSkolModel\nfrom toy import SMALL, toy_table\n"
        "model = RNNSkolModel(epochs=3, **{**SMALL, 'verbosity': 1}).fit(toy_table())",
        "model.history_",
        "ax = model.history_.plot()",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in code])
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    tables = [o for o in book.cells[1].outputs if "<table" in o.get("data", {}).get("text/html", "")]
    assert len(tables) == 1 and len(_Cells(tables[0]["data"]["text/html"]).rows) == 4
    assert "<table" in book.cells[2].outputs[0]["data"]["text/html"]
    assert book.cells[2].outputs[0]["data"]["text/plain"].startswith("History(epochs=3")
    assert any("image/png" in o.get("data", {}) for o in book.cells[3].outputs), "the chart is shown once"
