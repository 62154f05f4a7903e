"""What all tests share: one tiny trained model, and where the real corpora are."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings
from redis_server import PROGRAMS, RedisServer
from toy import LABELS, SMALL, toy_table

CHECKOUT = Path(__file__).resolve().parent.parent


# A deadline for an example measures how busy the machine is.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# For the processes that are started from here: TensorFlow's threads otherwise keep twice the memory.
os.environ.setdefault("MALLOC_ARENA_MAX", "2")
if "PYTEST_XDIST_WORKER" in os.environ:
    # One process a core: more threads than that only wait for each other.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skip tests of word vectors where gensim has no wheels, as on Python 3.14."""
    return (yield from _skipping_without_gensim())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Skip them, too, if a fixture needs it."""
    return (yield from _skipping_without_gensim())


def _skipping_without_gensim():
    try:
        return (yield)
    except ImportError as error:
        if "gensim" in str(error) and importlib.util.find_spec("gensim") is None:
            pytest.skip("gensim is not installed")
        raise


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Return the folder of the real corpora, or skip: they are data and no part of the repository."""
    folder = Path(os.environ.get("SKOL_RNN_CORPORA", CHECKOUT.parent / "shared" / "corpus"))
    if not folder.is_dir():
        pytest.skip(f"no corpora at {folder}: set SKOL_RNN_CORPORA")
    return folder


@pytest.fixture(scope="session")
def tiny_model():
    """Return one trained model of toy size; tests must not change it (copy it with ``sklearn.base.clone`` or ``load``)."""
    from skol_rnn import RNNSkolModel

    return RNNSkolModel(epochs=2, **SMALL).fit(toy_table())


@pytest.fixture(scope="session")
def tiny_bundle(tiny_model, tmp_path_factory) -> Path:
    """Return the folder of the tiny model, saved once."""
    return tiny_model.save(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def batch_data(tmp_path_factory):
    """Return two data sets as a configuration has them."""
    folder = tmp_path_factory.mktemp("corpus")
    for part, seed in (("train", 0), ("near", 1), ("far", 2)):
        for name, rows in toy_table(3, 30 + seed, seed).groupby("doc_id"):
            text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True))
            path = folder / part / f"{part}-{name}.txt.ann"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    both = {"train": str(folder / "train"), "labels": LABELS[:2], "other": "Misc", "important": LABELS[:2]}
    return {"near": {**both, "test": str(folder / "near")}, "far": {**both, "test": [str(folder / "far")]}}


@pytest.fixture
def start_redis(tmp_path):
    """Return a function that starts a real Redis or Valkey server, which is killed after the test."""
    started = []

    def start(program="redis-server", **options):
        started.append(RedisServer(tmp_path, program=program, **options))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture(params=PROGRAMS)
def server(request, start_redis):
    """Return a real Redis server, then a Valkey server."""
    return start_redis(request.param)


@pytest.fixture(scope="session")
def chromium():
    """Return a real headless Chromium."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "no Chromium: run `make chromium`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Return a function that opens a file at a width in pixels; errors in a page and foreign requests fail the test."""
    problems, contexts = [], []

    def opened(file: Path, width: int = 1280, dark: bool = False):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else problems.append(r.url))
        page.goto(file.resolve().as_uri())
        # Nothing may be wider than the screen.
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
