"""The search: folds, decisions and trials, its storage, and what it refuses before any training.

Most tests replace the training of a trial by made-up probabilities; one small search trains networks.
"""

from __future__ import annotations

import sqlite3
import tomllib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from toy import LABELS, SMALL, made_up_folds, toy_table

from skol_rnn import tune_class_weights
from skol_rnn.decoding.offsets import metric_value
from skol_rnn.errors import DataError
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel
from skol_rnn.training.checks import check_parameters
from skol_rnn.tuning.out_of_fold import OutOfFold, calibrated, decisions, score_decisions, train_folds
from skol_rnn.tuning.space import LOSSES, WEIGHTED, moderate_trials, searched_parameters, suggest
from skol_rnn.tuning.storage import open_study

FAST = {key: value for key, value in SMALL.items() if key != "verbosity"}
FAST |= {"epochs": 1, "learning_rate": 0.02}
RARITY = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 1.0}


def search(data=None, **changes):
    settings = {"labels": LABELS, "n_trials": 3, "folds": 2, "important": LABELS[:2], "settings": FAST}
    return tune_class_weights(toy_table(6) if data is None else data, **{**settings, **changes})


@pytest.fixture
def no_networks(monkeypatch):
    monkeypatch.setattr("skol_rnn.tuning.search.train_folds", made_up_folds)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    storage = tmp_path_factory.mktemp("search") / "trials.sqlite"
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skol_rnn.tuning.search.train_folds", made_up_folds)
        return search(storage=storage, callback=reports.append), reports, storage


# -- the search as a whole --------------------------------------------------------------------------------


def test_a_search_trains_networks_and_its_config_holds_their_settings(tmp_path):
    settings = {**FAST, "label_col": "class", "line_no_col": "row"}
    table = toy_table(4, lines=20).rename(columns={"label": "class", "line_number": "row"})
    found = [search(table, n_trials=1, search=["alpha"], settings=settings) for _ in range(2)]
    assert found[0].score == found[1].score
    np.testing.assert_array_equal(found[0].posterior, found[1].posterior)
    np.testing.assert_allclose(found[0].posterior.sum(1), 1)
    best = tomllib.loads(found[0].save_config(tmp_path / "best.toml").read_text(encoding="utf-8"))
    assert best.pop("labels") == LABELS
    assert best["class_weights"] == "smoothed:alpha=0.5" and best["label_col"] == "class"
    check_parameters(RNNSkolModel(**best).get_params())


def test_every_trial_is_reported_scored_and_listed(searched):
    result, reports, _ = searched
    assert [report.finished for report in reports] == [1, 2, 3]
    assert result.trials["number"].tolist() == [0, 1, 2]
    assert result.trials["alpha"].tolist() == [0.5, 0.0, 0.25]
    scores = result.trials["score"].dropna()
    assert result.score == scores.max() == reports[-1].best
    assert str(reports[0]) == f"trial 0: {reports[0].score:.4f} (best {reports[0].score:.4f})  cross_entropy, alpha 0.5"
    best = result.trials.set_index("number").loc[result.best_number]
    assert best[["argmax", "corrected", "tuned"]].max() == result.score
    assert result.settings["decision"] in ("argmax", "corrected", "tuned")
    assert "important_f1" in repr(result)


def test_probabilities_and_labels_are_of_all_lines(searched):
    result, _, _ = searched
    table = toy_table(6)
    assert result.posterior.shape == (len(table), 3)
    np.testing.assert_allclose(result.posterior.sum(1), 1)
    assert [LABELS[i] for i in result.true] == table["label"].tolist()


def test_the_config_holds_what_the_model_takes(searched, tmp_path):
    result, _, _ = searched
    settings = tomllib.loads(result.save_config(tmp_path / "best.toml").read_text(encoding="utf-8"))
    assert settings.pop("labels") == LABELS
    assert "other" not in settings
    assert RNNSkolModel(**settings).get_params() == RNNSkolModel(**result.settings).get_params()


