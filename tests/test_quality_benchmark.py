"""The benchmark of quality: kept trainings become finished cells and the same page; new ones give the kept figures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TASK = "three labels"


@pytest.fixture(scope="module")
def quality():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import quality

        yield quality
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture
def kept():
    return json.loads((ROOT / "docs" / "quality.json").read_text("utf-8"))


def test_the_page_is_what_the_kept_trainings_give(quality, kept, tmp_path):
    quality.quality_report.write(kept, "COMMAND", tmp_path / "benchmarks.md")
    made, page = ((folder / "benchmarks.md").read_text("utf-8") for folder in (tmp_path, ROOT / "docs"))
    assert made.partition("\nF1 is pooled")[2] == page.partition("\nF1 is pooled")[2] != ""


def test_a_kept_training_is_a_finished_cell_and_back(quality, kept):
    for run in kept["runs"]:
        record = quality.kept_record(run)
        f1 = [record["scores"][f"f1/{name}"] for name in ("Nomenclature", "Description")]
        assert record["scores"]["important_f1"] == pytest.approx(sum(f1) / 2)
        score = quality.tasks.mean_f1(quality.tasks.counts_of([run]), TASK, run["labels"])
        assert record["scores"]["important_f1"] == pytest.approx(score)
        cell = {**record, "setting": run["system"], "data": run["fold"], "seed": run["seed"]}
        assert quality.run_of(cell, run["task"]) == run


@pytest.mark.slow
def test_a_new_training_gives_the_kept_figures(quality, kept, corpora, tmp_path):
    corpus = {"train": str(corpora / "skol" / "train"), "dev": str(corpora / "skol" / "dev")}
    options = {
        "json": tmp_path / "new.json",
        "results": tmp_path,
        "jobs": 1,
        "seeds": [0],
        "predictions": tmp_path / "p",
    }
    systems = ["majority", "LinearSVC"]
    report = quality.run(argparse.Namespace(**corpus, **options), TASK, systems, ["dev"])
    assert [run["system"] for run in report["runs"]] == systems
    for run in report["runs"]:
        same = ("system", "task", "fold", "seed", "labels", "lines")
        before = next(r for r in kept["runs"] if all(r[name] == run[name] for name in same))
        ours, others = (quality.tasks.mean_f1(quality.tasks.counts_of([r]), TASK, r["labels"]) for r in (run, before))
        assert ours == pytest.approx(others, abs=1e-3)  # other versions of scikit-learn round differently
        assert run["documents"].keys() == before["documents"].keys()
    assert (tmp_path / "p" / "LinearSVC-three_labels-dev-0.csv").exists()
    again = quality.run(argparse.Namespace(**corpus, **options), TASK, systems, ["dev"])
    assert again["runs"] == report["runs"]
