"""Manners of the commands: checks before TensorFlow loads, standard streams, progress, interrupts, help."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib

import pytest
import typer
from commands import skol
from toy import SMALL

from skol_rnn.cli.app import COMMANDS, application
from skol_rnn.cli.common import counted, in_options
from skol_rnn.cli.config import config_text
from skol_rnn.cli.options import OPTION_OF
from skol_rnn.cli.train import read_settings
from skol_rnn.data.reading import read_documents
from skol_rnn.data.writing import write_documents
from skol_rnn.training.checks import check_parameters
from skol_rnn.training.parameters import PARAMETERS, ModelParameters, values_of

TEXTS = {
    "a": "[@Genus species Author 1899#Nomenclature*]\n[@pileus broad#Description*]\n[@the authors thank#Misc*]\n",
    "b": "[@Genus other Author 1901#Nomenclature*]\n[@spores smooth#Description*]\n[@their friends#Misc*]\n",
}
NAMES = "unit", "loss", "window_size"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for name, text in TEXTS.items():
        (folder / f"{name}.txt.ann").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def stdin(monkeypatch):
    """Return a function that sets what standard input holds."""

    def given(data, terminal=False):
        stream = io.TextIOWrapper(io.BytesIO(data if isinstance(data, bytes) else data.encode()))
        stream.isatty = lambda: terminal
        monkeypatch.setattr(sys, "stdin", stream)

    return given


TRAIN = ["train", "{corpus}", "--out", "{new}/m"]
TUNE = ["tune", "{corpus}", "--out", "{new}/t.toml"]
PREDICT = ["predict", "{model}", "{corpus}", "--out", "{new}/o"]
EVALUATE = ["evaluate", "{model}", "{corpus}"]
REPORT = ["report", "{model}", "{corpus}", "--out", "{new}/r.html"]
COMPARE = ["compare", "{model}", "{model}", "{corpus}", "--out", "{new}/c.html"]
CONVERT = ["convert", "{corpus}", "--out", "{new}/o", "--to"]
WEIGHTS = ["weights", "{corpus}"]

EARLY = [
    (
        ["adapt", "{model}", "{plain}", "--training", "{corpus}", "--out", "{new}"],
        "No line of the reviewed documents has a label",
    ),
    (["audit", "{corpus}", "--out", "{new}", "--lines", "none"], "--lines takes a number such as 200"),
    (["audit", "{plain}", "--out", "{new}", "--preset", "instant"], "No document has a label"),
    (["records", "{model}", "{plain}", "--begin", "Nope", "--with", "Misc", "--out", "{new}.csv"], "no label 'Nope'"),
    (["estimate", "{model}", "{plain}", "--decision", "recall:Nope=0.9"], "the model has no label 'Nope'"),
    (["predict", "{model}", "{plain}", "--out", "{new}", "--decision", "recall:Misc"], "write recall:LABEL=0.95"),
    (["evaluate", "{model}", "{corpus}", "--decision", "cost:none.csv"], "none.csv: the costs cannot be read"),
    ([*TRAIN, "--epochs", "0"], "--epochs must be a whole number of at least 1, but is 0."),
    ([*TRAIN, "--dropout", "2"], "--dropout must be at least 0 and below 1"),
    ([*TRAIN, "--prediction-stride", "16"], "--prediction-stride must be between 1"),
    ([*TRAIN, "--learning-rate", "-1"], "--learning-rate must be above 0"),
    ([*TRAIN, "--seed", "-1"], "--seed must be from 0 to 2147483647, but is -1."),
    ([*TRAIN, "--loss", "fokal"], "--loss must be one of cross_entropy, focal"),
    ([*TRAIN, "--loss", "focal:gamma=-1"], "option gamma of the loss"),
    ([*TRAIN, "--loss", "soft_f1", "--class-weights", "inverse"], "--class-weights have no effect with --loss soft_f1"),
    ([*TRAIN, "--decision", "tned"], "Did you mean 'tuned'?"),
    ([*TRAIN, "--features", "tfid"], "Did you mean 'tfidf'?"),
    ([*TRAIN, "--unit", "tokens"], "--unit must be one of line, token"),
    ([*TRAIN, "--sampling", "oversampl"], "Did you mean 'oversample'?"),
    ([*TRAIN, "--unlabelled", "skipp"], "--unlabelled must be one of skip, other"),
    ([*TRAIN, "--overlap", "priority"], "--overlap must be one of error, longest, first"),
    ([*TRAIN, "--input-format", "yeda"], "--input-format must be one of"),
    ([*TRAIN, "--important", "Nomenclatur"], "Did you mean 'Nomenclature'?"),
    ([*TRAIN, "--focal-labels", "Nomenclatur"], "Did you mean 'Nomenclature'?"),
    ([*TRAIN, "--labels", "Nomenclatur", "--other", "Misc"], "'Nomenclatur' of --labels. Did you mean"),
    ([*TRAIN, "--labels", "Misc"], "Give --other Misc to merge"),
    ([*TRAIN, "--monitor", "f1/Key"], "--monitor must be one of important_f1"),
    ([*TRAIN, "--class-weights", "Nomenclatur=3"], "Did you mean 'Nomenclature'?"),
    ([*TRAIN, "--class-weights", "{new}/w.json"], "w.json does not exist"),
    (["train", "{corpus}", "--out", ""], "--out has an empty value"),
    (["predict", "{model}", "{corpus}", "--out="], "--out has an empty value"),
    ([*TRAIN, "--checkpoint", "{corpus}"], "--checkpoint {corpus} is a folder"),
    ([*TRAIN, "--config", "{new}/c.toml"], "c.toml does not exist"),
    ([*TRAIN, "--dev", "{corpus}/c.txt.ann"], "c.txt.ann does not exist. Did you mean"),
    (["train", "{corpus}", "--out", "{corpus}/a.txt.ann/m"], "a.txt.ann is not a folder"),
    (["train", "{corpus}", "--out", "-"], "--out cannot be standard output"),
    (["train", "-", "--out", "{new}/m"], "Standard input (-) has no ending that tells its format: give --input-format"),
    (["train", "{new}/x.txt", "--out", "{new}/m"], "x.txt does not exist"),
    (["resume", "{new}/run.npz"], "There is no {new}/run.npz.command"),
    ([*TUNE, "--trials", "0"], "--trials must be at least 1"),
    ([*TUNE, "--folds", "1"], "--folds must be at least 2"),
    ([*TUNE, "--folds", "9"], "2 documents for 9 folds"),
    ([*TUNE, "--seed", "-1"], "--seed must be from 0"),
    ([*TUNE, "--search", "alfa"], "--search must list some of alpha"),
    ([*TUNE, "--metric", "f1/Key"], "--metric must be one of important_f1"),
    ([*TUNE, "--important", "Nomenclatur"], "Did you mean 'Nomenclature'?"),
    ([*TUNE, "--epochs", "0"], "--epochs must be a whole number"),
    ([*TUNE, "--curves", "{new}/x.gif"], "ends in .png or .svg"),
    (["tune", "{corpus}", "--out", "{corpus}"], "--out {corpus} is a folder"),
    ([*PREDICT, "--decision", "tned"], "Did you mean 'tuned'?"),
    ([*PREDICT, "--backend", "kerass"], "Did you mean 'keras'?"),
    (["predict", "{new}/m", "{corpus}", "--out", "{new}/o"], "There is no model at"),
    ([*EVALUATE, "--decision", "tned"], "Did you mean 'tuned'?"),
    ([*EVALUATE, "--offsets", "utf-8"], "--offsets must be one of characters, utf-16"),
    ([*EVALUATE, "--out", "{corpus}"], "--out {corpus} is a folder: give a file, such as {corpus}/scores.json"),
    ([*EVALUATE, "--html", "{corpus}/a.txt.ann/r.html"], "a.txt.ann is not a folder"),
    ([*EVALUATE, "--json", "{new}/s.json"], "write --out {new}/s.json instead of --json {new}/s.json"),
    ([*EVALUATE, "--json", "-"], "write --json alone instead of --json -"),
    (["evaluate", "{model}", "{other}"], "Label 'Key' of the data is not among"),
    (["evaluate", "{model}", "{plain}"], "The data have no labels"),
    ([*REPORT, "--decision", "tned"], "Did you mean 'tuned'?"),
    (["report", "{model}", "{corpus}", "--out", "{corpus}"], "--out {corpus} is a folder"),
    (["report", "{model}", "{other}", "--out", "{new}/r.html"], "Label 'Key' of the data is not among"),
    ([*COMPARE, "--overlap", "longst"], "Did you mean 'longest'?"),
    (["compare", "{model}", "{model}", "{plain}", "--out", "{new}/c.html"], "The data have no labels"),
    ([*CONVERT, "yeda"], "--to must be one of"),
    ([*CONVERT, "jsonl", "--overlap", "priority"], "--overlap priority needs the types in their order: --priority"),
    ([*WEIGHTS, "--strategy", "smothed"], "--strategy must be one of inverse"),
    ([*WEIGHTS, "--max-ratio", "0.5"], "--max-ratio must be a finite number"),
    ([*WEIGHTS, "--save", "{corpus}"], "--save {corpus} is a folder"),
    ([*WEIGHTS, "--labels", "Nomenclatur"], "Did you mean 'Nomenclature'?"),
    (["spans", "{corpus}", "--predicted", "{corpus}", "--unit", "tokn"], "Did you mean 'token'?"),
    (["spans", "-", "--predicted", "-"], "- is given twice, but standard input can be read only once."),
    (["validate", "-", "-", "--input-format", "text"], "- is given twice"),
    (["validate", "-", "--input-format", "brat"], "brat needs two: give files"),
    (["batch", "{new}/b.toml"], "b.toml does not exist"),
    (["batch", "{batch}", "--jobs", "0"], "--jobs must be at least 1"),
    (["batch", "{batch}", "--out", "{new}/o"], "setting 'a': hidden_size must be a whole number"),
    (["demo", "--out", "{corpus}/a.txt.ann"], "is a file: give a folder"),
    (["download", "sample", "--out", "{corpus}/a.txt.ann"], "is a file: give a folder"),
    (["download", "jurnals"], "Did you mean 'journals'?"),
    (["init-config", "--out", "{corpus}/a.txt.ann"], "a.txt.ann exists: add --overwrite"),
    # Libraries of extras that are missing: the name before the words.
    (["!jinja2", *REPORT], "jinja2"),
    (["!matplotlib", *EVALUATE, "--html", "{new}/r.html"], "skol_rnn[report]"),
    (["!matplotlib", *COMPARE], "skol_rnn[report]"),
    (["!optuna", *TUNE], "skol_rnn[tune]"),
    (["!tomli_w", *TUNE], "skol_rnn[tune]"),
    (["!matplotlib", *TUNE, "--curves", "{new}/x.png"], "skol_rnn[report]"),
    (["!matplotlib", *WEIGHTS, "--chart-file", "{new}/x.png"], "skol_rnn[report]"),
    (["!torch", *WEIGHTS, "--save", "{new}/x.pt"], "pip install torch"),
    (["!pyarrow", *CONVERT, "parquet"], "skol_rnn[parquet]"),
    (["!jinja2", "batch", "{batch}", "--out", "{new}/o"], "skol_rnn[report]"),
    (["!jinja2", "spans", "{corpus}", "--predicted", "{corpus}", "--html", "{new}/o"], "jinja2"),
    (["!pooch", "download", "journals", "--out", "{new}/o"], "skol_rnn[data]"),
]

# One process for all commands: none of them may load TensorFlow, and each must end soon.
RUNNER = """
import contextlib, io, json, sys, time
from skol_rnn.cli.app import run
found = []
for words in json.load(sys.stdin):
    sys.stdin = io.TextIOWrapper(io.BytesIO(b""))
    missing = words.pop(0)[1:] if words[0].startswith("!") else "nothing"
    present = sys.modules.get(missing)
    sys.modules[missing] = None
    out, err, started, status = io.StringIO(), io.StringIO(), time.monotonic(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run(words)
        except SystemExit as stop:
            status = stop.code
    del sys.modules[missing]
    if present:
        sys.modules[missing] = present
    loaded = [name for name in ("tensorflow", "keras") if name in sys.modules]
    found.append([status, out.getvalue(), err.getvalue(), time.monotonic() - started, loaded])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def places(corpus, tiny_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    (folder / "other.txt.ann").write_text("[@one#Key*]\n", encoding="utf-8")
    (folder / "plain.txt").write_text("one\ntwo\n", encoding="utf-8")
    data = f'[data.d]\ntrain = "{corpus}"\ntest = "{corpus}"\n'
    (folder / "batch.toml").write_text(f"[settings.a]\nhidden_size = 0\n{data}", encoding="utf-8")
    files = {"other": "other.txt.ann", "plain": "plain.txt", "batch": "batch.toml"}
    named = {name: folder / file for name, file in files.items()}
    return {"corpus": corpus, "model": tiny_bundle, "new": folder / "new", **named}


@pytest.fixture(scope="module")
def outcomes(places):
    given = json.dumps([[word.format(**places) for word in words] for words, _ in EARLY])
    ran = subprocess.run([sys.executable, "-c", RUNNER], input=given, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("number", range(len(EARLY)), ids=lambda i: " ".join(EARLY[i][0])[:70])
def test_what_is_wrong_is_said_before_tensorflow_loads_and_before_anything_is_written(outcomes, places, number):
    status, out, err, seconds, loaded = outcomes[number]
    sentence = EARLY[number][1].format(**places)
    assert sentence in re.sub(r"\s+", " ", err), err
    assert status in (1, 2, 3) and out.strip() == "" and "Traceback" not in err
    assert len(err.splitlines()) == 1
    assert loaded == [] and seconds < 4
    assert not places["new"].exists()


def test_each_command_is_among_the_checked_ones():
    checked = {next(word for word in words if word[0] != "!") for words, _ in EARLY}
    assert checked == set(COMMANDS) - {"info", "review"}


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ('class_weights have no effect with loss="soft_f1".', "--class-weights have no effect with --loss soft_f1."),
        ("Give other='Misc' to merge.", "Give --other Misc to merge."),
        ("a.txt: its ending is unknown: give format=.", "a.txt: its ending is unknown: give --input-format."),
        ("read_documents(..., fold_labels=True) merges them.", "--fold-labels merges them."),
        ("raise epochs=, or lower batch_size=", "raise --epochs, or lower --batch-size"),
        ("unit must be one of line", "--unit must be one of line"),
        # Words that are no arguments stay: names of labels and files, and prose.
        ("Unknown label 'window_size=3'; known is 'loss'.", "Unknown label 'window_size=3'; known is 'loss'."),
        ("x/window_size.txt is empty. The loss is 3.", "x/window_size.txt is empty. The loss is 3."),
    ],
)
def test_messages_of_commands_name_options(message, written):
    options = {**OPTION_OF, "other": "--other", "format": "--input-format", "fold_labels": "--fold-labels"}
    assert in_options(message, options) == written


def test_settings_of_a_file_keep_their_names(corpus, tmp_path, capsys):
    (tmp_path / "c.toml").write_text("hidden_size = 0\n", encoding="utf-8")
    assert skol("train", corpus, "--out", tmp_path / "m", "--config", tmp_path / "c.toml") == 2
    assert "skol-rnn: hidden_size must be" in capsys.readouterr().err


RECORDS = "".join(json.dumps({"id": name, "text": "one\ntwo", "label": [[0, 3, "Misc"]]}) + "\n" for name in "xy")


def test_commands_read_standard_input(corpus, tiny_bundle, tmp_path, stdin, capsys):
    stdin(RECORDS)
    assert skol("validate", "-", "--input-format", "jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 2
    stdin(RECORDS)
    assert skol("weights", "-", "--input-format", "jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out)["labels"][0]["count"] == 2
    stdin(TEXTS["a"])
    assert skol("convert", "-", "--input-format", "yedda", "--to", "jsonl", "--out", tmp_path / "c") == 0
    assert json.loads((tmp_path / "c" / "stdin.jsonl").read_text())["text"].startswith("Genus species")
    stdin(RECORDS)
    assert skol("predict", tiny_bundle, "-", "--input-format", "jsonl", "--out", tmp_path / "p") == 0
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["x.txt.ann", "y.txt.ann"]
    capsys.readouterr()
    stdin(TEXTS["a"])
    assert skol("spans", "-", "--input-format", "yedda", "--predicted", "-") == 2
    (tmp_path / "stdin.txt.ann").write_text(TEXTS["a"], encoding="utf-8")
    stdin(TEXTS["a"])
    words = ["spans", "-", "--input-format", "yedda", "--predicted", tmp_path / "stdin.txt.ann", "--json"]
    assert skol(*words) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1


def test_what_is_wrong_in_standard_input_is_said_with_its_line(stdin, capsys):
    stdin(RECORDS + "{\n")
    assert skol("validate", "-", "--input-format", "jsonl") == 3
    assert "<stdin>:3: " in capsys.readouterr().err
    stdin("", terminal=True)
    assert skol("validate", "-", "--input-format", "text") == 3
    assert "Standard input is a terminal: pipe documents into the command" in capsys.readouterr().err


def test_python_reads_standard_input_too(stdin):
    stdin(RECORDS)
    assert [document.doc_id for document in read_documents("-", format="jsonl")] == ["x", "y"]
    stdin(b"\xef\xbb\xbfone")
    assert read_documents("-", format="text").documents[0].text == "one"


def test_scores_and_pages_go_to_standard_output(corpus, tiny_bundle, capsys):
    words = ["evaluate", tiny_bundle, corpus]
    assert skol(*words, "--out", "-") == 0
    printed = capsys.readouterr().out
    assert skol(*words, "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(printed)
    assert skol("report", tiny_bundle, corpus, "--out", "-") == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


def test_a_closed_pipe_is_no_error(corpus):
    script = f"{sys.executable} -m skol_rnn init-config | head -1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr == "" and ran.stdout.startswith("# Settings")


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_only(corpus, tiny_bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich draw into pipes
    monkeypatch.setenv("TERM", "xterm")
    assert skol("evaluate", tiny_bundle, corpus, "--out", tmp_path / "s.json") == 0
    piped = capsys.readouterr()
    assert "\x1b" not in piped.err and "Reading" not in piped.err + piped.out
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    assert skol("evaluate", tiny_bundle, corpus, "--out", tmp_path / "s.json") == 0
    assert "Reading" in shown.getvalue() and "Predicting" in shown.getvalue() and "2/2" in shown.getvalue()
    assert "Reading" not in capsys.readouterr().out
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    assert skol("evaluate", tiny_bundle, corpus, "--json") == 0
    assert "\x1b" not in shown.getvalue()


def test_a_counted_iterable_is_the_same(monkeypatch):
    assert list(counted("abc", "Counting", 3)) == ["a", "b", "c"]


def test_probabilities_come_with_the_names_of_their_labels(corpus, tiny_bundle, tmp_path):
    for form in ("jsonl", "csv", "parquet"):
        assert skol("predict", tiny_bundle, corpus, "--out", tmp_path / form, "--format", form) == 0
    names = {"Nomenclature", "Description", "Misc"}
    record = json.loads((tmp_path / "jsonl" / "a.jsonl").read_text())
    assert set(record["probabilities"]) == names
    with (tmp_path / "csv" / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {f"p({name})" for name in names} <= set(rows[0])
    for i, row in enumerate(rows):
        shares = {name: float(row[f"p({name})"]) for name in names}
        assert sum(shares.values()) == pytest.approx(1)
        assert {name: record["probabilities"][name][i] for name in names} == shares
    labels = [read_documents(tmp_path / form).documents[0].labels for form in ("jsonl", "csv", "parquet")]
    assert labels[0] == labels[1] == labels[2] == tuple(row["label"] for row in rows)


def test_any_name_of_a_label_is_written_with_its_probabilities(tmp_path):
    import pandas as pd

    table = pd.DataFrame([[0.25, 0.75]], columns=['p(x), "y"', "Größe [x]"])
    (path,) = write_documents(_one_line(), tmp_path, format="csv", probabilities={"d": table})
    assert pd.read_csv(path)[['p(p(x), "y")', "p(Größe [x])"]].values.tolist() == [[0.25, 0.75]]
    assert read_documents(path).documents[0].labels == ("A",)


def _one_line():
    from skol_rnn.data.document import Document

    return [Document("d", "one", ("A",))]


def test_the_settings_file_holds_the_defaults_and_reads_back(tmp_path, capsys):
    assert skol("init-config", "--out", tmp_path / "c.toml") == 0
    capsys.readouterr()
    assert skol("init-config") == 0
    text = capsys.readouterr().out
    assert text == (tmp_path / "c.toml").read_text() == config_text()
    assert max(map(len, text.splitlines())) <= 100
    settings = read_settings(tmp_path / "c.toml", {})
    assert values_of(ModelParameters(**settings)) == values_of(ModelParameters())
    # A setting in a comment is valid where its comment sign is removed, and each has its documentation above it.
    every = re.sub(r"^# (?=(?:\w+) = )", "", text, flags=re.MULTILINE)
    values = tomllib.loads(every)
    assert set(values) == {*PARAMETERS, "labels", "other"}
    assert re.search(r"# LSTM units in each direction\.\nhidden_size = 96\n", text)
    for name in ("labels", "other", "focal_labels", "vectors", "vector_layers"):  # of tokens, or not with class weights
        del values[name]
    check_parameters(values_of(ModelParameters(**values)))
    (tmp_path / "c.toml").write_text("epochs = 3\n")
    assert skol("init-config", "--out", tmp_path / "c.toml") == 2
    assert (tmp_path / "c.toml").read_text() == "epochs = 3\n"
    assert skol("init-config", "--out", tmp_path / "c.toml", "--overwrite") == 0
    assert (tmp_path / "c.toml").read_text() == text


@pytest.mark.parametrize(
    ("number", "status", "word"), [("SIGINT", 130, "Interrupted."), ("SIGTERM", 143, "Terminated.")]
)
def test_a_stopped_training_says_how_to_go_on(corpus, tmp_path, monkeypatch, capsys, number, status, word):
    def stopped(*_, **__):
        os.kill(os.getpid(), getattr(signal, number))
        time.sleep(5)

    monkeypatch.setattr("skol_rnn.model.RNNSkolModel.fit", stopped)
    before = signal.getsignal(getattr(signal, number))
    words = ["train", str(corpus), "--out", str(tmp_path / "m")]
    assert skol(*words) == status
    said = capsys.readouterr().err
    assert "Nothing is saved. With --checkpoint FILE, a stopped training continues" in said
    assert said.endswith(f"skol-rnn: {word}\n")
    assert signal.getsignal(getattr(signal, number)) is before
    words += ["--checkpoint", str(tmp_path / "run file.npz")]
    assert skol(*words) == status
    assert "run file.npz is not written yet; this starts again:\nskol-rnn resume '" in capsys.readouterr().err
    (tmp_path / "run file.npz").touch()
    assert skol(*words) == status
    said = capsys.readouterr().err
    assert f"holds the training so far; this continues it:\nskol-rnn resume '{tmp_path}/run file.npz'\n" in said
    assert skol(*words, "--verbosity", "2") == status
    assert f"this continues it:\nskol-rnn train {corpus} --out" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_real_training_that_is_stopped_goes_on(corpus, tmp_path, number, status):
    many = tmp_path / "many"
    many.mkdir()
    for i in range(20):
        (many / f"{i}.txt.ann").write_text(TEXTS["a"] * 40, encoding="utf-8")
    words = [sys.executable, "-m", "skol_rnn", "train", str(many), "--out", str(tmp_path / "m"), "--epochs", "60"]
    words += ["--checkpoint", str(tmp_path / "run.npz"), "--patience", "60", "--no-refit", "--seed", "1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "run.npz").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert "run.npz holds the training so far" in err and "Traceback" not in err
    assert not (tmp_path / "m").exists()
    assert not re.search("oneDNN|cuda|absl", err)


@pytest.mark.slow
def test_no_command_prints_messages_of_tensorflow(corpus, tiny_bundle, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    settings = [f"--{name.replace('_', '-')}={SMALL[name]}" for name in ("hidden_size", "line_size", "ensemble_size")]
    commands = [
        ["train", corpus, "--out", tmp_path / "m", "--epochs", "1", "--min-updates", "0", *settings],
        ["predict", tiny_bundle, corpus, "--out", tmp_path / "p", "--backend", "keras"],
        ["evaluate", tiny_bundle, corpus],
        ["report", tiny_bundle, corpus, "--out", tmp_path / "r.html"],
        ["tune", corpus, "--out", tmp_path / "t.toml", "--trials", "1", "--folds", "2", "--epochs", "1"],
    ]
    for words in commands:
        ran = subprocess.run(
            [sys.executable, "-m", "skol_rnn", *map(str, words)], capture_output=True, text=True, env=environment
        )
        assert ran.returncode == 0, ran.stderr
        assert not re.search("oneDNN|cuda|absl|cpu_feature", ran.stdout + ran.stderr), words


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "review"])
def test_no_word_of_the_help_is_cut_at_80_columns(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert skol(name, "--help") == 0
    shown = capsys.readouterr().out
    assert "…" not in shown and max(map(len, shown.splitlines())) <= 80
    words = set(re.split(r"[\s│]+", shown))
    for parameter in typer.main.get_command(application([name])).commands[name].params:
        if not getattr(parameter, "hidden", False):
            described = [*(parameter.help or "").split(), *(parameter.metavar or "").split()]
            assert [word for word in described if word not in words] == []


def test_tables_break_long_labels_instead_of_cutting_them(tmp_path, tiny_bundle, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    label = "Label-" + "-".join(f"part{i}" for i in range(30))
    (tmp_path / "a.txt.ann").write_text(f"[@one#{label}*]\n[@two#Misc*]\n", encoding="utf-8")
    for words in (["validate", tmp_path], ["weights", tmp_path], ["info", tiny_bundle]):
        assert skol(*words) == 0
        shown = capsys.readouterr().out
        assert "…" not in shown
        if words[0] == "validate":
            assert label in "".join(re.findall(r"^│ (\S*part\S*)", shown, re.MULTILINE))


def test_the_trials_of_many_weights_fit_a_terminal():
    from types import SimpleNamespace

    import pandas as pd
    from rich.console import Console

    from skol_rnn.cli.common import fits
    from skol_rnn.cli.tune import _best_trials

    weights = {f"weight/Label{i}": 1.5 for i in range(20)}
    scores = {"argmax": 0.5, "corrected": 0.4, "tuned": 0.3}
    trials = pd.DataFrame([{"number": 0, "state": "COMPLETE", "score": 0.5, **weights, **scores}])
    console = Console(width=80, file=io.StringIO())
    result = SimpleNamespace(trials=trials, metric="important_f1")
    assert not fits(console, _best_trials(result))
    console.print(_best_trials(result, together=True))
    assert "weight/Label19 1.5" in console.file.getvalue() and "…" not in console.file.getvalue()