@pytest.mark.parametrize("name", ["curves.png", "curves.svg"])
def test_the_curves_are_drawn(searched, tmp_path, name):
    pytest.importorskip("matplotlib")
    result, _, _ = searched
    path = result.save_curves(tmp_path / "new" / name)
    start = path.read_bytes()[:200]
    assert start.startswith(b"\x89PNG") if name.endswith("png") else b"<?xml" in start
    with pytest.raises(ValueError, match=r"must end|ends in \.png or \.svg"):
        result.save_curves(tmp_path / "curves.jpg")


def test_a_finished_search_goes_on_without_training_what_it_has(searched, no_training):
    result, _, storage = searched
    reports = []
    again = search(storage=storage, callback=reports.append)
    assert reports == []
    pd.testing.assert_frame_equal(again.trials, result.trials)
    np.testing.assert_array_equal(again.posterior, result.posterior)
    assert again.settings == result.settings


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"folds": 3},
        {"metric": "macro_f1"},
        {"settings": {**FAST, "hidden_size": 4}},
        {"labels": LABELS[:2]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_trials_of_another_search_are_not_mixed_in(searched, changes):
    _, _, storage = searched
    table = toy_table(6)
    if "labels" in changes:
        changes = {**changes, "other": "Rest"}
        table["label"] = table["label"].replace("Misc", "Rest")
    with pytest.raises(DataError, match=r"trials\.sqlite has trials with other data, labels, folds or settings"):
        search(table, storage=storage, **changes)


def test_trials_on_other_lines_are_not_mixed_in(searched):
    _, _, storage = searched
    with pytest.raises(DataError, match="has trials with other data"):
        search(toy_table(6, seed=1), storage=storage)


def test_a_search_without_the_file_of_its_probabilities_is_refused(searched, tmp_path):
    _, _, storage = searched
    moved = tmp_path / "moved.sqlite"
    moved.write_bytes(storage.read_bytes())
    with pytest.raises(DataError, match="keep this file next to the trials"):
        search(storage=moved)


def test_a_search_with_an_interrupted_trial_runs_it_again(tmp_path, no_networks):
    class Stop(Exception):
        pass

    def stop(report):
        raise Stop

    storage = tmp_path / "trials.sqlite"
    with pytest.raises(Stop):
        search(storage=storage, callback=stop, search=["alpha"], n_trials=2)
    study = open_study(storage, "skol_rnn", 0, open_fingerprint(storage))
    # A process that is killed leaves a trial running: it has failed, and waits to be run again.
    study.ask()
    again = open_study(storage, "skol_rnn", 0, open_fingerprint(storage))
    assert [trial.state.name for trial in again.trials] == ["COMPLETE", "FAIL", "WAITING", "WAITING", "WAITING"]
    result = search(storage=storage, search=["alpha"], n_trials=4)
    assert sorted(result.trials["alpha"]) == [0.0, 0.25, 0.5, 0.75]


def open_fingerprint(storage):
    with sqlite3.connect(storage) as connection:
        rows = connection.execute("select value_json from study_user_attributes where key = 'fingerprint'")
        return rows.fetchone()[0].strip('"')


def test_a_file_that_is_no_database_is_refused(tmp_path):
    storage = tmp_path / "notes.txt"
    storage.write_text("not a database, but long enough to be looked at " * 40, encoding="utf-8")
    with pytest.raises(DataError, match=r"notes\.txt cannot store trials"):
        search(storage=storage)
    assert storage.read_text(encoding="utf-8").startswith("not a database")


# -- folds ------------------------------------------------------------------------------------------------


def test_every_line_is_predicted_by_a_network_that_has_not_seen_its_document():
    table = toy_table(4, lines=20)
    seen = []
    folds = [
        (np.flatnonzero(table["doc_id"] != f"doc{i}"), np.flatnonzero(table["doc_id"] == f"doc{i}")) for i in (0, 2)
    ]
    report = lambda fold, epoch, score: seen.append((fold, epoch, score))  # noqa: E731
    shared = {**FAST, "epochs": 2, "monitor": "macro_f1"}
    task = SimpleNamespace(table=table, folds=folds, labels=LabelSet(LABELS), settings=shared, metric="macro_f1")
    found = train_folds(task, {"loss": "focal:gamma=1"}, report)
    assert [(fold, epoch) for fold, epoch, _ in seen] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(0 <= score <= 1 for _, _, score in seen)
    held = np.concatenate([held for _, held in folds])
    assert (found.posterior[held].sum(1) > 0.99).all()
    assert not found.posterior[np.setdiff1d(np.arange(len(table)), held)].any()


def hand_made(lines=600, seed=0):
    """Make probabilities whose argmax misses the rare label, in three folds."""
    rng = np.random.default_rng(seed)
    true = (rng.random(lines) < 0.1).astype(np.int64)
    logits = np.stack([2.0 * (1 - true), 2.0 * true - 2.5], axis=1) + rng.normal(size=(lines, 2))
    posterior = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return OutOfFold(posterior, posterior, np.array([0.0, -2.5])), true


def task_of(true, metric="important_f1"):
    """Make the part of a task that calibration, decisions and their scores need, with three folds."""
    units = np.repeat(np.arange(30), 20).astype(str)
    labels = LabelSet(("Misc", "Nomenclature"))
    fold = np.arange(len(true)) * 3 // len(true)
    folds = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(3)]
    important = ["Nomenclature"]
    return SimpleNamespace(true=true, labels=labels, units=units, folds=folds, metric=metric, important=important)


