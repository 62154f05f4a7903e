"""The audit finds labels that were planted wrong, and writes them as a round of review."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from commands import skol
from toy import LABELS, SMALL, toy_table

from skol_rnn import LabelSet, RNNSkolModel, audit, merge_review, start_audit
from skol_rnn.errors import DataError
from skol_rnn.review import audit as module

WRONG = {("doc0", 9): "Misc", ("doc3", 1): "Nomenclature", ("doc3", 2): "Nomenclature", ("doc7", 11): "Misc"}


@pytest.fixture(scope="module")
def table():
    """Return documents of which four lines have a wrong label."""
    table = toy_table(9)
    for (document, line), label in WRONG.items():
        row = (table["doc_id"] == document) & (table["line_number"] == line)
        assert table.loc[row, "label"].item() != label
        table.loc[row, "label"] = label
    return table


@pytest.fixture
def folder(table, tmp_path):
    """Return a folder of the same documents as files."""
    for name, rows in table.groupby("doc_id"):
        lines = zip(rows["value"], rows["label"], strict=True)
        (tmp_path / f"{name}.txt.ann").write_text("".join(f"[@{text}#{label}*]\n" for text, label in lines))
    return tmp_path


def test_wrong_labels_come_first_and_neighbours_are_one_finding(table):
    found = audit(table, labels=LABELS, preset="instant").head(3)
    assert {(one.doc_id, one.first_line) for one in found.itertuples()} == {("doc0", 9), ("doc3", 1), ("doc7", 11)}
    both = found[found["doc_id"] == "doc3"].iloc[0]
    assert (both["lines"], both["last_line"], both["label"], both["predicted"]) == (2, 2, "Nomenclature", "Description")
    assert found["probability"].is_monotonic_increasing and (found["probability"] < 0.5).all()


def test_the_habit_of_an_annotator_is_no_error():
    """All names of one document are in a list and have another label: only wrong labels elsewhere are findings."""
    table = toy_table(4, 450, seed=3)
    habit = (table["doc_id"] == "doc1") & (table["label"] == "Nomenclature")
    table.loc[habit, ["value", "label"]] = [[f"chronology {text}", "Misc"] for text in table.loc[habit, "value"]]
    wrong = [table.index[(table["doc_id"] == f"doc{k}") & (table["label"] == "Nomenclature")][5] for k in (0, 2, 3)]
    table.loc[wrong, "label"] = "Misc"
    found = audit(table, labels=LABELS, preset="instant")
    assert (found["doc_id"] == "doc1").sum() <= 1 < habit.sum()
    first = set(zip(found["doc_id"].head(3), found["first_line"].head(3), strict=True))
    assert first == {(table["doc_id"][row], table["line_number"][row]) for row in wrong}


def test_networks_of_other_documents_have_a_say(table, monkeypatch):
    fitted = []

    def small(**given):
        fitted.append(given["preset"])
        return RNNSkolModel(**given | ({} if given["preset"] == "instant" else SMALL | {"epochs": 1}))

    monkeypatch.setattr("skol_rnn.model.RNNSkolModel", small)
    rows, names, posterior = module.out_of_fold(table, None, LABELS, None, 2, "fast", 0, 0)
    assert fitted == ["instant"] * 2 + ["fast"] * 2
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    _, _, linear = module.out_of_fold(table, None, LABELS, None, 2, "instant", 0, 0)
    assert np.abs(posterior - linear).max() > 0.01


@pytest.mark.parametrize("lines", [1, 30])
def test_findings_are_runs_of_one_document_and_label(lines):
    rng = np.random.default_rng(lines)
    rows = pd.DataFrame({"doc_id": np.repeat(["a", "b"], lines), "value": "x"})
    rows["label"] = rng.choice(LABELS, 2 * lines)
    names, posterior = LabelSet(tuple(LABELS)), rng.dirichlet([1, 1, 1], 2 * lines)
    true, predicted = names.encode(rows["label"]), posterior.argmax(axis=1)
    found, covered = module._findings(rows, names, posterior), []
    for one in found.itertuples():
        run = np.arange(one.first, one.last + 1)
        covered += run.tolist()
        assert len({(rows["doc_id"][i], true[i], predicted[i]) for i in run}) == 1
        assert one.probability == posterior[run, true[run]].min() == posterior[one.least, true[one.least]]
    assert sorted(covered) == np.flatnonzero(true != predicted).tolist()


def test_the_command_writes_a_round_whose_corrections_mend_the_files(folder, tmp_path, capsys):
    out = tmp_path / "round"
    words = ["audit", folder, "--labels", "Nomenclature,Description", "--other", "Misc", "--preset", "instant"]
    assert skol(*words, "--out", out, "--lines", 4) == 0
    shown = capsys.readouterr()
    assert "doc3.txt.ann:2" in shown.out.replace("doc3:2", "doc3.txt.ann:2") and "review merge" in shown.err
    record = json.loads((out / "round.json").read_text())
    right = toy_table(9).set_index(["doc_id", "line_number"])["label"]
    answers = []
    for line in record["lines"]:
        name = record["documents"][line["document"]]["name"].split(".")[0]
        assert (name, line["row"]) in WRONG and line["label"] == WRONG[name, line["row"]]
        place = {"sha256": record["documents"][line["document"]]["sha256"], "line": line["line"]}
        answers.append({"round": record["id"], **place, "label": right[name, line["row"]]})
    assert (out / "review.html").stat().st_size > 1000
    page = tmp_path / "answers.jsonl"
    page.write_text("".join(json.dumps(one) + "\n" for one in answers))
    merged = merge_review(out, page)
    assert merged.corrected == 4
    for name, rows in toy_table(9).groupby("doc_id"):
        assert all(f"#{label}*]" in (folder / f"{name}.txt.ann").read_text() for label in set(rows["label"]))
    assert skol(*words, "--out", tmp_path / "again", "--lines", 4, "--json") in (0, 3)


def test_what_cannot_be_audited_is_said(table, folder, tmp_path):
    with pytest.raises(DataError, match="There are 1 document for 3 folds|There is 1 document for 3 folds"):
        audit(table[table["doc_id"] == "doc1"], labels=LABELS, preset="instant")
    with pytest.raises(ValueError, match="folds must be a whole number of at least 2"):
        audit(table, labels=LABELS, folds=1)
    right = toy_table(9)
    for name, rows in right.groupby("doc_id"):
        lines = zip(rows["value"], rows["label"], strict=True)
        (folder / f"{name}.txt.ann").write_text("".join(f"[@{text}#{label}*]\n" for text, label in lines))
    with pytest.raises(DataError, match="nothing to review"):
        start_audit(folder, tmp_path / "none", labels=LABELS, preset="instant")


def test_a_partly_reviewed_document_teaches_only_what_was_read(tmp_path, capsys):
    """With ``unlabelled="ignore"``, ``other`` is for other labels, not for lines that nobody has read."""
    whole, part = toy_table(6), toy_table(6, seed=1).assign(doc_id=lambda rows: "new" + rows["doc_id"])
    part["label"] = part["label"].where(part["line_number"] % 9 == 0, None)  # only the names were read
    both = pd.concat([whole, part], ignore_index=True)
    model = RNNSkolModel(preset="instant", validation_fraction=0, verbosity=0)
    how = {"labels": LABELS[:2], "other": "Misc"}
    read = model.fit(both, **how, unlabelled="ignore").counts_.tolist()
    assert read == [int((both["label"] == name).sum()) for name in LABELS]
    right = toy_table(4, seed=2)
    assert model.evaluate(right).important_f1 > 0.9
    assert model.fit(both, **how).counts_.tolist()[2] == (both["label"].isna() | (both["label"] == "Misc")).sum()
    file = tmp_path / "both.csv"
    both.to_csv(file, index=False)
    words = ["train", file, "--labels", "Nomenclature,Description", "--other", "Misc", "--preset", "instant"]
    assert skol(*words, "--unlabelled", "ignore", "--out", tmp_path / "model") == 0
    assert json.loads((tmp_path / "model" / "model.json").read_text())["other"] == "Misc"
