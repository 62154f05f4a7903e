"""``skol-rnn batch``: what it prints and writes, and its exit status."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest
from commands import skol
from toy import toy_table

import skol_rnn.batch_evaluate.run  # noqa: F401

RUN = sys.modules["skol_rnn.batch_evaluate.run"]  # the package has a function of its name
RUN_CELLS = RUN.run_cells


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(RUN, "run_cells", lambda cells, jobs, *rest: RUN_CELLS(cells, 0, *rest))


@pytest.fixture
def config(tmp_path, tiny_bundle):
    rows = toy_table(2, 30, 5)
    text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True))
    (tmp_path / "test.txt.ann").write_text(text, encoding="utf-8")
    path = tmp_path / "small.toml"
    table = f'[settings."tiny [red]"]\nmodel = {json.dumps(str(tiny_bundle))}\n'
    path.write_text(
        table + '[data."d\\u001b[31m"]\ntest = "test.txt.ann"\nimportant = ["Nomenclature"]\n', encoding="utf-8"
    )
    return path


def test_it_prints_the_table_and_names_its_files(config, capsys):
    assert skol("batch", config) == 0
    printed = capsys.readouterr()
    out = config.with_suffix("")
    table = pd.read_csv(out / "table.csv")
    assert len(table) == 1 and table["important_f1"].notna().all()
    assert f"tiny [red]        {table['important_f1'][0]:.4f}" in printed.out
    assert "d\\x1b[31m" in printed.out and "\x1b" not in printed.out + printed.err
    assert f"1/1  tiny [red], d\\x1b[31m: important F1 {table['important_f1'][0]:.4f}" in printed.err
    assert str(out / "index.html") in printed.err and (out / "index.html").exists()
    assert skol("batch", config, "--json", "--out", out) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["cells"][0]["important_f1"] == table["important_f1"][0]
    assert "1 of 1 cells are finished already." in printed.err


def test_failed_cells_are_counted_in_the_exit_status_and_kept_in_the_table(config, capsys):
    with config.open("a", encoding="utf-8") as file:
        file.write('\n[data.other]\ntest = "test.txt.ann"\nimportant = ["Key"]\n')
    assert skol("batch", config) == 3
    printed = capsys.readouterr()
    assert "1 of 2 cells failed; " in printed.err and "Traceback" not in printed.err
    assert "! tiny [red], other: Unknown label 'Key'" in printed.out
    assert pd.read_csv(config.with_suffix("") / "table.csv")["error"].notna().tolist() == [False, True]


def test_an_interrupt_says_how_to_continue(config, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(RUN, "run_cells", interrupted)
    assert skol("batch", config) == 130
    assert (
        f"{config.with_suffix('')} holds the finished cells; the same command continues.\nskol-rnn batch {config}\n"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("text", "words", "status", "sentence"),
    [
        ("[setings.a]\n", (), 3, "unknown key 'setings'. Did you mean 'settings'?"),
        ("[settings\n", (), 3, "wrong.toml is not a TOML file"),
        ("", ("--jobs", 0), 2, "--jobs must be at least 1"),
    ],
    ids=["key", "toml", "jobs"],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(tmp_path, capsys, text, words, status, sentence):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    assert skol("batch", path, *words) == status
    printed = capsys.readouterr().err
    assert sentence in printed and "Traceback" not in printed
    assert [file.name for file in tmp_path.iterdir()] == ["wrong.toml"]
