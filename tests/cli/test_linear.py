"""Twice the input takes twice the time, not four times: spans, records and lines, in the commands that read them."""

from __future__ import annotations

import contextlib
import gc
import io
import itertools
import json
import time
import tracemalloc

import numpy as np
import pytest

from skol_rnn.cli.app import run
from skol_rnn.data.document import split_lines
from skol_rnn.data.formats.brat import read_brat
from skol_rnn.data.formats.yedda import parse_yedda
from skol_rnn.evaluation.span_errors import span_outcomes
from skol_rnn.report.spans import show_spans, spans_html, tracks


def spans(n):
    """One long line with neighbouring spans, and one that covers all."""
    text = " ".join(f"word{i} is here." for i in range(n))
    ends = [i for i, character in enumerate(text) if character == "."]
    found = [(a + 2 if a else 0, b, "ABC"[i % 3]) for i, (a, b) in enumerate(zip([0, *ends], ends, strict=False))]
    return text, found


def layers(n):
    """Spans of which fifty overlap anywhere."""
    return [(10 * i, 10 * i + 500, "ABC"[i % 3]) for i in range(n)]


def record(n):
    text, found = spans(n)
    return json.dumps({"id": "d", "text": text, "spans": found}) + "\n"


def records(n):
    return "".join(
        json.dumps({"id": f"d{i}", "text": "some words\nmore", "spans": [[0, 4, "A"]]}) + "\n" for i in range(n)
    )


def lines(n):
    return "".join(f"[@line {i} of text#{'AB'[i % 2]}*]\n" for i in range(n))


def labels_in_a_line(n):
    """Many blocks of different labels in one line."""
    return "".join(f"a [@word#L{i}*] " for i in range(n))


def offsets_of_words(n, quoted):
    """Text of wide characters, and brat's annotation of each word with offsets in UTF-16 units."""
    words = [f"\N{GRINNING FACE}{i}" for i in range(n)]
    ends = list(itertools.accumulate(len(word) + 2 for word in words))
    rows = [
        f"T{i}\tA {end - len(word) - 2} {end - 1}\t{quoted or word}"
        for i, (word, end) in enumerate(zip(words, ends, strict=False))
    ]
    return " ".join(words), "\n".join(rows)


def read_units(folder, offsets, quoted=None):
    """Return a function that reads so many spans whose offsets are UTF-16 units."""

    def read(n):
        for ending, text in zip(("txt", "ann"), offsets_of_words(n, quoted), strict=True):
            (folder / f"x.{ending}").write_text(text, encoding="utf-8")
        problems = []
        read_brat(folder / "x.ann", "x", problems, offsets)
        assert bool(problems) == bool(quoted or offsets != "utf-16")

    return read


def seconds(action):
    """Return the least of three times, of this process alone, without the collector, which walks through all objects."""
    found = []
    gc.disable()
    try:
        for _ in range(3):
            start = time.process_time()
            action()
            found.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(found)


FUNCTIONS = {
    "form feeds before and after a line": (lambda n: split_lines("\f" * n + "a" + "\f" * n), 10_000),
    "blocks of a line": (lambda n: parse_yedda(labels_in_a_line(n)), 2_000),
    "tracks": (lambda n: tracks(layers(n)), 20_000),
    "tracks, nested": (lambda n: tracks([(i, 4 * n - i, "A") for i in range(n)]), 10_000),
    "outcomes": (lambda n: span_outcomes(spans(n)[1], spans(n)[1][::2]), 4_000),
    "page": (lambda n: spans_html(*spans(n)[:1], spans(n)[1], spans(n)[1][::2]), 2_000),
    "page, layers": (lambda n: spans_html("x" * (10 * n + 500), layers(n), layers(n)[::2]), 500),
    "picture": (lambda n: show_spans(spans(n)[0], spans(n)[1], spans(n)[1][::2]), 500),
}
COMMANDS = {
    "spans": (["spans", "{}", "--predicted", "{}", "--show", "d"], "jsonl", record, 1_000),
    "validate records": (["validate", "{}"], "jsonl", records, 400),
    "convert records": (["convert", "{}", "--to", "jsonl", "--out", "-"], "jsonl", records, 400),
    "validate lines": (["validate", "{}"], "txt.ann", lines, 10_000),
    "convert lines": (["convert", "{}", "--to", "csv", "--out", "-"], "txt.ann", lines, 10_000),
    "spans of lines": (["spans", "{}", "--predicted", "{}"], "txt.ann", lines, 4_000),
}


def check(action, n, factor=4):
    once, more = seconds(lambda: action(n)), seconds(lambda: action(factor * n))
    # Four times the input: quadratic work takes sixteen times as long.
    assert more < 2 * factor * max(once, 0.01), (once, more)


def run_quietly(words, file):
    out = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), pytest.raises(SystemExit) as stop:
        run([word.format(file) for word in words])
    assert stop.value.code == 0, out.buffer.getvalue()[-500:]


@pytest.mark.parametrize(("action", "n"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_take_linear_time(action, n):
    check(action, n)


@pytest.mark.parametrize(("offsets", "quoted"), [("utf-16", None), ("utf-16", "wrong"), ("characters", "wrong")])
def test_offsets_in_units_take_linear_time(tmp_path, offsets, quoted):
    check(read_units(tmp_path, offsets, quoted), 300)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "ending", "make", "n"), COMMANDS.values(), ids=COMMANDS)
def test_commands_take_linear_time(tmp_path, words, ending, make, n):
    for size in (n, 4 * n):
        (tmp_path / f"{size}.{ending}").write_text(make(size))

    def command(size):
        run_quietly(words, tmp_path / f"{size}.{ending}")

    command(n)
    check(command, n)


@pytest.mark.slow
@pytest.mark.parametrize(("words", "ending", "make", "n"), COMMANDS.values(), ids=COMMANDS)
def test_commands_take_linear_memory(tmp_path, words, ending, make, n):
    found = []
    n //= 4  # memory is traced slowly
    for size in (n, n, 4 * n):  # the first run loads what later ones need
        (tmp_path / f"{size}.{ending}").write_text(make(size))
        tracemalloc.start()
        run_quietly(words, tmp_path / f"{size}.{ending}")
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert found[2] < 5 * found[1], found


def test_tracks_are_those_of_the_first_row_that_is_free():
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = [(a, a + int(rng.integers(1, 9)), "A") for a in rng.integers(0, 40, int(rng.integers(0, 15))).tolist()]
        rows = []
        for span in sorted(found):
            row = next((row for row in rows if row[-1][1] <= span[0]), None)
            if row is None:
                rows.append(row := [])
            row.append(span)
        assert tracks(found) == rows
