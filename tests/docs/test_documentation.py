"""Every code block of the documentation runs, in a folder with the bundled sample, with a model of toy size."""

from __future__ import annotations

import copy
import os
import re
import shutil
from pathlib import Path

import pytest
from page_blocks import ROOT, Session, blocks_of
from toy import write_articles

from skol_rnn.datasets import SAMPLE

DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.glob("*.md") if "```" in page.read_text("utf-8"))
MARKS = {"", "slow", "spark", "redis"}
TINY = {"window_size": 8, "batch_size": 32, "num_layers": 1, "min_updates": 0, "linear_share": 0.0}
TINY_PRESET = {"ensemble_size": 1, "epochs": 1, "refit": False}
MARKER = re.compile(r"\[@|#[^*#\]\n]+\*\]")


@pytest.fixture(autouse=True)
def toy_settings(monkeypatch):
    """Let trainings with the default settings take seconds, and leave no trace in the tables of plug-ins."""
    from skol_rnn.classifier import DESTINATIONS, SOURCES
    from skol_rnn.training import settings

    for unit in settings.DEFAULTS:
        monkeypatch.setitem(settings.DEFAULTS, unit, {**settings.DEFAULTS[unit], **TINY})
        for preset in settings.PRESETS.values():
            monkeypatch.setitem(preset, unit, TINY_PRESET)
    kept = [copy.copy(table) for table in (SOURCES, DESTINATIONS)]
    yield
    for table, before in zip((SOURCES, DESTINATIONS), kept, strict=True):
        table.clear()
        table.update(before)


def some_documents(source: Path, target: Path, number: int) -> None:
    target.mkdir()
    for path in sorted(source.glob("*.ann"))[:number]:
        shutil.copy(path, target)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    """Make the folders that the pages name."""
    from skol_rnn import RNNSkolModel

    folder = tmp_path_factory.mktemp("sample")
    some_documents(SAMPLE / "train", folder / "annotated", 3)  # tune has three folds
    some_documents(SAMPLE / "test", folder / "unseen", 2)
    (folder / "pages").mkdir()
    for path in sorted((SAMPLE / "test").glob("*.ann"))[2:4]:
        text = MARKER.sub("", path.read_text("utf-8"))
        (folder / "pages" / path.name.removesuffix(".ann")).write_text(text, "utf-8")
    (folder / "articles").mkdir()
    for name, seed in (("train", 0), ("dev", 1)):
        write_articles(folder / "articles" / name, 6, seed)
    model = RNNSkolModel(
        epochs=1, ensemble_size=1, refit=False, hidden_size=4, line_size=8, input_size=4, **TINY, verbosity=0
    )
    model.fit(folder / "annotated", labels=["Nomenclature", "Description"], other="Misc")
    for name in ("model", "other"):
        model.save(folder / name)
    return folder


@pytest.fixture
def place(sample, tmp_path, monkeypatch):
    """Enter a copy of the folders."""
    import matplotlib

    matplotlib.use("agg")
    shutil.copytree(sample, tmp_path / "page")
    monkeypatch.chdir(tmp_path / "page")
    monkeypatch.setenv("SKOL_RNN_CACHE", str(tmp_path / "cache"))


def run_page(page: Path, marks: set[str]) -> None:
    session = Session(page, {**TINY, **TINY_PRESET, "hidden_size": 4, "line_size": 8})
    for block in blocks_of(page):
        if block.mark in marks:
            session.run(block)


def pages_with(mark: str) -> list[Path]:
    return [page for page in PAGES if any(block.mark == mark for block in blocks_of(page))]


def by_name(pages: list[Path]):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.stem)


@by_name(pages_with(""))
def test_the_blocks_of_a_page_run(page, place):
    run_page(page, {""})


@pytest.mark.slow
@by_name(pages_with("slow"))
def test_the_blocks_that_train_run(page, place):
    run_page(page, {"", "slow"})


@pytest.mark.redis
@pytest.mark.spark
# PySpark 4 calls pandas 3 by deprecated names, and warns about it itself.
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:pyspark")
@by_name(pages_with("spark"))
def test_the_blocks_on_spark_and_redis_run(page, place, tmp_path, monkeypatch):
    import sys

    import redis
    from redis_server import RedisServer

    (tmp_path / "redis").mkdir()
    server, client = RedisServer(tmp_path / "redis"), redis.Redis
    monkeypatch.setattr(redis, "Redis", lambda **options: client(host="127.0.0.1", port=server.port))
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    try:
        run_page(page, MARKS)
    finally:
        server.kill()


def test_each_block_runs_somewhere_or_says_why_not():
    marks = {block.mark for page in PAGES for block in blocks_of(page)}
    assert {mark for mark in marks - MARKS if not mark.startswith("not run, ")} == set()
    assert {page.stem for page in PAGES} >= {"index", "first_model", "annotate", "report", "weights", "tokens", "spark"}
