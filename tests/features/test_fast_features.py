"""Features of lines are computed for thousands of lines at once; each is what a plain loop over the lines gives."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skol_rnn.data.table import check_table
from skol_rnn.features import base
from skol_rnn.features.base import normal_form
from skol_rnn.features.lines import hashed
from skol_rnn.features.lines.layout import LAYOUT_NAMES, layout_numbers

PATTERNS = {
    "years": (r"\b1[789]\d\d\b|\b20\d\d\b", 3),
    "abbreviations": (r"\b[A-Za-z]{1,5}\.", 6),
    "measures": (r"\d\s*(?:[x×*]|[-–]\s*\d)|\b(?:μm|um|mm|cm)\b", 6),
    "brackets": (r"[(\[]", 4),
}
PIECES = st.sampled_from(
    [
        *"0123456789",
        *"x×*-–",
        *" \t\n_.()[é١",
        "mm",
        "cm",
        "um",
        "μm",
        "µm",
        "1881",
        "2003",
        "1699",
        "17",
        "a",
        "Abcde",
        "½",
    ]
)
LINES = st.lists(st.lists(PIECES, max_size=14).map("".join), min_size=1, max_size=6)


@given(LINES)
@example(["x 5", "9"])
@example(["3-5-7 x 2-4", "- 5", "5 -", "1881", "5x", "x5", "3", "x"])
@example(
    ["3x3x3-3–3*3", "1 " + " " * 50 + "x", "1-\n2", "a_1881", "1881_", "11881", "abcdef.", "éa.", "a.b.c.", ".mm."]
)
@example(["\ud800 mm 3 x", "mm"])
def test_patterns_are_counted_as_a_search_of_each_line_counts_them(values):
    table = check_table(pd.DataFrame({"doc_id": "d", "value": pd.Series(values, dtype=object)}))
    numbers = dict(zip(LAYOUT_NAMES, layout_numbers(table).T, strict=True))
    for name, (pattern, most) in PATTERNS.items():
        expected = [min(len(re.findall(pattern, normal_form(value).strip())), most) for value in values]
        assert numbers[name].tolist() == expected, name


CODES = st.sampled_from(
    [-1, 0, 1, 2, 65_535, 65_536, 65_537, 131_072, (1 << 24) - 1]
)  # of one and of two 16-bit digits


@given(st.lists(st.tuples(st.integers(0, 5), CODES), max_size=80))
def test_each_code_is_kept_where_it_is_first_in_its_line(pairs):
    found = hashed._first_occurrences(*np.array(pairs, np.int64).reshape(-1, 2).T)
    expected = [
        (line, code) for line in range(6) for code in dict.fromkeys(c for n, c in pairs if n == line and c >= 0)
    ]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


@given(st.lists(st.integers(0, 9), max_size=30))
def test_blocks_hold_all_texts_in_order_and_no_more_than_fit(sizes):
    texts = ["x" * size for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "_TEXTS", 4)
        patch.setattr(base, "_CHARACTERS", 12)
        blocks = list(base.blocks_of(texts))
    assert [text for block in blocks for text in block] == texts
    assert all(len(block) == 1 or (len(block) <= 4 and sum(map(len, block)) <= 12) for block in blocks)
    # The first text of a block did not fit into the one before.
    for one, other in itertools.pairwise(blocks):
        assert len(one) == 4 or sum(map(len, one)) + len(other[0]) > 12
