"""Batches: what a cell measures, what is kept, what a failure costs, and what a kill costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from batch_systems import Dying, Failing, Named, Noisy
from toy import LABELS, QUICK, SMALL

import skol_rnn.batch_evaluate.config  # the function must be there although its package is imported first
from skol_rnn import RNNSkolModel, batch_evaluate, read_documents
from skol_rnn.errors import DataError

SECONDS = ["train_seconds", "predict_seconds"]


def run(config, out, **options):
    return batch_evaluate(config, out, **{"jobs": 0, "progress": False, **options})


def same(a, b):
    pd.testing.assert_frame_equal(a.table.drop(columns=SECONDS), b.table.drop(columns=SECONDS), check_exact=True)


@pytest.fixture(scope="module")
def small(data, tmp_path_factory):
    config = {"settings": {"noisy": Noisy(), "named": Named(), "broken": Failing()}, "data": data, "seeds": [0, 1]}
    return run(config, tmp_path_factory.mktemp("out"))


def test_a_cell_has_the_scores_of_a_training_by_hand(data, tmp_path, tiny_bundle):
    parameters = {**SMALL, **QUICK, "epochs": 1}
    given = {name: value for name, value in parameters.items() if name != "verbosity"}
    settings = {"network": given, "saved": {"model": str(tiny_bundle)}}
    result = run({"settings": settings, "data": {"near": data["near"]}, "seeds": [3]}, tmp_path)
    one = data["near"]
    model = RNNSkolModel(**parameters, important=one["important"], random_state=3)
    model.fit(one["train"], labels=one["labels"], other="Misc")
    by_hand = [model.evaluate(one["test"]), RNNSkolModel().load(tiny_bundle).evaluate(one["test"])]
    assert result.table["seed"].tolist() == [3, pd.NA]
    for expected, (_, row) in zip(by_hand, result.table.iterrows(), strict=True):
        assert row["important_f1"] == expected.with_important(one["important"]).important_f1
        np.testing.assert_allclose([row[f"loss/{n}"] for n in expected.labels], expected.loss, rtol=1e-6)
        for kind in ("precision", "recall", "f1", "support"):
            assert [row[f"{kind}/{name}"] for name in expected.labels] == getattr(expected, kind).tolist()
    assert result.table["parameter/hidden_size"].tolist() == 2 * [str(SMALL["hidden_size"])]
    assert result.cells[0]["settings"]["window_size"] == QUICK["window_size"]


def test_the_table_has_a_row_for_each_cell_and_is_written_whole(small, data):
    table = small.to_frame()
    named = [("named", 0), ("broken", 0), ("broken", 1)]
    assert list(table[["setting", "seed"]].itertuples(index=False, name=None)) == 2 * [
        ("noisy", 0),
        ("noisy", 1),
        *named,
    ]
    assert table["data"].tolist() == ["near"] * 5 + ["far"] * 5
    noisy = table[table["setting"] == "noisy"]
    assert noisy["important_f1"].between(0.5, 0.999).all() and noisy["loss"].notna().all()
    assert (
        noisy["support/Nomenclature"] == read_documents(data["near"]["test"]).table["label"].eq("Nomenclature").sum()
    ).all()
    assert table.loc[table["setting"] == "named", "bytes"].tolist() == [8, 8]
    csv = pd.read_csv(small.folder / "table.csv")
    parquet = pd.read_parquet(small.folder / "table.parquet")
    assert list(csv) == list(parquet) == list(table)
    np.testing.assert_array_equal(csv["macro_f1"], table["macro_f1"])
    pd.testing.assert_series_equal(parquet["f1/Misc"], table["f1/Misc"])


def test_means_and_ranges_are_over_seeds(small):
    row = small.summary().query("data == 'far' and setting == 'noisy'").iloc[0]
    values = small.table.query("data == 'far' and setting == 'noisy'")["important_f1"]
    assert (row["important_f1"], row["important_f1_low"]) == (values.mean(), values.min()) and values.nunique() == 2
    assert (row["seeds"], row["failed"]) == (2, 0)
    text = str(small)
    assert f"{values.mean():.4f}  {values.min():.3f}-{values.max():.3f}" in text


def test_a_failed_cell_is_a_row_with_its_error_shown_harmlessly(small):
    assert small.table["error"].ne("").sum() == 4 == len(small.failed)
    assert "RuntimeError: no [red]luck[/] \\x1b[31m<script>" in str(small)
    assert "\x1b" not in str(small)
    page = (small.folder / "index.html").read_text(encoding="utf-8")
    assert "\\x1b[31m&lt;script&gt;" in page and "<script" not in page


def test_only_what_has_changed_runs_again(data, tmp_path):
    class Counted(Noisy):
        runs = []

        def fit(self, table, labels, seed):
            self.runs.append(seed)
            super().fit(table, labels, seed)

    config = {"settings": {"a": Counted(0.1), "b": Failing()}, "data": {"one": data["near"]}, "seeds": [0, 1]}
    first = run(config, tmp_path)
    renamed = {**config, "settings": {"new name": Counted(0.1), "b": Failing()}}
    second = run(renamed, tmp_path)
    assert Counted.runs == [0, 1]
    pd.testing.assert_frame_equal(
        first.table.iloc[:2].drop(columns="setting"), second.table.iloc[:2].drop(columns="setting")
    )
    assert second.table["setting"].tolist() == ["new name", "new name", "b", "b"]
    run({**config, "seeds": [0, 1, 2]}, tmp_path)
    assert Counted.runs == [0, 1, 2]
    run({**config, "settings": {"a": Counted(0.2)}}, tmp_path)
    assert Counted.runs == [0, 1, 2, 0, 1]
    run({**config, "data": {"one": data["far"]}}, tmp_path)
    assert Counted.runs == [0, 1, 2, 0, 1, 0, 1]
    damaged = tmp_path / "cells" / f"{first.table['key'][1]}.json"
    damaged.write_bytes(damaged.read_bytes()[:100])
    run(config, tmp_path)
    assert Counted.runs == [0, 1, 2, 0, 1, 0, 1, 1]


def test_predictions_are_kept_on_request(data, tmp_path):
    config = {"settings": {"noisy": Noisy()}, "data": {"near": data["near"]}}
    run(config, tmp_path)
    assert not list(tmp_path.glob("cells/*.csv"))
    result = run(config, tmp_path, predictions=True)
    rows = pd.read_csv(tmp_path / "cells" / f"{result.table['key'][0]}.csv", keep_default_na=False)
    assert len(rows) == result.table["rows"][0]
    assert (rows["label"] == rows["predicted"]).mean() == result.table["accuracy"][0]


SCRIPT = """
import sys
from batch_systems import Noisy
from skol_rnn import batch_evaluate
if __name__ == "__main__":
    seconds = float(sys.argv[3])
    config = {"settings": {"a": Noisy(0.1, seconds), "b": Noisy(0.3, seconds)}, "data": DATA, "seeds": [0, 1, 2]}
    print(batch_evaluate(config, sys.argv[1], jobs=int(sys.argv[2])))
