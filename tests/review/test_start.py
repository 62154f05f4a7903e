"""A round holds the lines most worth a person's time, each once, and can be reproduced."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from commands import skol
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import toy_table

from skol_rnn import LabelSet, ReviewRound, review_status, start_review
from skol_rnn.errors import DataError
from skol_rnn.review.selection import Candidates, choose, importance, scores

EVIL = [
    "</script><script>alert(1)</script>",
    "<!-- <img src=x onerror=alert(1)>",
    "a\u202eb & \u2028 'q' \"r\"",
    "\x1b[31m",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with two annotated documents and a plain one."""
    folder = tmp_path_factory.mktemp("files")
    for number, (name, rows) in enumerate(toy_table(3, 30, seed=3).groupby("doc_id")):
        pairs = zip(rows["value"], rows["label"], strict=True)
        lines = [f"[@{value}#{label}*]" if number else value for value, label in pairs]
        (folder / (f"{name}.txt.ann" if number else f"{name}.txt")).write_text("\n".join(lines) + "\n")
    return folder


def candidates(probabilities, current, documents=None, texts=None):
    n = len(current)
    texts = texts or [f"line {i}" for i in range(n)]
    documents = np.zeros(n, int) if documents is None else np.array(documents)
    return Candidates(
        LabelSet(("Name", "Text", "Misc")), np.array(probabilities, float), np.array(current), documents, texts
    )


def test_likely_errors_in_rare_labels_come_first():
    sure, doubtful, wrong = [0.0, 0.0, 1.0], [0.4, 0.1, 0.5], [0.9, 0.0, 0.1]
    common = [[0.0, 1.0, 0.0]] * 20 + [[0.0, 0.5, 0.5]]
    lines = candidates([*common, sure, doubtful, sure, wrong, sure], [1] * 21 + [2, 2, 2, 2, 2])
    weights = importance(lines, ["Name", "Text"])
    assert weights[2] == 0 and weights[0] == 1 > weights[1] * 10
    order = choose(lines, scores(lines, weights), 5, 0, np.zeros(26, bool))
    assert order[:3] == [24, 22, 20]
    # A person said Misc and the model says Name; out of line with its neighbours, it counts twice.
    assert scores(lines, weights)[24] == pytest.approx(0.9 * 1.9, rel=0.01)


def test_a_round_is_varied():
    # Twenty of one kind are a little more useful than ten others of other kinds.
    kinds = [[0.50, 0.0, 0.50]] * 20 + [[0.45, 0.55, 0.0]] * 5 + [[0.40, 0.0, 0.60]] * 5
    lines = candidates(kinds, [2] * 20 + [1] * 5 + [2] * 5, [0] * 25 + [1] * 5)
    chosen = choose(lines, scores(lines, importance(lines, ["Name"])), 12, 0, np.zeros(30, bool))
    assert sum(row < 20 for row in chosen) < 10 and sum(row >= 25 for row in chosen) >= 1
    same = candidates([[0.5, 0.0, 0.5]] * 6, [2] * 6, texts=["Figs 1", "FIGS  1", "figs 1 ", "a", "b", "c"])
    chosen = choose(same, scores(same, importance(same, ["Name"])), 4, 0, np.zeros(6, bool))
    assert sorted(chosen)[1:] == [3, 4, 5]
    assert len(choose(same, scores(same, importance(same, ["Name"])), 6, 0, np.zeros(6, bool))) == 6


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 9), st.integers(0, 2**31 - 1))
@settings(max_examples=25)
def test_lines_are_chosen_once_and_never_if_read(n, number, copies, seed):
    rng = np.random.default_rng(seed)
    texts = [f"t{rng.integers(1 + copies)}" for _ in range(n)]
    lines = candidates(rng.dirichlet([0.3] * 3, n), rng.integers(0, 3, n), np.sort(rng.integers(0, 3, n)), texts)
    read = rng.random(n) < 0.3
    score = scores(lines, importance(lines, ["Name", "Text"]))
    chosen = choose(lines, score, min(number, int((~read).sum())), seed, read)
    assert len(chosen) == len(set(chosen)) == min(number, int((~read).sum())) and not read[chosen].any()
    assert chosen == choose(lines, score, len(chosen), seed, read)


def test_a_round_can_be_reproduced_and_the_next_one_has_other_lines(tiny_bundle, tiny_model, files, tmp_path):
    first = start_review(tiny_bundle, files, tmp_path / "one", lines=20)
    again = start_review(tiny_model, files, tmp_path / "two", lines=20)
    assert [(line.document, line.line) for line in first.lines] == [(line.document, line.line) for line in again.lines]
    assert ReviewRound.read(tmp_path / "one").lines == first.lines and first.model == again.model
    moved = tmp_path / "moved"
    shutil.copytree(files, moved)
    (moved / "doc0.txt").rename(moved / "renamed.txt")
    second = start_review(tiny_bundle, moved, tmp_path / "three", lines=0.5, after=[tmp_path / "one"])
    places = [{(each.documents[line.document].sha256, line.line) for line in each.lines} for each in (first, second)]
    assert len(places[0]) == 20 and len(places[1]) == 45 and not places[0] & places[1]
    with pytest.raises(DataError, match="No line is left to review: all 90 lines are in the earlier rounds"):
        start_review(tiny_bundle, files, tmp_path / "all", lines=90)
        start_review(tiny_bundle, files, tmp_path / "none", after=[tmp_path / "all"])
    assert not (tmp_path / "none").exists()


