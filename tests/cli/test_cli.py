"""The command line, from annotated files to scores and back: what it prints, writes, refuses and returns."""

from __future__ import annotations

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import skol
from toy import toy_table

from skol_rnn.cli.app import COMMANDS
from skol_rnn.cli.train import PANELS, parse_class_weights, read_settings
from skol_rnn.training.parameters import FORMER, ModelParameters

FAST = ["--epochs", "2", "--hidden-size", "6", "--line-size", "8", "--input-size", "8", "--num-layers", "1"]
FAST += ["--min-updates", "0", "--validation-fraction", "0.1", "--ensemble-size", "1", "--no-refit"]
LABELS = ["--labels", "Nomenclature,Description", "--other", "Misc", "--important", "Nomenclature,Description"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "deep").mkdir()
    for name, part in toy_table(6).groupby("doc_id"):
        text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(part["value"], part["label"], strict=True))
        place = folder / "deep" if name in ("doc4", "doc5") else folder
        (place / f"{name}.txt.ann").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model"
    more = ["--epochs", "12", "--learning-rate", "0.01", "--batch-size", "4"]
    words = ["train", corpus, "--out", path, *LABELS, *FAST, *more]
    assert skol(*words) == 0
    return path


def plain(text):
    return re.sub(r"\[@|#[^*#\]\n]+\*\]", "", text)


def test_train_reports_its_validation_set_and_what_it_saved(corpus, tmp_path, capsys):
    words = ["--class-weights", "smoothed:alpha=0.25", *LABELS, *FAST, "--epochs", "1", "--refit"]
    assert skol("train", corpus, "--out", tmp_path / "m.skol", *words) == 0
    out = capsys.readouterr().out
    assert "[BiLSTM] Using weighted loss with class weights:" in out
    assert re.search(r"Validation set: 1 document \(\S*doc\d\), included in the refit\.", out)
    assert f"Saved the model to {tmp_path / 'm.skol'}" in out
    assert (tmp_path / "m.skol").is_file()


