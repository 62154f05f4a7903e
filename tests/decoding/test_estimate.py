"""Scores that are expected without labels, compared with the true ones."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from commands import skol
from test_purpose import collection
from toy import LABELS, SMALL, as_documents, toy_table

from skol_rnn import RNNSkolModel
from skol_rnn.decoding.calibration import Calibration
from skol_rnn.decoding.correction import Correction
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.estimate import SCORES, Sums, expected_scores, promise_of
from skol_rnn.decoding.transitions import Transitions
from skol_rnn.errors import DataError

PLAIN = (np.full(3, 1 / 3), np.full((3, 3), 1 / 3), np.full(3, 1 / 3))


def decoder(held):
    return Decoder(
        Correction(np.ones(3)),
        np.zeros(3),
        Transitions(*PLAIN),
        Calibration(1.0, np.zeros(3)),
        names=tuple(LABELS),
        held_out=held,
    )


def scores(chosen, true):
    """Return precision, recall and F1 of Nomenclature."""
    right = ((chosen == 0) & (true == 0)).sum()
    return [right / (chosen == 0).sum(), right / (true == 0).sum(), 2 * right / ((chosen == 0) | (true == 0)).sum()]


def test_intervals_hold_the_scores_of_new_collections():
    inside, off = [], []
    for seed in range(25):
        of, new = decoder(collection(12, seed)), collection(1, 500 + seed, lines=1500).known()
        chosen, sums = new.posterior.argmax(axis=1), Sums.empty(3)
        sums.add(chosen, new.posterior)
        expected = expected_scores(sums, of, "corrected")[0]
        precision, recall, _ = scores(chosen, new.true)
        true = dict(zip(SCORES, (precision, recall, 2 * precision * recall / (precision + recall)), strict=True))
        inside += [expected[kind].low <= true[kind] <= expected[kind].high for kind in SCORES]
        off += [abs(expected[kind].value - true[kind]) for kind in SCORES]
    assert 0.85 <= np.mean(inside) and np.mean(off) < 0.05


def test_wrong_confidence_is_corrected_by_the_documents_held_out():
    held, new = collection(12, 0), collection(1, 1, lines=2000).known()
    sharp = held.known().posterior ** 3
    overconfident = type(held).of(sharp / sharp.sum(axis=1, keepdims=True), held.true, held.lengths, 0)
    posterior = new.posterior**3 / (new.posterior**3).sum(axis=1, keepdims=True)
    chosen, sums = posterior.argmax(axis=1), Sums.empty(3)
    sums.add(chosen, posterior)
    true = scores(chosen, new.true)[0]
    corrected = expected_scores(sums, decoder(overconfident), "corrected")[0]["precision"].value
    naive = expected_scores(sums, decoder(None), "corrected")[0]["precision"]
    assert abs(corrected - true) < abs(naive.value - true) and np.isnan(naive.low)


def test_small_collections_have_wider_intervals():
    of, widths = decoder(collection(12, 0)), []
    for lines in (40, 4000):
        new, sums = collection(1, 5, lines=lines).known(), Sums.empty(3)
        sums.add(new.posterior.argmax(axis=1), new.posterior)
        recall = expected_scores(sums, of, "corrected")[0]["recall"]
        widths.append(recall.high - recall.low)
    assert widths[0] > 1.2 * widths[1]


def test_sums_add_up():
    new, whole, parts = collection(2, 0).known(), Sums.empty(3), Sums.empty(3)
    chosen = new.posterior.argmax(axis=1)
    whole.add(chosen, new.posterior)
    for lines in (slice(0, 300), slice(300, None)):
        parts.add(chosen[lines], new.posterior[lines])
    np.testing.assert_allclose(whole.values, parts.values)
    assert whole.lines == parts.lines == 800


def noisy(documents, seed):
    """Make documents in which a tenth of the lines have the text of another line."""
    table, rng = toy_table(documents, 40, seed), np.random.default_rng(seed)
    lines = rng.choice(len(table), len(table) // 10, replace=False)
    return table.assign(
        value=table["value"].mask(np.isin(np.arange(len(table)), lines), rng.permutation(table["value"]))
    )


@pytest.fixture(scope="module")
def trained():
    return RNNSkolModel(epochs=6, **SMALL | {"validation_fraction": 0}).fit(
        noisy(10, 0), validation=noisy(16, 3), labels=LABELS
    )


def test_a_model_promises_estimates_and_remembers(trained, tmp_path):
    decision, new = "recall:Nomenclature=0.9", noisy(8, 9)
    promise = trained.promise(decision)
    assert promise.label == "Nomenclature" and promise.recall >= 0.9 and promise.lines >= 40
    found = trained.predict(new, decision=decision)
    true = (new["label"] == "Nomenclature").to_numpy()
    assert (found["predicted_label"] == "Nomenclature")[true].mean() >= 0.8
    again = RNNSkolModel().load(trained.save(tmp_path / "model.skol"))
    assert again.promise(decision) == promise
    assert again.predict(new, decision=decision)["predicted_label"].equals(found["predicted_label"])
    estimate = again.estimate(new.drop(columns="label"))
    assert estimate.lines == len(new) and len(estimate.documents) == 8
    f1 = trained.evaluate(new).f1[0]
    assert estimate.scores[0]["f1"].low <= f1 <= estimate.scores[0]["f1"].high
    assert (
        estimate.shares.sum() == pytest.approx(1)
        and estimate.documents[0]["uncertain"] >= estimate.documents[-1]["uncertain"]
    )


def test_a_purpose_as_parameter_is_the_decision_of_the_model(trained):
    decision = "recall:Nomenclature=0.9"
    model = RNNSkolModel(decision=decision, epochs=2, **SMALL | {"validation_fraction": 0}).fit(
        toy_table(10), validation=toy_table(12, 40, 3), labels=LABELS
    )
    new = toy_table(2, 40, 9)
    assert model.decided_by == decision and model.evaluate(new).recall[0] >= 0.8
    assert model.predict(new)["predicted_label"].equals(model.predict(new, decision=decision)["predicted_label"])
    assert model.training_record()["decision"] == decision


def test_documents_as_lists_take_a_decision_too(trained):
    texts, _ = as_documents(toy_table(2, 40, 9))
    many = trained.predict(texts, decision="recall:Nomenclature=0.9")
    few = trained.predict(texts)
    assert sum(row.count("Nomenclature") for row in many) >= sum(row.count("Nomenclature") for row in few)


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory):
    """Return a saved model, and a folder of annotated documents that it has not seen."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "new").mkdir()
    for name, rows in noisy(8, 9).groupby("doc_id"):
        lines = zip(rows["value"], rows["label"], strict=True)
        (folder / "new" / f"{name}.txt.ann").write_text("".join(f"[@{text}#{label}*]\n" for text, label in lines))
    return trained.save(folder / "model.skol"), folder / "new"


