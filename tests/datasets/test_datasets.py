"""The made-up sample: the same bytes everywhere, the documented shares, damage where it is listed; and downloads."""

from __future__ import annotations

import builtins
import hashlib
import io
import re
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from commands import skol
from hypothesis import given, settings
from hypothesis import strategies as st
from make_sample.journal import (
    TEST_DOCUMENTS,
    TRAIN_DOCUMENTS,
    damaged_documents,
    make_journal_corpus,
    write_sample,
)
from make_sample.layout import wrap
from make_sample.writer import Dice, draw_style

from skol_rnn.datasets import BASE_URL, JOURNAL_FILES, SAMPLE, SUMS, download_journals, sample_corpus
from skol_rnn.errors import DataError

TOOLS = Path(__file__).resolve().parents[2] / "tools"
LABELS = {
    "Nomenclature", "Description", "Misc-exposition", "Bibliography", "Page-header", "Figure", "Key",
    "Habitat-distribution", "Abstract", "Institution",
}  # fmt: skip
BLOCK = re.compile(r"\[@([^#]*)#([A-Za-z-]+)\*\]")


@pytest.fixture(scope="module")
def corpus() -> list[tuple[str, str]]:
    return make_journal_corpus()


def sound(corpus: list[tuple[str, str]]) -> list[str]:
    """Texts of the documents without damage."""
    return [text for i, (_, text) in enumerate(corpus) if i not in damaged_documents(len(corpus))]


def labelled_lines(text: str) -> list[tuple[str, str]]:
    return [(line, label) for lines, label in BLOCK.findall(text) for line in lines.splitlines() if line.strip()]


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_generator_writes_exactly_the_bundled_sample(tmp_path: Path) -> None:
    made = files_below(write_sample(tmp_path, seed=0))
    assert made == files_below(SAMPLE)
    assert len(made) == TRAIN_DOCUMENTS + TEST_DOCUMENTS
    assert sum(map(len, made.values())) < 700_000


def test_sample_corpus_is_cached_in_the_folder_of_the_environment_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKOL_RNN_CACHE", str(tmp_path))
    folder = sample_corpus()
    assert folder == tmp_path / "sample"
    first = sorted((folder / "train").iterdir())[0]
    first.write_text("cut off")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.ann") if path != first}
    sample_corpus()
    assert files_below(folder) == files_below(SAMPLE)
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_the_command_of_make_sample_writes_the_sample(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "make_sample", str(tmp_path), "--seed", "0"],
        cwd=TOOLS, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")
    assert files_below(tmp_path) == files_below(SAMPLE)


def test_names_sort_in_order_and_the_last_ones_are_the_test_part(corpus: list[tuple[str, str]]) -> None:
    names = [name for name, _ in corpus]
    assert names == sorted(names)
    test = sorted(path.name.removesuffix(".txt.ann") for path in (SAMPLE / "test").iterdir())
    assert test == names[-TEST_DOCUMENTS:]
    journals = [{name[3:] for name in part} for part in (names[:TRAIN_DOCUMENTS], names[TRAIN_DOCUMENTS:])]
    assert not journals[0] & journals[1]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shares_of_the_labels(seed: int) -> None:
    made = make_journal_corpus(seed=seed)
    counts = Counter(label for text in sound(made) for _, label in labelled_lines(text))
    total = sum(counts.values())
    assert set(counts) == LABELS
    assert 0.025 <= counts["Nomenclature"] / total <= 0.035
    assert 0.12 <= counts["Description"] / total <= 0.18


def test_every_document_has_both_important_labels_and_its_length(corpus: list[tuple[str, str]]) -> None:
    for text in sound(corpus):
        lines = labelled_lines(text)
        assert {"Nomenclature", "Description", "Misc-exposition"} <= {label for _, label in lines}
        assert 250 <= len(lines) <= 500