def test_train_prints_json_alone_on_standard_output(corpus, tmp_path, capsys):
    assert skol("train", corpus, "--out", tmp_path / "m", *LABELS, *FAST, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["labels"] == ["Nomenclature", "Description", "Misc"]
    assert printed["parameters"]["hidden_size"] == 6
    assert len(printed["history"]["val_f1/Nomenclature"]) == 2


def test_predict_writes_the_text_of_its_input_and_nothing_else(corpus, trained, tmp_path):
    for source in corpus.rglob("*.ann"):
        place = tmp_path / "plain" / source.relative_to(corpus).with_suffix("")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(plain(source.read_text(encoding="utf-8")), encoding="utf-8")
    assert skol("predict", trained, tmp_path / "plain", "--out", tmp_path / "out") == 0
    assert skol("predict", trained, corpus, "--out", tmp_path / "again") == 0
    written = sorted(p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == sorted(p.relative_to(corpus) for p in corpus.rglob("*.ann"))
    for name in written:
        labelled = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert plain(labelled) == plain((corpus / name).read_text(encoding="utf-8"))
        assert "#Nomenclature*]" in labelled
        assert labelled == (tmp_path / "again" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("form", "ending"), [("jsonl", ".jsonl"), ("csv", ".csv"), ("parquet", ".parquet")])
def test_predict_in_other_formats(corpus, trained, tmp_path, form, ending):
    assert skol("predict", trained, corpus, "--out", tmp_path, "--format", form) == 0
    written = list(tmp_path.rglob(f"*{ending}"))
    assert len(written) == 6 == len([p for p in tmp_path.rglob("*") if p.is_file()])


def test_evaluate_prints_the_classes_and_writes_json(corpus, trained, tmp_path, capsys):
    assert skol("evaluate", trained, corpus, "--out", tmp_path / "scores.json") == 0
    out = capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert f"{scores['Nomenclature_f1']:.4f}" in out
    assert f"{scores['important_f1']:.4f}" in out
    assert scores["important_f1"] > 0.9
    assert len(scores["documents"]) == 6
    assert skol("evaluate", trained, corpus, "--json") == 0
    assert json.loads(capsys.readouterr().out)["important_f1"] == scores["important_f1"]


def test_evaluate_names_the_documents_that_the_model_has_seen(corpus, trained, tmp_path, capsys):
    for name, part in toy_table(1, seed=5).groupby("doc_id"):
        text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(part["value"], part["label"], strict=True))
        (tmp_path / f"new-{name}.txt.ann").write_text(text, encoding="utf-8")
    copy = tmp_path / "copy.txt.ann"
    copy.write_bytes((corpus / "doc0.txt.ann").read_bytes())  # the text counts, not the name
    assert skol("evaluate", trained, tmp_path / "new-doc0.txt.ann") == 0
    alone = capsys.readouterr()
    assert "seen" not in alone.err
    score = re.search(r"mean of important\s.*?(0\.\d{4}|1\.0000)", alone.out)[1]
    assert skol("evaluate", trained, tmp_path) == 0
    said = capsys.readouterr().err
    assert "1 of the 2 documents was in the " in said and "(copy)" in said
    assert f"Without them: important F1 {score}." in said


def test_evaluate_agrees_with_scores_counted_from_the_predicted_files(corpus, trained, tmp_path, capsys):
    skol("predict", trained, corpus, "--out", tmp_path)
    skol("evaluate", trained, corpus, "--json")
    scores = json.loads(capsys.readouterr().out)
    gold, found = ([], [])
    for source in sorted(corpus.rglob("*.ann")):
        for into, path in ((gold, source), (found, tmp_path / source.relative_to(corpus))):
            for text, label in re.findall(r"\[@(.*?)#([A-Za-z]+)\*\]", path.read_text(encoding="utf-8"), re.S):
                into += [label] * len(text.splitlines())
    for label in ("Nomenclature", "Description"):
        hits = sum(g == f == label for g, f in zip(gold, found, strict=True))
        f1 = 2 * hits / (gold.count(label) + found.count(label))
        assert scores[f"{label}_f1"] == pytest.approx(f1, abs=1e-12)


def test_decisions_can_be_chosen_after_training(corpus, trained, capsys):
    seen = {}
    for decision in ("argmax", "corrected", "tuned"):
        assert skol("evaluate", trained, corpus, "--decision", decision, "--json") == 0
        seen[decision] = json.loads(capsys.readouterr().out)
    assert {s["decision"] for s in seen.values()} == set(seen)
    assert skol("evaluate", trained, corpus, "--decision", "tned") == 2
    assert "Did you mean 'tuned'" in capsys.readouterr().err


def test_evaluate_writes_a_page(corpus, trained, tmp_path):
    assert skol("evaluate", trained, corpus, "--html", tmp_path / "report.html") == 0
    assert "<svg" in (page := (tmp_path / "report.html").read_text()) or "<table" in page


def test_weights_validate_and_convert(corpus, tmp_path, capsys):
    assert skol("weights", corpus, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    counts = {row["label"]: row["count"] for row in printed["labels"]}
    largest = max(counts.values())
    assert printed["weights"]["inverse"] == {label: largest / count for label, count in counts.items()}
    assert skol("weights", corpus) == 0
    assert "smoothed" in capsys.readouterr().out
    assert skol("validate", corpus, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["documents"], found["lines"], found["repairs"]) == (6, 240, [])
    for form in ("jsonl", "csv", "text", "yedda"):
        assert skol("convert", corpus, "--to", form, "--out", tmp_path / form) == 0
    assert skol("convert", tmp_path / "jsonl", "--to", "yedda", "--out", tmp_path / "back") == 0
    for source in corpus.rglob("*.ann"):
        back = tmp_path / "back" / source.relative_to(corpus)
        assert plain(back.read_text(encoding="utf-8")) == plain(source.read_text(encoding="utf-8"))


def test_commands_count_repairs_and_name_what_a_format_loses(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("one two")
    (tmp_path / "a.ann").write_text("T1\tA 0 3\tone\nT2\tB 4 7\ttwo\nR1\tof Arg1:T1 Arg2:T2\n#1\tNote T2\tfine\n")
    (tmp_path / "b.txt.ann").write_text("[@one#key*]\nstray#key*]\n[@two#Key*]\n[@two#Key*]\n")
    assert skol("convert", tmp_path, "--to", "jsonl", "--out", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert "4 repairs in 2 files: 2 annotation of no text, 1 stray closer, 1 text outside blocks." in said
    assert "Lost in jsonl: 1 relations, 1 notes; only brat keeps them." in said
    assert skol("convert", tmp_path / "a.ann", "--to", "brat", "--out", tmp_path / "same") == 0
    assert (tmp_path / "same" / "a.ann").read_bytes() == (tmp_path / "a.ann").read_bytes()
    assert "Lost" not in capsys.readouterr().err
    assert skol("validate", tmp_path / "b.txt.ann") == 0
    assert "'key' and 'Key' differ only in case" in capsys.readouterr().out
    (tmp_path / "c.txt.ann").write_text("[@one#[/X]*]\n[@two#[/x]*]\n", encoding="utf-8")
    assert skol("validate", tmp_path / "c.txt.ann") == 0
    assert "'[/x]' and '[/X]' differ only in case" in capsys.readouterr().out
    assert skol("validate", tmp_path / "b.txt.ann", "--fold-labels", "--json") == 0
    assert json.loads(capsys.readouterr().out)["labels"] == {"Key": 3, "": 1}


def test_validate_lists_repairs_and_files_left_out(tmp_path, capsys):
    (tmp_path / "bad.txt.ann").write_text("[@one#A*]\n[@two#B*]\nthree#B*]\n", encoding="utf-8")
    (tmp_path / "notes.anns").write_text("x")
    (tmp_path / "empty.txt").write_text("\n")
    assert skol("validate", tmp_path) == 0
    printed = capsys.readouterr()
    assert re.search(r"bad\.txt\.ann:3: stray", printed.out)
    assert "notes.anns" in printed.err and "empty.txt" in printed.err
    assert skol("validate", tmp_path, "--strict") == 3
    assert "bad.txt.ann" in capsys.readouterr().err


def test_validate_counts_plain_text(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    assert skol("validate", tmp_path) == 0
    assert re.search(r"\(no label\)\s*│\s*2", capsys.readouterr().out)


def test_info_shows_the_model_without_tensorflow(trained, capsys):
    assert skol("info", trained) == 0
    out = capsys.readouterr().out
    assert "Nomenclature" in out and "hidden_size=6" in out
    assert skol("info", trained, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["parameters"]["epochs"] == 12
    assert len(printed["weights"]) == 3


def test_the_resolved_configuration_is_saved_and_the_line_wins_over_the_file(corpus, tmp_path, capsys):
    (tmp_path / "c.toml").write_text(
        'hidden_size = 5\nepochs = 1\nlabels = ["Nomenclature"]\nother = "Rest"\n[class_weights]\nNomenclature = 4.0\n',
        encoding="utf-8",
    )
    words = ["train", corpus, "--out", tmp_path / "m", "--config", tmp_path / "c.toml", *FAST[4:], "--hidden-size", 4]
    assert skol(*words) == 0
    skol("info", tmp_path / "m", "--json")
    printed = json.loads(capsys.readouterr().out.split("Saved the model", 1)[1].split("\n", 1)[1])
    assert printed["labels"] == ["Nomenclature", "Rest"]
    assert printed["parameters"]["hidden_size"] == 4
    assert printed["parameters"]["epochs"] == 1
    assert printed["parameters"]["class_weights"] == {"Nomenclature": 4.0}
    (tmp_path / "c.toml").write_text("hiden_size = 5\n", encoding="utf-8")
    assert skol(*words) == 3
    assert "Did you mean 'hidden_size'" in capsys.readouterr().err


def test_former_settings_are_accepted_with_a_warning_for_each(tmp_path, capsys):
    (tmp_path / "c.toml").write_text('members = 3\nloss = "focal"\nmerge = "mean"\nclass_weights = "none"\n')
    options = {"gamma": 1.5, "weights": "smoothed", "weight_alpha": 0.25, "epochs": 2, "tuning_folds": None}
    expected = {"loss": "focal:gamma=1.5", "class_weights": "smoothed:alpha=0.25", "ensemble_size": 3, "epochs": 2}
    assert read_settings(tmp_path / "c.toml", options) == expected
    warned = capsys.readouterr().err.splitlines()
    assert len(warned) == 5 and all(line.startswith("FutureWarning: ") for line in warned)
    for name in ("members", "merge", "gamma", "--weights", "weight_alpha"):
        assert any(f"{name} " in line for line in warned), name


def test_former_options_are_accepted_and_not_shown(corpus, tmp_path, capsys):
    former = ["--members", 1, "--num-workers", 2, "--steep-weights", "loss", "--tau", 1, "--class-weights", "inverted"]
    assert skol("train", corpus, "--out", tmp_path / "m", *former) == 2
    err = capsys.readouterr().err
    assert err.count("FutureWarning") == 4 and "Did you mean 'inverse'" in err
    assert skol("train", "--help") == 0
    shown = capsys.readouterr().out
    for name in (*FORMER, "weights "):
        assert f"--{name.replace('_', '-')} " not in shown.replace("--class-weights", ""), name


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("none", None),
        ("smoothed", "smoothed"),
        ("smoothed:alpha=0.5,max_ratio=10", "smoothed:alpha=0.5,max_ratio=10"),
        ("A=10, B=5", {"A": 10.0, "B": 5.0}),
        ("A=b=10", {"A=b": 10.0}),
        ("folder=1/saved.json", "folder=1/saved.json"),
    ],
)
def test_class_weights_are_a_strategy_pairs_none_or_a_file(text, weights):
    assert parse_class_weights(text) == weights


def test_the_help_of_train_has_every_parameter_with_its_documentation_and_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert skol("train", "--help") == 0
    shown = capsys.readouterr().out
    panels = re.split(r"╭─ (\w[\w ]*\w) ─+╮", shown)
    by_panel = dict(zip(panels[1::2], panels[2::2], strict=True))
    assert list(by_panel) == ["Arguments", "Options", *PANELS]
    assert len(re.findall(r"^│ \*? +--", by_panel["Options"], re.MULTILINE)) <= 14
    for name, parameter in inspect.signature(ModelParameters.__init__).parameters.items():
        if name in ("self", "renamed"):
            continue
        option = "--seed" if name == "random_state" else f"--{name.replace('_', '-')}"
        (line,) = re.findall(rf"^│ .*{option} .*$", shown, re.MULTILINE)
        sentence = inspect.getdoc(ModelParameters).split(f"\n{name} : ")[1].splitlines()[1].strip().split(".")[0]
        assert sentence.replace('"', "").replace("``", "") in line
        assert parameter.default is None or f"(default: {parameter.default})" in line


def test_given_dev_documents_choose_the_epoch(corpus, tmp_path, capsys):
    words = ["train", corpus / "deep", "--out", tmp_path / "m", "--dev", corpus / "doc0.txt.ann", *LABELS, *FAST]
    assert skol(*words) == 0
    assert "Validation set" not in capsys.readouterr().out
    skol("info", tmp_path / "m", "--json")
    assert json.loads(capsys.readouterr().out)["validation_documents"] == ["doc0"]


def test_a_dev_document_that_is_trained_on_is_named(corpus, tmp_path, capsys):
    words = ["--dev", corpus / "doc3.txt.ann", *LABELS, *FAST, "--epochs", "1"]
    assert skol("train", corpus, "--out", tmp_path / "m", *words) == 0
    assert "Trained on and validated with the same text: doc3." in capsys.readouterr().err


def test_a_run_that_was_killed_goes_on(corpus, tmp_path, capsys):
    words = ["train", corpus, "--out", tmp_path / "m", "--checkpoint", tmp_path / "run.npz", *LABELS, *FAST]
    assert skol(*words) == 0
    assert skol(*words) == 0
    assert "Continuing after epoch 2" in capsys.readouterr().out


BAD = [
    (["train", "{empty}", "--out", "{tmp}/m"], 3, "empty"),
    (["train", "{nothing}", "--out", "{tmp}/m"], 3, "nothing"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--labels", "Nomenclatur", "--other", "Misc"], 3, "Nomenclatur"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--class-weights", "Nomenclatur=3"], 2, "Did you mean 'Nomenclature'"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--class-weights", "Misc"], 2, "Label=number"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--class-weights", "Misc=1,Key"], 2, "Label=number"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--class-weights", "Misc=1", "--weights", "inverse"], 2, "alone"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--class-weights", "inverted"], 2, "Did you mean 'inverse'"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--stride", "0"], 2, "--stride must be between 1"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--prediction-stride", "16"], 2, "--prediction-stride must be"),
    (["train", "{corpus}", "--out", "{tmp}/m", "--window-size", "x"], 2, "--window-size"),
    (["train", "{corpus}"], 2, "--out"),
    (["train", "{corpus}", "--out", "{corpus}"], 3, "is a folder, not a saved model"),
    (["train", "{binary}", "--out", "{tmp}/m"], 3, "is not text"),
    (["predict", "{tmp}/no-model", "{corpus}", "--out", "{tmp}/o"], 3, "There is no model"),
    (["predict", "{corpus}", "{corpus}", "--out", "{tmp}/o"], 3, "is not a saved model"),
    (["predict", "{model}", "{emptyfile}", "--out", "{tmp}/o"], 3, "empty"),
    (["predict", "{model}", "{corpus}", "--out", "{tmp}/o", "--format", "yeda"], 2, "Did you mean 'yedda'"),
    (["evaluate", "{model}", "{plain}"], 3, "The data have no labels"),
    (["train", "{plain}", "--out", "{tmp}/m"], 3, "The data have no labels"),
    (["train", "{plain}", "--out", "{tmp}/m", "--labels", "A", "--other", "B"], 3, "The data have no labels"),
    (["weights", "{plain}"], 3, "The data have no labels"),
    (["frobnicate"], 2, "No such command"),
]


