"""No command sends a terminal what it obeys: names from files, models, settings and words are shown as text."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sys
from dataclasses import replace

import pandas as pd
import pytest
from toy import SMALL

from skol_rnn.cli.app import run
from skol_rnn.data.reading import read_documents
from skol_rnn.errors import DataError, ModelNotFoundError, StoreError
from skol_rnn.labels import printable
from skol_rnn.persistence.bundle import load_bundle, save_bundle

TITLE = "\x1b]0;owned\x07"  # sets the title of the window
LABELS = {"Nomenclature": "[/]", "Description": f"[red]x{TITLE}", "Misc": "[bold]\u202em\x9b31m"}
NAMES = ["[/]", f"[red]b{TITLE}"]


class Terminal(io.StringIO):
    """Standard output or error that is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True

    def fileno(self):
        raise OSError


@pytest.fixture(scope="module")
def place(tiny_bundle, tmp_path_factory):
    """A hostile model, and documents with hostile names, labels and repairs, in a folder with such a name."""
    folder = tmp_path_factory.mktemp("p") / f"[red]p{TITLE}"
    folder.mkdir()
    bundle = load_bundle(tiny_bundle)
    state = json.loads(json.dumps(bundle.state))
    state["name"] = state["parameters"]["name"] = f"[/]model{TITLE}"
    state["labels"] = [LABELS[name] for name in state["labels"]]
    state["features"]["name"] += ""
    state["parameters"]["important"] = [LABELS["Nomenclature"]]
    state["card"]["versions"][f"x{TITLE}"] = f"[/]1{TITLE}"
    state["card"]["scores"] = None
    save_bundle(replace(bundle, state=state), folder / f"m{TITLE}")
    for kind in ("data", "found"):
        rows = []
        for name in NAMES:
            rows += [{"doc_id": name, "line_number": i, "value": f"[/] words {TITLE} {i}",
                      "label": LABELS[("Misc", "Nomenclature", "Description")[(i + (kind == "found")) % 3]]}
                     for i in range(6)]  # fmt: skip
        pd.DataFrame(rows).to_csv(folder / f"{kind}.csv", index=False)
    shutil.copy(folder / "data.csv", folder / f"data{TITLE}.csv")
    (folder / f"bad{TITLE}.txt.ann").write_text(f"[@a#[/]*]\n[@b#{LABELS['Misc']}*]\n[@c#[red]x{TITLE}\n", newline="\n")
    (folder / f"c{TITLE}.toml").write_text(
        f'"[/]{TITLE.encode("unicode_escape").decode()}" = 1\n'.replace("\\x1b", "\\u001b").replace("\\x07", "\\u0007")
    )
    return folder


@pytest.fixture
def said(place, monkeypatch, tmp_path):
    """Return a function that runs a command on a terminal and returns what it prints, without colours of our own."""

    def skol(*words, status=0):
        out = Terminal()
        with monkeypatch.context() as patched, contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            patched.setenv("TERM", "dumb")
            patched.setenv("NO_COLOR", "1")
            with pytest.raises(SystemExit) as stop:
                run([word.replace("{p}", str(place)).replace("{new}", str(tmp_path)) for word in words])
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).replace("\r", "")
        assert stop.value.code == status, text
        assert text == printable(text, keep="\t\n"), [c for c in text if printable(c, keep="\t\n") != c]
        return text

    return skol