def test_sound_documents_are_well_formed_yedda(corpus: list[tuple[str, str]]) -> None:
    for text in sound(corpus):
        assert BLOCK.sub("", text).strip() == ""
        assert text.count("[@") == text.count("*]") == text.count("#")


def test_damage_is_where_it_is_listed_and_nowhere_else(corpus: list[tuple[str, str]]) -> None:
    damaged = damaged_documents(len(corpus))
    assert sorted(damaged.values()) == ["at-sign", "nested"]
    by_kind = {kind: corpus[i][1] for i, kind in damaged.items()}
    assert re.search(r"\[@[^#]*\[@\f[^#]*#Page-header\*\]\n\n(?!\[@)[^#\[]*#Description\*\]", by_kind["nested"])
    assert "@Page-header*]" in by_kind["at-sign"]
    assert "#Page-header*]" not in by_kind["at-sign"]
    broken = [i for i, (_, text) in enumerate(corpus) if BLOCK.sub("", text).strip()]
    assert [i for i in broken if i not in damaged] == []
    assert damaged_documents(5) == {}


def test_running_heads_start_with_a_form_feed_and_interrupt_descriptions(corpus: list[tuple[str, str]]) -> None:
    interrupted = 0
    for text in sound(corpus):
        blocks = BLOCK.findall(text)
        assert all(lines.startswith("\f") == (label == "Page-header") for lines, label in blocks)
        labels = [label for _, label in blocks]
        interrupted += sum(
            labels[i : i + 3] == ["Description", "Page-header", "Description"] for i in range(len(labels) - 2)
        )
    assert interrupted >= 10


def test_lines_occur_word_for_word_under_more_than_one_label(corpus: list[tuple[str, str]]) -> None:
    """No classifier of single lines can be right about these."""
    labels: dict[str, set[str]] = {}
    for text in sound(corpus):
        for line, label in labelled_lines(text):
            labels.setdefault(line.strip(), set()).add(label)
    ambiguous = [found for found in labels.values() if len(found) > 1]
    assert any({"Nomenclature", "Bibliography"} <= found for found in ambiguous)
    assert any({"Description", "Misc-exposition"} <= found for found in ambiguous)


def test_text_recognition_noise_ligatures_and_divided_words_occur(corpus: list[tuple[str, str]]) -> None:
    text = "".join(text for _, text in corpus)
    for sign in ("ﬁ", "\u00ad\n", "-\n", "µ", "μ", "–"):
        assert sign in text, f"{sign!r} never occurs"
    assert re.search(r"\btlie\b|\bsp0res\b|\bthc\b|\b\w+rnm\b|\bcornp", text)


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another() -> None:
    first = make_journal_corpus(3, seed=5, lines_per_document=120)
    assert first == make_journal_corpus(3, seed=5, lines_per_document=120)
    assert first != make_journal_corpus(3, seed=6, lines_per_document=120)


def test_a_document_does_not_depend_on_how_many_follow_it() -> None:
    assert make_journal_corpus(2) == make_journal_corpus(5)[:2]


