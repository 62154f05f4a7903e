"""The demo ends in words, a page of a labelled document, a report, a model, and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from toy import toy_table

from skol_rnn import RNNSkolModel, load_serving
from skol_rnn.cli import demo as module
from skol_rnn.cli.app import COMMANDS, run
from skol_rnn.persistence.bundle import load_bundle


@pytest.fixture
def out(tmp_path, monkeypatch, capsys, tiny_bundle):
    """Return a function that runs the demo on toy documents with a toy model, already trained."""

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
    monkeypatch.setattr(RNNSkolModel, "fit", lambda model, *data, **how: model.set_bundle(load_bundle(tiny_bundle)))
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
    table = toy_table(6, 20)
    names = ((table["label"] == "Nomenclature") & (table["doc_id"] >= "doc4")).sum()
    assert re.search(
        rf"\d+ of {names} Nomenclature lines \(\d+% of what it calls so is right\)", " ".join(said.split())
    )
    written = [Path(path) for path in re.findall(rf"{folder}\S+", said) if "labelled" not in path]
    page, report, model = (path for path in written[:3])
    text = page.read_text("utf-8")
    assert page.stem in ("doc4", "doc5")
    assert text.count("<p data-n=") == 20, "one row a line"
    assert f"<title>{page.stem}" in text
    assert "Author 18" in report.read_text("utf-8"), "the report shows the lines"
    assert load_serving(model).labels == ("Description", "Misc", "Nomenclature")
    assert "# RNN" in (model / "README.md").read_text("utf-8")
    commands = re.findall(r"^  skol-rnn (\w+)", said, re.M)
    assert len(commands) == 3
    assert set(commands) <= set(COMMANDS)


def test_without_matplotlib_the_demo_names_the_extra(out, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    folder, said = out()
    assert "pip install 'skol_rnn[report]'" in said
    assert not (folder / "report.html").exists()
    assert len(list(folder.glob("doc*.html"))) == 1
