"""``skol-rnn tune``: what it writes and prints, that ``train`` takes it, and that a kill loses no trial."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib

import pytest
from commands import skol
from toy import LABELS, SMALL, made_up_folds, toy_table

SETTINGS = {**SMALL, "epochs": 1, "learning_rate": 0.02}


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def no_networks(monkeypatch):
    monkeypatch.setattr("skol_rnn.tuning.search.train_folds", made_up_folds)


@pytest.fixture
def corpus(tmp_path):
    for i, (name, part) in enumerate(toy_table(6).groupby("doc_id")):
        text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(part["value"], part["label"], strict=True))
        path = tmp_path / "corpus" / f"volume{i // 2}" / f"{name}.txt.ann"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "corpus"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "settings.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in SETTINGS.items() if key != "verbosity"]
    path.write_text("\n".join([*lines, 'important = ["Nomenclature"]', ""]), encoding="utf-8")
    return path


def test_it_writes_a_config_that_trains_and_draws_the_curves(corpus, config, tmp_path, capsys, no_networks):
    best, curves = tmp_path / "best.toml", tmp_path / "curves.png"
    words = ("tune", corpus, "--config", config, "--trials", 2, "--folds", 2, "--out", best, "--curves", curves)
    assert skol(*words) == 0
    printed = capsys.readouterr()
    assert "1/2  trial 0: " in printed.out
    assert "2/2  trial 1: " in printed.out
    assert "Best trials by cross-validated important_f1" in printed.out
    assert f"skol-rnn train {corpus} --config {best} --out model" in printed.err
    assert (tmp_path / "best.sqlite").exists()
    assert curves.read_bytes().startswith(b"\x89PNG")
    settings = tomllib.loads(best.read_text(encoding="utf-8"))
    assert settings["important"] == ["Nomenclature"]
    assert settings["hidden_size"] == SETTINGS["hidden_size"]
    assert skol("train", corpus, "--config", best, "--out", tmp_path / "model") == 0
    assert skol("info", tmp_path / "model", "--json") == 0
    out = capsys.readouterr().out
    parameters = json.loads(out[out.index("\n{") :])["parameters"]
    assert {key: parameters[key] for key in settings if key not in ("labels", "other")} == {
        key: value for key, value in settings.items() if key not in ("labels", "other")
    }


def test_json_is_all_that_standard_output_gets(corpus, config, tmp_path, capsys, no_networks):
    words = ("--trials", 1, "--folds", 3, "--groups-from-folder", "--search", "alpha", "--epochs", 2, "--seed", 3)
    storage = tmp_path / "kept.db"
    out = ("--out", tmp_path / "best.toml", "--storage", storage, "--metric", "macro_f1", "--json")
    assert skol("tune", corpus, "--config", config, *words, *out) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["metric"] == result["settings"]["monitor"] == "macro_f1"
    assert result["settings"]["epochs"] == 2
    assert result["settings"]["random_state"] == 3
    assert [trial["number"] for trial in result["trials"]] == [result["best_trial"]] == [0]
    assert "1/1  trial 0: " in printed.err
    assert storage.exists()


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("--folds", 4, "--groups-from-folder"), 3, "There are 3 groups of documents for 4 folds"),
        (("--labels", "Nomenclatur"), 3, "No document has the label 'Nomenclatur' of --labels. Did you mean 'Nomenclature'"),
        (("--important", "Key"), 2, "Key"),
        (("--search", "alfa"), 2, "Did you mean 'alpha'"),
        (("--metric", "f2"), 2, "metric must be one of"),
        (("--trials", 0), 2, "--trials must be at least 1"),
        (("--curves", "curves.gif"), 2, "ends in .png or .svg"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_one_sentence_and_nothing_is_written(corpus, tmp_path, capsys, words, status, sentence):
    assert skol("tune", corpus, "--out", tmp_path / "best.toml", *words) == status
    printed = capsys.readouterr().err
    assert sentence in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "best.toml").exists()
    assert not (tmp_path / "best.sqlite").exists()


def test_a_setting_that_the_search_chooses_is_refused(corpus, tmp_path, capsys):
    path = tmp_path / "settings.toml"
    path.write_text('decision = "argmax"\n', encoding="utf-8")
    assert skol("tune", corpus, "--config", path, "--out", tmp_path / "best.toml") == 2
    assert "The search chooses 'decision'" in capsys.readouterr().err


def command(corpus, config, out, trials):
    words = ["tune", corpus, "--config", config, "--folds", 2, "--trials", trials, "--out", out]
    return [sys.executable, "-m", "skol_rnn", *map(str, words)]


def started(words, log, trials):
    """Start a search and wait until so many of its trials are reported."""
    process = subprocess.Popen(
        words,
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A shell lets what it runs in the background ignore interrupts, and children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 240
    while log.read_text(encoding="utf-8").count("trial ") < trials:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.1)
    return process


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("how", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["kill", "interrupt"])
def test_twelve_trials_survive_a_stop_and_a_restart(corpus, config, tmp_path, how, status):
    best, log = tmp_path / "best.toml", tmp_path / "log.txt"
    process = started(command(corpus, config, best, 12), log, 4)
    time.sleep(0.5)  # into the fifth
    process.send_signal(how)
    assert process.wait(60) == status
    before = log.read_text(encoding="utf-8")
    assert not best.exists()
    again = subprocess.run(command(corpus, config, best, 12), capture_output=True, text=True, check=False, timeout=600)
    assert again.returncode == 0, again.stderr
    first = [line.split("  ")[1] for line in before.splitlines() if "/12  trial " in line]
    then = [line.split("  ")[1] for line in again.stdout.splitlines() if "/12  trial " in line]
    assert len(first) + len(then) == 12
    assert f"{len(first) + 1}/12  " in again.stdout
    assert tomllib.loads(best.read_text(encoding="utf-8"))["labels"] == sorted(LABELS)
    if how is signal.SIGINT:
        assert "the same command continues" in before
        assert "Traceback" not in before