def test_calibration_and_offsets_of_a_fold_do_not_look_at_its_labels():
    found, true = hand_made()
    other = true.copy()
    held = task_of(true).folds[1][1]
    other[held] = 1 - other[held]
    np.testing.assert_array_equal(calibrated(found, task_of(true))[held], calibrated(found, task_of(other))[held])

    def tuned(labels_of_lines):
        return decisions(found, found.posterior, task_of(labels_of_lines, "f1/Nomenclature"))["tuned"]

    np.testing.assert_array_equal(tuned(true)[held], tuned(other)[held])


def test_decisions_are_scored_on_all_folds_together():
    found, true = hand_made()
    task = task_of(true)
    decided = decisions(found, calibrated(found, task), task)
    scores = score_decisions(decided, task)
    assert list(scores) == ["argmax", "corrected", "tuned"]
    for name, predicted in decided.items():
        assert scores[name]["score"] == metric_value(true, predicted, task.labels, "important_f1", task.important)
        hits = ((predicted == 1) & (true == 1)).sum()
        assert scores[name]["recall"]["Nomenclature"] == pytest.approx(hits / (true == 1).sum())
        assert scores[name]["precision"]["Nomenclature"] == pytest.approx(hits / (predicted == 1).sum())
    assert scores["corrected"]["score"] > scores["argmax"]["score"] + 0.02


# -- what is drawn ----------------------------------------------------------------------------------------


def test_moderate_trials_come_first_and_only_with_what_their_loss_takes():
    trials = moderate_trials(["alpha", "loss"], RARITY)
    assert [trial.get("alpha") for trial in trials[:4]] == [0.5, 0.0, 0.25, 0.75]
    assert [trial["loss"] for trial in trials] == ["cross_entropy"] * 4 + list(LOSSES[1:])
    assert all("alpha" not in trial for trial in trials if trial["loss"] not in WEIGHTED)
    weights = moderate_trials(["weights"], RARITY)
    assert weights[0] == {"weight/Nomenclature": 10.0, "weight/Description": pytest.approx(10**0.5)}
    assert moderate_trials(["loss"], RARITY) == [
        {"loss": "cross_entropy"}, {"loss": "focal"}, {"loss": "soft_f1"}, {"loss": "logit_adjusted", "tau": 1.0}
    ]  # fmt: skip


