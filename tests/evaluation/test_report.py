"""Reports: the same figures in the same order everywhere, readable and escaped."""

from __future__ import annotations

import builtins
import io
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len
from rich.console import Console

from skol_rnn.evaluation import report
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.labels import LabelSet

LABELS = LabelSet(("Description", "Misc [red]x[/red]", "<b>|Nomen*"))
IMPORTANT = ["<b>|Nomen*", "Description"]
ORDER = ["<b>|Nomen*", "Description", "Misc [red]x[/red]"]
AVERAGES = ["mean of important", "macro mean", "weighted mean", "accuracy"]


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    rng = np.random.default_rng(3)
    true = rng.choice(3, 400, p=[0.3, 0.65, 0.05])
    predicted = np.where(rng.random(400) < 0.7, true, rng.choice(3, 400))
    predicted[:2] = -1
    return evaluate_labels(
        true,
        predicted,
        LABELS,
        probabilities=rng.dirichlet([1, 1, 1], 400),
        documents=[f"vol{i // 200}/<i>a&b" for i in range(400)],
        lengths=rng.integers(1, 90, 400),
        important=IMPORTANT,
    )


@pytest.fixture
def no_jinja2(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401
        if name.split(".")[0] == "jinja2":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)


class _Page(HTMLParser):
    """Collects tables as lists of rows of cell texts, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.tables: list[list[list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick"}
        if tag != "meta":
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


def _parse(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def test_text_has_classes_first_important_ones_leading_and_accuracy_last(evaluation: Evaluation) -> None:
    text = report.to_text(evaluation)
    first = text.split("Scores by character")[0]
    places = [first.index(f"\n{name}") for name in ORDER + AVERAGES]
    assert places == sorted(places)
    figures = next(line for line in first.splitlines() if "<b>|Nomen*" in line).split()
    expected = [
        f"{column[2]:.4f}" for column in (evaluation.precision, evaluation.recall, evaluation.f1, evaluation.loss)
    ]
    assert figures[-6:] == [*expected, str(evaluation.support[2]), str(evaluation.predicted[2])]


def test_text_is_plain_fits_its_width_and_holds_all_parts(evaluation: Evaluation) -> None:
    text = report.to_text(evaluation, width=90)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 90
    for part in ("Scores by line", "Scores by character", "Confusion", "! 2 of 400 lines got no prediction"):
        assert part in text
    assert text.startswith(str(evaluation).split("! ")[0])
    assert " ".join(str(evaluation).split()).endswith(" ! ".join(evaluation.warnings()))


def test_text_confusion_is_in_the_order_of_the_rows_with_missing_last(evaluation: Evaluation) -> None:
    lines = report.to_text(evaluation).splitlines()
    row = next(line for line in lines if line.startswith("2 Description")).split()
    expected = [*evaluation.confusion[0][[2, 0, 1]], evaluation.missing[0]]
    assert row[2:] == [str(count) for count in expected]


def test_text_lists_the_largest_confusions_where_the_matrix_would_not_fit() -> None:
    labels = LabelSet(tuple(f"L{i:02}" for i in range(29)))
    true = np.concatenate([np.arange(29), [5, 5, 5, 7, 7, 8]])
    predicted = np.concatenate([np.arange(29), [6, 6, 6, 9, 9, -1]])
    lines = report.to_text(evaluate_labels(true, predicted, labels)).splitlines()
    start = lines.index("Largest confusions (true -> predicted)")
    listed = [line.split(maxsplit=1) for line in lines[start + 1 : start + 4]]
    assert listed == [["3", "L05 -> L06"], ["2", "L07 -> L09"], ["1", "L08 -> no prediction"]]


def test_a_loss_that_does_not_exist_is_a_dash() -> None:
    text = report.to_text(evaluate_labels([0, 0], [0, 0], LABELS))
    row = next(line for line in text.splitlines() if line.startswith("Description"))
    assert row.split()[1:] == ["1.0000", "1.0000", "1.0000", "-", "2", "2"]


def test_rich_renders_the_object_itself(evaluation: Evaluation) -> None:
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(evaluation)
    assert "Misc [red]x[/red]" in out.getvalue()
    assert "mean of important" in out.getvalue()


def test_the_frame_has_full_precision(evaluation: Evaluation) -> None:
    frame = evaluation.to_frame()
    assert frame["name"].tolist() == ORDER + AVERAGES
    assert frame["kind"].tolist() == ["class"] * 3 + ["average"] * 4
    assert frame.loc[0, ["f1", "loss", "support"]].tolist() == [
        evaluation.f1[2],
        evaluation.loss[2],
        evaluation.support[2],
    ]
    assert frame["f1"].tolist()[3:] == [
        evaluation.important_f1,
        evaluation.macro_f1,
        evaluation.weighted_f1,
        evaluation.accuracy,
    ]
    assert frame["precision"].isna().tolist() == [False] * 3 + [True, False, False, True]
    assert set(frame["unit"]) == {"line"}
    back = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert back["f1"].tolist() == pytest.approx(frame["f1"].tolist(), abs=1e-15)


def test_findings_replace_the_warnings(evaluation: Evaluation) -> None:
    text = report.to_text(evaluation, found=["! raise it", "  or not"])
    assert text.endswith("\n! raise it\n  or not\n") and "no prediction" not in text


def test_notebook_shows_the_table_alone(evaluation: Evaluation) -> None:
    text = evaluation._repr_html_()
    (table,) = _parse(text).tables
    assert [row[0].removesuffix(" *") for row in table[1:]] == ORDER + AVERAGES
    assert table[1][3] == f"{evaluation.f1[2]:.4f}"
    assert "<html" not in text


@pytest.mark.usefixtures("no_jinja2")
def test_without_jinja2_html_names_the_extra_and_notebooks_still_show_the_table(evaluation: Evaluation) -> None:
    with pytest.raises(ImportError, match=r"pip install 'skol_rnn\[report\]'"):
        evaluation.to_html()
    assert len(_parse(evaluation._repr_html_()).tables) == 1


def test_tables_fold_long_names_and_count_wide_characters() -> None:
    rows = [["Label", "F1"], ["a" * 30, "0.5"], ["\u6f22\u5b57", "0.25"]]
    lines = report.text_table(rows, 20)
    assert all(cell_len(line) <= 20 for line in lines)
    assert "".join(line.split()[0] for line in lines[2:5]) == "a" * 30
    assert cell_len(lines[-1]) == 20 and lines[-1].endswith("0.25")


def test_comparison_has_one_row_each_and_columns_in_the_shared_order(evaluation: Evaluation) -> None:
    majority = evaluate_labels([1, 1, 0], [1, 1, 1], LABELS)
    rows = [("model [1]", evaluation), ("majority", majority)]
    title, header, _, first, second = report.comparison_text(rows).splitlines()
    assert title == "F1 by line"
    assert header.split("  ")[0] == "Model" and [header.index(name) for name in ORDER] == sorted(
        map(header.index, ORDER)
    )
    expected = [*evaluation.f1[[2, 0, 1]], evaluation.important_f1, evaluation.macro_f1]
    assert first.split() == ["model", "[1]", *(f"{f1:.4f}" for f1 in expected)]
    assert second.split() == ["majority", "0.0000", "0.0000", "0.8000", "0.0000", "0.2667"]


def test_comparison_turns_where_a_row_would_be_too_wide(evaluation: Evaluation) -> None:
    lines = report.comparison_text([("a", evaluation), ("b", evaluation)], width=60).splitlines()
    assert lines[1].split() == ["Model", "a", "b"]
    assert [line.rsplit(maxsplit=2)[0].removesuffix(" *") for line in lines[3:6]] == ORDER
    assert max(map(len, lines)) <= 60


def test_comparison_keeps_rows_where_columns_would_be_wider(evaluation: Evaluation) -> None:
    rows = [(f"weights smoothed, decision {i}", evaluation) for i in range(9)]
    lines = report.comparison_text(rows, width=90).splitlines()
    assert lines[1].startswith("Model") and lines[1].endswith("Macro F1")
    assert max(map(cell_len, lines)) <= 90


def test_comparison_measures_every_row_by_the_same_important_labels(evaluation: Evaluation) -> None:
    other = evaluate_labels([0, 1, 1], [0, 1, 1], LABELS, important=["Description"])
    by_first = report.comparison_text([("m", evaluation), ("o", other)]).splitlines()
    chosen = report.comparison_text([("m", evaluation), ("o", other)], ["Description"]).splitlines()
    assert by_first[4].split()[-2] == "0.5000"
    assert chosen[4].split()[-2] == "1.0000"
    assert chosen[3].split()[-2] == f"{evaluation.f1[0]:.4f}"


def test_comparison_refuses_what_cannot_be_compared(evaluation: Evaluation) -> None:
    assert evaluation.by_character is not None
    others = [evaluate_labels([0], [0], LabelSet(("a", "b"))), evaluation.by_character]
    for other in others:
        with pytest.raises(ValueError, match="same labels"):
            report.comparison_text([("a", evaluation), ("b", other)])
    with pytest.raises(ValueError, match="no evaluation"):
        report.comparison_text([])
    with pytest.raises(ValueError, match="Unknown label"):
        report.comparison_text([("a", evaluation)], ["nothing"])


def test_importing_loads_no_heavy_library() -> None:
    code = (
        "import sys, skol_rnn.evaluation.evaluate, skol_rnn.imbalance, skol_rnn.evaluation.report\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'gensim', 'jinja2', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
