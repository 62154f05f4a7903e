"""The demo ends in words, a page of a labelled document, a report, a model, and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from toy import QUICK, SMALL, toy_table

from skol_rnn import load_serving
from skol_rnn.cli import demo as module
from skol_rnn.cli.app import app, run


@pytest.fixture
def out(tmp_path, monkeypatch, capsys):
    """Run the demo with a toy model on toy documents, and return its folder and what it printed."""

    def sample(folder):
        for part, first in (("train", 0), ("test", 4)):
            (folder / part).mkdir(parents=True)
            for name, rows in list(toy_table(6, 20).groupby("doc_id"))[first : first + (4, 2)[first > 0]]:
                text = "".join(
                    f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True)
                )
                (folder / part / f"{name}.txt.ann").write_text(text, encoding="utf-8")
        return folder

    monkeypatch.setattr(module, "sample_corpus", sample)
    monkeypatch.setattr(module, "SETTINGS", {**SMALL, **QUICK, "epochs": 1, "important": module.IMPORTANT})
    monkeypatch.setenv("COLUMNS", "80")

    def ran():
        with pytest.raises(SystemExit) as stop:
            run(["demo", "--out", str(tmp_path / "out")])
        assert stop.value.code == 0
        return tmp_path / "out", capsys.readouterr().out

    return ran


def test_the_demo_names_a_page_a_report_a_model_and_three_commands(out):
    folder, said = out()
    assert len(said.splitlines()) <= 25
    assert re.search(r"In short: the model finds \d+ of 10 Nomenclature\s+lines", said)
    written = [Path(path) for path in re.findall(rf"{folder}\S+", said) if "labelled" not in path]
    page, report, model = (path for path in written[:3])
    text = page.read_text("utf-8")
    assert page.stem in ("doc4", "doc5")
    assert text.count("<p data-n=") == 20, "one row a line"
    assert f"<title>{page.stem}" in text
    assert "Author 18" in report.read_text("utf-8"), "the report shows the lines"
    assert load_serving(model).labels == ("Nomenclature", "Description", "Misc")
    assert "# RNN" in (model / "README.md").read_text("utf-8")
    commands = re.findall(r"^  skol-rnn (\w+)", said, re.M)
    assert len(commands) == 3
    assert set(commands) <= {command.callback.__name__ for command in app.registered_commands}


def test_without_matplotlib_the_demo_names_the_extra(out, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    folder, said = out()
    assert "pip install 'skol_rnn[report]'" in said
    assert not (folder / "report.html").exists()
    assert len(list(folder.glob("doc*.html"))) == 1