MODEL, DATA, FOUND, BAD = f"{{p}}/m{TITLE}", f"{{p}}/data{TITLE}.csv", "{p}/found.csv", f"{{p}}/bad{TITLE}.txt.ann"
COMMANDS = [
    (["validate", DATA], 0, ["[/]", "[red]x\\x1b]0;owned\\x07"]),
    (["validate", DATA, "--json"], 0, ["[bold]\\u202em\\u009b31m", "\\u001b]0;owned"]),
    (["info", MODEL, "--json"], 0, ["[bold]\\u202em"]),
    (["validate", BAD], 0, ["[red]x\\x1b]0;owned\\x07"]),
    (["validate", "--strict", BAD], 3, ["bad\\x1b]0;owned\\x07.txt.ann"]),
    (["weights", DATA], 0, ["[/]", "[red]x\\x1b]0;owned"]),
    (["weights", DATA, "--chart"], 0, ["[/]"]),
    (["weights", DATA, "--strategy", "inverse", "--save", "{new}/[red]w.json"], 0, ["[red]w.json"]),
    (["info", MODEL], 0, ["[/]model\\x1b]0;owned", "[red]x"]),
    (["evaluate", MODEL, DATA], 0, ["[/]", "[red]x"]),
    (["evaluate", MODEL, DATA, "--compare"], 0, ["[/]", "[red]x"]),
    (["predict", MODEL, DATA, "--format", "jsonl", "--out", "{new}/[red]o"], 0, ["[red]o", "owned"]),
    (["predict", MODEL, DATA, "--out", "{p}/data.csv"], 3, ["data.csv"]),
    (["convert", DATA, "--to", "csv", "--out", "{new}/[red]o"], 0, ["[red]o"]),
    (["convert", DATA, "--to", "brat", "--out", "{new}/[red]o"], 0, ["[red]o"]),
    (["spans", DATA, "--predicted", FOUND], 0, ["[/]", "[red]x"]),
    (["spans", DATA, "--predicted", FOUND, "--show", NAMES[0], "--show", NAMES[1]], 0, ["[red]b\\x1b]0;owned"]),
    (["spans", DATA, "--predicted", FOUND, "--show", f"no{TITLE}"], 3, ["no\\x1b]0"]),
    (["spans", DATA, "--predicted", FOUND, "--html", "{new}/[red]o"], 0, ["[red]o"]),
    (["report", MODEL, DATA, "--out", "{new}/[red]r.html"], 0, ["[red]r.html"]),
    (["compare", MODEL, MODEL, DATA, "--out", "{new}/[red]r.html"], 0, ["[red]r.html"]),
    (["init-config", "--out", f"{{new}}/[/]{TITLE}"], 0, ["[/]\\x1b]0"]),
    (["train", DATA, "--config", f"{{p}}/c{TITLE}.toml", "--out", "{new}/m"], 3, ["[/]\\x1b]0"]),
    (["train", DATA, "--important", f"x{TITLE}", "--out", "{new}/m"], 2, []),
    (["train", DATA, "--labels", f"x{TITLE}", "--out", "{new}/m"], 3, []),
    (["train", f"{{p}}/none{TITLE}", "--out", "{new}/m"], 3, ["none\\x1b]0"]),
    (["resume", f"[/]{TITLE}"], 3, ["[/]\\x1b]0"]),
    (["batch", f"{{p}}/c{TITLE}.toml"], 3, ["c\\x1b]0"]),
    (["tune", DATA, "--metric", f"f1/x{TITLE}", "--out", "{new}/t.toml"], 2, []),
    (["download", f"[/]{TITLE}"], 2, ["[/]\\x1b]0"]),
    ([f"[/]{TITLE}"], 2, ["[/]\\x1b]0"]),
    (["validate", DATA, f"--[/]{TITLE}"], 2, ["[/]"]),
    (["validate", DATA, "--unit", f"[red]{TITLE}"], 2, ["[red]\\x1b]0"]),
    (["weights", DATA, "--alpha", f"[/]{TITLE}"], 2, ["--alpha"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    COMMANDS,
    ids=[" ".join(c[0])[:40].encode("unicode_escape").decode() for c in COMMANDS],
)
def test_a_command_shows_names_as_text(said, words, status, shown):
    text = said(*words, status=status)
    for name in shown:
        assert name in re.sub(r"[\s│]+", "", text), text


@pytest.mark.slow
def test_a_training_and_a_batch_show_names_as_text(said, place, tmp_path):
    given = {**SMALL, "verbosity": 2, "epochs": 1, "window_size": 4, "stride": 4}
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if name != "refit"]
    text = said(
        "train", DATA, *settings, "--no-refit", "--checkpoint", f"{{new}}/c{TITLE}", "--out", f"{{new}}/[red]m{TITLE}"
    )
    assert "[red]m\\x1b]0;owned" in text and "[/]" in text
    said("train", DATA, *settings, "--no-refit", "--checkpoint", f"{{new}}/c{TITLE}", "--out", f"{{new}}/[red]m{TITLE}")
    toml = f"seeds = [0]\n[settings.{json.dumps('[/]' + TITLE)}]\n" + "".join(
        f"{name} = {json.dumps(value)}\n" for name, value in given.items() if name != "verbosity"
    )
    toml += f"[data.{json.dumps('[red]d' + TITLE)}]\ntrain = {json.dumps(str(place / 'data.csv'))}\ntest = {json.dumps(str(place / 'found.csv'))}\n"
    (tmp_path / "b.toml").write_text(toml)
    assert "[/]\\x1b]0" in said("batch", "{new}/b.toml", "--jobs", "1")


@pytest.mark.parametrize("kind", [DataError, ModelNotFoundError, StoreError])
def test_errors_of_python_show_names_as_text(kind, place):
    assert str(kind(f"a{TITLE}\nb")) == "a\\x1b]0;owned\\x07\nb"
    with pytest.raises(DataError) as raised:
        read_documents(place / f"none{TITLE}")
    assert "none\\x1b]0" in str(raised.value) and sys.exc_info()[1] is None
