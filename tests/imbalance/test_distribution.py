"""The label distribution: counts from lines, tables and files, what it says in words, and how it is drawn."""

from __future__ import annotations

import io
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console
from toy import toy_table

from skol_rnn.data.reading import read_documents
from skol_rnn.datasets import SAMPLE
from skol_rnn.errors import DataError
from skol_rnn.imbalance.counts import (
    by_type,
    distribution_json,
    imbalance,
    is_bio,
    is_counts_file,
    label_distribution,
    read_counts,
)
from skol_rnn.imbalance.tables import (
    distribution_chart,
    distribution_table,
    save_distribution_chart,
    type_table,
    weight_tables,
)

COUNTS = json.loads((Path(__file__).parents[1] / "fixtures" / "label_counts_29.json").read_text(encoding="utf-8"))[
    "label_counts"
]
names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)


def rendered(*shown: object, width: int = 100) -> str:
    out = io.StringIO()
    for part in shown:
        Console(file=out, width=width, color_system=None).print(part)
    return out.getvalue()


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_counts_skip_lines_without_a_label(missing: object, dtype: str) -> None:
    column = pd.Series(["Description", missing, "Nomenclature", "Description"], index=[7, 7, 1, 0], dtype=dtype)
    frame = label_distribution(column)
    assert dict(zip(frame["label"], frame["count"], strict=True)) == {"Description": 2, "Nomenclature": 1}


def test_documents_are_counted_as_their_table_is() -> None:
    corpus = read_documents(SAMPLE / "test")
    pd.testing.assert_frame_equal(label_distribution(corpus), label_distribution(corpus.table))


def test_distribution_is_most_frequent_first_with_ties_by_name() -> None:
    frame = label_distribution(["c", "a", "b", "a", None, "b", "a", "a"], ["1", "1", "1", "2", "9", "2", "3", "3"])
    assert frame["label"].tolist() == ["a", "b", "c"]
    assert frame["count"].tolist() == [4, 2, 1]
    assert frame["documents"].tolist() == [3, 2, 1]
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["ratio"].tolist() == [1, 2, 4]
    assert label_distribution(["z", "y"], ["1", "1"])["label"].tolist() == ["y", "z"]


def test_distribution_pairs_by_position_and_refuses_other_lengths() -> None:
    labels, documents = pd.Series(["a", "b"], index=[5, 6]), pd.Series(["1", "2"], index=[6, 5])
    assert label_distribution(labels, documents)["documents"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="2 labels, but 1 document"):
        label_distribution(["a", "b"], ["1"])


def test_the_shared_table_and_its_two_columns_and_its_counts_say_the_same() -> None:
    table = toy_table(3)
    by_columns = label_distribution(table["label"], table["doc_id"])
    pd.testing.assert_frame_equal(label_distribution(table), by_columns)
    pd.testing.assert_frame_equal(label_distribution(table.set_index("doc_id", drop=False)), by_columns)
    counts = table["label"].value_counts().to_dict()
    for without in (label_distribution(counts), label_distribution(table["label"])):
        assert without["documents"].isna().all()
        pd.testing.assert_frame_equal(without.drop(columns="documents"), by_columns.drop(columns="documents"))


def test_a_table_without_its_columns_and_document_ids_with_a_table_are_refused() -> None:
    with pytest.raises(DataError, match="no column 'doc_id'; it has label"):
        label_distribution(pd.DataFrame({"label": ["a"]}))
    with pytest.raises(DataError, match="no column 'label'; it has doc_id, value"):
        label_distribution(pd.DataFrame({"doc_id": ["1"], "value": ["x"]}))
    with pytest.raises(ValueError, match="doc_ids goes with labels of lines only"):
        label_distribution({"a": 1}, ["1"])


@pytest.mark.parametrize("count", [-1, 1.5, float("nan"), float("inf"), True, "3", None, 2**63])
def test_impossible_counts_are_refused_by_name(count: object) -> None:
    with pytest.raises(ValueError, match="count of 'Misc' must be a whole number of at least 0"):
        label_distribution({"Nomenclature": 1, "Misc": count})  # type: ignore[dict-item]