@pytest.mark.parametrize(
    ("words", "status", "message"), BAD, ids=lambda v: " ".join(v)[:60] if isinstance(v, list) else None
)
def test_bad_input_gives_one_sentence_and_leaves_no_file(corpus, trained, tmp_path, capsys, words, status, message):
    places = {"corpus": corpus, "model": trained, "tmp": tmp_path / "made", "nothing": tmp_path / "nothing"}
    for name, content in {
        "empty": None,
        "emptyfile": b"\n\n",
        "binary": bytes(range(256)) * 40,
        "plain": b"text\n",
    }.items():
        places[name] = tmp_path / "in" / f"{name}{'' if content is None else '.txt'}"
        places[name].parent.mkdir(exist_ok=True)
        places[name].mkdir() if content is None else places[name].write_bytes(content)
    assert skol(*[word.format(**places) for word in words]) == status
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert not (tmp_path / "made").exists() or not [p for p in (tmp_path / "made").rglob("*") if p.is_file()]


def test_debug_shows_where(tmp_path, capsys):
    assert skol("info", tmp_path / "no", "--debug") == 3
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_130(corpus, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("skol_rnn.cli.common.read_files", interrupt)
    assert skol("validate", corpus) == 130
    assert "Interrupted" in capsys.readouterr().err


def test_an_interrupt_that_a_library_turned_into_an_error_ends_with_130(corpus, tmp_path, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:
            raise SystemError("a function returned a result with an exception set") from None

    monkeypatch.setattr("skol_rnn.cli.data.read", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert skol("validate", corpus) == 130
    assert capsys.readouterr().err.endswith("skol-rnn: Interrupted.\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_line_of_ten_megabytes_is_labelled(trained, tmp_path):
    text = "Pileus broad. " * 750_000 + "\nGenus species Author 1899\n"
    (tmp_path / "long.txt").write_text(text, encoding="utf-8")
    assert skol("predict", trained, tmp_path / "long.txt", "--out", tmp_path / "out") == 0
    assert plain((tmp_path / "out" / "long.txt.ann").read_text(encoding="utf-8")) == text


def test_a_full_disk_while_predicting_leaves_no_half_written_file(corpus, trained, tmp_path, monkeypatch, capsys):
    import errno
    import os

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(os, "replace", full)
    assert skol("predict", trained, corpus, "--out", tmp_path / "out") in (1, 3)
    assert "No space left" in capsys.readouterr().err
    assert not [p for p in Path(tmp_path / "out").rglob("*") if p.is_file()]


def test_version_names_the_libraries(capsys):
    assert skol("--version") == 0
    assert re.search(r"skol_rnn \d.*tensorflow \d.*keras \d", capsys.readouterr().out)


def test_predictions_do_not_depend_on_the_company(corpus, trained, tmp_path):
    skol("predict", trained, corpus, "--out", tmp_path / "all", "--format", "csv")
    skol("predict", trained, corpus / "doc2.txt.ann", "--out", tmp_path / "one", "--format", "csv")
    import pandas as pd

    one, among = (pd.read_csv(next((tmp_path / place).rglob("doc2*.csv"))) for place in ("one", "all"))
    assert one["label"].tolist() == among["label"].tolist()
    assert np.array_equal(one["value"], among["value"])


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["info", "--help"], {"info"}),
        (["--debug", "spans", "--help"], {"spans"}),
        (["review", "status", "--help"], {"review"}),
        (["--help"], set(COMMANDS.values())),
        (["inof", "train"], set(COMMANDS.values())),
    ],
)
def test_only_the_command_that_runs_is_imported(words, loaded):
    code = (
        "import sys; from skol_rnn.cli.app import COMMANDS, run\n"
        "try: run(sys.argv[1:])\n"
        "finally: print('\\nLOADED', *(m for m in COMMANDS.values() if f'skol_rnn.cli.{m}' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    found = set(done.stdout.splitlines()[-1].split()[1:])
    assert loaded <= found <= loaded | {"predict", "train", "config", "data"}, found  # some share what they are made of
    assert done.returncode == (2 if "inof" in words else 0)
    if "inof" in words:
        assert "info" in done.stderr  # the nearest command
