"""Small broken files of each format, in ``broken/FORMAT``: ``expected.toml`` has the error of each, or its repairs."""

from __future__ import annotations

import io
import tomllib
import warnings
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skol_rnn import read_documents
from skol_rnn.cli.app import BAD_DATA, run
from skol_rnn.data.discovery import FORMATS
from skol_rnn.errors import DataError, RepairWarning
from skol_rnn.labels import printable

HERE = Path(__file__).with_name("broken")
EXPECTED = {
    (form, name): result
    for form in FORMATS
    for name, result in tomllib.loads((HERE / form / "expected.toml").read_text(encoding="utf-8")).items()
}
ERRORS = [key for key, result in EXPECTED.items() if isinstance(result, str)]
TOKENS = ("bio", "brat", "ptc")  # formats of spans
TABLES = {
    "numbers.parquet": {"value": [1, 2]},
    "no_value.parquet": {"doc_id": ["a"], "text": ["one"]},
    "true_labels.parquet": {"value": ["one", "two"], "label": [True, False]},
    "nameless.parquet": {"doc_id": ["a", None], "value": ["one", "two"]},
    "number_twice.parquet": {"value": ["one", "two"], "line_number": [1, 1]},
    "half_blanks.parquet": {"value": ["one", "two"], "blank_before": [0.0, 0.5]},
    "text_of_lists.parquet": {"value": [["one"], ["two"]]},
    "two_lines.parquet": {"value": ["one", "two\nthree"]},
    "offsets.parquet": {"value": ["one", "two"], "start": [0, 2], "end": [3, 5]},
    "negative_offsets.parquet": {"value": ["one"], "start": [-3], "end": [0]},
    "no_token_label.parquet": {"value": ["one", "two"], "label": ["B-X", "X"], "break_before": [3, 1]},
    "far_offset.parquet": {"value": ["one"], "start": [300_000_000], "end": [300_000_003]},
}


def parquet(name: str) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(TABLES.get(name, {"value": ["one", "two"]})).to_parquet(buffer)
    match name:
        case "cut_off.parquet":
            return buffer.getvalue()[:-9]
        case "damaged.parquet":
            return buffer.getvalue()[:4] + bytes(100) + buffer.getvalue()[104:]
        case "csv.parquet":
            return b"doc_id,value\na,one\n"
        case "empty.parquet":
            return b""
        case "latin1.parquet":
            text = pa.Array.from_buffers(
                pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\4\0\0\0"), pa.py_buffer(b"caf\xe9")]
            )
            buffer = io.BytesIO()
            pq.write_table(pa.table({"value": text}), buffer)
    return buffer.getvalue()


@pytest.fixture(params=EXPECTED, ids="/".join)
def case(request, tmp_path, monkeypatch):
    """Go to the folder of a file; its path and its expected message are relative to it."""
    form, name = request.param
    place(form, name, tmp_path, monkeypatch)
    return form, name, EXPECTED[request.param]


def place(form, name, tmp_path, monkeypatch):
    if form == "parquet":
        (tmp_path / name).write_bytes(parquet(name))
    monkeypatch.chdir(tmp_path if form == "parquet" else HERE / form)


def unit_of(form):
    return "token" if form in TOKENS else "line"


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_has_broken_files_and_all_are_expected(form):
    named = {name for kind, name in EXPECTED if kind == form}
    assert sum(isinstance(EXPECTED[form, name], str) for name in named) >= (3 if form == "yedda" else 8)
    if form == "parquet":
        return
    found = {path.name for path in (HERE / form).iterdir()} - {"expected.toml", "fuzzed"}
    assert found - {f"{name}.labels.tsv" for name in named} == named


def test_the_reader_says_what_is_wrong_and_where(case):
    form, name, expected = case
    if isinstance(expected, str):
        with pytest.raises(DataError) as caught:
            read_documents(name, unit=unit_of(form))
        assert str(caught.value) == expected
        return
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        corpus = read_documents(name, unit=unit_of(form))
    assert [f"{repair.path}:{repair.line}: {repair.kind}: {repair.detail}" for repair in corpus.repairs] == expected
    unusual = [repair for repair in corpus.repairs if repair.kind not in ("byte order mark", "CRLF line ends")]
    assert [warning.category for warning in seen] == [RepairWarning] * bool(unusual)


def test_validate_says_the_same(case, capsys):
    form, name, expected = case
    code, said = command(["validate", name, "--unit", unit_of(form)], capsys)
    if isinstance(expected, str):
        assert (code, said.out) == (BAD_DATA, "")
        assert said.err == f"skol-rnn: {printable(expected, keep=chr(9) + chr(10))}\n"
    else:
        assert code == 0
        assert said.out.splitlines()[-len(expected) :] == [printable(line) for line in expected]


FEW = [key for number, key in enumerate(ERRORS) if number % 12 == 0]


@pytest.mark.parametrize("words", [["train"], ["convert", "--to", "jsonl"]], ids=lambda words: words[0])
@pytest.mark.parametrize("key", FEW, ids="/".join)
def test_other_commands_say_the_same_and_write_nothing(key, words, tmp_path, monkeypatch, capsys):
    form, name = key
    place(form, name, tmp_path, monkeypatch)
    out = tmp_path / "out"
    code, said = command([words[0], name, *words[1:], "--unit", unit_of(form), "--out", str(out)], capsys)
    assert code == BAD_DATA
    assert said.err == f"skol-rnn: {printable(EXPECTED[key], keep=chr(9) + chr(10))}\n"
    assert not out.exists()


def command(words, capsys):
    with pytest.raises(SystemExit) as stop:
        run(words)
    return stop.value.code or 0, capsys.readouterr()


def test_paths_of_a_batch_are_checked_as_those_of_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text('[settings.s]\nepochs = 1\n[data.d]\ntrain = ""\ntest = "x"\n')
    code, said = command(["batch", "a.toml"], capsys)
    assert code == BAD_DATA and "a path of train is empty" in said.err
    code, said = command(["batch", "b.toml"], capsys)
    assert (code, said.err) == (BAD_DATA, "skol-rnn: b.toml does not exist. Did you mean 'a.toml'?\n")