DECISION = "recall:Nomenclature=0.9"


def test_predict_says_what_it_promises_and_evaluate_whether_it_held(files, tmp_path, capsys):
    model, new = files
    assert skol("predict", model, new, "--out", tmp_path / "out", "--decision", DECISION) == 0
    said = capsys.readouterr().err
    assert "The promise holds for" in said and "Expected here: recall" in said
    assert skol("predict", model, new, "--out", tmp_path / "json", "--decision", DECISION, "--json") == 0
    promise = json.loads(capsys.readouterr().out)["promise"]
    assert promise["label"] == "Nomenclature" and 0 < promise["threshold"] < 1
    assert promise["expected"]["recall"]["low"] < promise["expected"]["recall"]["value"]
    assert skol("evaluate", model, new, "--decision", DECISION) == 0
    assert re.search(
        r"The promise (held|did not hold) here: the recall of Nomenclature is 0\.\d+|1\.0", capsys.readouterr().err
    )
    assert skol("evaluate", model, new, "--decision", DECISION, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["promise"]["held"] == (scores["Nomenclature_recall"] >= 0.9)
    assert scores["promise"]["reached"] == scores["Nomenclature_recall"]


def test_costs_change_what_is_predicted(files, tmp_path, capsys):
    model, new = files
    (tmp_path / "costs.csv").write_text(
        ",Nomenclature,Description,Misc\nNomenclature,0,1000,1000\nDescription,1,0,1\nMisc,1,1,0\n"
    )
    found = []
    for decision in ("corrected", f"cost:{tmp_path / 'costs.csv'}"):
        assert skol("evaluate", model, new, "--decision", decision, "--json") == 0
        matrix = json.loads(capsys.readouterr().out)["confusion_matrix"]
        found.append(sum(row[0] for row in matrix))
    assert found[1] > found[0]


def test_the_command_estimates_what_the_model_estimates(files, trained, capsys):
    model, new = files
    assert skol("estimate", model, new, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    expected = trained.estimate(new).to_dict()
    assert found["labels"]["Nomenclature"]["f1"]["value"] == pytest.approx(
        expected["labels"]["Nomenclature"]["f1"]["value"], abs=0.005
    )  # the command may compute with weights of 8 bits
    assert {one["document"] for one in found["documents"]} == {one["document"] for one in expected["documents"]}
    assert skol("estimate", model, new) == 0
    shown = capsys.readouterr()
    assert "Nomenclature" in shown.out and " to " in shown.out and "expected to be wrong" in shown.err


def test_nothing_to_estimate_and_nothing_held_out_are_said(tiny_model, trained):
    with pytest.raises(DataError, match="no line"):
        trained.estimate(toy_table(1).iloc[:0])
    with pytest.raises(DataError, match=r"cannot be promised: it needs at least .* Annotate at least"):
        tiny_model.promise("recall:Nomenclature=0.95")
    with pytest.raises(ValueError, match="promises nothing"):
        promise_of("corrected", trained.decoder_)
    assert len(trained.estimate(["Genus1 species2 Author 1899"]).documents) == 1
