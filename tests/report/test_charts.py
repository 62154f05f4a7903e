"""Charts: their data, their texts, and their SVG in a page."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure

from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.history import History
from skol_rnn.labels import LabelSet
from skol_rnn.report import charts

ODD = LabelSet(("_under", "$a$ & <script>alert(1)</script>", "#000000 \x1b[31m", "分類", "Misc"))
"""Labels that matplotlib hides or reads as formulas, that HTML and terminals obey, and one that its font lacks."""
SHOWN = ["_under", "$a$ & <script>alert(1)</script>", "#000000 \\x1b[31m", "分類", "Misc"]
pytestmark = pytest.mark.filterwarnings("ignore:Glyph")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([0.3, 0.3, 0.3, 0.3, 2], 600)
    return np.array([rng.choice(5, p=row) for row in p]), p


@pytest.fixture(scope="module")
def evaluation(rows):
    true, p = rows
    predicted = p.argmax(axis=1)
    predicted[:3] = -1
    return evaluate_labels(true, predicted, ODD, probabilities=p, documents=np.arange(600) // 50)


@pytest.fixture
def axes():
    return Figure(layout="constrained").add_subplot()


def all_charts(rows, evaluation):
    true, p = rows
    history = History({"loss": [0.9, 0.5], **{f"val_f1/{name}": [0.1, 0.4] for name in ODD}})
    return {
        "confusion": charts.plot_confusion(evaluation, Figure(layout="constrained").add_subplot()),
        "precision": charts.plot_precision_recall(true, p, ODD, evaluation=evaluation),
        "reliability": charts.plot_reliability(true, p, ODD),
        "distribution": charts.plot_label_distribution(evaluation.support, ODD),
        "learning": charts.plot_learning_curves(history),
    }


def test_the_confusion_matrix_holds_counts_or_shares_important_labels_first(evaluation):
    order = [ODD.index(name) for name in evaluation.important]
    order += [k for k in range(5) if k not in order]
    table = np.column_stack([evaluation.confusion[np.ix_(order, order)], evaluation.missing[order]])
    drawn = charts.plot_confusion(evaluation)
    at = {tuple(int(x) for x in text.get_position()): text.get_text() for text in drawn.texts}
    assert at == {(j, i): f"{table[i, j]:,}" for i, j in np.argwhere(table).tolist()}
    shares = table / table.sum(axis=1, keepdims=True)
    assert drawn.collections[0].get_array().tolist() == shares.tolist()
    assert [label.get_text() for label in drawn.get_yticklabels()] == [SHOWN[k] for k in order]
    assert [label.get_text() for label in drawn.get_xticklabels()][-1] == "no prediction"
    shared = evaluation.plot_confusion(normalize="true")
    assert f"{shares[0, 0]:.0%}" in [text.get_text() for text in shared.texts]
    with pytest.raises(ValueError, match="normalize must be one of true, but is 'all'"):
        evaluation.plot_confusion(normalize="all")


def test_400_labels_are_summed_to_what_can_be_read():
    rng, labels = np.random.default_rng(0), LabelSet(tuple(f"label {i}" for i in range(400)))
    true = rng.integers(400, size=9_000)
    worst = rng.integers(400, size=9_000)
    predicted = np.where(true % 100 == 7, worst, true)  # four labels with errors
    e = evaluate_labels(true, predicted, labels)
    drawn = charts.plot_confusion(e)
    names = [label.get_text() for label in drawn.get_yticklabels()]
    assert {"label 7", "label 107", "label 207", "label 307", "371 other labels"} <= set(names) and len(names) == 30
    assert sum(int(text.get_text().replace(",", "")) for text in drawn.texts) == 9_000
    assert len(charts.svg(drawn)) < 400_000


def test_precision_and_recall_meet_the_evaluation(rows, evaluation, axes):
    true, p = rows
    decided = evaluate_labels(true, p.argmax(axis=1), ODD)
    drawn = charts.plot_precision_recall(true, p, ODD, ["分類", "Misc"], axes, decided)
    assert drawn is axes
    curve, dot = drawn.lines[0], drawn.lines[1]
    assert curve.get_xdata()[[0, -1]].tolist() == [0, 1] and 0.3 < curve.get_ydata()[-100:].mean() < 1
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (decided.recall[3], decided.precision[3])
    # Argmax is no threshold on one label, but not far from one.
    assert np.interp(dot.get_xdata()[0], curve.get_xdata(), curve.get_ydata()) == pytest.approx(
        dot.get_ydata()[0], abs=0.1
    )
    assert texts_of_legend(drawn) == [f"分類 ({np.sum(true == 3)})", f"Misc ({np.sum(true == 4)})"]


def test_a_label_that_never_occurs_and_no_labels_at_all(rows):
    true, p = rows
    drawn = charts.plot_precision_recall(np.where(true == 3, 4, true), p, ODD, ["分類"])
    assert texts_of_legend(drawn) == ["分類 (0)"] and len(drawn.lines[0].get_xdata()) == 0
    nothing = np.full(len(true), -1)
    for plot in (charts.plot_precision_recall, charts.plot_reliability):
        assert "<svg" in charts.svg(plot(nothing, p, ODD))
    empty = evaluate_labels([], [], ODD)
    assert not empty.plot_confusion().texts and len(empty.plot_label_distribution().patches) == 5
    one = evaluate_labels([0], [0], LabelSet(("only",)))
    assert [text.get_text() for text in one.plot_confusion().texts] == ["1"]


def test_a_calibrated_model_lies_on_the_diagonal(rows):
    true, p = rows
    drawn = charts.plot_reliability(true, p, ODD, ["Misc"])
    line = drawn.lines[1]
    assert line.get_ydata() == pytest.approx(line.get_xdata(), abs=0.2) and len(line.get_xdata()) == 10


def test_a_label_of_a_thousand_characters_leaves_room_for_the_chart(axes):
    charts.plot_label_distribution([5, 3], ["x" * 1000, "Misc"], axes)
    axes.figure.canvas.draw()
    assert axes.get_position().width > 0.3
    assert axes.get_yticklabels()[0].get_text() == "x" * 49 + "…"


def test_the_label_distribution_is_sorted(axes):
    charts.plot_label_distribution([5, 0, 1200], LabelSet(("a", "never", "Misc")), axes, "token")
    assert [text.get_text() for text in axes.texts] == ["1,200", "5", "0"]
    assert [bar.get_x() + bar.get_width() for bar in axes.patches] == [1200, 5, 0.5]
    assert axes.get_xlabel() == "tokens (log axis)" and axes.get_xscale() == "log"


def test_learning_curves_follow_the_history():
    history = History(
        {
            "loss": [3.0, 2.0, 1.0],
            "val_f1/a": [0.0, 0.5, 0.7],
            "val_f1/b": [0.2, 0.3, 0.1],
            "val_important_f1": [0.1, 0.4, 0.4],
        }
    )
    drawn = history.plot()
    assert [line.get_ydata().tolist() for line in drawn.lines] == [
        history["val_f1/a"], history["val_f1/b"], history["val_important_f1"]
    ]  # fmt: skip
    assert drawn.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert texts_of_legend(drawn) == ["a", "b", "mean of important"]
    assert texts_of_legend(history.plot(["b"])) == ["b", "mean of important"]
    with pytest.raises(ValueError, match="labels must be one of a, b, but is 'c'"):
        history.plot(["c"])


def test_a_model_without_validation_shows_its_loss():
    drawn = History({"loss": [3.0, 2.0]}).plot()
    assert drawn.lines[0].get_ydata().tolist() == [3.0, 2.0] and drawn.get_ylabel() == "Loss"
    assert "<svg" in charts.svg(History().plot())


def test_svg_is_one_element_in_the_colour_of_the_page(rows, evaluation):
    drawings = {name: charts.svg(ax) for name, ax in all_charts(rows, evaluation).items()}
    again = {name: charts.svg(ax.figure) for name, ax in all_charts(rows, evaluation).items()}
    assert drawings == again, "the same chart twice must give the same file"
    ids = []
    for name, drawing in drawings.items():
        root = ET.fromstring(drawing)  # well-formed, with escaped texts
        shown = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
        assert drawing.startswith("<svg ") and "<style" not in drawing and "<script" not in drawing
        odd = [text for text in SHOWN if any(text in found for found in shown)]
        assert odd == SHOWN if name in ("confusion", "distribution", "learning") else odd == SHOWN[:4]
        tags = [element.get("style", "") + element.get("fill", "") for element in root.iter()]
        assert not any("#000000" in tag for tag in tags) and any("currentColor" in tag for tag in tags)
        own = [element.get("id") for element in root.iter() if element.get("id")]
        links = [
            value.removeprefix("#") for element in root.iter() for key, value in element.items() if key.endswith("href")
        ]
        assert set(links) <= set(own)
        ids += own
    assert len(ids) == len(set(ids)), "one chart must not refer to the marks of another"


@pytest.mark.browser
def test_charts_are_readable_in_light_and_dark(rows, evaluation, open_page, tmp_path):
    drawings = "".join(charts.svg(ax) for ax in all_charts(rows, evaluation).values())
    page = tmp_path / "charts.html"
    head = "<!DOCTYPE html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    page.write_text(f"{head}<style>:root {{ color-scheme: light dark }}</style>{drawings}", encoding="utf-8")
    for dark in (False, True):
        opened = open_page(page, 390, dark)
        text = opened.locator("text", has_text="Predicted").first
        colour = text.evaluate("element => getComputedStyle(element).fill")
        assert (
            colour
            == opened.evaluate("getComputedStyle(document.body).color")
            == f"rgb({', '.join(['255' if dark else '0'] * 3)})"
        )
        assert opened.locator("text", has_text="<script>alert(1)").first.is_visible()


def test_new_axes_are_pyplot_s_only_where_the_caller_uses_pyplot(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    drawn = charts.plot_label_distribution([1], ["a"])
    assert "matplotlib.pyplot" not in sys.modules and drawn.figure.canvas.manager is None
    import matplotlib.pyplot as plt

    shown = charts.plot_label_distribution([1], ["a"])
    assert shown.figure.number in plt.get_fignums()
    charts.svg(shown)
    assert shown.figure.number not in plt.get_fignums(), "a report must not fill a notebook with its charts"


def test_a_missing_matplotlib_names_the_extra(evaluation, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "skol_rnn\[report\]"'):
        evaluation.plot_confusion()


def texts_of_legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]
