"""``skol-rnn weights``: documents or a table of counts in, counts, weights, charts and frozen files out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import skol
from toy import toy_table

from skol_rnn.imbalance.class_weights import ClassWeights, count_drift
from skol_rnn.imbalance.strategies import STRATEGIES, class_weight_strategy
from skol_rnn.labels import LabelSet

TABLE = Path(__file__).parents[1] / "fixtures" / "label_counts_29.json"
FIXTURE = json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, part in toy_table(6).groupby("doc_id"):
        text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(part["value"], part["label"], strict=True))
        (folder / f"{name}.txt.ann").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def counts(tmp_path):
    path = tmp_path / "counts.json"
    path.write_text('{"Misc": 900, "Description": 90, "Nomenclature": 10}', encoding="utf-8")
    return path


def printed(capsys, *words):
    capsys.readouterr()
    assert skol("weights", *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def column(text, heading):
    """Return the column of a printed table by label, the parts of a folded label joined."""
    lines = text.replace("Times rarer", "Times_rarer").splitlines()
    start = next(i for i, line in enumerate(lines) if heading in line.split())
    place, found, label = lines[start].split().index(heading), {}, ""
    for line in lines[start + 2 :]:
        if not (cells := line.split()):
            break
        if len(cells) == 1:
            found[label + cells[0]] = found.pop(label)
            continue
        label = cells[0]
        found[label] = cells[place]
    return found


def test_the_29_counts_give_the_published_weights_in_the_json(capsys):
    smoothed = printed(capsys, TABLE)["weights"]["smoothed"]
    assert {name: round(weight, 6) for name, weight in smoothed.items()} == FIXTURE["class_weights"]
    assert min(smoothed, key=smoothed.get) == "O"
    assert max(smoothed, key=smoothed.get) == "B-Bandwagon,Reductio_ad_hitlerum"
    assert max(smoothed.values()) < 3
    assert np.mean(list(smoothed.values())) == pytest.approx(1)


@pytest.mark.parametrize("more", [[], ["--strategy", "smoothed"]])
@pytest.mark.parametrize("width", ["80", "200"])
def test_the_29_counts_give_the_published_weights_in_the_table(more, width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    assert skol("weights", TABLE, *more) == 0
    out = capsys.readouterr().out
    shown = column(out, "smoothed")
    assert shown.keys() == FIXTURE["class_weights"].keys()
    # The note prints three decimals.
    for name, weight in FIXTURE["class_weights"].items():
        assert re.fullmatch(r"\d+\.\d{3,}", shown[name])
        assert float(shown[name]) == pytest.approx(weight, abs=5.1e-5)
    assert shown["B-Bandwagon,Reductio_ad_hitlerum"].startswith("2.949")
    assert {f"{float(shown[name]):.3f}" for name in ("B-Thought-terminating_Cliches", "O")} == {"2.774", "0.036"}
    assert all(len(line) <= int(width) for line in out.splitlines() if "(" not in line)


def test_counts_are_shown_from_most_to_least_with_the_rest_and_the_types(capsys):
    assert skol("weights", TABLE) == 0
    captured = capsys.readouterr()
    shown = column(captured.out, "Tokens")
    assert list(shown) == sorted(FIXTURE["label_counts"], key=FIXTURE["label_counts"].get, reverse=True)
    assert shown["O"] == "154,096"
    assert "O against the rest: 154,096 : 20,916 tokens (7.4 : 1)" in captured.out
    assert re.search(r"Loaded_Language +4,111 +854 +3,257 +1 : 3\.81", captured.out)
    (warning,) = captured.err.splitlines()
    assert warning.startswith("Warning: Fewer than 30 tokens: ")
    assert re.findall(r"'(.*?)'", warning) == ["B-Thought-terminating_Cliches", "B-Bandwagon,Reductio_ad_hitlerum"]
    assert "23 tokens" in warning


def test_every_strategy_is_a_column(counts, capsys):
    assert skol("weights", counts) == 0
    out = capsys.readouterr().out
    for name in STRATEGIES:
        expected = class_weight_strategy(name, [900, 90, 10])
        assert [float(w) for w in column(out, name).values()] == pytest.approx(expected, abs=1e-4)


def test_one_strategy_is_shown_alone_with_its_formula(counts, capsys):
    options = ["--strategy", "effective", "--beta", "0.9", "--max-ratio", "2"]
    assert skol("weights", counts, *options) == 0
    out = capsys.readouterr().out
    expected = class_weight_strategy("effective", [900, 90, 10], beta=0.9, max_ratio=2)
    assert [float(w) for w in column(out, "effective").values()] == pytest.approx(expected, abs=1e-4)
    assert "inverse" not in out
    assert "effective: (1 - beta) / (1 - beta**n), scaled to mean 1, beta = 0.9, at most 2 : 1 (Cui et al." in out
    found = printed(capsys, counts, *options)
    assert list(found["weights"]) == ["effective"]
    assert found["options"] == {"alpha": 0.5, "beta": 0.9, "max_ratio": 2.0}


def test_documents_are_counted(corpus, capsys):
    found = printed(capsys, corpus)
    table = toy_table(6)
    assert {row["label"]: row["count"] for row in found["labels"]} == table["label"].value_counts().to_dict()
    assert all(row["documents"] == 6 for row in found["labels"])
    assert found["by_type"] is None and found["unit"] == "line" and found["warnings"] == []
    assert skol("weights", corpus, "--labels", "Nomenclature", "--other", "Rest") == 0
    shown = capsys.readouterr().out
    assert list(column(shown, "Lines")) == ["Rest", "Nomenclature"]
    assert column(shown, "Documents") == {"Rest": "6", "Nomenclature": "6"}


def test_a_csv_of_text_is_documents_and_one_of_counts_is_not(tmp_path, capsys):
    (tmp_path / "lines.csv").write_text("doc_id,value,label\nd,text,Misc\nd,more,Misc\n", encoding="utf-8")
    (tmp_path / "counts.csv").write_text("label,count\nMisc,900\nKey,3\n", encoding="utf-8")
    lines, counted = printed(capsys, tmp_path / "lines.csv"), printed(capsys, tmp_path / "counts.csv")
    assert [(row["label"], row["count"], row["documents"]) for row in lines["labels"]] == [("Misc", 2, 1)]
    assert [(row["label"], row["count"], row["documents"]) for row in counted["labels"]] == [
        ("Misc", 900, None),
        ("Key", 3, None),
    ]
    assert len(counted["warnings"]) == 1


def test_labels_of_a_table_of_counts_are_folded(counts, capsys):
    found = printed(capsys, counts, "--labels", "Nomenclature", "--other", "Rest")
    assert {row["label"]: row["count"] for row in found["labels"]} == {"Rest": 990, "Nomenclature": 10}


def test_saved_weights_are_those_of_the_chosen_strategy(counts, tmp_path, capsys):
    path = tmp_path / "w.json"
    assert skol("weights", counts, "--save", path) == 0
    captured = capsys.readouterr()
    assert (
        f"Saved smoothed weights of 3 labels to {path}\nTo train with them: skol-rnn train --class-weights {path}"
        in captured.err
    )
    assert ClassWeights.load(path) == ClassWeights.from_counts(
        "smoothed", ("Misc", "Description", "Nomenclature"), (900, 90, 10)
    )
    assert skol("weights", counts, "--strategy", "effective", "--beta", "0.9", "--save", path) == 0
    assert ClassWeights.load(path).strategy == "effective:beta=0.9"
    assert skol("weights", counts, "--strategy", "smoothed:alpha=1,max_ratio=10", "--save", path) == 0
    assert "smoothed: n**-alpha, scaled to mean 1, alpha = 1, at most 10 : 1" in capsys.readouterr().out
    saved = ClassWeights.load(path).weights
    assert max(saved) == pytest.approx(10 * min(saved))
    assert printed(capsys, counts, "--save", path)["saved"] == str(path)


def test_weights_frozen_from_documents_fit_them_and_say_when_they_no_longer_do(corpus, tmp_path, capsys):
    path = tmp_path / "w.json"
    assert skol("weights", corpus, "--save", path, "--alpha", "0.25") == 0
    frozen = ClassWeights.load(path)
    labels = LabelSet(("Description", "Misc", "Nomenclature"))
    table = toy_table(6)
    now = [int((table["label"] == name).sum()) for name in labels]
    assert count_drift(frozen, now, labels) == [] and frozen.strategy == "smoothed:alpha=0.25"
    np.testing.assert_allclose(frozen.vector(labels), class_weight_strategy("smoothed", now, 0.25))
    assert len(count_drift(frozen, [n + 1 for n in now], labels)) == 3
    # Frozen weights hold their counts, so that other strategies can be looked at.
    assert {row["label"]: row["count"] for row in printed(capsys, path)["labels"]} == dict(
        zip(labels, now, strict=True)
    )


def test_charts(counts, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "chart.png"
    assert skol("weights", counts, "--chart", "--chart-file", picture) == 0
    captured = capsys.readouterr()
    assert re.search(r"Misc +900 ━{40,}", captured.out)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"Saved the chart to {picture}" in captured.err
    assert printed(capsys, counts, "--chart-file", picture)["chart"] == str(picture)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["{tmp}/none.json"], 3, "none.json"),
        (["{counts}", "{counts}"], 2, "counts.json is a table of counts: give it alone"),
        (["{corpus}", "{counts}"], 2, "counts.json is a table of counts: give it alone"),
        (["{bad}"], 3, "the count of 'Misc' must be a whole number of at least 0, not -3"),
        (["{counts}", "--labels", "Nomenclatur"], 3, "Did you mean 'Nomenclature'?"),
        (["{corpus}", "--labels", "Nomenclatur"], 3, "No document has the label 'Nomenclatur' of --labels. Did you"),
        (["{counts}", "--strategy", "smooth"], 2, "Did you mean 'smoothed'?"),
        (["{counts}", "--alpha", "-1"], 2, "alpha must be a finite number of at least 0"),
        (["{counts}", "--alpha", "nan"], 2, "alpha must be a finite number of at least 0"),
        (["{counts}", "--beta", "1"], 2, "beta must be at least 0 and below 1"),
        (["{counts}", "--max-ratio", "0.5"], 2, "--max-ratio must be a finite number of at least 1"),
        (["{counts}", "--strategy", "inverse", "--alpha", "0.3"], 2, "it is an option of smoothed"),
        (["{counts}", "--strategy", "smoothed", "--beta", "0.3"], 2, "it is an option of effective"),
        (
            ["{counts}", "--save", "{tmp}/made/w.txt"],
            2,
            "saved as .json, or exported for PyTorch as .pt, not as '.txt'",
        ),
        (["{counts}", "--chart-file", "{tmp}/made/c.jpg", "--save", "{tmp}/made/w.json"], 2, ".png or .svg"),
        (["{counts}", "--json", "--chart"], 2, "take --chart-file"),
        (["{counts}", "--alpha", "x"], 2, "--alpha"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_file(words, status, message, counts, corpus, tmp_path, capsys):
    bad = tmp_path / "bad.json"
    bad.write_text('{"Misc": -3}', encoding="utf-8")
    places = {"counts": counts, "corpus": corpus, "tmp": tmp_path, "bad": bad}
    assert skol("weights", *[word.format(**places) for word in words]) == status
    captured = capsys.readouterr()
    # The parser's own messages stand in a box, broken over lines.
    assert message in re.sub(r"[\s│]+", " ", captured.err)
    assert "Traceback" not in captured.err and captured.out == ""
    assert not (tmp_path / "made").exists()


def test_it_runs_without_tensorflow_and_without_matplotlib_unless_a_picture_is_wanted(counts):
    code = (
        "import sys\nfrom skol_rnn.cli.app import run\n"
        f"try: run(['weights', {str(counts)!r}, '--chart'])\nexcept SystemExit as stop: assert stop.code == 0\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'gensim', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