@pytest.mark.parametrize("search", [["alpha"], ["loss"], ["weights"], ["alpha", "loss"], ["weights", "loss"]], ids=str)
def test_whatever_is_drawn_the_model_takes(search):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for parameters in moderate_trials(search, RARITY):
        study.enqueue_trial(parameters)
    for _ in range(40):
        settings = suggest(study.ask(), search, RARITY)
        assert set(settings) <= searched_parameters(search)
        check_parameters(RNNSkolModel(**settings).get_params())
        if isinstance(weights := settings.get("class_weights"), dict):
            assert weights["Misc"] == 1.0
            assert 0.5 <= weights["Nomenclature"] <= 100**1.25 + 0.5
            assert 0.5 <= weights["Description"] <= 10**1.25 + 0.5


# -- what is refused before any training ------------------------------------------------------------------


@pytest.fixture
def no_training(monkeypatch):
    def never(*_, **__):
        raise AssertionError("training began")

    monkeypatch.setattr(RNNSkolModel, "fit", never)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_trials": 0}, ValueError, "n_trials must be a whole number of at least 1, but is 0"),
        ({"n_trials": True}, ValueError, "n_trials must be a whole number"),
        ({"folds": 1}, ValueError, "folds must be a whole number of at least 2, but is 1"),
        ({"folds": 7}, DataError, "There are 6 documents for 7 folds"),
        ({"groups": {f"doc{i}": str(i // 3) for i in range(6)}, "folds": 3}, DataError, "2 groups of documents for 3"),
        ({"groups": {"doc0": "a"}}, DataError, "'doc1' is in no group"),
        ({"groups": "volume"}, DataError, "volume"),
        ({"groups": {f"doc{i}": "a" for i in range(6)}}, DataError, "is in 1 of the groups of documents, but two"),
        ({"metric": "f1"}, ValueError, "metric must be one of important_f1"),
        ({"metric": "f1/Nomenclatur"}, ValueError, "Did you mean 'f1/Nomenclature'"),
        ({"important": ["Nomenclatur"]}, ValueError, "Nomenclatur"),
        ({"labels": [*LABELS, "Key"]}, DataError, "No line has the label 'Key'"),
        ({"search": []}, ValueError, "search must list some of alpha, loss, weights"),
        ({"search": "alpha"}, ValueError, "search must list some of"),
        ({"search": ["alfa"]}, ValueError, "Did you mean 'alpha'"),
        ({"search": ["alpha", "weights"]}, ValueError, "give one of them"),
        ({"settings": {"epoch": 3}}, ValueError, "Unknown setting 'epoch'. Did you mean 'epochs'"),
        ({"settings": {"class_weights": "inverse"}}, ValueError, "The search chooses 'class_weights'"),
        ({"settings": {"decision": "argmax"}}, ValueError, "The search chooses 'decision'"),
        ({"settings": {"monitor": "macro_f1"}}, ValueError, "Give 'monitor' as the argument 'metric'"),
        ({"settings": {"random_state": 1}}, ValueError, "Give 'random_state' as the argument 'seed'"),
        ({"settings": {"window_size": -1}}, ValueError, "window_size"),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_any_training(no_training, changes, error, message):
    with pytest.raises(error, match=message):
        search(**changes)


def test_a_label_in_one_document_only_is_refused(no_training):
    table = toy_table(4)
    table.loc[3, "label"] = "Key"
    with pytest.raises(DataError, match="Label 'Key' is in 1 of the documents, but two are needed"):
        search(table, labels=None)


def test_without_optuna_the_extra_is_named(no_training, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r'pip install "skol_rnn\[tune\]"'):
        search()


def test_copies_stay_with_their_original():
    from skol_rnn.imbalance.sampling import oversample_documents_with_rare_labels
    from skol_rnn.tuning.task import Task

    table = oversample_documents_with_rare_labels(toy_table(4), "Nomenclature", replication_factor=3)
    task = Task.of(
        table, None, labels=LABELS, other=None, folds=3, groups=None, metric="macro_f1", important=None, seed=0,
        settings={}, search=["alpha"],
    )  # fmt: skip
    for kept, held in task.folds:
        sources = task.table["source_doc_id"].to_numpy()
        assert not set(sources[kept]) & set(sources[held])