def test_a_count_of_zero_is_a_row_of_its_own() -> None:
    frame = label_distribution({"a": 0, "b": 3})
    assert frame["count"].tolist() == [3, 0] and frame["share"].tolist() == [1, 0]
    assert frame["ratio"].tolist() == [1, math.inf]
    assert rendered(distribution_table(frame)).split("\n")[5].split() == ["a", "0", "0.00%", "-"]


def test_distribution_without_labels_is_an_empty_table() -> None:
    frame = label_distribution([None], ["1"])
    assert len(frame) == 0
    assert list(frame.columns) == ["label", "count", "share", "ratio", "documents"]
    assert "Lines" in rendered(distribution_table(frame))


def test_imbalance_is_the_majority_against_the_rest() -> None:
    found = imbalance(label_distribution(COUNTS))
    assert found.pop("ratio") == pytest.approx(154096 / 20916)
    assert found == {"majority": "O", "lines": 154096, "rest": sum(COUNTS.values()) - 154096}
    assert imbalance(label_distribution({"only": 4}))["ratio"] is None
    for nothing in ({}, {"a": 0}):
        with pytest.raises(ValueError, match="No label occurs"):
            imbalance(label_distribution(nothing))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"O": 5, "B-PER": 1}, True),
        ({"B-PER": 1, "I-PER": 1}, True),
        ({"O": 5}, False),
        ({"O": 5, "B-": 1}, False),
        ({"O": 5, "Bees": 1}, False),
        ({"o": 5, "B-PER": 1}, False),
        ({}, False),
    ],
)
def test_bio_labels_are_recognised(labels: dict[str, int], expected: bool) -> None:
    assert is_bio(label_distribution(labels)) is expected


def test_types_take_b_and_i_together() -> None:
    frame = by_type(label_distribution(COUNTS))
    assert len(frame) == 14
    assert frame["tokens"].sum() == sum(COUNTS.values()) - COUNTS["O"]
    row = frame.set_index("type").loc["Loaded_Language"]
    assert (row["B"], row["I"], row["tokens"]) == (854, 3257, 4111)
    assert row["ratio"] == pytest.approx(3257 / 854)
    assert frame["tokens"].is_monotonic_decreasing
    with pytest.raises(ValueError, match="BIO labels only"):
        by_type(label_distribution({"Misc": 3}))


def test_a_type_without_a_beginning_has_no_ratio() -> None:
    frame = label_distribution({"O": 3, "I-X": 2, "B-Y": 1})
    assert by_type(frame)["ratio"].isna().tolist() == [True, False]
    found = rendered(type_table(frame))
    assert ["X", "2", "0", "2", "-"] in [line.split() for line in found.splitlines()]
    assert ["Y", "1", "1", "0", "1", ":", "0.00"] in [line.split() for line in found.splitlines()]


def test_json_is_plain_and_finite() -> None:
    found = distribution_json(label_distribution({**COUNTS, "B-New": 0}), unit="token")
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["total"] == sum(COUNTS.values()) and found["unit"] == "token"
    assert found["labels"][0] == {
        "label": "O",
        "count": 154096,
        "share": pytest.approx(0.880488, abs=1e-6),
        "ratio": 1.0,
        "documents": None,
    }
    assert found["labels"][-1]["ratio"] is None
    assert found["imbalance"]["ratio"] == pytest.approx(7.367374, abs=1e-6)
    assert {row["type"] for row in found["by_type"]} >= {"Doubt", "New"}
    other = distribution_json(label_distribution(toy_table(2)))
    assert other["by_type"] is None and other["labels"][0]["documents"] == 2
    assert distribution_json(label_distribution({}))["imbalance"] is None


