"""``skol-rnn resume`` continues a stopped training with nothing but its checkpoint."""

from __future__ import annotations

import io
import json
import os
import shutil

import numpy as np
import pytest
from commands import skol

from skol_rnn.cli.app import run
from skol_rnn.cli.command_file import TrainingCommand, command_file
from skol_rnn.persistence.bundle import load_bundle
from skol_rnn.training.log import TrainingLog

TEXT = "[@Genus species Author 1899#Nomenclature*]\n[@pileus broad#Description*]\n[@the authors thank#Misc*]\n" * 8
WORDS = ["train", "data", "--out", "model", "--checkpoint", "run/run 1.npz", "--epochs", "2", "--min-updates", "0"]
WORDS += ["--hidden-size", "4", "--line-size", "4", "--input-size", "4", "--ensemble-size", "1", "--config", "c.toml"]


class Killed(BaseException):
    """Stands for a signal that no program can catch."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A project whose training was killed after the first epoch, and the model of a training that was not."""
    project = tmp_path_factory.mktemp("one") / "project"
    for name in ("data", "run"):
        (project / name).mkdir(parents=True)
    for name in "abc":
        (project / "data" / f"{name}.txt.ann").write_text(TEXT)
    (project / "c.toml").write_text("refit = false\n")
    real = TrainingLog.end_epoch

    def killed(log, epoch, *others):
        if epoch == 2:
            raise Killed
        real(log, epoch, *others)

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(project)
        assert skol(*[word.replace("model", "whole").replace("run 1", "whole") for word in WORDS]) == 0
        patched.setattr(TrainingLog, "end_epoch", killed)
        with pytest.raises(Killed):
            run(WORDS)
    return project


@pytest.fixture
def project(stopped, tmp_path):
    """A copy at another place."""
    return shutil.copytree(stopped, tmp_path / "elsewhere")


@pytest.fixture
def no_training(monkeypatch):
    def fit(*_, **__):
        raise AssertionError("a training began")

    monkeypatch.setattr("skol_rnn.model.RNNSkolModel.fit", fit)


@pytest.mark.backends
def test_a_stopped_training_is_continued_from_another_folder(project, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert skol("resume", "elsewhere/run/run 1.npz") == 0
    out, err = capsys.readouterr()
    assert f"In {project}: skol-rnn train data --out model --checkpoint 'run/run 1.npz'" in err
    assert "Continuing after epoch 1 of run/run 1.npz." in out and "epoch 1  loss" not in out
    resumed, straight = (load_bundle(project / name) for name in ("model", "whole"))
    assert resumed.state["history"] == straight.state["history"]
    for name, array in straight.network.items():
        np.testing.assert_array_equal(resumed.network[name], array)
    assert sorted(os.listdir(project / "run")) == ["run 1.npz", "run 1.npz.command", "whole.npz", "whole.npz.command"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: (p / "data" / "b.txt.ann").write_text(TEXT + "more\n"), "since it began, b is changed. Bring back"),
        (
            lambda p: (p / "data" / "b.txt.ann").write_text(TEXT.replace("Misc", "Key", 1)),
            "since it began, b is changed",
        ),
        (lambda p: (p / "data" / "b.txt.ann").unlink(), "since it began, b is gone"),
        (lambda p: (p / "data" / "d.txt.ann").write_text(TEXT), "since it began, d is new"),
        (lambda p: (p / "c.toml").write_text("refit = false\n# more"), "since it began, c.toml is changed"),
        (lambda p: (p / "run" / "run 1.npz").write_bytes(b"x"), "run 1.npz is damaged or no checkpoint"),
    ],
)
def test_what_has_changed_since_is_refused_and_named(project, monkeypatch, capsys, change, said):
    change(project)
    monkeypatch.chdir(project)
    assert skol("resume", "run/run 1.npz") == 3
    assert said in capsys.readouterr().err
    assert not (project / "model").exists()


@pytest.mark.parametrize(
    "damage",
    [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b"null", b"{}", b'{"words": "train"}', {"words": ["predict", "x"]},
     {"words": []}, {"words": [1]}, {"folder": 1}, {"folder": None}, {"read": []}, {"read": {"a": 1}}, {"more": 1}],
)  # fmt: skip
def test_a_damaged_command_is_refused(project, no_training, monkeypatch, capsys, damage):
    file = command_file(project / "run" / "run 1.npz")
    if isinstance(damage, dict):
        damage = json.dumps({**json.loads(file.read_bytes()), **damage}).encode()
    file.write_bytes(damage)
    monkeypatch.chdir(project)
    assert skol("resume", "run/run 1.npz") == 3
    assert "run 1.npz.command is damaged (" in (said := capsys.readouterr().err) and "Traceback" not in said


def test_a_checkpoint_without_its_command_or_away_from_its_place_is_refused(project, no_training, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert skol("resume", "run/none.npz") == 3
    assert "There is no run/none.npz.command" in capsys.readouterr().err
    for name in ("run 1.npz", "run 1.npz.command"):
        shutil.move(project / "run" / name, project / name)
    assert skol("resume", "run 1.npz") == 3
    said = capsys.readouterr().err
    assert "run 1.npz was moved" in said and "skol-rnn train data --out model" in said


def test_a_training_without_a_saved_epoch_starts_from_its_command(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    os.remove("run/run 1.npz")
    called = []
    monkeypatch.setattr(
        "skol_rnn.model.RNNSkolModel.fit", lambda *_, **k: called.append(k) or (_ for _ in ()).throw(KeyboardInterrupt)
    )
    assert skol("resume", "run/run 1.npz") == 130
    assert str(called[0]["checkpoint"]) == "run/run 1.npz"
    assert f"skol-rnn resume '{project}/run/run 1.npz'" in capsys.readouterr().err


def test_messages_of_a_resumed_training_speak_in_options(project, monkeypatch, capsys):
    file = project / "run" / "run 1.npz"
    found = json.loads(command_file(file).read_bytes())
    TrainingCommand(**{**found, "words": [*found["words"], "--batch-size", "0"]}).write(file)
    assert skol("resume", file) == 2
    assert "--batch-size must be" in capsys.readouterr().err


def test_a_run_that_read_standard_input_is_continued_by_its_whole_command(tmp_path, monkeypatch, capsys):
    def fit(*_, **__):
        raise KeyboardInterrupt

    def given(text):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("skol_rnn.model.RNNSkolModel.fit", fit)
    words = ["train", "-", "--input-format", "yedda", "--out", "model", "--checkpoint", "run.npz"]
    given(TEXT)
    assert skol(*words) == 130
    given("")
    assert skol("resume", "run.npz") == 3
    assert "Stopped" not in capsys.readouterr().err.splitlines()[-1]
    given(TEXT)
    assert skol(*words) == 130
