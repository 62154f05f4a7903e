"""The page of a round in a real browser: keys, undo, reload, export; then merge and train again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from commands import skol

from skol_rnn import RNNSkolModel, read_documents, start_review
from skol_rnn.datasets import SAMPLE

CHOICE = {"labels": ["Nomenclature", "Description"], "other": "Misc"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Return a folder with an instant model of the sample, pages to review and their gold labels."""
    folder = tmp_path_factory.mktemp("sample")
    RNNSkolModel(preset="instant", verbosity=0).fit(SAMPLE / "train", **CHOICE).save(folder / "model.skol")
    corpus = read_documents(SAMPLE / "test")
    (folder / "pages").mkdir()
    for document in corpus:
        (folder / "pages" / f"{document.doc_id}.txt").write_text(document.text)
    return folder, {document.doc_id: document.labels for document in corpus}


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (375, True)])
def test_a_round_is_read_exported_merged_and_trained_on(sample, open_page, tmp_path, width, dark):
    folder, gold = sample
    found = start_review(folder / "model.skol", folder / "pages", tmp_path / "round", lines=12)
    keys = [str(found.labels.index(_fold(gold, found, line)) + 1) for line in found.lines]
    page = open_page(found.page, width, dark)
    count, where = page.locator("#count"), page.locator("#where")
    assert count.inner_text() == "0 of 12 read" and page.locator("#export").is_disabled()
    assert page.locator("#context .this span").inner_text() == found.lines[0].text
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    assert where.inner_text().startswith("3. ")
    page.keyboard.press("k")
    page.keyboard.press("ArrowUp")
    assert where.inner_text().startswith("1. ")
    wrong = next(str(i + 1) for i in range(3) if str(i + 1) != keys[0])
    page.keyboard.press(wrong)
    assert count.inner_text() == "1 of 12 read" and where.inner_text().startswith("2. ")
    page.keyboard.press("u")
    assert count.inner_text() == "0 of 12 read" and where.inner_text().startswith("1. ")
    page.keyboard.press(keys[0])
    page.locator("#labels button").nth(int(keys[1]) - 1).click()
    page.fill("#reviewer", "Ann 1")
    page.locator("h1").click()
    page.reload()
    assert count.inner_text() == "2 of 12 read" and page.input_value("#reviewer") == "Ann 1"
    page.keyboard.press("u")  # also what was answered before the reload
    assert count.inner_text() == "1 of 12 read" and where.inner_text().startswith("2. ")
    for key in keys[1:]:
        page.keyboard.press(key)
    assert count.inner_text() == "12 of 12 read" and "All lines are read" in page.locator("#notice").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "round-Ann_1.jsonl"
    download.value.save_as(tmp_path / "c.jsonl")
    records = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert [record["label"] for record in records] == [found.labels[int(key) - 1] for key in keys]
    assert {record["reviewer"] for record in records} == {"Ann 1"}
    assert skol("review", "merge", tmp_path / "round", tmp_path / "c.jsonl", "--out", tmp_path / "done") == 0
    assert skol("review", "status", tmp_path / "round") == 0
    read = {}
    for document in read_documents(tmp_path / "done"):
        assert document.text == (folder / "pages" / f"{document.doc_id}.txt").read_text()
        read |= {(document.doc_id, row): label for row, label in enumerate(document.labels) if label}
    expected = {(found.documents[line.document].name, line.row): _fold(gold, found, line) for line in found.lines}
    assert read == expected
    # With `other` the lines that nobody read would be Misc, so the old labels are folded first.
    old, test = (
        [replace(one, labels=tuple(map(_known, one.labels))) for one in read_documents(SAMPLE / part)]
        for part in ("train", "test")
    )
    again = RNNSkolModel(preset="instant", verbosity=0).fit([*old, *read_documents(tmp_path / "done")])
    assert again.evaluate(test).important_f1 > 0.9


def _fold(gold, found, line):
    return _known(gold[found.documents[line.document].name][line.row])


def _known(label):
    return label if label in CHOICE["labels"] else "Misc"


@pytest.mark.browser
def test_two_tabs_show_the_same_answers(sample, open_page, tmp_path):
    folder, _ = sample
    found = start_review(folder / "model.skol", folder / "pages", tmp_path / "round", lines=5)
    first = open_page(found.page)
    second = first.context.new_page()
    second.goto(found.page.resolve().as_uri())
    notice = first.locator("#notice")
    notice.wait_for()
    assert "open in another tab" in notice.inner_text()
    first.keyboard.press("1")
    second.locator("#notice").wait_for()
    assert second.locator("#count").inner_text() == "1 of 5 read"
    second.keyboard.press("j")
    second.keyboard.press("2")
    first.locator("text=2 of 5 read").wait_for()
    second.evaluate(
        "localStorage.setItem(localStorage.key(0), '{broken'); localStorage.setItem(localStorage.key(1), '{broken')"
    )
    second.reload()
    assert second.locator("#count").inner_text() == "0 of 5 read"


@pytest.mark.browser
def test_hostile_texts_are_shown_as_text(sample, open_page, tmp_path):
    folder, _ = sample
    evil = [
        "</script><script>document.title='x'</script>",
        "<img src=x onerror=\"document.title='x'\">",
        "\x1b[2J\u202e & &lt;",
    ]
    (tmp_path / "e.txt").write_text("\n".join(evil))
    found = start_review(folder / "model.skol", tmp_path / "e.txt", tmp_path / "round", lines=3)
    page = open_page(found.page)
    assert page.locator("#context span").all_inner_texts() == [*evil[:2], r"\x1b[2J\u202e & &lt;"]
    assert page.title() == "Review of 3 lines"
