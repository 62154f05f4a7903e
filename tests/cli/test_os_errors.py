"""What the system refuses is one sentence with the file, in every command, and what was there stays as it was."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys

import pytest

from skol_rnn.cli.app import run
from skol_rnn.persistence.bundle import load_bytes

TEXT = "[@Genus species Author 1899#Nomenclature*]\n[@pileus broad#Description*]\n[@the authors thank#Misc*]\n"
TRAIN = [
    "train",
    "{data}",
    "--epochs",
    "1",
    "--min-updates",
    "0",
    "--hidden-size",
    "4",
    "--ensemble-size",
    "1",
    "--no-refit",
]
TUNE = ["tune", "{data}", "--trials", "1", "--folds", "2"]
BATCH = """
seeds = [0]
[settings]
small = {epochs = 1, min_updates = 0, hidden_size = 4, ensemble_size = 1, refit = false}
[data.one]
train = "data"
test = "data"
"""

WRITE_FILE = {
    "train": [*TRAIN, "--out", "{out}.skol"],
    "evaluate": ["evaluate", "{model}", "{data}", "--out", "{out}"],
    "evaluate --html": ["evaluate", "{model}", "{data}", "--html", "{out}"],
    "report": ["report", "{model}", "{data}", "--out", "{out}"],
    "compare": ["compare", "{model}", "{model}", "{data}", "--out", "{out}"],
    "weights --save": ["weights", "{data}", "--save", "{out}.json"],
    "weights --chart-file": ["weights", "{data}", "--chart-file", "{out}.svg"],
    "init-config": ["init-config", "--overwrite", "--out", "{out}"],
    "tune": [*TUNE, "--out", "{out}.toml"],
    "tune --storage": [
        *TUNE,
        "--out",
        "{root}/t.toml",
        "--storage",
        "{out}",
    ],
    "tune --curves": [
        *TUNE,
        "--out",
        "{root}/t.toml",
        "--curves",
        "{out}.svg",
    ],
    "train --checkpoint": [*TRAIN, "--out", "{root}/m", "--checkpoint", "{out}"],
}
WRITE_FOLDER = {
    "train": [*TRAIN, "--out", "{out}"],
    "predict": ["predict", "{model}", "{data}", "--out", "{out}"],
    "predict --html": ["predict", "{model}", "{data}", "--out", "{root}/p", "--html", "{out}"],
    "convert": ["convert", "{data}", "--to", "jsonl", "--out", "{out}"],
    "spans --html": ["spans", "{data}", "--predicted", "{data}", "--html", "{out}"],
    "batch": ["batch", "{root}/batch.toml", "--jobs", "1", "--out", "{out}"],
    "demo": ["demo", "--out", "{out}"],
    "download": ["download", "sample", "--out", "{out}"],
}
TRAINS = ("tune", "train", "batch", "demo")
READ = {
    "train": [*TRAIN, "--out", "{root}/m"],
    "predict": ["predict", "{model}", "{data}", "--out", "{root}/p"],
    "evaluate": ["evaluate", "{model}", "{data}"],
    "report": ["report", "{model}", "{data}", "--out", "{root}/r"],
    "compare": ["compare", "{model}", "{model}", "{data}", "--out", "{root}/c"],
    "weights": ["weights", "{data}"],
    "tune": ["tune", "{data}", "--out", "{root}/t.toml"],
    "validate": ["validate", "{data}"],
    "convert": ["convert", "{data}", "--to", "jsonl", "--out", "{root}/o"],
    "spans": ["spans", "{data}", "--predicted", "{data}"],
}
MODEL = {
    "info": ["info", "{model}"],
    **{name: words for name, words in READ.items() if "{model}" in words},
}
PRINT = {
    "validate": ["validate", "{data}"],
    "weights": ["weights", "{data}", "--json"],
    "info": ["info", "{model}", "--json"],
    "spans": ["spans", "{data}", "--predicted", "{data}"],
    "init-config": ["init-config"],
    "convert": ["convert", "{data}", "--to", "jsonl", "--out", "-"],
    "predict": ["predict", "{model}", "{data}", "--backend", "onnx", "--format", "jsonl", "--out", "-"],
    "evaluate": ["evaluate", "{model}", "{data}", "--json"],
    "report": ["report", "{model}", "{data}", "--out", "-"],
    "download": ["download"],
}
SAID = "cannot be (read|written|used)|is a (folder|file|pipe)|is not a folder|is no regular file|exists|too long|does not exist"


def table(commands):
    return pytest.mark.parametrize("words", commands.values(), ids=commands.keys())


@pytest.fixture
def place(tmp_path):
    (tmp_path / "data").mkdir()
    for name in "ab":
        (tmp_path / "data" / f"{name}.txt.ann").write_text(TEXT)
    (tmp_path / "batch.toml").write_text(BATCH)
    return tmp_path


@pytest.fixture
def refused(place, tiny_bundle, capsys):
    """Return a function that runs a command, expects one sentence with a file, and returns it."""

    def skol(words, status=(1, 2, 3), file="", **paths):
        given = {"root": place, "data": place / "data", "model": tiny_bundle, **paths}
        with pytest.raises(SystemExit) as stop:
            run([word.format_map({name: str(path) for name, path in given.items()}) for word in words])
        said = re.sub(r"[ \n│]+", " ", capsys.readouterr().err)
        assert stop.value.code in status, said
        assert "Traceback" not in said and "--debug" not in said and "Error:" not in said, said
        assert file in said or file.replace(" ", "") in said.replace(" ", ""), said
        assert re.search(SAID, said), said
        return said

    return skol


@pytest.fixture
def no_training(monkeypatch):
    def fit(*_, **__):
        raise AssertionError("a training began")

    monkeypatch.setattr("skol_rnn.model.RNNSkolModel.fit", fit)


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "x"}


@table(WRITE_FILE | {f"{name} (folder)": words for name, words in WRITE_FOLDER.items()})
@pytest.mark.parametrize("kind", ["pipe", "below a file", "long", "circle", "null device"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(refused, place, no_training, words, kind):
    ending = next((word.partition("{out}")[2] for word in words if "{out}" in word), "")
    out = place / "out"
    made = place / f"out{ending}"
    if kind == "pipe":
        os.mkfifo(made)
    elif kind == "circle":
        made.symlink_to(made)
    elif kind == "null device":
        made.symlink_to("/dev/null")
    elif kind == "below a file":
        out = place / "data" / "a.txt.ann" / "out"
    else:
        out = place / ("x" * 300)
    before = contents(place)
    refused(words, out=out, file=str(out)[:60])
    assert contents(place) == before
    if kind in ("pipe", "circle", "null device"):
        assert made.is_symlink() or made.is_fifo()


@table(READ)
@pytest.mark.parametrize("kind", ["pipe", "long", "circle", "null", "device"])
def test_an_input_that_cannot_be_read_is_refused(refused, place, no_training, words, kind):
    data = place / "in.txt.ann"
    if kind == "pipe":
        os.mkfifo(data)
    elif kind == "circle":
        data.symlink_to(data)
    elif kind == "device":
        data.symlink_to("/dev/zero")
    else:
        data = place / ("x" * 300 if kind == "long" else "a\0b.txt")
    refused(words, data=data)


@table(MODEL)
@pytest.mark.parametrize("kind", ["pipe", "long", "circle", "file"])
def test_a_model_that_cannot_be_read_is_refused(refused, place, no_training, words, kind):
    model = place / "model"
    if kind == "pipe":
        os.mkfifo(model)
    elif kind == "circle":
        model.symlink_to(model)
    elif kind == "file":
        model = place / "data" / "a.txt.ann" / "model"
    else:
        model = place / ("x" * 300)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys.modules[__name__], "SAID", f"{SAID}|[Tt]here is no model|is not a saved model")
        refused(words, model=model)


needs_permission = pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may read and write anywhere")


@needs_permission
@table(WRITE_FILE | {f"{name} (folder)": words for name, words in WRITE_FOLDER.items()})
def test_a_folder_that_may_not_be_written_is_said_before_any_work(refused, place, no_training, words):
    locked = place / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    before = contents(place)
    refused(words, out=locked / "out", file=str(locked)[:60])
    assert contents(place) == before


@needs_permission
@table(READ)
def test_a_document_that_may_not_be_read_is_said(refused, place, no_training, words):
    (place / "data" / "b.txt.ann").chmod(0)
    refused(words, file="b.txt.ann")


@needs_permission
@table(MODEL)
def test_a_model_that_may_not_be_read_is_said(refused, place, tiny_bundle, words):
    model = place / "model.skol"
    model.write_bytes(load_bytes(tiny_bundle))
    model.chmod(0)
    refused(words, model=model, file="model.skol")


@table(PRINT)
def test_a_full_standard_output_is_one_sentence(refused, monkeypatch, words):
    full = open("/dev/full", "w")  # noqa: SIM115  # closing it raises the error again
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr("skol_rnn.cli.app._close_standard_output", lambda: None)
    said = refused(words, status=(1,))
    assert "o space left on device" in said and ("tandard output" in said or " - cannot be written" in said)
    monkeypatch.undo()
    with contextlib.suppress(OSError):
        full.close()


FULL = {name: words for name, words in (WRITE_FILE | WRITE_FOLDER).items() if words[0] not in TRAINS}


@table(FULL)
@pytest.mark.parametrize("call", ["write", "replace"])
def test_a_full_disk_names_the_file_and_keeps_the_old_one(refused, place, monkeypatch, words, call):
    ending = next(word.partition("{out}")[2] for word in words if "{out}" in word)
    made, folder = place / f"out{ending}", words in WRITE_FOLDER.values()
    if not folder:
        made.write_text("old")
    before = contents(place)
    from skol_rnn.persistence import atomic

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    class Full:
        def __init__(self, path, mode):
            self.file = open(path, mode)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        write = staticmethod(full)

    if call == "write":
        monkeypatch.setattr(atomic, "open", Full, raising=False)
    else:
        monkeypatch.setattr(atomic.os, "replace", full)
    said = refused(words, status=(1, 3), out=place / "out", file=str(place))
    assert "No space left on device" in said
    monkeypatch.undo()
    after = {file: data for file, data in contents(place).items() if ".skol-rnn-journal" not in file.name}
    assert after == before