"""


@pytest.fixture(scope="session")
def data(batch_data):
    return batch_data


def finished(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "cells").glob("*.json")}


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_batch_killed_in_the_middle_ends_with_the_same_table(data, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("DATA", repr(data)), encoding="utf-8")
    words = [sys.executable, script, tmp_path / "killed", "2", "0.15"]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])  # has batch_systems
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
    deadline = time.monotonic() + 120
    while len(finished(tmp_path / "killed")) < 4:
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.02)
    workers = [int(pid) for pid in children(process.pid)]
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    before = finished(tmp_path / "killed")
    assert 4 <= len(before) < 12
    while any(Path(f"/proc/{pid}").exists() for pid in workers):  # they end with their parent
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not (tmp_path / "killed" / "table.csv").exists()
    settings = {"a": Noisy(0.1, 0.15), "b": Noisy(0.3, 0.15)}
    config = {"settings": settings, "data": data, "seeds": [0, 1, 2]}
    undisturbed, resumed = run(config, tmp_path / "whole"), run(config, tmp_path / "killed")
    assert len(resumed.table) == 12 and resumed.table["important_f1"].nunique() > 6
    same(resumed, undisturbed)
    after = finished(tmp_path / "killed")
    assert len(after) == 12 and before.items() <= after.items()


def test_a_process_that_dies_costs_one_cell(data, tmp_path):
    config = {"settings": {"dying": Dying(), "noisy": Noisy()}, "data": {"near": data["near"]}, "seeds": [0, 1]}
    result = run(config, tmp_path, jobs=1)
    errors = result.table.set_index(["setting", "seed"])["error"]
    assert errors["noisy"].tolist() == ["", ""]
    assert all("ended with status -9 (killed, perhaps because memory ran out)" in text for text in errors["dying"])
    assert run({**config, "settings": {"noisy": Noisy()}}, tmp_path).table["important_f1"].notna().all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"setings": {}}, "unknown key 'setings'. Did you mean 'settings'?"),
        ({"settings": {"a": {"epoch": 3}}}, "setting 'a': unknown key 'epoch'. Did you mean 'epochs'?"),
        ({"settings": {"a": {"random_state": 3}}}, "leave random_state out"),
        ({"settings": {"a": {"model": "x", "epochs": 3}}}, "unknown key 'epochs'"),
        ({"settings": {"a": {"model": "nowhere.skol"}}}, "there is no model at nowhere.skol"),
        ({"settings": {"a": 3}}, "an object with fit and predict"),
        ({"settings": {}}, "at least one table [settings.NAME]"),
        ({"seeds": 3}, "seeds must be a list of whole numbers"),
        ({"seeds": [True]}, "seeds must be a list of whole numbers"),
        ({"data": {"d": {"tests": "x"}}}, "data set 'd': unknown key 'tests'. Did you mean 'test'?"),
        ({"data": {"d": {"train": "x"}}}, "needs test"),
        ({"data": {"d": {"test": "x"}}}, "needs train, because setting 'a' is trained"),
        ({"data": {"d": {"train": 3, "test": "x"}}}, "train must be a path or a list of paths"),
        ({"data": {"d": {"train": "nowhere", "test": "nowhere"}}}, "nowhere"),
        ({"data": {"d": {"train": "x", "test": "x", "labels": "Misc"}}}, "labels must be a list of labels"),
        ({"data": {"d": {"train": "x", "test": "x", "labels": ["Key"], "important": ["Kay"]}}}, "Did you mean 'Key'?"),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_configuration_is_one_sentence_before_any_work(data, tmp_path, change, sentence):
    with pytest.raises(DataError) as caught:
        run({"settings": {"a": {}}, "data": data, **change}, tmp_path / "out")
    assert sentence in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_other_wrong_arguments(data, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="jobs must be a whole number"):
        run({"settings": {"a": {}}, "data": data}, tmp_path, jobs=-1)

    class Local(Noisy):
        pass

    with pytest.raises(DataError, match=r"Setting 'a' cannot be sent to a process .* use jobs=0"):
        run({"settings": {"a": Local()}, "data": data}, tmp_path, jobs=1)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"skol_rnn\[report\]"):
        run({"settings": {"a": Noisy()}, "data": data}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_labels_are_rows_with_their_error(data, tmp_path, tiny_bundle):
    wrong = {**data["near"], "labels": ["Nomenclatur"], "important": None}
    result = run({"settings": {"a": Noisy(), "m": tiny_bundle}, "data": {"d": wrong}}, tmp_path)
    assert "has the label 'Nomenclatur'. Did you mean 'Nomenclature'?" in result.table["error"][0]
    assert "The saved model has the labels" in result.table["error"][1]
    assert "a: No training document" not in str(result) and "Nomenclatur" in str(result)
    assert np.isnan(result.table["important_f1"]).all()
    assert "failed" in result.to_html()


def test_a_notebook_shows_a_part_of_a_page_and_one_line_of_text(small):
    assert repr(small) == "BatchResult(cells=10, settings=3, data=2, failed=4)"
    part = small._repr_html_()
    assert "<html" not in part and part.count("<table") == 2
    assert skol_rnn.batch_evaluate is batch_evaluate and callable(batch_evaluate)


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, False), (390, True)])
def test_the_page_opens_on_screens_of_any_width(small, open_page, width, dark):
    page = open_page(small.folder / "index.html", width, dark)
    assert page.locator("h2").all_inner_texts() == ["near", "far", "Settings and data"]
    assert "luck[/] \\x1b[31m<script>" in page.locator(".failed").inner_text()
    assert page.locator("svg.bar").count() == 4  # two settings of each data set have scores
    row = small.summary().iloc[0]
    assert f"{row['important_f1']:.3f}" in page.locator("section tbody tr").first.inner_text()
    fill = page.locator("svg.bar .fill").first.bounding_box()["width"]
    assert fill == pytest.approx(100 * row["important_f1"], abs=0.2)
    page.locator("summary").first.click()
    assert page.locator("details").first.locator("tbody tr").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_networks_killed_in_the_middle_end_with_the_same_table(data, tmp_path):
    shared = {key: value for key, value in {**SMALL, **QUICK, "epochs": 1}.items() if key != "verbosity"}
    lines = ["seeds = [0, 1, 2]", ""]
    for name, own in (("plain", {}), ("smoothed", {"class_weights": "smoothed"})):
        lines += [
            f"[settings.{name}]",
            *(f"{key} = {json.dumps(value)}" for key, value in {**shared, **own}.items()),
            "",
        ]
    for name, own in data.items():
        lines += [f"[data.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in own.items()), ""]
    config = tmp_path / "batch.toml"
    config.write_text("\n".join(lines), encoding="utf-8")
    words = [sys.executable, "-m", "skol_rnn.batch_evaluate", str(config), "--jobs", "2", "--out"]
    process = subprocess.Popen([*words, tmp_path / "killed"], stderr=subprocess.PIPE, env=os.environ)
    deadline = time.monotonic() + 500
    while len(finished(tmp_path / "killed")) < 4:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    before = finished(tmp_path / "killed")
    assert 4 <= len(before) < 12
    for folder in ("killed", "whole"):
        again = subprocess.run([*words, tmp_path / folder], capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
    assert before.items() <= finished(tmp_path / "killed").items()
    tables = [pd.read_csv(tmp_path / folder / "table.csv").drop(columns=SECONDS) for folder in ("killed", "whole")]
    assert len(tables[0]) == 12 and tables[0]["loss"].nunique() > 6
    assert all(tables[0][f"f1/{label}"].notna().all() for label in LABELS)
    pd.testing.assert_frame_equal(*tables, check_exact=True)