@pytest.mark.parametrize("wrong", [{"n_documents": 0}, {"seed": -1}, {"lines_per_document": 99}])
def test_numbers_out_of_range_are_named(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        make_journal_corpus(**wrong)


@given(st.lists(st.text("abcdefghij.", min_size=1, max_size=30), min_size=1, max_size=40), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_wrapping_loses_no_character_and_keeps_the_width(words: list[str], seed: int) -> None:
    style = draw_style(Dice(seed), noise=0.0)
    lines = wrap(" ".join(words), style, Dice(seed + 1))
    joined = "".join(line.removesuffix(style.hyphen) for line in lines).replace(" ", "")
    assert joined == "".join(words)
    assert all(len(line) <= style.width for line in lines)
    assert all(line.strip() for line in lines)


def test_counts_in_the_readme_are_those_of_the_sample(corpus: list[tuple[str, str]]) -> None:
    readme = (SAMPLE.parent / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([A-Z][A-Za-z-]+) \| .*\| ([\d,]+) \|$", readme, re.M))
    text = "".join(text for _, text in corpus).replace("@Page-header*]", "#Page-header*]")
    counts: Counter[str] = Counter()
    open_labels: list[int] = []
    for line in text.splitlines():
        # Lines wait for the marker that closes them; a nested running head closes at once.
        body = re.sub(r"#[A-Za-z-]+\*\]$", "", line.replace("[@", ""))
        if line.startswith("[@"):
            open_labels.append(0)
        if body.strip():
            open_labels[-1] += 1
        closing = re.search(r"#([A-Za-z-]+)\*\]$", line)
        if closing:
            counts[closing[1]] += open_labels.pop()
    assert not open_labels
    assert {label: int(count.replace(",", "")) for label, count in rows.items()} == dict(counts)


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder and remembers what was asked for."""

    def do_GET(self) -> None:  # noqa: N802  # the name http.server calls
        self.server.requests.append(self.path)  # type: ignore[attr-defined]
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    pytest.importorskip("pooch")
    (tmp_path / "www" / "Folia").mkdir(parents=True)
    (tmp_path / "www" / "Folia" / "n1.txt.ann").write_bytes(b"[@Calella alba Bran.#Nomenclature*]\n")
    running = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "www")))
    running.requests = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


Fetch = Callable[..., Path]
NAME = "Folia/n1.txt.ann"


@pytest.fixture
def fetch(server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Download from the local server into ``cache``; waits between retries are left out."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    base_url = f"http://127.0.0.1:{server.server_port}"
    return partial(download_journals, tmp_path / "cache", base_url=base_url, timeout=5)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_download_then_cache(fetch: Fetch, server: ThreadingHTTPServer, tmp_path: Path) -> None:
    content = (tmp_path / "www" / NAME).read_bytes()
    folder = fetch(registry={NAME: digest(content)})
    assert (folder / NAME).read_bytes() == content
    assert server.requests == ["/" + NAME]  # type: ignore[attr-defined]
    assert fetch(registry={NAME: digest(content)}) == folder
    assert len(server.requests) == 1  # type: ignore[attr-defined]


def test_first_download_without_checksum_is_remembered(fetch: Fetch, tmp_path: Path) -> None:
    published = tmp_path / "www" / NAME
    content = published.read_bytes()
    folder = fetch(registry={NAME: None})
    assert (folder / SUMS).read_text() == f"{digest(content)}  {NAME}\n"
    (folder / NAME).write_bytes(b"changed on disk")
    fetch(registry={NAME: None})
    assert (folder / NAME).read_bytes() == content
    published.write_bytes(b"changed on the server")
    (folder / NAME).unlink()
    with pytest.raises(DataError, match=f"{NAME}.*checksum.*{SUMS}"):
        fetch(registry={NAME: None})
    assert not (folder / NAME).exists()


def test_wrong_checksum_leaves_no_file(fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected checksum"):
        fetch(registry={NAME: "0" * 64})
    assert files_below(tmp_path / "cache") == {}


def test_missing_file_and_silent_server_are_named(fetch: Fetch, server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"n2.txt.ann could not be downloaded.*404"):
        fetch(registry={NAME: None, "Folia/n2.txt.ann": None})
    assert set(files_below(tmp_path / "cache")) == {NAME, SUMS}, "what came before the failure stays"
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="could not be downloaded"):
        fetch(registry={"Folia/n3.txt.ann": None})
    assert fetch(registry={NAME: None}) == tmp_path / "cache", "a cached file needs no server"


def test_archives_are_unpacked_once_and_replaced_whole(fetch: Fetch, tmp_path: Path) -> None:
    def publish(member: str) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(member, "[@Spores smooth.#Description*]\n")
        (tmp_path / "www" / "all.zip").write_bytes(buffer.getvalue())

    publish("one/n1.txt.ann")
    folder = fetch(registry={"all.zip": None})
    assert set(files_below(folder)) == {"all.zip", "all/one/n1.txt.ann", SUMS}
    publish("two/n2.txt.ann")
    new = digest((tmp_path / "www" / "all.zip").read_bytes())
    fetch(registry={"all.zip": new})
    assert set(files_below(folder)) == {"all.zip", "all/two/n2.txt.ann", SUMS}


def test_damaged_archive_is_refused(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "www" / "all.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="all.zip.*not a readable archive"):
        fetch(registry={"all.zip": None})
    assert not (tmp_path / "cache" / "all").exists()


@pytest.mark.parametrize("name", ["../n1.txt.ann", "/etc/n1", "a\\n1", "C:n1", "a\nb", "", SUMS])
def test_names_that_leave_the_folder_are_refused(fetch: Fetch, name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="registry names a file"):
        fetch(registry={name: None})
    assert not (tmp_path / "cache").exists()


def test_empty_registry_and_damaged_sums_are_named(fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="registry is empty"):
        fetch(registry={})
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / SUMS).write_text("half a li")
    with pytest.raises(DataError, match=f"{SUMS}, line 1"):
        fetch(registry={NAME: None})


def test_without_pooch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_pooch(name: str, *args: object, **kwargs: object) -> object:
        if name == "pooch":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_pooch)
    with pytest.raises(ImportError, match=r"skol_rnn\[data\]"):
        download_journals()


def test_the_default_registry_names_each_file_once() -> None:
    assert len(JOURNAL_FILES) == len(set(JOURNAL_FILES)) == 190
    assert all(name.endswith(".txt.ann") for name in JOURNAL_FILES)
    assert BASE_URL.startswith("https://")


def test_the_command_lists_corpora_and_their_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert skol("download") == 0
    listed = capsys.readouterr().out
    assert set(re.findall(r"^(\w+): ", listed, re.M)) == {"sample", "journals"}
    assert listed.count("  Licence: ") == 2
    assert skol("download", "jurnals") == 2
    assert "Did you mean 'journals'?" in capsys.readouterr().err


def test_the_command_downloads_what_is_named_and_says_the_licence(
    fetch: Fetch, server: ThreadingHTTPServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {}
    for name in JOURNAL_FILES[1:3]:
        content[name] = f"[@{name}#Misc*]\n".encode()
        (tmp_path / "www" / name).parent.mkdir(parents=True)
        (tmp_path / "www" / name).write_bytes(content[name])
    words = ["--out", tmp_path / "out", "--only", "Mycotaxon/Vol05[45]/*", "--url", fetch.keywords["base_url"]]  # type: ignore[attr-defined]
    for _ in range(2):
        assert skol("download", "journals", *words) == 0
        said = capsys.readouterr().err
        assert "Licence: not stated" in said and "2 documents" in said
    found = files_below(tmp_path / "out")
    sums = "".join(f"{digest(content[name])}  {name}\n" for name in sorted(content))
    assert found == content | {SUMS: sums.encode()}
    assert len(server.requests) == 2, "the second call finds both"  # type: ignore[attr-defined]
    (tmp_path / "out" / JOURNAL_FILES[1]).unlink()
    (tmp_path / "www" / JOURNAL_FILES[1]).write_bytes(b"changed on the server")
    assert skol("download", "journals", *words) == 3
    assert "expected checksum" in capsys.readouterr().err
    assert skol("download", "journals", "--only", "Nature/*") == 3
    assert "No file matches 'Nature/*'" in capsys.readouterr().err


def test_the_command_copies_the_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert skol("download", "sample", "--out", tmp_path / "sample") == 0
    assert files_below(tmp_path / "sample") == files_below(SAMPLE)
    assert "Licence: Apache-2.0" in capsys.readouterr().err