def test_the_tables_show_labels_in_brackets() -> None:
    frame = label_distribution(["[red]", "b", "b"], ["1", "1", "2"])
    weights = weight_tables(frame["label"], {"inverse": {"b": 1.0, "[red]": 2.0}})
    text = rendered(distribution_table(frame, unit="token"), *weights)
    assert "Tokens" in text
    assert [line.split() for line in text.splitlines() if "[red]" in line] == [
        ["[red]", "1", "33.33%", "2.0", "1"],
        ["[red]", "2.0000"],
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_weight_tables_keep_all_strategies_in_order_and_fit_where_they_can(width: int) -> None:
    weights = {f"strategy{i}": dict.fromkeys(COUNTS, 10.0**i) for i in range(6)}
    tables = weight_tables(COUNTS, weights, width)
    assert [c.header for table in tables for c in table.columns if c.header != "Label"] == list(weights)
    assert len(tables) == {40: 6, 80: 2, 200: 1}[width]
    wide = [line for line in rendered(*tables, width=1000).splitlines() if len(line.rstrip()) > width]
    assert not wide or width == 40


def bars(counts: dict[str, int], width: int = 80) -> list[str]:
    return rendered(distribution_chart(label_distribution(counts)), width=width).splitlines()


def length(line: str) -> float:
    return line.count("━") + line.count("╸") / 2


def test_the_chart_has_a_log_axis_from_a_half() -> None:
    lines = bars({"a": 10**6, "b": 1000, "c": 1, "d": 0}, width=60)
    full = length(lines[0])
    expected = [math.log(n / 0.5) / math.log(10**6 / 0.5) * full for n in (10**6, 1000, 1)]
    assert full > 40
    assert [length(line) for line in lines] == pytest.approx([*expected, 0], abs=0.51)


def test_the_chart_of_29_labels_keeps_to_80_columns() -> None:
    lines = bars(COUNTS)
    assert len(lines) == 29
    assert all(len(line) <= 80 for line in lines)
    assert "154,096" in lines[0] and "B-Bandwagon,Reductio_ad_hitlerum" in lines[-1]
    assert np.all(np.diff([length(line) for line in lines]) <= 0)


@settings(deadline=None, max_examples=60)
@example({"[": 1_000_000, "[" * 37: 1}, 50)  # the bars have little room
@given(
    st.dictionaries(st.text("abc[]/", min_size=1, max_size=40), st.integers(0, 10**8), min_size=1, max_size=29).filter(
        lambda counts: any(counts.values())
    ),
    st.integers(50, 160),
)
def test_any_chart_shows_every_count_and_no_bar_for_none(counts: dict[str, int], width: int) -> None:
    frame = label_distribution(counts)
    text = rendered(distribution_chart(frame), width=width)
    found = [line for line in text.splitlines() if re.search(r" \d[\d,]* ", line + " ")]
    assert [re.search(r" ([\d,]+) ", line + " ").group(1) for line in found] == [f"{n:,}" for n in frame["count"]]  # type: ignore[union-attr]
    lengths = [length(line) for line in found]
    assert all((bar > 0) == (count > 0) for bar, count in zip(lengths, frame["count"], strict=True))
    assert lengths == sorted(lengths, reverse=True)
    assert sorted(re.sub(r"[^abc\[\]/]", "", text)) == sorted("".join(counts))


def test_a_chart_without_unicode_is_drawn_in_ascii() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    counts = {"a": 100, "b" * 50: 3}
    Console(file=out, width=60, color_system=None).print(distribution_chart(label_distribution(counts)))
    out.flush()
    text = out.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    lines = text.splitlines()
    assert lines[0].count("-") > lines[1].count("-") > 0
    assert text.count("b") == 50


def test_an_empty_chart_is_refused() -> None:
    for counts in ({}, {"a": 0}):
        with pytest.raises(ValueError, match="nothing to draw"):
            distribution_chart(label_distribution(counts))


def figures_of_pyplot() -> list[int]:
    """Return the figures that a notebook would show."""
    return sys.modules["matplotlib.pyplot"].get_fignums() if "matplotlib.pyplot" in sys.modules else []


@pytest.mark.parametrize("counts", [COUNTS, {"a": 1}, {"名": 10**8, "$a$": 1, "c": 0}])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_pictures_are_drawn(counts: dict[str, int], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    frame, shown = label_distribution(counts), figures_of_pyplot()
    picture = save_distribution_chart(frame, tmp_path / "new" / "chart.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    drawing = save_distribution_chart(frame, tmp_path / "chart.SVG").read_text(encoding="utf-8")
    assert "</svg>" in drawing and "lines (log axis)" in drawing
    # The labels themselves are drawn as outlines, with their text in comments.
    assert all(f"<!-- {label} -->" in drawing for label in counts if label != "名")
    assert figures_of_pyplot() == shown


def test_pictures_of_other_endings_and_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg, not '\.jpg'"):
        save_distribution_chart(label_distribution({"a": 1}), tmp_path / "chart.jpg")
    with pytest.raises(ValueError, match="nothing to draw"):
        save_distribution_chart(label_distribution({"a": 0}), tmp_path / "chart.png")
    assert not list(tmp_path.iterdir())


def test_a_missing_matplotlib_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'pip install "skol_rnn\[report\]"'):
        save_distribution_chart(label_distribution({"a": 1}), tmp_path / "chart.png")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"Misc": 80, "Nomenclature": 5}'),
        ("a.json", '\ufeff{"label_counts": {"Misc": 80, "Nomenclature": 5}, "alpha": 0.5}'),
        ("A.JSON", '{"counts": {"Misc": 80, "Nomenclature": 5}}'),
        ("a.csv", "label,count\nMisc,80\nNomenclature,5\n"),
        ("a.csv", '\ufeff"count", "label", "share"\r\n80, "Misc", 0.9\r\n5, "Nomenclature", 0.1\r\n'),
    ],
)
def test_tables_of_counts_are_read(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")
    assert is_counts_file(tmp_path / name)
    assert read_counts(tmp_path / name) == {"Misc": 80, "Nomenclature": 5}


def test_a_label_may_be_called_counts(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"counts": 3, "label_counts": 4}', encoding="utf-8")
    assert read_counts(tmp_path / "a.json") == {"counts": 3, "label_counts": 4}


@settings(deadline=None)
@given(st.dictionaries(names, st.integers(0, 2**62), min_size=1).filter(lambda counts: any(counts.values())))
def test_any_counts_come_back_from_json_in_their_order(tmp_path_factory: pytest.TempPathFactory, counts: dict) -> None:
    path = tmp_path_factory.mktemp("counts") / "a.json"
    path.write_text(json.dumps(counts), encoding="utf-8")
    assert list(read_counts(path).items()) == list(counts.items())


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "doc_id,value,label,count\nd,text,Misc,3\n", False),
        ("a.csv", "doc_id,value,label\nd,text,Misc\n", False),
        ("a.csv", "", False),
        ("a.txt", "label,count\nMisc,3\n", False),
        ("a.jsonl", '{"Misc": 3}', False),
    ],
)
def test_documents_are_no_tables_of_counts(name: str, content: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert is_counts_file(tmp_path / name) is expected
    assert not is_counts_file(tmp_path / "none.json") and not is_counts_file(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{", "a.json cannot be read as a table of counts"),
        ("a.json", "[1, 2]", "a.json .* no object of labels and counts.*JSON like"),
        ("a.json", "{}", "no object of labels and counts"),
        ("a.json", "3", "no object of labels and counts"),
        ("a.json", '{"Misc": 3, "Misc": 4}', "a.json: the label 'Misc' occurs twice"),
        ("a.json", '{"Misc": -3}', "a.json: the count of 'Misc' .* not -3"),
        ("a.json", '{"Misc": 3.5}', "'Misc' .* not 3.5"),
        ("a.json", '{"Misc": NaN}', "'Misc' .* not nan"),
        ("a.json", '{"Misc": true}', "'Misc' .* not True"),
        ("a.json", '{"Misc": "3"}', "'Misc' .* not '3'"),
        ("a.json", '{"Misc": {"a": 1}}', "'Misc' must be a whole number"),
        ("a.json", '{"": 3}', "a label has no name"),
        ("a.json", '{"Misc": 0}', "no label has a count above 0"),
        ("a.csv", "name,n\nMisc,3\n", "first line names the columns label and count"),
        ("a.csv", "label,count\nMisc,3\nMisc,4\n", "'Misc' occurs twice"),
        ("a.csv", "label,count\nMisc,many\n", "'Misc' .* not 'many'"),
        ("a.csv", "label,count\nMisc\n", "'Misc' .* not None"),
        ("a.csv", "label,count\n", "no label has a count above 0"),
    ],
)
def test_bad_tables_of_counts_are_refused_by_file_and_label(
    name: str, content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_counts(tmp_path / name)


def test_counts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{")
    for name in ("a.json", "none.json"):
        with pytest.raises(DataError, match=f"{name} cannot be read as a table of counts"):
            read_counts(tmp_path / name)