def test_round_json_says_all_that_reproduces_it(tiny_bundle, files, tmp_path, capsys):
    words = (
        "review",
        "start",
        tiny_bundle,
        files,
        "--out",
        tmp_path / "r",
        "--lines",
        "10%",
        "--important",
        "Nomenclature",
    )
    assert skol(*words, "--seed", "7") == 0
    said = json.loads((tmp_path / "r" / "round.json").read_text())
    assert said["seed"] == 7 and said["rule"]["important"] == {"Nomenclature": 1.0} and said["rule"]["lines"] == 0.1
    assert len(said["lines"]) == 9 and set(said["model"]) == {"name", "fingerprint"}
    assert {"sha256", "path", "name"} <= set(said["documents"][0])
    assert {"line", "text", "probabilities", "reasons", "score"} <= set(said["lines"][0])
    assert f"Open {tmp_path / 'r' / 'review.html'}" in capsys.readouterr().err
    assert skol(*words) == 3 and "exists: a round gets a new folder" in capsys.readouterr().err
    (tmp_path / "r" / "round.json").write_text(json.dumps({**said, "seed": 8}))
    assert skol("review", "status", tmp_path / "r") == 3
    assert "it was changed after it was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (["--lines", "0"], 2, "--lines takes a number such as 200 or a share such as 5%, not '0'"),
        (["--lines", "100%"], 2, "--lines takes a number such as 200"),
        (["--lines", "many"], 2, "not 'many'"),
        (["--important", "Nomenclatur"], 2, "Did you mean 'Nomenclature'?"),
        (["--after", "nowhere"], 3, "nowhere is no round of review"),
        (["--seed", "-1"], 2, "--seed must be from 0"),
    ],
)
def test_wrong_options_are_refused_before_any_work(tiny_bundle, files, tmp_path, capsys, more, status, message):
    assert skol("review", "start", tiny_bundle, files, "--out", tmp_path / "r", *more) == status
    assert message in capsys.readouterr().err and not (tmp_path / "r").exists()


def test_a_collection_of_one_line_and_one_without_a_likely_line(tiny_bundle, tmp_path, capsys):
    (tmp_path / "one.txt").write_text("the authors thank their friends for help\n")
    assert (
        skol(
            "review", "start", tiny_bundle, tmp_path / "one.txt", "--out", tmp_path / "r", "--important", "Nomenclature"
        )
        == 0
    )
    said = capsys.readouterr().err
    assert "Chose 1 line of 1 document." in said
    assert "No line is likely to be Nomenclature: these lines come nearest." in said
    assert skol("review", "status", tmp_path / "r") == 0
    assert "No line is read yet" in capsys.readouterr().out
    assert skol("review", "start", tiny_bundle, "-", "--input-format", "text", "--out", tmp_path / "s") == 3
    assert "Standard input (-) cannot be reviewed" in capsys.readouterr().err


def test_texts_are_data_in_the_page_and_in_the_tasks(tiny_bundle, tmp_path):
    (tmp_path / "<b>.txt").write_text("\n".join(EVIL) + "\n")
    found = start_review(tiny_bundle, tmp_path / "<b>.txt", tmp_path / "r", lines=4)
    page = found.page.read_text()
    assert page.count("<script") == page.count("</script>") == 2 and "onerror=alert" in page and "<img" not in page
    assert "\u202e" not in page and "\x1b" not in page
    data = json.loads(re.search(r'<script type="application/json" id="round">(.*?)</script>', page, re.S)[1])
    shown = {text for item in data["items"] for _, text in item["context"]}
    assert EVIL[0] in shown and r"a\u202eb & \u2028 'q' " + '"r"' in shown
    tasks = [json.loads(line) for line in (tmp_path / "r" / "doccano.jsonl").read_text().rstrip("\n").split("\n")]
    assert [task["text"] for task in tasks] == [line.text for line in found.lines] and tasks[0]["label"] == []
    studio = json.loads((tmp_path / "r" / "label_studio.json").read_text())
    assert [task["data"]["task"] for task in studio] == [f"{found.id}-{i}" for i in range(1, 5)]


def test_brat_tasks_come_back(tiny_bundle, files, tmp_path, capsys):
    found = start_review(tiny_bundle, files / "doc1.txt.ann", tmp_path / "r", lines=3)
    copy = tmp_path / "doc1.txt.ann"
    task = tmp_path / "r" / "brat" / "2.ann"
    label = next(name for name in found.labels if name != found.lines[1].label)
    task.write_text(f"T1\t{label} 0 3\t{found.lines[1].text[:3]}\n")
    before = (files / "doc1.txt.ann").read_text()
    shutil.copy(files / "doc1.txt.ann", copy)
    try:
        assert skol("review", "merge", tmp_path / "r", tmp_path / "r" / "brat", "--json") == 0
        assert json.loads(capsys.readouterr().out)["corrected"] == 1
    finally:
        (files / "doc1.txt.ann").write_text(before)
    status = review_status(tmp_path / "r")
    assert status.read == 1 and status.curve == [{name: int(name == label) for name in found.important}]
